#include "cp_engine/supply.h"

#include "common/rules/energy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What one step works on. */
struct step {
    struct supply *supply;
    const struct supply_event *event;
    struct supply_effects *effects;
};

static struct supply_effect *effect_add(struct step *step, enum supply_effect_type type)
{
    struct supply_effects *effects = step->effects;

    EV_ASSERT(effects->count < SUPPLY_EFFECTS_MAX);
    struct supply_effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

static struct message *send_add(struct step *step, enum message_type type)
{
    struct supply_effect *effect = effect_add(step, SUPPLY_EFFECT_SEND);

    message_init(&effect->message, type, &step->supply->cp_id);
    return &effect->message;
}

__attribute__((format(printf, 4, 5))) static void
log_add(struct step *step, const char *event, const struct session_id *session_id, const char *format, ...)
{
    struct supply_effect *effect = effect_add(step, SUPPLY_EFFECT_LOG);
    va_list args;

    effect->log.event = event;
    if (session_id != NULL) {
        effect->log.session_id = *session_id;
    }
    va_start(args, format);
    (void)vsnprintf(effect->log.text, sizeof effect->log.text, format, args);
    va_end(args);
}

static struct supply_journal_record *journal_add(struct step *step, enum supply_journal_kind kind,
                                                 const struct session_id *session_id, int64_t started_at_ms)
{
    struct supply_effect *effect = effect_add(step, SUPPLY_EFFECT_JOURNAL);

    effect->journal.kind = kind;
    effect->journal.session_id = *session_id;
    effect->journal.started_at_ms = started_at_ms;
    effect->journal.at_ms = step->event->wall_ms;
    return &effect->journal;
}

static void journal_end(struct step *step, const struct supply_report *report)
{
    struct supply_journal_record *record =
        journal_add(step, SUPPLY_JOURNAL_END, &report->session_id, report->started_at_ms);

    record->at_ms = report->ended_at_ms;
    record->energy_wms = report->energy_wms;
    record->stop_reason = report->stop_reason;
}

static void send_status(struct step *step, bool sync)
{
    const struct supply *supply = step->supply;
    struct message_status *status = &send_add(step, MESSAGE_STATUS)->status;

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

static void send_report(struct step *step, const struct supply_report *report)
{
    struct message_supply_ended *ended = &send_add(step, MESSAGE_SUPPLY_ENDED)->supply_ended;

    ended->session_id = report->session_id;
    ended->energy_wms = report->energy_wms;
    ended->stop_reason = report->stop_reason;
    ended->started_at_ms = report->started_at_ms;
    ended->ended_at_ms = report->ended_at_ms;
}

static void send_reservation_ended(struct step *step, const struct session_id *session_id,
                                   enum message_reservation_end reason, const char *detail)
{
    struct message_reservation_ended *ended = &send_add(step, MESSAGE_RESERVATION_ENDED)->reservation_ended;

    ended->session_id = *session_id;
    ended->reason = reason;
    (void)snprintf(ended->detail, sizeof ended->detail, "%s", detail);
}

static void publish(struct step *step, const struct supply_report *final)
{
    const struct supply *supply = step->supply;
    struct telemetry_sample *sample = &effect_add(step, SUPPLY_EFFECT_PUBLISH)->sample;

    sample->soc_permille = battery_soc_permille(&supply->battery);
    sample->at_ms = step->event->wall_ms;
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

static struct supply_report *report_find(struct supply *supply, const struct session_id *session_id)
{
    for (size_t i = 0; i < supply->unsettled_count; i++) {
        if (session_id_equal(&supply->unsettled[i].session_id, session_id)) {
            return &supply->unsettled[i];
        }
    }
    return NULL;
}

static bool is_current(const struct supply *supply, const struct session_id *session_id)
{
    return supply->phase != CP_SUPPLY_NONE && session_id_equal(&supply->session_id, session_id);
}

static void session_clear(struct supply *supply)
{
    supply->phase = CP_SUPPLY_NONE;
    memset(&supply->session_id, 0, sizeof supply->session_id);
    supply->target_wh = 0;
    supply->energy_wms = 0;
    supply->durable_wms = 0;
    supply->power_w = 0;
    supply->opened = false;
    supply->plug_mono_ms = SUPPLY_OFF;
}

/* Moves the meter to the event's time. */
static void meter(struct step *step, struct battery_output *ret_output)
{
    struct supply *supply = step->supply;
    int64_t elapsed_ms = step->event->mono_ms - supply->metered_mono_ms;
    uint64_t limit_wms = BATTERY_NO_LIMIT;

    if (elapsed_ms < 0) {
        elapsed_ms = 0;
    } else if (elapsed_ms > SUPPLY_STEP_MS_MAX) {
        elapsed_ms = SUPPLY_STEP_MS_MAX;
    }
    if (supply->target_wh > 0) {
        limit_wms = (uint64_t)supply->target_wh * ENERGY_WMS_PER_WH - supply->energy_wms;
    }
    enum ev_err err =
        battery_step(&supply->battery, (uint64_t)elapsed_ms, supply->config->speed, limit_wms, ret_output);
    EV_ASSERT(err == EV_OK);
    supply->energy_wms += ret_output->delivered_wms;
    supply->power_w = ret_output->power_w;
    supply->metered_mono_ms = step->event->mono_ms;
}

/* charging -> none: the report joins those that wait to be settled. Room for it was checked at the start. */
static void end_supply(struct step *step, enum stop_reason reason, bool journalled)
{
    struct supply *supply = step->supply;
    struct supply_report report = {.session_id = supply->session_id,
                                   .energy_wms = supply->energy_wms,
                                   .stop_reason = reason,
                                   .started_at_ms = supply->started_at_ms,
                                   .ended_at_ms = step->event->wall_ms,
                                   .durable_wms = supply->durable_wms};

    if (report.ended_at_ms < report.started_at_ms) {
        report.ended_at_ms = report.started_at_ms;
    }
    if (journalled) {
        journal_end(step, &report);
    }
    EV_ASSERT(supply->unsettled_count < SUPPLY_UNSETTLED_MAX);
    supply->unsettled[supply->unsettled_count++] = report;
    session_clear(supply);
    if (supply->plugged && supply->config->auto_unplug_ms != SUPPLY_OFF) {
        supply->unplug_mono_ms = step->event->mono_ms + supply->config->auto_unplug_ms;
    }
    log_add(step, "supply.ended", &report.session_id, "supply ended (%s) after %llu Wh",
            stop_reason_text(reason), (unsigned long long)energy_wh_from_wms(report.energy_wms));
    publish(step, &report);
    send_report(step, &report);
    send_status(step, false);
}

/* Brings the meter up to now and ends supply. */
static void stop_supply(struct step *step, enum stop_reason reason)
{
    struct battery_output output;

    meter(step, &output);
    end_supply(step, reason, true);
}

/* preparing -> none. */
static void end_reservation(struct step *step, enum message_reservation_end reason, const char *detail)
{
    struct session_id session_id = step->supply->session_id;

    session_clear(step->supply);
    log_add(step, "supply.reservation_ended", &session_id, "the reservation is over (%s): %s",
            message_reservation_end_text(reason), detail);
    send_reservation_ended(step, &session_id, reason, detail);
    send_status(step, false);
}

/* preparing -> charging. */
static void start_supply(struct step *step)
{
    struct supply *supply = step->supply;

    supply->phase = CP_SUPPLY_CHARGING;
    supply->started_at_ms = step->event->wall_ms;
    supply->metered_mono_ms = step->event->mono_ms;
    supply->sampled_mono_ms = step->event->mono_ms;
    supply->power_w = battery_power_w(&supply->battery);
    supply->plug_mono_ms = SUPPLY_OFF;
    supply->unplug_mono_ms = SUPPLY_OFF;
    journal_add(step, SUPPLY_JOURNAL_OPEN, &supply->session_id, supply->started_at_ms);
    log_add(step, "supply.started", &supply->session_id, "supply started at %u W", supply->power_w);
    struct message_supply_started *started = &send_add(step, MESSAGE_SUPPLY_STARTED)->supply_started;
    started->session_id = supply->session_id;
    started->started_at_ms = supply->started_at_ms;
    send_status(step, false);
    publish(step, NULL);
}

static void on_plug(struct step *step)
{
    struct supply *supply = step->supply;
    const struct supply_config *config = supply->config;

    if (supply->plugged) {
        log_add(step, "supply.plug_ignored", NULL, "a car is plugged in already");
        return;
    }
    supply->plugged = true;
    enum ev_err err =
        battery_init(&supply->battery, config->battery_wh, config->soc_permille, config->max_power_w);
    EV_ASSERT(err == EV_OK);
    log_add(step, "supply.plugged", NULL, "a car is plugged in, its battery at %u %%",
            config->soc_permille / 10);
    if (supply->phase == CP_SUPPLY_PREPARING) {
        start_supply(step);
    } else {
        send_status(step, false);
    }
}

static void on_unplug(struct step *step)
{
    struct supply *supply = step->supply;

    if (!supply->plugged) {
        log_add(step, "supply.unplug_ignored", NULL, "no car is plugged in");
        return;
    }
    supply->plugged = false;
    supply->unplug_mono_ms = SUPPLY_OFF;
    log_add(step, "supply.unplugged", NULL, "the car is unplugged");
    if (supply->phase == CP_SUPPLY_CHARGING) {
        stop_supply(step, STOP_UNPLUGGED);
    } else {
        send_status(step, false);
    }
}

static void take_reservation(struct step *step, const struct message_authorise *authorise)
{
    struct supply *supply = step->supply;

    session_clear(supply);
    supply->phase = CP_SUPPLY_PREPARING;
    supply->session_id = authorise->session_id;
    supply->target_wh = authorise->target_wh;
    log_add(step, "supply.authorised", &supply->session_id, "driver %s may charge",
            driver_id_format(&authorise->driver_id));
    if (supply->plugged) {
        start_supply(step);
        return;
    }
    if (supply->config->auto_plug_ms != SUPPLY_OFF) {
        supply->plug_mono_ms = step->event->mono_ms + supply->config->auto_plug_ms;
    }
    send_status(step, false);
}

static void on_authorise(struct step *step)
{
    struct supply *supply = step->supply;
    const struct message_authorise *authorise = &step->event->authorise;
    const struct supply_report *report = report_find(supply, &authorise->session_id);
    char detail[MESSAGE_TEXT_SIZE];

    if (report != NULL) {
        send_report(step, report);
        return;
    }
    if (is_current(supply, &authorise->session_id)) {
        send_status(step, false);
        return;
    }
    if (supply->phase != CP_SUPPLY_NONE) {
        (void)snprintf(detail, sizeof detail, "busy with session %s", supply->session_id.text);
        send_reservation_ended(step, &authorise->session_id, MESSAGE_RESERVATION_REFUSED, detail);
    } else if (supply->fault[0] != '\0') {
        send_reservation_ended(step, &authorise->session_id, MESSAGE_RESERVATION_FAULT, supply->fault);
    } else if (supply->unsettled_count == SUPPLY_UNSETTLED_MAX) {
        send_reservation_ended(step, &authorise->session_id, MESSAGE_RESERVATION_REFUSED,
                               "too many supplies wait to be settled");
    } else {
        take_reservation(step, authorise);
        return;
    }
    log_add(step, "supply.refused", &authorise->session_id, "an authorisation was refused");
}

static void on_cancel(struct step *step)
{
    const struct message_cancel *cancel = &step->event->cancel;
    struct supply *supply = step->supply;

    if (!is_current(supply, &cancel->session_id) || supply->phase != CP_SUPPLY_PREPARING) {
        /* It has started, or is over: the status tells what is true. */
        send_status(step, false);
        return;
    }
    enum message_reservation_end reason = MESSAGE_RESERVATION_CANCELLED;
    if (cancel->reason == REASON_NOT_PLUGGED_IN) {
        reason = MESSAGE_RESERVATION_EXPIRED;
    } else if (cancel->reason == REASON_CONTROL_LOST) {
        reason = MESSAGE_RESERVATION_CONTROL_LOST;
    }
    end_reservation(step, reason, session_reason_text(cancel->reason));
}

static void on_stop(struct step *step)
{
    const struct message_stop *stop = &step->event->stop;
    struct supply *supply = step->supply;
    const struct supply_report *report = report_find(supply, &stop->session_id);

    if (report != NULL) {
        send_report(step, report);
    } else if (!is_current(supply, &stop->session_id)) {
        log_add(step, "supply.stop_ignored", &stop->session_id, "no such session runs here");
        send_status(step, false);
    } else if (supply->phase == CP_SUPPLY_PREPARING) {
        end_reservation(step, MESSAGE_RESERVATION_CANCELLED, stop_reason_text(stop->reason));
    } else {
        stop_supply(step, stop->reason);
    }
}

static void report_remove(struct supply *supply, struct supply_report *report)
{
    size_t after = supply->unsettled_count - (size_t)(report - supply->unsettled) - 1;

    memmove(report, report + 1, after * sizeof *report);
    supply->unsettled_count--;
}

static void on_settled(struct step *step)
{
    struct supply *supply = step->supply;
    const struct session_id *session_id = &step->event->settled.session_id;
    struct supply_report *report = report_find(supply, session_id);

    if (report == NULL || report->settled) {
        return; /* the answer to a repeated report */
    }
    log_add(step, "supply.settled", session_id, "Central settled %llu Wh, %llu cents",
            (unsigned long long)step->event->settled.energy_wh,
            (unsigned long long)step->event->settled.cost_cents);
    if (!report->durable || !supply->journal_ok) {
        report->settled = true; /* the journal learns of its end and of this when it can be written again */
        return;
    }
    journal_add(step, SUPPLY_JOURNAL_SETTLED, session_id, report->started_at_ms);
    report_remove(supply, report);
}

/* Ends what runs because of the fault that was just set. */
static void enter_fault(struct step *step, bool journalled)
{
    struct supply *supply = step->supply;

    log_add(step, "supply.fault", NULL, "%s", supply->fault);
    if (supply->phase == CP_SUPPLY_CHARGING && journalled) {
        stop_supply(step, STOP_FAULT);
    } else if (supply->phase == CP_SUPPLY_CHARGING) {
        end_supply(step, STOP_FAULT, false);
    } else if (supply->phase == CP_SUPPLY_PREPARING) {
        end_reservation(step, MESSAGE_RESERVATION_FAULT, supply->fault);
    } else {
        send_status(step, false);
    }
}

static void on_fault(struct step *step)
{
    const char *text = step->event->text;

    (void)snprintf(step->supply->fault, sizeof step->supply->fault, "%s",
                   text[0] != '\0' ? text : "out of order");
    enter_fault(step, true);
}

static void on_repair(struct step *step)
{
    struct supply *supply = step->supply;

    if (supply->fault[0] == '\0') {
        log_add(step, "supply.repair_ignored", NULL, "there is no fault");
    } else if (!supply->journal_ok) {
        log_add(step, "supply.repair_ignored", NULL, "%s", supply->fault);
    } else {
        supply->fault[0] = '\0';
        log_add(step, "supply.repaired", NULL, "the fault is repaired");
        send_status(step, false);
    }
}

static void on_monitor_lost(struct step *step)
{
    if (step->supply->phase == CP_SUPPLY_CHARGING) {
        stop_supply(step, STOP_MONITOR_LOST);
    } else if (step->supply->phase == CP_SUPPLY_PREPARING) {
        end_reservation(step, MESSAGE_RESERVATION_CANCELLED, "the monitor is lost");
    }
}

static void on_tick(struct step *step)
{
    struct supply *supply = step->supply;
    int64_t now = step->event->mono_ms;

    if (supply->unplug_mono_ms != SUPPLY_OFF && now >= supply->unplug_mono_ms) {
        on_unplug(step);
    } else if (supply->plug_mono_ms != SUPPLY_OFF && now >= supply->plug_mono_ms) {
        supply->plug_mono_ms = SUPPLY_OFF;
        on_plug(step);
    } else if (supply->phase == CP_SUPPLY_CHARGING && now - supply->sampled_mono_ms >= SUPPLY_SAMPLE_MS) {
        struct battery_output output;

        meter(step, &output);
        /* Keeps the beat; after a long pause it starts a new one. */
        supply->sampled_mono_ms += SUPPLY_SAMPLE_MS;
        if (now - supply->sampled_mono_ms >= SUPPLY_SAMPLE_MS) {
            supply->sampled_mono_ms = now;
        }
        if (output.at_limit) {
            end_supply(step, STOP_TARGET, true);
        } else if (output.full) {
            end_supply(step, STOP_BATTERY_FULL, true);
        } else {
            journal_add(step, SUPPLY_JOURNAL_METER, &supply->session_id, supply->started_at_ms)->energy_wms =
                supply->energy_wms;
            publish(step, NULL);
        }
    }
}

static void on_attach(struct step *step)
{
    struct supply *supply = step->supply;

    for (size_t i = 0; i < supply->unsettled_count; i++) {
        if (!supply->unsettled[i].settled) {
            send_report(step, &supply->unsettled[i]);
        }
    }
    send_status(step, true);
}

static void on_journalled(struct supply *supply)
{
    supply->opened = supply->phase == CP_SUPPLY_CHARGING;
    supply->durable_wms = supply->energy_wms;
    for (size_t i = supply->unsettled_count; i-- > 0;) {
        struct supply_report *report = &supply->unsettled[i];

        report->durable = true;
        report->durable_wms = report->energy_wms;
        if (report->settled) {
            report_remove(supply, report);
        }
    }
}

/* What the disk does not hold was not delivered: the meters go back to what it holds. */
static void on_journal_failed(struct step *step)
{
    struct supply *supply = step->supply;

    supply->journal_ok = false;
    (void)snprintf(supply->fault, sizeof supply->fault, "%s", step->event->text);
    for (size_t i = 0; i < supply->unsettled_count; i++) {
        struct supply_report *report = &supply->unsettled[i];
        if (!report->durable) {
            report->energy_wms = report->durable_wms;
            publish(step, report);
            send_report(step, report);
        }
    }
    if (supply->phase == CP_SUPPLY_CHARGING && !supply->opened) {
        /* Its start was not told to anyone. */
        supply->phase = CP_SUPPLY_PREPARING;
    }
    supply->energy_wms = supply->durable_wms;
    enter_fault(step, false);
}

static void on_journal_recovered(struct step *step)
{
    struct supply *supply = step->supply;

    for (size_t i = 0; i < supply->unsettled_count; i++) {
        const struct supply_report *report = &supply->unsettled[i];
        if (!report->durable) {
            journal_end(step, report);
        }
        if (report->settled) {
            journal_add(step, SUPPLY_JOURNAL_SETTLED, &report->session_id, report->started_at_ms);
        }
    }
    if (!supply->journal_ok) {
        supply->journal_ok = true;
        on_repair(step);
    }
}

void supply_init(struct supply *supply, const struct supply_config *config, const struct cp_id *cp_id)
{
    memset(supply, 0, sizeof *supply);
    supply->config = config;
    supply->cp_id = *cp_id;
    supply->journal_ok = true;
    supply->plug_mono_ms = SUPPLY_OFF;
    supply->unplug_mono_ms = SUPPLY_OFF;
    enum ev_err err =
        battery_init(&supply->battery, config->battery_wh, config->soc_permille, config->max_power_w);
    EV_ASSERT(err == EV_OK);
}

enum ev_err supply_restore(struct supply *supply, const struct supply_report *report)
{
    if (supply->unsettled_count == SUPPLY_UNSETTLED_MAX) {
        return EV_ERR_FULL;
    }
    supply->unsettled[supply->unsettled_count++] = *report;
    return EV_OK;
}

void supply_step(struct supply *supply, const struct supply_event *event, struct supply_effects *ret_effects)
{
    struct step step = {.supply = supply, .event = event, .effects = ret_effects};
    static void (*const handlers[SUPPLY_EVENT_COUNT])(struct step *) = {
        [SUPPLY_EVENT_TICK] = on_tick,
        [SUPPLY_EVENT_ATTACH] = on_attach,
        [SUPPLY_EVENT_AUTHORISE] = on_authorise,
        [SUPPLY_EVENT_CANCEL] = on_cancel,
        [SUPPLY_EVENT_STOP] = on_stop,
        [SUPPLY_EVENT_SETTLED] = on_settled,
        [SUPPLY_EVENT_PLUG] = on_plug,
        [SUPPLY_EVENT_UNPLUG] = on_unplug,
        [SUPPLY_EVENT_FAULT] = on_fault,
        [SUPPLY_EVENT_REPAIR] = on_repair,
        [SUPPLY_EVENT_MONITOR_LOST] = on_monitor_lost,
        [SUPPLY_EVENT_JOURNAL_FAILED] = on_journal_failed,
        [SUPPLY_EVENT_JOURNAL_RECOVERED] = on_journal_recovered,
    };

    ret_effects->count = 0;
    if (event->type == SUPPLY_EVENT_JOURNALLED) {
        on_journalled(supply);
        return;
    }
    EV_ASSERT((unsigned)event->type < SUPPLY_EVENT_COUNT);
    handlers[event->type](&step);
}

void supply_health(const struct supply *supply, int64_t n, struct message *ret_message)
{
    message_init(ret_message, MESSAGE_HEALTH_ANSWER, &supply->cp_id);
    struct message_health_answer *answer = &ret_message->health_answer;

    answer->n = n;
    answer->ok = supply->fault[0] == '\0';
    (void)snprintf(answer->fault, sizeof answer->fault, "%s", supply->fault);
    answer->soc_permille = battery_soc_permille(&supply->battery);
    if (supply->phase != CP_SUPPLY_NONE) {
        answer->session_id = supply->session_id;
        answer->power_w = supply->power_w;
        answer->energy_wms = supply->durable_wms;
    }
}

bool supply_is_idle(const struct supply *supply)
{
    return supply->phase == CP_SUPPLY_NONE && !supply->plugged;
}
