#include "cp_monitor/engine_link.h"

#include "common/runtime/backoff.h"
#include "common/runtime/connection.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <stdlib.h>
#include <string.h>

struct engine_link {
    struct loop *loop;
    struct host_port engine;
    struct tls_credentials *credentials;
    struct engine_link_callbacks callbacks;
    void *user;
    struct connection *connection; /* NULL: none */
    struct loop_timer *retry;
    struct backoff backoff;
    bool up;     /* identified */
    bool failed; /* said already */
};

static void dial(void *user);

static void retry_later(struct engine_link *link)
{
    loop_timer_start(link->retry, backoff_next_ms(&link->backoff));
}

static void give_up(struct engine_link *link, const char *event, const char *text)
{
    char address[HOST_PORT_TEXT_MAX];
    bool was_up = link->up;

    if (was_up || !link->failed) {
        log_warn(event, log_str("engine", host_port_format(&link->engine, address)), log_str("reason", text),
                 log_str("note", "trying again; start ev_cp_engine there, with the same --pairing-file"));
    }
    link->failed = true;
    link->up = false;
    link->connection = NULL;
    retry_later(link);
    if (was_up) {
        link->callbacks.on_closed(link->user);
    }
}

static void on_closed(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct engine_link *link = user;

    (void)err;
    if (connection == link->connection) {
        give_up(link, link->up ? "engine.link_lost" : "engine.unreachable", text);
    }
}

static void drop(struct engine_link *link, const char *text)
{
    struct connection *connection = link->connection;

    give_up(link, "engine.protocol", text);
    connection_free(connection);
}

static void on_identify(struct engine_link *link, const struct message_identify *identify)
{
    if (identify->version != MESSAGE_VERSION) {
        drop(link, "the engine speaks another version; install the same one");
        return;
    }
    link->up = true;
    link->failed = false;
    backoff_reset(&link->backoff);
    log_info("engine.connected", log_str("version", identify->program_version),
             log_uint("count", identify->count), log_uint("max_power_w", identify->max_power_w),
             log_uint("speed", identify->speed));
    link->callbacks.on_up(link->user, identify);
}

static void on_frame(struct connection *connection, const uint8_t *bytes, size_t len, void *user)
{
    struct engine_link *link = user;
    struct message message;

    if (connection != link->connection) {
        return;
    }
    enum ev_err err = message_decode((const char *)bytes, len, &message);
    if (err != EV_OK) {
        drop(link, ev_err_text(err));
    } else if (message.type == MESSAGE_REFUSE && !cp_id_is_set(&message.cp_id)) {
        drop(link, message.refuse.detail[0] != '\0' ? message.refuse.detail : "refused");
        if (message.refuse.code == MESSAGE_REFUSE_REPLACED) {
            loop_timer_start(link->retry, ENGINE_LINK_REPLACED_MS);
        }
    } else if (link->up) {
        link->callbacks.on_message(link->user, &message);
    } else if (message.type == MESSAGE_IDENTIFY) {
        on_identify(link, &message.identify);
    } else {
        drop(link, "the engine did not identify itself first");
    }
}

static void on_ready(struct connection *connection, void *user)
{
    (void)user;
    connection_set_queue_max(connection, (size_t)CONNECTION_QUEUE_BYTES_PAIR_MAX);
    connection_set_idle_timeout(connection, ENGINE_LINK_IDLE_MS);
}

static void dial(void *user)
{
    static const struct connection_callbacks callbacks = {
        .on_ready = on_ready, .on_frame = on_frame, .on_closed = on_closed};
    struct engine_link *link = user;
    const struct connection_target target = {.address = link->engine, .credentials = link->credentials};

    enum ev_err err = connection_connect(link->loop, &target, &callbacks, link, &link->connection);
    if (err != EV_OK) {
        give_up(link, "engine.unreachable", ev_err_text(err));
    }
}

enum ev_err engine_link_new(struct loop *loop, const struct host_port *engine,
                            struct tls_credentials *credentials,
                            const struct engine_link_callbacks *callbacks, void *user,
                            struct engine_link **ret_link)
{
    struct engine_link *link = calloc(1, sizeof *link);

    if (link == NULL) {
        return EV_ERR_NOMEM;
    }
    link->loop = loop;
    link->engine = *engine;
    link->credentials = tls_credentials_ref(credentials);
    link->callbacks = *callbacks;
    link->user = user;
    backoff_init(&link->backoff, ENGINE_LINK_RETRY_FIRST_MS, ENGINE_LINK_RETRY_MAX_MS);
    enum ev_err err = loop_timer_new(loop, dial, link, &link->retry);
    if (err != EV_OK) {
        engine_link_free(link);
        return err;
    }
    loop_timer_start(link->retry, 0);
    *ret_link = link;
    return EV_OK;
}

void engine_link_free(struct engine_link *link)
{
    if (link == NULL) {
        return;
    }
    connection_free(link->connection);
    loop_timer_free(link->retry);
    tls_credentials_free(link->credentials);
    free(link);
}

void engine_link_send(struct engine_link *link, const struct message *message)
{
    char buf[MESSAGE_SIZE];
    size_t len = 0;

    if (!link->up) {
        return;
    }
    enum ev_err err = message_encode(message, buf, sizeof buf, &len);
    if (err == EV_OK) {
        err = connection_send(link->connection, buf, len);
    }
    memset(buf, 0, sizeof buf); /* it may have carried a key */
    if (err == EV_ERR_FULL || err == EV_ERR_NOMEM) {
        connection_close(link->connection);
    } else if (err != EV_OK && err != EV_ERR_CLOSED) {
        log_error("engine.unsent", log_str("type", message_type_text(message->type)),
                  log_str("reason", ev_err_text(err)));
    }
}

bool engine_link_is_up(const struct engine_link *link)
{
    return link->up;
}
