#include "common/runtime/kafka_internal.h"

#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS 100 /* the descriptor only tells empty -> not empty */
#define LOG_REPEAT_MS 60000
#define LOG_FACILITIES 64 /* slots by hash; a clash costs a line at most */

static const struct kafka_default common_defaults[] = {
    {"reconnect.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "1000"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"socket.timeout.ms", "10000"},
    {"statistics.interval.ms", "500"}, /* from which up and down are known */
    {"log.connection.close", "false"},
    {NULL, NULL},
};

/* --- settings --- */

enum ev_err kafka_settings_copy(const struct kafka_config *config, struct kafka_settings *ret_settings)
{
    struct kafka_settings settings = {.brokers = strdup(config->brokers),
                                      .client_id = strdup(config->client_id)};
    settings.properties = calloc(config->property_count + 1, sizeof(char *));
    bool good = settings.brokers != NULL && settings.client_id != NULL && settings.properties != NULL;
    for (size_t i = 0; good && i < config->property_count; i++) {
        settings.properties[i] = strdup(config->properties[i]);
        good = settings.properties[i] != NULL;
        settings.property_count++;
    }
    if (!good) {
        kafka_settings_fini(&settings);
        return EV_ERR_NOMEM;
    }
    *ret_settings = settings;
    return EV_OK;
}

void kafka_settings_fini(struct kafka_settings *settings)
{
    for (size_t i = 0; i < settings->property_count; i++) {
        free(settings->properties[i]);
    }
    free(settings->properties);
    free(settings->brokers);
    free(settings->client_id);
    *settings = (struct kafka_settings){.brokers = NULL};
}

static bool set_all(rd_kafka_conf_t *conf, const struct kafka_default *defaults, char *error, size_t size)
{
    for (; defaults != NULL && defaults->key != NULL; defaults++) {
        if (rd_kafka_conf_set(conf, defaults->key, defaults->value, error, size) != RD_KAFKA_CONF_OK) {
            return false;
        }
    }
    return true;
}

static enum ev_err set_property(rd_kafka_conf_t *conf, const char *property, struct failure *ret_failure)
{
    char error[256] = "";
    const char *equals = strchr(property, '=');
    if (equals == NULL || equals == property) {
        return failure_set(ret_failure, EV_ERR_USAGE, "the Kafka property \"%s\" is not KEY=VALUE", property);
    }
    char *key = strndup(property, (size_t)(equals - property));
    if (key == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, key, equals + 1, error, sizeof error);
    free(key);
    if (result != RD_KAFKA_CONF_OK) {
        return failure_set(ret_failure, EV_ERR_USAGE, "Kafka property \"%s\": %s", property, error);
    }
    return EV_OK;
}

enum ev_err kafka_conf_new(const struct kafka_settings *settings, const struct kafka_default *defaults,
                           rd_kafka_conf_t **ret_conf, struct failure *ret_failure)
{
    char error[256] = "";
    const struct kafka_default own[] = {
        {"bootstrap.servers", settings->brokers}, {"client.id", settings->client_id}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum ev_err err = EV_OK;
    if (!set_all(conf, common_defaults, error, sizeof error) || !set_all(conf, own, error, sizeof error) ||
        !set_all(conf, defaults, error, sizeof error)) {
        rd_kafka_conf_destroy(conf);
        return failure_set(ret_failure, EV_ERR_USAGE, "Kafka: %s", error);
    }
    for (size_t i = 0; i < settings->property_count && err == EV_OK; i++) {
        err = set_property(conf, settings->properties[i], ret_failure);
    }
    if (err != EV_OK) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    rd_kafka_conf_set_log_cb(conf, kafka_on_log);
    *ret_conf = conf;
    return EV_OK;
}

/* --- log --- */

/* A broker that is away makes librdkafka say so every second, in every client. */
static bool is_repeated(const char *facility)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static int64_t last_ms[LOG_FACILITIES];
    unsigned hash = 5381;
    int64_t now_ms = monotonic_now_ms();
    for (const char *at = facility; *at != '\0'; at++) {
        hash = hash * 33 + (unsigned char)*at;
    }
    pthread_mutex_lock(&mutex);
    int64_t *last = &last_ms[hash % LOG_FACILITIES];
    bool repeated = *last != 0 && now_ms - *last < LOG_REPEAT_MS;
    if (!repeated) {
        *last = now_ms;
    }
    pthread_mutex_unlock(&mutex);
    return repeated;
}

void kafka_on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    /* Lost connections are told once by on_state; how often it was tried again is detail. */
    bool detail = level > 4 || strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0 ||
                  strcmp(facility, "CONFWARN") == 0;
    enum log_level ours = detail || is_repeated(facility) ? LOG_LEVEL_DEBUG
                          : level <= 2                    ? LOG_LEVEL_ERROR
                                                          : LOG_LEVEL_WARN;
    LOG_WRITE_(ours, "kafka.library", log_str("client", handle != NULL ? rd_kafka_name(handle) : ""),
               log_str("facility", facility), log_str("text", text), log_end());
}

/* --- up or down --- */

static void set_state(struct kafka_client *client, bool up, const char *text)
{
    if (client->told && client->up == up) {
        return;
    }
    client->up = up;
    client->told = true;
    if (client->on_state != NULL) {
        client->on_state(client->user, up, text);
    }
}

/* "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state
 * CONNECT)" without its tail, which is for librdkafka's authors. */
static void keep_down_text(struct kafka_client *client, const char *reason)
{
    size_t len = strcspn(reason, "(");
    while (len > 0 && reason[len - 1] == ' ') {
        len--;
    }
    snprintf(client->down_text, sizeof client->down_text, "%.*s", (int)len, reason);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct kafka_client *client = opaque;
    char fatal[300] = "";
    switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        set_state(client, false,
                  client->down_text[0] != '\0' ? client->down_text : "no broker can be reached");
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        (void)rd_kafka_fatal_error(handle, fatal, sizeof fatal);
        log_warn("kafka.client_given_up", log_str("client", client->settings.client_id),
                 log_str("reason", fatal));
        client->fatal = true;
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        keep_down_text(client, reason);
        break;
    default:
        log_debug("kafka.error", log_str("client", client->settings.client_id), log_str("reason", reason));
        break;
    }
}

/* Statistics are the only place where librdkafka says that a broker is back. */
static int on_statistics(rd_kafka_t *handle, char *json, size_t len, void *opaque)
{
    struct kafka_client *client = opaque;
    (void)handle;
    (void)len;
    if (strstr(json, "\"state\":\"UP\"") != NULL) {
        client->silent_stats = 0;
        client->down_text[0] = '\0';
        set_state(client, true, "a broker answers");
    } else if (++client->silent_stats >= 3) {
        set_state(client, false, client->down_text[0] != '\0' ? client->down_text : "no broker answers");
    }
    return 0;
}

/* --- the handle on the loop --- */

static void on_eventfd(void *user, uint32_t events)
{
    struct kafka_client *client = user;
    uint64_t count = 0;
    (void)events;
    ssize_t got = read(client->eventfd, &count, sizeof count);
    (void)got;
    client->on_wake(client->wake_user);
}

static void on_tick(void *user)
{
    struct kafka_client *client = user;
    client->on_wake(client->wake_user);
}

void kafka_client_wake(struct kafka_client *client)
{
    ssize_t written = write(client->eventfd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* fails only when it is readable anyway */
}

enum ev_err kafka_client_init(struct kafka_client *client, struct loop *loop,
                              const struct kafka_config *config, loop_callback on_wake, void *wake_user)
{
    *client = (struct kafka_client){.loop = loop, .on_wake = on_wake, .wake_user = wake_user};
    client->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->eventfd < 0) {
        return EV_ERR_IO;
    }
    enum ev_err err = kafka_settings_copy(config, &client->settings);
    if (err == EV_OK) {
        err = loop_watch_new(loop, client->eventfd, EPOLLIN, on_eventfd, client, &client->watch);
    }
    if (err == EV_OK) {
        err = loop_timer_new(loop, on_tick, client, &client->tick);
    }
    return err;
}

enum ev_err kafka_client_start(struct kafka_client *client, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                               struct failure *ret_failure)
{
    char error[256] = "";
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_stats_cb(conf, on_statistics);
    client->handle = rd_kafka_new(type, conf, error, sizeof error);
    if (client->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return failure_set(ret_failure, EV_ERR_USAGE, "Kafka: %s", error);
    }
    client->fatal = false;
    client->main_queue = rd_kafka_queue_get_main(client->handle);
    rd_kafka_queue_io_event_enable(client->main_queue, client->eventfd, &(uint64_t){1}, sizeof(uint64_t));
    loop_timer_repeat(client->tick, TICK_MS);
    return EV_OK;
}

void kafka_client_end(struct kafka_client *client)
{
    if (client->main_queue != NULL) {
        rd_kafka_queue_io_event_enable(client->main_queue, -1, NULL, 0);
        rd_kafka_queue_destroy(client->main_queue);
        client->main_queue = NULL;
    }
    if (client->handle != NULL) {
        /* Nothing is committed and no group is left: there is nothing to wait for. */
        rd_kafka_destroy_flags(client->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        client->handle = NULL;
    }
}

void kafka_client_fini(struct kafka_client *client)
{
    client->on_state = NULL;
    kafka_client_end(client);
    loop_timer_free(client->tick);
    loop_watch_free(client->watch);
    if (client->eventfd >= 0) {
        close(client->eventfd);
    }
    kafka_settings_fini(&client->settings);
}

enum ev_err kafka_err(rd_kafka_resp_err_t code)
{
    switch (code) {
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
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return EV_ERR_TIMEOUT;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__DESTROY:
        return EV_ERR_CLOSED;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return EV_ERR_UNSUPPORTED;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return EV_ERR_AUTH;
    default:
        return EV_ERR_IO;
    }
}
