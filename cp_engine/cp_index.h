/* cp_index.h - finds a charge point's place in an array by its id, for processes that run many (--count).
 * Pure. Used by cp_engine/engine and cp_monitor/monitor. */
#ifndef EV_CP_ENGINE_CP_INDEX_H
#define EV_CP_ENGINE_CP_INDEX_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"

#include <stddef.h>
#include <stdint.h>

#define CP_INDEX_NONE SIZE_MAX

struct cp_index {
    struct cp_index_slot *slots; /* open addressing */
    size_t slot_count;           /* a power of two, at least twice the places */
};

/* For places below `count`. Errors: EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err cp_index_init(struct cp_index *index, size_t count);
void cp_index_fini(struct cp_index *index);

/* The id is not in the index yet; at most `count` ids. */
void cp_index_add(struct cp_index *index, const struct cp_id *cp_id, size_t place);

/* Forgets all. */
void cp_index_clear(struct cp_index *index);

/* CP_INDEX_NONE: not there. */
size_t cp_index_find(const struct cp_index *index, const struct cp_id *cp_id);

#endif
