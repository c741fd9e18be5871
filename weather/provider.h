/* provider.h - what every source of temperatures gives: a reading, or words for why not. */
#ifndef EV_WEATHER_PROVIDER_H
#define EV_WEATHER_PROVIDER_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "weather/city_name.h"

#include <stdbool.h>
#include <stdint.h>

#define PROVIDER_URL_MAX 1024
#define PROVIDER_KEY_MAX 128
/* Honest answers are below 2 kB. */
#define PROVIDER_ANSWER_MAX (64 * 1024)
#define PROVIDER_TIMEOUT_MS 10000

enum provider_kind { PROVIDER_OPENWEATHER, PROVIDER_OPEN_METEO, PROVIDER_SCRIPTED };

struct provider_reading {
    double temperature_c;   /* within what the rules accept */
    int64_t observed_at_ms; /* Unix; 0: not said */
};

/* A number within -90 .. 60. Errors: EV_ERR_RANGE in words. */
EV_MUST_CHECK enum ev_err provider_check_temperature(double degrees, struct failure *ret_failure);

/* "http://host" or "https://host:port/path", without a slash at the end. Errors: EV_ERR_PARSE,
 * EV_ERR_TOO_LARGE. */
EV_MUST_CHECK enum ev_err provider_parse_url(const char *text, char ret_base[PROVIDER_URL_MAX]);

/* What a status other than 200 means, in words. city: "" where it is not about one. */
void provider_status_words(int status, struct failure *ret_text);

#endif
