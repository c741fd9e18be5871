/* engine_link.h - the one link of a monitor process to its engine: dials the engine's monitor_port with the
 * pairing key, and again whenever it is lost. Says in words, once an absence, why there is none. */
#ifndef EV_CP_MONITOR_ENGINE_LINK_H
#define EV_CP_MONITOR_ENGINE_LINK_H

#include "common/rules/ev_err.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"
#include "common/wire/message.h"

#include <stdbool.h>

#define ENGINE_LINK_RETRY_FIRST_MS 200
#define ENGINE_LINK_RETRY_MAX_MS 2000
#define ENGINE_LINK_REPLACED_MS 10000 /* another monitor took the engine: no tug of war */
#define ENGINE_LINK_IDLE_MS                                                                                  \
    10000 /* every question is answered: an engine silent for so long is dialled anew */

struct engine_link;

struct engine_link_callbacks {
    void (*on_up)(void *user, const struct message_identify *identify);
    void (*on_closed)(void *user); /* only after on_up */
    void (*on_message)(void *user, const struct message *message);
};

/* Starts dialling. credentials: of the pairing file; a reference is taken. */
EV_MUST_CHECK enum ev_err engine_link_new(struct loop *loop, const struct host_port *engine,
                                          struct tls_credentials *credentials,
                                          const struct engine_link_callbacks *callbacks, void *user,
                                          struct engine_link **ret_link);
void engine_link_free(struct engine_link *link);

/* Dropped where there is no link. */
void engine_link_send(struct engine_link *link, const struct message *message);

bool engine_link_is_up(const struct engine_link *link);

#endif
