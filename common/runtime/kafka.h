/* kafka.h - librdkafka on the loop: producers, consumers by assign(), queries that may take long.
 * All callbacks come on the loop's thread. Kafka may be away at start and at any time: nothing here fails for
 * that; on_state says so. librdkafka's own log goes to log.h. Consumers never commit: offsets are the
 * caller's. */
#ifndef EV_RUNTIME_KAFKA_H
#define EV_RUNTIME_KAFKA_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copied by whoever takes it. */
struct kafka_config {
    const char *brokers;           /* "host:port[,host:port]" */
    const char *client_id;         /* shows in the broker's log */
    const char *const *properties; /* "key=value" each, as after -X; they beat what is set here */
    size_t property_count;
};

/* up: at least one broker answers. text: in words ("127.0.0.1:9092: connection refused"). Called at changes;
 * the first time when it is known (a client starts as not up). */
typedef void (*kafka_on_state)(void *user, bool up, const char *text);

/* --- producer --- */

struct kafka_producer;

struct kafka_producer_config {
    struct kafka_config common;
    int64_t message_timeout_ms; /* 0: retried for ever; else a record fails after that */
    unsigned queue_max;         /* records; 0: KAFKA_PRODUCER_QUEUE_MAX */
    bool partition_by_murmur2;  /* as Java clients do (murmur2_random); else librdkafka's CRC32 */
    /* err EV_OK: on the broker's log, in order per key and without repetition. opaque: as sent. May be NULL.
     */
    void (*on_delivery)(void *user, void *opaque, enum ev_err err, const char *text);
    kafka_on_state on_state; /* may be NULL */
    void *user;
};

/* Errors: EV_ERR_USAGE (a property that librdkafka refuses, named in the failure), EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err kafka_producer_new(struct loop *loop, const struct kafka_producer_config *config,
                                             struct kafka_producer **ret_producer,
                                             struct failure *ret_failure);

/* Flushes for at most flush_ms (blocking), gives up what is left (each with on_delivery EV_ERR_CLOSED). */
void kafka_producer_free(struct kafka_producer *producer, int flush_ms);

/* Key and value are copied. key_len 0: no key. value NULL with len 0: a tombstone.
 * Errors: EV_ERR_FULL (nothing queued; no on_delivery for it), EV_ERR_TOO_LARGE, EV_ERR_NOT_FOUND (the topic
 * is known not to exist), EV_ERR_IO. */
EV_MUST_CHECK enum ev_err kafka_producer_send(struct kafka_producer *producer, const char *topic,
                                              const void *key, size_t key_len, const void *value, size_t len,
                                              void *opaque);

/* Records that are not delivered yet. */
size_t kafka_producer_queued(const struct kafka_producer *producer);
bool kafka_producer_is_up(const struct kafka_producer *producer);

/* --- consumer --- */

struct kafka_consumer;

#define KAFKA_OFFSET_BEGINNING (-2)
#define KAFKA_OFFSET_END (-1)

struct kafka_partition {
    const char *topic;
    int32_t partition;
    int64_t offset; /* of the next record wanted, or one of the two above */
};

struct kafka_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    const uint8_t *key; /* NULL: none */
    size_t key_len;
    const uint8_t *value; /* NULL: tombstone */
    size_t len;
    int64_t timestamp_ms; /* the producer's or the broker's; -1 unknown */
};

struct kafka_consumer_config {
    struct kafka_config common;
    /* Valid during the call only. */
    void (*on_record)(void *user, const struct kafka_record *record);
    /* End of the records of one wake: commit a batch here. May be NULL. */
    void (*on_batch_end)(void *user);
    /* The next record of a partition is not the expected one: records were lost on the broker (actual >
     * expected), or the log is another one (actual < expected). Before that record's on_record. May be NULL.
     */
    void (*on_gap)(void *user, const char *topic, int32_t partition, int64_t expected, int64_t actual);
    /* Errors of one partition (no such topic, ..), in words, repeated ones at most once a minute. May be
     * NULL. */
    void (*on_error)(void *user, enum ev_err err, const char *text);
    kafka_on_state on_state; /* may be NULL */
    void *user;
};

EV_MUST_CHECK enum ev_err kafka_consumer_new(struct loop *loop, const struct kafka_consumer_config *config,
                                             struct kafka_consumer **ret_consumer,
                                             struct failure *ret_failure);
void kafka_consumer_free(struct kafka_consumer *consumer);

/* Replaces the assignment; count 0 ends it. Topics may not exist yet: they are picked up when they do.
 * Errors: EV_ERR_TOO_LARGE (KAFKA_PARTITIONS_MAX), EV_ERR_RANGE, EV_ERR_IO, EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err kafka_consumer_assign(struct kafka_consumer *consumer,
                                                const struct kafka_partition *partitions, size_t count);

/* Backpressure: while paused no on_record comes (a record or two may still, from the present wake). */
void kafka_consumer_pause(struct kafka_consumer *consumer);
void kafka_consumer_resume(struct kafka_consumer *consumer);
bool kafka_consumer_is_up(const struct kafka_consumer *consumer);

/* --- queries, each on a thread of its own with a client of its own; the answer comes on the loop --- */

struct kafka_query; /* gone after its callback */

/* No callback any more; NULL is fine. The thread ends by itself. */
void kafka_query_cancel(struct kafka_query *query);

struct kafka_topic_spec {
    const char *topic;
    int partitions;
    bool compacted;
};

/* Creates what is missing. EV_OK: all exist now. EV_ERR_TIMEOUT: the broker is away, try later.
 * EV_ERR_UNSUPPORTED: missing, and the broker cannot create topics (the embedded one has them from its
 * start). */
typedef void (*kafka_on_done)(void *user, enum ev_err err, const char *text);
EV_MUST_CHECK enum ev_err kafka_create_topics(struct loop *loop, const struct kafka_config *config,
                                              const struct kafka_topic_spec *topics, size_t count,
                                              int timeout_ms, kafka_on_done on_done, void *user,
                                              struct kafka_query **ret_query);

typedef void (*kafka_on_cluster_id)(void *user, enum ev_err err, const char *cluster_id_or_text);
EV_MUST_CHECK enum ev_err kafka_cluster_id(struct loop *loop, const struct kafka_config *config,
                                           int timeout_ms, kafka_on_cluster_id on_cluster_id, void *user,
                                           struct kafka_query **ret_query);

struct kafka_offsets {
    const char *topic;
    int32_t partition;
    int64_t begin; /* of the oldest record kept */
    int64_t end;   /* of the next record to come */
};

/* All partitions of the topics, in order; on failure count is 0. Also says how many partitions a topic has.
 */
typedef void (*kafka_on_offsets)(void *user, enum ev_err err, const char *text,
                                 const struct kafka_offsets *offsets, size_t count);
EV_MUST_CHECK enum ev_err kafka_query_offsets(struct loop *loop, const struct kafka_config *config,
                                              const char *const *topics, size_t topic_count, int timeout_ms,
                                              kafka_on_offsets on_offsets, void *user,
                                              struct kafka_query **ret_query);

#endif
