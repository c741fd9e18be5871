/* Epochs and sequences of one charge point's telemetry key. */
#include "tests/rules/cmocka_all.h"

#include "cp_engine/telemetry_publish.h"

#include <string.h>

static struct message_key key_of(uint32_t epoch)
{
    struct message_key key = {.epoch = epoch, .expires_in_ms = 1};

    memset(key.key.bytes, (int)epoch, sizeof key.key.bytes);
    return key;
}

static void an_acknowledgement_names_the_last_sequence_of_the_old_epoch(void **state)
{
    struct telemetry_key current = {0};
    struct message_key first = key_of(4);
    struct message_key second = key_of(5);
    struct message_key_ack ack;

    (void)state;
    telemetry_key_replace(&current, &first, &ack);
    assert_int_equal(ack.epoch, 4);
    assert_int_equal(ack.old_epoch, 0);
    assert_int_equal(ack.old_last_sequence, -1);
    current.last_sequence = 17;
    telemetry_key_replace(&current, &second, &ack);
    assert_int_equal(ack.epoch, 5);
    assert_int_equal(ack.old_epoch, 4);
    assert_int_equal(ack.old_last_sequence, 17);
    assert_int_equal(current.last_sequence, 0);
    assert_memory_equal(current.key.bytes, second.key.bytes, SEAL_KEY_SIZE);
}

static void a_repeated_key_does_not_restart_the_sequence(void **state)
{
    struct telemetry_key current = {0};
    struct message_key key = key_of(4);
    struct message_key_ack ack;

    (void)state;
    telemetry_key_replace(&current, &key, &ack);
    current.last_sequence = 9;
    telemetry_key_replace(&current, &key, &ack);
    assert_int_equal(ack.epoch, 4);
    assert_int_equal(ack.old_epoch, 0);
    assert_int_equal(current.last_sequence, 9);
}

static void an_old_key_is_wiped(void **state)
{
    static const struct seal_key zero;
    struct telemetry_key current = {0};
    struct message_key key = key_of(4);
    struct message_key_ack ack;

    (void)state;
    telemetry_key_replace(&current, &key, &ack);
    telemetry_key_wipe(&current);
    assert_memory_equal(&current.key, &zero, sizeof zero);
    assert_int_equal(current.epoch, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acknowledgement_names_the_last_sequence_of_the_old_epoch),
        cmocka_unit_test(a_repeated_key_does_not_restart_the_sequence),
        cmocka_unit_test(an_old_key_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
