/* Commit, then speak: decisions of the fleet through dispatch and a real store, without Kafka and without
 * peers. */
#include "central/central.h"
#include "central/dispatch.h"
#include "central/key_ring.h"
#include "central/outbox.h"
#include "common/runtime/loop.h"
#include "common/wire/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000

struct bench {
    struct central central;
    char directory[64];
};

static void load_cp(void *user, const struct store_charge_point *row)
{
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_LOAD_CHARGE_POINT);
    event.of.load_charge_point = row;
    (void)dispatch_step(user, &event, NULL);
}

static void load_key(void *user, const struct store_key *row)
{
    struct central *central = user;

    assert_int_equal(key_ring_load(central->key_ring, row), EV_OK);
}

static void open_central(struct bench *bench)
{
    static const struct fleet_config config = {.settle_ms = 900000,
                                               .rotate_ms = 300000,
                                               .prepare_ms = 60000,
                                               .drop_wait_ms = 5000,
                                               .stale_ms = 15000};
    struct central *central = &bench->central;

    memset(central, 0, sizeof *central);
    central->options.state_dir = bench->directory;
    central->options.heartbeat_seconds = 5;
    central->options.telemetry_key_seconds = 300;
    assert_int_equal(loop_new_plain(&central->loop), EV_OK);
    assert_int_equal(store_open(central->loop, bench->directory, &central->store), EV_OK);
    assert_int_equal(fleet_new(&config, &central->fleet), EV_OK);
    assert_int_equal(dispatch_new(central, &central->dispatch), EV_OK);
    assert_int_equal(store_load_charge_points(central->store, load_cp, central), EV_OK);
    assert_int_equal(store_load_keys(central->store, load_key, central), EV_OK);
    assert_int_equal(outbox_new(central, &central->outbox), EV_OK);
}

static void close_central(struct bench *bench)
{
    struct central *central = &bench->central;

    outbox_free(central->outbox);
    central->outbox = NULL;
    store_close(central->store);
    dispatch_free(central->dispatch);
    key_ring_free(central->key_ring);
    fleet_free(central->fleet);
    loop_free(central->loop);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    assert_int_equal(seal_init(), EV_OK);
    (void)snprintf(bench->directory, sizeof bench->directory, "/tmp/ev-dispatch-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    open_central(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char command[128];

    close_central(bench);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", bench->directory);
    assert_int_equal(system(command), 0);
    free(bench);
    return 0;
}

static void run_until(struct central *central, const bool *done)
{
    int64_t deadline_ms = monotonic_now_ms() + DEADLINE_MS;

    while (!*done && monotonic_now_ms() < deadline_ms) {
        assert_int_equal(loop_run_once(central->loop, 50), EV_OK);
    }
    assert_true(*done);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void commit(struct central *central)
{
    bool done = false;

    assert_int_equal(store_after_commit(central->store, set_flag, &done), EV_OK);
    run_until(central, &done);
}

static void register_mad(struct central *central)
{
    static const struct fleet_actor actor = {.who = "registry"};
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_REGISTERED);
    event.actor = &actor;
    event.of.node =
        (struct fleet_node){.role = FLEET_ROLE_CP, .id = "MAD", .city = "Madrid", .key_sha256 = "k"};
    (void)dispatch_step(central, &event, NULL);
}

struct audit_seen {
    size_t count;
    char action[40];
};

static void count_audit(void *user, const struct store_audit_row *row)
{
    struct audit_seen *seen = user;

    seen->count += strcmp(row->entry.action, seen->action) == 0;
}

static size_t audited(struct central *central, const char *action)
{
    struct audit_seen seen = {.count = 0};

    (void)snprintf(seen.action, sizeof seen.action, "%s", action);
    assert_int_equal(store_list_audit(central->store, 0, NULL, 1000, count_audit, &seen), EV_OK);
    return seen.count;
}

struct answered {
    struct central *central;
    bool done;
    size_t audits_at_answer;
    struct fleet_answer answer;
};

static void on_done(void *user, const struct fleet_answer *answer)
{
    struct answered *answered = user;

    answered->done = true;
    answered->answer = *answer;
    answered->audits_at_answer = audited(answered->central, "cp.stop");
}

static void an_order_is_answered_after_its_commit(void **state)
{
    struct bench *bench = *state;
    struct answered answered = {.central = &bench->central};
    struct fleet_event event;

    register_mad(&bench->central);
    dispatch_event_init(&event, FLEET_ORDER_STOP);
    (void)strcpy(event.cp_id.text, "MAD");
    dispatch_call(&bench->central, &event, on_done, &answered);
    assert_false(answered.done);
    run_until(&bench->central, &answered.done);
    assert_int_equal(answered.answer.code, FLEET_ANSWER_OK);
    assert_int_equal(answered.answer.holds, HOLD_ADMIN);
    assert_int_equal(answered.audits_at_answer, 1);
}

static void count_announce(void *user, const struct fleet_effect *effect)
{
    size_t *count = user;

    assert_int_equal(effect->type, FLEET_EFFECT_ANNOUNCE);
    *count += effect->of.announce.what == FLEET_ANNOUNCE_CHARGE_POINT;
}

static void changes_are_announced_after_their_commit(void **state)
{
    struct bench *bench = *state;
    size_t count = 0;

    dispatch_on_announce(bench->central.dispatch, count_announce, &count);
    register_mad(&bench->central);
    assert_int_equal(count, 0);
    commit(&bench->central);
    assert_int_equal(count, 1);
}

static void holds_and_keys_survive_the_process(void **state)
{
    struct bench *bench = *state;
    struct fleet_event event;
    struct fleet_answer answer;
    struct dispatch_driver_key key;
    struct driver_id ana = {.text = "ana"};
    struct cp_id mad = {.text = "MAD"};
    struct key_ring_key *found = NULL;

    register_mad(&bench->central);
    dispatch_event_init(&event, FLEET_ORDER_STOP);
    event.cp_id = mad;
    (void)dispatch_step(&bench->central, &event, &answer);
    assert_int_equal(dispatch_issue_driver_key(&bench->central, &ana, &key), EV_OK);
    assert_int_equal(key_ring_check(bench->central.key_ring, KEY_OWNER_DRIVER, "ana", key.epoch, 3, &found),
                     KEY_APPLY);
    assert_int_equal(key_ring_applied(bench->central.key_ring, found, 3), 2);
    dispatch_flush(&bench->central);
    close_central(bench);
    open_central(bench);
    {
        const struct fleet_cp *cp = fleet_find_cp(bench->central.fleet, &mad);
        struct fleet_cp_view view;

        assert_non_null(cp);
        fleet_view_cp(bench->central.fleet, cp, &view);
        assert_int_equal(view.holds, HOLD_ADMIN);
        assert_string_equal(view.city, "Madrid");
    }
    assert_int_equal(key_ring_check(bench->central.key_ring, KEY_OWNER_DRIVER, "ana", key.epoch, 3, &found),
                     KEY_REPLAY);
    assert_int_equal(key_ring_check(bench->central.key_ring, KEY_OWNER_DRIVER, "ana", key.epoch, 4, &found),
                     KEY_APPLY);
    assert_memory_equal(key_ring_bytes(found), key.key, sizeof key.key);
}

static void what_waits_for_kafka_waits_over_a_restart_and_only_the_newest_status_does(void **state)
{
    struct bench *bench = *state;
    int64_t first = outbox_add(bench->central.outbox, STORE_OUTBOX_STATUS, "MAD", "{\"n\":1}");
    int64_t second = 0;
    int64_t notice = 0;

    assert_true(first > 0);
    commit(&bench->central);
    outbox_release(bench->central.outbox, first);
    second = outbox_add(bench->central.outbox, STORE_OUTBOX_STATUS, "MAD", "{\"n\":2}");
    notice = outbox_add(bench->central.outbox, STORE_OUTBOX_NOTICE, "ana", "{}");
    assert_true(first < second && second < notice);
    commit(&bench->central);
    outbox_release(bench->central.outbox, second);
    outbox_release(bench->central.outbox, notice);
    assert_int_equal(outbox_waiting(bench->central.outbox), 2);
    commit(&bench->central);
    close_central(bench);
    open_central(bench);
    assert_int_equal(outbox_waiting(bench->central.outbox), 2);
}

static void a_burst_of_refusals_is_one_entry(void **state)
{
    struct bench *bench = *state;
    struct fleet_actor actor = {.who = "unknown"};

    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(actor.address, sizeof actor.address, "10.0.0.1:%u", 40000 + i); /* a port each */
        dispatch_audit_burst(&bench->central, &actor, "auth.failed", "control", "no certificate",
                             "no certificate");
    }
    (void)snprintf(actor.address, sizeof actor.address, "10.0.0.2:40000");
    dispatch_audit_burst(&bench->central, &actor, "auth.failed", "control", "no certificate",
                         "no certificate");
    commit(&bench->central);
    assert_int_equal(audited(&bench->central, "auth.failed"), 2);
    assert_int_equal(bench->central.counters.audit_suppressed, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_order_is_answered_after_its_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_announced_after_their_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(holds_and_keys_survive_the_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_waits_for_kafka_waits_over_a_restart_and_only_the_newest_status_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_of_refusals_is_one_entry, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
