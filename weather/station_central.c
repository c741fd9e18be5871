/* station_central.c - reporting to Central, and learning from it which cities have charge points. */
#include "weather/station_internal.h"

#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_SIZE 256
#define PAGE_LIMIT 500
#define CALL_URL_MAX (PROVIDER_URL_MAX + CITY_NAME_ENCODED_SIZE + 128)
#define PLACES_MAX 100000

/* One call about one city. */
struct call {
    struct station *station;
    char city[CITY_NAME_SIZE];
};

static struct call *call_new(struct station *station, const char *city)
{
    struct call *call = calloc(1, sizeof *call);
    EV_ASSERT(call != NULL);
    call->station = station;
    (void)snprintf(call->city, sizeof call->city, "%s", city);
    return call;
}

void station_tell(struct station *station, const char *text)
{
    if (strcmp(station->problem, text) == 0)
        return;
    (void)snprintf(station->problem, sizeof station->problem, "%s", text);
    if (text[0] == '\0')
        log_info("central.reached", log_str("central", station->central));
    else
        log_warn("central.unreachable", log_str("reason", text),
                 log_str("note", "trying again with every poll"));
}

static void city_url(const struct station *station, const char *city, char ret_url[CALL_URL_MAX])
{
    char encoded[CITY_NAME_ENCODED_SIZE];
    city_name_encode(city, encoded);
    (void)snprintf(ret_url, CALL_URL_MAX, "%s/api/v1/weather/%s", station->central, encoded);
}

static void on_reported(void *user, const struct http_response *response)
{
    struct call *call = user;
    struct station *station = call->station;
    struct failure text = {.text = ""};
    bool taken = response->err == EV_OK && response->status == 200;
    if (!taken)
        http_problem_text(response, &text);
    /* Central away is one trouble, not one for each city. */
    if (response->err != EV_OK)
        station_tell(station, text.text);
    else
        station_tell(station, "");
    if (watch_on_reported(&station->watch, call->city, taken, text.text, loop_now_ms(station->loop)) &&
        response->err == EV_OK) {
        if (taken)
            log_info("weather.reported", log_str("city", call->city));
        else
            log_warn("weather.report_refused", log_str("city", call->city), log_str("reason", text.text));
    }
    free(call);
    station_run(station);
}

void station_report(struct station *station, const struct watch_effect *effect)
{
    static const char *const SOURCES[] = {[PROVIDER_OPENWEATHER] = "openweather",
                                          [PROVIDER_OPEN_METEO] = "open-meteo",
                                          [PROVIDER_SCRIPTED] = "scripted"};
    char url[CALL_URL_MAX], body[BODY_SIZE];
    size_t len = 0;
    struct json_writer writer;
    json_writer_init(&writer, body, sizeof body);
    json_write_object_begin(&writer, NULL);
    json_write_real(&writer, "temperature_c", effect->temperature_c);
    json_write_time(&writer, "observed_at",
                    effect->observed_at_ms > 0 ? effect->observed_at_ms : wall_now_ms());
    json_write_text(&writer, "source", effect->forced ? "forced" : SOURCES[station->provider]);
    json_write_object_end(&writer);
    enum ev_err err = json_writer_finish(&writer, &len);
    EV_ASSERT(err == EV_OK);
    city_url(station, effect->city, url);
    struct http_request request = {.method = "PUT", .url = url, .body = body, .body_len = len};
    identity_fill_request(station->identity, &request);
    struct call *call = call_new(station, effect->city);
    if (http_client_send(station->http, &request, on_reported, call, NULL) != EV_OK) {
        (void)watch_on_reported(&station->watch, effect->city, false, "too many calls",
                                loop_now_ms(station->loop));
        free(call);
    }
}

static void on_forgotten(void *user, const struct http_response *response)
{
    struct call *call = user;
    struct station *station = call->station;
    bool done = response->err == EV_OK && (response->status == 200 || response->status == 404);
    if (done)
        log_info("weather.forgotten", log_str("city", call->city));
    watch_on_forgotten(&station->watch, call->city, done, loop_now_ms(station->loop));
    free(call);
    station_run(station);
}

void station_forget(struct station *station, const struct watch_effect *effect)
{
    char url[CALL_URL_MAX];
    city_url(station, effect->city, url);
    struct http_request request = {.method = "DELETE", .url = url};
    identity_fill_request(station->identity, &request);
    struct call *call = call_new(station, effect->city);
    if (http_client_send(station->http, &request, on_forgotten, call, NULL) != EV_OK) {
        watch_on_forgotten(&station->watch, effect->city, false, loop_now_ms(station->loop));
        free(call);
    }
}

/* ---- charge points ---- */

static void add_place(struct station *station, const cJSON *item)
{
    struct watch_place place = {.lat = 0};
    char city[CITY_NAME_SIZE];
    if (json_get_text(item, "city", city, sizeof city) != EV_OK ||
        city_name_normalise(city, strlen(city), place.name) != EV_OK ||
        json_get_real(item, "lat", -90, 90, &place.lat) != EV_OK ||
        json_get_real(item, "lon", -180, 180, &place.lon) != EV_OK || station->place_count == PLACES_MAX)
        return;
    if (station->place_count == station->place_capacity) {
        size_t capacity = station->place_capacity == 0 ? 64 : station->place_capacity * 2;
        struct watch_place *grown = realloc(station->places, capacity * sizeof *grown);
        EV_ASSERT(grown != NULL);
        station->places = grown;
        station->place_capacity = capacity;
    }
    station->places[station->place_count++] = place;
}

/* False: no page of charge points. `after` is empty at the last one. */
static bool take_page(struct station *station, const struct http_response *response)
{
    cJSON *tree = NULL;
    const cJSON *item = NULL;
    bool good = response->err == EV_OK && response->status == 200 &&
                json_parse(response->body, response->body_len, HTTP_CLIENT_RESPONSE_MAX, &tree) == EV_OK &&
                cJSON_IsArray(json_member(tree, "items"));
    if (good) {
        cJSON_ArrayForEach(item, json_member(tree, "items"))
        {
            add_place(station, item);
        }
        if (json_is_null(tree, "next") ||
            json_get_text(tree, "next", station->after, sizeof station->after) != EV_OK)
            station->after[0] = '\0';
    }
    cJSON_Delete(tree);
    return good;
}

static void ask_page(struct station *station);

static void on_page(void *user, const struct http_response *response)
{
    struct station *station = user;
    struct failure text;
    if (!take_page(station, response)) {
        http_problem_text(response, &text);
        station_tell(station, text.text);
        watch_on_points_failed(&station->watch);
    } else if (station->after[0] != '\0') {
        ask_page(station);
        return;
    } else {
        station_tell(station, "");
        if (watch_on_points(&station->watch, station->places, station->place_count,
                            loop_now_ms(station->loop)) > 0)
            log_warn("weather.too_many_cities", log_int("watched", WATCH_CITIES_MAX));
    }
    station_run(station);
}

static void ask_page(struct station *station)
{
    char url[CALL_URL_MAX];
    (void)snprintf(url, sizeof url, "%s/api/v1/charge-points?limit=%d%s%s", station->central, PAGE_LIMIT,
                   station->after[0] == '\0' ? "" : "&after=", station->after);
    struct http_request request = {.url = url};
    identity_fill_request(station->identity, &request);
    if (http_client_send(station->http, &request, on_page, station, NULL) != EV_OK)
        watch_on_points_failed(&station->watch);
}

void station_fetch_points(struct station *station)
{
    station->place_count = 0;
    station->after[0] = '\0';
    ask_page(station);
}
