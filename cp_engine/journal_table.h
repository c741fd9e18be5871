/* journal_table.h - the sessions of a journal in memory, found by id, and the records they are made from.
 * Pure. Used by cp_engine/journal. A record is 96 bytes, big-endian:
 * kind 1 | stop reason 1 | zero 2 | started_at 8 | at 8 | energy_wms 8 | session id 26 | cp id 32 | zero 2 |
 * checksum 8. Every kind but SETTLED creates its session where it is not known, so a rewrite needs no form of
 * its own. */
#ifndef EV_CP_ENGINE_JOURNAL_TABLE_H
#define EV_CP_ENGINE_JOURNAL_TABLE_H

#include "cp_engine/journal.h"

struct journal_table {
    struct journal_session *sessions; /* oldest first */
    size_t count;
    size_t capacity;
    uint32_t *slots;   /* open addressing: index + 1 into sessions, 0 free */
    size_t slot_count; /* a power of two, at least twice the capacity */
};

void journal_table_fini(struct journal_table *table);

/* Applies one record. Errors: EV_ERR_NOMEM (unchanged). */
EV_MUST_CHECK enum ev_err journal_table_apply(struct journal_table *table, const struct cp_id *cp_id,
                                              const struct supply_journal_record *record);

/* Forgets the oldest settled sessions beyond `keep`. */
void journal_table_trim(struct journal_table *table, size_t keep);

void journal_record_encode(const struct cp_id *cp_id, const struct supply_journal_record *record,
                           uint8_t ret_bytes[JOURNAL_RECORD_SIZE]);

/* Errors: EV_ERR_PARSE (checksum or a member; outputs untouched). */
EV_MUST_CHECK enum ev_err journal_record_decode(const uint8_t bytes[JOURNAL_RECORD_SIZE],
                                                struct cp_id *ret_cp_id,
                                                struct supply_journal_record *ret_record);

#endif
