/* station_commands.c - what a person types. Names of cities may have blanks: no quotes are needed. */
#include "weather/station_internal.h"

#include "common/runtime/options.h"

#include <stdio.h>
#include <string.h>

#define ARGUMENT_MAX 1100

/* The words from `from` to before `to` as one name. False: it was said that this is none. */
static bool join(char *const words[], size_t from, size_t to, char ret_city[CITY_NAME_SIZE])
{
    char text[ARGUMENT_MAX] = "";
    size_t used = 0;

    for (size_t i = from; i < to && used < sizeof text; i++) {
        int n = snprintf(text + used, sizeof text - used, "%s%s", i > from ? " " : "", words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < sizeof text && city_name_normalise(text, used, ret_city) == EV_OK) {
        return true;
    }
    printf("This is no city's name; accepted: 1 to 64 bytes of UTF-8\n");
    return false;
}

static void do_add(struct station *station, const char *city)
{
    enum ev_err err = watch_add(&station->watch, city, loop_now_ms(station->loop));

    if (err == EV_ERR_FULL) {
        printf("%d cities are watched already: that is the limit\n", WATCH_CITIES_MAX);
    } else {
        printf(err == EV_ERR_EXISTS ? "%s is watched already\n" : "%s is watched\n", city);
    }
}

static void do_remove(struct station *station, const char *city)
{
    printf(watch_remove(&station->watch, city, loop_now_ms(station->loop)) == EV_OK
               ? "%s is not watched any more; Central forgets it\n"
               : "%s is not watched\n",
           city);
}

static void do_force(struct station *station, const char *city, const char *degrees)
{
    double value = 0;
    enum ev_err err = options_parse_real(degrees, -1000, 1000, &value);

    if (err == EV_OK) {
        err = watch_force(&station->watch, city, value, loop_now_ms(station->loop));
    }
    if (err == EV_ERR_FULL) {
        printf("%d cities are watched already: that is the limit\n", WATCH_CITIES_MAX);
    } else if (err != EV_OK) {
        printf("\"%s\" is no temperature; accepted: -90 to 60\n", degrees);
    } else {
        printf("%s has %.1f degrees until `auto %s`\n", city, value, city);
    }
}

static void do_auto(struct station *station, const char *city)
{
    enum ev_err err = watch_auto(&station->watch, city, loop_now_ms(station->loop));

    if (err == EV_ERR_NOT_FOUND) {
        printf("%s is not watched\n", city);
    } else {
        printf(err == EV_ERR_STATE ? "%s was not forced\n" : "%s follows its provider again\n", city);
    }
}

static void print_city(const struct station *station, const struct watch_city *city)
{
    int64_t now = loop_now_ms(station->loop);
    double value = 0;
    char degrees[32] = "-";
    char told[64] = "not reported";

    if (city->removed || city->dropped) {
        return;
    }
    if (watch_value(&station->watch, city, now, &value)) {
        (void)snprintf(degrees, sizeof degrees, "%.1f", value);
    }
    if (city->reported) {
        (void)snprintf(told, sizeof told, "reported %lld s ago",
                       (long long)(now - city->reported_at_ms) / 1000);
    }
    printf("%-24s %8s  %-11s  %s%s%s%s%s\n", city->name, degrees,
           city->forced ? "forced" : station_provider_name(station), told,
           city->report_problem[0] != '\0' ? "; " : "", city->report_problem,
           city->ask_problem[0] != '\0' && !city->forced ? "; " : "", city->forced ? "" : city->ask_problem);
}

static void do_list(const struct station *station)
{
    size_t watched = 0;

    printf("%-24s %8s  %-11s  %s\n", "CITY", "CELSIUS", "SOURCE", "CENTRAL");
    for (size_t i = 0; i < station->watch.count; i++) {
        const struct watch_city *city = &station->watch.cities[i];

        watched += !city->removed && !city->dropped;
        print_city(station, city);
    }
    printf("%zu cities\n", watched);
}

static void do_status(const struct station *station)
{
    size_t watched = 0;

    for (size_t i = 0; i < station->watch.count; i++) {
        watched += !station->watch.cities[i].removed && !station->watch.cities[i].dropped;
    }
    printf("Registry: %s%s%s\n", identity_is_enrolled(station->identity) ? "registered" : "not registered",
           station->registry_problem.text[0] != '\0' ? "; " : "", station->registry_problem.text);
    printf("Central %s: %s\n", station->central_url,
           !station->central_told ? "not asked yet"
           : station->central_up  ? "reached"
                                  : "cannot be reached");
    printf("Provider %s: %s\n", station_provider_name(station),
           station->provider_problem.text[0] != '\0' ? station->provider_problem.text
                                                     : "no problem is known");
    printf("%zu cities are watched%s\n", watched,
           station->watch.config.all_cities ? ", all that have a charge point" : "");
}

static bool run_city_command(struct station *station, char *const words[], size_t count)
{
    static const char *const names[] = {"add", "remove", "auto"};
    static void (*const functions[])(struct station *, const char *) = {do_add, do_remove, do_auto};
    char city[CITY_NAME_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(words[0], names[i]) != 0) {
            continue;
        }
        if (count < 2) {
            printf("Usage: %s CITY\n", names[i]);
        } else if (join(words, 1, count, city)) {
            functions[i](station, city);
        }
        return true;
    }
    return false;
}

bool station_command(struct station *station, char *const words[], size_t count)
{
    char city[CITY_NAME_SIZE];

    if (run_city_command(station, words, count)) {
        station_pump(station);
        return true;
    }
    if (strcmp(words[0], "force") == 0) {
        if (count < 3) {
            printf("Usage: force CITY DEGREES\n");
        } else if (join(words, 1, count - 1, city)) {
            do_force(station, city, words[count - 1]);
        }
        station_pump(station);
        return true;
    }
    if (strcmp(words[0], "list") == 0 && count == 1) {
        do_list(station);
        return true;
    }
    if (strcmp(words[0], "status") == 0 && count == 1) {
        do_status(station);
        return true;
    }
    return false;
}
