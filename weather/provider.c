#include "weather/provider.h"

#include "common/rules/weather_rule.h"

#include <string.h>

enum ev_err provider_check_temperature(double degrees, struct failure *ret_failure)
{
    int32_t milli_c = 0;

    if (weather_rule_parse_degrees(degrees, &milli_c) != EV_OK) {
        return failure_set(ret_failure, EV_ERR_RANGE, "a temperature of %g degrees cannot be", degrees);
    }
    return EV_OK;
}

enum ev_err provider_parse_url(const char *text, char ret_base[PROVIDER_URL_MAX])
{
    size_t len = strlen(text);
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;

    while (len > 0 && text[len - 1] == '/') {
        len--;
    }
    if (scheme == 0 || len <= scheme) {
        return EV_ERR_PARSE;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f) {
            return EV_ERR_PARSE;
        }
    }
    if (len >= PROVIDER_URL_MAX / 2) {
        return EV_ERR_TOO_LARGE;
    }
    memcpy(ret_base, text, len);
    ret_base[len] = '\0';
    return EV_OK;
}

void provider_status_words(int status, struct failure *ret_text)
{
    switch (status) {
    case 401:
    case 403:
        (void)failure_set(ret_text, EV_ERR_AUTH, "the provider refuses the API key (%d)", status);
        break;
    case 404:
        (void)failure_set(ret_text, EV_ERR_NOT_FOUND, "the provider does not know this city (404)");
        break;
    case 429:
        (void)failure_set(ret_text, EV_ERR_AGAIN, "the provider's quota is used up (429): waiting");
        break;
    default:
        (void)failure_set(ret_text, EV_ERR_IO, "the provider answers %d%s", status,
                          status >= 500 ? ", an error of its own" : "");
    }
}
