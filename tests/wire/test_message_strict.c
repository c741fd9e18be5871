/* What a peer may not say: every member of every message missing, twice, of another type, out of bounds. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/frame.h"
#include "common/wire/json.h"
#include "tests/wire/message_examples.h"

#include <stdlib.h>
#include <string.h>

/* Decodes and, where that fails, checks that the output was left alone. */
static enum ev_err decode(const char *text, size_t len)
{
    struct message message;
    struct message before;
    memset(&message, 0xA5, sizeof(message));
    memset(&before, 0xA5, sizeof(before));
    const enum ev_err err = message_decode(text, len, &message);
    if (err != EV_OK)
        assert_memory_equal(&message, &before, sizeof(before));
    return err;
}

static enum ev_err decode_tree(const cJSON *tree)
{
    char *text = cJSON_PrintUnformatted(tree);
    assert_non_null(text);
    const enum ev_err err = decode(text, strlen(text));
    cJSON_free(text);
    return err;
}

static cJSON *parse_example(unsigned type)
{
    cJSON *tree = cJSON_Parse(message_examples[type].text);
    assert_non_null(tree);
    return tree;
}

static int is_optional(unsigned type, const char *name)
{
    return type == MESSAGE_REFUSE && strcmp(name, "cp_id") == 0;
}

static void a_missing_member_is_refused(void **state)
{
    (void)state;
    size_t tried = 0;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        cJSON *whole = parse_example(type);
        const int count = cJSON_GetArraySize(whole);
        for (int i = 0; i < count; i++) {
            cJSON *tree = parse_example(type);
            const char *name = cJSON_GetArrayItem(whole, i)->string;
            cJSON_DeleteItemFromArray(tree, i);
            assert_int_equal(decode_tree(tree), is_optional(type, name) ? EV_OK : EV_ERR_PARSE);
            cJSON_Delete(tree);
            tried++;
        }
        cJSON_Delete(whole);
    }
    assert_in_range(tried, 100, 200); /* all of them, not an empty loop */
}

static void a_member_that_is_there_twice_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        cJSON *whole = parse_example(type);
        for (const cJSON *member = whole->child; member != NULL; member = member->next) {
            cJSON *tree = parse_example(type);
            cJSON *copy = cJSON_Duplicate(member, 1);
            assert_true(cJSON_AddItemToObject(tree, member->string, copy));
            assert_int_equal(decode_tree(tree), EV_ERR_PARSE);
            cJSON_Delete(tree);
        }
        cJSON_Delete(whole);
    }
}

/* The kinds of JSON values that a member of this kind must not be. */
static void assert_other_types_refused(unsigned type, const cJSON *member)
{
    static const char *const others[] = {"null", "true", "17", "1.5", "\"~?\"", "[]", "[17]", "{}", "-2"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        cJSON *other = cJSON_Parse(others[i]);
        assert_non_null(other);
        const int same_kind = (cJSON_IsBool(other) && cJSON_IsBool(member)) ||
                              (cJSON_IsArray(other) && cJSON_IsArray(member) && other->child == NULL) ||
                              (cJSON_IsNumber(other) && cJSON_IsNumber(member) && other->valuedouble == 17) ||
                              (cJSON_IsString(other) && cJSON_IsString(member));
        if (same_kind) {
            cJSON_Delete(other);
            continue;
        }
        cJSON *tree = parse_example(type);
        assert_true(cJSON_ReplaceItemInObjectCaseSensitive(tree, member->string, other));
        const enum ev_err err = decode_tree(tree);
        assert_true(err == EV_ERR_PARSE || (cJSON_IsNumber(member) && err == EV_ERR_RANGE));
        cJSON_Delete(tree);
    }
}

static void a_member_of_another_type_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        cJSON *whole = parse_example(type);
        for (const cJSON *member = whole->child; member != NULL; member = member->next)
            assert_other_types_refused(type, member);
        cJSON_Delete(whole);
    }
}

#define LONG_ID "abcdefghijklmnopqrstuvwxyz0123456" /* 33 characters */
#define ZEROS_62 "00000000000000000000000000000000000000000000000000000000000000"

static const struct {
    enum message_type type;
    const char *member;
    const char *value; /* JSON */
} bad_values[] = {
    {MESSAGE_HEARTBEAT, "cp_id", "\"\""},
    {MESSAGE_HEARTBEAT, "cp_id", "\"MAD 01\""},
    {MESSAGE_HEARTBEAT, "cp_id", "\"MAD'--\""},
    {MESSAGE_HEARTBEAT, "cp_id", "\"\\u00d1\""},
    {MESSAGE_HEARTBEAT, "cp_id", "\"" LONG_ID "\""},
    {MESSAGE_IDENTIFY, "count", "0"},
    {MESSAGE_IDENTIFY, "count", "100001"},
    {MESSAGE_IDENTIFY, "speed", "0"},
    {MESSAGE_IDENTIFY, "speed", "100001"},
    {MESSAGE_IDENTIFY, "max_power_w", "0"},
    {MESSAGE_IDENTIFY, "battery_wh", "0"},
    {MESSAGE_HELLO, "version", "-1"},
    {MESSAGE_HELLO, "cause", "\"OPERATOR\""},
    {MESSAGE_HELLO, "cause", "\"\""},
    {MESSAGE_HELLO, "program_version", "\"01234567890123456789012345678901\""}, /* 32 and a terminator */
    {MESSAGE_WELCOME, "heartbeat_ms", "0"},
    {MESSAGE_WELCOME, "heartbeat_ms", "86400001"},
    {MESSAGE_WELCOME, "price_cents_per_kwh", "1000001"},
    {MESSAGE_WELCOME, "price_cents_per_kwh", "-1"},
    {MESSAGE_WELCOME, "price_cents_per_kwh", "54.5"},
    {MESSAGE_WELCOME, "holds", "[\"admin\",\"admin\"]"},
    {MESSAGE_WELCOME, "holds", "[\"Admin\"]"},
    {MESSAGE_WELCOME, "holds", "[\"frost\"]"},
    {MESSAGE_WELCOME, "holds", "\"admin\""},
    {MESSAGE_WELCOME, "holds", "{\"admin\":\"admin\"}"},
    {MESSAGE_WELCOME, "server_time_ms", "253402300800000"},
    {MESSAGE_WELCOME, "server_time_ms", "1e999"},
    {MESSAGE_REFUSE, "code", "\"no\""},
    {MESSAGE_STATUS, "supply", "\"Charging\""},
    {MESSAGE_STATUS, "supply", "\"none\""}, /* with a session id */
    {MESSAGE_STATUS, "session_id", "\"\""}, /* while charging */
    {MESSAGE_STATUS, "soc_permille", "1001"},
    {MESSAGE_STATUS, "max_power_w", "1000001"},
    {MESSAGE_STATUS, "battery_wh", "4294967296"},
    {MESSAGE_KEY, "epoch", "0"},
    {MESSAGE_KEY, "epoch", "4294967296"},
    {MESSAGE_KEY, "key", "\"" ZEROS_62 "0\""},
    {MESSAGE_KEY, "key", "\"" ZEROS_62 "000\""},
    {MESSAGE_KEY, "key", "\"" ZEROS_62 "0x\""},
    {MESSAGE_KEY, "expires_in_ms", "0"},
    {MESSAGE_KEY_ACK, "old_last_sequence", "-2"},
    {MESSAGE_KEY_ACK, "old_last_sequence", "9007199254740992"},
    {MESSAGE_KEY_ACK, "old_epoch", "-1"},
    {MESSAGE_AUTHORISE, "driver_id", "\"\""},
    {MESSAGE_AUTHORISE, "session_id", "\"\""},
    {MESSAGE_AUTHORISE, "target_wh", "1000001"},
    {MESSAGE_AUTHORISE, "prepare_ms", "0"},
    {MESSAGE_CANCEL, "reason", "\"\""},
    {MESSAGE_CANCEL, "reason", "\"because\""},
    {MESSAGE_STOP, "reason", "\"\""},
    {MESSAGE_STOP, "reason", "\"not_plugged_in\""},
    {MESSAGE_STOP, "session_id", "\"81JEJWFRFJ000G40R40M30E27Z\""}, /* above 128 bits */
    {MESSAGE_STOP, "session_id", "\"01JEJWFRFJ000G40R40M30E27\""},
    {MESSAGE_STOP, "session_id", "\"01JEJWFRFJ000G40R40M30E27ZZ\""},
    {MESSAGE_STOP, "session_id", "\"01JEJWFRFJ000G40R40M30E27U\""},
    {MESSAGE_RESERVATION_ENDED, "reason", "\"unplugged\""},
    {MESSAGE_SUPPLY_STARTED, "started_at_ms", "-1"},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "12"},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"-1\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"+1\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\" 1\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"01\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"1e3\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"1.0\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"3600000000000001\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"9999999999999999999\""},
    {MESSAGE_SUPPLY_ENDED, "energy_wms", "\"18446744073709551617\""},
    {MESSAGE_SUPPLY_ENDED, "stop_reason", "\"\""},
    {MESSAGE_SETTLED, "energy_wh", "1000000001"},
    {MESSAGE_CHARGE_REQUEST, "request_id", "\"x\""},
    {MESSAGE_CHARGE_REQUEST, "target_wh", "1000000001"},
    {MESSAGE_CHARGE_ANSWER, "accepted", "true"}, /* with a reason */
    {MESSAGE_CHARGE_ANSWER, "reason", "\"\""},   /* of a refusal */
    {MESSAGE_NOTICE, "state", "\"available\""},
    {MESSAGE_HEALTH, "n", "-1"},
    {MESSAGE_HEALTH, "n", "9007199254740993"},
    {MESSAGE_HEALTH_ANSWER, "power_w", "1000001"},
};

static void values_out_of_bounds_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
        cJSON *tree = parse_example(bad_values[i].type);
        assert_true(json_has(tree, bad_values[i].member));
        assert_true(cJSON_ReplaceItemInObjectCaseSensitive(tree, bad_values[i].member,
                                                           cJSON_CreateRaw(bad_values[i].value)));
        if (decode_tree(tree) == EV_OK)
            fail_msg("%s with %s = %s was taken", message_type_text(bad_values[i].type), bad_values[i].member,
                     bad_values[i].value);
        cJSON_Delete(tree);
    }
}

static void texts_of_the_full_size_are_taken_and_longer_ones_not(void **state)
{
    (void)state;
    char detail[MESSAGE_TEXT_SIZE + 1];
    memset(detail, 'd', sizeof(detail));
    detail[MESSAGE_TEXT_SIZE] = '\0';
    for (size_t shorter = 0; shorter < 2; shorter++) {
        cJSON *tree = parse_example(MESSAGE_REFUSE);
        detail[MESSAGE_TEXT_SIZE - shorter] = '\0';
        assert_true(cJSON_ReplaceItemInObjectCaseSensitive(tree, "detail", cJSON_CreateString(detail)));
        assert_int_equal(decode_tree(tree), shorter == 0 ? EV_ERR_TOO_LARGE : EV_OK);
        cJSON_Delete(tree);
    }
}

static void what_is_no_message_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ev_err err;
    } cases[] = {
        {"", EV_ERR_PARSE},
        {"{}", EV_ERR_PARSE},
        {"[]", EV_ERR_PARSE},
        {"null", EV_ERR_PARSE},
        {"\"hello\"", EV_ERR_PARSE},
        {"{\"type\":\"heartbeat\",\"cp_id\":\"A\"", EV_ERR_PARSE},
        {"{\"type\":\"heartbeat\",\"cp_id\":\"A\"}}", EV_ERR_PARSE},
        {"{\"type\":\"heartbeat\",\"cp_id\":\"A\",}", EV_ERR_PARSE},
        {"{\"type\":\"Heartbeat\",\"cp_id\":\"A\"}", EV_ERR_UNSUPPORTED},
        {"{\"type\":\"\",\"cp_id\":\"A\"}", EV_ERR_UNSUPPORTED},
        {"{\"type\":\"a_type_that_is_longer_than_every_type_there_is\",\"cp_id\":\"A\"}", EV_ERR_UNSUPPORTED},
        {"{\"type\":7,\"cp_id\":\"A\"}", EV_ERR_PARSE},
        {"{\"type\":\"heartbeat\",\"type\":\"attach\",\"cp_id\":\"A\"}", EV_ERR_PARSE},
        {"{\"TYPE\":\"heartbeat\",\"cp_id\":\"A\"}", EV_ERR_PARSE},
        {"{\"type\":\"heartbeat\",\"cp_id\":\"A\\u0000B\"}", EV_ERR_PARSE},
        {"{\"type\":\"heartbeat\",\"cp_id\":\"A\",\"x\":\"\xFF\"}", EV_ERR_PARSE},
        {"GET / HTTP/1.1\r\n\r\n", EV_ERR_PARSE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(decode(cases[i].text, strlen(cases[i].text)), cases[i].err);
    static const char with_nul[] = "{\"type\":\"heartbeat\",\"cp_id\":\"A\"}";
    assert_int_equal(decode(with_nul, sizeof(with_nul)),
                     EV_ERR_PARSE); /* its terminator is one byte too many */
    assert_int_equal(decode(with_nul, sizeof(with_nul) - 1), EV_OK);
    assert_int_equal(decode(NULL, 0), EV_ERR_PARSE);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        const size_t len = strlen(message_examples[type].text);
        for (size_t cut = 0; cut < len; cut++) {
            char *exact = malloc(cut + 1); /* ASan sees a read beyond the end */
            assert_non_null(exact);
            memcpy(exact + 1, message_examples[type].text, cut);
            assert_int_equal(decode(exact + 1, cut), EV_ERR_PARSE);
            free(exact);
        }
    }
}

static void payloads_above_the_limit_are_refused(void **state)
{
    (void)state;
    const size_t len = FRAME_PAYLOAD_MAX + 1;
    static const char message[] = "{\"type\":\"heartbeat\",\"cp_id\":\"A\"}";
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    memcpy(text, message, sizeof(message) - 1);
    assert_int_equal(decode(text, len), EV_ERR_TOO_LARGE);
    assert_int_equal(decode(text, len - 1), EV_OK);
    memset(text, '[', len - 1);
    assert_int_equal(decode(text, len - 1), EV_ERR_PARSE); /* deep: no stack is lost on it */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_member_is_refused),
        cmocka_unit_test(a_member_that_is_there_twice_is_refused),
        cmocka_unit_test(a_member_of_another_type_is_refused),
        cmocka_unit_test(values_out_of_bounds_are_refused),
        cmocka_unit_test(texts_of_the_full_size_are_taken_and_longer_ones_not),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(payloads_above_the_limit_are_refused),
    };
    return cmocka_run_group_tests_name("message, strict", tests, NULL, NULL);
}
