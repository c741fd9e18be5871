/* central_link.h - one charge point's control connection: dials Central's control_port with the charge
 * point's certificate. When to dial and what to say is the controller's. */
#ifndef EV_CP_MONITOR_CENTRAL_LINK_H
#define EV_CP_MONITOR_CENTRAL_LINK_H

#include "common/rules/ev_err.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"
#include "common/wire/message.h"

#include <stdbool.h>

#define CENTRAL_LINK_RETRY_FIRST_MS 500
#define CENTRAL_LINK_RETRY_MAX_MS 15000

struct central_link;

struct central_link_callbacks {
    void (*on_up)(void *user);                       /* the handshake is done */
    void (*on_closed)(void *user, const char *text); /* not after central_link_hang_up */
    void (*on_message)(void *user, const struct message *message);
    void (*on_retry)(void *user); /* after central_link_retry_later */
};

EV_MUST_CHECK enum ev_err central_link_new(struct loop *loop, const struct host_port *central,
                                           const struct central_link_callbacks *callbacks, void *user,
                                           struct central_link **ret_link);
void central_link_free(struct central_link *link);

/* Every failure comes by on_closed, later. */
void central_link_dial(struct central_link *link, struct tls_credentials *credentials);
/* What was sent still goes out. */
void central_link_hang_up(struct central_link *link);

/* Jittered and growing until central_link_retry_reset. */
void central_link_retry_later(struct central_link *link);
void central_link_retry_reset(struct central_link *link);

/* Dropped where there is no connection. */
void central_link_send(struct central_link *link, const struct message *message);

#endif
