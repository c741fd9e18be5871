/* kafka_consumer.c - consumption by assign(), with the offsets of the caller. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/kafka_internal.h"
#include "common/runtime/limits.h"

#define REPEAT_ERROR_MS 60000

struct position {
    char topic[64];
    int32_t partition;
    int64_t expected; /* -1: any */
};

struct kafka_consumer {
    struct kafka_client client;
    struct kafka_consumer_config config; /* without its texts */
    struct position *positions;
    size_t position_count;
    struct position *last; /* of the last record: records come in runs */
    rd_kafka_topic_partition_list_t *assignment;
    bool paused;
    rd_kafka_resp_err_t told_error;
    int64_t told_ms;
};

static struct position *find_position(struct kafka_consumer *consumer, const char *topic, int32_t partition)
{
    struct position *last = consumer->last;
    if (last != NULL && last->partition == partition && strcmp(last->topic, topic) == 0)
        return last;
    for (size_t i = 0; i < consumer->position_count; i++) {
        struct position *position = &consumer->positions[i];
        if (position->partition == partition && strcmp(position->topic, topic) == 0)
            return consumer->last = position;
    }
    return NULL;
}

static void take_record(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    struct kafka_record record = {
        .topic = rd_kafka_topic_name(message->rkt),
        .partition = message->partition,
        .offset = message->offset,
        .key = message->key,
        .key_len = message->key_len,
        .value = message->payload,
        .len = message->len,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
    };
    struct position *position = find_position(consumer, record.topic, record.partition);
    if (position == NULL)
        return; /* of an earlier assignment */
    if (position->expected >= 0 && position->expected != record.offset && consumer->config.on_gap != NULL)
        consumer->config.on_gap(consumer->config.user, record.topic, record.partition, position->expected,
                                record.offset);
    position->expected = record.offset + 1;
    consumer->config.on_record(consumer->config.user, &record);
}

static void take_error(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    int64_t now_ms = monotonic_now_ms();
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || consumer->config.on_error == NULL)
        return;
    if (message->err == consumer->told_error && now_ms - consumer->told_ms < REPEAT_ERROR_MS)
        return;
    consumer->told_error = message->err;
    consumer->told_ms = now_ms;
    consumer->config.on_error(consumer->config.user, kafka_error_of(message->err),
                              rd_kafka_message_errstr(message));
}

static void serve(void *owner)
{
    struct kafka_consumer *consumer = owner;
    size_t taken = 0;
    rd_kafka_message_t *message = NULL;
    while (taken < KAFKA_RECORDS_PER_WAKE && !consumer->paused &&
           (message = rd_kafka_consumer_poll(consumer->client.rk, 0)) != NULL) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            take_record(consumer, message);
        else
            take_error(consumer, message);
        rd_kafka_message_destroy(message);
        taken++;
    }
    if (taken > 0 && consumer->config.on_batch_end != NULL)
        consumer->config.on_batch_end(consumer->config.user);
    if (taken >= KAFKA_RECORDS_PER_WAKE)
        kafka_client_wake(&consumer->client);
}

static enum ev_err make_conf(const struct kafka_consumer_config *config, rd_kafka_conf_t **ret_conf,
                             struct failure *ret_failure)
{
    char number[32];
    rd_kafka_conf_t *conf = NULL;
    enum ev_err err = kafka_conf_new(&config->common, &conf, ret_failure);
    if (err != EV_OK)
        return err;
    kafka_conf_set(conf, "group.id",
                   config->common.client_id); /* needed by the library; nothing is committed */
    kafka_conf_set(conf, "enable.auto.commit", "false");
    kafka_conf_set(conf, "enable.auto.offset.store", "false");
    kafka_conf_set(conf, "auto.offset.reset", "earliest");
    kafka_conf_set(conf, "fetch.wait.max.ms", "5");
    kafka_conf_set(conf, "fetch.error.backoff.ms", "100");
    kafka_conf_set(conf, "max.poll.interval.ms", "86400000");
    (void)snprintf(number, sizeof number, "%d", KAFKA_CONSUMER_QUEUE_KBYTES_MAX);
    kafka_conf_set(conf, "queued.max.messages.kbytes", number);
    err = kafka_conf_set_properties(conf, &config->common, ret_failure);
    if (err != EV_OK) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    *ret_conf = conf;
    return EV_OK;
}

enum ev_err kafka_consumer_new(struct loop *loop, const struct kafka_consumer_config *config,
                               struct kafka_consumer **ret_consumer, struct failure *ret_failure)
{
    rd_kafka_conf_t *conf = NULL;
    struct kafka_consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL)
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    consumer->config = *config;
    memset(&consumer->config.common, 0, sizeof consumer->config.common);
    consumer->client.serve = serve;
    consumer->client.owner = consumer;
    consumer->client.on_state = config->on_state;
    consumer->client.on_state_user = config->user;
    enum ev_err err = make_conf(config, &conf, ret_failure);
    if (err == EV_OK)
        err = kafka_client_init(&consumer->client, loop, RD_KAFKA_CONSUMER, conf, ret_failure);
    if (err != EV_OK) {
        free(consumer);
        return err;
    }
    *ret_consumer = consumer;
    return EV_OK;
}

static void forget_assignment(struct kafka_consumer *consumer)
{
    if (consumer->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(consumer->assignment);
    free(consumer->positions);
    consumer->assignment = NULL;
    consumer->positions = consumer->last = NULL;
    consumer->position_count = 0;
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
    if (consumer == NULL)
        return;
    consumer->client.on_state = NULL;
    (void)rd_kafka_consumer_close(consumer->client.rk);
    kafka_client_fini(&consumer->client);
    forget_assignment(consumer);
    free(consumer);
}

enum ev_err kafka_consumer_assign(struct kafka_consumer *consumer, const struct kafka_partition *partitions,
                                  size_t count)
{
    if (count > KAFKA_PARTITIONS_MAX)
        return EV_ERR_TOO_LARGE;
    forget_assignment(consumer);
    if (count == 0)
        return kafka_error_of(rd_kafka_assign(consumer->client.rk, NULL));
    consumer->positions = calloc(count, sizeof *consumer->positions);
    consumer->assignment = rd_kafka_topic_partition_list_new((int)count);
    if (consumer->positions == NULL || consumer->assignment == NULL)
        return EV_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct position *position = &consumer->positions[i];
        const struct kafka_partition *from = &partitions[i];
        if (from->partition < 0 || from->offset < KAFKA_OFFSET_BEGINNING ||
            strlen(from->topic) >= sizeof position->topic)
            return EV_ERR_RANGE;
        (void)snprintf(position->topic, sizeof position->topic, "%s", from->topic);
        position->partition = from->partition;
        position->expected = from->offset >= 0 ? from->offset : -1;
        rd_kafka_topic_partition_list_add(consumer->assignment, from->topic, from->partition)->offset =
            from->offset;
    }
    consumer->position_count = count;
    consumer->paused = false;
    return kafka_error_of(rd_kafka_assign(consumer->client.rk, consumer->assignment));
}

void kafka_consumer_pause(struct kafka_consumer *consumer)
{
    if (consumer->paused || consumer->assignment == NULL)
        return;
    /* The library's own queue is bounded and stops fetching by itself; not polling is all that is needed. */
    consumer->paused = true;
}

void kafka_consumer_resume(struct kafka_consumer *consumer)
{
    if (!consumer->paused)
        return;
    consumer->paused = false;
    kafka_client_wake(&consumer->client);
}

bool kafka_consumer_is_up(const struct kafka_consumer *consumer)
{
    return consumer->client.up;
}
