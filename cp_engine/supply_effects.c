#include "cp_engine/supply_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct supply_effect *effect_add(struct supply_run *run, enum supply_effect_type type)
{
    struct supply_effects *effects = run->effects;

    EV_ASSERT(effects->count < SUPPLY_EFFECTS_MAX);
    struct supply_effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

struct message *supply_send_add(struct supply_run *run, enum message_type type)
{
    struct supply_effect *effect = effect_add(run, SUPPLY_EFFECT_SEND);

    message_init(&effect->message, type, &run->supply->cp_id);
    return &effect->message;
}

void supply_log_add(struct supply_run *run, const char *event, const struct session_id *session_id,
                    const char *format, ...)
{
    struct supply_effect *effect = effect_add(run, SUPPLY_EFFECT_LOG);
    va_list args;

    effect->log.event = event;
    if (session_id != NULL) {
        effect->log.session_id = *session_id;
    }
    va_start(args, format);
    (void)vsnprintf(effect->log.text, sizeof effect->log.text, format, args);
    va_end(args);
}

struct supply_journal_record *supply_journal_add(struct supply_run *run, enum supply_journal_kind kind,
                                                 const struct session_id *session_id, int64_t started_at_ms)
{
    struct supply_effect *effect = effect_add(run, SUPPLY_EFFECT_JOURNAL);

    effect->journal.kind = kind;
    effect->journal.session_id = *session_id;
    effect->journal.started_at_ms = started_at_ms;
    effect->journal.at_ms = run->event->wall_ms;
    return &effect->journal;
}

void supply_journal_end(struct supply_run *run, const struct supply_report *report)
{
    struct supply_journal_record *record =
        supply_journal_add(run, SUPPLY_JOURNAL_END, &report->session_id, report->started_at_ms);

    record->at_ms = report->ended_at_ms;
    record->energy_wms = report->energy_wms;
    record->stop_reason = report->stop_reason;
}

void supply_send_status(struct supply_run *run, bool sync)
{
    const struct supply *supply = run->supply;
    struct message_status *status = &supply_send_add(run, MESSAGE_STATUS)->status;

    status->engine_ok = true; /* a fault is told by its text; false is the monitor's word for silence */
    (void)snprintf(status->fault, sizeof status->fault, "%s", supply->fault);
    status->plugged = supply->plugged;
    status->supply = supply->phase;
    if (supply->phase != CP_SUPPLY_NONE) {
        status->session_id = supply->session_id;
    }
    status->sync = sync;
    status->max_power_w = supply->config->max_power_w;
    status->speed = supply->config->speed;
    status->battery_wh = supply->config->battery_wh;
    status->soc_permille = battery_soc_permille(&supply->battery);
}

void supply_send_report(struct supply_run *run, const struct supply_report *report)
{
    struct message_supply_ended *ended = &supply_send_add(run, MESSAGE_SUPPLY_ENDED)->supply_ended;

    ended->session_id = report->session_id;
    ended->energy_wms = report->energy_wms;
    ended->stop_reason = report->stop_reason;
    ended->started_at_ms = report->started_at_ms;
    ended->ended_at_ms = report->ended_at_ms;
}

void supply_send_reservation_ended(struct supply_run *run, const struct session_id *session_id,
                                   enum message_reservation_end reason, const char *detail)
{
    struct message_reservation_ended *ended =
        &supply_send_add(run, MESSAGE_RESERVATION_ENDED)->reservation_ended;

    ended->session_id = *session_id;
    ended->reason = reason;
    (void)snprintf(ended->detail, sizeof ended->detail, "%s", detail);
}

void supply_publish(struct supply_run *run, const struct supply_report *final)
{
    const struct supply *supply = run->supply;
    struct telemetry_sample *sample = &effect_add(run, SUPPLY_EFFECT_PUBLISH)->sample;

    sample->soc_permille = battery_soc_permille(&supply->battery);
    sample->at_ms = run->event->wall_ms;
    if (final != NULL) {
        sample->kind = SAMPLE_FINAL;
        sample->stop_reason = final->stop_reason;
        sample->session_id = final->session_id;
        sample->energy_wms = final->energy_wms;
    } else {
        sample->kind = SAMPLE_LIVE;
        sample->session_id = supply->session_id;
        sample->energy_wms = supply->energy_wms;
        sample->power_w = supply->power_w;
    }
}
