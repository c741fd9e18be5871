#include "cp_engine/supply.h"

#include "common/rules/energy.h"
#include "cp_engine/supply_internal.h"

#include <stdio.h>
#include <string.h>

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
static void meter(struct supply_run *run, struct battery_output *ret_output)
{
    struct supply *supply = run->supply;
    int64_t elapsed_ms = run->event->mono_ms - supply->metered_mono_ms;
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
    supply->metered_mono_ms = run->event->mono_ms;
}

/* charging -> none: the report joins those that wait to be settled. Room for it was checked at the start. */
static void end_supply(struct supply_run *run, enum stop_reason reason, bool journalled)
{
    struct supply *supply = run->supply;
    struct supply_report report = {.session_id = supply->session_id,
                                   .energy_wms = supply->energy_wms,
                                   .stop_reason = reason,
                                   .started_at_ms = supply->started_at_ms,
                                   .ended_at_ms = run->event->wall_ms,
                                   .durable_wms = supply->durable_wms};

    if (report.ended_at_ms < report.started_at_ms) {
        report.ended_at_ms = report.started_at_ms;
    }
    if (journalled) {
        supply_journal_end(run, &report);
    }
    EV_ASSERT(supply->unsettled_count < SUPPLY_UNSETTLED_MAX);
    supply->unsettled[supply->unsettled_count++] = report;
    session_clear(supply);
    if (supply->plugged && supply->config->auto_unplug_ms != SUPPLY_OFF) {
        supply->unplug_mono_ms = run->event->mono_ms + supply->config->auto_unplug_ms;
    }
    supply_log_add(run, "supply.ended", &report.session_id, "supply ended (%s) after %llu Wh",
                   stop_reason_text(reason), (unsigned long long)energy_wh_from_wms(report.energy_wms));
    supply_publish(run, &report);
    supply_send_report(run, &report);
    supply_send_status(run, false);
}

/* Brings the meter up to now and ends supply. */
static void stop_supply(struct supply_run *run, enum stop_reason reason)
{
    struct battery_output output;

    meter(run, &output);
    end_supply(run, reason, true);
}

/* preparing -> none. */
static void end_reservation(struct supply_run *run, enum message_reservation_end reason, const char *detail)
{
    struct session_id session_id = run->supply->session_id;

    session_clear(run->supply);
    supply_log_add(run, "supply.reservation_ended", &session_id, "the reservation is over (%s): %s",
                   message_reservation_end_text(reason), detail);
    supply_send_reservation_ended(run, &session_id, reason, detail);
    supply_send_status(run, false);
}

/* preparing -> charging. */
static void start_supply(struct supply_run *run)
{
    struct supply *supply = run->supply;

    supply->phase = CP_SUPPLY_CHARGING;
    supply->started_at_ms = run->event->wall_ms;
    supply->metered_mono_ms = run->event->mono_ms;
    supply->sampled_mono_ms = run->event->mono_ms;
    supply->power_w = battery_power_w(&supply->battery);
    supply->plug_mono_ms = SUPPLY_OFF;
    supply->unplug_mono_ms = SUPPLY_OFF;
    supply_journal_add(run, SUPPLY_JOURNAL_OPEN, &supply->session_id, supply->started_at_ms);
    supply_log_add(run, "supply.started", &supply->session_id, "supply started at %u W", supply->power_w);
    struct message_supply_started *started = &supply_send_add(run, MESSAGE_SUPPLY_STARTED)->supply_started;
    started->session_id = supply->session_id;
    started->started_at_ms = supply->started_at_ms;
    supply_send_status(run, false);
    supply_publish(run, NULL);
}

static void on_plug(struct supply_run *run)
{
    struct supply *supply = run->supply;
    const struct supply_config *config = supply->config;

    if (supply->plugged) {
        supply_log_add(run, "supply.plug_ignored", NULL, "a car is plugged in already");
        return;
    }
    supply->plugged = true;
    enum ev_err err =
        battery_init(&supply->battery, config->battery_wh, config->soc_permille, config->max_power_w);
    EV_ASSERT(err == EV_OK);
    supply_log_add(run, "supply.plugged", NULL, "a car is plugged in, its battery at %u %%",
                   config->soc_permille / 10);
    if (supply->phase == CP_SUPPLY_PREPARING) {
        start_supply(run);
    } else {
        supply_send_status(run, false);
    }
}

static void on_unplug(struct supply_run *run)
{
    struct supply *supply = run->supply;

    if (!supply->plugged) {
        supply_log_add(run, "supply.unplug_ignored", NULL, "no car is plugged in");
        return;
    }
    supply->plugged = false;
    supply->unplug_mono_ms = SUPPLY_OFF;
    supply_log_add(run, "supply.unplugged", NULL, "the car is unplugged");
    if (supply->phase == CP_SUPPLY_CHARGING) {
        stop_supply(run, STOP_UNPLUGGED);
    } else {
        supply_send_status(run, false);
    }
}

static void take_reservation(struct supply_run *run, const struct message_authorise *authorise)
{
    struct supply *supply = run->supply;

    session_clear(supply);
    supply->phase = CP_SUPPLY_PREPARING;
    supply->session_id = authorise->session_id;
    supply->target_wh = authorise->target_wh;
    supply_log_add(run, "supply.authorised", &supply->session_id, "driver %s may charge",
                   driver_id_format(&authorise->driver_id));
    if (supply->plugged) {
        start_supply(run);
        return;
    }
    if (supply->config->auto_plug_ms != SUPPLY_OFF) {
        supply->plug_mono_ms = run->event->mono_ms + supply->config->auto_plug_ms;
    }
    supply_send_status(run, false);
}

static void on_authorise(struct supply_run *run)
{
    struct supply *supply = run->supply;
    const struct message_authorise *authorise = &run->event->authorise;
    const struct supply_report *report = report_find(supply, &authorise->session_id);
    char detail[MESSAGE_TEXT_SIZE];

    if (report != NULL) {
        supply_send_report(run, report);
        return;
    }
    if (is_current(supply, &authorise->session_id)) {
        supply_send_status(run, false);
        return;
    }
    if (supply->phase != CP_SUPPLY_NONE) {
        (void)snprintf(detail, sizeof detail, "busy with session %s", supply->session_id.text);
        supply_send_reservation_ended(run, &authorise->session_id, MESSAGE_RESERVATION_REFUSED, detail);
    } else if (supply->fault[0] != '\0') {
        supply_send_reservation_ended(run, &authorise->session_id, MESSAGE_RESERVATION_FAULT, supply->fault);
    } else if (supply->unsettled_count == SUPPLY_UNSETTLED_MAX) {
        supply_send_reservation_ended(run, &authorise->session_id, MESSAGE_RESERVATION_REFUSED,
                                      "too many supplies wait to be settled");
    } else {
        take_reservation(run, authorise);
        return;
    }
    supply_log_add(run, "supply.refused", &authorise->session_id, "an authorisation was refused");
}

static void on_cancel(struct supply_run *run)
{
    const struct message_cancel *cancel = &run->event->cancel;
    struct supply *supply = run->supply;

    if (!is_current(supply, &cancel->session_id) || supply->phase != CP_SUPPLY_PREPARING) {
        /* It has started, or is over: the status tells what is true. */
        supply_send_status(run, false);
        return;
    }
    enum message_reservation_end reason = MESSAGE_RESERVATION_CANCELLED;
    if (cancel->reason == REASON_NOT_PLUGGED_IN) {
        reason = MESSAGE_RESERVATION_EXPIRED;
    } else if (cancel->reason == REASON_CONTROL_LOST) {
        reason = MESSAGE_RESERVATION_CONTROL_LOST;
    }
    end_reservation(run, reason, session_reason_text(cancel->reason));
}

static void on_stop(struct supply_run *run)
{
    const struct message_stop *stop = &run->event->stop;
    struct supply *supply = run->supply;
    const struct supply_report *report = report_find(supply, &stop->session_id);

    if (report != NULL) {
        supply_send_report(run, report);
    } else if (!is_current(supply, &stop->session_id)) {
        supply_log_add(run, "supply.stop_ignored", &stop->session_id, "no such session runs here");
        supply_send_status(run, false);
    } else if (supply->phase == CP_SUPPLY_PREPARING) {
        end_reservation(run, MESSAGE_RESERVATION_CANCELLED, stop_reason_text(stop->reason));
    } else {
        stop_supply(run, stop->reason);
    }
}

static void report_remove(struct supply *supply, struct supply_report *report)
{
    size_t after = supply->unsettled_count - (size_t)(report - supply->unsettled) - 1;

    memmove(report, report + 1, after * sizeof *report);
    supply->unsettled_count--;
}

static void on_settled(struct supply_run *run)
{
    struct supply *supply = run->supply;
    const struct session_id *session_id = &run->event->settled.session_id;
    struct supply_report *report = report_find(supply, session_id);

    if (report == NULL || report->settled) {
        return; /* the answer to a repeated report */
    }
    supply_log_add(run, "supply.settled", session_id, "Central settled %llu Wh, %llu cents",
                   (unsigned long long)run->event->settled.energy_wh,
                   (unsigned long long)run->event->settled.cost_cents);
    if (!report->durable || !supply->journal_ok) {
        report->settled = true; /* the journal learns of its end and of this when it can be written again */
        return;
    }
    supply_journal_add(run, SUPPLY_JOURNAL_SETTLED, session_id, report->started_at_ms);
    report_remove(supply, report);
}

/* Ends what runs because of the fault that was just set. */
static void enter_fault(struct supply_run *run, bool journalled)
{
    struct supply *supply = run->supply;

    supply_log_add(run, "supply.fault", NULL, "%s", supply->fault);
    if (supply->phase == CP_SUPPLY_CHARGING && journalled) {
        stop_supply(run, STOP_FAULT);
    } else if (supply->phase == CP_SUPPLY_CHARGING) {
        end_supply(run, STOP_FAULT, false);
    } else if (supply->phase == CP_SUPPLY_PREPARING) {
        end_reservation(run, MESSAGE_RESERVATION_FAULT, supply->fault);
    } else {
        supply_send_status(run, false);
    }
}

static void on_fault(struct supply_run *run)
{
    const char *text = run->event->text;

    (void)snprintf(run->supply->fault, sizeof run->supply->fault, "%s",
                   text[0] != '\0' ? text : "out of order");
    enter_fault(run, true);
}

static void on_repair(struct supply_run *run)
{
    struct supply *supply = run->supply;

    if (supply->fault[0] == '\0') {
        supply_log_add(run, "supply.repair_ignored", NULL, "there is no fault");
    } else if (!supply->journal_ok) {
        supply_log_add(run, "supply.repair_ignored", NULL, "%s", supply->fault);
    } else {
        supply->fault[0] = '\0';
        supply_log_add(run, "supply.repaired", NULL, "the fault is repaired");
        supply_send_status(run, false);
    }
}

static void on_monitor_lost(struct supply_run *run)
{
    if (run->supply->phase == CP_SUPPLY_CHARGING) {
        stop_supply(run, STOP_MONITOR_LOST);
    } else if (run->supply->phase == CP_SUPPLY_PREPARING) {
        end_reservation(run, MESSAGE_RESERVATION_CANCELLED, "the monitor is lost");
    }
}

static void on_tick(struct supply_run *run)
{
    struct supply *supply = run->supply;
    int64_t now = run->event->mono_ms;

    if (supply->unplug_mono_ms != SUPPLY_OFF && now >= supply->unplug_mono_ms) {
        on_unplug(run);
    } else if (supply->plug_mono_ms != SUPPLY_OFF && now >= supply->plug_mono_ms) {
        supply->plug_mono_ms = SUPPLY_OFF;
        on_plug(run);
    } else if (supply->phase == CP_SUPPLY_CHARGING && now - supply->sampled_mono_ms >= SUPPLY_SAMPLE_MS) {
        struct battery_output output;

        meter(run, &output);
        /* Keeps the beat; after a long pause it starts a new one. */
        supply->sampled_mono_ms += SUPPLY_SAMPLE_MS;
        if (now - supply->sampled_mono_ms >= SUPPLY_SAMPLE_MS) {
            supply->sampled_mono_ms = now;
        }
        if (output.at_limit) {
            end_supply(run, STOP_TARGET, true);
        } else if (output.full) {
            end_supply(run, STOP_BATTERY_FULL, true);
        } else {
            supply_journal_add(run, SUPPLY_JOURNAL_METER, &supply->session_id, supply->started_at_ms)
                ->energy_wms = supply->energy_wms;
            supply_publish(run, NULL);
        }
    }
}

static void on_attach(struct supply_run *run)
{
    struct supply *supply = run->supply;

    for (size_t i = 0; i < supply->unsettled_count; i++) {
        if (!supply->unsettled[i].settled) {
            supply_send_report(run, &supply->unsettled[i]);
        }
    }
    supply_send_status(run, true);
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
static void on_journal_failed(struct supply_run *run)
{
    struct supply *supply = run->supply;

    supply->journal_ok = false;
    (void)snprintf(supply->fault, sizeof supply->fault, "%s", run->event->text);
    for (size_t i = 0; i < supply->unsettled_count; i++) {
        struct supply_report *report = &supply->unsettled[i];
        if (!report->durable) {
            report->energy_wms = report->durable_wms;
            supply_publish(run, report);
            supply_send_report(run, report);
        }
    }
    if (supply->phase == CP_SUPPLY_CHARGING && !supply->opened) {
        /* Its start was not told to anyone. */
        supply->phase = CP_SUPPLY_PREPARING;
    }
    supply->energy_wms = supply->durable_wms;
    enter_fault(run, false);
}

static void on_journal_recovered(struct supply_run *run)
{
    struct supply *supply = run->supply;

    for (size_t i = 0; i < supply->unsettled_count; i++) {
        const struct supply_report *report = &supply->unsettled[i];
        if (!report->durable) {
            supply_journal_end(run, report);
        }
        if (report->settled) {
            supply_journal_add(run, SUPPLY_JOURNAL_SETTLED, &report->session_id, report->started_at_ms);
        }
    }
    if (!supply->journal_ok) {
        supply->journal_ok = true;
        on_repair(run);
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
    struct supply_run run = {.supply = supply, .event = event, .effects = ret_effects};
    static void (*const handlers[SUPPLY_EVENT_COUNT])(struct supply_run *) = {
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
    handlers[event->type](&run);
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
