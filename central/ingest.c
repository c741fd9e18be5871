#include "central/ingest.h"

#include "central/central.h"
#include "central/dispatch.h"
#include "central/kafka_link.h"
#include "common/runtime/log.h"
#include "common/wire/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The name that the record's key claims; anything that is no id is "unknown". */
static void claimed_actor(const struct ingest *ingest, const struct kafka_record *record,
                          struct fleet_actor *ret_actor)
{
    struct cp_id id;

    memset(ret_actor, 0, sizeof *ret_actor);
    if (record->key != NULL && cp_id_parse_n((const char *)record->key, record->key_len, &id) == EV_OK) {
        (void)snprintf(ret_actor->who, sizeof ret_actor->who, "%s:%s",
                       ingest->owner == KEY_OWNER_CP ? "cp" : "driver", id.text);
    } else {
        (void)snprintf(ret_actor->who, sizeof ret_actor->who, "unknown");
    }
}

void ingest_drop(struct ingest *ingest, const struct kafka_record *record, uint64_t *counter,
                 const char *reason)
{
    struct central *central = ingest->central;
    struct fleet_actor actor;
    char detail[200];

    (*counter)++;
    central->counters.records_dropped++;
    claimed_actor(ingest, record, &actor);
    (void)snprintf(detail, sizeof detail, "%s, partition %" PRId32 ", offset %" PRId64 ": %s", ingest->topic,
                   record->partition, record->offset, reason);
    dispatch_audit_burst(central, &actor, "record.refused", ingest->topic, reason, detail);
}

static void open_record(struct ingest *ingest, const struct kafka_record *record)
{
    struct central_counters *counters = &ingest->central->counters;
    struct key_ring *ring = ingest->central->key_ring;
    struct key_ring_key *key = NULL;
    struct cp_id id; /* ids of drivers have the same form */
    struct seal_key bytes;
    uint8_t plain[SEAL_PLAIN_MAX];
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    size_t len = 0;
    enum key_verdict verdict = KEY_UNKNOWN;
    enum ev_err err = EV_OK;

    if (record->key == NULL || record->value == NULL ||
        cp_id_parse_n((const char *)record->key, record->key_len, &id) != EV_OK ||
        seal_parse_header(record->value, record->len, &epoch, &sequence) != EV_OK) {
        ingest_drop(ingest, record, &counters->records_malformed, "not a sealed record");
        return;
    }
    verdict = key_ring_check(ring, ingest->owner, id.text, epoch, sequence, &key);
    if (verdict != KEY_APPLY) {
        ingest_drop(ingest, record,
                    verdict == KEY_UNKNOWN  ? &counters->records_unknown_key
                    : verdict == KEY_REPLAY ? &counters->records_replayed
                                            : &counters->records_beyond,
                    key_verdict_text(verdict));
        return;
    }
    memcpy(bytes.bytes, key_ring_bytes(key), sizeof bytes.bytes);
    err = seal_open(&bytes, ingest->topic, record->key, record->key_len, record->value, record->len, plain,
                    sizeof plain, &len, &epoch, &sequence);
    seal_key_wipe(&bytes);
    if (err != EV_OK) {
        ingest_drop(ingest, record, &counters->records_bad_seal, "not sealed with the key of its epoch");
        return;
    }
    counters->records_lost += key_ring_applied(ring, key, sequence);
    ingest->on_plain(ingest, record, plain, len);
}

static void on_record(void *user, const struct kafka_record *record)
{
    struct ingest *ingest = user;
    struct ingest_partition *partition = NULL;

    if (record->partition < 0 || (size_t)record->partition >= ingest->partition_count) {
        return;
    }
    partition = &ingest->partitions[record->partition];
    if (record->offset < partition->next_offset) {
        return; /* applied before: never twice */
    }
    open_record(ingest, record);
    partition->next_offset = record->offset + 1;
    partition->moved = true;
}

static void save_offsets(struct ingest *ingest)
{
    for (size_t i = 0; i < ingest->partition_count; i++) {
        struct store_change change = {.kind = STORE_SAVE_OFFSET};

        if (!ingest->partitions[i].moved) {
            continue;
        }
        ingest->partitions[i].moved = false;
        memcpy(change.of.offset.cluster_id, ingest->cluster_id, sizeof change.of.offset.cluster_id);
        (void)snprintf(change.of.offset.topic, sizeof change.of.offset.topic, "%s", ingest->topic);
        change.of.offset.partition = (int32_t)i;
        change.of.offset.next_offset = ingest->partitions[i].next_offset;
        /* Without it the records would be read again and refused as replays: late, but not twice. */
        if (store_add(ingest->central->store, &change) != EV_OK) {
            log_error("ingest.offset_not_saved", log_str("topic", ingest->topic));
        }
    }
}

static void on_batch_end(void *user)
{
    struct ingest *ingest = user;

    dispatch_flush(ingest->central);
    save_offsets(ingest);
    if (!ingest->paused && store_backlog(ingest->central->store) > INGEST_BACKLOG_HIGH) {
        ingest->paused = true;
        kafka_consumer_pause(ingest->consumer);
        log_warn("ingest.paused", log_str("topic", ingest->topic),
                 log_uint("waiting", store_backlog(ingest->central->store)));
    }
}

void ingest_tick(struct ingest *ingest)
{
    if (ingest->paused && store_backlog(ingest->central->store) < INGEST_BACKLOG_LOW) {
        ingest->paused = false;
        kafka_consumer_resume(ingest->consumer);
        log_info("ingest.resumed", log_str("topic", ingest->topic));
    }
}

static void on_gap(void *user, const char *topic, int32_t partition, int64_t expected, int64_t actual)
{
    struct ingest *ingest = user;
    char detail[160];

    (void)snprintf(detail, sizeof detail,
                   "partition %" PRId32 ": offset %" PRId64 " expected, %" PRId64 " came", partition,
                   expected, actual);
    ingest->gaps++;
    dispatch_audit(ingest->central, NULL, "kafka.gap", topic, "error", detail);
    if (actual < expected && partition >= 0 && (size_t)partition < ingest->partition_count) {
        ingest->partitions[partition].next_offset = actual; /* another log; sequences tell what was applied */
    }
}

static void on_error(void *user, enum ev_err err, const char *text)
{
    const struct ingest *ingest = user;

    log_warn("kafka.consumer_error", log_str("topic", ingest->topic), log_str("error", ev_err_text(err)),
             log_str("text", text));
}

static void on_state(void *user, bool up, const char *text)
{
    struct ingest *ingest = user;

    if (ingest->central->kafka_link != NULL) {
        kafka_link_on_state(ingest->central->kafka_link, up, text);
    }
}

enum ev_err ingest_init(struct ingest *ingest, struct central *central)
{
    struct kafka_consumer_config config = {.on_record = on_record,
                                           .on_batch_end = on_batch_end,
                                           .on_gap = on_gap,
                                           .on_error = on_error,
                                           .on_state = on_state,
                                           .user = ingest};
    struct failure failure;
    enum ev_err err = EV_OK;

    ingest->central = central;
    if (central->options.kafka == NULL) {
        return EV_OK;
    }
    config.common = (struct kafka_config){.brokers = central->options.kafka,
                                          .client_id = "ev_central",
                                          .properties = central->options.kafka_properties,
                                          .property_count = central->options.kafka_property_count};
    err = kafka_consumer_new(central->loop, &config, &ingest->consumer, &failure);
    if (err != EV_OK) {
        log_error("kafka.unusable", log_str("reason", failure.text));
    }
    return err;
}

void ingest_fini(struct ingest *ingest)
{
    kafka_consumer_free(ingest->consumer);
    ingest->consumer = NULL;
}

void ingest_attach(struct ingest *ingest, const char *cluster_id, const struct kafka_offsets *offsets,
                   size_t count)
{
    struct kafka_partition wanted[INGEST_PARTITIONS_MAX];
    size_t wanted_count = 0;

    (void)snprintf(ingest->cluster_id, sizeof ingest->cluster_id, "%s", cluster_id);
    ingest->partition_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct ingest_partition *partition = NULL;
        int64_t next_offset = 0;

        if (strcmp(offsets[i].topic, ingest->topic) != 0 || offsets[i].partition < 0 ||
            offsets[i].partition >= INGEST_PARTITIONS_MAX || wanted_count == INGEST_PARTITIONS_MAX) {
            continue;
        }
        partition = &ingest->partitions[offsets[i].partition];
        *partition = (struct ingest_partition){.next_offset = -1, .end_at_attach = offsets[i].end};
        if ((size_t)offsets[i].partition >= ingest->partition_count) {
            ingest->partition_count = (size_t)offsets[i].partition + 1;
        }
        wanted[wanted_count] = (struct kafka_partition){
            .topic = ingest->topic, .partition = offsets[i].partition, .offset = KAFKA_OFFSET_BEGINNING};
        if (store_load_offset(ingest->central->store, cluster_id, ingest->topic, offsets[i].partition,
                              &next_offset) == EV_OK) {
            partition->next_offset = next_offset;
            wanted[wanted_count].offset = next_offset;
        }
        wanted_count++;
    }
    if (kafka_consumer_assign(ingest->consumer, wanted, wanted_count) != EV_OK) {
        log_error("ingest.cannot_attach", log_str("topic", ingest->topic));
        return;
    }
    log_info("ingest.attached", log_str("topic", ingest->topic), log_str("cluster", cluster_id),
             log_uint("partitions", wanted_count));
}
