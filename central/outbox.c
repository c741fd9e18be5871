#include "central/outbox.h"

#include "central/central.h"
#include "central/key_ring.h"
#include "central/map.h"
#include "common/runtime/backoff.h"
#include "common/runtime/http_client.h"
#include "common/runtime/identity.h"
#include "common/runtime/kafka.h"
#include "common/runtime/log.h"
#include "common/wire/json.h"
#include "common/wire/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Notices are hints (drivers reconcile over HTTPS), so when Kafka is away for long the newest are kept. About
 * 15 MB. */
#define OUTBOX_ENTRIES_MAX 20000
#define OUTBOX_IN_FLIGHT_MAX 10000
#define OUTBOX_FLUSH_MS 1000

enum entry_state { ENTRY_UNCOMMITTED, ENTRY_READY, ENTRY_IN_FLIGHT, ENTRY_DONE };

struct entry {
    struct entry *next;
    struct outbox *outbox;
    int64_t sequence;
    enum store_outbox_kind kind;
    enum entry_state state;
    char key[80];
    char body[]; /* terminated */
};

struct outbox {
    struct central *central;
    struct kafka_producer *producer; /* NULL without Kafka */
    struct entry *first, *last;
    struct entry *scan;  /* entries before it are in flight or done */
    struct map statuses; /* charge point id -> its newest status that was not sent */
    size_t count, in_flight;
    struct entry *revoking; /* the one that Registry is being told */
    struct http_call *call;
    struct backoff backoff;
    int64_t retry_mono_ms;
    bool sending;
};

static void pump(struct outbox *outbox);

static struct entry *append(struct outbox *outbox, int64_t sequence, enum store_outbox_kind kind,
                            const char *key, const char *body)
{
    size_t length = strlen(body);
    struct entry *entry = malloc(sizeof *entry + length + 1);

    if (entry == NULL) {
        return NULL;
    }
    memset(entry, 0, sizeof *entry);
    entry->outbox = outbox;
    entry->sequence = sequence;
    entry->kind = kind;
    (void)snprintf(entry->key, sizeof entry->key, "%s", key);
    memcpy(entry->body, body, length + 1);
    if (outbox->last != NULL) {
        outbox->last->next = entry;
    } else {
        outbox->first = entry;
    }
    outbox->last = entry;
    outbox->count++;
    if (outbox->scan == NULL) {
        outbox->scan = entry;
    }
    return entry;
}

/* Done ones are freed from the front, so that the list keeps its order without back links. */
static void reap(struct outbox *outbox)
{
    while (outbox->first != NULL && outbox->first->state == ENTRY_DONE) {
        struct entry *entry = outbox->first;

        outbox->first = entry->next;
        if (outbox->scan == entry) {
            outbox->scan = entry->next;
        }
        if (outbox->last == entry) {
            outbox->last = NULL;
        }
        free(entry);
    }
}

static void finish(struct outbox *outbox, struct entry *entry)
{
    struct store_change change = {.kind = STORE_DROP_OUTBOX};

    change.of.outbox.sequence = entry->sequence;
    if (store_add(outbox->central->store, &change) != EV_OK) {
        log_error("outbox.drop_failed", log_int("sequence", entry->sequence));
    }
    if (map_find(&outbox->statuses, entry->key) == entry) {
        (void)map_remove(&outbox->statuses, entry->key);
    }
    entry->state = ENTRY_DONE;
    outbox->count--;
}

/* -- Kafka -- */

static void on_delivery(void *user, void *opaque, enum ev_err err, const char *text)
{
    struct outbox *outbox = user;
    struct entry *entry = opaque;

    if (entry == NULL) {
        return; /* live figures */
    }
    outbox->in_flight--;
    if (err == EV_OK) {
        if (entry->kind == STORE_OUTBOX_NOTICE) {
            outbox->central->counters.notices_sent++;
        } else {
            outbox->central->counters.status_sent++;
        }
        finish(outbox, entry);
        if (!outbox->sending) {
            reap(outbox);
        }
        return;
    }
    if (err != EV_ERR_CLOSED) {
        log_warn("outbox.not_delivered", log_str("key", entry->key), log_str("reason", text));
    }
    entry->state = ENTRY_READY;
    outbox->scan = outbox->first;
}

static void on_state(void *user, bool up, const char *text)
{
    struct outbox *outbox = user;

    log_info(up ? "kafka.producer_up" : "kafka.producer_down", log_str("text", text));
    if (up) {
        pump(outbox);
    }
}

/* Sealed under the driver's present key. EV_ERR_UNKNOWN_KEY: it has none, so nobody could read it. */
static enum ev_err send_sealed(struct outbox *outbox, const char *driver, const char *body, size_t length,
                               void *opaque)
{
    struct seal_key key;
    uint8_t record[SEAL_RECORD_MAX];
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    size_t record_len = 0;
    enum ev_err err =
        key_ring_next_send(outbox->central->key_ring, KEY_OWNER_DRIVER, driver, key.bytes, &epoch, &sequence);

    if (err != EV_OK) {
        return EV_ERR_UNKNOWN_KEY;
    }
    err = seal_record(&key, SEAL_TOPIC_NOTICES, driver, strlen(driver), epoch, sequence, body, length, record,
                      sizeof record, &record_len);
    seal_key_wipe(&key);
    if (err == EV_OK) {
        err = kafka_producer_send(outbox->producer, SEAL_TOPIC_NOTICES, driver, strlen(driver), record,
                                  record_len, opaque);
    }
    return err;
}

static enum ev_err send_entry(struct outbox *outbox, struct entry *entry)
{
    if (entry->kind == STORE_OUTBOX_NOTICE) {
        return send_sealed(outbox, entry->key, entry->body, strlen(entry->body), entry);
    }
    return kafka_producer_send(outbox->producer, "ev.status", entry->key, strlen(entry->key),
                               entry->body[0] != '\0' ? entry->body : NULL, strlen(entry->body), entry);
}

/* False: the broker takes no more now. */
static bool pump_entry(struct outbox *outbox, struct entry *entry)
{
    enum ev_err err = EV_OK;

    if (entry->kind == STORE_OUTBOX_REVOKE) {
        return true;
    }
    if (outbox->producer == NULL || !kafka_producer_is_up(outbox->producer) ||
        outbox->in_flight >= OUTBOX_IN_FLIGHT_MAX) {
        return false;
    }
    entry->state = ENTRY_IN_FLIGHT;
    outbox->in_flight++;
    if (map_find(&outbox->statuses, entry->key) == entry) {
        (void)map_remove(&outbox->statuses, entry->key);
    }
    err = send_entry(outbox, entry);
    if (err == EV_OK) {
        return true;
    }
    outbox->in_flight--;
    if (err == EV_ERR_FULL || err == EV_ERR_IO || err == EV_ERR_NOT_FOUND) {
        entry->state = ENTRY_READY;
        return false;
    }
    /* A driver without a key, or a record that cannot be made: never. */
    outbox->central->counters.notices_dropped++;
    finish(outbox, entry);
    return true;
}

/* -- Registry -- */

static void on_revoked(void *user, const struct http_response *response)
{
    struct outbox *outbox = user;
    struct entry *entry = outbox->revoking;

    outbox->revoking = NULL;
    outbox->call = NULL;
    if (response->err == EV_OK && response->status == 200) {
        log_info("outbox.revocation_told", log_str("node", entry->key));
        backoff_reset(&outbox->backoff);
        finish(outbox, entry);
        reap(outbox);
    } else {
        struct failure failure;

        http_problem_text(response, &failure);
        log_warn("outbox.revocation_waits", log_str("node", entry->key), log_str("reason", failure.text));
        outbox->retry_mono_ms = loop_now_ms(outbox->central->loop) + backoff_next_ms(&outbox->backoff);
    }
}

static void tell_registry(struct outbox *outbox)
{
    struct central *central = outbox->central;
    struct http_request request = {.method = "POST"};
    struct json_writer writer;
    char url[512];
    char body[160];
    char role[16] = "";
    const char *id = NULL;
    struct entry *entry = outbox->first;

    if (outbox->revoking != NULL || loop_now_ms(central->loop) < outbox->retry_mono_ms ||
        central->identity == NULL || !identity_is_enrolled(central->identity)) {
        return;
    }
    while (entry != NULL && (entry->kind != STORE_OUTBOX_REVOKE || entry->state != ENTRY_READY)) {
        entry = entry->next;
    }
    id = entry != NULL ? strchr(entry->key, ':') : NULL;
    if (id == NULL || (size_t)(id - entry->key) >= sizeof role) {
        return;
    }
    memcpy(role, entry->key, (size_t)(id - entry->key));
    json_writer_init(&writer, body, sizeof body - 1);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "role", role);
    json_write_text(&writer, "id", id + 1);
    json_write_object_end(&writer);
    if (json_writer_finish(&writer, &request.body_len) != EV_OK) {
        finish(outbox, entry);
        return;
    }
    (void)snprintf(url, sizeof url, "%s/revocations", central->options.registry);
    request.url = url;
    request.body = body;
    identity_fill_request(central->identity, &request);
    if (http_client_send(central->http_client, &request, on_revoked, outbox, &outbox->call) == EV_OK) {
        outbox->revoking = entry;
    }
}

/* -- what the owner calls -- */

static void pump(struct outbox *outbox)
{
    struct entry *entry = outbox->scan;

    outbox->sending = true;
    while (entry != NULL && entry->state != ENTRY_UNCOMMITTED) {
        if (entry->state == ENTRY_READY && !pump_entry(outbox, entry)) {
            break;
        }
        entry = entry->next;
    }
    outbox->scan = entry;
    outbox->sending = false;
    reap(outbox);
}

void outbox_release(struct outbox *outbox, int64_t sequence)
{
    for (struct entry *entry = outbox->scan; entry != NULL; entry = entry->next) {
        if (entry->sequence == sequence) {
            if (entry->state == ENTRY_UNCOMMITTED) {
                entry->state = ENTRY_READY;
            }
            break;
        }
    }
    pump(outbox);
}

/* Makes room at the cap: the oldest notice that was not sent goes. */
static bool drop_oldest_notice(struct outbox *outbox)
{
    for (struct entry *entry = outbox->first; entry != NULL; entry = entry->next) {
        if (entry->kind == STORE_OUTBOX_NOTICE && entry->state == ENTRY_READY) {
            outbox->central->counters.notices_dropped++;
            finish(outbox, entry);
            reap(outbox);
            return true;
        }
    }
    return false;
}

int64_t outbox_add(struct outbox *outbox, enum store_outbox_kind kind, const char *key, const char *body)
{
    struct store_change change = {.kind = STORE_ADD_OUTBOX};
    struct entry *entry = NULL;

    if (outbox->count >= OUTBOX_ENTRIES_MAX && !drop_oldest_notice(outbox) && kind == STORE_OUTBOX_NOTICE) {
        outbox->central->counters.notices_dropped++;
        return 0;
    }
    if (kind == STORE_OUTBOX_STATUS) {
        struct entry *older = map_find(&outbox->statuses, key);

        if (older != NULL && older->state == ENTRY_READY) {
            finish(outbox, older); /* only the newest is worth sending */
        }
    }
    change.of.outbox.sequence = store_next_outbox_sequence(outbox->central->store);
    change.of.outbox.kind = kind;
    (void)snprintf(change.of.outbox.key, sizeof change.of.outbox.key, "%s", key);
    change.of.outbox.body = body;
    entry = append(outbox, change.of.outbox.sequence, kind, key, body);
    if (entry == NULL || store_add(outbox->central->store, &change) != EV_OK) {
        log_error("outbox.full", log_str("key", key));
        if (entry != NULL) {
            entry->state = ENTRY_DONE;
            outbox->count--;
        }
        return 0;
    }
    if (kind == STORE_OUTBOX_STATUS && map_put(&outbox->statuses, entry->key, entry) != EV_OK) {
        log_debug("outbox.no_memory", log_str("key", key)); /* then an older status is sent as well */
    }
    return entry->sequence;
}

void outbox_send_live(struct outbox *outbox, const struct driver_id *driver, const char *body, size_t length)
{
    if (outbox->producer == NULL || !kafka_producer_is_up(outbox->producer) ||
        send_sealed(outbox, driver->text, body, length, NULL) != EV_OK) {
        outbox->central->counters.notices_dropped++;
    }
}

void outbox_tick(struct outbox *outbox)
{
    pump(outbox);
    tell_registry(outbox);
}

bool outbox_kafka_is_up(const struct outbox *outbox)
{
    return outbox->producer != NULL && kafka_producer_is_up(outbox->producer);
}

size_t outbox_waiting(const struct outbox *outbox)
{
    return outbox->count;
}

static void on_row(void *user, int64_t sequence, enum store_outbox_kind kind, const char *key,
                   const char *body)
{
    struct entry *entry = append(user, sequence, kind, key, body);

    if (entry != NULL) {
        entry->state = ENTRY_READY;
    }
}

enum ev_err outbox_new(struct central *central, struct outbox **ret_outbox)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    struct kafka_producer_config config = {0};
    struct failure failure;
    enum ev_err err = EV_OK;

    if (outbox == NULL) {
        return EV_ERR_NOMEM;
    }
    outbox->central = central;
    backoff_init(&outbox->backoff, 1000, 30000);
    err = store_load_outbox(central->store, on_row, outbox);
    if (err == EV_OK && central->options.kafka != NULL) {
        config.common = (struct kafka_config){.brokers = central->options.kafka,
                                              .client_id = "ev_central",
                                              .properties = central->options.kafka_properties,
                                              .property_count = central->options.kafka_property_count};
        config.on_delivery = on_delivery;
        config.on_state = on_state;
        config.user = outbox;
        err = kafka_producer_new(central->loop, &config, &outbox->producer, &failure);
        if (err != EV_OK) {
            log_error("kafka.unusable", log_str("reason", failure.text));
        }
    }
    if (err != EV_OK) {
        outbox_free(outbox);
        return err;
    }
    *ret_outbox = outbox;
    return EV_OK;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL) {
        return;
    }
    outbox->sending = true;
    kafka_producer_free(outbox->producer, OUTBOX_FLUSH_MS);
    if (outbox->call != NULL) {
        http_client_cancel(outbox->call);
    }
    while (outbox->first != NULL) {
        struct entry *entry = outbox->first;

        outbox->first = entry->next;
        free(entry);
    }
    map_fini(&outbox->statuses);
    free(outbox);
}
