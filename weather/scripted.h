/* scripted.h - temperatures from a file, for demonstrations without a key or a network: `CITY=DEGREES` a
 * line,
 * `#` starts a comment. Read again when it changes. A city that is not in it has no reading. */
#ifndef EV_WEATHER_SCRIPTED_H
#define EV_WEATHER_SCRIPTED_H

#include "weather/provider.h"

#include <stddef.h>

#define SCRIPTED_CITIES_MAX 4096

struct scripted_city {
    char name[CITY_NAME_SIZE];
    double temperature_c;
};

struct scripted_table {
    struct scripted_city *items; /* owned */
    size_t count;
};

/* text: "line 3: ..." */
typedef void (*scripted_on_problem)(void *user, unsigned line, const char *text);

/* Bad lines are told and skipped; of a city that is there twice the last line counts.
 * Errors: EV_ERR_TOO_LARGE, EV_ERR_NOMEM; output untouched. */
EV_MUST_CHECK enum ev_err scripted_parse(const char *bytes, size_t len, scripted_on_problem on_problem,
                                         void *user, struct scripted_table *ret_table);
void scripted_table_fini(struct scripted_table *table);
/* Errors: EV_ERR_NOT_FOUND. */
EV_MUST_CHECK enum ev_err scripted_find(const struct scripted_table *table, const char *name,
                                        double *ret_temperature_c);

/* --- the file --- */

struct scripted;

/* path: NULL for none, then every city must be forced. Copied. */
EV_MUST_CHECK enum ev_err scripted_new(const char *path, struct scripted **ret_scripted);
void scripted_free(struct scripted *scripted);
/* Looks whether the file has changed, and reads it then; logs what is wrong with it, once. */
void scripted_refresh(struct scripted *scripted);
const struct scripted_table *scripted_table_of(const struct scripted *scripted);

#endif
