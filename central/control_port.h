/* control_port.h - where charge points' monitors connect: TLS 1.3 with both certificates verified, frames,
 * messages. It reads and checks what is said, and hands it to the fleet; what is answered comes from
 * dispatch. Works without Kafka and without Registry. */
#ifndef EV_CENTRAL_CONTROL_PORT_H
#define EV_CENTRAL_CONTROL_PORT_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct central;
struct control_port;

/* Listens; Central's certificate must be there. Errors: EV_ERR_IO, EV_ERR_TLS, EV_ERR_NOMEM, in words. */
EV_MUST_CHECK enum ev_err control_port_new(struct central *central, struct control_port **ret_port,
                                           struct failure *ret_failure);
/* Closes all connections; the fleet is told of none of them. NULL is accepted. */
void control_port_free(struct control_port *port);

/* One frame to a connection that may be gone. A peer that does not read is closed. */
void control_port_send(struct control_port *port, uint64_t connection, const void *bytes, size_t len);
/* After what was sent. */
void control_port_close(struct control_port *port, uint64_t connection);

/* Something came from Registry: charge points that wait for it are looked up again. */
void control_port_retry_held(struct control_port *port);

size_t control_port_connections(const struct control_port *port);

#endif
