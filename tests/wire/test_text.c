/* Small texts: times, hexadecimal, base 32, new ULIDs. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/base32.h"
#include "common/wire/hex.h"
#include "common/wire/seal.h"
#include "common/wire/time_text.h"
#include "common/wire/ulid.h"

#include <string.h>

/* Made with Python's datetime. */
static const struct {
    int64_t ms;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {68169600000, "1972-02-29T00:00:00.000Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {951868799999, "2000-02-29T23:59:59.999Z"},
    {1709164800001, "2024-02-29T00:00:00.001Z"},
    {1764000000123, "2025-11-24T16:00:00.123Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
};

static void times_are_written_and_read(void **state)
{
    (void)state;
    char text[TIME_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t ms = -1;
        time_text_format(times[i].ms, text);
        assert_string_equal(text, times[i].text);
        assert_int_equal(time_text_parse(times[i].text, &ms), EV_OK);
        assert_true(ms == times[i].ms);
    }
    time_text_format(-1, text);
    assert_string_equal(text, times[0].text);
    time_text_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void every_day_of_800_years_comes_back(void **state)
{
    (void)state;
    char text[TIME_TEXT_SIZE];
    char previous[TIME_TEXT_SIZE] = "";
    for (int64_t day = 0; day < INT64_C(2) * 146097; day++) {
        int64_t ms = -1;
        time_text_format(day * TIME_DAY_MS + 86399999, text);
        assert_true(strcmp(previous, text) < 0);
        assert_int_equal(time_text_parse(text, &ms), EV_OK);
        assert_true(ms == day * TIME_DAY_MS + 86399999);
        assert_true(time_text_day_start(ms) == day * TIME_DAY_MS);
        memcpy(previous, text, sizeof(previous));
    }
}

static void other_forms_of_rfc_3339_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"2025-11-24T16:00:00Z", 1764000000000},
        {"2025-11-24T16:00:00.1Z", 1764000000100},
        {"2025-11-24T16:00:00.123999999Z", 1764000000123},
        {"2025-11-24T18:30:00.123+02:30", 1764000000123},
        {"2025-11-24T15:00:00.000-01:00", 1764000000000},
        {"2025-11-25T00:00:00+08:00", 1764000000000},
        {"1969-12-31T23:00:00-01:00", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        assert_int_equal(time_text_parse(cases[i].text, &ms), EV_OK);
        assert_true(ms == cases[i].ms);
    }
}

static void bad_times_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2025",
        "2025-11-24",
        "2025-11-24 16:00:00Z",
        "2025-11-24T16:00:00",
        "2025-11-24t16:00:00z",
        "2025-11-24T16:00Z",
        "2025-11-24T16:00:00.Z",
        "2025-11-24T16:00:00.1234567890Z",
        "2025-00-24T16:00:00Z",
        "2025-13-24T16:00:00Z",
        "2025-11-00T16:00:00Z",
        "2025-11-31T16:00:00Z",
        "2025-02-29T16:00:00Z",
        "2100-02-29T16:00:00Z",
        "2025-11-24T24:00:00Z",
        "2025-11-24T16:60:00Z",
        "2025-11-24T16:00:60Z",
        "2025-11-24T16:00:00ZZ",
        "2025-11-24T16:00:00+0200",
        "2025-11-24T16:00:00+24:00",
        "2025-11-24T16:00:00+02:60",
        "2025-11-24T16:00:00*02:00",
        "+025-11-24T16:00:00Z",
        "2025-11-24T16:00:00,5Z",
        "1969-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        " 2025-11-24T16:00:00Z",
    };
    int64_t ms = -1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (time_text_parse(bad[i], &ms) == EV_OK)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(time_text_parse(NULL, &ms), EV_ERR_PARSE);
    assert_int_equal(time_text_parse("1969-12-31T23:59:59Z", &ms), EV_ERR_RANGE);
    assert_true(ms == -1);
}

static void base32_follows_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } cases[] = {{"", ""},
                 {"f", "MY"},
                 {"fo", "MZXQ"},
                 {"foo", "MZXW6"},
                 {"foob", "MZXW6YQ"},
                 {"fooba", "MZXW6YTB"},
                 {"foobar", "MZXW6YTBOI"}};
    char text[BASE32_SIZE(32)];
    uint8_t bytes[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const size_t len = strlen(cases[i].bytes);
        assert_int_equal(BASE32_LENGTH(len), strlen(cases[i].text));
        base32_encode((const uint8_t *)cases[i].bytes, len, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(base32_decode(cases[i].text, bytes, len), EV_OK);
        assert_memory_equal(bytes, cases[i].bytes, len);
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    base32_encode(bytes, sizeof(bytes), text);
    assert_string_equal(text, "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ");
    assert_int_equal(strlen(text), 52); /* an invitation code */
    assert_int_equal(base32_decode("mzxw6ytboi", bytes, 6), EV_OK);
    assert_memory_equal(bytes, "foobar", 6);
}

static void bad_base32_and_hex_leave_the_output_alone(void **state)
{
    (void)state;
    uint8_t bytes[8] = "sentinel";
    assert_int_equal(base32_decode("MZXW6YTBO", bytes, 6), EV_ERR_PARSE);
    assert_int_equal(base32_decode("MZXW6YTBOIA", bytes, 6), EV_ERR_PARSE);
    assert_int_equal(base32_decode("MZXW6YTBO1", bytes, 6), EV_ERR_PARSE);
    assert_int_equal(base32_decode("MZXW6YTB==", bytes, 6), EV_ERR_PARSE);
    assert_int_equal(base32_decode("MZ", bytes, 1), EV_ERR_PARSE); /* bits beyond the last byte */
    assert_int_equal(base32_decode(NULL, bytes, 1), EV_ERR_PARSE);
    assert_int_equal(hex_decode("00f", bytes, 1), EV_ERR_PARSE);
    assert_int_equal(hex_decode("0", bytes, 1), EV_ERR_PARSE);
    assert_int_equal(hex_decode("0g", bytes, 1), EV_ERR_PARSE);
    assert_int_equal(hex_decode("000g", bytes, 2), EV_ERR_PARSE);
    assert_int_equal(hex_decode(NULL, bytes, 1), EV_ERR_PARSE);
    assert_memory_equal(bytes, "sentinel", 8);
}

static void hex_is_lower_case_and_reads_both(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x0A, 0xF0, 0xFF};
    uint8_t again[4];
    char text[HEX_SIZE(4)];
    hex_encode(bytes, 4, text);
    assert_string_equal(text, "000af0ff");
    assert_int_equal(hex_decode("000Af0fF", again, 4), EV_OK);
    assert_memory_equal(bytes, again, 4);
}

static void new_ulids_rise_strictly(void **state)
{
    (void)state;
    struct session_id previous;
    ulid_generate_session_id(1764000000123, &previous);
    assert_true(ulid_session_id_time_ms(&previous) == 1764000000123);
    for (int i = 0; i < 10000; i++) {
        struct session_id next;
        struct session_id parsed;
        ulid_generate_session_id(1764000000123 - (int64_t)(i % 3) * 1000,
                                 &next); /* the clock steps back as well */
        assert_true(strcmp(previous.text, next.text) < 0);
        assert_int_equal(session_id_parse(next.text, &parsed), EV_OK);
        assert_true(session_id_equal(&parsed, &next));
        previous = next;
    }
    struct request_id request;
    ulid_generate_request_id(1764000000124, &request);
    assert_true(strcmp(previous.text, request.text) < 0);
    assert_int_equal(request_id_parse(request.text, &request), EV_OK);
}

static void a_full_millisecond_runs_over_into_the_next(void **state)
{
    (void)state;
    struct ulid_source source = {.started = true, .last_ms = 5};
    uint8_t bytes[ULID_BYTES];
    memset(source.last_random, 0xFF, sizeof(source.last_random));
    ulid_next(&source, 5, bytes);
    assert_memory_equal(bytes, "\0\0\0\0\0\6", 6);
    assert_true(bytes[6] < 0x80);
    source = (struct ulid_source){0};
    ulid_next(&source, -5, bytes);
    assert_memory_equal(bytes, "\0\0\0\0\0\0", 6);
    ulid_next(&source, INT64_MAX, bytes);
    assert_memory_equal(bytes, "\xFF\xFF\xFF\xFF\xFF\xFF", 6);
}

static void fresh_sources_do_not_repeat_one_another(void **state)
{
    (void)state;
    struct ulid_source a = {0};
    struct ulid_source b = {0};
    uint8_t from_a[ULID_BYTES];
    uint8_t from_b[ULID_BYTES];
    ulid_next(&a, 0, from_a);
    ulid_next(&b, 0, from_b);
    assert_memory_not_equal(from_a, from_b, ULID_BYTES);
}

static void session_ids_have_a_binary_form(void **state)
{
    (void)state;
    struct session_id id;
    struct session_id again;
    uint8_t bytes[ULID_BYTES];
    uint8_t expected[ULID_BYTES];
    const struct session_id none = {""};
    assert_int_equal(hex_decode("0193a5c7e1f2000102030405060708ff", expected, ULID_BYTES), EV_OK);
    assert_int_equal(session_id_parse("01JEJWFRFJ000G40R40M30E27Z", &id), EV_OK);
    ulid_session_id_to_bytes(&id, bytes);
    assert_memory_equal(bytes, expected, ULID_BYTES);
    assert_int_equal(ulid_session_id_from_bytes(bytes, &again), EV_OK);
    assert_true(session_id_equal(&id, &again));
    ulid_session_id_to_bytes(&none, bytes);
    assert_int_equal(ulid_session_id_from_bytes(bytes, &again), EV_ERR_PARSE);
    assert_true(session_id_equal(&id, &again));
}

static int set_up(void **state)
{
    (void)state;
    return seal_init() == EV_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_and_read),
        cmocka_unit_test(every_day_of_800_years_comes_back),
        cmocka_unit_test(other_forms_of_rfc_3339_are_read),
        cmocka_unit_test(bad_times_are_refused),
        cmocka_unit_test(base32_follows_rfc_4648),
        cmocka_unit_test(bad_base32_and_hex_leave_the_output_alone),
        cmocka_unit_test(hex_is_lower_case_and_reads_both),
        cmocka_unit_test(new_ulids_rise_strictly),
        cmocka_unit_test(a_full_millisecond_runs_over_into_the_next),
        cmocka_unit_test(fresh_sources_do_not_repeat_one_another),
        cmocka_unit_test(session_ids_have_a_binary_form),
    };
    return cmocka_run_group_tests_name("text", tests, set_up, NULL);
}
