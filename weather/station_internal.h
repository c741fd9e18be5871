/* station_internal.h - what station.c, station_central.c and station_commands.c share. */
#ifndef EV_WEATHER_STATION_INTERNAL_H
#define EV_WEATHER_STATION_INTERNAL_H

#include "common/runtime/http_client.h"
#include "common/runtime/identity.h"
#include "weather/scripted.h"
#include "weather/station.h"
#include "weather/watch.h"

struct station {
    struct loop *loop;
    struct http_client *http;
    struct identity *identity;
    struct scripted *scripted;
    struct watch watch;
    struct loop_timer *timer;
    enum provider_kind provider;
    char central[PROVIDER_URL_MAX], api[PROVIDER_URL_MAX];
    char api_key[PROVIDER_KEY_MAX];
    char problem[FAILURE_TEXT_MAX]; /* with Central or Registry, told once; "" none */
    /* The list of charge points, page by page. */
    struct watch_place *places;
    size_t place_count, place_capacity;
    char after[64];
};

/* Does what is due, then sleeps until something is. */
void station_run(struct station *station);

/* station_central.c */
void station_report(struct station *station, const struct watch_effect *effect);
void station_forget(struct station *station, const struct watch_effect *effect);
void station_fetch_points(struct station *station);
/* Tells a trouble with Central once, and its end. text "": well again. */
void station_tell(struct station *station, const char *text);

#endif
