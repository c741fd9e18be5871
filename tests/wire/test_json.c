/* The JSON reader takes what RFC 8259 allows and nothing else; the writer writes what it reads. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/json.h"

#include <string.h>

static enum ev_err parse(const char *text, size_t len)
{
    cJSON *tree = NULL;
    const enum ev_err err = json_parse(text, len, 65536, &tree);
    assert_int_equal(err == EV_OK, tree != NULL);
    cJSON_Delete(tree);
    return err;
}

static void good_texts_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "1e5",
        "1E+5",
        "-1.25e-3",
        "\"\"",
        "true",
        "false",
        "null",
        " [ ] ",
        "{ }",
        "[1,2]",
        "{\"a\":{\"b\":[null]}}",
        "\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"",
        "\"\x7F\"",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(parse(good[i], strlen(good[i])), EV_OK);
}

static void bad_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "truefalse",
        "'a'",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "\"\t\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "[1]x",
        "[1][2]",
        "// c\n1",
        "\xEF\xBB\xBF[1]",
        "\"\x80\"",
        "\"\xC0\x80\"",
        "\"\xC1\xBF\"",
        "\"\xE0\x80\x80\"",
        "\"\xED\xA0\x80\"",
        "\"\xF0\x80\x80\x80\"",
        "\"\xF4\x90\x80\x80\"",
        "\"\xF5\x80\x80\x80\"",
        "\"\xE2\x82\"",
        "\"\xC3\"",
        "\"\xFF\"",
        "\v1",
        "\xC2\xA0[1]",
        "1111111111111111111111111111111111111111111111111111111111111111",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], strlen(bad[i])) != EV_ERR_PARSE)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(parse("1\0", 2), EV_ERR_PARSE);
    assert_int_equal(parse("\"a\0b\"", 5), EV_ERR_PARSE);
    assert_int_equal(parse(NULL, 0), EV_ERR_PARSE);
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1)];
    cJSON *tree = NULL;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(parse(text, 2 * (size_t)JSON_DEPTH_MAX), EV_OK);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(parse(text, sizeof(text)), EV_ERR_PARSE);
    assert_int_equal(json_parse("[1]", 3, 2, &tree), EV_ERR_TOO_LARGE);
    assert_null(tree);
}

static cJSON *parse_good(const char *text)
{
    cJSON *tree = NULL;
    assert_int_equal(json_parse(text, strlen(text), 65536, &tree), EV_OK);
    return tree;
}

static void readers_say_what_is_wrong(void **state)
{
    (void)state;
    cJSON *tree =
        parse_good("{\"t\":\"four\",\"i\":42,\"r\":1.5,\"b\":true,\"n\":null,\"d\":1,\"d\":1,"
                   "\"big\":9007199254740992,\"when\":\"2026-01-02T03:04:05.678Z\",\"cp\":\"MAD\"}");
    char text[5];
    int64_t integer = -7;
    double real = -7;
    bool truth = false;
    struct cp_id cp_id;
    assert_int_equal(json_get_text(tree, "t", text, 4), EV_ERR_TOO_LARGE);
    assert_int_equal(json_get_text(tree, "t", text, 5), EV_OK);
    assert_string_equal(text, "four");
    assert_int_equal(json_get_text(tree, "i", text, 5), EV_ERR_PARSE);
    assert_int_equal(json_get_text(tree, "T", text, 5), EV_ERR_PARSE);
    assert_int_equal(json_get_integer(tree, "i", 43, 50, &integer), EV_ERR_RANGE);
    assert_int_equal(json_get_integer(tree, "r", 0, 50, &integer), EV_ERR_PARSE);
    assert_int_equal(json_get_integer(tree, "big", 0, INT64_MAX, &integer), EV_ERR_RANGE);
    assert_int_equal(json_get_integer(tree, "d", 0, 5, &integer), EV_ERR_PARSE); /* there twice */
    assert_int_equal(integer, -7);
    assert_int_equal(json_get_integer(tree, "i", 42, 42, &integer), EV_OK);
    assert_int_equal(integer, 42);
    assert_int_equal(json_get_real(tree, "r", 2, 3, &real), EV_ERR_RANGE);
    assert_int_equal(json_get_real(tree, "t", 2, 3, &real), EV_ERR_PARSE);
    assert_int_equal(json_get_real(tree, "r", 1.5, 1.5, &real), EV_OK);
    assert_true(real == 1.5);
    assert_int_equal(json_get_bool(tree, "i", &truth), EV_ERR_PARSE);
    assert_int_equal(json_get_bool(tree, "b", &truth), EV_OK);
    assert_true(truth);
    assert_int_equal(json_get_time(tree, "when", &integer), EV_OK);
    assert_true(integer == INT64_C(1767323045678));
    assert_int_equal(json_get_time(tree, "n", &integer), EV_ERR_PARSE);
    assert_int_equal(json_get_time_or_null(tree, "n", &integer), EV_OK);
    assert_int_equal(integer, 0);
    assert_int_equal(json_get_time_or_null(tree, "missing", &integer), EV_ERR_PARSE);
    assert_int_equal(json_get_cp_id(tree, "cp", &cp_id), EV_OK);
    assert_string_equal(cp_id.text, "MAD");
    assert_int_equal(json_get_cp_id(tree, "i", &cp_id), EV_ERR_PARSE);
    assert_true(json_is_null(tree, "n") && !json_is_null(tree, "missing") && json_has(tree, "d"));
    assert_null(json_member(json_member(tree, "t"), "t")); /* a text has no members */
    assert_null(json_member(NULL, "t"));
    cJSON_Delete(tree);
}

static void the_writer_writes_json(void **state)
{
    (void)state;
    char buf[512];
    size_t len = 0;
    struct json_writer writer;
    json_writer_init(&writer, buf, sizeof(buf));
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "t", "a\"\\\x01\x1F\b\f\n\r\t\x7F</\xE2\x82\xAC");
    json_write_array_begin(&writer, "list");
    json_write_integer(&writer, NULL, INT64_MIN);
    json_write_object_begin(&writer, NULL);
    json_write_object_end(&writer);
    json_write_real(&writer, NULL, -0.05);
    json_write_array_end(&writer);
    json_write_bool(&writer, "yes", true);
    json_write_bool(&writer, "no", false);
    json_write_null(&writer, "null");
    json_write_text_or_null(&writer, "empty", "");
    json_write_text_or_null(&writer, "full", "x");
    json_write_time(&writer, "at", 1767323045678);
    json_write_time(&writer, "never", 0);
    json_write_object_end(&writer);
    assert_int_equal(json_writer_finish(&writer, &len), EV_OK);
    assert_int_equal(len, strlen(buf));
    assert_string_equal(buf,
                        "{\"t\":\"a\\\"\\\\\\u0001\\u001f\\b\\f\\n\\r\\t\x7F</\xE2\x82\xAC\","
                        "\"list\":[-9223372036854775808,{},-0.05],\"yes\":true,\"no\":false,\"null\":null,"
                        "\"empty\":null,\"full\":\"x\",\"at\":\"2026-01-02T03:04:05.678Z\",\"never\":null}");
    assert_int_equal(parse(buf, len), EV_OK);
}

static void the_writer_keeps_its_first_error(void **state)
{
    (void)state;
    char buf[16];
    size_t len = 99;
    struct json_writer writer;
    json_writer_init(&writer, buf, sizeof(buf));
    json_write_text(&writer, NULL, "\xC3(");
    json_write_text(&writer, NULL, "much too long for the buffer");
    assert_int_equal(json_writer_finish(&writer, &len), EV_ERR_RANGE);
    json_writer_init(&writer, buf, sizeof(buf));
    json_write_text(&writer, NULL, "much too long for the buffer");
    json_write_real(&writer, NULL, 1.0 / 0.0);
    assert_int_equal(json_writer_finish(&writer, &len), EV_ERR_TOO_LARGE);
    json_writer_init(&writer, buf, sizeof(buf));
    json_write_real(&writer, NULL, 0.0 / 0.0);
    assert_int_equal(json_writer_finish(&writer, &len), EV_ERR_RANGE);
    assert_int_equal(len, 99);
}

static void trees_get_times_and_texts(void **state)
{
    (void)state;
    cJSON *tree = cJSON_CreateObject();
    assert_true(json_add_time(tree, "at", 1767323045678) && json_add_time(tree, "never", 0) &&
                json_add_integer(tree, "n", 5) && json_add_text_or_null(tree, "t", "x") &&
                json_add_text_or_null(tree, "none", NULL) && json_add_text_or_null(tree, "empty", ""));
    char *text = cJSON_PrintUnformatted(tree);
    assert_string_equal(text, "{\"at\":\"2026-01-02T03:04:05.678Z\",\"never\":null,\"n\":5,\"t\":\"x\","
                              "\"none\":null,\"empty\":null}");
    cJSON_free(text);
    cJSON_Delete(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_taken),       cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(depth_and_size_are_bounded), cmocka_unit_test(readers_say_what_is_wrong),
        cmocka_unit_test(the_writer_writes_json),     cmocka_unit_test(the_writer_keeps_its_first_error),
        cmocka_unit_test(trees_get_times_and_texts),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
