#include "cp_engine/monitor_port.h"

#include "common/runtime/connection.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINK_IDLE_MS 10000   /* a monitor asks for health every second: this one is gone without a word */
#define REFUSED_LOG_MS 10000 /* strangers are logged at most this often */

struct monitor_port {
    struct loop *loop;
    struct listener *listener;
    struct connection *link;     /* NULL: none */
    struct connection *replaced; /* the one before, while it closes; NULL: none */
    struct message_identify identify;
    struct monitor_port_callbacks callbacks;
    void *user;
    int64_t refused_logged_ms;
};

static void send_on(struct connection *connection, const struct message *message)
{
    char buf[MESSAGE_SIZE];
    size_t len = 0;

    enum ev_err err = message_encode(message, buf, sizeof buf, &len);
    if (err == EV_OK) {
        err = connection_send(connection, buf, len);
    }
    if (err == EV_ERR_FULL || err == EV_ERR_NOMEM) {
        log_error("monitor.not_reading", log_str("address", connection_peer_address(connection)));
        connection_close(connection);
    } else if (err != EV_OK && err != EV_ERR_CLOSED) {
        log_error("monitor.unsent", log_str("type", message_type_text(message->type)),
                  log_str("reason", ev_err_text(err)));
    }
    memset(buf, 0, sizeof buf);
}

static void link_refuse(struct connection *connection, enum message_refuse_code code, const char *detail)
{
    struct message refuse;

    message_init(&refuse, MESSAGE_REFUSE, NULL);
    refuse.refuse.code = code;
    (void)snprintf(refuse.refuse.detail, sizeof refuse.refuse.detail, "%s", detail);
    send_on(connection, &refuse);
    connection_close(connection);
}

static void on_frame(struct connection *connection, const uint8_t *bytes, size_t len, void *user)
{
    struct monitor_port *port = user;
    struct message message;

    if (connection != port->link) {
        return; /* replaced */
    }
    enum ev_err err = message_decode((const char *)bytes, len, &message);
    if (err == EV_OK) {
        err = port->callbacks.on_message(port->user, &message);
    }
    memset(&message, 0, sizeof message); /* it may have carried a key */
    if (err != EV_OK) {
        log_warn("monitor.protocol", log_str("address", connection_peer_address(connection)),
                 log_str("reason", ev_err_text(err)));
        link_refuse(connection, MESSAGE_REFUSE_PROTOCOL, ev_err_text(err));
    }
}

static void on_closed(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct monitor_port *port = user;

    if (connection == port->replaced) {
        port->replaced = NULL;
    }
    if (connection != port->link) {
        return;
    }
    port->link = NULL;
    if (err == EV_OK) {
        log_info("monitor.closed", log_str("address", connection_peer_address(connection)));
    } else {
        log_warn("monitor.lost", log_str("address", connection_peer_address(connection)),
                 log_str("reason", text));
    }
    port->callbacks.on_link_lost(port->user);
}

static const struct connection_callbacks link_callbacks = {.on_frame = on_frame, .on_closed = on_closed};

static void on_accept(struct connection *connection, void *user)
{
    struct monitor_port *port = user;
    struct connection *old = port->link;
    struct message identify;

    connection_set_callbacks(connection, &link_callbacks, port);
    connection_set_queue_max(connection, (size_t)CONNECTION_QUEUE_BYTES_PAIR_MAX);
    connection_set_idle_timeout(connection, LINK_IDLE_MS);
    port->link = connection;
    if (old != NULL) {
        log_warn("monitor.replaced", log_str("address", connection_peer_address(old)),
                 log_str("by", connection_peer_address(connection)));
        connection_free(port->replaced);
        port->replaced = old;
        link_refuse(old, MESSAGE_REFUSE_REPLACED, "another monitor with the pairing key has connected");
    }
    log_info("monitor.connected", log_str("address", connection_peer_address(connection)));
    message_init(&identify, MESSAGE_IDENTIFY, NULL);
    identify.identify = port->identify;
    send_on(connection, &identify);
    port->callbacks.on_link(port->user);
}

static void on_refused(const char *address, enum ev_err err, const char *reason, void *user)
{
    struct monitor_port *port = user;
    int64_t now = loop_now_ms(port->loop);

    (void)err;
    if (port->refused_logged_ms == 0 || now - port->refused_logged_ms >= REFUSED_LOG_MS) {
        port->refused_logged_ms = now;
        log_warn("monitor.refused", log_str("address", address), log_str("reason", reason),
                 log_str("note", "a monitor needs the same pairing file as this engine"));
    }
}

enum ev_err monitor_port_new(struct loop *loop, const struct host_port *listen,
                             struct tls_credentials *credentials, const struct message_identify *identify,
                             const struct monitor_port_callbacks *callbacks, void *user,
                             struct monitor_port **ret_port, struct failure *ret_failure)
{
    struct monitor_port *port = calloc(1, sizeof *port);

    if (port == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    port->loop = loop;
    port->identify = *identify;
    port->callbacks = *callbacks;
    port->user = user;
    const struct listener_config config = {.address = *listen,
                                           .credentials = credentials,
                                           .max_connections = MONITOR_PORT_LINKS_MAX,
                                           .on_accept = on_accept,
                                           .on_refused = on_refused,
                                           .user = port};
    enum ev_err err = listener_new(loop, &config, &port->listener, ret_failure);
    if (err != EV_OK) {
        free(port);
        return err;
    }
    *ret_port = port;
    return EV_OK;
}

void monitor_port_free(struct monitor_port *port)
{
    if (port == NULL) {
        return;
    }
    connection_free(port->link);
    connection_free(port->replaced);
    listener_free(port->listener);
    free(port);
}

void monitor_port_send(struct monitor_port *port, const struct message *message)
{
    if (port->link != NULL) {
        send_on(port->link, message);
    }
}

void monitor_port_close(struct monitor_port *port)
{
    if (port->link != NULL) {
        connection_close(port->link);
    }
}

const char *monitor_port_peer(const struct monitor_port *port)
{
    return port->link != NULL ? connection_peer_address(port->link) : "";
}

uint16_t monitor_port_number(const struct monitor_port *port)
{
    return listener_port(port->listener);
}
