/* The names of a session's states and reasons: one table for each enum, used in both directions. */
#include "common/rules/session.h"

#include <stddef.h>
#include <string.h>

static const char *const state_texts[SESSION_STATE_COUNT] = {
    [SESSION_REQUESTED] = "requested", [SESSION_PREPARING] = "preparing", [SESSION_CHARGING] = "charging",
    [SESSION_SETTLING] = "settling",   [SESSION_FINISHED] = "finished",   [SESSION_REJECTED] = "rejected",
    [SESSION_EXPIRED] = "expired",     [SESSION_CANCELLED] = "cancelled",
};

/* In the contract's order: the telemetry sample sends these as numbers. */
static const char *const stop_texts[STOP_REASON_COUNT] = {
    [STOP_NONE] = "",
    [STOP_UNPLUGGED] = "unplugged",
    [STOP_TARGET] = "target",
    [STOP_BATTERY_FULL] = "battery_full",
    [STOP_DRIVER] = "driver",
    [STOP_ADMIN] = "admin",
    [STOP_WEATHER] = "weather",
    [STOP_MAINTENANCE] = "maintenance",
    [STOP_FAULT] = "fault",
    [STOP_REVOKED] = "revoked",
    [STOP_KEY_DROPPED] = "key_dropped",
    [STOP_DEREGISTERED] = "deregistered",
    [STOP_MONITOR_LOST] = "monitor_lost",
    [STOP_ENGINE_LOST] = "engine_lost",
};
_Static_assert(STOP_UNPLUGGED == 1 && STOP_ENGINE_LOST == 13, "docs/protocol.md, telemetry sample, offset 2");

struct reason_row {
    const char *text;
    enum session_state outcome;
    const char *sentence;
};

static const struct reason_row reasons[SESSION_REASON_COUNT] = {
    [REASON_NONE] = {"", SESSION_STATE_COUNT, ""},
    [REASON_DUPLICATE_REQUEST] = {"duplicate_request", SESSION_REJECTED, "This request was answered before."},
    [REASON_BAD_TARGET] = {"bad_target", SESSION_REJECTED, "The target must be between 1 Wh and 1000 kWh."},
    [REASON_UNKNOWN_DRIVER] = {"unknown_driver", SESSION_REJECTED, "This driver is not registered."},
    [REASON_DRIVER_REVOKED] = {"driver_revoked", SESSION_REJECTED, "This driver's certificate is revoked."},
    [REASON_DRIVER_BUSY] = {"driver_busy", SESSION_REJECTED, "This driver has an open session already."},
    [REASON_UNKNOWN_CP] = {"unknown_cp", SESSION_REJECTED, "There is no charge point of this id."},
    [REASON_CP_OFFLINE] = {"cp_offline", SESSION_REJECTED, "The charge point is offline."},
    [REASON_CP_FAULTED] = {"cp_faulted", SESSION_REJECTED, "The charge point has a fault."},
    [REASON_CP_OUT_OF_ORDER] = {"cp_out_of_order", SESSION_REJECTED, "The charge point is out of order."},
    [REASON_CP_CHARGING] = {"cp_charging", SESSION_REJECTED, "The charge point is charging another car."},
    [REASON_CP_FINISHING] = {"cp_finishing", SESSION_REJECTED,
                             "Another car is still plugged in at the charge point."},
    [REASON_CP_RESERVED] = {"cp_reserved", SESSION_REJECTED,
                            "The charge point is reserved for another driver."},
    [REASON_CP_REFUSED] = {"cp_refused", SESSION_REJECTED, "The charge point refused."},
    [REASON_REQUEST_TOO_OLD] = {"request_too_old", SESSION_EXPIRED,
                                "The request is from before Central was there; ask again."},
    [REASON_NOT_PLUGGED_IN] = {"not_plugged_in", SESSION_EXPIRED, "The car was not plugged in in time."},
    [REASON_DRIVER] = {"driver", SESSION_CANCELLED, "The driver cancelled the reservation."},
    [REASON_ADMIN] = {"admin", SESSION_CANCELLED, "An administrator stopped the charge point."},
    [REASON_WEATHER] = {"weather", SESSION_CANCELLED, "The charge point was stopped for frost."},
    [REASON_MAINTENANCE] = {"maintenance", SESSION_CANCELLED, "The charge point went into maintenance."},
    [REASON_KEY_DROPPED] = {"key_dropped", SESSION_CANCELLED, "The charge point's key was dropped."},
    [REASON_FAULT] = {"fault", SESSION_CANCELLED, "The charge point reported a fault."},
    [REASON_ENGINE_LOST] = {"engine_lost", SESSION_CANCELLED, "The charge point's engine does not answer."},
    [REASON_CONTROL_LOST] = {"control_lost", SESSION_CANCELLED,
                             "The charge point lost its connection before the car was plugged in."},
    [REASON_REVOKED] = {"revoked", SESSION_CANCELLED, "The charge point's certificate was revoked."},
    [REASON_DEREGISTERED] = {"deregistered", SESSION_CANCELLED, "The charge point was deregistered."},
};

const char *session_state_text(enum session_state state)
{
    EV_ASSERT((unsigned)state < SESSION_STATE_COUNT);
    return state_texts[state];
}

const char *stop_reason_text(enum stop_reason reason)
{
    EV_ASSERT((unsigned)reason < STOP_REASON_COUNT);
    return stop_texts[reason];
}

const char *session_reason_text(enum session_reason reason)
{
    EV_ASSERT((unsigned)reason < SESSION_REASON_COUNT);
    return reasons[reason].text;
}

const char *session_reason_sentence(enum session_reason reason)
{
    EV_ASSERT((unsigned)reason < SESSION_REASON_COUNT);
    return reasons[reason].sentence;
}

enum session_state session_reason_outcome(enum session_reason reason)
{
    EV_ASSERT(reason != REASON_NONE && (unsigned)reason < SESSION_REASON_COUNT);
    return reasons[reason].outcome;
}

enum ev_err session_state_parse(const char *text, enum session_state *ret_state)
{
    for (unsigned i = 0; text != NULL && i < SESSION_STATE_COUNT; i++) {
        if (strcmp(text, state_texts[i]) == 0) {
            *ret_state = (enum session_state)i;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

enum ev_err stop_reason_parse(const char *text, enum stop_reason *ret_reason)
{
    for (unsigned i = 0; text != NULL && i < STOP_REASON_COUNT; i++) {
        if (strcmp(text, stop_texts[i]) == 0) {
            *ret_reason = (enum stop_reason)i;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

enum ev_err session_reason_parse(const char *text, enum session_reason *ret_reason)
{
    for (unsigned i = 0; text != NULL && i < SESSION_REASON_COUNT; i++) {
        if (strcmp(text, reasons[i].text) == 0) {
            *ret_reason = (enum session_reason)i;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

enum session_reason session_reason_of_stop(enum stop_reason reason)
{
    switch (reason) {
    case STOP_DRIVER:
        return REASON_DRIVER;
    case STOP_ADMIN:
        return REASON_ADMIN;
    case STOP_WEATHER:
        return REASON_WEATHER;
    case STOP_MAINTENANCE:
        return REASON_MAINTENANCE;
    case STOP_FAULT:
        return REASON_FAULT;
    case STOP_REVOKED:
        return REASON_REVOKED;
    case STOP_KEY_DROPPED:
        return REASON_KEY_DROPPED;
    case STOP_DEREGISTERED:
        return REASON_DEREGISTERED;
    case STOP_MONITOR_LOST:
        return REASON_CONTROL_LOST;
    case STOP_ENGINE_LOST:
        return REASON_ENGINE_LOST;
    case STOP_NONE:
    case STOP_UNPLUGGED:
    case STOP_TARGET:
    case STOP_BATTERY_FULL:
    case STOP_REASON_COUNT:
        break;
    }
    return REASON_CP_REFUSED;
}
