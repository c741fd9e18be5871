#include "central/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAP_CAPACITY_MIN 64

/* FNV-1a. Keys are ids of registered nodes and Central's own, so nobody outside can pick collisions freely.
 */
static size_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *key != '\0'; key++) {
        hash = (hash ^ (uint8_t)*key) * UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ (hash >> 29));
}

/* The slot of the key, or the first empty one of its chain. A free slot always exists. */
static struct map_slot *slot_of(const struct map *map, const char *key)
{
    size_t mask = map->capacity - 1;
    size_t i = hash_of(key) & mask;

    for (;; i = (i + 1) & mask) {
        struct map_slot *slot = &map->slots[i];

        if (slot->key == NULL || (slot->value != NULL && strcmp(slot->key, key) == 0)) {
            return slot;
        }
    }
}

static enum ev_err grow(struct map *map)
{
    struct map next = {0};

    next.capacity = MAP_CAPACITY_MIN;
    while (next.capacity < map->count * 4) {
        next.capacity *= 2;
    }
    next.slots = calloc(next.capacity, sizeof *next.slots);
    if (next.slots == NULL) {
        return EV_ERR_NOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value != NULL) {
            *slot_of(&next, map->slots[i].key) = map->slots[i];
            next.count++;
        }
    }
    next.used = next.count;
    free(map->slots);
    *map = next;
    return EV_OK;
}

void map_fini(struct map *map)
{
    free(map->slots);
    memset(map, 0, sizeof *map);
}

void *map_find(const struct map *map, const char *key)
{
    return map->capacity == 0 ? NULL : slot_of(map, key)->value;
}

enum ev_err map_put(struct map *map, const char *key, void *value)
{
    struct map_slot *slot = NULL;

    EV_ASSERT(value != NULL);
    if (map->used * 2 >= map->capacity) {
        enum ev_err err = grow(map);

        if (err != EV_OK) {
            return err;
        }
    }
    slot = slot_of(map, key);
    if (slot->key == NULL) {
        map->count++;
        map->used++;
    }
    *slot = (struct map_slot){.key = key, .value = value};
    return EV_OK;
}

bool map_remove(struct map *map, const char *key)
{
    struct map_slot *slot = map->capacity == 0 ? NULL : slot_of(map, key);

    if (slot == NULL || slot->value == NULL) {
        return false;
    }
    /* The key may be freed now: a removed slot is never compared. */
    *slot = (struct map_slot){.key = "", .value = NULL};
    map->count--;
    return true;
}

void *map_next(const struct map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        struct map_slot *slot = &map->slots[(*cursor)++];

        if (slot->value != NULL) {
            return slot->value;
        }
    }
    return NULL;
}
