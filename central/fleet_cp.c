#include "central/fleet_internal.h"

#include <stdio.h>
#include <string.h>

/* One charge point is at work at a time; weather and time go through several, one after another. */
void fleet_touch(struct fleet *fleet, struct fleet_cp *cp)
{
    if (fleet->touched == cp) {
        return;
    }
    fleet_touch_end(fleet);
    fleet->touched = cp;
    fleet->touched_state = charge_point_state(&cp->facts);
    fleet->touched_changed = fleet->touched_save = fleet->touched_publish = false;
}

void fleet_touch_end(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet->touched;
    struct fleet_effect *effect = NULL;

    if (cp == NULL) {
        return;
    }
    fleet->touched = NULL;
    if (charge_point_state(&cp->facts) != fleet->touched_state) {
        cp->since_ms = fleet->event->wall_ms;
        fleet->touched_publish = true;
    }
    if (fleet->touched_save) {
        fleet_emit(fleet, FLEET_EFFECT_SAVE_CHARGE_POINT)->cp = cp;
    }
    if (fleet->touched_publish) {
        fleet_emit(fleet, FLEET_EFFECT_PUBLISH_STATUS)->cp = cp;
    }
    if (fleet->touched_publish || fleet->touched_changed) {
        effect = fleet_emit(fleet, FLEET_EFFECT_ANNOUNCE);
        effect->cp = cp;
        memset(&effect->of.announce, 0, sizeof effect->of.announce);
        effect->of.announce.what = FLEET_ANNOUNCE_CHARGE_POINT;
        effect->of.announce.cp_id = cp->id;
    }
}

void fleet_cp_save(struct fleet *fleet, struct fleet_cp *cp)
{
    fleet_touch(fleet, cp);
    fleet->touched_save = true;
    fleet->touched_changed = true;
}

/* -- effects of the rules -- */

static void order_stop(struct fleet *fleet, struct fleet_cp *cp, enum stop_reason stop)
{
    struct fleet_session *session = cp->current;
    struct message *message = NULL;

    EV_ASSERT(session != NULL);
    message = fleet_emit_message(fleet, cp, MESSAGE_STOP);
    message->stop.session_id = session->s.id;
    message->stop.reason = stop;
    fleet_audit(fleet, "session.stop", session->s.id.text, "ok", "%s ordered to stop: %s", cp->id.text,
                stop_reason_text(stop));
}

static void order_cancel(struct fleet *fleet, struct fleet_cp *cp, enum session_reason reason)
{
    struct message *message = NULL;

    EV_ASSERT(cp->current != NULL);
    message = fleet_emit_message(fleet, cp, MESSAGE_CANCEL);
    message->cancel.session_id = cp->current->s.id;
    message->cancel.reason = reason;
}

static void order_stop_stray(struct fleet *fleet, struct fleet_cp *cp, enum stop_reason stop)
{
    const struct message_status *status = &fleet->event->of.status;
    const struct fleet_session *session = fleet_session_any(fleet, &status->session_id);
    struct message *message = fleet_emit_message(fleet, cp, MESSAGE_STOP);

    message->stop.session_id = status->session_id;
    /* The first reason that was given for its end is the one that is ordered again. */
    message->stop.reason =
        session != NULL && session->s.stop_reason != STOP_NONE ? session->s.stop_reason : stop;
    fleet_audit_cp(fleet, cp, "session.stop", status->session_id.text, "ok",
                   "supply of a session that is not open here ordered to stop");
}

static void start_session(struct fleet *fleet, struct fleet_cp *cp)
{
    struct fleet_session *session = cp->current;
    enum session_state before = SESSION_PREPARING;
    enum ev_err err = EV_OK;

    EV_ASSERT(session != NULL);
    before = session->s.state;
    err = session_start(&session->s, fleet_session_now(fleet, session));
    EV_ASSERT(err == EV_OK);
    fleet_session_moved(fleet, session, before);
    fleet_audit_cp(fleet, cp, "session.start", session->s.id.text, "ok", "supply for %s",
                   session->s.driver_id.text);
    fleet_session_changed(fleet, session);
}

static void cancel_session(struct fleet *fleet, struct fleet_cp *cp, enum session_reason reason)
{
    struct fleet_session *session = cp->current;
    enum session_state before = SESSION_PREPARING;
    enum ev_err err = EV_OK;

    EV_ASSERT(session != NULL);
    before = session->s.state;
    err = session_end_unsupplied(&session->s, fleet_session_now(fleet, session), reason);
    EV_ASSERT(err == EV_OK);
    fleet_session_moved(fleet, session, before);
    fleet_audit(fleet, "session.cancel", session->s.id.text, "ok", "%s at %s: %s",
                session_state_text(session->s.state), cp->id.text, session_reason_text(reason));
    fleet_session_changed(fleet, session);
}

static void settle_session(struct fleet *fleet, struct fleet_cp *cp, enum stop_reason stop)
{
    struct fleet_session *session = cp->current;
    enum session_state before = SESSION_CHARGING;
    enum ev_err err = EV_OK;

    EV_ASSERT(session != NULL);
    before = session->s.state;
    if (stop == STOP_REVOKED) {
        struct ticket ticket;

        err = session_revoke(&session->s, fleet_session_now(fleet, session), &ticket);
        EV_ASSERT(err == EV_OK);
        fleet_session_moved(fleet, session, before);
        fleet_session_finished(fleet, session, &ticket);
        return;
    }
    err = session_enter_settling(&session->s, fleet_session_now(fleet, session), stop);
    EV_ASSERT(err == EV_OK);
    fleet_session_moved(fleet, session, before);
    fleet_audit(fleet, "session.settling", session->s.id.text, "ok",
                "supply at %s is over or out of sight (%s); the final meter is not known yet", cp->id.text,
                stop_reason_text(stop));
    fleet_session_changed(fleet, session);
}

static void carry_out(struct fleet *fleet, struct fleet_cp *cp, const struct cp_effect *effect)
{
    switch (effect->type) {
    case CP_EFFECT_ORDER_STOP:
        order_stop(fleet, cp, effect->stop);
        break;
    case CP_EFFECT_ORDER_CANCEL:
        order_cancel(fleet, cp, effect->reason);
        break;
    case CP_EFFECT_ORDER_STOP_STRAY:
        order_stop_stray(fleet, cp, effect->stop);
        break;
    case CP_EFFECT_START_SESSION:
        start_session(fleet, cp);
        break;
    case CP_EFFECT_CANCEL_SESSION:
        cancel_session(fleet, cp, effect->reason);
        break;
    case CP_EFFECT_SETTLE:
        settle_session(fleet, cp, effect->stop);
        break;
    case CP_EFFECT_ANNOUNCE:
        fleet->touched_changed = true;
        break;
    }
}

enum ev_err fleet_cp_apply(struct fleet *fleet, struct fleet_cp *cp, const struct cp_event *event)
{
    struct cp_effects effects;
    enum stop_reason asked = cp->facts.stop_asked;
    enum ev_err err = EV_OK;

    fleet_touch(fleet, cp);
    err = charge_point_step(&cp->facts, event, &effects);
    if (err != EV_OK) {
        return err;
    }
    for (size_t i = 0; i < effects.count; i++) {
        carry_out(fleet, cp, &effects.items[i]);
    }
    /* What was asked survives a restart with the session. */
    if (cp->facts.stop_asked != asked && cp->current != NULL) {
        fleet_emit_session(fleet, FLEET_EFFECT_SAVE_SESSION, cp->current);
    }
    return EV_OK;
}

void fleet_cp_set_hold(struct fleet *fleet, struct fleet_cp *cp, enum cp_hold hold)
{
    enum ev_err err = EV_OK;

    if (cp->facts.holds & hold) {
        return;
    }
    err = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_HOLD_SET, .hold = hold});
    EV_ASSERT(err == EV_OK);
    fleet_cp_save(fleet, cp);
}

void fleet_cp_lift_hold(struct fleet *fleet, struct fleet_cp *cp, enum cp_hold hold)
{
    enum ev_err err = EV_OK;

    if ((cp->facts.holds & hold) == 0) {
        return;
    }
    err = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_HOLD_LIFTED, .hold = hold});
    EV_ASSERT(err == EV_OK);
    fleet_cp_save(fleet, cp);
}

/* The next rotation comes a little early, by up to a tenth, differently for each: a thousand charge points
 * that connected together do not rotate together. */
static int64_t rotation_ms(const struct fleet *fleet, const struct fleet_cp *cp)
{
    uint32_t hash = cp->key_epoch * 2654435761U;

    for (const char *c = cp->id.text; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    }
    return fleet->config.rotate_ms - fleet->config.rotate_ms / 10 * (int64_t)(hash % 1000U) / 1000;
}

void fleet_cp_issue_key(struct fleet *fleet, struct fleet_cp *cp)
{
    struct fleet_effect *effect = NULL;

    cp->key_epoch++;
    cp->rotate_mono_ms = fleet->event->mono_ms + rotation_ms(fleet, cp);
    fleet_cp_save(fleet, cp);
    effect = fleet_emit(fleet, FLEET_EFFECT_ISSUE_KEY);
    effect->cp = cp;
    effect->connection = cp->connection;
    effect->of.epoch = cp->key_epoch;
}

void fleet_cp_notice(struct fleet *fleet, struct fleet_cp *cp, const char *text)
{
    struct message *message = NULL;

    if (cp->connection == 0) {
        return;
    }
    message = fleet_emit_message(fleet, cp, MESSAGE_NOTICE);
    message->notice.holds = cp->facts.holds;
    message->notice.price_cents_per_kwh = cp->price_cents_per_kwh;
    message->notice.state = charge_point_state(&cp->facts);
    fleet_copy(message->notice.text, sizeof message->notice.text, text);
}

void fleet_cp_disconnect(struct fleet *fleet, struct fleet_cp *cp)
{
    enum ev_err err = EV_OK;

    cp->connection = 0;
    cp->away_mono_ms = fleet->event->mono_ms;
    cp->rotate_mono_ms = 0;
    err = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_DISCONNECTED});
    EV_ASSERT(err == EV_OK);
}

/* -- leaving: the key is dropped, or the charge point deregisters itself -- */

static void finish_leaving(struct fleet *fleet, struct fleet_cp *cp)
{
    bool deregistered = cp->leaving == FLEET_LEAVES_DEREGISTERED;
    enum stop_reason stop = deregistered ? STOP_DEREGISTERED : STOP_KEY_DROPPED;
    struct fleet_session *session = cp->current;
    uint64_t connection = cp->connection;

    cp->leaving = FLEET_STAYS;
    if (session != NULL) {
        enum ev_err err =
            fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_ABANDONED, .stop = stop});

        EV_ASSERT(err == EV_OK);
        if (deregistered && session->s.state == SESSION_SETTLING) {
            fleet_session_settle(fleet, session, session->s.energy_wms, stop, 0);
        }
    }
    fleet_emit_node(fleet, FLEET_EFFECT_DROP_KEYS, FLEET_ROLE_CP, cp->id.text);
    if (connection != 0) {
        fleet_emit_refuse(fleet, &cp->id, connection,
                          deregistered ? MESSAGE_REFUSE_DEREGISTERED : MESSAGE_REFUSE_KEY_DROPPED,
                          deregistered ? "This charge point is not registered any more."
                                       : "The key was dropped; connect again by the operator's command.");
        fleet_cp_disconnect(fleet, cp);
    }
}

void fleet_cp_check_leaving(struct fleet *fleet, struct fleet_cp *cp)
{
    if (cp->leaving != FLEET_STAYS &&
        (cp->current == NULL || cp->connection == 0 || fleet->event->mono_ms >= cp->leaving_mono_ms)) {
        fleet_touch(fleet, cp);
        finish_leaving(fleet, cp);
    }
}

void fleet_cp_leave(struct fleet *fleet, struct fleet_cp *cp, enum fleet_leaving leaving)
{
    fleet_touch(fleet, cp);
    cp->leaving = leaving;
    cp->leaving_mono_ms = fleet->event->mono_ms + fleet->config.drop_wait_ms;
    if (leaving == FLEET_LEAVES_KEY) {
        fleet_cp_set_hold(fleet, cp, HOLD_KEY);
    } else if (cp->current != NULL && cp->facts.connected) {
        enum ev_err err = fleet_cp_apply(
            fleet, cp, &(struct cp_event){.type = CP_EVENT_STOP_ASKED, .stop = STOP_DEREGISTERED});

        EV_ASSERT(err == EV_OK);
    }
    fleet_cp_check_leaving(fleet, cp);
}

/* At once: the ticket on the last applied meter, no key is left, the connection ends. */
void fleet_cp_revoke(struct fleet *fleet, struct fleet_cp *cp, bool tell_registry)
{
    uint64_t connection = cp->connection;

    fleet_touch(fleet, cp);
    cp->leaving = FLEET_STAYS;
    cp->revoked = true;
    if (cp->current != NULL) {
        enum ev_err err =
            fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_ABANDONED, .stop = STOP_REVOKED});

        EV_ASSERT(err == EV_OK);
    }
    fleet_emit_node(fleet, FLEET_EFFECT_DROP_KEYS, FLEET_ROLE_CP, cp->id.text);
    if (connection != 0) {
        fleet_emit_refuse(
            fleet, &cp->id, connection, MESSAGE_REFUSE_REVOKED,
            "This charge point's certificate was revoked; register again with a new invitation.");
        fleet_cp_disconnect(fleet, cp);
    }
    if (tell_registry) {
        fleet_emit_node(fleet, FLEET_EFFECT_REVOKE, FLEET_ROLE_CP, cp->id.text);
    }
    fleet_cp_save(fleet, cp);
    fleet_audit(fleet, "cp.revoke", cp->id.text, "ok", "keys dropped, connection closed, id and key barred");
}
