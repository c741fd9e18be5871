/* station.h - Weather as it runs: carries out what watch.c says is due, asks the provider, reports to
 * Central, answers commands, and says in words what does not work, once per change. */
#ifndef EV_WEATHER_STATION_H
#define EV_WEATHER_STATION_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "weather/provider.h"
#include "weather/watch.h"

#include <stdbool.h>
#include <stddef.h>

struct station;

/* Copied, but for what identity.h copies itself. */
struct station_config {
    const char *id;
    const char *state_dir;
    const char *central_url; /* of central_client_parse_base */
    const char *registry_url;
    const char *invitation; /* NULL none */
    enum provider_kind provider;
    const char *api_url;           /* of provider_parse_url */
    const char *api_key;           /* openweather */
    const char *temperatures_file; /* scripted; NULL none */
    struct watch_config watch;
};

EV_MUST_CHECK enum ev_err station_new(struct loop *loop, const struct station_config *config,
                                      struct station **ret_station, struct failure *ret_failure);
void station_free(struct station *station);
/* A city of --city. Errors in words. */
EV_MUST_CHECK enum ev_err station_add_city(struct station *station, const char *name,
                                           struct failure *ret_failure);
void station_start(struct station *station);

/* One command, already split; answers on standard output. False: not understood. */
bool station_command(struct station *station, char *const words[], size_t count);

#endif
