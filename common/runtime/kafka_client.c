/* kafka_client.c - configuration, the eventfd that librdkafka writes when its queue fills, and up or down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/runtime/kafka_internal.h"
#include "common/runtime/log.h"

enum ev_err kafka_error_of(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return EV_OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return EV_ERR_FULL;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return EV_ERR_TOO_LARGE;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return EV_ERR_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return EV_ERR_TIMEOUT;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__DESTROY:
        return EV_ERR_CLOSED;
    default:
        return EV_ERR_IO;
    }
}

void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof text);
    EV_ASSERT(result == RD_KAFKA_CONF_OK);
}

enum ev_err kafka_conf_set_properties(rd_kafka_conf_t *conf, const struct kafka_config *config,
                                      struct failure *ret_failure)
{
    char name[128], text[256];
    for (size_t i = 0; i < config->property_count; i++) {
        const char *property = config->properties[i];
        const char *equals = strchr(property, '=');
        size_t len = equals == NULL ? 0 : (size_t)(equals - property);
        if (len == 0 || len >= sizeof name)
            return failure_set(ret_failure, EV_ERR_USAGE, "-X takes property=value, not %s", property);
        memcpy(name, property, len);
        name[len] = '\0';
        if (rd_kafka_conf_set(conf, name, equals + 1, text, sizeof text) != RD_KAFKA_CONF_OK)
            return failure_set(ret_failure, EV_ERR_USAGE, "-X %s: %s", property, text);
    }
    return EV_OK;
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    /* Connection troubles are told once, in words, by on_state; the library repeats them many times. */
    if (level <= 3 && strcmp(facility, "FAIL") != 0 && strcmp(facility, "ERROR") != 0)
        log_warn("kafka.library", log_str("facility", facility), log_str("text", text));
    else
        log_debug("kafka.library", log_str("facility", facility), log_str("text", text));
}

static void tell_state(struct kafka_client *client, bool up)
{
    if (client->known && client->up == up)
        return;
    client->known = true;
    client->up = up;
    if (client->on_state != NULL)
        client->on_state(client->on_state_user, up, up ? "ok" : client->text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_client *client = opaque;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        client->fatal = true;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        (void)snprintf(client->text, sizeof client->text, "%s", reason);
    else
        tell_state(client, false);
}

/* Whether any broker is up: the library has no event for it, its statistics say so. */
static int on_statistics(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
    struct kafka_client *client = opaque;
    (void)rk;
    (void)len;
    bool up = strstr(json, "\"state\":\"UP\"") != NULL;
    if (up || client->text[0] != '\0')
        tell_state(client, up);
    return 0;
}

enum ev_err kafka_conf_new(const struct kafka_config *config, rd_kafka_conf_t **ret_conf,
                           struct failure *ret_failure)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", config->brokers, text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return failure_set(ret_failure, EV_ERR_USAGE, "--kafka: %s", text);
    }
    kafka_conf_set(conf, "client.id", config->client_id);
    kafka_conf_set(conf, "reconnect.backoff.ms", "100");
    kafka_conf_set(conf, "reconnect.backoff.max.ms", "1000");
    kafka_conf_set(conf, "socket.nagle.disable", "true");
    kafka_conf_set(conf, "socket.keepalive.enable", "true");
    kafka_conf_set(conf, "log.connection.close", "false");
    kafka_conf_set(conf, "statistics.interval.ms", "1000");
    kafka_conf_set(conf, "topic.metadata.refresh.interval.ms", "5000");
    kafka_conf_set(conf, "allow.auto.create.topics", "false");
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_stats_cb(conf, on_statistics);
    *ret_conf = conf;
    return EV_OK;
}

static void on_wake(void *user, uint32_t events)
{
    struct kafka_client *client = user;
    uint64_t count = 0;
    (void)events;
    while (read(client->event_fd, &count, sizeof count) > 0) {
    }
    client->serve(client->owner);
}

static void on_tick(void *user)
{
    struct kafka_client *client = user;
    client->serve(client->owner);
}

void kafka_client_wake(struct kafka_client *client)
{
    uint64_t one = 1;
    (void)!write(client->event_fd, &one, sizeof one);
}

enum ev_err kafka_client_init(struct kafka_client *client, struct loop *loop, rd_kafka_type_t type,
                              rd_kafka_conf_t *conf, struct failure *ret_failure)
{
    static const uint64_t ONE = 1;
    char text[256];
    client->loop = loop;
    client->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    (void)snprintf(client->text, sizeof client->text, "not reached yet");
    rd_kafka_conf_set_opaque(conf, client);
    client->rk = client->event_fd < 0 ? NULL : rd_kafka_new(type, conf, text, sizeof text);
    if (client->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        if (client->event_fd >= 0)
            (void)close(client->event_fd);
        return failure_set(ret_failure, EV_ERR_USAGE, "Kafka's client refuses its settings: %s", text);
    }
    if (type == RD_KAFKA_CONSUMER)
        (void)rd_kafka_poll_set_consumer(client->rk);
    client->queue = type == RD_KAFKA_CONSUMER ? rd_kafka_queue_get_consumer(client->rk)
                                              : rd_kafka_queue_get_main(client->rk);
    rd_kafka_queue_io_event_enable(client->queue, client->event_fd, &ONE, sizeof ONE);
    if (loop_watch_new(loop, client->event_fd, EPOLLIN, on_wake, client, &client->watch) != EV_OK ||
        loop_timer_new(loop, on_tick, client, &client->tick) != EV_OK) {
        kafka_client_fini(client);
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    loop_timer_repeat(client->tick, KAFKA_TICK_MS);
    return EV_OK;
}

void kafka_client_fini(struct kafka_client *client)
{
    if (client->rk == NULL)
        return;
    if (client->watch != NULL)
        loop_watch_free(client->watch);
    if (client->tick != NULL)
        loop_timer_free(client->tick);
    rd_kafka_queue_io_event_enable(client->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(client->queue);
    client->on_state = NULL;
    rd_kafka_destroy(client->rk);
    (void)close(client->event_fd);
    memset(client, 0, sizeof *client);
}
