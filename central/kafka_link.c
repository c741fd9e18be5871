#include "central/kafka_link.h"

#include "central/central.h"
#include "central/dispatch.h"
#include "central/request_ingest.h"
#include "central/telemetry_ingest.h"
#include "common/runtime/backoff.h"
#include "common/runtime/kafka.h"
#include "common/runtime/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MS 5000

struct kafka_link {
    struct central *central;
    struct kafka_query *query;
    struct loop_timer *timer;
    struct backoff backoff;
    char cluster_id[64]; /* attached to; "" none */
    char asked_id[64];   /* being asked about */
    bool up;
};

static const struct kafka_topic_spec topics[] = {
    {.topic = CENTRAL_TOPIC_TELEMETRY, .partitions = 16},
    {.topic = CENTRAL_TOPIC_REQUESTS, .partitions = 4},
    {.topic = CENTRAL_TOPIC_NOTICES, .partitions = 4},
    {.topic = CENTRAL_TOPIC_STATUS, .partitions = 4, .compacted = true},
};

static struct kafka_config config_of(const struct central *central)
{
    return (struct kafka_config){.brokers = central->options.kafka,
                                 .client_id = "ev_central",
                                 .properties = central->options.kafka_properties,
                                 .property_count = central->options.kafka_property_count};
}

static void set_health(struct kafka_link *link, bool ok, const char *text)
{
    struct central_health *health = &link->central->health;

    if (health->kafka != ok || strcmp(health->kafka_text, text) != 0) {
        if (ok) {
            log_info("kafka.up", log_str("cluster", link->cluster_id));
        } else {
            log_warn("kafka.down", log_str("reason", text));
        }
    }
    health->kafka = ok;
    (void)snprintf(health->kafka_text, sizeof health->kafka_text, "%.119s", text);
}

static void retry(struct kafka_link *link, const char *text)
{
    set_health(link, false, text);
    loop_timer_start(link->timer, backoff_next_ms(&link->backoff));
}

static void save_cluster(struct kafka_link *link)
{
    struct store_change change = {.kind = STORE_SAVE_SETTING};

    (void)snprintf(change.of.setting.name, sizeof change.of.setting.name, "kafka_cluster_id");
    (void)snprintf(change.of.setting.value, sizeof change.of.setting.value, "%s", link->cluster_id);
    if (store_add(link->central->store, &change) != EV_OK) {
        log_error("kafka.cluster_not_saved", log_str("cluster", link->cluster_id));
    }
}

static void on_offsets(void *user, enum ev_err err, const char *text, const struct kafka_offsets *offsets,
                       size_t count)
{
    struct kafka_link *link = user;
    struct central *central = link->central;
    char before[64] = "";

    link->query = NULL;
    if (err != EV_OK || count == 0) {
        retry(link, err != EV_OK ? text : "its topics are not there yet");
        return;
    }
    if (store_load_setting(central->store, "kafka_cluster_id", before, sizeof before) != EV_OK) {
        before[0] = '\0';
    }
    memcpy(link->cluster_id, link->asked_id, sizeof link->cluster_id);
    telemetry_ingest_attach(central->telemetry_ingest, link->cluster_id, offsets, count);
    request_ingest_attach(central->request_ingest, link->cluster_id, offsets, count);
    if (strcmp(before, link->cluster_id) != 0) {
        char detail[200];

        (void)snprintf(detail, sizeof detail, "%.60s -> %.60s: a new log, read from its beginning",
                       before[0] != '\0' ? before : "none", link->cluster_id);
        dispatch_audit(central, NULL, "kafka.new_log", "", "ok", detail);
        save_cluster(link);
        dispatch_publish_all(central);
    }
    backoff_reset(&link->backoff);
    link->up = true;
    set_health(link, true, "ok");
}

static void on_topics(void *user, enum ev_err err, const char *text)
{
    static const char *const consumed[] = {CENTRAL_TOPIC_TELEMETRY, CENTRAL_TOPIC_REQUESTS};
    struct kafka_link *link = user;
    struct kafka_config config = config_of(link->central);

    link->query = NULL;
    if (err != EV_OK || kafka_query_offsets(link->central->loop, &config, consumed, 2, QUERY_MS, on_offsets,
                                            link, &link->query) != EV_OK) {
        retry(link, err != EV_OK ? text : "out of memory");
    }
}

static void on_cluster_id(void *user, enum ev_err err, const char *id_or_text)
{
    struct kafka_link *link = user;
    struct kafka_config config = config_of(link->central);

    link->query = NULL;
    if (err != EV_OK) {
        retry(link, id_or_text);
        return;
    }
    if (strcmp(link->cluster_id, id_or_text) == 0) {
        backoff_reset(&link->backoff);
        set_health(link, true, "ok"); /* the same log: reading goes on where it was */
        return;
    }
    (void)snprintf(link->asked_id, sizeof link->asked_id, "%s", id_or_text);
    if (kafka_create_topics(link->central->loop, &config, topics, sizeof topics / sizeof *topics, QUERY_MS,
                            on_topics, link, &link->query) != EV_OK) {
        retry(link, "out of memory");
    }
}

static void ask(void *user)
{
    struct kafka_link *link = user;
    struct kafka_config config = config_of(link->central);

    if (link->query != NULL) {
        return;
    }
    if (kafka_cluster_id(link->central->loop, &config, QUERY_MS, on_cluster_id, link, &link->query) !=
        EV_OK) {
        retry(link, "out of memory");
    }
}

void kafka_link_on_state(struct kafka_link *link, bool up, const char *text)
{
    if (up == link->up) {
        return;
    }
    link->up = up;
    if (up) {
        ask(link);
    } else if (link->cluster_id[0] != '\0') {
        set_health(link, false, text);
    }
}

enum ev_err kafka_link_new(struct central *central, struct kafka_link **ret_link)
{
    struct kafka_link *link = calloc(1, sizeof *link);
    enum ev_err err = EV_OK;

    if (link == NULL) {
        return EV_ERR_NOMEM;
    }
    link->central = central;
    backoff_init(&link->backoff, 500, 5000);
    if (central->options.kafka == NULL) {
        set_health(link, false, "no broker was given (--kafka)");
        *ret_link = link;
        return EV_OK;
    }
    err = loop_timer_new(central->loop, ask, link, &link->timer);
    if (err != EV_OK) {
        kafka_link_free(link);
        return err;
    }
    set_health(link, false, "not reached yet");
    loop_timer_start(link->timer, 0);
    *ret_link = link;
    return EV_OK;
}

void kafka_link_free(struct kafka_link *link)
{
    if (link == NULL) {
        return;
    }
    kafka_query_cancel(link->query);
    loop_timer_free(link->timer);
    free(link);
}
