/* openweather.h - the provider OpenWeather: GET /data/2.5/weather?q=CITY. Pure; station.c carries it. */
#ifndef EV_WEATHER_OPENWEATHER_H
#define EV_WEATHER_OPENWEATHER_H

#include "weather/provider.h"

#include <stddef.h>

#define OPENWEATHER_URL "https://api.openweathermap.org"
#define OPENWEATHER_INTERVAL_MS 60000

/* The key of a file: its first line. Errors: EV_ERR_PARSE (other than letters, digits, - and _). */
EV_MUST_CHECK enum ev_err openweather_parse_key(const char *bytes, size_t len,
                                                char ret_key[PROVIDER_KEY_MAX]);

/* Errors: EV_ERR_TOO_LARGE. */
EV_MUST_CHECK enum ev_err openweather_format_url(const char *base, const char *key,
                                                 const char city[CITY_NAME_SIZE],
                                                 char ret_url[PROVIDER_URL_MAX]);

/* The body of a 200. Errors: EV_ERR_PARSE, EV_ERR_RANGE, EV_ERR_TOO_LARGE, EV_ERR_NOMEM, in words; output
 * untouched. */
EV_MUST_CHECK enum ev_err openweather_parse(const char *body, size_t len,
                                            struct provider_reading *ret_reading,
                                            struct failure *ret_failure);

#endif
