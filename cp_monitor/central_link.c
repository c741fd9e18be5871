#include "cp_monitor/central_link.h"

#include "common/runtime/backoff.h"
#include "common/runtime/connection.h"
#include "common/runtime/log.h"

#include <stdlib.h>
#include <string.h>

struct central_link {
    struct loop *loop;
    const struct host_port *central; /* of the monitor; one for all */
    struct central_link_callbacks callbacks;
    void *user;
    struct connection *connection; /* NULL: none */
    struct connection *leaving;    /* hung up, still sending; NULL: none */
    struct loop_timer *retry;
    struct backoff backoff;
    bool dial_failed; /* to be told from the timer */
};

static void on_ready(struct connection *connection, void *user)
{
    struct central_link *link = user;

    if (connection == link->connection) {
        link->callbacks.on_up(link->user);
    }
}

static void on_frame(struct connection *connection, const uint8_t *bytes, size_t len, void *user)
{
    struct central_link *link = user;
    struct message message;

    if (connection != link->connection) {
        return; /* hung up */
    }
    enum ev_err err = message_decode((const char *)bytes, len, &message);
    if (err == EV_OK) {
        link->callbacks.on_message(link->user, &message);
    } else {
        log_warn("central.bad_message", log_str("reason", ev_err_text(err)));
        central_link_hang_up(link);
        link->callbacks.on_closed(link->user, "Central sent what cannot be read");
    }
    memset(&message, 0, sizeof message); /* it may have carried a key */
}

static void on_closed(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct central_link *link = user;

    (void)err;
    if (connection == link->connection) {
        link->connection = NULL;
        link->callbacks.on_closed(link->user, text);
    }
}

static void on_retry(void *user)
{
    struct central_link *link = user;

    if (link->dial_failed) {
        link->dial_failed = false;
        link->callbacks.on_closed(link->user, "no memory or certificate to connect with");
        return;
    }
    link->callbacks.on_retry(link->user);
}

enum ev_err central_link_new(struct loop *loop, const struct host_port *central,
                             const struct central_link_callbacks *callbacks, void *user,
                             struct central_link **ret_link)
{
    struct central_link *link = calloc(1, sizeof *link);

    if (link == NULL) {
        return EV_ERR_NOMEM;
    }
    link->loop = loop;
    link->central = central;
    link->callbacks = *callbacks;
    link->user = user;
    backoff_init(&link->backoff, CENTRAL_LINK_RETRY_FIRST_MS, CENTRAL_LINK_RETRY_MAX_MS);
    enum ev_err err = loop_timer_new(loop, on_retry, link, &link->retry);
    if (err != EV_OK) {
        free(link);
        return err;
    }
    *ret_link = link;
    return EV_OK;
}

void central_link_free(struct central_link *link)
{
    if (link == NULL) {
        return;
    }
    connection_free(link->connection);
    connection_free(link->leaving);
    loop_timer_free(link->retry);
    free(link);
}

void central_link_dial(struct central_link *link, struct tls_credentials *credentials)
{
    static const struct connection_callbacks callbacks = {
        .on_ready = on_ready, .on_frame = on_frame, .on_closed = on_closed};
    const struct connection_target target = {
        .address = *link->central, .credentials = credentials, .expected_role = NODE_ROLE_CENTRAL};

    central_link_hang_up(link);
    loop_timer_stop(link->retry);
    if (credentials == NULL ||
        connection_connect(link->loop, &target, &callbacks, link, &link->connection) != EV_OK) {
        link->connection = NULL;
        link->dial_failed = true;
        loop_timer_start(link->retry, 0);
    }
}

static void on_left(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct central_link *link = user;

    (void)err;
    (void)text;
    if (connection == link->leaving) {
        link->leaving = NULL;
    }
}

void central_link_hang_up(struct central_link *link)
{
    static const struct connection_callbacks callbacks = {.on_closed = on_left};
    struct connection *connection = link->connection;

    link->connection = NULL;
    if (connection != NULL) {
        connection_free(link->leaving);
        link->leaving = connection;
        connection_set_callbacks(connection, &callbacks, link);
        connection_close(connection);
    }
}

void central_link_retry_later(struct central_link *link)
{
    loop_timer_start(link->retry, backoff_next_ms(&link->backoff));
}

void central_link_retry_reset(struct central_link *link)
{
    backoff_reset(&link->backoff);
}

void central_link_send(struct central_link *link, const struct message *message)
{
    char buf[MESSAGE_SIZE];
    size_t len = 0;

    if (link->connection == NULL) {
        return;
    }
    enum ev_err err = message_encode(message, buf, sizeof buf, &len);
    if (err == EV_OK) {
        err = connection_send(link->connection, buf, len);
    }
    if (err == EV_ERR_FULL || err == EV_ERR_NOMEM) {
        connection_close(link->connection); /* Central does not read */
    } else if (err != EV_OK && err != EV_ERR_CLOSED) {
        log_error("central.unsent", log_str("type", message_type_text(message->type)),
                  log_str("reason", ev_err_text(err)));
    }
}
