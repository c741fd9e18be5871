/* keys.h - the symmetric keys of one driver's sealed records: the one in use, and the one before it, which
 * still opens notices that were on their way. Pure but for the random nonce. Each epoch's sequences start
 * at 1. Keys are wiped when they go. Used by driver.c; notices.c opens with it. */
#ifndef EV_DRIVER_KEYS_H
#define EV_DRIVER_KEYS_H

#include "common/rules/ev_err.h"
#include "common/wire/driver_request.h"
#include "common/wire/seal.h"

#include <stddef.h>
#include <stdint.h>

#define KEYS_RECORD_SIZE (DRIVER_REQUEST_SIZE + SEAL_OVERHEAD)

struct keys_epoch {
    uint32_t epoch; /* 0: none */
    struct seal_key key;
    uint64_t sent;     /* last sequence used for a request */
    uint64_t received; /* last sequence seen in a notice */
};

struct keys {
    struct keys_epoch current;
    struct keys_epoch previous;
};

/* A key from Central; the same epoch again changes nothing. */
void keys_take(struct keys *keys, uint32_t epoch, const struct seal_key *key);
void keys_wipe(struct keys *keys);

/* The key of that epoch; NULL: not ours, or no more. */
struct keys_epoch *keys_find(struct keys *keys, uint32_t epoch);

/* Seals a request under the next sequence. Errors: EV_ERR_STATE (no key), and those of driver_request_encode
 * and seal_record. */
EV_MUST_CHECK enum ev_err keys_seal_request(struct keys *keys, const struct driver_id *driver_id,
                                            const struct driver_request *request,
                                            uint8_t ret_record[KEYS_RECORD_SIZE], size_t *ret_len);

#endif
