/* station.h - the weather service at work: carries out what watch decides, with a provider and with Central.
 */
#ifndef EV_WEATHER_STATION_H
#define EV_WEATHER_STATION_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "weather/provider.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct station;

struct station_config {
    struct loop *loop;
    const char *state_dir;
    const char *id;         /* of the certificate */
    const char *central;    /* https URL */
    const char *registry;   /* https URL */
    const char *invitation; /* NULL none */
    enum provider_kind provider;
    const char *api_key_file;      /* openweather */
    const char *api_url;           /* NULL: the provider's own */
    const char *temperatures_file; /* scripted; NULL none */
    const char *const *cities;     /* --city; city_count 0: every city that has a charge point */
    size_t city_count;
    int64_t poll_ms;
};

/* Errors: EV_ERR_USAGE (a URL, a city, the key's file), EV_ERR_IO, in words. */
EV_MUST_CHECK enum ev_err station_new(const struct station_config *config, struct station **ret_station,
                                      struct failure *ret_failure);
/* NULL is accepted. */
void station_free(struct station *station);

/* One line of standard input: add, remove, force, auto, list, status. False: not a command of its. */
bool station_command(struct station *station, char **words, size_t count);

#endif
