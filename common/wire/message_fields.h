/* message_fields.h - the table that says what each message holds; private to common/wire.
 * message_encode.c and message_decode.c walk it, so that a member is described once. */
#ifndef EV_WIRE_MESSAGE_FIELDS_H
#define EV_WIRE_MESSAGE_FIELDS_H

#include "common/wire/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_U32,   /* uint32_t of min .. max */
    FIELD_I64,   /* int64_t of min .. max */
    FIELD_U64,   /* uint64_t of min .. max; max at most JSON_INTEGER_MAX */
    FIELD_METER, /* uint64_t up to ENERGY_WMS_MAX as a decimal string */
    FIELD_BOOL,
    FIELD_TEXT,  /* char[max] */
    FIELD_ENUM,  /* an enum of min .. max with texts */
    FIELD_HOLDS, /* uint32_t bits of enum cp_hold as an array of texts */
    FIELD_KEY,   /* struct seal_key as 64 hex digits */
    FIELD_SESSION_ID,
    FIELD_SESSION_ID_OR_EMPTY,
    FIELD_REQUEST_ID,
    FIELD_DRIVER_ID
};

typedef const char *(*field_enum_text)(uint32_t value);

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset; /* in struct message */
    int64_t min;
    int64_t max;
    field_enum_text text; /* FIELD_ENUM */
};

enum cp_id_rule { CP_ID_REQUIRED, CP_ID_OPTIONAL, CP_ID_ABSENT };

struct message_layout {
    const char *type;
    enum cp_id_rule cp_id;
    const struct field *fields;
    size_t field_count;
};

/* NULL for values that are no message type. */
const struct message_layout *message_fields_layout(enum message_type type);

/* What one member alone cannot say: members that must agree with one another. */
bool message_fields_agree(const struct message *message);

/* The values of a set of holds, for walking it. */
extern const enum cp_hold message_fields_holds[HOLD_COUNT];

#endif
