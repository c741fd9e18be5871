/* Ids take exactly the contract's characters and lengths; ULID text and bytes are one another's inverse. */
#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "tests/rules/cmocka_all.h"
#include "tests/rules/rng.h"

#include <string.h>

static void test_a_node_id_of_1_to_32_allowed_characters_is_taken(void **state)
{
    const char *const good[] = {
        "A", "z", "0", "-", "_", "MAD-01", "ID-0001", "aA0-_", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct cp_id cp;
        struct driver_id driver;

        memset(&cp, 'x', sizeof cp);
        assert_int_equal(cp_id_parse(good[i], &cp), EV_OK);
        assert_string_equal(cp_id_format(&cp), good[i]);
        for (size_t n = strlen(good[i]); n < sizeof cp.text; n++) {
            assert_int_equal(cp.text[n], 0);
        }
        assert_int_equal(driver_id_parse(good[i], &driver), EV_OK);
        assert_string_equal(driver_id_format(&driver), good[i]);
        assert_true(driver_id_is_set(&driver));
    }
}

static void test_any_other_node_id_is_refused_and_changes_nothing(void **state)
{
    const char *const bad[] = {"",
                               " ",
                               "a b",
                               "MAD.01",
                               "MAD/01",
                               "a\n",
                               "\xC3\xB1",
                               "<b>",
                               "a'b",
                               "a%00",
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456",
                               NULL};
    struct cp_id cp = {"before"};
    struct driver_id driver = {"before"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(cp_id_parse(bad[i], &cp), EV_ERR_PARSE);
        assert_int_equal(driver_id_parse(bad[i], &driver), EV_ERR_PARSE);
    }
    assert_int_equal(cp_id_parse_n("a\0b", 3, &cp), EV_ERR_PARSE);
    assert_string_equal(cp.text, "before");
    assert_string_equal(driver.text, "before");
}

static void test_every_byte_is_either_allowed_in_an_id_or_refused(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[1] = {(char)c};
        struct cp_id cp = {""};
        int allowed =
            c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c) != NULL;

        assert_int_equal(cp_id_parse_n(text, 1, &cp), allowed ? EV_OK : EV_ERR_PARSE);
    }
}

static void test_a_ulid_is_26_crockford_digits_not_above_128_bits(void **state)
{
    const char *const bad[] = {"",
                               "01ARZ3NDEKTSV4RRFFQ69G5FA",
                               "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
                               "81ARZ3NDEKTSV4RRFFQ69G5FAV",
                               "01ARZ3NDEKTSV4RRFFQ69G5FAI",
                               "01ARZ3NDEKTSV4RRFFQ69G5FAL",
                               "01ARZ3NDEKTSV4RRFFQ69G5FAO",
                               "01ARZ3NDEKTSV4RRFFQ69G5FAU",
                               "01arz3ndektsv4rrffq69g5fav",
                               "01ARZ3NDEKTSV4RRFFQ69G5F-V",
                               NULL};
    struct session_id session = {""};
    struct request_id request = {""};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(session_id_parse(bad[i], &session), EV_ERR_PARSE);
        assert_int_equal(request_id_parse(bad[i], &request), EV_ERR_PARSE);
    }
    assert_false(session_id_is_set(&session));
    assert_int_equal(session_id_parse("01ARZ3NDEKTSV4RRFFQ69G5FAV", &session), EV_OK);
    assert_int_equal(request_id_parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", &request), EV_OK);
    assert_string_equal(session_id_format(&session), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_string_equal(request_id_format(&request), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert_true(session_id_is_set(&session) && request_id_is_set(&request));
}

static void test_ids_are_equal_only_when_every_byte_is(void **state)
{
    struct cp_id a = {"MAD"};
    struct cp_id b = {"mad"};
    struct cp_id c = {"MAD"};
    struct session_id s = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    struct session_id t = {"01ARZ3NDEKTSV4RRFFQ69G5FAW"};
    struct request_id r = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    struct driver_id d = {"D"};
    struct driver_id e = {"D1"};

    (void)state;
    assert_true(cp_id_equal(&a, &c));
    assert_false(cp_id_equal(&a, &b));
    assert_false(session_id_equal(&s, &t));
    assert_true(session_id_equal(&s, &s));
    assert_true(request_id_equal(&r, &r));
    assert_false(driver_id_equal(&d, &e));
    assert_true(cp_id_is_set(&a));
}

static void test_ulid_bytes_known_values(void **state)
{
    uint8_t zero[ULID_BYTES] = {0};
    uint8_t ones[ULID_BYTES];
    uint8_t one[ULID_BYTES] = {[15] = 1};
    /* The ULID specification's own example: 01ARZ3NDEK is 1469918176385 ms. */
    uint8_t bytes[ULID_BYTES] = {0};
    uint64_t ms = 0;
    char text[ULID_LENGTH + 1];

    (void)state;
    memset(ones, 0xFF, sizeof ones);
    ulid_encode_text(zero, text);
    assert_string_equal(text, "00000000000000000000000000");
    ulid_encode_text(one, text);
    assert_string_equal(text, "00000000000000000000000001");
    ulid_encode_text(ones, text);
    assert_string_equal(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert_int_equal(ulid_decode_text("01ARYZ6S41TSV4RRFFQ69G5FAV", bytes), EV_OK);
    for (int i = 0; i < 6; i++) {
        ms = (ms << 8) | bytes[i];
    }
    assert_int_equal(ms, 1469918176385);
    assert_int_equal(ulid_decode_text("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", bytes), EV_ERR_PARSE);
}

static void ulid_round_trip(struct rng *rng)
{
    for (int round = 0; round < 1000; round++) {
        uint8_t bytes[ULID_BYTES];
        uint8_t back[ULID_BYTES];
        char text[ULID_LENGTH + 1];
        struct session_id id = {""};

        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)rng_next(rng);
        }
        ulid_encode_text(bytes, text);
        assert_int_equal(session_id_parse(text, &id), EV_OK);
        assert_int_equal(ulid_decode_text(id.text, back), EV_OK);
        assert_memory_equal(bytes, back, sizeof bytes);
    }
}

static void test_ulid_text_and_bytes_are_inverse(void **state)
{
    (void)state;
    rng_run_seeds("ulid_round_trip", ulid_round_trip);
}

static void test_every_error_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < EV_ERR_COUNT; a++) {
        assert_non_null(ev_err_text((enum ev_err)a));
        assert_string_not_equal(ev_err_text((enum ev_err)a), "unknown error");
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(ev_err_text((enum ev_err)a), ev_err_text((enum ev_err)b));
        }
    }
    assert_string_equal(ev_err_text(EV_ERR_COUNT), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_id_of_1_to_32_allowed_characters_is_taken),
        cmocka_unit_test(test_any_other_node_id_is_refused_and_changes_nothing),
        cmocka_unit_test(test_every_byte_is_either_allowed_in_an_id_or_refused),
        cmocka_unit_test(test_a_ulid_is_26_crockford_digits_not_above_128_bits),
        cmocka_unit_test(test_ids_are_equal_only_when_every_byte_is),
        cmocka_unit_test(test_ulid_bytes_known_values),
        cmocka_unit_test(test_ulid_text_and_bytes_are_inverse),
        cmocka_unit_test(test_every_error_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
