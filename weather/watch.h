/* watch.h - which city is due for what: asking the provider, reporting to Central, being forgotten there.
 * Pure: no I/O; monotonic time comes in, what to do is pulled with watch_next until there is nothing.
 * Invariants: a provider is asked for one city at most once per interval, and not at all while it said 429;
 * a value is reported every poll while it is younger than its maximum age; a forced one always. */
#ifndef EV_WEATHER_WATCH_H
#define EV_WEATHER_WATCH_H

#include "common/rules/ev_err.h"
#include "weather/city_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More cities than the free quotas bear, and than a panel shows. */
#define WATCH_CITIES_MAX 1000
/* Asks that may be open at once, and at most so many in a row before WATCH_ASK_GAP_MS counts for each: the
 * free quotas are 60 calls a minute and more. */
#define WATCH_ASKS_OPEN_MAX 8
#define WATCH_ASKS_BURST 20
#define WATCH_ASK_GAP_MS 1000
#define WATCH_BACKOFF_FIRST_MS 60000
#define WATCH_BACKOFF_MAX_MS 3600000
#define WATCH_FORGET_RETRY_MS 5000
#define WATCH_TEXT_MAX 200
#define WATCH_NEVER INT64_MAX

struct watch_config {
    int64_t poll_ms;         /* reports, and Central's charge points */
    int64_t ask_interval_ms; /* 0: with every poll (a file) */
    int64_t max_age_ms;      /* of a reading that cannot be renewed */
    bool all_cities;         /* every city that has a charge point */
};

struct watch_place {
    char name[CITY_NAME_SIZE];
    double lat;
    double lon;
};

struct watch_city {
    char name[CITY_NAME_SIZE];
    double lat, lon;
    bool has_place;
    bool by_hand;   /* of --city, add or force: stays without a charge point */
    bool has_point; /* a charge point is there */
    bool seen;      /* in the list that is being read */
    bool removed;   /* by hand: not watched, whatever charge points there are */
    bool dropped;   /* goes as soon as Central has forgotten it */
    bool forget;    /* Central is to be told */
    bool calling;   /* a report, or a forgetting, is on its way */
    bool asking;    /* the provider is */
    bool report_due;
    bool forced;
    bool has_reading;
    bool reported; /* Central took a report */
    double forced_c;
    double reading_c;
    int64_t observed_at_ms; /* Unix; 0: not said */
    int64_t read_at_ms;
    int64_t ask_at_ms;
    int64_t forget_at_ms;
    int64_t reported_at_ms;
    char ask_problem[WATCH_TEXT_MAX];    /* "" none */
    char report_problem[WATCH_TEXT_MAX]; /* "" none */
};

enum watch_effect_type {
    WATCH_ASK,    /* the provider for this city; then watch_on_reading or watch_on_ask_failed */
    WATCH_REPORT, /* PUT at Central; then watch_on_reported */
    WATCH_FORGET, /* DELETE at Central; then watch_on_forgotten */
    WATCH_POINTS  /* Central's charge points; then watch_on_points or watch_on_points_failed */
};

struct watch_effect {
    enum watch_effect_type type;
    char city[CITY_NAME_SIZE];
    double lat, lon;
    bool has_place;
    double temperature_c;   /* REPORT */
    int64_t observed_at_ms; /* REPORT; Unix, 0: now */
    bool forced;            /* REPORT */
};

struct watch {
    struct watch_config config;
    struct watch_city *cities; /* WATCH_CITIES_MAX */
    size_t count;
    size_t cursor;
    bool online; /* Central may be asked: there is a certificate */
    bool points_due;
    bool points_calling;
    int64_t beat_at_ms;
    int64_t ask_not_before_ms; /* after a 429 */
    int64_t backoff_ms;
    size_t asks_open;
    int64_t tokens_ms; /* credit for asking, WATCH_ASK_GAP_MS an ask */
    int64_t tokens_at_ms;
};

EV_MUST_CHECK enum ev_err watch_init(struct watch *watch, const struct watch_config *config, int64_t now_ms);
void watch_fini(struct watch *watch);

/* --- people; names are normalised --- */

/* Errors: EV_ERR_EXISTS (watched already), EV_ERR_FULL. */
EV_MUST_CHECK enum ev_err watch_add(struct watch *watch, const char *name, int64_t now_ms);
/* Errors: EV_ERR_NOT_FOUND. */
EV_MUST_CHECK enum ev_err watch_remove(struct watch *watch, const char *name, int64_t now_ms);
/* Watches the city too, if it was not. Errors: EV_ERR_RANGE, EV_ERR_FULL. */
EV_MUST_CHECK enum ev_err watch_force(struct watch *watch, const char *name, double temperature_c,
                                      int64_t now_ms);
/* Errors: EV_ERR_NOT_FOUND; EV_ERR_STATE (not forced). */
EV_MUST_CHECK enum ev_err watch_auto(struct watch *watch, const char *name, int64_t now_ms);

const struct watch_city *watch_find(const struct watch *watch, const char *name);
/* What would be reported now. False: nothing. */
bool watch_value(const struct watch *watch, const struct watch_city *city, int64_t now_ms, double *ret_c);

/* --- the world --- */

void watch_set_online(struct watch *watch, int64_t now_ms);
/* False: nothing is due. */
bool watch_next(struct watch *watch, int64_t now_ms, struct watch_effect *ret_effect);
/* When something will be; WATCH_NEVER. */
int64_t watch_next_ms(const struct watch *watch);

/* All are harmless for cities that are gone. Those with `text` return whether it is news: then it is told. */
bool watch_on_reading(struct watch *watch, const char *name, double temperature_c, int64_t observed_at_ms,
                      int64_t now_ms);
/*   limited      the provider said 429; retry_after_ms 0: not when
 *   no_reading   it has none: what there was is not reported any longer */
bool watch_on_ask_failed(struct watch *watch, const char *name, const char *text, bool limited,
                         int64_t retry_after_ms, bool no_reading, int64_t now_ms);
bool watch_on_reported(struct watch *watch, const char *name, bool taken, const char *text, int64_t now_ms);
void watch_on_forgotten(struct watch *watch, const char *name, bool done, int64_t now_ms);
/* The whole list. Returns how many cities found no room. */
size_t watch_on_points(struct watch *watch, const struct watch_place *places, size_t count, int64_t now_ms);
void watch_on_points_failed(struct watch *watch);

#endif
