/* session.h - what one charging session has delivered and costs, and how it ended.
 * Pure: no I/O, no clock; all times are Unix milliseconds passed in by the caller, who makes them from a
 * monotonic clock so that a stepped wall clock cannot shrink a session. Used by central/fleet.
 * Invariants: energy never decreases; an ended session (finished, rejected, expired, cancelled) never
 * changes; a session gets at most one ticket. On every error the session is unchanged. */
#ifndef EV_RULES_SESSION_H
#define EV_RULES_SESSION_H

#include "common/rules/energy.h"
#include "common/rules/ev_err.h"
#include "common/rules/ids.h"

#include <stdbool.h>
#include <stdint.h>

enum session_state {
    SESSION_REQUESTED,
    SESSION_PREPARING,
    SESSION_CHARGING,
    SESSION_SETTLING, /* supply is over or the engine is gone; the final meter is not known yet */
    SESSION_FINISHED, /* has its ticket */
    SESSION_REJECTED,
    SESSION_EXPIRED,
    SESSION_CANCELLED,
    SESSION_STATE_COUNT
};

/* Why supply ended. The names are the contract's. */
enum stop_reason {
    STOP_NONE, /* "": supply has not ended */
    STOP_UNPLUGGED,
    STOP_TARGET,
    STOP_BATTERY_FULL,
    STOP_DRIVER,
    STOP_ADMIN,
    STOP_WEATHER,
    STOP_MAINTENANCE,
    STOP_FAULT,
    STOP_REVOKED,
    STOP_KEY_DROPPED,
    STOP_DEREGISTERED,
    STOP_MONITOR_LOST,
    STOP_ENGINE_LOST,
    STOP_REASON_COUNT
};

/* Why a session ended without supply. Order: none, refusals, expiries, cancellations. */
enum session_reason {
    REASON_NONE, /* "" */
    /* rejected */
    REASON_DUPLICATE_REQUEST, /* the caller repeats the first answer; no session is made */
    REASON_BAD_TARGET,
    REASON_UNKNOWN_DRIVER,
    REASON_DRIVER_REVOKED,
    REASON_DRIVER_BUSY,
    REASON_UNKNOWN_CP,
    REASON_CP_OFFLINE,
    REASON_CP_FAULTED,
    REASON_CP_OUT_OF_ORDER,
    REASON_CP_CHARGING,
    REASON_CP_FINISHING,
    REASON_CP_RESERVED,
    REASON_CP_REFUSED, /* the charge point itself said no */
    /* expired */
    REASON_REQUEST_TOO_OLD, /* it waited in Kafka from before Central attached */
    REASON_NOT_PLUGGED_IN,  /* 60 s went by */
    /* cancelled */
    REASON_DRIVER,
    REASON_ADMIN,
    REASON_WEATHER,
    REASON_MAINTENANCE,
    REASON_KEY_DROPPED,
    REASON_FAULT,
    REASON_ENGINE_LOST,
    REASON_CONTROL_LOST, /* the monitor gave the reservation up when it lost Central */
    REASON_REVOKED,
    REASON_DEREGISTERED,
    SESSION_REASON_COUNT
};

/* Stable lower_case texts, as in REST, SQLite and on the wire; "" for the NONE values.
 * Parse: EV_ERR_PARSE on anything else, output untouched. "" parses to the NONE value. */
const char *session_state_text(enum session_state state);
const char *stop_reason_text(enum stop_reason reason);
const char *session_reason_text(enum session_reason reason);
EV_MUST_CHECK enum ev_err session_state_parse(const char *text, enum session_state *ret_state);
EV_MUST_CHECK enum ev_err stop_reason_parse(const char *text, enum stop_reason *ret_reason);
EV_MUST_CHECK enum ev_err session_reason_parse(const char *text, enum session_reason *ret_reason);

/* One sentence for people, with a full stop; "" for REASON_NONE. */
const char *session_reason_sentence(enum session_reason reason);

/* The state in which a session ends for this reason: rejected, expired or cancelled (not for REASON_NONE). */
enum session_state session_reason_outcome(enum session_reason reason);

/* The reason of a reservation that is cancelled by what would have stopped a supply.
 * unplugged, target and battery_full cannot cancel a reservation: REASON_CP_REFUSED. */
enum session_reason session_reason_of_stop(enum stop_reason reason);

struct session {
    struct session_id id;
    struct request_id request_id;
    struct cp_id cp_id;
    struct driver_id driver_id;
    enum session_state state;
    enum session_reason reason;   /* rejected, expired, cancelled; else REASON_NONE */
    enum stop_reason stop_reason; /* provisional while settling, final when finished */
    int64_t requested_ms;
    int64_t prepared_ms;          /* 0 until authorised; the meter's bound counts from here */
    int64_t started_ms;           /* 0 until supply started */
    int64_t settling_ms;          /* 0 unless it was ever settling */
    int64_t ended_ms;             /* 0 until ended */
    uint64_t energy_wms;          /* last applied meter, cumulative in this session */
    uint64_t cost_cents;          /* 0 until finished; while charging ask session_cost_now */
    uint32_t price_cents_per_kwh; /* fixed at the request */
    uint32_t target_wh;           /* 0: none */
    uint32_t max_power_w;         /* of the charge point, fixed when preparing */
    uint32_t speed;               /* of the engine, fixed when preparing */
};

struct ticket {
    struct session_id session_id;
    struct cp_id cp_id;
    struct driver_id driver_id;
    uint64_t energy_wh;
    uint64_t cost_cents;
    uint32_t price_cents_per_kwh;
    enum stop_reason stop_reason;
    int64_t started_ms;
    int64_t ended_ms;
};

enum meter_effect {
    METER_RAISED,
    METER_SAME,
    METER_LOWER_IGNORED /* below what was applied before: nothing changed, the caller counts it */
};

/* Fills a session in state requested. Errors: EV_ERR_RANGE (price, target above ENERGY_WH_MAX). */
EV_MUST_CHECK enum ev_err session_init(struct session *session, const struct session_id *id,
                                       const struct request_id *request_id, const struct cp_id *cp_id,
                                       const struct driver_id *driver_id, uint32_t price_cents_per_kwh,
                                       uint32_t target_wh, int64_t now_ms);

/* requested -> preparing: authorised, the charge point is reserved.
 *   max_power_w  1 .. ENERGY_POWER_W_MAX;  speed  1 .. ENERGY_SPEED_MAX
 * Errors: EV_ERR_STATE, EV_ERR_RANGE. */
EV_MUST_CHECK enum ev_err session_begin_preparing(struct session *session, int64_t now_ms,
                                                  uint32_t max_power_w, uint32_t speed);

/* preparing -> charging. Errors: EV_ERR_STATE (also when charging already). */
EV_MUST_CHECK enum ev_err session_start(struct session *session, int64_t now_ms);

/* charging | settling: applies a cumulative meter reading of this session, in wms.
 * Errors: EV_ERR_STATE (not started, or ended: the caller audits `late_meter`);
 * EV_ERR_RANGE (more than session_meter_bound allows). */
EV_MUST_CHECK enum ev_err session_apply_meter(struct session *session, int64_t now_ms, uint64_t meter_wms,
                                              enum meter_effect *ret_effect);

/* The highest meter that is believed at now_ms: max_power_w x speed for the time since prepared_ms, and for
 * SESSION_METER_SLACK_MS more, plus 1 Wh. */
#define SESSION_METER_SLACK_MS 5000
uint64_t session_meter_bound(const struct session *session, int64_t now_ms);

/* charging -> settling, with what is known of the reason.
 * Errors: EV_ERR_STATE; EV_ERR_RANGE (reason is no stop reason). */
EV_MUST_CHECK enum ev_err session_enter_settling(struct session *session, int64_t now_ms,
                                                 enum stop_reason reason);

/* preparing | charging | settling -> finished: the engine's final meter and reason arrived (from preparing:
 * its start was never seen). A meter below the last applied one leaves the applied one.
 * Errors: EV_ERR_STATE (never authorised, or ended: the caller audits `late_meter` unless it is the repeat of
 * a report that settled); EV_ERR_RANGE (meter above the bound, or no stop reason). */
EV_MUST_CHECK enum ev_err session_settle(struct session *session, int64_t now_ms, uint64_t meter_wms,
                                         enum stop_reason reason, struct ticket *ret_ticket);

/* settling -> finished on the last applied meter, when settle_ms have passed since settling_ms.
 * Errors: EV_ERR_STATE; EV_ERR_AGAIN (too early). */
EV_MUST_CHECK enum ev_err session_settle_deadline(struct session *session, int64_t now_ms, int64_t settle_ms,
                                                  struct ticket *ret_ticket);

/* charging | settling -> finished at once on the last applied meter, stop reason revoked.
 * Errors: EV_ERR_STATE (before supply: use session_end_unsupplied). */
EV_MUST_CHECK enum ev_err session_revoke(struct session *session, int64_t now_ms, struct ticket *ret_ticket);

/* requested -> rejected; requested | preparing -> expired | cancelled.
 * Errors: EV_ERR_STATE; EV_ERR_RANGE (the reason belongs to another outcome). */
EV_MUST_CHECK enum ev_err session_reject(struct session *session, int64_t now_ms, enum session_reason reason);
EV_MUST_CHECK enum ev_err session_expire(struct session *session, int64_t now_ms, enum session_reason reason);
EV_MUST_CHECK enum ev_err session_cancel(struct session *session, int64_t now_ms, enum session_reason reason);

/* The one of the three above that fits the reason. A refusal that comes while preparing (cp_refused: the
 * charge point was asked and said no) ends as cancelled. */
EV_MUST_CHECK enum ev_err session_end_unsupplied(struct session *session, int64_t now_ms,
                                                 enum session_reason reason);

/* Finished, rejected, expired or cancelled. */
bool session_is_ended(const struct session *session);

/* Keeps its driver and charge point busy: requested, preparing or charging. Settling does not. */
bool session_is_open(const struct session *session);

/* Energy in whole Wh, and what it costs so far (the ticket's cost when finished). */
uint64_t session_energy_wh(const struct session *session);
uint64_t session_cost_now(const struct session *session);

#endif
