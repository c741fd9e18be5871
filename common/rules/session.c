#include "common/rules/session.h"

#include <string.h>

static bool is_stop_reason(enum stop_reason reason)
{
    return reason != STOP_NONE && (unsigned)reason < STOP_REASON_COUNT;
}

enum ev_err session_init(struct session *session, const struct session_id *id,
                         const struct request_id *request_id, const struct cp_id *cp_id,
                         const struct driver_id *driver_id, uint32_t price_cents_per_kwh, uint32_t target_wh,
                         int64_t now_ms)
{
    if (price_cents_per_kwh > PRICE_CENTS_PER_KWH_MAX || target_wh > ENERGY_WH_MAX) {
        return EV_ERR_RANGE;
    }
    memset(session, 0, sizeof *session);
    session->id = *id;
    session->request_id = *request_id;
    session->cp_id = *cp_id;
    session->driver_id = *driver_id;
    session->state = SESSION_REQUESTED;
    session->requested_ms = now_ms;
    session->price_cents_per_kwh = price_cents_per_kwh;
    session->target_wh = target_wh;
    return EV_OK;
}

enum ev_err session_begin_preparing(struct session *session, int64_t now_ms, uint32_t max_power_w,
                                    uint32_t speed)
{
    if (session->state != SESSION_REQUESTED) {
        return EV_ERR_STATE;
    }
    if (max_power_w == 0 || max_power_w > ENERGY_POWER_W_MAX || speed == 0 || speed > ENERGY_SPEED_MAX) {
        return EV_ERR_RANGE;
    }
    session->state = SESSION_PREPARING;
    session->prepared_ms = now_ms;
    session->max_power_w = max_power_w;
    session->speed = speed;
    return EV_OK;
}

enum ev_err session_start(struct session *session, int64_t now_ms)
{
    if (session->state != SESSION_PREPARING) {
        return EV_ERR_STATE;
    }
    session->state = SESSION_CHARGING;
    session->started_ms = now_ms;
    return EV_OK;
}

uint64_t session_meter_bound(const struct session *session, int64_t now_ms)
{
    /* A wall clock that was set back must not make the elapsed time negative. */
    uint64_t elapsed_ms =
        now_ms > session->prepared_ms ? (uint64_t)now_ms - (uint64_t)session->prepared_ms : 0;
    uint64_t bound = 0;

    if (elapsed_ms > UINT64_MAX - SESSION_METER_SLACK_MS) {
        return ENERGY_WMS_MAX;
    }
    bound = energy_wms_of_power(session->max_power_w, session->speed, elapsed_ms + SESSION_METER_SLACK_MS) +
            ENERGY_WMS_PER_WH;
    return bound < ENERGY_WMS_MAX ? bound : ENERGY_WMS_MAX;
}

enum ev_err session_apply_meter(struct session *session, int64_t now_ms, uint64_t meter_wms,
                                enum meter_effect *ret_effect)
{
    if (session->state != SESSION_CHARGING && session->state != SESSION_SETTLING) {
        return EV_ERR_STATE;
    }
    if (meter_wms > session_meter_bound(session, now_ms)) {
        return EV_ERR_RANGE;
    }
    if (meter_wms < session->energy_wms) {
        *ret_effect = METER_LOWER_IGNORED;
    } else if (meter_wms == session->energy_wms) {
        *ret_effect = METER_SAME;
    } else {
        session->energy_wms = meter_wms;
        *ret_effect = METER_RAISED;
    }
    return EV_OK;
}

enum ev_err session_enter_settling(struct session *session, int64_t now_ms, enum stop_reason reason)
{
    if (session->state != SESSION_CHARGING) {
        return EV_ERR_STATE;
    }
    if (!is_stop_reason(reason)) {
        return EV_ERR_RANGE;
    }
    session->state = SESSION_SETTLING;
    session->settling_ms = now_ms;
    session->stop_reason = reason;
    return EV_OK;
}

/* The one place where a ticket is made. */
static void finish(struct session *session, int64_t now_ms, enum stop_reason reason,
                   struct ticket *ret_ticket)
{
    uint64_t energy_wh = energy_wh_from_wms(session->energy_wms);
    uint64_t cost_cents = 0;
    /* Both factors were bounded when they were applied. */
    enum ev_err err = energy_cost_cents(energy_wh, session->price_cents_per_kwh, &cost_cents);

    EV_ASSERT(err == EV_OK);
    session->state = SESSION_FINISHED;
    session->stop_reason = reason;
    session->cost_cents = cost_cents;
    session->ended_ms = now_ms;
    *ret_ticket = (struct ticket){
        .session_id = session->id,
        .cp_id = session->cp_id,
        .driver_id = session->driver_id,
        .energy_wh = energy_wh,
        .cost_cents = cost_cents,
        .price_cents_per_kwh = session->price_cents_per_kwh,
        .stop_reason = reason,
        .started_ms = session->started_ms,
        .ended_ms = now_ms,
    };
}

enum ev_err session_settle(struct session *session, int64_t now_ms, uint64_t meter_wms,
                           enum stop_reason reason, struct ticket *ret_ticket)
{
    if (session->state != SESSION_PREPARING && session->state != SESSION_CHARGING &&
        session->state != SESSION_SETTLING) {
        return EV_ERR_STATE;
    }
    if (!is_stop_reason(reason) || meter_wms > session_meter_bound(session, now_ms)) {
        return EV_ERR_RANGE;
    }
    if (session->started_ms == 0) {
        session->started_ms = session->prepared_ms;
    }
    if (meter_wms > session->energy_wms) {
        session->energy_wms = meter_wms;
    }
    finish(session, now_ms, reason, ret_ticket);
    return EV_OK;
}

enum ev_err session_settle_deadline(struct session *session, int64_t now_ms, int64_t settle_ms,
                                    struct ticket *ret_ticket)
{
    if (session->state != SESSION_SETTLING) {
        return EV_ERR_STATE;
    }
    /* A clock set back to before settling began waits; it never bills early. */
    if (now_ms < session->settling_ms || now_ms - session->settling_ms < settle_ms) {
        return EV_ERR_AGAIN;
    }
    finish(session, now_ms, session->stop_reason, ret_ticket);
    return EV_OK;
}

enum ev_err session_revoke(struct session *session, int64_t now_ms, struct ticket *ret_ticket)
{
    if (session->state != SESSION_CHARGING && session->state != SESSION_SETTLING) {
        return EV_ERR_STATE;
    }
    finish(session, now_ms, STOP_REVOKED, ret_ticket);
    return EV_OK;
}

static enum ev_err end_unsupplied(struct session *session, int64_t now_ms, enum session_reason reason,
                                  enum session_state outcome)
{
    if (session->state != SESSION_REQUESTED && session->state != SESSION_PREPARING) {
        return EV_ERR_STATE;
    }
    session->state = outcome;
    session->reason = reason;
    session->ended_ms = now_ms;
    return EV_OK;
}

static bool fits(enum session_reason reason, enum session_state outcome)
{
    return reason != REASON_NONE && (unsigned)reason < SESSION_REASON_COUNT &&
           session_reason_outcome(reason) == outcome;
}

enum ev_err session_reject(struct session *session, int64_t now_ms, enum session_reason reason)
{
    if (session->state != SESSION_REQUESTED) {
        return EV_ERR_STATE;
    }
    if (!fits(reason, SESSION_REJECTED)) {
        return EV_ERR_RANGE;
    }
    return end_unsupplied(session, now_ms, reason, SESSION_REJECTED);
}

enum ev_err session_expire(struct session *session, int64_t now_ms, enum session_reason reason)
{
    if (!fits(reason, SESSION_EXPIRED)) {
        return EV_ERR_RANGE;
    }
    return end_unsupplied(session, now_ms, reason, SESSION_EXPIRED);
}

enum ev_err session_cancel(struct session *session, int64_t now_ms, enum session_reason reason)
{
    /* A charge point that was asked and said no cancels a reservation that had been granted. */
    if (!fits(reason, SESSION_CANCELLED) && reason != REASON_CP_REFUSED) {
        return EV_ERR_RANGE;
    }
    return end_unsupplied(session, now_ms, reason, SESSION_CANCELLED);
}

enum ev_err session_end_unsupplied(struct session *session, int64_t now_ms, enum session_reason reason)
{
    if (fits(reason, SESSION_EXPIRED)) {
        return session_expire(session, now_ms, reason);
    }
    if (fits(reason, SESSION_REJECTED) && session->state == SESSION_REQUESTED) {
        return session_reject(session, now_ms, reason);
    }
    return session_cancel(session, now_ms, reason);
}

bool session_is_ended(const struct session *session)
{
    return session->state >= SESSION_FINISHED;
}

bool session_is_open(const struct session *session)
{
    return session->state <= SESSION_CHARGING;
}

uint64_t session_energy_wh(const struct session *session)
{
    return energy_wh_from_wms(session->energy_wms);
}

uint64_t session_cost_now(const struct session *session)
{
    uint64_t cost_cents = 0;
    enum ev_err err =
        energy_cost_cents(session_energy_wh(session), session->price_cents_per_kwh, &cost_cents);

    EV_ASSERT(err == EV_OK);
    return cost_cents;
}
