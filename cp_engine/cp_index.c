#include "cp_engine/cp_index.h"

#include <stdlib.h>
#include <string.h>

struct cp_index_slot {
    struct cp_id cp_id; /* unset: free */
    size_t place;
};

/* Ids come from one's own monitor or command line: no defence against chosen collisions is needed. */
static size_t hash(const struct cp_id *cp_id)
{
    uint64_t value = UINT64_C(14695981039346656037);

    for (const char *at = cp_id->text; *at != '\0'; at++) {
        value = (value ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    return (size_t)(value ^ (value >> 32));
}

static struct cp_index_slot *slot_find(const struct cp_index *index, const struct cp_id *cp_id)
{
    size_t at = hash(cp_id) & (index->slot_count - 1);

    while (cp_id_is_set(&index->slots[at].cp_id) && !cp_id_equal(&index->slots[at].cp_id, cp_id)) {
        at = (at + 1) & (index->slot_count - 1);
    }
    return &index->slots[at];
}

enum ev_err cp_index_init(struct cp_index *index, size_t count)
{
    size_t slot_count = 4;

    while (slot_count < 2 * count) {
        slot_count *= 2;
    }
    index->slots = calloc(slot_count, sizeof *index->slots);
    index->slot_count = slot_count;
    return index->slots == NULL ? EV_ERR_NOMEM : EV_OK;
}

void cp_index_fini(struct cp_index *index)
{
    free(index->slots);
    memset(index, 0, sizeof *index);
}

void cp_index_add(struct cp_index *index, const struct cp_id *cp_id, size_t place)
{
    struct cp_index_slot *slot = slot_find(index, cp_id);

    slot->cp_id = *cp_id;
    slot->place = place;
}

void cp_index_clear(struct cp_index *index)
{
    memset(index->slots, 0, index->slot_count * sizeof *index->slots);
}

size_t cp_index_find(const struct cp_index *index, const struct cp_id *cp_id)
{
    const struct cp_index_slot *slot = slot_find(index, cp_id);

    return cp_id_is_set(&slot->cp_id) ? slot->place : CP_INDEX_NONE;
}
