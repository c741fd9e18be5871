/* ids.h - the names of things, each in a type of its own, so that a driver's cannot pass for a charge
 * point's. Pure. Text is always terminated; an all-zero id (text "") means "none" and equals only itself. New
 * ULIDs need randomness and are made in common/wire. */
#ifndef EV_RULES_IDS_H
#define EV_RULES_IDS_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_ID_LENGTH_MAX 32 /* ids of charge points and drivers: 1 to 32 of A-Z a-z 0-9 - _ */
#define ULID_LENGTH 26        /* Crockford base 32, upper case, first character 0 to 7 */
#define ULID_BYTES 16         /* the same as a big-endian number: 48 bits of milliseconds, 80 random bits */

struct cp_id {
    char text[NODE_ID_LENGTH_MAX + 1];
};

struct driver_id {
    char text[NODE_ID_LENGTH_MAX + 1];
};

struct session_id {
    char text[ULID_LENGTH + 1];
};

struct request_id {
    char text[ULID_LENGTH + 1];
};

/* Each parse takes the whole of `text` (NULL is refused) or fails with EV_ERR_PARSE, *ret_id untouched.
 * On success the bytes behind the terminator are zero, so that ids may be hashed and compared whole. */
EV_MUST_CHECK enum ev_err cp_id_parse(const char *text, struct cp_id *ret_id);
EV_MUST_CHECK enum ev_err driver_id_parse(const char *text, struct driver_id *ret_id);
EV_MUST_CHECK enum ev_err session_id_parse(const char *text, struct session_id *ret_id);
EV_MUST_CHECK enum ev_err request_id_parse(const char *text, struct request_id *ret_id);

/* As above for text that is not terminated (a Kafka key, a field of a binary record). */
EV_MUST_CHECK enum ev_err cp_id_parse_n(const char *text, size_t length, struct cp_id *ret_id);
EV_MUST_CHECK enum ev_err driver_id_parse_n(const char *text, size_t length, struct driver_id *ret_id);
EV_MUST_CHECK enum ev_err session_id_parse_n(const char *text, size_t length, struct session_id *ret_id);
EV_MUST_CHECK enum ev_err request_id_parse_n(const char *text, size_t length, struct request_id *ret_id);

/* The terminated text; lives as long as the id. */
const char *cp_id_format(const struct cp_id *id);
const char *driver_id_format(const struct driver_id *id);
const char *session_id_format(const struct session_id *id);
const char *request_id_format(const struct request_id *id);

bool cp_id_equal(const struct cp_id *a, const struct cp_id *b);
bool driver_id_equal(const struct driver_id *a, const struct driver_id *b);
bool session_id_equal(const struct session_id *a, const struct session_id *b);
bool request_id_equal(const struct request_id *a, const struct request_id *b);

/* False for the all-zero id "none". */
bool cp_id_is_set(const struct cp_id *id);
bool driver_id_is_set(const struct driver_id *id);
bool session_id_is_set(const struct session_id *id);
bool request_id_is_set(const struct request_id *id);

/* ULID as 16 big-endian bytes <-> 26 characters plus terminator. Encoding always succeeds;
 * decoding text that is no ULID is EV_ERR_PARSE. */
void ulid_encode_text(const uint8_t bytes[ULID_BYTES], char ret_text[ULID_LENGTH + 1]);
EV_MUST_CHECK enum ev_err ulid_decode_text(const char *text, uint8_t ret_bytes[ULID_BYTES]);

#endif
