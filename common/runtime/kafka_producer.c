#include "common/runtime/kafka_internal.h"

#include "common/runtime/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kafka_producer {
    struct kafka_client client; /* first: librdkafka's opaque is the client, which is then the producer too */
    struct kafka_producer_config config;
    unsigned depth; /* of serving: a free inside a callback waits */
    bool freed;
    int flush_ms;
};

static void on_delivery_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;
    (void)handle;
    if (producer->config.on_delivery != NULL) {
        producer->config.on_delivery(
            producer->config.user, message->_private, kafka_err(message->err),
            message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_err2str(message->err));
    }
}

static enum ev_err producer_start(struct kafka_producer *producer, struct failure *ret_failure)
{
    char timeout[24] = "";
    char queue_max[24] = "";
    char queue_kbytes[24] = "";
    unsigned records = producer->config.queue_max > 0 ? producer->config.queue_max : KAFKA_PRODUCER_QUEUE_MAX;
    snprintf(timeout, sizeof timeout, "%lld", (long long)producer->config.message_timeout_ms);
    snprintf(queue_max, sizeof queue_max, "%u", records);
    snprintf(queue_kbytes, sizeof queue_kbytes, "%d", KAFKA_PRODUCER_QUEUE_KBYTES_MAX);
    const struct kafka_default defaults[] = {
        {"enable.idempotence", "true"},
        {"linger.ms", "5"},
        {"compression.codec", "none"}, /* what is sealed does not compress */
        {"message.timeout.ms", timeout},
        {"queue.buffering.max.messages", queue_max},
        {"queue.buffering.max.kbytes", queue_kbytes},
        {"partitioner", producer->config.partition_by_murmur2 ? "murmur2_random" : "consistent_random"},
        /* Whoever starts before Central has created the topics waits for them, as for the broker. */
        {"topic.metadata.propagation.max.ms", "3600000"},
        {"topic.metadata.refresh.interval.ms", "10000"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = NULL;
    enum ev_err err = kafka_conf_new(&producer->client.settings, defaults, &conf, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery_report);
    return kafka_client_start(&producer->client, RD_KAFKA_PRODUCER, conf, ret_failure);
}

/* What is left is given up, each record with its report. */
static void producer_drop_queue(struct kafka_producer *producer)
{
    if (producer->client.handle != NULL) {
        rd_kafka_purge(producer->client.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(producer->client.handle, 1000);
    }
}

static void producer_destroy(struct kafka_producer *producer)
{
    if (producer->client.handle != NULL) {
        producer->client.on_state = NULL;
        rd_kafka_flush(producer->client.handle, producer->flush_ms);
        producer_drop_queue(producer);
    }
    kafka_client_fini(&producer->client);
    free(producer);
}

static void on_wake(void *user)
{
    struct kafka_producer *producer = user;
    producer->depth++;
    if (producer->client.handle != NULL) {
        rd_kafka_poll(producer->client.handle, 0);
    }
    if (producer->client.fatal && !producer->freed) {
        /* An idempotent producer that lost its place cannot go on (the log it knew is gone). Its owner hears
         * of every record that did not arrive; a new one starts afresh. */
        producer_drop_queue(producer);
        kafka_client_end(&producer->client);
        if (producer_start(producer, NULL) != EV_OK) {
            producer->client.fatal = true; /* memory or threads are short: the tick tries again */
        }
    }
    producer->depth--;
    if (producer->freed && producer->depth == 0) {
        producer_destroy(producer);
    }
}

enum ev_err kafka_producer_new(struct loop *loop, const struct kafka_producer_config *config,
                               struct kafka_producer **ret_producer, struct failure *ret_failure)
{
    struct kafka_producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    enum ev_err err = kafka_client_init(&producer->client, loop, &config->common, on_wake, producer);
    producer->config = *config;
    producer->config.common = (struct kafka_config){.brokers = NULL}; /* the client has a copy */
    producer->client.on_state = config->on_state;
    producer->client.user = config->user;
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "Kafka: %s", ev_err_text(err));
    } else {
        err = producer_start(producer, ret_failure);
    }
    if (err != EV_OK) {
        producer_destroy(producer);
        return err;
    }
    *ret_producer = producer;
    return EV_OK;
}

void kafka_producer_free(struct kafka_producer *producer, int flush_ms)
{
    if (producer == NULL || producer->freed) {
        return;
    }
    producer->flush_ms = flush_ms;
    producer->freed = true;
    if (producer->depth == 0) {
        producer->depth++; /* callbacks of the last flush find it freed already */
        producer_destroy(producer);
    }
}

enum ev_err kafka_producer_send(struct kafka_producer *producer, const char *topic, const void *key,
                                size_t key_len, const void *value, size_t len, void *opaque)
{
    if (producer->freed) {
        return EV_ERR_CLOSED;
    }
    if (producer->client.handle == NULL) {
        return EV_ERR_IO;
    }
    const void *key_or_none = key_len > 0 ? key : NULL;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer->client.handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY((key_or_none), key_len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    return kafka_err(code);
}

size_t kafka_producer_queued(const struct kafka_producer *producer)
{
    int queued = producer->client.handle != NULL ? rd_kafka_outq_len(producer->client.handle) : 0;
    return queued > 0 ? (size_t)queued : 0;
}

bool kafka_producer_is_up(const struct kafka_producer *producer)
{
    return producer->client.up;
}
