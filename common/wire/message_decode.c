#include "common/wire/frame.h"
#include "common/wire/json.h"
#include "common/wire/message_fields.h"

#include <sodium.h>
#include <string.h>

#define TYPE_SIZE 32      /* longer than every type */
#define ENUM_TEXT_SIZE 32 /* longer than every enum's text */
#define METER_SIZE 20     /* ENERGY_WMS_MAX has 16 digits */

static enum ev_err read_u32(const cJSON *tree, const struct field *field, uint8_t *at)
{
    int64_t value = 0;
    const enum ev_err err = json_get_integer(tree, field->name, field->min, field->max, &value);
    const uint32_t narrow = (uint32_t)value;
    memcpy(at, &narrow, sizeof(narrow));
    return err;
}

/* FIELD_I64 and FIELD_U64 alike: the bounds of the latter begin at 0. */
static enum ev_err read_i64(const cJSON *tree, const struct field *field, uint8_t *at)
{
    int64_t value = 0;
    const enum ev_err err = json_get_integer(tree, field->name, field->min, field->max, &value);
    memcpy(at, &value, sizeof(value));
    return err;
}

/* Decimal digits without a sign and without leading zeros. */
static enum ev_err read_meter(const cJSON *tree, const struct field *field, uint8_t *at)
{
    char digits[METER_SIZE];
    const enum ev_err err = json_get_text(tree, field->name, digits, sizeof(digits));
    if (err != EV_OK)
        return err;
    if (digits[0] == '\0' || (digits[0] == '0' && digits[1] != '\0'))
        return EV_ERR_PARSE;
    uint64_t value = 0; /* 19 digits fit */
    for (const char *digit = digits; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9')
            return EV_ERR_PARSE;
        value = value * 10 + (uint64_t)(*digit - '0');
    }
    if (value > (uint64_t)field->max)
        return EV_ERR_RANGE;
    memcpy(at, &value, sizeof(value));
    return EV_OK;
}

static enum ev_err read_bool(const cJSON *tree, const struct field *field, uint8_t *at)
{
    bool value = false;
    const enum ev_err err = json_get_bool(tree, field->name, &value);
    memcpy(at, &value, sizeof(value));
    return err;
}

static enum ev_err read_text(const cJSON *tree, const struct field *field, uint8_t *at)
{
    return json_get_text(tree, field->name, (char *)at, (size_t)field->max);
}

static enum ev_err read_enum(const cJSON *tree, const struct field *field, uint8_t *at)
{
    char text[ENUM_TEXT_SIZE];
    const enum ev_err err = json_get_text(tree, field->name, text, sizeof(text));
    if (err != EV_OK)
        return err;
    for (uint32_t value = (uint32_t)field->min; value <= (uint32_t)field->max; value++) {
        if (strcmp(field->text(value), text) == 0) {
            memcpy(at, &value, sizeof(value));
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

/* An array of texts, each at most once. */
static enum ev_err read_holds(const cJSON *tree, const struct field *field, uint8_t *at)
{
    const cJSON *array = json_member(tree, field->name);
    if (!cJSON_IsArray(array))
        return EV_ERR_PARSE;
    uint32_t holds = 0;
    for (const cJSON *element = array->child; element != NULL; element = element->next) {
        enum cp_hold hold = HOLD_ADMIN;
        if (!cJSON_IsString(element) || cp_hold_parse(element->valuestring, &hold) != EV_OK ||
            (holds & hold) != 0)
            return EV_ERR_PARSE;
        holds |= hold;
    }
    memcpy(at, &holds, sizeof(holds));
    return EV_OK;
}

static enum ev_err read_key(const cJSON *tree, const struct field *field, uint8_t *at)
{
    char digits[SEAL_KEY_HEX_SIZE];
    struct seal_key key;
    enum ev_err err = json_get_text(tree, field->name, digits, sizeof(digits));
    if (err == EV_OK)
        err = seal_key_parse(digits, &key);
    if (err == EV_OK) {
        memcpy(at, &key, sizeof(key));
        seal_key_wipe(&key);
    }
    sodium_memzero(digits, sizeof(digits));
    return err;
}

static enum ev_err read_session_id(const cJSON *tree, const struct field *field, uint8_t *at)
{
    const cJSON *member = json_member(tree, field->name);
    if (field->kind == FIELD_SESSION_ID_OR_EMPTY && cJSON_IsString(member) && member->valuestring[0] == '\0')
        return EV_OK; /* the message is all zero before */
    struct session_id id;
    const enum ev_err err = json_get_session_id(tree, field->name, &id);
    if (err == EV_OK)
        memcpy(at, &id, sizeof(id));
    return err;
}

static enum ev_err read_request_id(const cJSON *tree, const struct field *field, uint8_t *at)
{
    struct request_id id;
    const enum ev_err err = json_get_request_id(tree, field->name, &id);
    if (err == EV_OK)
        memcpy(at, &id, sizeof(id));
    return err;
}

static enum ev_err read_driver_id(const cJSON *tree, const struct field *field, uint8_t *at)
{
    struct driver_id id;
    const enum ev_err err = json_get_driver_id(tree, field->name, &id);
    if (err == EV_OK)
        memcpy(at, &id, sizeof(id));
    return err;
}

static enum ev_err read_field(const cJSON *tree, const struct field *field, struct message *message)
{
    typedef enum ev_err (*read_kind)(const cJSON *, const struct field *, uint8_t *);
    static const read_kind readers[] = {
        [FIELD_U32] = read_u32,
        [FIELD_I64] = read_i64,
        [FIELD_U64] = read_i64,
        [FIELD_METER] = read_meter,
        [FIELD_BOOL] = read_bool,
        [FIELD_TEXT] = read_text,
        [FIELD_ENUM] = read_enum,
        [FIELD_HOLDS] = read_holds,
        [FIELD_KEY] = read_key,
        [FIELD_SESSION_ID] = read_session_id,
        [FIELD_SESSION_ID_OR_EMPTY] = read_session_id,
        [FIELD_REQUEST_ID] = read_request_id,
        [FIELD_DRIVER_ID] = read_driver_id,
    };
    return readers[field->kind](tree, field, (uint8_t *)message + field->offset);
}

static enum ev_err read_type(const cJSON *tree, enum message_type *ret_type)
{
    char text[TYPE_SIZE];
    const enum ev_err err = json_get_text(tree, "type", text, sizeof(text));
    if (err != EV_OK)
        return err == EV_ERR_TOO_LARGE ? EV_ERR_UNSUPPORTED : err;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        if (strcmp(message_type_text((enum message_type)type), text) == 0) {
            *ret_type = (enum message_type)type;
            return EV_OK;
        }
    }
    return EV_ERR_UNSUPPORTED;
}

static enum ev_err read_cp_id(const cJSON *tree, enum cp_id_rule rule, struct cp_id *ret_id)
{
    if (rule == CP_ID_ABSENT || (rule == CP_ID_OPTIONAL && !json_has(tree, "cp_id")))
        return EV_OK;
    return json_get_cp_id(tree, "cp_id", ret_id);
}

static enum ev_err read_message(const cJSON *tree, struct message *message)
{
    enum ev_err err = read_type(tree, &message->type);
    if (err != EV_OK)
        return err;
    const struct message_layout *layout = message_fields_layout(message->type);
    err = read_cp_id(tree, layout->cp_id, &message->cp_id);
    for (size_t i = 0; err == EV_OK && i < layout->field_count; i++)
        err = read_field(tree, &layout->fields[i], message);
    if (err == EV_OK && !message_fields_agree(message))
        err = EV_ERR_PARSE;
    return err;
}

/* The tree of a key message holds the key in text. */
static void wipe_texts(cJSON *tree)
{
    for (cJSON *member = tree->child; member != NULL; member = member->next) {
        if (cJSON_IsString(member))
            sodium_memzero(member->valuestring, strlen(member->valuestring));
    }
}

enum ev_err message_decode(const char *bytes, size_t len, struct message *ret_message)
{
    struct message message;
    cJSON *tree = NULL;
    memset(&message, 0, sizeof(message));
    enum ev_err err = json_parse(bytes, len, FRAME_PAYLOAD_MAX, &tree);
    if (err != EV_OK)
        return err;
    err = read_message(tree, &message);
    if (err == EV_OK)
        *ret_message = message;
    if (message.type == MESSAGE_KEY) {
        wipe_texts(tree);
        sodium_memzero(&message, sizeof(message));
    }
    cJSON_Delete(tree);
    return err;
}
