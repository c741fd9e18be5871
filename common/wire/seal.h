/* seal.h - sealed records: what goes through Kafka between the nodes (docs/protocol.md, section 3).
 * `version 1 | epoch 4 | sequence 8 | nonce 24 | ciphertext | tag 16`, XChaCha20-Poly1305-IETF, bound to the
 * topic and the Kafka key. Opening says nothing of replays: the caller compares sequences (one receiver, one
 * last sequence for each epoch). There is no clear text form, and one key is tried, never several. */
#ifndef EV_WIRE_SEAL_H
#define EV_WIRE_SEAL_H

#include "common/rules/ev_err.h"
#include "common/wire/hex.h"

#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_SIZE 32
#define SEAL_KEY_HEX_SIZE HEX_SIZE(SEAL_KEY_SIZE)
#define SEAL_VERSION 1
#define SEAL_HEADER_SIZE (1 + 4 + 8) /* version, epoch, sequence */
#define SEAL_NONCE_SIZE 24
#define SEAL_TAG_SIZE 16
#define SEAL_OVERHEAD (SEAL_HEADER_SIZE + SEAL_NONCE_SIZE + SEAL_TAG_SIZE)
#define SEAL_RECORD_MAX 4096
#define SEAL_PLAIN_MAX (SEAL_RECORD_MAX - SEAL_OVERHEAD)
#define SEAL_TOPIC_MAX 64
#define SEAL_KAFKA_KEY_MAX 64

#define SEAL_TOPIC_TELEMETRY "ev.telemetry"
#define SEAL_TOPIC_REQUESTS "ev.requests"
#define SEAL_TOPIC_NOTICES "ev.notices"

struct seal_key {
    uint8_t bytes[SEAL_KEY_SIZE];
};

/* Once at the program's start, before any other call of seal.h or ulid.h. Errors: EV_ERR_CRYPTO. */
EV_MUST_CHECK enum ev_err seal_init(void);

void seal_key_generate(struct seal_key *ret_key);
void seal_key_wipe(struct seal_key *key);
void seal_key_format(const struct seal_key *key, char ret_text[SEAL_KEY_HEX_SIZE]);
/* 64 hex digits. Errors: EV_ERR_PARSE (output untouched). */
EV_MUST_CHECK enum ev_err seal_key_parse(const char *text, struct seal_key *ret_key);

/* Seals plain (1 .. SEAL_PLAIN_MAX bytes) with a random nonce.
 *   topic      1 .. SEAL_TOPIC_MAX bytes;  kafka_key  1 .. SEAL_KAFKA_KEY_MAX bytes, no zero byte
 *   epoch      from 1;  sequence  from 1, never used twice in one epoch
 *   cap        of out: plain_len + SEAL_OVERHEAD is enough
 * Errors: EV_ERR_RANGE (an argument), EV_ERR_TOO_LARGE (plain, or cap), EV_ERR_CRYPTO. */
EV_MUST_CHECK enum ev_err seal_record(const struct seal_key *key, const char *topic, const void *kafka_key,
                                      size_t kafka_key_len, uint32_t epoch, uint64_t sequence,
                                      const void *plain, size_t plain_len, uint8_t *out, size_t cap,
                                      size_t *ret_len);

/* What a record says of itself, not yet authenticated: to look up the one key.
 * Errors: EV_ERR_PARSE (too short, another version, epoch or sequence 0), EV_ERR_TOO_LARGE. */
EV_MUST_CHECK enum ev_err seal_parse_header(const void *record, size_t len, uint32_t *ret_epoch,
                                            uint64_t *ret_sequence);

/* Opens a record under the key of its epoch.
 *   cap  of out: len - SEAL_OVERHEAD is enough, SEAL_PLAIN_MAX always
 * Errors: as seal_parse_header; EV_ERR_RANGE (kafka_key); EV_ERR_TOO_LARGE (also: cap too small);
 * EV_ERR_AUTH (not sealed with this key for this topic and Kafka key). Outputs untouched, but for `out`,
 * which holds zeros after EV_ERR_AUTH. */
EV_MUST_CHECK enum ev_err seal_open(const struct seal_key *key, const char *topic, const void *kafka_key,
                                    size_t kafka_key_len, const void *record, size_t len, void *out,
                                    size_t cap, size_t *ret_len, uint32_t *ret_epoch, uint64_t *ret_sequence);

#endif
