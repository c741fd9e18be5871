#include "central/fleet_internal.h"

#include <string.h>

static void answer_cp(struct fleet *fleet, enum session_reason reason, const struct session_id *session_id)
{
    const struct fleet_event *event = fleet->event;
    struct fleet_cp *cp = fleet_cp_any(fleet, &event->cp_id);
    struct message *message = NULL;

    if (cp == NULL || cp->connection == 0) {
        return;
    }
    message = fleet_emit_message(fleet, cp, MESSAGE_CHARGE_ANSWER);
    message->charge_answer.request_id = event->of.request.request_id;
    message->charge_answer.accepted = reason == REASON_NONE;
    message->charge_answer.reason = reason;
    if (session_id != NULL) {
        message->charge_answer.session_id = *session_id;
    }
}

/* The same request again gets the same answer. */
static bool answer_repeat(struct fleet *fleet, bool by_cp)
{
    const struct fleet_event *event = fleet->event;
    struct fleet_session *session = NULL;
    struct store_session row;
    struct fleet_effect *effect = NULL;
    enum session_reason reason = REASON_NONE;
    const struct fleet_session *found =
        fleet_find_request(fleet, &event->of.request.driver_id, &event->of.request.request_id);

    if (found == NULL && event->known == NULL) {
        return false;
    }
    if (found != NULL) {
        session = fleet_session_any(fleet, &found->s.id);
        fleet_emit_session(fleet, FLEET_EFFECT_NOTIFY_SESSION, session);
        reason = session->s.reason;
        row.id = session->s.id;
    } else {
        row = *event->known;
        effect = fleet_emit(fleet, FLEET_EFFECT_NOTIFY_SESSION);
        effect->of.row = row;
        if (session_reason_parse(row.reason, &reason) != EV_OK) {
            reason = REASON_NONE;
        }
    }
    if (by_cp) {
        answer_cp(fleet, reason, &row.id);
    }
    return true;
}

static enum session_reason decide(const struct fleet *fleet, const struct fleet_cp *cp,
                                  const struct fleet_driver *driver)
{
    const struct fleet_event *event = fleet->event;
    bool cp_known = cp != NULL && cp->registered;
    struct authorise_request request = {
        .too_old = event->of.request.too_old,
        .has_target = event->of.request.target_wh != 0,
        .target_wh = event->of.request.target_wh,
        .driver_known = driver != NULL && driver->registered,
        .driver_revoked = driver != NULL && driver->revoked,
        .driver_has_open_session = driver != NULL && driver->current != NULL,
        .cp_known = cp_known,
        .cp_has_open_session = cp_known && cp->current != NULL,
        .cp_state = cp_known ? charge_point_state(&cp->facts) : CP_OFFLINE,
        .cp_holds = cp_known ? cp->facts.holds : 0,
    };

    return authorise(&request);
}

static void grant(struct fleet *fleet, struct fleet_session *session)
{
    struct fleet_cp *cp = session->cp;
    struct message *message = NULL;
    enum ev_err err = fleet_cp_apply(fleet, cp, &(struct cp_event){.type = CP_EVENT_RESERVED});

    EV_ASSERT(err == EV_OK); /* decide() said Available */
    session->soc_permille = 0;
    fleet_session_moved(fleet, session, SESSION_REQUESTED);
    message = fleet_emit_message(fleet, cp, MESSAGE_AUTHORISE);
    message->authorise.session_id = session->s.id;
    message->authorise.driver_id = session->s.driver_id;
    message->authorise.target_wh = session->s.target_wh;
    message->authorise.price_cents_per_kwh = session->s.price_cents_per_kwh;
    message->authorise.prepare_ms = (uint32_t)fleet->config.prepare_ms;
}

/* An engine that never told its power cannot be metered, so nothing is granted there. */
static enum session_reason prepare(struct fleet *fleet, struct fleet_session *session)
{
    if (session_begin_preparing(&session->s, fleet_session_now(fleet, session), session->cp->max_power_w,
                                session->cp->speed) != EV_OK) {
        return REASON_CP_FAULTED;
    }
    grant(fleet, session);
    return REASON_NONE;
}

static struct fleet_session *make_session(struct fleet *fleet, const struct fleet_cp *cp)
{
    const struct fleet_event *event = fleet->event;
    struct session session;
    uint32_t target_wh = event->of.request.target_wh;

    if (session_init(&session, &event->new_session_id, &event->of.request.request_id, &event->cp_id,
                     &event->of.request.driver_id, cp != NULL ? cp->price_cents_per_kwh : 0,
                     target_wh > ENERGY_WH_MAX ? 0 : target_wh, event->wall_ms) != EV_OK) {
        return NULL;
    }
    return fleet_session_add(fleet, &session);
}

/* A driver's own request, or what a charge point claims that a driver asked for at its side. */
void fleet_on_request(struct fleet *fleet, bool by_cp)
{
    const struct fleet_event *event = fleet->event;
    struct fleet_cp *cp = by_cp ? fleet_cp_of_event(fleet) : fleet_cp_any(fleet, &event->cp_id);
    struct fleet_driver *driver = fleet_node_find(fleet, FLEET_ROLE_DRIVER, event->of.request.driver_id.text);
    enum session_reason reason = REASON_NONE;
    struct fleet_session *session = NULL;

    if ((by_cp && cp == NULL) || answer_repeat(fleet, by_cp)) {
        return;
    }
    if (cp != NULL && !cp->registered) {
        cp = NULL;
    }
    reason = decide(fleet, cp, driver);
    if (reason != REASON_UNKNOWN_DRIVER) { /* strangers leave no rows behind */
        session = make_session(fleet, cp);
    }
    if (session == NULL) {
        fleet_audit(fleet, "session.authorise", event->of.request.driver_id.text, "refused", "at %s: %s",
                    event->cp_id.text, reason != REASON_NONE ? session_reason_text(reason) : "no room");
        fleet->out->refused = reason != REASON_NONE ? EV_ERR_AUTH : EV_ERR_FULL;
        if (by_cp) {
            answer_cp(fleet, reason != REASON_NONE ? reason : REASON_CP_REFUSED, NULL);
        }
        return;
    }
    if (reason == REASON_NONE) {
        reason = prepare(fleet, session);
    }
    if (reason != REASON_NONE) {
        enum ev_err err = session_end_unsupplied(&session->s, fleet_session_now(fleet, session), reason);

        EV_ASSERT(err == EV_OK);
        fleet_session_moved(fleet, session, SESSION_REQUESTED);
        fleet->out->refused = EV_ERR_STATE;
    }
    fleet_audit(fleet, "session.authorise", session->s.id.text, reason == REASON_NONE ? "ok" : "refused",
                "%s at %s%s%s%s", session->s.driver_id.text, session->s.cp_id.text,
                by_cp ? ", claimed by the charge point" : "", reason == REASON_NONE ? "" : ": ",
                session_reason_text(reason));
    fleet_session_changed(fleet, session);
    if (by_cp) {
        answer_cp(fleet, reason, &session->s.id);
    }
}
