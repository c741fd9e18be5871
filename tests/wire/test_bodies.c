/* What is inside sealed records: telemetry samples, drivers' requests, notices with their session view. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/driver_request.h"
#include "common/wire/hex.h"
#include "common/wire/notice.h"
#include "common/wire/sample.h"

#include <string.h>

#define SESSION "01JEJWFRFJ000G40R40M30E27Z"
#define REQUEST "01JEJWFRFJ0004081040R3GHZZ"
/* Packed with Python's struct from docs/protocol.md. */
#define SAMPLE_TEXT "01010d00036900000193a5c7e1f2000102030405060708ff0000019ab697e87b0000000a58f31a9100001ce8"
#define REQUEST_TEXT                                                                                         \
    "{\"type\":\"charge\",\"request_id\":\"" REQUEST "\",\"cp_id\":\"MAD\",\"target_wh\":5000,"              \
    "\"at_ms\":1764000000123}"
#define VIEW_TEXT                                                                                            \
    "{\"id\":\"" SESSION "\",\"request_id\":\"" REQUEST                                                      \
    "\",\"cp_id\":\"MAD-01\",\"driver_id\":\"driver_9\","                                                    \
    "\"state\":\"finished\",\"reason\":null,\"stop_reason\":\"battery_full\","                               \
    "\"requested_at\":\"2025-11-24T16:00:00.123Z\",\"started_at\":\"2025-11-24T16:00:01.000Z\","             \
    "\"ended_at\":\"2025-11-24T16:00:02.000Z\",\"energy_wh\":12345,\"cost_cents\":667,"                      \
    "\"price_cents_per_kwh\":54}"
#define LIVE_TEXT                                                                                            \
    "{\"type\":\"live\",\"session_id\":\"" SESSION "\",\"cp_id\":\"MAD-01\",\"power_w\":7400,"               \
    "\"energy_wh\":12345,\"cost_cents\":667,\"soc_percent\":87,\"at_ms\":1764000000123}"

static const struct telemetry_sample sample = {
    .kind = SAMPLE_FINAL,
    .stop_reason = STOP_ENGINE_LOST,
    .soc_permille = 873,
    .session_id = {SESSION},
    .at_ms = 1764000000123,
    .energy_wms = UINT64_C(3600000) * 12345 + 17,
    .power_w = 7400,
};

static const struct session_view view = {
    .id = {SESSION},
    .request_id = {REQUEST},
    .cp_id = {"MAD-01"},
    .driver_id = {"driver_9"},
    .state = SESSION_FINISHED,
    .stop_reason = STOP_BATTERY_FULL,
    .requested_at = 1764000000123,
    .started_at = 1764000001000,
    .ended_at = 1764000002000,
    .energy_wh = 12345,
    .cost_cents = 667,
    .price_cents_per_kwh = 54,
};

static void a_sample_has_the_documented_bytes(void **state)
{
    (void)state;
    uint8_t bytes[SAMPLE_SIZE];
    char text[HEX_SIZE(SAMPLE_SIZE)];
    struct telemetry_sample again;
    memset(&again, 0, sizeof(again));
    assert_int_equal(sample_encode(&sample, bytes), EV_OK);
    hex_encode(bytes, SAMPLE_SIZE, text);
    assert_string_equal(text, SAMPLE_TEXT);
    assert_int_equal(sample_decode(bytes, SAMPLE_SIZE, &again), EV_OK);
    assert_memory_equal(&again, &sample, sizeof(sample));
}

static void bad_samples_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
        enum ev_err err;
    } cases[] = {
        {0, 0, EV_ERR_PARSE},     {0, 2, EV_ERR_PARSE},     {1, 2, EV_ERR_PARSE},
        {1, 0, EV_ERR_PARSE},     {2, 0, EV_ERR_PARSE},     {2, 14, EV_ERR_PARSE},
        {3, 1, EV_ERR_PARSE},     {4, 4, EV_ERR_RANGE},     {6, 1, EV_ERR_PARSE},
        {7, 1, EV_ERR_PARSE},     {24, 0x80, EV_ERR_RANGE}, {24, 0x01, EV_ERR_RANGE},
        {32, 0xFF, EV_ERR_RANGE}, {40, 0x10, EV_ERR_RANGE},
    };
    uint8_t bytes[SAMPLE_SIZE + 1] = {0};
    struct telemetry_sample again;
    struct telemetry_sample before;
    memset(&again, 0xA5, sizeof(again));
    memset(&before, 0xA5, sizeof(before));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sample_encode(&sample, bytes), EV_OK);
        bytes[cases[i].offset] = cases[i].value;
        assert_int_equal(sample_decode(bytes, SAMPLE_SIZE, &again), cases[i].err);
    }
    assert_int_equal(sample_encode(&sample, bytes), EV_OK);
    for (size_t len = 0; len <= SAMPLE_SIZE + 1; len++) {
        if (len != SAMPLE_SIZE)
            assert_int_equal(sample_decode(bytes, len, &again), EV_ERR_PARSE);
    }
    memset(bytes + 8, 0, ULID_BYTES);
    assert_int_equal(sample_decode(bytes, SAMPLE_SIZE, &again), EV_ERR_PARSE); /* no session */
    assert_int_equal(sample_decode(NULL, 0, &again), EV_ERR_PARSE);
    assert_memory_equal(&again, &before, sizeof(again));
}

#define SPOIL_SAMPLE(statement)                                                                              \
    do {                                                                                                     \
        struct telemetry_sample s = sample;                                                                  \
        statement;                                                                                           \
        assert_int_equal(sample_encode(&s, bytes), EV_ERR_RANGE);                                            \
    } while (0)

static void impossible_samples_are_not_written(void **state)
{
    (void)state;
    uint8_t bytes[SAMPLE_SIZE];
    SPOIL_SAMPLE(s.kind = SAMPLE_LIVE);
    SPOIL_SAMPLE(s.kind = (enum sample_kind)2);
    SPOIL_SAMPLE(s.stop_reason = STOP_NONE);
    SPOIL_SAMPLE(s.stop_reason = STOP_REASON_COUNT);
    SPOIL_SAMPLE(s.soc_permille = 1001);
    SPOIL_SAMPLE(s.session_id.text[0] = '\0');
    SPOIL_SAMPLE(s.at_ms = 0);
    SPOIL_SAMPLE(s.energy_wms = ENERGY_WMS_MAX + 1);
    SPOIL_SAMPLE(s.power_w = ENERGY_POWER_W_MAX + 1);
    struct telemetry_sample live = sample;
    live.kind = SAMPLE_LIVE;
    live.stop_reason = STOP_NONE;
    assert_int_equal(sample_encode(&live, bytes), EV_OK);
    assert_int_equal(bytes[1] + bytes[2], 0);
}

static void a_request_is_written_and_read(void **state)
{
    (void)state;
    const struct driver_request request = {
        .request_id = {REQUEST}, .cp_id = {"MAD"}, .target_wh = 5000, .at_ms = 1764000000123};
    struct driver_request again;
    char text[DRIVER_REQUEST_SIZE];
    size_t len = 0;
    memset(&again, 0, sizeof(again));
    assert_int_equal(driver_request_encode(&request, text, sizeof(text), &len), EV_OK);
    assert_int_equal(len, strlen(REQUEST_TEXT));
    assert_string_equal(text, REQUEST_TEXT);
    assert_int_equal(driver_request_decode(text, len, &again), EV_OK);
    assert_string_equal(again.request_id.text, REQUEST);
    assert_string_equal(again.cp_id.text, "MAD");
    assert_int_equal(again.target_wh, 5000);
    assert_true(again.at_ms == request.at_ms);
    struct driver_request largest = {.request_id = {REQUEST}, .target_wh = 1000000000, .at_ms = TIME_MS_MAX};
    memset(largest.cp_id.text, 'x', NODE_ID_LENGTH_MAX);
    assert_int_equal(driver_request_encode(&largest, text, sizeof(text), &len), EV_OK);
    largest.target_wh++;
    assert_int_equal(driver_request_encode(&largest, text, sizeof(text), &len), EV_ERR_RANGE);
    assert_int_equal(driver_request_encode(&request, text, 20, &len), EV_ERR_TOO_LARGE);
}

typedef enum ev_err (*decode_body)(const char *text, size_t len);

static enum ev_err decode_request(const char *text, size_t len)
{
    struct driver_request out;
    struct driver_request before;
    memset(&out, 0xA5, sizeof(out));
    memset(&before, 0xA5, sizeof(before));
    const enum ev_err err = driver_request_decode(text, len, &out);
    if (err != EV_OK)
        assert_memory_equal(&out, &before, sizeof(out));
    return err;
}

static enum ev_err decode_notice(const char *text, size_t len)
{
    struct notice out;
    struct notice before;
    memset(&out, 0xA5, sizeof(out));
    memset(&before, 0xA5, sizeof(before));
    const enum ev_err err = notice_decode(text, len, &out);
    if (err != EV_OK)
        assert_memory_equal(&out, &before, sizeof(out));
    return err;
}

/* Every member of `object` inside `root` missing, and of every other type. */
static void assert_strict(cJSON *root, cJSON *object, decode_body decode)
{
    static const char *const others[] = {"true", "-1", "1.5", "\"~?\"", "\"\"", "[]", "{}"};
    const int count = cJSON_GetArraySize(object);
    for (int i = 0; i < count; i++) {
        cJSON *member = cJSON_DetachItemFromArray(object, 0); /* they rotate: each is first once */
        char *text = cJSON_PrintUnformatted(root);
        assert_int_equal(decode(text, strlen(text)), EV_ERR_PARSE);
        cJSON_free(text);
        for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
            assert_true(cJSON_AddItemToObject(object, member->string, cJSON_Parse(others[j])));
            text = cJSON_PrintUnformatted(root);
            if (decode(text, strlen(text)) == EV_OK)
                fail_msg("taken: %s", text);
            cJSON_free(text);
            cJSON_DeleteItemFromObjectCaseSensitive(object, member->string);
        }
        char *name = member->string;
        member->string = NULL;
        assert_true(cJSON_AddItemToObject(object, name, member));
        cJSON_free(name);
    }
    char *text = cJSON_PrintUnformatted(root);
    assert_int_equal(decode(text, strlen(text)), EV_OK);
    cJSON_free(text);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    cJSON *tree = cJSON_Parse(REQUEST_TEXT);
    assert_strict(tree, tree, decode_request);
    cJSON_Delete(tree);
    static const struct {
        const char *text;
        enum ev_err err;
    } cases[] = {
        {"{\"type\":\"stop\",\"request_id\":\"" REQUEST "\",\"cp_id\":\"MAD\",\"target_wh\":0,\"at_ms\":1}",
         EV_ERR_UNSUPPORTED},
        {"{\"type\":\"charge\",\"request_id\":\"" REQUEST "\",\"cp_id\":\"M'D\",\"target_wh\":0,\"at_ms\":1}",
         EV_ERR_PARSE},
        {"{\"type\":\"charge\",\"request_id\":\"" REQUEST
         "\",\"cp_id\":\"M\",\"target_wh\":1000000001,\"at_ms\":1}",
         EV_ERR_RANGE},
        {"", EV_ERR_PARSE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(decode_request(cases[i].text, strlen(cases[i].text)), cases[i].err);
    static char large[4100];
    memset(large, ' ', sizeof(large));
    assert_int_equal(decode_request(large, sizeof(large)), EV_ERR_TOO_LARGE);
}

static void a_session_view_is_the_documented_object(void **state)
{
    (void)state;
    struct session_view again;
    memset(&again, 0, sizeof(again));
    cJSON *tree = session_view_to_json(&view);
    assert_non_null(tree);
    char *text = cJSON_PrintUnformatted(tree);
    assert_string_equal(text, VIEW_TEXT);
    cJSON_free(text);
    assert_int_equal(session_view_from_json(tree, &again), EV_OK);
    assert_memory_equal(&again, &view, sizeof(view));
    cJSON_Delete(tree);

    struct session_view rejected = view;
    rejected.state = SESSION_REJECTED;
    rejected.reason = REASON_CP_OUT_OF_ORDER;
    rejected.stop_reason = STOP_NONE;
    rejected.started_at = TIME_NONE;
    tree = session_view_to_json(&rejected);
    assert_true(json_is_null(tree, "started_at") && json_is_null(tree, "stop_reason"));
    assert_int_equal(session_view_from_json(tree, &again), EV_OK);
    assert_memory_equal(&again, &rejected, sizeof(rejected));
    cJSON_Delete(tree);
    rejected.driver_id.text[0] = '\0';
    assert_null(session_view_to_json(&rejected));
}

static void the_largest_view_and_notice_fit(void **state)
{
    (void)state;
    struct notice notice = {.type = NOTICE_SESSION, .session = view};
    char text[NOTICE_SIZE];
    size_t len = 0;
    size_t longest_reason = 0;
    struct session_view *largest = &notice.session;
    memset(largest->cp_id.text, 'x', NODE_ID_LENGTH_MAX);
    memset(largest->driver_id.text, 'y', NODE_ID_LENGTH_MAX);
    for (unsigned reason = 0; reason < SESSION_REASON_COUNT; reason++) {
        if (strlen(session_reason_text((enum session_reason)reason)) >= longest_reason) {
            longest_reason = strlen(session_reason_text((enum session_reason)reason));
            largest->reason = (enum session_reason)reason;
        }
    }
    largest->stop_reason = STOP_DEREGISTERED;
    largest->requested_at = largest->started_at = largest->ended_at = TIME_MS_MAX;
    largest->energy_wh = ENERGY_WH_MAX;
    largest->cost_cents = (uint64_t)JSON_INTEGER_MAX;
    largest->price_cents_per_kwh = PRICE_CENTS_PER_KWH_MAX;
    cJSON *tree = session_view_to_json(largest);
    assert_non_null(tree);
    cJSON_Delete(tree);
    assert_int_equal(notice_encode(&notice, text, sizeof(text), &len), EV_OK);
    assert_in_range(len, 400, NOTICE_SIZE - 1);
    largest->cost_cents++;
    assert_int_equal(notice_encode(&notice, text, sizeof(text), &len), EV_ERR_RANGE);
}

static void a_view_shows_a_session_of_the_rules(void **state)
{
    (void)state;
    struct session session;
    struct session_view shown;
    assert_int_equal(session_init(&session, &view.id, &view.request_id, &view.cp_id, &view.driver_id, 54, 0,
                                  1764000000123),
                     EV_OK);
    session_view_from_session(&session, &shown);
    assert_int_equal(shown.state, SESSION_REQUESTED);
    assert_true(shown.requested_at == 1764000000123 && shown.started_at == TIME_NONE &&
                shown.ended_at == TIME_NONE);
    assert_int_equal(shown.energy_wh, 0);
    assert_int_equal(shown.price_cents_per_kwh, 54);
    assert_true(driver_id_equal(&shown.driver_id, &view.driver_id));
    assert_int_equal(session_reject(&session, 1764000000200, REASON_DRIVER_BUSY), EV_OK);
    session_view_from_session(&session, &shown);
    assert_int_equal(shown.state, SESSION_REJECTED);
    assert_int_equal(shown.reason, REASON_DRIVER_BUSY);
    assert_true(shown.ended_at == 1764000000200);
}

static void notices_are_written_and_read(void **state)
{
    (void)state;
    struct notice notice = {.type = NOTICE_SESSION, .session = view};
    struct notice again;
    char text[NOTICE_SIZE];
    size_t len = 0;
    assert_int_equal(notice_encode(&notice, text, sizeof(text), &len), EV_OK);
    assert_string_equal(text, "{\"type\":\"session\",\"session\":" VIEW_TEXT "}");
    assert_int_equal(notice_decode(text, len, &again), EV_OK);
    assert_int_equal(again.type, NOTICE_SESSION);
    assert_memory_equal(&again.session, &view, sizeof(view));

    memset(&notice, 0, sizeof(notice));
    notice.type = NOTICE_LIVE;
    notice.live = (struct notice_live){.session_id = {SESSION},
                                       .cp_id = {"MAD-01"},
                                       .power_w = 7400,
                                       .energy_wh = 12345,
                                       .cost_cents = 667,
                                       .soc_percent = 87,
                                       .at_ms = 1764000000123};
    assert_int_equal(notice_encode(&notice, text, sizeof(text), &len), EV_OK);
    assert_string_equal(text, LIVE_TEXT);
    assert_int_equal(notice_decode(text, len, &again), EV_OK);
    assert_memory_equal(&again, &notice, sizeof(notice));
    notice.live.soc_percent = 101;
    assert_int_equal(notice_encode(&notice, text, sizeof(text), &len), EV_ERR_RANGE);
    notice.type = (enum notice_type)2;
    assert_int_equal(notice_encode(&notice, text, sizeof(text), &len), EV_ERR_RANGE);
}

static void bad_notices_are_refused(void **state)
{
    (void)state;
    cJSON *tree = cJSON_Parse(LIVE_TEXT);
    assert_strict(tree, tree, decode_notice);
    cJSON_Delete(tree);
    tree = cJSON_Parse("{\"type\":\"session\",\"session\":" VIEW_TEXT "}");
    assert_strict(tree, cJSON_GetObjectItemCaseSensitive(tree, "session"), decode_notice);
    cJSON_Delete(tree);
    static const char other[] = "{\"type\":\"advert\"}";
    assert_int_equal(decode_notice(other, strlen(other)), EV_ERR_UNSUPPORTED);
    static const char text[] = "{\"type\":\"session\",\"session\":\"" SESSION "\"}";
    assert_int_equal(decode_notice(text, strlen(text)), EV_ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_has_the_documented_bytes),
        cmocka_unit_test(bad_samples_are_refused),
        cmocka_unit_test(impossible_samples_are_not_written),
        cmocka_unit_test(a_request_is_written_and_read),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(a_session_view_is_the_documented_object),
        cmocka_unit_test(the_largest_view_and_notice_fit),
        cmocka_unit_test(a_view_shows_a_session_of_the_rules),
        cmocka_unit_test(notices_are_written_and_read),
        cmocka_unit_test(bad_notices_are_refused),
    };
    return cmocka_run_group_tests_name("bodies", tests, NULL, NULL);
}
