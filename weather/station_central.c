/* station_central.c - reports to Central, and what it says of charge points. */
#include "weather/station_internal.h"

#include "common/runtime/log.h"

#include <string.h>

/* Whether there is an answer; says so once per change. */
static bool note_central(struct station *station, const struct http_response *response)
{
    bool up = response->err == EV_OK;

    if (!station->central_told || station->central_up != up) {
        station->central_told = true;
        station->central_up = up;
        if (up) {
            log_info("weather.central_reached", log_str("central", station->central_url));
        } else {
            log_warn("weather.central_unreachable", log_str("central", station->central_url),
                     log_str("text", "Central cannot be reached; trying again with every poll"),
                     log_str("error", response->text));
        }
    }
    return up;
}

static void send_call(struct station *station, struct station_call *call, const struct http_request *request,
                      http_on_done on_done)
{
    if (http_client_send(station->http_client, request, on_done, call, &call->call) != EV_OK) {
        const struct http_response failed = {.err = EV_ERR_FULL, .text = "too many calls are open"};

        call->call = NULL;
        on_done(call, &failed);
    }
}

/* --- reports --- */

static void on_reported(void *user, const struct http_response *response)
{
    struct station_call *call = user;
    struct station *station = call->station;
    struct failure failure = {{0}};
    bool taken = false;

    call->call = NULL;
    if (!note_central(station, response)) {
        (void)failure_set(&failure, EV_ERR_IO, "Central cannot be reached: %s", response->text);
    } else if (response->status / 100 != 2) {
        http_problem_text(response, &failure);
    } else {
        taken = true;
    }
    bool news =
        watch_on_reported(&station->watch, call->city, taken, failure.text, loop_now_ms(station->loop));
    if (news && taken) {
        log_info("weather.reported", log_str("city", call->city));
    } else if (news && response->err == EV_OK) {
        log_warn("weather.report_refused", log_str("city", call->city), log_int("status", response->status),
                 log_str("text", failure.text));
    }
    station_call_free(call);
    station_pump(station);
}

void station_report(struct station *station, const struct watch_effect *effect)
{
    char url[CENTRAL_CLIENT_URL_MAX];
    char body[CENTRAL_CLIENT_BODY_MAX];
    struct http_request request = {.method = "PUT", .url = url, .body = body};
    struct station_call *call = station_call_new(station, effect->city);
    int64_t observed = effect->observed_at_ms != 0 ? effect->observed_at_ms : wall_now_ms();
    enum ev_err err = central_client_write_report(effect->temperature_c, observed,
                                                  effect->forced ? "forced" : station_provider_name(station),
                                                  body, &request.body_len);

    EV_ASSERT(err == EV_OK); /* all of it is bounded */
    central_client_city_url(station->central_url, effect->city, url);
    identity_fill_request(station->identity, &request);
    send_call(station, call, &request, on_reported);
}

/* --- forgetting --- */

static void on_forgotten(void *user, const struct http_response *response)
{
    struct station_call *call = user;
    struct station *station = call->station;
    bool answered = note_central(station, response);
    bool done = answered && (response->status / 100 == 2 || response->status == 404);
    struct failure failure = {{0}};

    call->call = NULL;
    if (done) {
        log_info("weather.forgotten", log_str("city", call->city));
    } else if (answered) {
        http_problem_text(response, &failure);
        log_warn("weather.not_forgotten", log_str("city", call->city), log_int("status", response->status),
                 log_str("text", failure.text));
    }
    watch_on_forgotten(&station->watch, call->city, done, loop_now_ms(station->loop));
    station_call_free(call);
    station_pump(station);
}

void station_forget(struct station *station, const struct watch_effect *effect)
{
    char url[CENTRAL_CLIENT_URL_MAX];
    struct http_request request = {.method = "DELETE", .url = url};

    central_client_city_url(station->central_url, effect->city, url);
    identity_fill_request(station->identity, &request);
    send_call(station, station_call_new(station, effect->city), &request, on_forgotten);
}

/* --- charge points --- */

static void fetch_page(struct station *station, const char *after);

static void points_failed(struct station *station, const char *text)
{
    if (text[0] != '\0' && strcmp(station->central_problem.text, text) != 0) {
        (void)failure_set(&station->central_problem, EV_ERR_IO, "%s", text);
        log_warn("weather.charge_points_unreadable", log_str("text", text));
    }
    central_client_places_fini(&station->places);
    watch_on_points_failed(&station->watch);
    station_pump(station);
}

static void on_whole_list(struct station *station)
{
    size_t without_room = watch_on_points(&station->watch, station->places.items, station->places.count,
                                          loop_now_ms(station->loop));

    station->central_problem.text[0] = '\0';
    if (without_room > 0 && !station->room_told) {
        log_error("weather.too_many_cities", log_int("max", WATCH_CITIES_MAX),
                  log_str("text", "there are more cities than can be watched"));
    }
    station->room_told = without_room > 0;
    central_client_places_fini(&station->places);
    station_pump(station);
}

static void on_page(void *user, const struct http_response *response)
{
    struct station *station = user;
    struct failure failure = {{0}};
    char next[NODE_ID_LENGTH_MAX + 1] = "";
    size_t before = station->places.points;

    station->points_call = NULL;
    if (!note_central(station, response)) {
        points_failed(station, "");
        return;
    }
    if (response->status != 200) {
        http_problem_text(response, &failure);
        points_failed(station, failure.text);
        return;
    }
    if (central_client_parse_points(response->body, response->body_len, &station->places, next) != EV_OK) {
        points_failed(station, "Central's list of charge points cannot be read");
    } else if (next[0] != '\0' && station->places.points > before &&
               station->places.points < CENTRAL_CLIENT_POINTS_MAX) {
        fetch_page(station, next);
    } else {
        on_whole_list(station);
    }
}

static void fetch_page(struct station *station, const char *after)
{
    char url[CENTRAL_CLIENT_URL_MAX];
    struct http_request request = {.url = url, .response_max = CENTRAL_CLIENT_ANSWER_MAX};

    central_client_points_url(station->central_url, after, url);
    identity_fill_request(station->identity, &request);
    if (http_client_send(station->http_client, &request, on_page, station, &station->points_call) != EV_OK) {
        station->points_call = NULL;
        points_failed(station, "too many calls are open");
    }
}

void station_fetch_points(struct station *station)
{
    fetch_page(station, "");
}
