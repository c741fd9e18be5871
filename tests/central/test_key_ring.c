/* Which record is good under which key. */
#include "central/key_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1764000000000)

struct rows {
    struct store_key items[256];
    size_t count;
    size_t saves;
};

static void keep(void *user, const struct store_key *key, bool dropped)
{
    struct rows *rows = user;
    size_t i = 0;

    while (i < rows->count &&
           (rows->items[i].epoch != key->epoch || strcmp(rows->items[i].owner, key->owner) != 0)) {
        i++;
    }
    if (dropped) {
        assert_true(i < rows->count);
        rows->items[i] = rows->items[--rows->count];
        return;
    }
    assert_true(i < 256);
    rows->items[i] = *key;
    rows->saves++;
    if (i == rows->count) {
        rows->count++;
    }
}

static uint32_t issue(struct key_ring *ring, const char *id, int64_t now_ms)
{
    uint8_t key[32];
    uint32_t epoch = 0;

    memset(key, 7, sizeof key);
    assert_int_equal(key_ring_issue(ring, KEY_OWNER_CP, id, 0, key, now_ms, &epoch), EV_OK);
    return epoch;
}

static enum key_verdict check(struct key_ring *ring, const char *id, uint32_t epoch, uint64_t sequence)
{
    struct key_ring_key *key = NULL;
    enum key_verdict verdict = key_ring_check(ring, KEY_OWNER_CP, id, epoch, sequence, &key);

    if (verdict == KEY_APPLY) {
        assert_non_null(key);
        assert_non_null(key_ring_bytes(key));
    }
    return verdict;
}

static uint64_t apply(struct key_ring *ring, const char *id, uint32_t epoch, uint64_t sequence)
{
    struct key_ring_key *key = NULL;

    assert_int_equal(key_ring_check(ring, KEY_OWNER_CP, id, epoch, sequence, &key), KEY_APPLY);
    return key_ring_applied(ring, key, sequence);
}

static int set_up(void **state)
{
    static struct rows rows;
    struct key_ring *ring = NULL;

    memset(&rows, 0, sizeof rows);
    assert_int_equal(key_ring_new(keep, &rows, &ring), EV_OK);
    *state = ring;
    return 0;
}

static int tear_down(void **state)
{
    key_ring_free(*state);
    return 0;
}

static void sequences_rise_and_replays_are_told(void **state)
{
    static const struct {
        uint64_t sequence;
        enum key_verdict verdict;
        uint64_t gap;
    } table[] = {
        {1, KEY_APPLY, 0},  {1, KEY_REPLAY, 0}, {2, KEY_APPLY, 0}, {5, KEY_APPLY, 2},
        {4, KEY_REPLAY, 0}, {3, KEY_REPLAY, 0}, {6, KEY_APPLY, 0}, {UINT64_MAX, KEY_APPLY, UINT64_MAX - 7},
        {7, KEY_REPLAY, 0}, {0, KEY_REPLAY, 0}};
    struct key_ring *ring = *state;
    uint32_t epoch = issue(ring, "MAD", NOW);

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(check(ring, "MAD", epoch, table[i].sequence), table[i].verdict);
        if (table[i].verdict == KEY_APPLY) {
            assert_int_equal(apply(ring, "MAD", epoch, table[i].sequence), table[i].gap);
        }
    }
}

static void one_owners_key_is_not_anothers(void **state)
{
    struct key_ring *ring = *state;
    uint32_t epoch = issue(ring, "MAD", NOW);
    struct key_ring_key *key = NULL;

    assert_int_equal(check(ring, "BCN", epoch, 1), KEY_UNKNOWN);
    assert_int_equal(check(ring, "MAD", epoch + 1, 1), KEY_UNKNOWN);
    assert_int_equal(key_ring_check(ring, KEY_OWNER_DRIVER, "MAD", epoch, 1, &key), KEY_UNKNOWN);
    assert_int_equal(check(ring, "MAD", 0, 1), KEY_UNKNOWN);
}

static void an_old_epoch_is_good_up_to_its_declared_last(void **state)
{
    struct key_ring *ring = *state;
    uint32_t old = issue(ring, "MAD", NOW);
    uint32_t present = 0;

    (void)apply(ring, "MAD", old, 1);
    present = issue(ring, "MAD", NOW + 1);
    assert_int_equal(check(ring, "MAD", old, 2), KEY_APPLY); /* not declared yet */
    key_ring_acknowledge(ring, KEY_OWNER_CP, "MAD", old, 3);
    (void)apply(ring, "MAD", present, 1);
    assert_int_equal(check(ring, "MAD", old, 4), KEY_BEYOND);
    (void)apply(ring, "MAD", old, 2);
    key_ring_acknowledge(ring, KEY_OWNER_CP, "MAD", old, 100); /* a second word reopens nothing */
    assert_int_equal(check(ring, "MAD", old, 4), KEY_BEYOND);
    (void)apply(ring, "MAD", old, 3);
    key_ring_flush(ring);
    assert_int_equal(check(ring, "MAD", old, 3), KEY_UNKNOWN); /* it has seen its last and is gone */
    assert_int_equal(check(ring, "MAD", present, 2), KEY_APPLY);
}

static void a_current_key_cannot_be_declared_over(void **state)
{
    struct key_ring *ring = *state;
    uint32_t epoch = issue(ring, "MAD", NOW);

    key_ring_acknowledge(ring, KEY_OWNER_CP, "MAD", epoch, 0);
    assert_int_equal(check(ring, "MAD", epoch, 1), KEY_APPLY);
    key_ring_acknowledge(ring, KEY_OWNER_CP, "BCN", 1, 5);
}

static void a_key_that_was_never_used_goes_with_its_acknowledgement(void **state)
{
    struct key_ring *ring = *state;
    uint32_t old = issue(ring, "MAD", NOW);

    (void)issue(ring, "MAD", NOW);
    assert_int_equal(key_ring_count(ring), 2);
    key_ring_acknowledge(ring, KEY_OWNER_CP, "MAD", old, 0);
    assert_int_equal(key_ring_count(ring), 1);
    assert_int_equal(check(ring, "MAD", old, 1), KEY_UNKNOWN);
}

static void sixty_four_superseded_keys_are_kept_and_the_oldest_goes(void **state)
{
    struct key_ring *ring = *state;

    for (unsigned i = 0; i < 100; i++) {
        (void)issue(ring, "MAD", NOW);
    }
    assert_int_equal(key_ring_count(ring), KEY_RING_SUPERSEDED_MAX + 1);
    assert_int_equal(check(ring, "MAD", 100, 1), KEY_APPLY);
    assert_int_equal(check(ring, "MAD", 36, 1), KEY_APPLY);
    assert_int_equal(check(ring, "MAD", 35, 1), KEY_UNKNOWN);
}

static void superseded_keys_expire_after_a_day_and_current_ones_never(void **state)
{
    struct key_ring *ring = *state;
    uint32_t old = issue(ring, "MAD", NOW);
    uint32_t present = issue(ring, "MAD", NOW + 1000);

    key_ring_expire(ring, NOW + KEY_RING_SUPERSEDED_MS);
    assert_int_equal(check(ring, "MAD", old, 1), KEY_APPLY);
    key_ring_expire(ring, NOW + KEY_RING_SUPERSEDED_MS + 1001);
    assert_int_equal(check(ring, "MAD", old, 1), KEY_UNKNOWN);
    assert_int_equal(check(ring, "MAD", present, 1), KEY_APPLY);
}

static void dropping_takes_all_and_epochs_still_rise(void **state)
{
    struct key_ring *ring = *state;
    uint8_t key[32] = {1};
    uint32_t epoch = 0;

    (void)issue(ring, "MAD", NOW);
    (void)issue(ring, "MAD", NOW);
    key_ring_drop(ring, KEY_OWNER_CP, "MAD");
    assert_int_equal(key_ring_count(ring), 0);
    assert_int_equal(check(ring, "MAD", 2, 1), KEY_UNKNOWN);
    assert_int_equal(key_ring_issue(ring, KEY_OWNER_CP, "MAD", 2, key, NOW, &epoch), EV_ERR_RANGE);
    assert_int_equal(issue(ring, "MAD", NOW), 3);
    key_ring_drop(ring, KEY_OWNER_CP, "nobody");
}

static void many_records_are_one_row(void **state)
{
    struct key_ring *ring = *state;
    struct rows rows = {.count = 0};
    struct key_ring *counted = NULL;
    uint32_t epoch = 0;
    uint8_t key[32] = {1};

    (void)ring;
    assert_int_equal(key_ring_new(keep, &rows, &counted), EV_OK);
    assert_int_equal(key_ring_issue(counted, KEY_OWNER_CP, "MAD", 0, key, NOW, &epoch), EV_OK);
    rows.saves = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        (void)apply(counted, "MAD", epoch, i);
    }
    assert_int_equal(rows.saves, 0);
    key_ring_flush(counted);
    assert_int_equal(rows.saves, 1);
    assert_int_equal(rows.items[0].last_sequence, 1000);
    key_ring_flush(counted);
    assert_int_equal(rows.saves, 1);
    key_ring_free(counted);
}

static void a_restart_knows_what_was_applied_and_never_sends_a_number_twice(void **state)
{
    struct rows rows = {.count = 0};
    struct key_ring *first = NULL;
    struct key_ring *second = *state;
    uint8_t key[32] = {9};
    uint8_t out[32];
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    uint64_t last = 0;

    assert_int_equal(key_ring_new(keep, &rows, &first), EV_OK);
    assert_int_equal(key_ring_issue(first, KEY_OWNER_DRIVER, "ana", 0, key, NOW, &epoch), EV_OK);
    for (unsigned i = 0; i < 2500; i++) {
        assert_int_equal(key_ring_next_send(first, KEY_OWNER_DRIVER, "ana", out, &epoch, &sequence), EV_OK);
        assert_int_equal(sequence, last + 1);
        last = sequence;
        assert_true(rows.items[0].send_sequence_reserved >= sequence); /* in the store before it is used */
    }
    key_ring_free(first);
    for (size_t i = 0; i < rows.count; i++) {
        assert_int_equal(key_ring_load(second, &rows.items[i]), EV_OK);
    }
    assert_int_equal(key_ring_next_send(second, KEY_OWNER_DRIVER, "ana", out, &epoch, &sequence), EV_OK);
    assert_true(sequence > last);
    assert_memory_equal(out, key, 32);
    assert_int_equal(key_ring_next_send(second, KEY_OWNER_DRIVER, "bob", out, &epoch, &sequence),
                     EV_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sequences_rise_and_replays_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_owners_key_is_not_anothers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_epoch_is_good_up_to_its_declared_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_current_key_cannot_be_declared_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_was_never_used_goes_with_its_acknowledgement, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sixty_four_superseded_keys_are_kept_and_the_oldest_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(superseded_keys_expire_after_a_day_and_current_ones_never, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(dropping_takes_all_and_epochs_still_rise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_records_are_one_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_knows_what_was_applied_and_never_sends_a_number_twice,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
