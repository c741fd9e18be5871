/* The names around a charge point: one table for each enum, used in both directions. */
#include "common/rules/charge_point.h"

#include <string.h>

static const char *const state_texts[CP_STATE_COUNT] = {
    [CP_OFFLINE] = "Offline",         [CP_FAULTED] = "Faulted",     [CP_CHARGING] = "Charging",
    [CP_UNAVAILABLE] = "Unavailable", [CP_FINISHING] = "Finishing", [CP_PREPARING] = "Preparing",
    [CP_AVAILABLE] = "Available",
};

static const struct {
    const char *text;
    enum cp_hold hold;
    enum stop_reason stop;
} holds[HOLD_COUNT] = {
    {"admin", HOLD_ADMIN, STOP_ADMIN},
    {"weather", HOLD_WEATHER, STOP_WEATHER},
    {"maintenance", HOLD_MAINTENANCE, STOP_MAINTENANCE},
    {"key", HOLD_KEY, STOP_KEY_DROPPED},
};

static const char *const event_texts[CP_EVENT_COUNT] = {
    [CP_EVENT_CONNECTED] = "connected",
    [CP_EVENT_DISCONNECTED] = "disconnected",
    [CP_EVENT_ENGINE_OK] = "engine_ok",
    [CP_EVENT_ENGINE_SILENT] = "engine_silent",
    [CP_EVENT_FAULT] = "fault",
    [CP_EVENT_REPAIRED] = "repaired",
    [CP_EVENT_PLUGGED] = "plugged",
    [CP_EVENT_UNPLUGGED] = "unplugged",
    [CP_EVENT_RESERVED] = "reserved",
    [CP_EVENT_SUPPLY_STARTED] = "supply_started",
    [CP_EVENT_SUPPLY_ENDED] = "supply_ended",
    [CP_EVENT_RESERVATION_CANCELLED] = "reservation_cancelled",
    [CP_EVENT_STOP_ASKED] = "stop_asked",
    [CP_EVENT_ABANDONED] = "abandoned",
    [CP_EVENT_HOLD_SET] = "hold_set",
    [CP_EVENT_HOLD_LIFTED] = "hold_lifted",
    [CP_EVENT_SYNCED] = "synced",
};

static const struct {
    const char *text;
    enum session_reason reason;
} reservation_ends[] = {
    {"expired", REASON_NOT_PLUGGED_IN},    {"cancelled", REASON_NONE},
    {"refused", REASON_CP_REFUSED},        {"fault", REASON_FAULT},
    {"control_lost", REASON_CONTROL_LOST},
};

const char *cp_state_text(enum cp_state state)
{
    EV_ASSERT((unsigned)state < CP_STATE_COUNT);
    return state_texts[state];
}

enum ev_err cp_state_parse(const char *text, enum cp_state *ret_state)
{
    for (unsigned i = 0; text != NULL && i < CP_STATE_COUNT; i++) {
        if (strcmp(text, state_texts[i]) == 0) {
            *ret_state = (enum cp_state)i;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

const char *cp_hold_text(enum cp_hold hold)
{
    for (unsigned i = 0; i < HOLD_COUNT; i++) {
        if (holds[i].hold == hold) {
            return holds[i].text;
        }
    }
    EV_UNREACHABLE("exactly one hold");
}

enum ev_err cp_hold_parse(const char *text, enum cp_hold *ret_hold)
{
    for (unsigned i = 0; text != NULL && i < HOLD_COUNT; i++) {
        if (strcmp(text, holds[i].text) == 0) {
            *ret_hold = holds[i].hold;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

enum stop_reason cp_hold_stop_reason(enum cp_hold hold)
{
    for (unsigned i = 0; i < HOLD_COUNT; i++) {
        if (holds[i].hold == hold) {
            return holds[i].stop;
        }
    }
    EV_UNREACHABLE("exactly one hold");
}

enum ev_err cp_reservation_end_parse(const char *text, enum session_reason *ret_reason)
{
    for (size_t i = 0; text != NULL && i < sizeof reservation_ends / sizeof reservation_ends[0]; i++) {
        if (strcmp(text, reservation_ends[i].text) == 0) {
            *ret_reason = reservation_ends[i].reason;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

const char *cp_event_text(enum cp_event_type type)
{
    EV_ASSERT((unsigned)type < CP_EVENT_COUNT);
    return event_texts[type];
}
