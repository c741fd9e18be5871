/* key_ring.h - the symmetric keys of charge points and drivers: which record is good under which key.
 * Pure: no I/O, no clock. What must be kept is told to on_change; sequences are told when key_ring_flush is
 * called, so that many records of one key are one row. Used by dispatch, telemetry_ingest, request_ingest and
 * outbox. Invariants: an owner has at most one current key and KEY_RING_SUPERSEDED_MAX superseded ones; the
 * last applied sequence of a key never falls; key bytes are wiped when a key goes. */
#ifndef EV_CENTRAL_KEY_RING_H
#define EV_CENTRAL_KEY_RING_H

#include "central/store.h"

#define KEY_RING_SUPERSEDED_MAX 64
#define KEY_RING_SUPERSEDED_MS INT64_C(86400000)
#define KEY_RING_RESERVE 1000 /* own sequences that one row reserves: a restart goes on beyond them */

struct key_ring;
struct key_ring_key;

enum key_owner { KEY_OWNER_CP, KEY_OWNER_DRIVER, KEY_OWNER_COUNT };

enum key_verdict {
    KEY_APPLY,
    KEY_REPLAY,  /* at or below the last one applied under this key */
    KEY_UNKNOWN, /* no such owner or epoch (any more) */
    KEY_BEYOND   /* above what the owner declared as the last of a superseded key */
};

/* dropped: remove the row (owner and epoch), else save it. The row is valid during the call. */
typedef void (*key_ring_on_change)(void *user, const struct store_key *key, bool dropped);

/* Errors: EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err key_ring_new(key_ring_on_change on_change, void *user, struct key_ring **ret_ring);
void key_ring_free(struct key_ring *ring);

/* A row of the store at start, without on_change. Errors: EV_ERR_NOMEM, EV_ERR_PARSE (owner), EV_ERR_EXISTS.
 */
EV_MUST_CHECK enum ev_err key_ring_load(struct key_ring *ring, const struct store_key *row);

/* A new current key; the one before is superseded, the oldest beyond the cap dropped.
 *   epoch  0: one more than the owner's highest; else above it
 * Errors: EV_ERR_NOMEM, EV_ERR_RANGE (epoch). */
EV_MUST_CHECK enum ev_err key_ring_issue(struct key_ring *ring, enum key_owner owner, const char *id,
                                         uint32_t epoch, const uint8_t key[32], int64_t now_ms,
                                         uint32_t *ret_epoch);

/* The owner took over `epoch` and names the last sequence of the old one (-1: does not know). */
void key_ring_acknowledge(struct key_ring *ring, enum key_owner owner, const char *id, uint32_t old_epoch,
                          int64_t old_last_sequence);

/* What to do with a record that says epoch and sequence of itself. On KEY_APPLY *ret_key is its key, valid
 * until the next call that changes the ring; call key_ring_applied when the record was opened, and only then.
 */
enum key_verdict key_ring_check(struct key_ring *ring, enum key_owner owner, const char *id, uint32_t epoch,
                                uint64_t sequence, struct key_ring_key **ret_key);
const uint8_t *key_ring_bytes(const struct key_ring_key *key);

/* Returns how many sequences were skipped. A superseded key that has seen its last record goes with the next
 * flush. */
uint64_t key_ring_applied(struct key_ring *ring, struct key_ring_key *key, uint64_t sequence);

/* Tells what was applied since the last flush. */
void key_ring_flush(struct key_ring *ring);

void key_ring_drop(struct key_ring *ring, enum key_owner owner, const char *id);
/* Drops superseded keys that are too old; about once a minute. */
void key_ring_expire(struct key_ring *ring, int64_t now_ms);

/* Central's own next record for this owner, under its current key. Errors: EV_ERR_NOT_FOUND (it has no key).
 */
EV_MUST_CHECK enum ev_err key_ring_next_send(struct key_ring *ring, enum key_owner owner, const char *id,
                                             uint8_t ret_key[32], uint32_t *ret_epoch,
                                             uint64_t *ret_sequence);

size_t key_ring_count(const struct key_ring *ring); /* keys */

const char *key_verdict_text(enum key_verdict verdict);

#endif
