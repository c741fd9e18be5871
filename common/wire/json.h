/* json.h - strict reading of JSON from peers over cJSON, and bounded writing without allocation.
 * The text is checked against RFC 8259 before cJSON sees it: whole input, valid UTF-8, no NUL and no \u0000,
 * depth bounded. Readers refuse a member that is missing, of another type, out of bounds, or there twice. */
#ifndef EV_WIRE_JSON_H
#define EV_WIRE_JSON_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32
#define JSON_INTEGER_MAX INT64_C(9007199254740991) /* 2^53 - 1: above it JSON readers round */

/* Parses one JSON text of at most size_max bytes; it need not be terminated. The caller deletes the tree.
 * Errors: EV_ERR_TOO_LARGE, EV_ERR_PARSE, EV_ERR_NOMEM (output untouched). */
EV_MUST_CHECK enum ev_err json_parse(const char *bytes, size_t len, size_t size_max, cJSON **ret_tree);

/* Valid UTF-8 without NUL, surrogates or overlong forms. */
bool json_is_utf8(const char *bytes, size_t len);

/* The member of that name; NULL if it is missing or there twice, or object is no object. */
const cJSON *json_member(const cJSON *object, const char *name);
bool json_has(const cJSON *object, const char *name);
bool json_is_null(const cJSON *object, const char *name);

/* Readers of a required member. Output untouched on failure.
 * Errors: EV_ERR_PARSE (missing, twice, another type or form), EV_ERR_RANGE (outside its bounds),
 * EV_ERR_TOO_LARGE (text longer than cap - 1 bytes). */
EV_MUST_CHECK enum ev_err json_get_text(const cJSON *object, const char *name, char *buf, size_t cap);
EV_MUST_CHECK enum ev_err json_get_integer(const cJSON *object, const char *name, int64_t min, int64_t max,
                                           int64_t *ret);
EV_MUST_CHECK enum ev_err json_get_real(const cJSON *object, const char *name, double min, double max,
                                        double *ret);
EV_MUST_CHECK enum ev_err json_get_bool(const cJSON *object, const char *name, bool *ret);
EV_MUST_CHECK enum ev_err json_get_time(const cJSON *object, const char *name,
                                        int64_t *ret_ms); /* RFC 3339 */
EV_MUST_CHECK enum ev_err json_get_time_or_null(const cJSON *object, const char *name,
                                                int64_t *ret_ms); /* null: TIME_NONE */
EV_MUST_CHECK enum ev_err json_get_cp_id(const cJSON *object, const char *name, struct cp_id *ret);
EV_MUST_CHECK enum ev_err json_get_driver_id(const cJSON *object, const char *name, struct driver_id *ret);
EV_MUST_CHECK enum ev_err json_get_session_id(const cJSON *object, const char *name, struct session_id *ret);
EV_MUST_CHECK enum ev_err json_get_request_id(const cJSON *object, const char *name, struct request_id *ret);

/* Adds times and integers to a tree. False: out of memory. */
bool json_add_time(cJSON *object, const char *name, int64_t ms); /* 0 or less: null */
bool json_add_integer(cJSON *object, const char *name, int64_t value);
bool json_add_text_or_null(cJSON *object, const char *name, const char *text); /* "" or NULL: null */

/* Writing into a caller's buffer, without allocation. Errors stick: check once with json_writer_finish.
 * Commas are put by the writer. Text is escaped; text that is no UTF-8 is an error. */
struct json_writer {
    char *buf;
    size_t cap;
    size_t len;
    enum ev_err err;
    bool comma; /* the next member or element needs one before it */
};

void json_writer_init(struct json_writer *writer, char *buf, size_t cap);
/* Makes the writer fail with err, unless it has failed already: for writers of members with bounds. */
void json_write_fail(struct json_writer *writer, enum ev_err err);
void json_write_object_begin(struct json_writer *writer, const char *name); /* name NULL: no member */
void json_write_object_end(struct json_writer *writer);
void json_write_array_begin(struct json_writer *writer, const char *name);
void json_write_array_end(struct json_writer *writer);
void json_write_text(struct json_writer *writer, const char *name, const char *text);
void json_write_text_or_null(struct json_writer *writer, const char *name, const char *text); /* "": null */
void json_write_integer(struct json_writer *writer, const char *name, int64_t value);
void json_write_real(struct json_writer *writer, const char *name, double value); /* finite */
void json_write_bool(struct json_writer *writer, const char *name, bool value);
void json_write_null(struct json_writer *writer, const char *name);
void json_write_time(struct json_writer *writer, const char *name, int64_t ms); /* 0 or less: null */
/* The length without a terminator; one is written behind it where there is room.
 * Errors: EV_ERR_TOO_LARGE (cap), EV_ERR_RANGE (text that is no UTF-8, a number that is not finite). */
EV_MUST_CHECK enum ev_err json_writer_finish(struct json_writer *writer, size_t *ret_len);

#endif
