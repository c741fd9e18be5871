/* ulid.h - new ULIDs for sessions and requests; text and binary forms are in common/rules/ids.h.
 * Randomness is libsodium's. Needs sodium_init() once at the program's start (seal_init does it). */
#ifndef EV_WIRE_ULID_H
#define EV_WIRE_ULID_H

#include "common/rules/ids.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the last id stood, so that ids of one source rise strictly: within one millisecond and also when the
 * clock steps back. All zero is a fresh source. */
struct ulid_source {
    uint64_t last_ms;
    uint8_t last_random[10];
    bool started;
};

/* The next id of a source.
 *   now_ms  Unix milliseconds, 0 .. 2^48 - 1; others are taken as the nearest of these */
void ulid_next(struct ulid_source *source, int64_t now_ms, uint8_t ret_bytes[ULID_BYTES]);

/* The same from one source for each thread. */
void ulid_generate_session_id(int64_t now_ms, struct session_id *ret_id);
void ulid_generate_request_id(int64_t now_ms, struct request_id *ret_id);

/* Session ids as 16 bytes, for binary records. An id that is not set gives 16 zero bytes. */
void ulid_session_id_to_bytes(const struct session_id *id, uint8_t ret_bytes[ULID_BYTES]);
/* Errors: EV_ERR_PARSE (16 zero bytes: no id; output untouched). */
EV_MUST_CHECK enum ev_err ulid_session_id_from_bytes(const uint8_t bytes[ULID_BYTES],
                                                     struct session_id *ret_id);

/* The milliseconds in an id that is set. */
int64_t ulid_session_id_time_ms(const struct session_id *id);

#endif
