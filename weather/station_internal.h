/* station_internal.h - the station as its files share it. */
#ifndef EV_WEATHER_STATION_INTERNAL_H
#define EV_WEATHER_STATION_INTERNAL_H

#include "common/runtime/http_client.h"
#include "common/runtime/identity.h"
#include "weather/central_client.h"
#include "weather/scripted.h"
#include "weather/station.h"

/* A call about one city that is on its way. */
struct station_call {
    struct station *station;
    struct station_call *next;
    struct http_call *call;
    char city[CITY_NAME_SIZE];
};

struct station {
    struct loop *loop;
    struct http_client *http_client;
    struct identity *identity;
    struct watch watch;
    struct loop_timer *timer;
    enum provider_kind provider;
    char central_url[CENTRAL_CLIENT_URL_MAX];
    char api_url[PROVIDER_URL_MAX];
    char api_key[PROVIDER_KEY_MAX];
    struct scripted *scripted;
    struct station_call *calls;
    struct http_call *points_call;
    struct central_client_places places; /* of the list that is being read */
    bool pumping;
    bool central_told;
    bool central_up;
    bool room_told;
    bool started;
    struct failure central_problem;  /* what it said last, told once */
    struct failure registry_problem; /* the same for Registry */
    struct failure provider_problem; /* and for the provider as a whole */
};

const char *station_provider_name(const struct station *station);

/* Carries out all that is due, and sets the timer. */
void station_pump(struct station *station);

struct station_call *station_call_new(struct station *station, const char *city);
void station_call_free(struct station_call *call);

/* --- station_central.c --- */
void station_report(struct station *station, const struct watch_effect *effect);
void station_forget(struct station *station, const struct watch_effect *effect);
void station_fetch_points(struct station *station);

/* --- station_provider.c --- */
void station_ask(struct station *station, const struct watch_effect *effect);

#endif
