#include "common/wire/json.h"

#include "common/wire/json_check.h"
#include "common/wire/time_text.h"

#include <string.h>

enum ev_err json_parse(const char *bytes, size_t len, size_t size_max, cJSON **ret_tree)
{
    if (len > size_max)
        return EV_ERR_TOO_LARGE;
    if (bytes == NULL || !json_check(bytes, len))
        return EV_ERR_PARSE;
    cJSON *tree = cJSON_ParseWithLength(bytes, len);
    if (tree == NULL)
        return EV_ERR_NOMEM; /* the text is good, so only memory can have failed */
    *ret_tree = tree;
    return EV_OK;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    const cJSON *found = NULL;
    if (!cJSON_IsObject(object))
        return NULL;
    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        if (member->string == NULL || strcmp(member->string, name) != 0)
            continue;
        if (found != NULL)
            return NULL; /* readers disagree on which of the two counts */
        found = member;
    }
    return found;
}

bool json_has(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) && cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
}

bool json_is_null(const cJSON *object, const char *name)
{
    return cJSON_IsNull(json_member(object, name));
}

enum ev_err json_get_text(const cJSON *object, const char *name, char *buf, size_t cap)
{
    const cJSON *member = json_member(object, name);
    if (!cJSON_IsString(member) || member->valuestring == NULL)
        return EV_ERR_PARSE;
    const size_t len = strlen(member->valuestring);
    if (len >= cap)
        return EV_ERR_TOO_LARGE;
    memcpy(buf, member->valuestring, len + 1);
    return EV_OK;
}

enum ev_err json_get_integer(const cJSON *object, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const cJSON *member = json_member(object, name);
    if (!cJSON_IsNumber(member))
        return EV_ERR_PARSE;
    const double value = member->valuedouble;
    if (!(value >= (double)-JSON_INTEGER_MAX && value <= (double)JSON_INTEGER_MAX))
        return EV_ERR_RANGE;
    const int64_t integer = (int64_t)value;
    if ((double)integer != value)
        return EV_ERR_PARSE;
    if (integer < min || integer > max)
        return EV_ERR_RANGE;
    *ret = integer;
    return EV_OK;
}

enum ev_err json_get_real(const cJSON *object, const char *name, double min, double max, double *ret)
{
    const cJSON *member = json_member(object, name);
    if (!cJSON_IsNumber(member))
        return EV_ERR_PARSE;
    if (!(member->valuedouble >= min && member->valuedouble <= max))
        return EV_ERR_RANGE;
    *ret = member->valuedouble;
    return EV_OK;
}

enum ev_err json_get_bool(const cJSON *object, const char *name, bool *ret)
{
    const cJSON *member = json_member(object, name);
    if (!cJSON_IsBool(member))
        return EV_ERR_PARSE;
    *ret = cJSON_IsTrue(member);
    return EV_OK;
}

/* The text of a string member, NULL for anything else: what the parsers of common/rules take. */
static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *member = json_member(object, name);
    return cJSON_IsString(member) ? member->valuestring : NULL;
}

enum ev_err json_get_time(const cJSON *object, const char *name, int64_t *ret_ms)
{
    return time_text_parse(text_of(object, name), ret_ms);
}

enum ev_err json_get_time_or_null(const cJSON *object, const char *name, int64_t *ret_ms)
{
    if (!json_is_null(object, name))
        return json_get_time(object, name, ret_ms);
    *ret_ms = TIME_NONE;
    return EV_OK;
}

enum ev_err json_get_cp_id(const cJSON *object, const char *name, struct cp_id *ret)
{
    return cp_id_parse(text_of(object, name), ret);
}

enum ev_err json_get_driver_id(const cJSON *object, const char *name, struct driver_id *ret)
{
    return driver_id_parse(text_of(object, name), ret);
}

enum ev_err json_get_session_id(const cJSON *object, const char *name, struct session_id *ret)
{
    return session_id_parse(text_of(object, name), ret);
}

enum ev_err json_get_request_id(const cJSON *object, const char *name, struct request_id *ret)
{
    return request_id_parse(text_of(object, name), ret);
}

bool json_add_time(cJSON *object, const char *name, int64_t ms)
{
    if (ms <= 0)
        return cJSON_AddNullToObject(object, name) != NULL;
    char text[TIME_TEXT_SIZE];
    time_text_format(ms, text);
    return cJSON_AddStringToObject(object, name, text) != NULL;
}

bool json_add_integer(cJSON *object, const char *name, int64_t value)
{
    return cJSON_AddNumberToObject(object, name, (double)value) != NULL;
}

bool json_add_text_or_null(cJSON *object, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return cJSON_AddNullToObject(object, name) != NULL;
    return cJSON_AddStringToObject(object, name, text) != NULL;
}
