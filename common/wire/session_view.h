/* session_view.h - a session as others see it: the GET /sessions/{id} object of the contract.
 * One shape for Central's API, the notices to drivers, and what a driver reads back. */
#ifndef EV_WIRE_SESSION_VIEW_H
#define EV_WIRE_SESSION_VIEW_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/rules/session.h"
#include "common/wire/json.h"
#include "common/wire/time_text.h"

#include <stdint.h>

#define SESSION_VIEW_SIZE 640 /* room for every written view */

/* Member names are those of the JSON. Times are Unix ms, TIME_NONE (0) -> null; RFC 3339 text in JSON.
 * REASON_NONE and STOP_NONE -> null. Ids are always set. */
struct session_view {
    struct session_id id;
    struct request_id request_id;
    struct cp_id cp_id;
    struct driver_id driver_id;
    enum session_state state;
    enum session_reason reason;
    enum stop_reason stop_reason;
    int64_t requested_at;
    int64_t started_at;
    int64_t ended_at;
    uint64_t energy_wh;
    uint64_t cost_cents;
    uint32_t price_cents_per_kwh;
};

/* What is shown of a session now: energy in whole Wh, the cost so far. */
void session_view_from_session(const struct session *session, struct session_view *ret_view);

/* Writes the object as member `name`, or as the whole text for NULL. */
void session_view_write(const struct session_view *view, struct json_writer *writer, const char *name);

/* A new tree, which the caller deletes; NULL: out of memory. */
cJSON *session_view_to_json(const struct session_view *view);

/* Errors: EV_ERR_PARSE, EV_ERR_RANGE, EV_ERR_TOO_LARGE; output untouched. */
EV_MUST_CHECK enum ev_err session_view_from_json(const cJSON *object, struct session_view *ret_view);

#endif
