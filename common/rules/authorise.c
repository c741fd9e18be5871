#include "common/rules/authorise.h"

/* Checks 1 to 7: the request, its driver, and whether there is such a charge point at all. */
static enum session_reason check_driver(const struct authorise_request *request)
{
    if (request->duplicate) {
        return REASON_DUPLICATE_REQUEST;
    }
    if (request->too_old) {
        return REASON_REQUEST_TOO_OLD;
    }
    if (!request->driver_known) {
        return REASON_UNKNOWN_DRIVER;
    }
    if (request->driver_revoked) {
        return REASON_DRIVER_REVOKED;
    }
    if (request->has_target && (request->target_wh == 0 || request->target_wh > AUTHORISE_TARGET_WH_MAX)) {
        return REASON_BAD_TARGET;
    }
    if (!request->cp_known) {
        return REASON_UNKNOWN_CP;
    }
    if (request->driver_has_open_session) {
        return REASON_DRIVER_BUSY;
    }
    return REASON_NONE;
}

/* Checks 8 to 13. */
static enum session_reason check_charge_point(const struct authorise_request *request)
{
    switch (request->cp_state) {
    case CP_OFFLINE:
        return REASON_CP_OFFLINE;
    case CP_FAULTED:
        return REASON_CP_FAULTED;
    case CP_CHARGING:
        return REASON_CP_CHARGING;
    case CP_UNAVAILABLE:
        return REASON_CP_OUT_OF_ORDER;
    case CP_FINISHING:
        return request->cp_holds != 0 ? REASON_CP_OUT_OF_ORDER : REASON_CP_FINISHING;
    case CP_PREPARING:
        return request->cp_holds != 0 ? REASON_CP_OUT_OF_ORDER : REASON_CP_RESERVED;
    case CP_AVAILABLE:
        if (request->cp_holds != 0) {
            return REASON_CP_OUT_OF_ORDER;
        }
        return request->cp_has_open_session ? REASON_CP_RESERVED : REASON_NONE;
    case CP_STATE_COUNT:
        break;
    }
    EV_UNREACHABLE("a state that is none");
}

enum session_reason authorise(const struct authorise_request *request)
{
    enum session_reason reason = check_driver(request);

    return reason != REASON_NONE ? reason : check_charge_point(request);
}
