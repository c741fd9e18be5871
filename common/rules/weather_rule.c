#include "common/rules/weather_rule.h"

#include <stddef.h>
#include <string.h>

enum ev_err weather_rule_parse_degrees(double degrees, int32_t *ret_milli_c)
{
    double milli = degrees * 1000.0;

    /* Written so that NaN, for which every comparison is false, is refused. */
    if (!(milli >= WEATHER_MIN_MILLI_C && milli <= WEATHER_MAX_MILLI_C)) {
        return EV_ERR_RANGE;
    }
    *ret_milli_c = (int32_t)(milli < 0 ? milli - 0.5 : milli + 0.5);
    return EV_OK;
}

enum ev_err weather_rule_step(bool alert, int32_t milli_c, bool *ret_alert, enum weather_action *ret_action)
{
    if (milli_c < WEATHER_MIN_MILLI_C || milli_c > WEATHER_MAX_MILLI_C) {
        return EV_ERR_RANGE;
    }
    if (!alert && milli_c < WEATHER_ALERT_BELOW_MILLI_C) {
        *ret_alert = true;
        *ret_action = WEATHER_HOLD;
    } else if (alert && milli_c >= WEATHER_ALERT_ENDS_MILLI_C) {
        *ret_alert = false;
        *ret_action = WEATHER_LIFT;
    } else {
        *ret_alert = alert;
        *ret_action = WEATHER_NONE;
    }
    return EV_OK;
}

bool weather_rule_same_city(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

const char *weather_action_text(enum weather_action action)
{
    switch (action) {
    case WEATHER_NONE:
        return "none";
    case WEATHER_HOLD:
        return "hold";
    case WEATHER_LIFT:
        return "lift";
    }
    EV_UNREACHABLE("an action that is none");
}
