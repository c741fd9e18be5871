#include "weather/watch.h"

#include "common/rules/weather_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX_MS ((int64_t)WATCH_ASKS_BURST * WATCH_ASK_GAP_MS)

enum ev_err watch_init(struct watch *watch, const struct watch_config *config, int64_t now_ms)
{
    *watch = (struct watch){.config = *config,
                            .beat_at_ms = now_ms,
                            .backoff_ms = WATCH_BACKOFF_FIRST_MS,
                            .tokens_ms = TOKENS_MAX_MS,
                            .tokens_at_ms = now_ms};
    watch->cities = calloc(WATCH_CITIES_MAX, sizeof *watch->cities);
    return watch->cities != NULL ? EV_OK : EV_ERR_NOMEM;
}

void watch_fini(struct watch *watch)
{
    free(watch->cities);
    watch->cities = NULL;
    watch->count = 0;
}

/* --- the table --- */

static struct watch_city *find(const struct watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (strcmp(watch->cities[i].name, name) == 0) {
            return &watch->cities[i];
        }
    }
    return NULL;
}

const struct watch_city *watch_find(const struct watch *watch, const char *name)
{
    return find(watch, name);
}

static struct watch_city *make(struct watch *watch, const char *name, int64_t now_ms)
{
    struct watch_city *city = &watch->cities[watch->count];

    if (watch->count == WATCH_CITIES_MAX) {
        return NULL;
    }
    *city = (struct watch_city){.ask_at_ms = now_ms};
    (void)snprintf(city->name, sizeof city->name, "%s", name);
    watch->count++;
    return city;
}

static void drop(struct watch *watch, struct watch_city *city)
{
    *city = watch->cities[--watch->count];
}

static bool is_watched(const struct watch_city *city)
{
    return !city->removed && !city->dropped;
}

bool watch_value(const struct watch *watch, const struct watch_city *city, int64_t now_ms, double *ret_c)
{
    if (!is_watched(city)) {
        return false;
    }
    if (city->forced) {
        *ret_c = city->forced_c;
        return true;
    }
    if (!city->has_reading || now_ms - city->read_at_ms > watch->config.max_age_ms) {
        return false;
    }
    *ret_c = city->reading_c;
    return true;
}

/* --- people --- */

/* Watched again, or for the first time, by a person's word. */
static struct watch_city *want(struct watch *watch, const char *name, int64_t now_ms)
{
    struct watch_city *city = find(watch, name);

    if (city == NULL) {
        city = make(watch, name, now_ms);
    }
    if (city != NULL) {
        city->removed = false;
        city->dropped = false;
        city->forget = false;
        city->by_hand = true;
    }
    return city;
}

enum ev_err watch_add(struct watch *watch, const char *name, int64_t now_ms)
{
    const struct watch_city *city = find(watch, name);
    bool watched = city != NULL && is_watched(city);

    if (want(watch, name, now_ms) == NULL) {
        return EV_ERR_FULL;
    }
    return watched ? EV_ERR_EXISTS : EV_OK;
}

static void forget(struct watch_city *city, int64_t now_ms)
{
    city->forced = false;
    city->report_due = false;
    city->reported = false;
    city->forget = true;
    city->forget_at_ms = now_ms;
    city->report_problem[0] = '\0';
}

enum ev_err watch_remove(struct watch *watch, const char *name, int64_t now_ms)
{
    struct watch_city *city = find(watch, name);

    if (city == NULL || !is_watched(city)) {
        return EV_ERR_NOT_FOUND;
    }
    city->removed = true;
    city->by_hand = false;
    forget(city, now_ms);
    return EV_OK;
}

enum ev_err watch_force(struct watch *watch, const char *name, double temperature_c, int64_t now_ms)
{
    struct watch_city *city = NULL;
    int32_t milli_c = 0;
    bool was_watched = false;

    if (weather_rule_parse_degrees(temperature_c, &milli_c) != EV_OK) {
        return EV_ERR_RANGE;
    }
    city = find(watch, name);
    was_watched = city != NULL && is_watched(city);
    if (!was_watched) {
        city = want(watch, name, now_ms);
    }
    if (city == NULL) {
        return EV_ERR_FULL;
    }
    city->forced = true;
    city->forced_c = temperature_c;
    city->report_due = true;
    return EV_OK;
}

enum ev_err watch_auto(struct watch *watch, const char *name, int64_t now_ms)
{
    struct watch_city *city = find(watch, name);

    if (city == NULL || !is_watched(city)) {
        return EV_ERR_NOT_FOUND;
    }
    if (!city->forced) {
        return EV_ERR_STATE;
    }
    city->forced = false;
    city->report_due = true;
    if (watch->config.ask_interval_ms == 0) {
        city->ask_at_ms = now_ms;
    }
    return EV_OK;
}

/* --- what is due --- */

void watch_set_online(struct watch *watch, int64_t now_ms)
{
    if (!watch->online) {
        watch->online = true;
        watch->beat_at_ms = now_ms;
    }
}

static void beat(struct watch *watch, int64_t now_ms)
{
    if (now_ms < watch->beat_at_ms) {
        return;
    }
    /* Beats that were missed are skipped. */
    watch->beat_at_ms += ((now_ms - watch->beat_at_ms) / watch->config.poll_ms + 1) * watch->config.poll_ms;
    watch->points_due = true;
    for (size_t i = 0; i < watch->count; i++) {
        struct watch_city *city = &watch->cities[i];

        city->report_due = is_watched(city);
        if (watch->config.ask_interval_ms == 0 && !city->asking) {
            city->ask_at_ms = now_ms;
        }
    }
}

static void refill(struct watch *watch, int64_t now_ms)
{
    watch->tokens_ms += now_ms - watch->tokens_at_ms;
    watch->tokens_at_ms = now_ms;
    if (watch->tokens_ms > TOKENS_MAX_MS) {
        watch->tokens_ms = TOKENS_MAX_MS;
    }
}

static bool wants_ask(const struct watch_city *city)
{
    return is_watched(city) && !city->forced && !city->asking && city->ask_at_ms != WATCH_NEVER;
}

static bool may_ask(const struct watch *watch, int64_t now_ms)
{
    return watch->config.ask_interval_ms == 0 ||
           (watch->asks_open < WATCH_ASKS_OPEN_MAX && watch->tokens_ms >= WATCH_ASK_GAP_MS &&
            now_ms >= watch->ask_not_before_ms);
}

static bool next_ask(struct watch *watch, struct watch_city *city, int64_t now_ms,
                     struct watch_effect *ret_effect)
{
    if (!wants_ask(city) || now_ms < city->ask_at_ms || !may_ask(watch, now_ms)) {
        return false;
    }
    city->asking = true;
    city->ask_at_ms =
        watch->config.ask_interval_ms == 0 ? WATCH_NEVER : now_ms + watch->config.ask_interval_ms;
    watch->asks_open++;
    if (watch->config.ask_interval_ms != 0) {
        watch->tokens_ms -= WATCH_ASK_GAP_MS;
    }
    *ret_effect = (struct watch_effect){
        .type = WATCH_ASK, .lat = city->lat, .lon = city->lon, .has_place = city->has_place};
    memcpy(ret_effect->city, city->name, sizeof ret_effect->city);
    return true;
}

static bool next_call(struct watch *watch, struct watch_city *city, int64_t now_ms,
                      struct watch_effect *ret_effect)
{
    double value = 0;

    if (!watch->online || city->calling) {
        return false;
    }
    if (city->forget) {
        if (now_ms < city->forget_at_ms) {
            return false;
        }
        *ret_effect = (struct watch_effect){.type = WATCH_FORGET};
    } else if (city->report_due) {
        city->report_due = false;
        if (!watch_value(watch, city, now_ms, &value)) {
            return false;
        }
        *ret_effect = (struct watch_effect){.type = WATCH_REPORT,
                                            .temperature_c = value,
                                            .observed_at_ms = city->forced ? 0 : city->observed_at_ms,
                                            .forced = city->forced};
    } else {
        return false;
    }
    city->calling = true;
    memcpy(ret_effect->city, city->name, sizeof ret_effect->city);
    return true;
}

bool watch_next(struct watch *watch, int64_t now_ms, struct watch_effect *ret_effect)
{
    beat(watch, now_ms);
    refill(watch, now_ms);
    if (watch->online && watch->points_due && !watch->points_calling) {
        watch->points_due = false;
        watch->points_calling = true;
        *ret_effect = (struct watch_effect){.type = WATCH_POINTS};
        return true;
    }
    for (size_t i = 0; i < watch->count; i++) {
        struct watch_city *city = &watch->cities[(watch->cursor + i) % watch->count];

        if (next_ask(watch, city, now_ms, ret_effect) || next_call(watch, city, now_ms, ret_effect)) {
            /* The same city once more: a file answers at once, and its value is reported then. */
            watch->cursor = (watch->cursor + i) % watch->count;
            return true;
        }
    }
    return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t watch_next_ms(const struct watch *watch)
{
    int64_t next = watch->beat_at_ms;
    int64_t ask_from = watch->ask_not_before_ms;

    if (watch->tokens_ms < WATCH_ASK_GAP_MS) {
        ask_from = latest(ask_from, watch->tokens_at_ms + WATCH_ASK_GAP_MS - watch->tokens_ms);
    }
    for (size_t i = 0; i < watch->count; i++) {
        const struct watch_city *city = &watch->cities[i];

        if (wants_ask(city) && watch->asks_open < WATCH_ASKS_OPEN_MAX) {
            next = earlier(next, latest(city->ask_at_ms, ask_from));
        }
        if (watch->online && !city->calling) {
            next = earlier(next, city->forget ? city->forget_at_ms : city->report_due ? 0 : next);
        }
    }
    return next;
}

/* --- the world --- */

/* Takes the text; true where it is another than before, and not empty. */
static bool note(char buf[WATCH_TEXT_MAX], const char *text)
{
    bool news = strncmp(buf, text, WATCH_TEXT_MAX - 1) != 0;

    (void)snprintf(buf, WATCH_TEXT_MAX, "%s", text);
    return news;
}

static struct watch_city *end_ask(struct watch *watch, const char *name)
{
    struct watch_city *city = find(watch, name);

    if (city == NULL || !city->asking) {
        return NULL;
    }
    city->asking = false;
    watch->asks_open--;
    return city;
}

bool watch_on_reading(struct watch *watch, const char *name, double temperature_c, int64_t observed_at_ms,
                      int64_t now_ms)
{
    struct watch_city *city = end_ask(watch, name);

    watch->backoff_ms = WATCH_BACKOFF_FIRST_MS;
    if (city == NULL) {
        return false;
    }
    bool news = !city->has_reading || city->ask_problem[0] != '\0' || city->reading_c != temperature_c;
    city->report_due = city->report_due || !city->has_reading || city->reading_c != temperature_c;
    city->has_reading = true;
    city->reading_c = temperature_c;
    city->observed_at_ms = observed_at_ms;
    city->read_at_ms = now_ms;
    city->ask_problem[0] = '\0';
    return news;
}

bool watch_on_ask_failed(struct watch *watch, const char *name, const char *text, bool limited,
                         int64_t retry_after_ms, bool no_reading, int64_t now_ms)
{
    struct watch_city *city = end_ask(watch, name);

    if (limited) {
        watch->ask_not_before_ms =
            latest(watch->ask_not_before_ms, now_ms + latest(retry_after_ms, watch->backoff_ms));
        watch->backoff_ms = earlier(2 * watch->backoff_ms, WATCH_BACKOFF_MAX_MS);
    }
    if (city == NULL) {
        return false;
    }
    if (no_reading) {
        city->has_reading = false;
    }
    return note(city->ask_problem, text);
}

bool watch_on_reported(struct watch *watch, const char *name, bool taken, const char *text, int64_t now_ms)
{
    struct watch_city *city = find(watch, name);

    if (city == NULL) {
        return false;
    }
    city->calling = false;
    if (taken) {
        bool news = !city->reported || city->report_problem[0] != '\0';

        city->reported = true;
        city->reported_at_ms = now_ms;
        city->report_problem[0] = '\0';
        return news;
    }
    return note(city->report_problem, text);
}

void watch_on_forgotten(struct watch *watch, const char *name, bool done, int64_t now_ms)
{
    struct watch_city *city = find(watch, name);

    if (city == NULL) {
        return;
    }
    city->calling = false;
    if (!done) {
        city->forget_at_ms = now_ms + WATCH_FORGET_RETRY_MS;
        return;
    }
    /* Unless it is wanted again meanwhile: then the next report brings it back. */
    city->forget = false;
    if (city->dropped || (city->removed && !watch->config.all_cities)) {
        watch->asks_open -= city->asking;
        drop(watch, city);
    }
}

static void take_place(struct watch *watch, const struct watch_place *place, int64_t now_ms,
                       size_t *ret_without_room)
{
    struct watch_city *city = find(watch, place->name);

    if (city == NULL && watch->config.all_cities) {
        city = make(watch, place->name, now_ms);
        *ret_without_room += city == NULL;
    }
    if (city == NULL || city->seen) {
        return;
    }
    city->seen = true;
    city->has_point = true;
    if (city->dropped && watch->config.all_cities) { /* its charge point is back */
        city->dropped = false;
        city->forget = false;
    }
    if (!city->has_place && !city->has_reading && !city->asking) {
        city->ask_at_ms = now_ms; /* a provider may not have been able to be asked without */
    }
    city->has_place = true;
    city->lat = place->lat;
    city->lon = place->lon;
}

size_t watch_on_points(struct watch *watch, const struct watch_place *places, size_t count, int64_t now_ms)
{
    size_t without_room = 0;

    watch->points_calling = false;
    for (size_t i = 0; i < watch->count; i++) {
        watch->cities[i].seen = false;
    }
    for (size_t i = 0; i < count; i++) {
        take_place(watch, &places[i], now_ms, &without_room);
    }
    for (size_t i = watch->count; i-- > 0;) {
        struct watch_city *city = &watch->cities[i];

        if (city->seen) {
            continue;
        }
        city->has_point = false;
        if (city->removed && !city->forget) {
            watch->asks_open -= city->asking;
            drop(watch, city);
        } else if (is_watched(city) && !city->by_hand && !city->forced) {
            city->dropped = true;
            forget(city, now_ms);
        }
    }
    return without_room;
}

void watch_on_points_failed(struct watch *watch)
{
    watch->points_calling = false;
}
