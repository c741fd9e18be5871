/* open_meteo.h - the provider Open-Meteo: GET /v1/forecast?latitude=..&longitude=..; needs no key.
 * Pure; station.c carries it. */
#ifndef EV_WEATHER_OPEN_METEO_H
#define EV_WEATHER_OPEN_METEO_H

#include "weather/provider.h"

#include <stddef.h>

#define OPEN_METEO_URL "https://api.open-meteo.com"
#define OPEN_METEO_INTERVAL_MS 300000

/* Errors: EV_ERR_TOO_LARGE. */
EV_MUST_CHECK enum ev_err open_meteo_format_url(const char *base, double lat, double lon,
                                                char ret_url[PROVIDER_URL_MAX]);

/* The body of a 200. Errors as openweather_parse. */
EV_MUST_CHECK enum ev_err open_meteo_parse(const char *body, size_t len, struct provider_reading *ret_reading,
                                           struct failure *ret_failure);

#endif
