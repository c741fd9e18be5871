/* journal.h - what the engine's charge points delivered, on disk before anyone is told.
 * One append-only file for all charge points of a process (STATE/journal): fixed records with a checksum
 * each, one write and one fsync a batch, rewritten when it has grown. A torn tail is cut off at the next
 * start. Invariant: the sessions in memory are what a reader of the file would find. Used by
 * cp_engine/engine. */
#ifndef EV_CP_ENGINE_JOURNAL_H
#define EV_CP_ENGINE_JOURNAL_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "cp_engine/supply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JOURNAL_FILE "journal"
#define JOURNAL_SETTLED_KEPT 1000    /* settled sessions that a rewrite keeps: for comparison with tickets */
#define JOURNAL_COMPACT_SIZE 1048576 /* bytes: below this it is never rewritten while running */
#define JOURNAL_RECORD_SIZE 96

/* One session as journalled. */
struct journal_session {
    struct cp_id cp_id;
    struct session_id session_id;
    uint64_t energy_wms;
    enum stop_reason stop_reason; /* STOP_NONE: open */
    int64_t started_at_ms;
    int64_t ended_at_ms; /* of an open session: of its last meter */
    bool settled;
};

struct journal;

/* What a start found. */
struct journal_found {
    size_t engine_lost; /* open sessions that were closed now */
    size_t unsettled;   /* ended and not settled, those included */
    size_t torn_bytes;  /* cut off the tail */
};

/* Opens or creates STATE/journal (the caller has the directory's lock), closes every open session with
 * engine_lost on its journalled meter, and rewrites the file. Errors: EV_ERR_IO (see errno), EV_ERR_PARSE (no
 * journal of ours), EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err journal_open(const char *state_dir, struct journal **ret_journal,
                                       struct journal_found *ret_found);

/* Does not commit. NULL is fine. */
void journal_free(struct journal *journal);

/* Adds a record to the batch. After a failed commit it is dropped until journal_recover succeeds. */
void journal_append(struct journal *journal, const struct cp_id *cp_id,
                    const struct supply_journal_record *record);

/* True while there is something to commit. */
bool journal_is_pending(const struct journal *journal);

/* Writes and syncs the batch. Errors: EV_ERR_IO: nothing of the batch counts, and nothing is journalled until
 * journal_recover succeeds; journal_error says why. */
EV_MUST_CHECK enum ev_err journal_commit(struct journal *journal);

/* After a failed commit: writes everything that was durable into a new file. Errors: EV_ERR_IO (try later).
 */
EV_MUST_CHECK enum ev_err journal_recover(struct journal *journal);

/* In words, of the last failure; "" if there was none. */
const char *journal_error(const struct journal *journal);

/* The sessions, oldest first; index below journal_count. Valid until the next call that is not const. */
size_t journal_count(const struct journal *journal);
const struct journal_session *journal_at(const struct journal *journal, size_t index);

/* Prints every session of STATE/journal as a JSON line, also beside a running engine.
 * Errors: EV_ERR_NOT_FOUND (no journal), EV_ERR_IO, EV_ERR_PARSE, EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err journal_dump(const char *state_dir, FILE *out);

#endif
