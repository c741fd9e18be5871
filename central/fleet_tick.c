#include "central/fleet_internal.h"

/* Ends what nobody can end any more: a reservation of which no word came, a supply that is out of sight for
 * too long, a settling session whose time has passed. */

static void tick_preparing(struct fleet *fleet, struct fleet_session *session)
{
    struct fleet_cp *cp = session->cp;
    int64_t limit_ms = fleet->config.prepare_ms + FLEET_PREPARE_GRACE_MS;
    bool away = !cp->facts.connected;
    int64_t waited_ms = away ? fleet->event->mono_ms - cp->away_mono_ms
                             : fleet_session_now(fleet, session) - session->s.prepared_ms;
    enum ev_err err = EV_OK;

    if (waited_ms < limit_ms || (!away && fleet->event->mono_ms - cp->connected_mono_ms < limit_ms)) {
        return;
    }
    if (!away) {
        struct message *message = fleet_emit_message(fleet, cp, MESSAGE_CANCEL);

        message->cancel.session_id = session->s.id;
        message->cancel.reason = REASON_NOT_PLUGGED_IN;
    }
    err = fleet_cp_apply(fleet, cp,
                         &(struct cp_event){.type = CP_EVENT_RESERVATION_CANCELLED,
                                            .reason = away ? REASON_CONTROL_LOST : REASON_NOT_PLUGGED_IN});
    EV_ASSERT(err == EV_OK);
}

static void tick_charging(struct fleet *fleet, struct fleet_session *session)
{
    struct fleet_cp *cp = session->cp;
    int64_t seen_ms = cp->away_mono_ms > session->heard_mono_ms ? cp->away_mono_ms : session->heard_mono_ms;
    enum ev_err err = EV_OK;

    if (cp->facts.connected || fleet->event->mono_ms - seen_ms < fleet->config.settle_ms) {
        return;
    }
    err =
        fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_ABANDONED, .stop = STOP_MONITOR_LOST});
    EV_ASSERT(err == EV_OK);
    fleet_session_settle(fleet, session, session->s.energy_wms, STOP_MONITOR_LOST, 0);
}

static void tick_settling(struct fleet *fleet, struct fleet_session *session)
{
    int64_t grace_ms =
        fleet->config.settle_ms < FLEET_RESTART_GRACE_MS ? fleet->config.settle_ms : FLEET_RESTART_GRACE_MS;
    enum session_state before = session->s.state;
    struct ticket ticket;

    /* Central was away as well: the journals first get a chance to come in. */
    if (fleet->event->mono_ms - fleet->started_mono_ms < grace_ms) {
        return;
    }
    if (session_settle_deadline(&session->s, fleet_session_now(fleet, session), fleet->config.settle_ms,
                                &ticket) == EV_OK) {
        fleet_session_moved(fleet, session, before);
        fleet_session_finished(fleet, session, &ticket);
    }
}

static bool tick_sessions(struct fleet *fleet)
{
    struct fleet_session *next = NULL;

    for (struct fleet_session *session = fleet->active; session != NULL; session = next) {
        next = session->next;
        if (fleet_is_nearly_full(fleet)) {
            return false;
        }
        if (session->cp == NULL) {
            continue;
        }
        if (session->s.state == SESSION_PREPARING) {
            tick_preparing(fleet, session);
        } else if (session->s.state == SESSION_CHARGING) {
            tick_charging(fleet, session);
        } else if (session->s.state == SESSION_SETTLING) {
            tick_settling(fleet, session);
        }
        fleet_touch_end(fleet);
    }
    return true;
}

static void tick_cp(struct fleet *fleet, struct fleet_cp *cp)
{
    int64_t now_ms = fleet->event->mono_ms;

    if (cp->leaving != FLEET_STAYS) {
        fleet_cp_check_leaving(fleet, cp);
    }
    if (cp->connection == 0) {
        return;
    }
    if (!cp->facts.connected && now_ms - cp->connected_mono_ms >= FLEET_FIRST_STATUS_MS) {
        enum ev_err err = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_CONNECTED});

        EV_ASSERT(err == EV_OK);
    }
    if (cp->rotate_mono_ms != 0 && now_ms >= cp->rotate_mono_ms && cp->facts.engine_ok &&
        cp->leaving == FLEET_STAYS) {
        fleet_cp_issue_key(fleet, cp);
    }
}

static bool tick_cps(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->cp_count; i++) {
        if (fleet_is_nearly_full(fleet)) {
            return false;
        }
        tick_cp(fleet, fleet->cp_order[i]);
        fleet_touch_end(fleet);
    }
    return true;
}

static bool tick_weather(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->city_count; i++) {
        struct fleet_city *city = fleet->city_order[i];

        if (!city->known || city->stale_shown ||
            fleet->event->mono_ms - city->received_mono_ms < fleet->config.stale_ms) {
            continue;
        }
        if (fleet_is_nearly_full(fleet)) {
            return false;
        }
        city->stale_shown = true;
        fleet_announce_weather(fleet, city);
    }
    return true;
}

/* What is done is not due any more, so going on means beginning again. */
void fleet_on_tick(struct fleet *fleet)
{
    fleet->work_tick = !(tick_sessions(fleet) && tick_cps(fleet) && tick_weather(fleet));
}
