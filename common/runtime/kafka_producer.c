/* kafka_producer.c - idempotent production; a client that librdkafka declares broken is replaced by a fresh
 * one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/kafka_internal.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#define TOPICS_MAX 8

struct kafka_producer {
    struct kafka_client client;
    struct kafka_producer_config config; /* without its texts */
    rd_kafka_conf_t *conf;               /* to make the client again */
    struct {
        char name[64];
        rd_kafka_topic_t *handle;
    } topics[TOPICS_MAX];
    size_t topic_count;
    bool closing;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_client *client = opaque;
    struct kafka_producer *producer = client->owner;
    (void)rk;
    if (producer->config.on_delivery == NULL)
        return;
    enum ev_err err = kafka_error_of(message->err);
    producer->config.on_delivery(producer->config.user, message->_private, err,
                                 err == EV_OK ? "" : rd_kafka_err2str(message->err));
}

static void forget_topics(struct kafka_producer *producer)
{
    for (size_t i = 0; i < producer->topic_count; i++)
        rd_kafka_topic_destroy(producer->topics[i].handle);
    producer->topic_count = 0;
}

static void serve(void *owner);

static enum ev_err start_client(struct kafka_producer *producer, struct failure *ret_failure)
{
    producer->client.serve = serve;
    producer->client.owner = producer;
    producer->client.on_state = producer->config.on_state;
    producer->client.on_state_user = producer->config.user;
    return kafka_client_init(&producer->client, producer->client.loop, RD_KAFKA_PRODUCER,
                             rd_kafka_conf_dup(producer->conf), ret_failure);
}

/* The broker lost what this producer's identity rests on (an embedded broker that restarted). What was under
 * way is reported as failed; a fresh client takes over. */
static void replace_client(struct kafka_producer *producer)
{
    struct failure failure;
    struct loop *loop = producer->client.loop;
    log_warn("kafka.producer_renewed", log_str("reason", producer->client.text));
    (void)rd_kafka_purge(producer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(producer->client.rk) > 0 && rd_kafka_poll(producer->client.rk, 0) > 0) {
    }
    forget_topics(producer);
    kafka_client_fini(&producer->client);
    producer->client.loop = loop;
    if (start_client(producer, &failure) != EV_OK)
        log_error("kafka.producer_failed", log_str("reason", failure.text));
}

static void serve(void *owner)
{
    struct kafka_producer *producer = owner;
    int served = 0, now;
    while (served < KAFKA_EVENTS_PER_WAKE && (now = rd_kafka_poll(producer->client.rk, 0)) > 0)
        served += now;
    if (producer->client.fatal && !producer->closing) {
        replace_client(producer);
        return;
    }
    if (served >= KAFKA_EVENTS_PER_WAKE)
        kafka_client_wake(&producer->client);
}

static enum ev_err make_conf(struct kafka_producer *producer, const struct kafka_producer_config *config,
                             struct failure *ret_failure)
{
    char number[32];
    enum ev_err err = kafka_conf_new(&config->common, &producer->conf, ret_failure);
    if (err != EV_OK)
        return err;
    kafka_conf_set(producer->conf, "enable.idempotence", "true");
    kafka_conf_set(producer->conf, "linger.ms", "5");
    (void)snprintf(number, sizeof number, "%u",
                   config->queue_max == 0 ? (unsigned)KAFKA_PRODUCER_QUEUE_MAX : config->queue_max);
    kafka_conf_set(producer->conf, "queue.buffering.max.messages", number);
    (void)snprintf(number, sizeof number, "%d", KAFKA_PRODUCER_QUEUE_KBYTES_MAX);
    kafka_conf_set(producer->conf, "queue.buffering.max.kbytes", number);
    (void)snprintf(number, sizeof number, "%lld", (long long)config->message_timeout_ms);
    kafka_conf_set(producer->conf, "message.timeout.ms", number);
    /* Central may create the topics long after this producer was started. */
    kafka_conf_set(producer->conf, "topic.metadata.propagation.max.ms", "3600000");
    if (config->partition_by_murmur2)
        kafka_conf_set(producer->conf, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(producer->conf, on_delivery);
    return kafka_conf_set_properties(producer->conf, &config->common, ret_failure);
}

enum ev_err kafka_producer_new(struct loop *loop, const struct kafka_producer_config *config,
                               struct kafka_producer **ret_producer, struct failure *ret_failure)
{
    struct kafka_producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL)
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    producer->config = *config;
    memset(&producer->config.common, 0, sizeof producer->config.common);
    producer->client.loop = loop;
    enum ev_err err = make_conf(producer, config, ret_failure);
    if (err == EV_OK)
        err = start_client(producer, ret_failure);
    if (err != EV_OK) {
        if (producer->conf != NULL)
            rd_kafka_conf_destroy(producer->conf);
        free(producer);
        return err;
    }
    *ret_producer = producer;
    return EV_OK;
}

void kafka_producer_free(struct kafka_producer *producer, int flush_ms)
{
    if (producer == NULL)
        return;
    producer->closing = true;
    if (producer->client.rk != NULL) {
        if (flush_ms > 0)
            (void)rd_kafka_flush(producer->client.rk, flush_ms);
        (void)rd_kafka_purge(producer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        while (rd_kafka_outq_len(producer->client.rk) > 0)
            (void)rd_kafka_poll(producer->client.rk, 10);
        forget_topics(producer);
        kafka_client_fini(&producer->client);
    }
    rd_kafka_conf_destroy(producer->conf);
    free(producer);
}

static rd_kafka_topic_t *find_topic(struct kafka_producer *producer, const char *name)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (strcmp(producer->topics[i].name, name) == 0)
            return producer->topics[i].handle;
    }
    EV_ASSERT(producer->topic_count < TOPICS_MAX && strlen(name) < sizeof producer->topics[0].name);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer->client.rk, name, NULL);
    if (handle == NULL)
        return NULL;
    (void)snprintf(producer->topics[producer->topic_count].name, sizeof producer->topics[0].name, "%s", name);
    producer->topics[producer->topic_count++].handle = handle;
    return handle;
}

enum ev_err kafka_producer_send(struct kafka_producer *producer, const char *topic, const void *key,
                                size_t key_len, const void *value, size_t len, void *opaque)
{
    if (producer->client.rk == NULL)
        return EV_ERR_IO;
    rd_kafka_topic_t *handle = find_topic(producer, topic);
    if (handle == NULL)
        return EV_ERR_IO;
    /* The library takes the value as non-const but copies it. */
    if (rd_kafka_produce(handle, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value, len,
                         key_len == 0 ? NULL : key, key_len, opaque) == 0)
        return EV_OK;
    return kafka_error_of(rd_kafka_last_error());
}

size_t kafka_producer_queued(const struct kafka_producer *producer)
{
    return producer->client.rk == NULL ? 0 : (size_t)rd_kafka_outq_len(producer->client.rk);
}

bool kafka_producer_is_up(const struct kafka_producer *producer)
{
    return producer->client.up;
}
