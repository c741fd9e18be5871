/* ingest.h - what telemetry_ingest and request_ingest share: a consumer that is assigned from offsets in the
 * store, and how far each partition was applied, saved in the same transaction as what its records changed.
 */
#ifndef EV_CENTRAL_INGEST_H
#define EV_CENTRAL_INGEST_H

#include "central/key_ring.h"
#include "common/runtime/kafka.h"

struct central;

#define INGEST_PARTITIONS_MAX 256
#define INGEST_BACKLOG_HIGH 50000 /* changes that wait for the disk: reading pauses */
#define INGEST_BACKLOG_LOW 10000

struct ingest_partition {
    int64_t next_offset; /* -1: nothing applied yet in this log */
    int64_t end_at_attach;
    bool moved; /* since the last flush */
};

struct ingest {
    struct central *central;
    const char *topic;
    const char *what;                /* for logs: "telemetry" */
    struct kafka_consumer *consumer; /* NULL without Kafka */
    char cluster_id[64];
    struct ingest_partition partitions[INGEST_PARTITIONS_MAX];
    size_t partition_count;
    bool paused;
    uint64_t gaps;
    void (*on_plain)(struct ingest *ingest, const struct kafka_record *record, const uint8_t *plain,
                     size_t len);
    enum key_owner owner;
};

/* Errors: EV_ERR_USAGE (a Kafka property, said in the log), EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err ingest_init(struct ingest *ingest, struct central *central);
void ingest_fini(struct ingest *ingest);

void ingest_attach(struct ingest *ingest, const char *cluster_id, const struct kafka_offsets *offsets,
                   size_t count);

/* Reads on when the disk has caught up; about 4 a second. */
void ingest_tick(struct ingest *ingest);

/* Counted, audited once per burst, never applied. */
void ingest_drop(struct ingest *ingest, const struct kafka_record *record, uint64_t *counter,
                 const char *reason);

#endif
