/* time_text.h - Unix milliseconds <-> RFC 3339 text in UTC. Pure arithmetic, no C library calendar. */
#ifndef EV_WIRE_TIME_TEXT_H
#define EV_WIRE_TIME_TEXT_H

#include "common/rules/ev_err.h"

#include <stdint.h>

#define TIME_TEXT_SIZE 25                    /* "2026-01-31T23:59:59.999Z" and the terminator */
#define TIME_NONE INT64_C(0)                 /* "never", as in common/rules/session.h; null in JSON */
#define TIME_MS_MAX INT64_C(253402300799999) /* the last millisecond of the year 9999 */
#define TIME_DAY_MS INT64_C(86400000)

/*   ms  0 .. TIME_MS_MAX; others are written as the nearest of these */
void time_text_format(int64_t ms, char ret_text[TIME_TEXT_SIZE]);

/* RFC 3339: `YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm)`, upper case T and Z, years 1970 to 9999, at
 * most nine digits of fraction (cut to milliseconds), no leap second. Errors: EV_ERR_PARSE; EV_ERR_RANGE
 * (before 1970 or after 9999); output untouched. */
EV_MUST_CHECK enum ev_err time_text_parse(const char *text, int64_t *ret_ms);

/* The first millisecond of this time's day in UTC. */
int64_t time_text_day_start(int64_t ms);

#endif
