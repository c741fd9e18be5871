#include "common/runtime/kafka_internal.h"

#include "common/runtime/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256
#define ERROR_REPEAT_MS 60000
#define OFFSET_UNKNOWN (-1001)

struct assigned {
    char *topic;
    int32_t partition;
    int64_t next; /* offset of the record that must come next, or OFFSET_UNKNOWN */
};

struct kafka_consumer {
    struct kafka_client client; /* first: see kafka_producer.c */
    struct kafka_consumer_config config;
    rd_kafka_queue_t *queue;
    struct assigned *assigned;
    size_t assigned_count;
    size_t last_found; /* records come in runs of one partition */
    rd_kafka_resp_err_t last_error;
    int64_t last_error_ms;
    unsigned depth;
    bool paused;
    bool freed;
};

static void assigned_free(struct assigned *assigned, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(assigned[i].topic);
    }
    free(assigned);
}

static struct assigned *find_assigned(struct kafka_consumer *consumer, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < consumer->assigned_count; i++) {
        size_t at = (consumer->last_found + i) % consumer->assigned_count;
        struct assigned *assigned = &consumer->assigned[at];
        if (assigned->partition == partition && strcmp(assigned->topic, topic) == 0) {
            consumer->last_found = at;
            return assigned;
        }
    }
    return NULL;
}

static void consumer_on_message_error(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    int64_t now_ms = loop_now_ms(consumer->client.loop);
    bool repeated = consumer->last_error == message->err && consumer->last_error_ms != 0 &&
                    now_ms - consumer->last_error_ms < ERROR_REPEAT_MS;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || repeated) {
        return;
    }
    consumer->last_error = message->err;
    consumer->last_error_ms = now_ms;
    if (consumer->config.on_error != NULL) {
        char text[400] = "";
        const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";
        snprintf(text, sizeof text, "%s%s%s", topic, topic[0] != '\0' ? ": " : "",
                 rd_kafka_message_errstr(message));
        consumer->config.on_error(consumer->config.user, kafka_err(message->err), text);
    }
}

/* False: no record (an error, or left over from an earlier assignment). */
static bool consumer_take(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t timestamp_type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        consumer_on_message_error(consumer, message);
        return false;
    }
    const char *topic = rd_kafka_topic_name(message->rkt);
    struct assigned *assigned = find_assigned(consumer, topic, message->partition);
    if (assigned == NULL) {
        return false;
    }
    int64_t expected = assigned->next;
    assigned->next = message->offset + 1;
    if (expected != OFFSET_UNKNOWN && expected != message->offset && consumer->config.on_gap != NULL) {
        consumer->config.on_gap(consumer->config.user, topic, message->partition, expected, message->offset);
        if (consumer->freed) {
            return false;
        }
    }
    struct kafka_record record = {
        .topic = topic,
        .partition = message->partition,
        .offset = message->offset,
        .key = message->key,
        .key_len = message->key_len,
        .value = message->payload,
        .len = message->len,
        .timestamp_ms = rd_kafka_message_timestamp(message, &timestamp_type),
    };
    consumer->config.on_record(consumer->config.user, &record);
    return true;
}

/* Takes what was fetched, up to a wake's share. */
static void consumer_drain(struct kafka_consumer *consumer)
{
    rd_kafka_message_t *messages[BATCH];
    size_t taken = 0;
    size_t records = 0;
    bool more = true;
    while (more && taken < KAFKA_RECORDS_PER_WAKE && !consumer->paused && !consumer->freed) {
        ssize_t count = rd_kafka_consume_batch_queue(consumer->queue, 0, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            /* A batch that is out of librdkafka's queue is handed over whole, also when it pauses meanwhile.
             */
            if (!consumer->freed) {
                records += consumer_take(consumer, messages[i]);
            }
            rd_kafka_message_destroy(messages[i]);
        }
        taken += count > 0 ? (size_t)count : 0;
        more = count > 0;
    }
    if (records > 0 && !consumer->freed && consumer->config.on_batch_end != NULL) {
        consumer->config.on_batch_end(consumer->config.user);
    }
    if (more && !consumer->paused && !consumer->freed) {
        kafka_client_wake(&consumer->client); /* the descriptor will not tell again until it was empty */
    }
}

static void consumer_end(struct kafka_consumer *consumer)
{
    if (consumer->queue != NULL) {
        rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(consumer->queue);
        consumer->queue = NULL;
    }
    kafka_client_end(&consumer->client);
}

static void consumer_destroy(struct kafka_consumer *consumer)
{
    consumer_end(consumer);
    kafka_client_fini(&consumer->client);
    assigned_free(consumer->assigned, consumer->assigned_count);
    free(consumer);
}

static void on_wake(void *user)
{
    struct kafka_consumer *consumer = user;
    consumer->depth++;
    /* Events and records have queues of their own, so that a paused consumer still hears of its broker. */
    rd_kafka_poll(consumer->client.handle, 0);
    if (!consumer->freed) {
        consumer_drain(consumer);
    }
    consumer->depth--;
    if (consumer->freed && consumer->depth == 0) {
        consumer_destroy(consumer);
    }
}

static enum ev_err consumer_start(struct kafka_consumer *consumer, struct failure *ret_failure)
{
    char kbytes[24] = "";
    snprintf(kbytes, sizeof kbytes, "%d", KAFKA_CONSUMER_QUEUE_KBYTES_MAX);
    const struct kafka_default defaults[] = {
        {"group.id",
         consumer->client.settings.client_id}, /* assign() wants one; nothing is joined or committed */
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"}, /* an offset that is gone shows as a gap */
        {"fetch.wait.max.ms", "5"},
        {"fetch.error.backoff.ms", "100"},
        {"queued.min.messages", "20000"},
        {"queued.max.messages.kbytes", kbytes},
        {"max.poll.interval.ms", "86400000"},           /* a paused consumer is no dead one */
        {"topic.metadata.refresh.interval.ms", "5000"}, /* topics that do not exist yet */
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = NULL;
    enum ev_err err = kafka_conf_new(&consumer->client.settings, defaults, &conf, ret_failure);
    if (err == EV_OK) {
        err = kafka_client_start(&consumer->client, RD_KAFKA_CONSUMER, conf, ret_failure);
    }
    if (err == EV_OK) {
        consumer->queue = rd_kafka_queue_get_consumer(consumer->client.handle);
        rd_kafka_queue_io_event_enable(consumer->queue, consumer->client.eventfd, &(uint64_t){1},
                                       sizeof(uint64_t));
    }
    return err;
}

enum ev_err kafka_consumer_new(struct loop *loop, const struct kafka_consumer_config *config,
                               struct kafka_consumer **ret_consumer, struct failure *ret_failure)
{
    EV_ASSERT(config->on_record != NULL);
    struct kafka_consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    enum ev_err err = kafka_client_init(&consumer->client, loop, &config->common, on_wake, consumer);
    consumer->config = *config;
    consumer->config.common = (struct kafka_config){.brokers = NULL};
    consumer->client.on_state = config->on_state;
    consumer->client.user = config->user;
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "Kafka: %s", ev_err_text(err));
    } else {
        err = consumer_start(consumer, ret_failure);
    }
    if (err != EV_OK) {
        consumer_destroy(consumer);
        return err;
    }
    *ret_consumer = consumer;
    return EV_OK;
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
    if (consumer == NULL || consumer->freed) {
        return;
    }
    consumer->freed = true;
    if (consumer->depth == 0) {
        consumer_destroy(consumer);
    }
}

static enum ev_err copy_assignment(const struct kafka_partition *partitions, size_t count,
                                   struct assigned **ret_assigned)
{
    struct assigned *assigned = calloc(count + 1, sizeof *assigned);
    if (assigned == NULL) {
        return EV_ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t offset = partitions[i].offset;
        if (offset < KAFKA_OFFSET_BEGINNING || partitions[i].partition < 0) {
            assigned_free(assigned, i);
            return EV_ERR_RANGE;
        }
        assigned[i].topic = strdup(partitions[i].topic);
        if (assigned[i].topic == NULL) {
            assigned_free(assigned, i);
            return EV_ERR_NOMEM;
        }
        assigned[i].partition = partitions[i].partition;
        assigned[i].next = offset >= 0 ? offset : OFFSET_UNKNOWN;
    }
    *ret_assigned = assigned;
    return EV_OK;
}

enum ev_err kafka_consumer_assign(struct kafka_consumer *consumer, const struct kafka_partition *partitions,
                                  size_t count)
{
    struct assigned *assigned = NULL;
    if (count > KAFKA_PARTITIONS_MAX) {
        return EV_ERR_TOO_LARGE;
    }
    enum ev_err err = copy_assignment(partitions, count, &assigned);
    if (err != EV_OK) {
        return err;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition)->offset =
            partitions[i].offset;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->client.handle, count > 0 ? list : NULL);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        assigned_free(assigned, count);
        return kafka_err(code);
    }
    assigned_free(consumer->assigned, consumer->assigned_count);
    consumer->assigned = assigned;
    consumer->assigned_count = count;
    consumer->last_found = 0;
    return EV_OK;
}

void kafka_consumer_pause(struct kafka_consumer *consumer)
{
    consumer->paused = true; /* the client's own queue fills to its cap, then it stops fetching */
}

void kafka_consumer_resume(struct kafka_consumer *consumer)
{
    if (consumer->paused) {
        consumer->paused = false;
        kafka_client_wake(&consumer->client);
    }
}

bool kafka_consumer_is_up(const struct kafka_consumer *consumer)
{
    return consumer->client.up;
}
