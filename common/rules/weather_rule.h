/* weather_rule.h - from a city's temperature to hold or lift.
 * Alert below 0.0 degrees, ends at 1.0 (hysteresis). Pure. Used by central for each report.
 * City names are NFC already (common/runtime) and compared whole, byte for byte. */
#ifndef EV_RULES_WEATHER_RULE_H
#define EV_RULES_WEATHER_RULE_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stdint.h>

#define WEATHER_ALERT_BELOW_MILLI_C 0
#define WEATHER_ALERT_ENDS_MILLI_C 1000
#define WEATHER_MIN_MILLI_C (-90000)
#define WEATHER_MAX_MILLI_C 60000

enum weather_action {
    WEATHER_NONE, /* nothing changes */
    WEATHER_HOLD, /* set HOLD_WEATHER at the city's charge points */
    WEATHER_LIFT  /* lift it */
};

/* Degrees as a JSON number -> millidegrees, rounded away from the alert's threshold never: the nearest,
 * halves away from zero. Errors: EV_ERR_RANGE (NaN, infinite, outside -90 .. 60; output untouched). */
EV_MUST_CHECK enum ev_err weather_rule_parse_degrees(double degrees, int32_t *ret_milli_c);

/* One report of a city. alert: what it was (false for a new city).
 * Errors: EV_ERR_RANGE (outputs untouched: the alert stays what it was). */
EV_MUST_CHECK enum ev_err weather_rule_step(bool alert, int32_t milli_c, bool *ret_alert,
                                            enum weather_action *ret_action);

bool weather_rule_same_city(const char *a, const char *b);

const char *weather_action_text(enum weather_action action);

#endif
