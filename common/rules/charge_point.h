/* charge_point.h - what is known of one charge point, what an event does to it, and the state it shows.
 * Pure: no I/O, no clock. Used by central/fleet; the effects are carried out by central/dispatch.
 * Invariants: the shown state is computed from the facts by charge_point_state and stored nowhere; Central
 * orders, never assumes: after an order to stop or cancel the facts stay as they are until the charge point
 * reports; a broken engine or a fault ends supply (faulted => supply none). */
#ifndef EV_RULES_CHARGE_POINT_H
#define EV_RULES_CHARGE_POINT_H

#include "common/rules/ev_err.h"
#include "common/rules/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of the contract's table: the first row that is true is shown. */
enum cp_state {
    CP_OFFLINE,
    CP_FAULTED,
    CP_CHARGING,
    CP_UNAVAILABLE,
    CP_FINISHING,
    CP_PREPARING,
    CP_AVAILABLE,
    CP_STATE_COUNT
};

/* A set of bits; lifting one leaves the others. */
enum cp_hold { HOLD_ADMIN = 1U << 0, HOLD_WEATHER = 1U << 1, HOLD_MAINTENANCE = 1U << 2, HOLD_KEY = 1U << 3 };
#define HOLD_COUNT 4
#define HOLD_ALL 0xFU

enum cp_supply { CP_SUPPLY_NONE, CP_SUPPLY_PREPARING, CP_SUPPLY_CHARGING };

struct charge_point {
    bool connected; /* authenticated control connection with frames in time */
    bool engine_ok; /* the monitor hears its engine */
    bool fault;     /* the engine reports a fault */
    bool plugged;   /* a car is plugged in */
    bool served;    /* the car that is plugged in has had a supply: Finishing until it is unplugged */
    enum cp_supply supply;
    enum stop_reason stop_asked; /* ordered, or to be ordered at the next sync; STOP_NONE: nothing asked */
    uint32_t holds;              /* of enum cp_hold; the only fact that Central stores over a restart */
};

enum cp_event_type {
    CP_EVENT_CONNECTED, /* hello accepted; also when a new connection replaces the old one */
    CP_EVENT_DISCONNECTED,
    CP_EVENT_ENGINE_OK,     /* the monitor hears its engine (again) */
    CP_EVENT_ENGINE_SILENT, /* and for 3 s it did not */
    CP_EVENT_FAULT,
    CP_EVENT_REPAIRED,
    CP_EVENT_PLUGGED, /* served: taken only where plugged changes; false when seen live, true when it was
                         found plugged at a sync (nobody knows whose car it is: Finishing until it is
                         unplugged) */
    CP_EVENT_UNPLUGGED,
    CP_EVENT_RESERVED, /* authorised for a session; only from Available */
    CP_EVENT_SUPPLY_STARTED,
    CP_EVENT_SUPPLY_ENDED, /* the engine's final report of the current session, over whatever channel */
    CP_EVENT_RESERVATION_CANCELLED, /* reason: as reported by the charge point */
    CP_EVENT_STOP_ASKED,            /* stop: by the session's driver or an admin, for this session alone */
    CP_EVENT_ABANDONED,   /* stop: Central gives up waiting (revoked, deregistered, key_dropped, ...) */
    CP_EVENT_HOLD_SET,    /* hold */
    CP_EVENT_HOLD_LIFTED, /* hold */
    CP_EVENT_SYNCED,      /* sync: after connecting, what the engine says it is running */
    CP_EVENT_COUNT
};

/* Compared with the session that Central believes to be current (a session that is settling is not current).
 */
enum cp_sync {
    CP_SYNC_NOTHING,
    CP_SYNC_PREPARING, /* the same session, not plugged in yet */
    CP_SYNC_CHARGING,  /* the same session */
    CP_SYNC_OTHER,     /* a session that Central has ended, or never knew */
    CP_SYNC_COUNT
};

struct cp_event {
    enum cp_event_type type;
    enum cp_hold hold;          /* HOLD_SET, HOLD_LIFTED: exactly one bit */
    enum stop_reason stop;      /* STOP_ASKED, ABANDONED */
    enum session_reason reason; /* RESERVATION_CANCELLED */
    enum cp_sync sync;          /* SYNCED */
    bool served;                /* PLUGGED */
};

enum cp_effect_type {
    CP_EFFECT_ORDER_STOP,       /* tell the charge point to stop its supply; stop */
    CP_EFFECT_ORDER_CANCEL,     /* tell it to give up the reservation; reason. The session stays preparing */
    CP_EFFECT_ORDER_STOP_STRAY, /* tell it to stop the session it reported at sync, which is not ours; stop */
    CP_EFFECT_START_SESSION,    /* supply runs: session_start */
    CP_EFFECT_CANCEL_SESSION,   /* the reservation is over: session_end_unsupplied; reason */
    CP_EFFECT_SETTLE,           /* supply is over, final meter unknown: session_enter_settling; stop.
                                   With stop `revoked`: session_revoke */
    CP_EFFECT_ANNOUNCE /* something that is shown changed; state_before, state_after (may be equal) */
};

struct cp_effect {
    enum cp_effect_type type;
    enum stop_reason stop;
    enum session_reason reason;
    enum cp_state state_before;
    enum cp_state state_after;
};

#define CP_EFFECTS_MAX 4

struct cp_effects {
    size_t count;
    struct cp_effect items[CP_EFFECTS_MAX]; /* in the order in which to carry them out */
};

/* A charge point that Central knows and that has not connected: Offline, with the stored holds.
 * Central restores a current session by setting supply (preparing or charging) afterwards. */
void charge_point_init(struct charge_point *cp, uint32_t holds);

/* The shown state: the one place where it is computed. */
enum cp_state charge_point_state(const struct charge_point *cp);

/* Applies one event.
 * Facts of the charge point (engine, fault, plug) are taken also while Offline, so that a hello can be
 * applied before CONNECTED and nothing wrong flashes up; SYNCED comes after CONNECTED. Repeats of facts are
 * no errors. Orders are only issued while connected; what was asked meanwhile is ordered at the sync.
 *   ret_effects  filled from empty; on error count = 0
 * Errors: EV_ERR_STATE (impossible here; cp unchanged), EV_ERR_RANGE (an argument of the event). */
EV_MUST_CHECK enum ev_err charge_point_step(struct charge_point *cp, const struct cp_event *event,
                                            struct cp_effects *ret_effects);

/* What a `reservation_ended` means (docs/protocol.md): expired, cancelled (REASON_NONE: whoever ordered it),
 * refused, fault, control_lost. Errors: EV_ERR_PARSE. */
EV_MUST_CHECK enum ev_err cp_reservation_end_parse(const char *text, enum session_reason *ret_reason);

/* "Available"; "Out of order" is only the label of Unavailable. Parse: EV_ERR_PARSE; exact spelling. */
const char *cp_state_text(enum cp_state state);
EV_MUST_CHECK enum ev_err cp_state_parse(const char *text, enum cp_state *ret_state);

/* "admin", "weather", "maintenance", "key". */
const char *cp_hold_text(enum cp_hold hold);
EV_MUST_CHECK enum ev_err cp_hold_parse(const char *text, enum cp_hold *ret_hold);

const char *cp_event_text(enum cp_event_type type);

/* The reason with which a hold stops a supply. */
enum stop_reason cp_hold_stop_reason(enum cp_hold hold);

#endif
