/* monitor_port.h - where the monitor's engine_link connects: TLS with the pairing key, one link at a time.
 * A second link replaces the first once it has authenticated. Messages of all charge points share the link.
 */
#ifndef EV_CP_ENGINE_MONITOR_PORT_H
#define EV_CP_ENGINE_MONITOR_PORT_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"
#include "common/wire/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MONITOR_PORT_LINKS_MAX                                                                               \
    8 /* handshakes, the old and the new link; strangers without the key end there */

struct monitor_port;

struct monitor_port_callbacks {
    void (*on_link)(void *user); /* a monitor is there; nothing is attached yet */
    void (*on_link_lost)(void *user);
    /* An error closes the link: what was received makes no sense. */
    enum ev_err (*on_message)(void *user, const struct message *message);
};

/* identify is sent first on every link. */
EV_MUST_CHECK enum ev_err monitor_port_new(struct loop *loop, const struct host_port *listen,
                                           struct tls_credentials *credentials,
                                           const struct message_identify *identify,
                                           const struct monitor_port_callbacks *callbacks, void *user,
                                           struct monitor_port **ret_port, struct failure *ret_failure);
void monitor_port_free(struct monitor_port *port);

/* Dropped where there is no link. A monitor that does not read is closed. */
void monitor_port_send(struct monitor_port *port, const struct message *message);

/* Closes the link in order, after what was sent; then on_link_lost. */
void monitor_port_close(struct monitor_port *port);

/* "" without a link. */
const char *monitor_port_peer(const struct monitor_port *port);

/* The port that is listened on. */
uint16_t monitor_port_number(const struct monitor_port *port);

#endif
