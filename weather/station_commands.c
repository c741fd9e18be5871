/* station_commands.c - what people type. */
#include "weather/station_internal.h"

#include "common/runtime/options.h"

#include <stdio.h>
#include <string.h>

/* The words from `first` on, joined again: cities have spaces. */
static bool city_of(char **words, size_t first, size_t end, char ret_name[CITY_NAME_SIZE])
{
    char text[256] = "";
    size_t used = 0;
    for (size_t i = first; i < end; i++) {
        int more = snprintf(text + used, sizeof text - used, "%s%s", i > first ? " " : "", words[i]);
        if (more < 0 || (size_t)more >= sizeof text - used)
            return false;
        used += (size_t)more;
    }
    if (city_name_normalise(text, used, ret_name) == EV_OK)
        return true;
    (void)puts("A city's name has 1 to 64 bytes of UTF-8.");
    return false;
}

static void list(const struct station *station)
{
    int64_t now_ms = loop_now_ms(station->loop);
    if (station->watch.count == 0)
        (void)puts("No city is watched: none has a charge point yet, or Central was not reached.");
    for (size_t i = 0; i < station->watch.count; i++) {
        const struct watch_city *city = &station->watch.cities[i];
        double value = 0;
        const char *problem = city->ask_problem[0] != '\0' ? city->ask_problem : city->report_problem;
        if (city->removed || city->dropped)
            continue;
        if (watch_value(&station->watch, city, now_ms, &value))
            (void)printf("%-24s %6.1f C%s  %s\n", city->name, value, city->forced ? " (forced)" : "",
                         problem);
        else
            (void)printf("%-24s      -    %s\n", city->name, problem);
    }
    (void)fflush(stdout);
}

static void add(struct station *station, const char *name, int64_t now_ms)
{
    switch (watch_add(&station->watch, name, now_ms)) {
    case EV_OK:
        (void)printf("%s is watched.\n", name);
        break;
    case EV_ERR_EXISTS:
        (void)printf("%s was watched already.\n", name);
        break;
    default:
        (void)printf("No more cities: %d are the most.\n", WATCH_CITIES_MAX);
    }
}

static void force(struct station *station, char **words, size_t count, int64_t now_ms)
{
    char name[CITY_NAME_SIZE];
    double degrees = 0;
    if (count < 3 || options_parse_real(words[count - 1], -90, 60, &degrees) != EV_OK) {
        (void)puts("force CITY DEGREES, with -90 to 60 degrees Celsius");
        return;
    }
    if (!city_of(words, 1, count - 1, name))
        return;
    if (watch_force(&station->watch, name, degrees, now_ms) != EV_OK)
        (void)printf("%s cannot be forced now.\n", name);
    else
        (void)printf("%s is %.1f C until `auto %s`.\n", name, degrees, name);
}

static void on_city(struct station *station, const char *command, const char *name, int64_t now_ms)
{
    if (strcmp(command, "add") == 0)
        add(station, name, now_ms);
    else if (strcmp(command, "remove") == 0)
        (void)printf(watch_remove(&station->watch, name, now_ms) == EV_OK ? "%s is watched no longer.\n"
                                                                          : "%s was not watched.\n",
                     name);
    else if (watch_auto(&station->watch, name, now_ms) == EV_OK)
        (void)printf("%s follows the provider again.\n", name);
    else
        (void)printf("%s was not forced.\n", name);
}

bool station_command(struct station *station, char **words, size_t count)
{
    char name[CITY_NAME_SIZE];
    int64_t now_ms = loop_now_ms(station->loop);
    const char *command = words[0];
    if (strcmp(command, "list") == 0 || strcmp(command, "status") == 0) {
        if (strcmp(command, "status") == 0)
            (void)printf("Central %s: %s\n", station->central,
                         station->problem[0] == '\0' ? "well" : station->problem);
        list(station);
        return true;
    }
    if (strcmp(command, "force") == 0) {
        force(station, words, count, now_ms);
    } else if (strcmp(command, "add") == 0 || strcmp(command, "remove") == 0 ||
               strcmp(command, "auto") == 0) {
        if (count < 2)
            (void)printf("%s CITY\n", command);
        else if (city_of(words, 1, count, name))
            on_city(station, command, name, now_ms);
    } else {
        return false;
    }
    (void)fflush(stdout);
    station_run(station);
    return true;
}
