/* authorise.h - may this driver charge at this charge point now, and if not, why.
 * Pure. Used by central/request_ingest and for `charge DRIVER` at a monitor. */
#ifndef EV_RULES_AUTHORISE_H
#define EV_RULES_AUTHORISE_H

#include "common/rules/charge_point.h"
#include "common/rules/session.h"

#include <stdbool.h>
#include <stdint.h>

#define AUTHORISE_TARGET_WH_MAX UINT32_C(1000000) /* 1 MWh: more than any car takes */

struct authorise_request {
    bool duplicate; /* (driver, request_id) was answered before */
    bool too_old;   /* Kafka held it from before Central attached */
    bool has_target;
    uint64_t target_wh; /* 1 .. AUTHORISE_TARGET_WH_MAX when has_target */
    bool driver_known;
    bool driver_revoked;
    bool driver_has_open_session; /* session_is_open: settling does not count */
    bool cp_known;
    bool cp_has_open_session; /* the same for the charge point */
    enum cp_state cp_state;   /* charge_point_state */
    uint32_t cp_holds;
};

/* REASON_NONE: yes. Otherwise the first of these that is true, in this order:
 *  1 duplicate_request   answer again what was answered first
 *  2 request_too_old     (the session is `expired`; all others below are `rejected`)
 *  3 unknown_driver  4 driver_revoked
 *  5 bad_target
 *  6 unknown_cp
 *  7 driver_busy
 *  8 cp_offline  9 cp_faulted  10 cp_charging  11 cp_out_of_order  12 cp_finishing  13 cp_reserved
 * What the driver is comes before what the charge point is, so that a stranger learns nothing of charge
 * points; 8 to 13 are in the order of the shown state. A hold on any charge point, whatever it shows, is 11
 * at the latest; an open session of the charge point is 13 at the latest. Texts: session_reason_text and
 * session_reason_sentence. */
enum session_reason authorise(const struct authorise_request *request);

#endif
