/* Who may connect, holds and orders, keys, weather, registration. */
#include "fleet_world.h"

#include <stdio.h>
#include <string.h>

static struct world *with_mad(uint64_t *ret_connection)
{
    struct world *w = world_new();

    world_register_cp(w, "MAD", "Madrid", 54);
    world_register_driver(w, "ana");
    *ret_connection = world_bring_up(w, "MAD");
    return w;
}

static struct session_id charge(struct world *w, uint64_t connection)
{
    struct session_id session = world_request(w, "ana", "MAD", "1");

    world_wait(w, 1000);
    world_started(w, "MAD", connection, &session);
    world_wait(w, 60000);
    world_sample(w, "MAD", &session, WH(100), STOP_NONE);
    assert_int_equal(world_state(w, "MAD"), CP_CHARGING);
    return session;
}

static enum message_refuse_code refused_with(const struct world *w)
{
    const struct message *message = world_said(w, MESSAGE_REFUSE);

    assert_non_null(message);
    assert_non_null(world_effect(w, FLEET_EFFECT_CLOSE));
    assert_int_equal(w->refused, EV_ERR_AUTH);
    assert_non_null(world_audited(w, "auth.failed"));
    return message->refuse.code;
}

static void a_stranger_is_refused_and_audited(void **state)
{
    struct world *w = world_new();

    (void)state;
    (void)world_hello(w, "MAD", false);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_UNKNOWN_CP);
    assert_string_equal(world_audited(w, "auth.failed")->address, "10.0.0.1:4711");
    world_free(w);
}

static void another_key_than_the_registered_one_is_refused(void **state)
{
    struct world *w = world_new();
    struct fleet_event event = {.type = FLEET_HELLO, .connection = 7};

    (void)state;
    world_register_cp(w, "MAD", "Madrid", 54);
    event.cp_id = world_cp("MAD");
    (void)strcpy(event.of.hello.key_sha256, "key-of-BCN");
    world_step(w, &event);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_WRONG_KEY);
    assert_int_equal(world_state(w, "MAD"), CP_OFFLINE);
    world_free(w);
}

static void a_second_connection_replaces_the_first(void **state)
{
    uint64_t first = 0;
    struct world *w = with_mad(&first);
    uint64_t second = world_hello(w, "MAD", false);
    struct message_status status = world_idle();

    (void)state;
    assert_int_equal(world_said(w, MESSAGE_REFUSE)->refuse.code, MESSAGE_REFUSE_REPLACED);
    assert_int_equal(world_effect(w, FLEET_EFFECT_CLOSE)->connection, first);
    world_status(w, "MAD", second, &status);
    assert_int_equal(world_state(w, "MAD"), CP_AVAILABLE);
    /* What the replaced one still says counts for nothing. */
    status.engine_ok = false;
    world_status(w, "MAD", first, &status);
    world_disconnect(w, "MAD", first);
    assert_int_equal(world_state(w, "MAD"), CP_AVAILABLE);
    world_disconnect(w, "MAD", second);
    assert_int_equal(world_state(w, "MAD"), CP_OFFLINE);
    world_free(w);
}

static void nothing_wrong_flashes_up_before_the_first_status(void **state)
{
    struct world *w = world_new();
    struct message_status status = world_idle();
    uint64_t connection = 0;

    (void)state;
    world_register_cp(w, "MAD", "Madrid", 54);
    connection = world_hello(w, "MAD", false);
    assert_non_null(world_said(w, MESSAGE_WELCOME));
    assert_null(world_effect(w, FLEET_EFFECT_PUBLISH_STATUS));
    world_status(w, "MAD", connection, &status);
    assert_int_equal(world_count(w, FLEET_EFFECT_PUBLISH_STATUS), 1);
    assert_int_equal(world_state(w, "MAD"), CP_AVAILABLE);
    world_free(w);
}

static void a_monitor_without_a_word_is_shown_as_it_is(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_register_cp(w, "MAD", "Madrid", 54);
    (void)world_hello(w, "MAD", false);
    world_wait(w, 2500);
    assert_int_equal(world_state(w, "MAD"), CP_FAULTED);
    world_free(w);
}

static void every_connection_and_every_engine_start_gets_a_new_epoch(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct message_status status = world_idle();

    (void)state;
    assert_int_equal(world_effect(w, FLEET_EFFECT_ISSUE_KEY)->of.epoch, 1);
    world_status(w, "MAD", connection, &status);
    assert_int_equal(world_effect(w, FLEET_EFFECT_ISSUE_KEY)->of.epoch, 2);
    (void)world_bring_up(w, "MAD");
    assert_int_equal(world_effect(w, FLEET_EFFECT_ISSUE_KEY)->of.epoch, 3);
    world_restart(w);
    (void)world_bring_up(w, "MAD");
    assert_int_equal(world_effect(w, FLEET_EFFECT_ISSUE_KEY)->of.epoch, 4);
    world_free(w);
}

static void keys_rotate_on_time_and_on_command(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);

    (void)state;
    world_wait(w, 260000);
    assert_null(world_effect(w, FLEET_EFFECT_ISSUE_KEY));
    world_wait(w, 41000);
    assert_int_equal(world_count(w, FLEET_EFFECT_ISSUE_KEY), 1);
    world_order(w, FLEET_ORDER_ROTATE_KEY, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_OK);
    assert_int_equal(world_count(w, FLEET_EFFECT_ISSUE_KEY), 1);
    world_disconnect(w, "MAD", connection);
    world_order(w, FLEET_ORDER_ROTATE_KEY, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_CONFLICT);
    world_wait(w, 600000);
    assert_null(world_effect(w, FLEET_EFFECT_ISSUE_KEY));
    world_free(w);
}

static void stop_works_offline_and_may_be_repeated(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_register_cp(w, "MAD", "Madrid", 54);
    world_order(w, FLEET_ORDER_STOP, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_OK);
    assert_true(w->answer.done);
    world_order(w, FLEET_ORDER_STOP, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_OK);
    assert_false(w->answer.done);
    assert_int_equal(w->answer.holds, HOLD_ADMIN);
    (void)world_bring_up(w, "MAD");
    assert_int_equal(world_state(w, "MAD"), CP_UNAVAILABLE);
    world_restart(w);
    assert_int_equal(world_holds(w, "MAD"), HOLD_ADMIN);
    world_order(w, FLEET_ORDER_STOP, "XXX");
    assert_int_equal(w->answer.code, FLEET_ANSWER_NOT_FOUND);
    world_free(w);
}

static void a_hold_ends_what_runs_and_lets_nothing_start(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);
    struct session_id next;

    (void)state;
    world_order(w, FLEET_ORDER_STOP, "MAD");
    assert_int_equal(world_said(w, MESSAGE_STOP)->stop.reason, STOP_ADMIN);
    assert_int_equal(world_state(w, "MAD"), CP_CHARGING);
    world_ended(w, "MAD", connection, &session, WH(101), STOP_ADMIN);
    assert_int_equal(world_session(w, &session)->stop_reason, STOP_ADMIN);
    assert_int_equal(world_state(w, "MAD"), CP_UNAVAILABLE);
    next = world_request(w, "ana", "MAD", "2");
    assert_string_equal(world_session(w, &next)->reason, "cp_out_of_order");
    assert_null(world_said(w, MESSAGE_AUTHORISE));
    world_free(w);
}

static void resume_lifts_admin_alone_and_names_what_else_holds(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct message_status status = world_idle();

    (void)state;
    status.sync = false;
    status.maintenance = true;
    world_status(w, "MAD", connection, &status);
    assert_int_equal(world_holds(w, "MAD"), HOLD_MAINTENANCE);
    world_order(w, FLEET_ORDER_RESUME, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_CONFLICT);
    assert_non_null(strstr(w->answer.detail, "maintenance"));
    world_weather(w, "Madrid", -3.0);
    world_order(w, FLEET_ORDER_STOP, "MAD");
    world_order(w, FLEET_ORDER_RESUME, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_OK);
    assert_int_equal(w->answer.holds, HOLD_MAINTENANCE | HOLD_WEATHER);
    status.maintenance = false;
    world_status(w, "MAD", connection, &status);
    assert_int_equal(world_holds(w, "MAD"), HOLD_WEATHER);
    world_free(w);
}

static void frost_holds_its_city_and_thaw_lifts_only_its_own_hold(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);

    (void)state;
    world_register_cp(w, "MADRIDEJOS", "Madridejos", 40);
    world_order(w, FLEET_ORDER_STOP, "MAD");
    world_weather(w, "Madrid", -0.1);
    assert_non_null(world_audited(w, "weather.alert"));
    assert_int_equal(world_holds(w, "MAD"), HOLD_ADMIN | HOLD_WEATHER);
    assert_int_equal(world_holds(w, "MADRIDEJOS"), 0); /* whole names, never parts */
    world_weather(w, "Madrid", 0.5);
    assert_int_equal(world_holds(w, "MAD"), HOLD_ADMIN | HOLD_WEATHER);
    world_weather(w, "Madrid", 1.0);
    assert_non_null(world_audited(w, "weather.clear"));
    assert_int_equal(world_holds(w, "MAD"), HOLD_ADMIN);
    assert_int_equal(world_state(w, "MAD"), CP_UNAVAILABLE);
    world_weather(w, "Madrid", 1000.0);
    assert_int_equal(w->answer.code, FLEET_ANSWER_INVALID);
    world_free(w);
}

static void frost_ends_a_running_supply(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);

    (void)state;
    world_weather(w, "Madrid", -5.0);
    assert_int_equal(world_said(w, MESSAGE_STOP)->stop.reason, STOP_WEATHER);
    world_ended(w, "MAD", connection, &session, WH(101), STOP_WEATHER);
    assert_int_equal(world_state(w, "MAD"), CP_UNAVAILABLE);
    world_free(w);
}

static void a_new_charge_point_in_a_frozen_city_is_held(void **state)
{
    struct world *w = world_new();
    struct fleet_event event = {.type = FLEET_WEATHER_DELETE};

    (void)state;
    world_weather(w, "Ulan Bator", -20.0);
    world_register_cp(w, "UBT", "Ulan Bator", 54);
    assert_int_equal(world_holds(w, "UBT"), HOLD_WEATHER);
    world_restart(w);
    assert_int_equal(world_holds(w, "UBT"), HOLD_WEATHER);
    (void)strcpy(event.of.weather.city, "Ulan Bator");
    world_step(w, &event);
    assert_int_equal(w->answer.code, FLEET_ANSWER_OK);
    assert_int_equal(world_holds(w, "UBT"), 0);
    event.type = FLEET_WEATHER_DELETE;
    world_step(w, &event);
    assert_int_equal(w->answer.code, FLEET_ANSWER_NOT_FOUND);
    world_free(w);
}

static void weather_grows_stale_and_says_so_once(void **state)
{
    struct world *w = world_new();
    struct fleet_weather_view view;

    (void)state;
    world_weather(w, "Madrid", 10.0);
    world_wait(w, 14000);
    assert_true(fleet_next_weather(w->fleet, "", w->mono_ms, &view));
    assert_false(view.stale);
    world_wait(w, 2000);
    assert_int_equal(world_count(w, FLEET_EFFECT_ANNOUNCE), 1);
    assert_true(fleet_next_weather(w->fleet, "", w->mono_ms, &view));
    assert_true(view.stale);
    assert_false(fleet_next_weather(w->fleet, "Madrid", w->mono_ms, &view));
    world_free(w);
}

static void many_charge_points_of_one_city_are_held_together(void **state)
{
    struct world *w = world_new();
    char id[16];

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(id, sizeof id, "UBT-%04u", i);
        world_register_cp(w, id, "Ulan Bator", 54);
    }
    world_weather(w, "Ulan Bator", -20.0);
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(id, sizeof id, "UBT-%04u", i);
        assert_int_equal(world_holds(w, id), HOLD_WEATHER);
    }
    assert_int_equal(world_count(w, FLEET_EFFECT_SAVE_CHARGE_POINT), 60);
    world_free(w);
}

static void a_dropped_key_stops_first_and_closes_then(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);

    (void)state;
    world_order(w, FLEET_ORDER_DROP_KEY, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_OK);
    assert_int_equal(world_said(w, MESSAGE_STOP)->stop.reason, STOP_KEY_DROPPED);
    assert_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    world_wait(w, 1000);
    world_ended(w, "MAD", connection, &session, WH(102), STOP_KEY_DROPPED);
    assert_int_equal(world_session(w, &session)->energy_wh, 102);
    assert_non_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    assert_int_equal(world_said(w, MESSAGE_REFUSE)->refuse.code, MESSAGE_REFUSE_KEY_DROPPED);
    assert_int_equal(world_state(w, "MAD"), CP_OFFLINE);
    assert_int_equal(world_holds(w, "MAD"), HOLD_KEY);
    (void)world_hello(w, "MAD", false);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_KEY_DROPPED);
    connection = world_hello(w, "MAD", true);
    assert_non_null(world_said(w, MESSAGE_WELCOME));
    assert_int_equal(world_holds(w, "MAD"), 0);
    world_free(w);
}

static void a_dropped_key_waits_at_most_five_seconds(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);

    (void)state;
    world_order(w, FLEET_ORDER_DROP_KEY, "MAD");
    world_wait(w, 4500);
    assert_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    world_wait(w, 1000);
    assert_non_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    assert_non_null(world_effect(w, FLEET_EFFECT_CLOSE));
    assert_int_equal(world_session(w, &session)->state, SESSION_SETTLING);
    world_free(w);
}

static void a_dropped_key_without_supply_goes_at_once(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);

    (void)state;
    world_order(w, FLEET_ORDER_DROP_KEY, "MAD");
    assert_non_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    assert_non_null(world_effect(w, FLEET_EFFECT_CLOSE));
    world_restart(w);
    assert_int_equal(world_holds(w, "MAD"), HOLD_KEY);
    world_free(w);
}

static void revoking_issues_the_ticket_at_once_and_bars_the_key(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);
    struct fleet_event event = {.type = FLEET_REGISTERED};

    (void)state;
    world_order(w, FLEET_ORDER_REVOKE, "MAD");
    assert_int_equal(world_session(w, &session)->state, SESSION_FINISHED);
    assert_int_equal(world_session(w, &session)->stop_reason, STOP_REVOKED);
    assert_int_equal(world_session(w, &session)->energy_wh, 100);
    assert_non_null(world_said(w, MESSAGE_STOP));
    assert_non_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    assert_non_null(world_effect(w, FLEET_EFFECT_CLOSE));
    assert_non_null(world_effect(w, FLEET_EFFECT_REVOKE));
    world_order(w, FLEET_ORDER_REVOKE, "MAD");
    assert_int_equal(w->answer.code, FLEET_ANSWER_CONFLICT);
    (void)world_hello(w, "MAD", true);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_REVOKED);
    world_restart(w);
    (void)world_hello(w, "MAD", true);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_REVOKED);
    world_register_cp(w, "MAD", "Madrid", 54); /* with the key that was revoked */
    (void)world_hello(w, "MAD", true);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_REVOKED);
    event.of.node.role = FLEET_ROLE_CP;
    (void)strcpy(event.of.node.id, "MAD");
    (void)strcpy(event.of.node.city, "Madrid");
    (void)strcpy(event.of.node.key_sha256, "new-key");
    world_step(w, &event);
    event.type = FLEET_HELLO;
    event.cp_id = world_cp("MAD");
    event.connection = 99;
    memset(&event.of, 0, sizeof event.of);
    (void)strcpy(event.of.hello.key_sha256, "new-key");
    world_step(w, &event);
    assert_non_null(world_said(w, MESSAGE_WELCOME));
    /* The old connection's journal: never billed. */
    world_ended(w, "MAD", 99, &session, WH(140), STOP_REVOKED);
    assert_int_equal(world_session(w, &session)->energy_wh, 100);
    assert_non_null(world_audited(w, "late_meter"));
    world_free(w);
}

static void revoking_while_preparing_cancels(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = world_request(w, "ana", "MAD", "1");

    (void)state;
    world_order(w, FLEET_ORDER_REVOKE, "MAD");
    assert_int_equal(world_session(w, &session)->state, SESSION_CANCELLED);
    assert_string_equal(world_session(w, &session)->reason, "revoked");
    world_free(w);
}

static void a_deregistered_charge_point_ends_its_session_and_leaves_the_lists(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);
    struct fleet_event event = {.type = FLEET_DEREGISTERED};
    struct cp_id id = world_cp("MAD");

    (void)state;
    event.of.node.role = FLEET_ROLE_CP;
    (void)strcpy(event.of.node.id, "MAD");
    world_step(w, &event);
    assert_null(fleet_find_cp(w->fleet, &id));
    assert_null(fleet_next_cp(w->fleet, ""));
    assert_int_equal(world_said(w, MESSAGE_STOP)->stop.reason, STOP_DEREGISTERED);
    world_wait(w, 6000);
    assert_int_equal(world_session(w, &session)->state, SESSION_FINISHED);
    assert_int_equal(world_session(w, &session)->stop_reason, STOP_DEREGISTERED);
    assert_non_null(world_effect(w, FLEET_EFFECT_CLOSE));
    assert_non_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    (void)world_hello(w, "MAD", true);
    assert_int_equal(refused_with(w), MESSAGE_REFUSE_UNKNOWN_CP);
    world_free(w);
}

static void maintenance_stops_what_runs_and_follows_the_monitor(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);
    struct message_status status = world_idle();

    (void)state;
    status.sync = false;
    status.plugged = true;
    status.maintenance = true;
    status.supply = CP_SUPPLY_CHARGING;
    status.session_id = session;
    world_status(w, "MAD", connection, &status);
    assert_int_equal(world_said(w, MESSAGE_STOP)->stop.reason, STOP_MAINTENANCE);
    world_ended(w, "MAD", connection, &session, WH(101), STOP_MAINTENANCE);
    assert_int_equal(world_state(w, "MAD"), CP_UNAVAILABLE);
    world_free(w);
}

static void a_revoked_driver_charges_nowhere(void **state)
{
    uint64_t connection = 0;
    struct world *w = with_mad(&connection);
    struct session_id session = charge(w, connection);
    struct fleet_event event = {.type = FLEET_REVOKED};

    (void)state;
    event.of.node.role = FLEET_ROLE_DRIVER;
    (void)strcpy(event.of.node.id, "ana");
    world_step(w, &event);
    assert_non_null(world_said(w, MESSAGE_STOP));
    assert_non_null(world_effect(w, FLEET_EFFECT_DROP_KEYS));
    world_ended(w, "MAD", connection, &session, WH(101), STOP_ADMIN);
    session = world_request(w, "ana", "MAD", "9");
    assert_string_equal(world_session(w, &session)->reason, "driver_revoked");
    assert_int_equal(fleet_check_node(w->fleet, FLEET_ROLE_DRIVER, "ana", "key-of-ana"), FLEET_NODE_REVOKED);
    assert_int_equal(fleet_check_node(w->fleet, FLEET_ROLE_DRIVER, "bob", "x"), FLEET_NODE_UNKNOWN);
    world_free(w);
}

static void lists_are_in_the_order_of_ids(void **state)
{
    struct world *w = world_new();
    const struct fleet_cp *cp = NULL;
    const char *const order[] = {"ALC", "BCN", "MAD", "ZAZ"};
    const char *after = "";

    (void)state;
    world_register_cp(w, "MAD", "Madrid", 1);
    world_register_cp(w, "ALC", "Alicante", 1);
    world_register_cp(w, "ZAZ", "Zaragoza", 1);
    world_register_cp(w, "BCN", "Barcelona", 1);
    for (size_t i = 0; i < 4; i++) {
        cp = fleet_next_cp(w->fleet, after);
        assert_non_null(cp);
        assert_string_equal(fleet_cp_id(cp)->text, order[i]);
        after = order[i];
    }
    assert_null(fleet_next_cp(w->fleet, after));
    assert_string_equal(fleet_next_city(w->fleet, "Barcelona"), "Madrid");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_is_refused_and_audited),
        cmocka_unit_test(another_key_than_the_registered_one_is_refused),
        cmocka_unit_test(a_second_connection_replaces_the_first),
        cmocka_unit_test(nothing_wrong_flashes_up_before_the_first_status),
        cmocka_unit_test(a_monitor_without_a_word_is_shown_as_it_is),
        cmocka_unit_test(every_connection_and_every_engine_start_gets_a_new_epoch),
        cmocka_unit_test(keys_rotate_on_time_and_on_command),
        cmocka_unit_test(stop_works_offline_and_may_be_repeated),
        cmocka_unit_test(a_hold_ends_what_runs_and_lets_nothing_start),
        cmocka_unit_test(resume_lifts_admin_alone_and_names_what_else_holds),
        cmocka_unit_test(frost_holds_its_city_and_thaw_lifts_only_its_own_hold),
        cmocka_unit_test(frost_ends_a_running_supply),
        cmocka_unit_test(a_new_charge_point_in_a_frozen_city_is_held),
        cmocka_unit_test(weather_grows_stale_and_says_so_once),
        cmocka_unit_test(many_charge_points_of_one_city_are_held_together),
        cmocka_unit_test(a_dropped_key_stops_first_and_closes_then),
        cmocka_unit_test(a_dropped_key_waits_at_most_five_seconds),
        cmocka_unit_test(a_dropped_key_without_supply_goes_at_once),
        cmocka_unit_test(revoking_issues_the_ticket_at_once_and_bars_the_key),
        cmocka_unit_test(revoking_while_preparing_cancels),
        cmocka_unit_test(a_deregistered_charge_point_ends_its_session_and_leaves_the_lists),
        cmocka_unit_test(maintenance_stops_what_runs_and_follows_the_monitor),
        cmocka_unit_test(a_revoked_driver_charges_nowhere),
        cmocka_unit_test(lists_are_in_the_order_of_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
