#include "central/fleet_internal.h"

#include <inttypes.h>
#include <string.h>

/* Save, tell its driver, tell the panel. */
void fleet_session_changed(struct fleet *fleet, struct fleet_session *session)
{
    fleet_emit_session(fleet, FLEET_EFFECT_SAVE_SESSION, session);
    fleet_emit_session(fleet, FLEET_EFFECT_NOTIFY_SESSION, session);
    fleet_announce_session(fleet, session, false);
}

void fleet_session_finished(struct fleet *fleet, struct fleet_session *session, const struct ticket *ticket)
{
    session->power_w = 0;
    fleet_audit(fleet, "session.ticket", session->s.id.text, "ok",
                "%s at %s: %" PRIu64 " Wh, %" PRIu64 " cents, %s", ticket->driver_id.text, ticket->cp_id.text,
                ticket->energy_wh, ticket->cost_cents, stop_reason_text(ticket->stop_reason));
    fleet_session_changed(fleet, session);
}

/* The final meter of an authorised session, from whichever channel. A meter beyond belief is not billed: the
 * last one that was applied counts, and the audit says so. */
void fleet_session_settle(struct fleet *fleet, struct fleet_session *session, uint64_t meter_wms,
                          enum stop_reason reason, int64_t engine_ended_at_ms)
{
    int64_t now_ms = fleet_session_now(fleet, session);
    enum session_state before = session->s.state;
    bool current = session->cp != NULL && session->cp->current == session;
    struct ticket ticket;
    enum ev_err err = session_settle(&session->s, now_ms, meter_wms, reason, &ticket);

    if (err == EV_ERR_RANGE) {
        fleet_audit(fleet, "meter.refused", session->s.id.text, "refused",
                    "final meter of %" PRIu64 " Wh at %s is more than its power can have delivered",
                    energy_wh_from_wms(meter_wms), session->s.cp_id.text);
        err = session_settle(&session->s, now_ms, session->s.energy_wms, reason, &ticket);
    }
    EV_ASSERT(err == EV_OK);
    if (engine_ended_at_ms >= session->s.started_ms && engine_ended_at_ms <= now_ms) {
        session->s.ended_ms = ticket.ended_ms = engine_ended_at_ms;
    }
    if (current) {
        err = fleet_cp_apply(fleet, session->cp, &(struct cp_event){.type = CP_EVENT_SUPPLY_ENDED});
        EV_ASSERT(err == EV_OK);
        session->cp->ended_since_unplugged = true;
        fleet->touched_changed = true;
    }
    fleet_session_moved(fleet, session, before);
    fleet_session_finished(fleet, session, &ticket);
}

/* -- what the engine reports over control -- */

void fleet_on_supply_started(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet_cp_of_event(fleet);
    struct fleet_session *session = NULL;

    if (cp == NULL) {
        return;
    }
    session = fleet_session_any(fleet, &fleet->event->of.supply_started.session_id);
    if (session == NULL || session != cp->current) {
        fleet->out->refused = session != NULL && session->cp == cp ? EV_OK : EV_ERR_AUTH;
        return;
    }
    /* Already charging: a sample was faster. */
    fleet->out->refused = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_SUPPLY_STARTED});
}

static void answer_ended(struct fleet *fleet, struct fleet_cp *cp, const struct store_session *row)
{
    const struct message_supply_ended *ended = &fleet->event->of.supply_ended;

    if (row->state != (int)SESSION_FINISHED) {
        fleet_audit_cp(fleet, cp, "late_meter", row->id.text, "refused",
                       "%" PRIu64 " Wh reported for a session that ended as %s; never billed",
                       energy_wh_from_wms(ended->energy_wms),
                       session_state_text((enum session_state)row->state));
    } else if (row->energy_wms != ended->energy_wms) {
        fleet_audit_cp(fleet, cp, "late_meter", row->id.text, "refused",
                       "%" PRIu64 " Wh reported after the ticket on %" PRIu64 " Wh; never billed",
                       energy_wh_from_wms(ended->energy_wms), row->energy_wh);
    }
    fleet_emit_settled(fleet, cp, &row->id, row->energy_wh, row->cost_cents);
}

void fleet_on_supply_ended(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet_cp_of_event(fleet);
    const struct message_supply_ended *ended = &fleet->event->of.supply_ended;
    const struct store_session *known = fleet->event->known;
    struct fleet_session *session = NULL;
    struct store_session row;

    if (cp == NULL) {
        return;
    }
    session = fleet_session_any(fleet, &ended->session_id);
    if ((session != NULL && session->cp != cp) ||
        (session == NULL && known != NULL && !cp_id_equal(&known->cp_id, &cp->id))) {
        fleet_audit_cp(fleet, cp, "control.claim", ended->session_id.text, "refused",
                       "reported a session of another charge point");
        fleet->out->refused = EV_ERR_AUTH;
    } else if (session != NULL && session->active && session->s.state != SESSION_REQUESTED) {
        fleet_session_settle(fleet, session, ended->energy_wms, ended->stop_reason, ended->ended_at_ms);
        fleet_emit_settled(fleet, cp, &session->s.id, session_energy_wh(&session->s), session->s.cost_cents);
    } else if (session != NULL) {
        fleet_session_row(session, &row);
        answer_ended(fleet, cp, &row);
    } else if (known != NULL) {
        answer_ended(fleet, cp, known);
    } else {
        fleet_audit_cp(fleet, cp, "late_meter", ended->session_id.text, "refused",
                       "%" PRIu64 " Wh reported for a session that was never known here; never billed",
                       energy_wh_from_wms(ended->energy_wms));
        fleet_emit_settled(fleet, cp, &ended->session_id, 0, 0);
    }
    fleet_cp_check_leaving(fleet, cp);
}

static enum session_reason reason_of_end(enum message_reservation_end end)
{
    switch (end) {
    case MESSAGE_RESERVATION_EXPIRED:
        return REASON_NOT_PLUGGED_IN;
    case MESSAGE_RESERVATION_REFUSED:
        return REASON_CP_REFUSED;
    case MESSAGE_RESERVATION_FAULT:
        return REASON_FAULT;
    case MESSAGE_RESERVATION_CONTROL_LOST:
        return REASON_CONTROL_LOST;
    case MESSAGE_RESERVATION_CANCELLED: /* as it was ordered */
    case MESSAGE_RESERVATION_END_COUNT:
        break;
    }
    return REASON_NONE;
}

void fleet_on_reservation_ended(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet_cp_of_event(fleet);
    struct fleet_session *session = NULL;

    if (cp == NULL) {
        return;
    }
    session = fleet_session_any(fleet, &fleet->event->of.reservation_ended.session_id);
    if (session == NULL || session != cp->current || session->s.state != SESSION_PREPARING) {
        /* The repeat of one that is over is no offence; somebody else's is. */
        fleet->out->refused = session != NULL && session->cp != cp ? EV_ERR_AUTH : EV_OK;
        return;
    }
    fleet->out->refused = fleet_cp_apply(
        fleet, cp,
        &(struct cp_event){.type = CP_EVENT_RESERVATION_CANCELLED,
                           .reason = reason_of_end(fleet->event->of.reservation_ended.reason)});
    fleet_cp_check_leaving(fleet, cp);
}

/* -- telemetry -- */

static void add_curve(struct fleet *fleet, struct fleet_session *session)
{
    const struct telemetry_sample *sample = &fleet->event->of.sample;
    int64_t slot_ms = sample->at_ms - sample->at_ms % FLEET_CURVE_MS;
    struct fleet_effect *effect = NULL;

    if (slot_ms <= session->curve_slot_ms) {
        return;
    }
    session->curve_slot_ms = slot_ms;
    effect = fleet_emit(fleet, FLEET_EFFECT_ADD_CURVE);
    effect->session = session;
    effect->of.curve.at_ms = slot_ms;
    effect->of.curve.power_w = sample->power_w;
    effect->of.curve.energy_wms = session->s.energy_wms;
    effect->of.curve.soc_permille = (uint16_t)sample->soc_permille;
}

static void refuse_meter(struct fleet *fleet, struct fleet_session *session)
{
    fleet->out->refused = EV_ERR_RANGE;
    if (fleet->event->mono_ms - session->complaint_mono_ms >= FLEET_COMPLAINT_MS) {
        session->complaint_mono_ms = fleet->event->mono_ms;
        fleet_audit_cp(fleet, session->cp, "meter.refused", session->s.id.text, "refused",
                       "a sample of %" PRIu64 " Wh is more than its power can have delivered",
                       energy_wh_from_wms(fleet->event->of.sample.energy_wms));
    }
}

static void apply_live(struct fleet *fleet, struct fleet_session *session)
{
    const struct telemetry_sample *sample = &fleet->event->of.sample;
    enum meter_effect effect = METER_SAME;
    enum ev_err err =
        session_apply_meter(&session->s, fleet_session_now(fleet, session), sample->energy_wms, &effect);

    if (err == EV_ERR_RANGE) {
        refuse_meter(fleet, session);
        return;
    }
    EV_ASSERT(err == EV_OK);
    session->heard_mono_ms = fleet->event->mono_ms;
    session->power_w = session->s.state == SESSION_CHARGING ? sample->power_w : 0;
    session->soc_permille = (uint16_t)sample->soc_permille;
    session->sample_at_ms = sample->at_ms;
    if (effect == METER_RAISED) {
        fleet_emit_session(fleet, FLEET_EFFECT_SAVE_METER, session);
    }
    add_curve(fleet, session);
    if (fleet->event->mono_ms - session->live_mono_ms >= FLEET_LIVE_MS) {
        session->live_mono_ms = fleet->event->mono_ms;
        fleet_emit_session(fleet, FLEET_EFFECT_NOTIFY_LIVE, session);
    }
    fleet_announce_session(fleet, session, true);
}

void fleet_on_sample(struct fleet *fleet)
{
    const struct telemetry_sample *sample = &fleet->event->of.sample;
    struct fleet_session *session = fleet_session_any(fleet, &sample->session_id);
    struct fleet_cp *cp = session != NULL ? session->cp : NULL;

    if (cp == NULL || !cp_id_equal(&cp->id, &fleet->event->cp_id)) {
        fleet->out->refused = EV_ERR_NOT_FOUND;
        return;
    }
    if (!session->active) {
        fleet->out->refused = EV_ERR_STATE;
        return;
    }
    if (session->s.state == SESSION_PREPARING && session == cp->current && sample->kind == SAMPLE_LIVE) {
        /* Energy flows: its supply_started is still under way, or control is cut. */
        fleet->out->refused = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_SUPPLY_STARTED});
        if (fleet->out->refused != EV_OK) {
            return;
        }
    }
    if (sample->kind == SAMPLE_FINAL) {
        session->heard_mono_ms = fleet->event->mono_ms;
        session->soc_permille = (uint16_t)sample->soc_permille;
        fleet_session_settle(fleet, session, sample->energy_wms, sample->stop_reason, sample->at_ms);
        fleet_cp_check_leaving(fleet, cp);
    } else {
        apply_live(fleet, session);
    }
}

/* -- stop of one session -- */

static void stop_open(struct fleet *fleet, struct fleet_session *session, enum stop_reason stop)
{
    struct fleet_cp *cp = session->cp;
    enum ev_err err = EV_OK;

    fleet_audit(fleet, "session.stop", session->s.id.text, "ok", "asked for at %s", session->s.cp_id.text);
    err = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_STOP_ASKED, .stop = stop});
    EV_ASSERT(err == EV_OK);
    fleet->out->answer.done = true;
    fleet_cp_check_leaving(fleet, cp);
}

void fleet_on_stop_session(struct fleet *fleet)
{
    const struct fleet_event *event = fleet->event;
    struct fleet_session *session = fleet_session_any(fleet, &event->of.stop_session.session_id);

    if (session == NULL || (!event->of.stop_session.by_admin &&
                            !driver_id_equal(&session->s.driver_id, &event->of.stop_session.driver_id))) {
        fleet_answer(fleet, FLEET_ANSWER_NOT_FOUND, "There is no such open session.");
    } else if (!session->active) {
        fleet_answer(fleet, FLEET_ANSWER_CONFLICT, "The session has ended already.");
    } else if (session->cp != NULL && session->cp->current == session) {
        stop_open(fleet, session, event->of.stop_session.by_admin ? STOP_ADMIN : STOP_DRIVER);
    }
    /* Settling: its supply is over, a repeat changes nothing. */
}
