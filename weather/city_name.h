/* city_name.h - names of cities as they are compared: NFC, whole, byte for byte. Pure. */
#ifndef EV_WEATHER_CITY_NAME_H
#define EV_WEATHER_CITY_NAME_H

#include "common/rules/ev_err.h"

#include <stddef.h>

#define CITY_NAME_SIZE 65 /* 64 bytes, as Central takes them, and the terminator */

/* Trims blanks and normalises. Errors: EV_ERR_PARSE (empty, no UTF-8, control characters), EV_ERR_TOO_LARGE,
 * EV_ERR_NOMEM; output untouched. */
EV_MUST_CHECK enum ev_err city_name_normalise(const char *text, size_t len, char ret_name[CITY_NAME_SIZE]);

/* Percent-encodes everything but unreserved characters (RFC 3986). */
#define CITY_NAME_ENCODED_SIZE (3 * CITY_NAME_SIZE)
void city_name_encode(const char name[CITY_NAME_SIZE], char ret_text[CITY_NAME_ENCODED_SIZE]);

#endif
