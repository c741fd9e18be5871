/* station.c - building the service, and asking its provider. Central: station_central.c. */
#include "weather/station_internal.h"

#include "common/runtime/log.h"
#include "common/runtime/state_dir.h"
#include "weather/open_meteo.h"
#include "weather/openweather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long a reading that cannot be renewed is still believed, in intervals of its provider. */
#define AGE_INTERVALS 4

struct ask {
    struct station *station;
    char city[CITY_NAME_SIZE];
};

/* ---- the provider ---- */

static void tell_ask_failed(struct station *station, const char *city, const char *text, bool limited,
                            int64_t retry_after_ms, bool no_reading)
{
    if (watch_on_ask_failed(&station->watch, city, text, limited, retry_after_ms, no_reading,
                            loop_now_ms(station->loop)))
        log_warn("provider.failed", log_str("city", city), log_str("reason", text));
}

static void tell_reading(struct station *station, const char *city, const struct provider_reading *reading)
{
    if (watch_on_reading(&station->watch, city, reading->temperature_c, reading->observed_at_ms,
                         loop_now_ms(station->loop)))
        log_info("weather.reading", log_str("city", city), log_real("temperature_c", reading->temperature_c));
}

static void take_answer(struct station *station, const char *city, const struct http_response *response)
{
    struct provider_reading reading = {.temperature_c = 0};
    struct failure text = {.text = ""};
    if (response->err != EV_OK) {
        http_problem_text(response, &text);
        tell_ask_failed(station, city, text.text, false, 0, false);
        return;
    }
    if (response->status != 200) {
        provider_status_words(response->status, &text);
        tell_ask_failed(station, city, text.text, response->status == 429,
                        (int64_t)response->retry_after_s * 1000, response->status == 404);
        return;
    }
    enum ev_err err = station->provider == PROVIDER_OPENWEATHER
                          ? openweather_parse(response->body, response->body_len, &reading, &text)
                          : open_meteo_parse(response->body, response->body_len, &reading, &text);
    if (err != EV_OK)
        tell_ask_failed(station, city, text.text, false, 0, false);
    else
        tell_reading(station, city, &reading);
}

static void on_answer(void *user, const struct http_response *response)
{
    struct ask *ask = user;
    struct station *station = ask->station;
    take_answer(station, ask->city, response);
    free(ask);
    station_run(station);
}

static void ask_scripted(struct station *station, const char *city)
{
    struct provider_reading reading = {.observed_at_ms = 0};
    scripted_refresh(station->scripted);
    if (scripted_find(scripted_table_of(station->scripted), city, &reading.temperature_c) == EV_OK)
        tell_reading(station, city, &reading);
    else
        tell_ask_failed(station, city,
                        "the temperatures file does not name it; `force CITY DEGREES` sets one", false, 0,
                        true);
}

static void ask_provider(struct station *station, const struct watch_effect *effect)
{
    char url[PROVIDER_URL_MAX];
    if (station->provider == PROVIDER_SCRIPTED) {
        ask_scripted(station, effect->city);
        return;
    }
    if (station->provider == PROVIDER_OPEN_METEO && !effect->has_place) {
        tell_ask_failed(station, effect->city, "no charge point says where it lies", false, 0, false);
        return;
    }
    enum ev_err err = station->provider == PROVIDER_OPENWEATHER
                          ? openweather_format_url(station->api, station->api_key, effect->city, url)
                          : open_meteo_format_url(station->api, effect->lat, effect->lon, url);
    struct http_request request = {
        .url = url, .timeout_ms = PROVIDER_TIMEOUT_MS, .response_max = PROVIDER_ANSWER_MAX};
    struct ask *ask = calloc(1, sizeof *ask);
    EV_ASSERT(ask != NULL);
    ask->station = station;
    (void)snprintf(ask->city, sizeof ask->city, "%s", effect->city);
    if (err != EV_OK || http_client_send(station->http, &request, on_answer, ask, NULL) != EV_OK) {
        tell_ask_failed(station, effect->city, "the provider's address for it is too long", false, 0, false);
        free(ask);
    }
}

/* ---- what is due ---- */

static void carry_out(struct station *station, const struct watch_effect *effect)
{
    switch (effect->type) {
    case WATCH_ASK:
        ask_provider(station, effect);
        break;
    case WATCH_REPORT:
        station_report(station, effect);
        break;
    case WATCH_FORGET:
        station_forget(station, effect);
        break;
    case WATCH_POINTS:
        station_fetch_points(station);
        break;
    }
}

void station_run(struct station *station)
{
    struct watch_effect effect;
    int64_t now_ms = loop_now_ms(station->loop);
    while (watch_next(&station->watch, now_ms, &effect))
        carry_out(station, &effect);
    int64_t next_ms = watch_next_ms(&station->watch);
    if (next_ms != WATCH_NEVER)
        loop_timer_start(station->timer, next_ms > now_ms ? next_ms - now_ms : 1);
}

static void on_timer(void *user)
{
    station_run(user);
}

static void on_certificate(void *user, bool renewed)
{
    struct station *station = user;
    log_info(renewed ? "certificate.renewed" : "certificate.ready",
             log_str("text", "registered; reporting to Central"));
    watch_set_online(&station->watch, loop_now_ms(station->loop));
    station_run(station);
}

static void on_identity_problem(void *user, const char *text, bool final)
{
    struct station *station = user;
    if (strcmp(station->problem, text) == 0)
        return;
    (void)snprintf(station->problem, sizeof station->problem, "%s", text);
    log_warn(final ? "registry.refused" : "registry.unreachable", log_str("reason", text),
             log_str("note", final ? "start again with --invitation" : "trying again"));
}

/* ---- building ---- */

static enum ev_err read_api_key(struct station *station, const char *path, struct failure *ret_failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (path == NULL)
        return failure_set(ret_failure, EV_ERR_USAGE, "--provider openweather needs --api-key-file");
    enum ev_err err = state_file_read(path, &bytes, &len, ret_failure);
    if (err != EV_OK)
        return err;
    err = openweather_parse_key((const char *)bytes, len, station->api_key);
    state_dir_bytes_free(bytes, len);
    return err == EV_OK
               ? EV_OK
               : failure_set(ret_failure, EV_ERR_USAGE, "%s holds no API key in its first line", path);
}

static enum ev_err set_addresses(struct station *station, const struct station_config *config,
                                 struct failure *ret_failure)
{
    const char *api = config->api_url;
    if (api == NULL)
        api = config->provider == PROVIDER_OPENWEATHER ? OPENWEATHER_URL : OPEN_METEO_URL;
    if (provider_parse_url(config->central, station->central) != EV_OK)
        return failure_set(ret_failure, EV_ERR_USAGE, "--central must be a URL like https://127.0.0.1:8443");
    if (provider_parse_url(api, station->api) != EV_OK)
        return failure_set(ret_failure, EV_ERR_USAGE, "--api-url must be a URL like https://api.example.org");
    return config->provider == PROVIDER_OPENWEATHER ? read_api_key(station, config->api_key_file, ret_failure)
                                                    : EV_OK;
}

static enum ev_err start_watch(struct station *station, const struct station_config *config,
                               struct failure *ret_failure)
{
    static const int64_t INTERVALS[] = {[PROVIDER_OPENWEATHER] = OPENWEATHER_INTERVAL_MS,
                                        [PROVIDER_OPEN_METEO] = OPEN_METEO_INTERVAL_MS,
                                        [PROVIDER_SCRIPTED] = 0};
    int64_t interval_ms = INTERVALS[config->provider];
    struct watch_config watch = {.poll_ms = config->poll_ms,
                                 .ask_interval_ms = interval_ms,
                                 .max_age_ms = interval_ms == 0 ? INT64_MAX : AGE_INTERVALS * interval_ms,
                                 .all_cities = config->city_count == 0};
    int64_t now_ms = loop_now_ms(config->loop);
    if (watch_init(&station->watch, &watch, now_ms) != EV_OK)
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < config->city_count; i++) {
        char name[CITY_NAME_SIZE];
        if (city_name_normalise(config->cities[i], strlen(config->cities[i]), name) != EV_OK)
            return failure_set(ret_failure, EV_ERR_USAGE, "--city %s: 1 to 64 bytes of UTF-8 are accepted",
                               config->cities[i]);
        if (watch_add(&station->watch, name, now_ms) == EV_ERR_FULL)
            return failure_set(ret_failure, EV_ERR_USAGE, "--city: at most %d cities", WATCH_CITIES_MAX);
    }
    return EV_OK;
}

static enum ev_err open_identity(struct station *station, const struct station_config *config,
                                 struct failure *ret_failure)
{
    struct identity_config identity = {.loop = config->loop,
                                       .http_client = station->http,
                                       .directory = config->state_dir,
                                       .role = NODE_ROLE_WEATHER,
                                       .id = config->id,
                                       .registry_url = config->registry,
                                       .invitation = config->invitation,
                                       .on_certificate = on_certificate,
                                       .on_problem = on_identity_problem,
                                       .user = station};
    enum ev_err err = identity_open(&identity, &station->identity, ret_failure);
    if (err != EV_OK)
        return err;
    if (!identity_can_start(station->identity))
        log_warn("weather.not_registered",
                 log_str("note", "start with --invitation; `ev_registry invite --role weather` prints one"));
    if (identity_is_enrolled(station->identity))
        watch_set_online(&station->watch, loop_now_ms(station->loop));
    identity_start(station->identity);
    return EV_OK;
}

enum ev_err station_new(const struct station_config *config, struct station **ret_station,
                        struct failure *ret_failure)
{
    struct station *station = calloc(1, sizeof *station);
    EV_ASSERT(station != NULL);
    station->loop = config->loop;
    station->provider = config->provider;
    enum ev_err err = set_addresses(station, config, ret_failure);
    if (err == EV_OK && config->provider == PROVIDER_SCRIPTED)
        err = scripted_new(config->temperatures_file, &station->scripted);
    if (err == EV_OK)
        err = http_client_new(config->loop, &station->http);
    if (err == EV_OK)
        err = loop_timer_new(config->loop, on_timer, station, &station->timer);
    if (err == EV_OK)
        err = start_watch(station, config, ret_failure);
    if (err == EV_OK)
        err = open_identity(station, config, ret_failure);
    if (err != EV_OK) {
        station_free(station);
        return err;
    }
    station_run(station);
    *ret_station = station;
    return EV_OK;
}

void station_free(struct station *station)
{
    if (station == NULL)
        return;
    identity_free(station->identity);
    http_client_free(station->http);
    if (station->timer != NULL)
        loop_timer_free(station->timer);
    scripted_free(station->scripted);
    watch_fini(&station->watch);
    free(station->places);
    free(station);
}
