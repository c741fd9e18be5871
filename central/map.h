/* map.h - text -> pointer, open addressing. The key is not copied: it lives in the value (or as long as it).
 * Used by the fleet, the key ring and the control port. */
#ifndef EV_CENTRAL_MAP_H
#define EV_CENTRAL_MAP_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stddef.h>

struct map_slot {
    const char *key; /* NULL empty */
    void *value;     /* NULL: was removed */
};

struct map {
    struct map_slot *slots;
    size_t capacity; /* power of two, 0 before the first entry */
    size_t count;    /* entries */
    size_t used;     /* entries and removed ones */
};

/* All zero is an empty map too. */
void map_fini(struct map *map);

void *map_find(const struct map *map, const char *key);

/* Replaces an entry of the same key. Errors: EV_ERR_NOMEM (map unchanged). */
EV_MUST_CHECK enum ev_err map_put(struct map *map, const char *key, void *value);

/* True if it was there. */
bool map_remove(struct map *map, const char *key);

/* For walking: *cursor from 0; NULL at the end. The map must not change meanwhile, except by map_remove. */
void *map_next(const struct map *map, size_t *cursor);

#endif
