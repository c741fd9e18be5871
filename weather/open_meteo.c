#include "weather/open_meteo.h"

#include "common/wire/json.h"
#include "common/wire/time_text.h"

#include <stdio.h>
#include <string.h>

#define ISO_SIZE 32

enum ev_err open_meteo_format_url(const char *base, double lat, double lon, char ret_url[PROVIDER_URL_MAX])
{
    int len =
        snprintf(ret_url, PROVIDER_URL_MAX,
                 "%s/v1/forecast?latitude=%.4f&longitude=%.4f&current=temperature_2m&timeformat=unixtime",
                 base, lat, lon);

    return len > 0 && len < PROVIDER_URL_MAX ? EV_OK : EV_ERR_TOO_LARGE;
}

/* Seconds as asked for, or "2026-11-24T05:15" in UTC, as it answers by default. */
static enum ev_err read_time(const cJSON *current, int64_t *ret_ms)
{
    char text[ISO_SIZE];
    int64_t seconds = 0;

    if (!json_has(current, "time")) {
        return EV_OK;
    }
    if (json_get_integer(current, "time", 0, TIME_MS_MAX / 1000, &seconds) == EV_OK) {
        *ret_ms = seconds * 1000;
        return EV_OK;
    }
    enum ev_err err = json_get_text(current, "time", text, sizeof text - 4);
    if (err != EV_OK) {
        return err;
    }
    if (strlen(text) == strlen("2026-11-24T05:15")) {
        memcpy(text + strlen(text), ":00Z", sizeof ":00Z");
    }
    return time_text_parse(text, ret_ms);
}

enum ev_err open_meteo_parse(const char *body, size_t len, struct provider_reading *ret_reading,
                             struct failure *ret_failure)
{
    struct provider_reading reading = {.observed_at_ms = 0};
    cJSON *tree = NULL;
    enum ev_err err = json_parse(body, len, PROVIDER_ANSWER_MAX, &tree);

    if (err != EV_OK) {
        return failure_set(ret_failure, err, "the provider's answer is no JSON");
    }
    const cJSON *current = json_member(tree, "current");
    err = json_get_real(current, "temperature_2m", -1000, 1000, &reading.temperature_c);
    if (err == EV_OK) {
        err = read_time(current, &reading.observed_at_ms);
    }
    cJSON_Delete(tree);
    if (err != EV_OK) {
        return failure_set(ret_failure, err,
                           "the provider's answer has no temperature (current.temperature_2m, current.time)");
    }
    err = provider_check_temperature(reading.temperature_c, ret_failure);
    if (err == EV_OK) {
        *ret_reading = reading;
    }
    return err;
}
