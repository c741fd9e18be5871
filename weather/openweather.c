#include "weather/openweather.h"

#include "common/wire/json.h"
#include "common/wire/time_text.h"

#include <stdio.h>
#include <string.h>

enum ev_err openweather_parse_key(const char *bytes, size_t len, char ret_key[PROVIDER_KEY_MAX])
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t start = 0;
    size_t end = 0;

    while (start < len && (bytes[start] == ' ' || bytes[start] == '\t')) {
        start++;
    }
    end = start;
    while (end < len && bytes[end] != '\0' && strchr(good, bytes[end]) != NULL) {
        end++;
    }
    if (end == start || end - start >= PROVIDER_KEY_MAX) {
        return EV_ERR_PARSE;
    }
    for (size_t i = end; i < len && bytes[i] != '\n'; i++) {
        if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r') {
            return EV_ERR_PARSE;
        }
    }
    memcpy(ret_key, bytes + start, end - start);
    ret_key[end - start] = '\0';
    return EV_OK;
}

enum ev_err openweather_format_url(const char *base, const char *key, const char city[CITY_NAME_SIZE],
                                   char ret_url[PROVIDER_URL_MAX])
{
    char encoded[CITY_NAME_ENCODED_SIZE];
    int len = 0;

    city_name_encode(city, encoded);
    len = snprintf(ret_url, PROVIDER_URL_MAX, "%s/data/2.5/weather?q=%s&units=metric&appid=%s", base, encoded,
                   key);
    return len > 0 && len < PROVIDER_URL_MAX ? EV_OK : EV_ERR_TOO_LARGE;
}

enum ev_err openweather_parse(const char *body, size_t len, struct provider_reading *ret_reading,
                              struct failure *ret_failure)
{
    struct provider_reading reading = {.observed_at_ms = 0};
    cJSON *tree = NULL;
    int64_t seconds = 0;
    enum ev_err err = json_parse(body, len, PROVIDER_ANSWER_MAX, &tree);

    if (err != EV_OK) {
        return failure_set(ret_failure, err, "the provider's answer is no JSON");
    }
    err = json_get_real(json_member(tree, "main"), "temp", -1000, 1000, &reading.temperature_c);
    if (err == EV_OK && json_has(tree, "dt")) {
        err = json_get_integer(tree, "dt", 0, TIME_MS_MAX / 1000, &seconds);
    }
    cJSON_Delete(tree);
    if (err != EV_OK) {
        return failure_set(ret_failure, err, "the provider's answer has no temperature (main.temp, dt)");
    }
    err = provider_check_temperature(reading.temperature_c, ret_failure);
    if (err == EV_OK) {
        reading.observed_at_ms = seconds * 1000;
        *ret_reading = reading;
    }
    return err;
}
