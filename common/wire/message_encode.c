#include "common/wire/json.h"
#include "common/wire/message_fields.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void write_bounded(struct json_writer *writer, const struct field *field, int64_t value)
{
    if (value < field->min || value > field->max)
        json_write_fail(writer, EV_ERR_RANGE);
    else
        json_write_integer(writer, field->name, value);
}

static void write_u32(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    uint32_t value = 0;
    memcpy(&value, at, sizeof(value));
    write_bounded(writer, field, value);
}

static void write_i64(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    int64_t value = 0;
    memcpy(&value, at, sizeof(value));
    write_bounded(writer, field, value);
}

static void write_u64(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    uint64_t value = 0;
    memcpy(&value, at, sizeof(value));
    if (value > (uint64_t)field->max) {
        json_write_fail(writer, EV_ERR_RANGE);
        return;
    }
    if (field->kind == FIELD_U64) {
        json_write_integer(writer, field->name, (int64_t)value);
        return;
    }
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
    json_write_text(writer, field->name, digits);
}

static void write_bool(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    bool value = false;
    memcpy(&value, at, sizeof(value));
    json_write_bool(writer, field->name, value);
}

static void write_text(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    if (memchr(at, 0, (size_t)field->max) == NULL)
        json_write_fail(writer, EV_ERR_RANGE);
    else
        json_write_text(writer, field->name, (const char *)at);
}

static void write_enum(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    uint32_t value = 0;
    memcpy(&value, at, sizeof(value));
    if (value < field->min || value > field->max)
        json_write_fail(writer, EV_ERR_RANGE);
    else
        json_write_text(writer, field->name, field->text(value));
}

static void write_holds(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    uint32_t holds = 0;
    memcpy(&holds, at, sizeof(holds));
    if ((holds & ~HOLD_ALL) != 0) {
        json_write_fail(writer, EV_ERR_RANGE);
        return;
    }
    json_write_array_begin(writer, field->name);
    for (size_t i = 0; i < HOLD_COUNT; i++) {
        if ((holds & message_fields_holds[i]) != 0)
            json_write_text(writer, NULL, cp_hold_text(message_fields_holds[i]));
    }
    json_write_array_end(writer);
}

static void write_key(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    struct seal_key key;
    char digits[SEAL_KEY_HEX_SIZE];
    memcpy(&key, at, sizeof(key));
    seal_key_format(&key, digits);
    json_write_text(writer, field->name, digits);
    seal_key_wipe(&key);
    sodium_memzero(digits, sizeof(digits));
}

/* An id of any of the four kinds is its terminated text; one that is not set is "". */
static void write_id(struct json_writer *writer, const struct field *field, const uint8_t *at)
{
    if (at[0] == 0 && field->kind != FIELD_SESSION_ID_OR_EMPTY)
        json_write_fail(writer, EV_ERR_RANGE);
    else
        json_write_text(writer, field->name, (const char *)at);
}

static void write_field(struct json_writer *writer, const struct field *field, const struct message *message)
{
    typedef void (*write_kind)(struct json_writer *, const struct field *, const uint8_t *);
    static const write_kind writers[] = {
        [FIELD_U32] = write_u32,
        [FIELD_I64] = write_i64,
        [FIELD_U64] = write_u64,
        [FIELD_METER] = write_u64,
        [FIELD_BOOL] = write_bool,
        [FIELD_TEXT] = write_text,
        [FIELD_ENUM] = write_enum,
        [FIELD_HOLDS] = write_holds,
        [FIELD_KEY] = write_key,
        [FIELD_SESSION_ID] = write_id,
        [FIELD_SESSION_ID_OR_EMPTY] = write_id,
        [FIELD_REQUEST_ID] = write_id,
        [FIELD_DRIVER_ID] = write_id,
    };
    writers[field->kind](writer, field, (const uint8_t *)message + field->offset);
}

enum ev_err message_encode(const struct message *message, char *buf, size_t cap, size_t *ret_len)
{
    const struct message_layout *layout = message_fields_layout(message->type);
    const bool has_cp_id = cp_id_is_set(&message->cp_id);
    if (layout == NULL || (layout->cp_id == CP_ID_REQUIRED && !has_cp_id) || !message_fields_agree(message))
        return EV_ERR_RANGE;
    struct json_writer writer;
    json_writer_init(&writer, buf, cap);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "type", layout->type);
    if (has_cp_id && layout->cp_id != CP_ID_ABSENT)
        json_write_text(&writer, "cp_id", message->cp_id.text);
    for (size_t i = 0; i < layout->field_count; i++)
        write_field(&writer, &layout->fields[i], message);
    json_write_object_end(&writer);
    return json_writer_finish(&writer, ret_len);
}
