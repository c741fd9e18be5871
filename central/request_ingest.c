#include "central/request_ingest.h"

#include "central/central.h"
#include "central/dispatch.h"
#include "central/ingest.h"
#include "central/map.h"
#include "common/runtime/log.h"
#include "common/wire/driver_request.h"
#include "common/wire/ulid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_BURST 20 /* requests at once; beyond, one a second */
#define RATE_REFILL_MS 1000
#define BUCKETS_MAX 20000

struct bucket {
    struct driver_id id;
    int64_t tokens, refilled_ms;
};

struct request_ingest {
    struct ingest ingest;
    struct loop_timer *timer;
    struct map buckets;
};

static void forget_full(struct request_ingest *requests, int64_t now_ms)
{
    struct bucket *bucket = NULL;
    size_t cursor = 0;

    while ((bucket = map_next(&requests->buckets, &cursor)) != NULL) {
        if (now_ms - bucket->refilled_ms > RATE_BURST * RATE_REFILL_MS) {
            (void)map_remove(&requests->buckets, bucket->id.text);
            free(bucket);
        }
    }
}

static bool may_ask(struct request_ingest *requests, const struct driver_id *driver)
{
    int64_t now_ms = loop_now_ms(requests->ingest.central->loop);
    struct bucket *bucket = map_find(&requests->buckets, driver->text);
    int64_t refill = 0;

    if (bucket == NULL) {
        if (requests->buckets.count >= BUCKETS_MAX) {
            forget_full(requests, now_ms);
        }
        bucket = requests->buckets.count < BUCKETS_MAX ? calloc(1, sizeof *bucket) : NULL;
        if (bucket == NULL) {
            return false;
        }
        bucket->id = *driver;
        bucket->tokens = RATE_BURST;
        bucket->refilled_ms = now_ms;
        if (map_put(&requests->buckets, bucket->id.text, bucket) != EV_OK) {
            free(bucket);
            return false;
        }
    }
    refill = (now_ms - bucket->refilled_ms) / RATE_REFILL_MS;
    bucket->refilled_ms += refill * RATE_REFILL_MS;
    bucket->tokens = bucket->tokens + refill > RATE_BURST ? RATE_BURST : bucket->tokens + refill;
    if (bucket->tokens == 0) {
        return false;
    }
    bucket->tokens--;
    return true;
}

static void apply(struct request_ingest *requests, const struct kafka_record *record,
                  const struct driver_id *driver, const struct driver_request *request)
{
    struct central *central = requests->ingest.central;
    struct fleet_event event;
    struct fleet_actor actor = {.address = ""};
    struct store_session known;

    dispatch_event_init(&event, FLEET_REQUEST);
    (void)snprintf(actor.who, sizeof actor.who, "driver:%s", driver->text);
    event.actor = &actor;
    event.cp_id = request->cp_id;
    event.of.request.driver_id = *driver;
    event.of.request.request_id = request->request_id;
    event.of.request.target_wh = request->target_wh;
    event.of.request.too_old = record->offset < requests->ingest.partitions[record->partition].end_at_attach;
    ulid_generate_session_id(event.wall_ms, &event.new_session_id);
    if (fleet_find_request(central->fleet, driver, &request->request_id) == NULL &&
        store_find_session_by_request(central->store, driver, &request->request_id, &known) == EV_OK) {
        event.known = &known;
    }
    if (dispatch_step(central, &event, NULL) == EV_OK) {
        central->counters.requests_applied++;
    } else {
        central->counters.requests_refused++;
    }
}

static void on_plain(struct ingest *ingest, const struct kafka_record *record, const uint8_t *plain,
                     size_t len)
{
    struct request_ingest *requests = (struct request_ingest *)ingest; /* its first member */
    struct central *central = ingest->central;
    struct driver_id driver;
    struct driver_request request;

    if (driver_id_parse_n((const char *)record->key, record->key_len, &driver) != EV_OK ||
        driver_request_decode((const char *)plain, len, &request) != EV_OK) {
        ingest_drop(ingest, record, &central->counters.records_malformed, "not a request");
    } else if (!fleet_has_node(central->fleet, FLEET_ROLE_DRIVER, driver.text)) {
        ingest_drop(ingest, record, &central->counters.requests_refused, "a driver that is not registered");
    } else if (!may_ask(requests, &driver)) {
        ingest_drop(ingest, record, &central->counters.requests_refused, "too many requests");
    } else {
        apply(requests, record, &driver, &request);
    }
}

static void on_tick(void *user)
{
    struct request_ingest *requests = user;

    ingest_tick(&requests->ingest);
}

enum ev_err request_ingest_new(struct central *central, struct request_ingest **ret_ingest)
{
    struct request_ingest *requests = calloc(1, sizeof *requests);
    enum ev_err err = EV_OK;

    if (requests == NULL) {
        return EV_ERR_NOMEM;
    }
    requests->ingest.topic = "ev.requests";
    requests->ingest.what = "requests";
    requests->ingest.owner = KEY_OWNER_DRIVER;
    requests->ingest.on_plain = on_plain;
    err = ingest_init(&requests->ingest, central);
    if (err == EV_OK) {
        err = loop_timer_new(central->loop, on_tick, requests, &requests->timer);
    }
    if (err != EV_OK) {
        request_ingest_free(requests);
        return err;
    }
    loop_timer_repeat(requests->timer, 250);
    *ret_ingest = requests;
    return EV_OK;
}

void request_ingest_free(struct request_ingest *requests)
{
    struct bucket *bucket = NULL;
    size_t cursor = 0;

    if (requests == NULL) {
        return;
    }
    loop_timer_free(requests->timer);
    ingest_fini(&requests->ingest);
    while ((bucket = map_next(&requests->buckets, &cursor)) != NULL) {
        free(bucket);
    }
    map_fini(&requests->buckets);
    free(requests);
}

void request_ingest_attach(struct request_ingest *requests, const char *cluster_id,
                           const struct kafka_offsets *offsets, size_t count)
{
    ingest_attach(&requests->ingest, cluster_id, offsets, count);
}
