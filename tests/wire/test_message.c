/* Messages: every type from struct to text and back, and what the encoder must not let out. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/frame.h"
#include "tests/wire/message_examples.h"

#include <stdlib.h>
#include <string.h>

static void every_message_is_written_as_documented(void **state)
{
    (void)state;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        const struct message_example *example = &message_examples[type];
        char text[MESSAGE_SIZE];
        size_t len = 0;
        assert_int_equal(example->message.type, type);
        assert_int_equal(message_encode(&example->message, text, sizeof(text), &len), EV_OK);
        assert_int_equal(len, strlen(example->text));
        assert_string_equal(text, example->text); /* terminated where there is room */
    }
}

static void every_message_is_read_back_whole(void **state)
{
    (void)state;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        const struct message_example *example = &message_examples[type];
        struct message message;
        struct message expected;
        memset(&message, 0xA5, sizeof(message));
        assert_int_equal(message_decode(example->text, strlen(example->text), &message), EV_OK);
        /* Padding of a static initialiser is zero here as everywhere, so whole objects compare. */
        memcpy(&expected, &example->message, sizeof(expected));
        assert_memory_equal(&message, &expected, sizeof(message));
    }
}

static void unknown_members_and_white_space_are_ignored(void **state)
{
    (void)state;
    static const char text[] =
        " {\n \"cp_id\" : \"MAD-01\" , \"x\":[{}, null, 1e9] ,\"type\":\"heartbeat\"}\t";
    struct message message;
    assert_int_equal(message_decode(text, sizeof(text) - 1, &message), EV_OK);
    assert_int_equal(message.type, MESSAGE_HEARTBEAT);
    assert_string_equal(message.cp_id.text, "MAD-01");
}

static void every_smaller_buffer_is_too_small(void **state)
{
    (void)state;
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        const size_t needed = strlen(message_examples[type].text);
        for (size_t cap = 0; cap <= needed; cap++) {
            char *buf = malloc(cap + 1); /* exact, so that ASan sees one byte too many */
            size_t len = 4711;
            assert_non_null(buf);
            buf[cap] = '!';
            const enum ev_err err = message_encode(&message_examples[type].message, buf, cap, &len);
            assert_int_equal(err, cap < needed ? EV_ERR_TOO_LARGE : EV_OK);
            assert_int_equal(len, cap < needed ? 4711 : needed);
            assert_int_equal(buf[cap], '!');
            free(buf);
        }
    }
}

static void the_largest_messages_fit(void **state)
{
    (void)state;
    struct message message;
    struct message again;
    char text[MESSAGE_SIZE];
    size_t len = 0;
    memcpy(&message, &message_examples[MESSAGE_KEY].message, sizeof(message));
    memset(message.key.kafka, 1, sizeof(message.key.kafka) - 1); /* each is written as \u0001 */
    memset(message.cp_id.text, 'x', NODE_ID_LENGTH_MAX);
    assert_int_equal(message_encode(&message, text, sizeof(text), &len), EV_OK);
    assert_in_range(len, 6 * (MESSAGE_KAFKA_SIZE - 1), MESSAGE_SIZE - 1);
    assert_int_equal(message_decode(text, len, &again), EV_OK);
    assert_memory_equal(&message, &again, sizeof(message));
}

/* Encodes a copy of the example that was spoilt by the caller. */
static void assert_not_written(const struct message *spoilt)
{
    char text[MESSAGE_SIZE];
    size_t len = 4711;
    assert_int_equal(message_encode(spoilt, text, sizeof(text), &len), EV_ERR_RANGE);
    assert_int_equal(len, 4711);
}

#define SPOIL(TYPE, statement)                                                                               \
    do {                                                                                                     \
        struct message m;                                                                                    \
        memcpy(&m, &message_examples[TYPE].message, sizeof(m));                                              \
        statement;                                                                                           \
        assert_not_written(&m);                                                                              \
    } while (0)

static void values_outside_their_bounds_are_not_written(void **state)
{
    (void)state;
    SPOIL(MESSAGE_HELLO, m.cp_id.text[0] = '\0');
    SPOIL(MESSAGE_HELLO, m.hello.cause = MESSAGE_CAUSE_COUNT);
    SPOIL(MESSAGE_HELLO, memset(m.hello.program_version, 'v', sizeof(m.hello.program_version)));
    SPOIL(MESSAGE_WELCOME, m.welcome.heartbeat_ms = 0);
    SPOIL(MESSAGE_WELCOME, m.welcome.holds = HOLD_ALL + 1);
    SPOIL(MESSAGE_WELCOME, m.welcome.server_time_ms = -1);
    SPOIL(MESSAGE_REFUSE, m.refuse.code = MESSAGE_REFUSE_CODE_COUNT);
    SPOIL(MESSAGE_REFUSE, m.refuse.detail[0] = '\xFF');
    SPOIL(MESSAGE_STATUS, m.status.supply = CP_SUPPLY_CHARGING + 1);
    SPOIL(MESSAGE_STATUS, m.status.supply = CP_SUPPLY_NONE);
    SPOIL(MESSAGE_STATUS, m.status.session_id.text[0] = '\0');
    SPOIL(MESSAGE_STATUS, m.status.soc_permille = 1001);
    SPOIL(MESSAGE_KEY, m.key.epoch = 0);
    SPOIL(MESSAGE_KEY, m.key.expires_in_ms = 0);
    SPOIL(MESSAGE_KEY_ACK, m.key_ack.old_last_sequence = -2);
    SPOIL(MESSAGE_AUTHORISE, m.authorise.driver_id.text[0] = '\0');
    SPOIL(MESSAGE_CANCEL, m.cancel.reason = REASON_NONE);
    SPOIL(MESSAGE_STOP, m.stop.reason = STOP_NONE);
    SPOIL(MESSAGE_STOP, m.stop.session_id.text[0] = '\0');
    SPOIL(MESSAGE_SUPPLY_ENDED, m.supply_ended.stop_reason = STOP_REASON_COUNT);
    SPOIL(MESSAGE_SUPPLY_ENDED, m.supply_ended.energy_wms = ENERGY_WMS_MAX + 1);
    SPOIL(MESSAGE_SETTLED, m.settled.cost_cents = UINT64_MAX);
    SPOIL(MESSAGE_CHARGE_ANSWER, m.charge_answer.accepted = true);
    SPOIL(MESSAGE_CHARGE_ANSWER, m.charge_answer.reason = REASON_NONE);
    SPOIL(MESSAGE_IDENTIFY, m.identify.count = 0);
    SPOIL(MESSAGE_IDENTIFY, m.identify.count = MESSAGE_ENGINE_COUNT_MAX + 1);
    SPOIL(MESSAGE_HEALTH, m.health.n = INT64_MAX);
    SPOIL(MESSAGE_HEALTH, m.type = MESSAGE_TYPE_COUNT);
}

static void init_gives_an_empty_message_of_a_type(void **state)
{
    (void)state;
    const struct cp_id id = {"BCN"};
    struct message message;
    struct message zero;
    memset(&message, 0xA5, sizeof(message));
    memset(&zero, 0, sizeof(zero));
    message_init(&message, MESSAGE_IDENTIFY, NULL);
    zero.type = MESSAGE_IDENTIFY;
    assert_memory_equal(&message, &zero, sizeof(zero));
    message_init(&message, MESSAGE_ATTACH, &id);
    assert_string_equal(message.cp_id.text, "BCN");
}

static void texts_are_told_apart(void **state)
{
    (void)state;
    for (unsigned a = 0; a < MESSAGE_TYPE_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(message_type_text((enum message_type)a),
                                    message_type_text((enum message_type)b));
    }
    assert_string_equal(message_type_text(MESSAGE_TYPE_COUNT), "unknown");
    assert_string_equal(message_supply_text(CP_SUPPLY_PREPARING), "preparing");
    assert_string_equal(message_cause_text(MESSAGE_CAUSE_AUTOMATIC), "automatic");
    assert_string_equal(message_refuse_code_text(MESSAGE_REFUSE_FULL), "full");
    assert_string_equal(message_reservation_end_text(MESSAGE_RESERVATION_EXPIRED), "expired");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_is_written_as_documented),
        cmocka_unit_test(every_message_is_read_back_whole),
        cmocka_unit_test(unknown_members_and_white_space_are_ignored),
        cmocka_unit_test(every_smaller_buffer_is_too_small),
        cmocka_unit_test(the_largest_messages_fit),
        cmocka_unit_test(values_outside_their_bounds_are_not_written),
        cmocka_unit_test(init_gives_an_empty_message_of_a_type),
        cmocka_unit_test(texts_are_told_apart),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
