#include "cp_engine/journal_table.h"

#include "common/wire/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_CHECKED 88
#define CP_ID_OFFSET 54
#define SESSION_ID_OFFSET 28

/* Not a secret: the hash only tells a record from a torn or foreign one. */
static const unsigned char checksum_key[crypto_shorthash_KEYBYTES] = {'e', 'v', ' ', 'c', 'p', ' ', 'j', 'o',
                                                                      'u', 'r', 'n', 'a', 'l', ' ', '0', '1'};
_Static_assert(crypto_shorthash_BYTES == JOURNAL_RECORD_SIZE - RECORD_CHECKED,
               "the checksum fills the record");

static uint64_t hash_session_id(const struct session_id *id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < ULID_LENGTH; i++) {
        hash = (hash ^ (unsigned char)id->text[i]) * UINT64_C(1099511628211);
    }
    return hash ^ (hash >> 32);
}

/* The slot of that session, or the free one where it belongs. The table has free slots. */
static uint32_t *slot_find(const struct journal_table *table, const struct session_id *id)
{
    size_t mask = table->slot_count - 1;
    size_t at = (size_t)hash_session_id(id) & mask;

    while (table->slots[at] != 0 &&
           !session_id_equal(&table->sessions[table->slots[at] - 1].session_id, id)) {
        at = (at + 1) & mask;
    }
    return &table->slots[at];
}

static void slots_rebuild(struct journal_table *table)
{
    memset(table->slots, 0, table->slot_count * sizeof *table->slots);
    for (size_t i = 0; i < table->count; i++) {
        *slot_find(table, &table->sessions[i].session_id) = (uint32_t)(i + 1);
    }
}

static enum ev_err table_grow(struct journal_table *table)
{
    size_t capacity = table->capacity == 0 ? 16 : table->capacity * 2;
    uint32_t *slots = NULL;
    struct journal_session *sessions = realloc(table->sessions, capacity * sizeof *sessions);

    if (sessions == NULL) {
        return EV_ERR_NOMEM;
    }
    table->sessions = sessions;
    slots = calloc(capacity * 2, sizeof *slots);
    if (slots == NULL) {
        return EV_ERR_NOMEM;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = capacity * 2;
    table->capacity = capacity;
    slots_rebuild(table);
    return EV_OK;
}

void journal_table_fini(struct journal_table *table)
{
    free(table->sessions);
    free(table->slots);
    memset(table, 0, sizeof *table);
}

enum ev_err journal_table_apply(struct journal_table *table, const struct cp_id *cp_id,
                                const struct supply_journal_record *record)
{
    struct journal_session *session = NULL;

    if (table->count == table->capacity) {
        enum ev_err err = table_grow(table);
        if (err != EV_OK) {
            return err;
        }
    }
    uint32_t *slot = slot_find(table, &record->session_id);
    if (*slot == 0) {
        if (record->kind == SUPPLY_JOURNAL_SETTLED) {
            return EV_OK; /* trimmed since */
        }
        session = &table->sessions[table->count++];
        *slot = (uint32_t)table->count;
        *session = (struct journal_session){.cp_id = *cp_id,
                                            .session_id = record->session_id,
                                            .started_at_ms = record->started_at_ms,
                                            .ended_at_ms = record->at_ms};
    } else {
        session = &table->sessions[*slot - 1];
    }
    if (record->kind == SUPPLY_JOURNAL_SETTLED) {
        session->settled = true;
    } else if (session->stop_reason == STOP_NONE) {
        session->energy_wms = record->energy_wms;
        session->ended_at_ms = record->at_ms;
        session->stop_reason = record->stop_reason;
    }
    return EV_OK;
}

void journal_table_trim(struct journal_table *table, size_t keep)
{
    size_t settled = 0;
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        settled += table->sessions[i].settled ? 1 : 0;
    }
    if (settled <= keep) {
        return;
    }
    size_t excess = settled - keep;
    for (size_t i = 0; i < table->count; i++) {
        if (table->sessions[i].settled && excess > 0) {
            excess--;
        } else {
            table->sessions[kept++] = table->sessions[i];
        }
    }
    table->count = kept;
    slots_rebuild(table);
}

void journal_record_encode(const struct cp_id *cp_id, const struct supply_journal_record *record,
                           uint8_t ret_bytes[JOURNAL_RECORD_SIZE])
{
    memset(ret_bytes, 0, JOURNAL_RECORD_SIZE);
    ret_bytes[0] = (uint8_t)record->kind;
    ret_bytes[1] = (uint8_t)record->stop_reason;
    bytes_put_u64(ret_bytes + 4, (uint64_t)record->started_at_ms);
    bytes_put_u64(ret_bytes + 12, (uint64_t)record->at_ms);
    bytes_put_u64(ret_bytes + 20, record->energy_wms);
    memcpy(ret_bytes + SESSION_ID_OFFSET, record->session_id.text, ULID_LENGTH);
    memcpy(ret_bytes + CP_ID_OFFSET, cp_id->text, NODE_ID_LENGTH_MAX);
    crypto_shorthash(ret_bytes + RECORD_CHECKED, ret_bytes, RECORD_CHECKED, checksum_key);
}

enum ev_err journal_record_decode(const uint8_t bytes[JOURNAL_RECORD_SIZE], struct cp_id *ret_cp_id,
                                  struct supply_journal_record *ret_record)
{
    unsigned char checksum[crypto_shorthash_BYTES];
    struct supply_journal_record record = {.kind = (enum supply_journal_kind)bytes[0],
                                           .stop_reason = (enum stop_reason)bytes[1],
                                           .started_at_ms = (int64_t)bytes_get_u64(bytes + 4),
                                           .at_ms = (int64_t)bytes_get_u64(bytes + 12),
                                           .energy_wms = bytes_get_u64(bytes + 20)};
    struct cp_id cp_id;

    crypto_shorthash(checksum, bytes, RECORD_CHECKED, checksum_key);
    if (memcmp(checksum, bytes + RECORD_CHECKED, sizeof checksum) != 0) {
        return EV_ERR_PARSE;
    }
    if (bytes[0] < SUPPLY_JOURNAL_OPEN || bytes[0] > SUPPLY_JOURNAL_SETTLED ||
        bytes[1] >= STOP_REASON_COUNT ||
        (record.kind == SUPPLY_JOURNAL_END) != (record.stop_reason != STOP_NONE) ||
        record.energy_wms > ENERGY_WMS_MAX || record.started_at_ms < 0 || record.at_ms < 0) {
        return EV_ERR_PARSE;
    }
    const char *cp_text = (const char *)bytes + CP_ID_OFFSET;
    if (session_id_parse_n((const char *)bytes + SESSION_ID_OFFSET, ULID_LENGTH, &record.session_id) !=
            EV_OK ||
        cp_id_parse_n(cp_text, strnlen(cp_text, NODE_ID_LENGTH_MAX), &cp_id) != EV_OK) {
        return EV_ERR_PARSE;
    }
    *ret_cp_id = cp_id;
    *ret_record = record;
    return EV_OK;
}
