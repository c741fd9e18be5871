#include "central/telemetry_ingest.h"

#include "central/central.h"
#include "central/dispatch.h"
#include "central/ingest.h"
#include "common/runtime/log.h"
#include "common/wire/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct telemetry_ingest {
    struct ingest ingest;
    struct loop_timer *timer;
    struct fleet_event event; /* reused: one sample must not clear a kilobyte */
};

static void on_plain(struct ingest *ingest, const struct kafka_record *record, const uint8_t *plain,
                     size_t len)
{
    struct telemetry_ingest *telemetry = (struct telemetry_ingest *)ingest; /* its first member */
    struct central *central = ingest->central;
    struct fleet_event *event = &telemetry->event;
    struct fleet_actor actor;

    if (cp_id_parse_n((const char *)record->key, record->key_len, &event->cp_id) != EV_OK ||
        sample_decode(plain, len, &event->of.sample) != EV_OK) {
        ingest_drop(ingest, record, &central->counters.records_malformed, "not a sample");
        return;
    }
    event->type = FLEET_SAMPLE;
    event->mono_ms = loop_now_ms(central->loop);
    event->wall_ms = wall_now_ms();
    actor.address[0] = '\0';
    (void)memcpy(actor.who, "cp:", 3);
    (void)memcpy(actor.who + 3, event->cp_id.text, sizeof event->cp_id.text);
    event->actor = &actor;
    switch (dispatch_step(central, event, NULL)) {
    case EV_OK:
        central->counters.records_applied++;
        break;
    case EV_ERR_STATE: /* its session has ended meanwhile: late, not wrong */
        central->counters.records_applied++;
        break;
    case EV_ERR_NOT_FOUND:
        ingest_drop(ingest, record, &central->counters.samples_refused,
                    "a sample of a session that is not its own");
        break;
    default: /* audited by the fleet */
        central->counters.samples_refused++;
        break;
    }
    event->actor = NULL;
}

static void on_tick(void *user)
{
    struct telemetry_ingest *telemetry = user;

    ingest_tick(&telemetry->ingest);
}

enum ev_err telemetry_ingest_new(struct central *central, struct telemetry_ingest **ret_ingest)
{
    struct telemetry_ingest *telemetry = calloc(1, sizeof *telemetry);
    enum ev_err err = EV_OK;

    if (telemetry == NULL) {
        return EV_ERR_NOMEM;
    }
    telemetry->ingest.topic = "ev.telemetry";
    telemetry->ingest.what = "telemetry";
    telemetry->ingest.owner = KEY_OWNER_CP;
    telemetry->ingest.on_plain = on_plain;
    err = ingest_init(&telemetry->ingest, central);
    if (err == EV_OK) {
        err = loop_timer_new(central->loop, on_tick, telemetry, &telemetry->timer);
    }
    if (err != EV_OK) {
        telemetry_ingest_free(telemetry);
        return err;
    }
    loop_timer_repeat(telemetry->timer, 250);
    *ret_ingest = telemetry;
    return EV_OK;
}

void telemetry_ingest_free(struct telemetry_ingest *telemetry)
{
    if (telemetry == NULL) {
        return;
    }
    loop_timer_free(telemetry->timer);
    ingest_fini(&telemetry->ingest);
    free(telemetry);
}

void telemetry_ingest_attach(struct telemetry_ingest *telemetry, const char *cluster_id,
                             const struct kafka_offsets *offsets, size_t count)
{
    ingest_attach(&telemetry->ingest, cluster_id, offsets, count);
}
