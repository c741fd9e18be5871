#include "weather/station.h"

#include "common/runtime/log.h"
#include "weather/station_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *station_provider_name(const struct station *station)
{
    static const char *const names[] = {[PROVIDER_OPENWEATHER] = "openweather",
                                        [PROVIDER_OPEN_METEO] = "open-meteo",
                                        [PROVIDER_SCRIPTED] = "scripted"};

    return names[station->provider];
}

/* --- calls --- */

struct station_call *station_call_new(struct station *station, const char *city)
{
    struct station_call *call = calloc(1, sizeof *call);

    EV_ASSERT(call != NULL);
    call->station = station;
    (void)snprintf(call->city, sizeof call->city, "%s", city);
    call->next = station->calls;
    station->calls = call;
    return call;
}

void station_call_free(struct station_call *call)
{
    struct station_call **at = &call->station->calls;

    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    if (call->call != NULL) {
        http_client_cancel(call->call);
    }
    free(call);
}

/* --- what is due --- */

static void carry_out(struct station *station, const struct watch_effect *effect)
{
    switch (effect->type) {
    case WATCH_ASK:
        station_ask(station, effect);
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

void station_pump(struct station *station)
{
    struct watch_effect effect;

    if (station->pumping || !station->started) {
        return;
    }
    station->pumping = true;
    while (watch_next(&station->watch, loop_now_ms(station->loop), &effect)) {
        carry_out(station, &effect);
    }
    station->pumping = false;
    int64_t next = watch_next_ms(&station->watch);
    int64_t now = loop_now_ms(station->loop);
    loop_timer_start(station->timer, next > now ? next - now : 0);
}

static void on_timer(void *user)
{
    station_pump(user);
}

/* --- registration --- */

static void on_certificate(void *user, bool renewed)
{
    struct station *station = user;

    station->registry_problem.text[0] = '\0';
    log_info(renewed ? "weather.renewed" : "weather.registered");
    watch_set_online(&station->watch, loop_now_ms(station->loop));
    station_pump(station);
}

static void on_problem(void *user, const char *text, bool final)
{
    struct station *station = user;

    struct failure problem;

    (void)failure_set(&problem, EV_ERR_AUTH, "%s", text);
    if (strcmp(station->registry_problem.text, problem.text) == 0) {
        return;
    }
    station->registry_problem = problem;
    if (final) {
        log_error("weather.registration_refused", log_str("text", text));
    } else {
        log_warn("weather.registration_waits", log_str("text", text));
    }
}

void station_start(struct station *station)
{
    station->started = true;
    if (identity_is_enrolled(station->identity)) {
        watch_set_online(&station->watch, loop_now_ms(station->loop));
    } else if (!identity_can_start(station->identity)) {
        on_problem(station, "Weather is not registered: start it with --invitation CODE", true);
    }
    if (identity_can_start(station->identity)) {
        identity_start(station->identity);
    }
    log_info("weather.started", log_str("provider", station_provider_name(station)),
             log_str("central", station->central_url));
    station_pump(station);
}

enum ev_err station_add_city(struct station *station, const char *name, struct failure *ret_failure)
{
    char city[CITY_NAME_SIZE];
    enum ev_err err = city_name_normalise(name, strlen(name), city);

    if (err != EV_OK) {
        return failure_set(ret_failure, EV_ERR_USAGE,
                           "\"%.100s\" is no city's name; accepted: 1 to 64 bytes of UTF-8", name);
    }
    err = watch_add(&station->watch, city, loop_now_ms(station->loop));
    if (err == EV_ERR_FULL) {
        return failure_set(ret_failure, err, "more than %d cities", WATCH_CITIES_MAX);
    }
    return EV_OK;
}

/* --- life --- */

static enum ev_err open_identity(struct station *station, const struct station_config *config,
                                 struct failure *ret_failure)
{
    const struct identity_config identity = {
        .loop = station->loop,
        .http_client = station->http_client,
        .directory = config->state_dir,
        .role = NODE_ROLE_WEATHER,
        .id = config->id,
        .registry_url = config->registry_url,
        .invitation = config->invitation,
        .on_certificate = on_certificate,
        .on_problem = on_problem,
        .user = station,
    };

    return identity_open(&identity, &station->identity, ret_failure);
}

enum ev_err station_new(struct loop *loop, const struct station_config *config, struct station **ret_station,
                        struct failure *ret_failure)
{
    struct station *station = calloc(1, sizeof *station);
    enum ev_err err = EV_OK;

    if (station == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    station->loop = loop;
    station->provider = config->provider;
    (void)snprintf(station->central_url, sizeof station->central_url, "%s", config->central_url);
    (void)snprintf(station->api_url, sizeof station->api_url, "%s", config->api_url);
    (void)snprintf(station->api_key, sizeof station->api_key, "%s", config->api_key);
    err = watch_init(&station->watch, &config->watch, loop_now_ms(loop));
    if (err == EV_OK && config->provider == PROVIDER_SCRIPTED) {
        err = scripted_new(config->temperatures_file, &station->scripted);
    }
    if (err == EV_OK) {
        err = http_client_new(loop, &station->http_client);
    }
    if (err == EV_OK) {
        err = loop_timer_new(loop, on_timer, station, &station->timer);
    }
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot start: %s", ev_err_text(err));
    } else {
        err = open_identity(station, config, ret_failure);
    }
    if (err != EV_OK) {
        station_free(station);
        return err;
    }
    *ret_station = station;
    return EV_OK;
}

void station_free(struct station *station)
{
    if (station == NULL) {
        return;
    }
    while (station->calls != NULL) {
        station_call_free(station->calls);
    }
    if (station->points_call != NULL) {
        http_client_cancel(station->points_call);
    }
    central_client_places_fini(&station->places);
    loop_timer_free(station->timer);
    identity_free(station->identity);
    http_client_free(station->http_client);
    scripted_free(station->scripted);
    watch_fini(&station->watch);
    memset(station->api_key, 0, sizeof station->api_key);
    free(station);
}
