/* Sessions from the request to the ticket, and all that can come between. */
#include "fleet_world.h"

#include <string.h>

struct scene {
    struct world *w;
    uint64_t mad; /* its connection */
    struct session_id session;
};

/* ana charges at MAD. */
static struct scene charging(void)
{
    struct scene s = {.w = world_new()};

    world_register_cp(s.w, "MAD", "Madrid", 54);
    world_register_driver(s.w, "ana");
    world_register_driver(s.w, "bob");
    s.mad = world_bring_up(s.w, "MAD");
    s.session = world_request(s.w, "ana", "MAD", "1");
    world_wait(s.w, 1000);
    world_started(s.w, "MAD", s.mad, &s.session);
    assert_int_equal(world_state(s.w, "MAD"), CP_CHARGING);
    return s;
}

static struct scene preparing(void)
{
    struct scene s = {.w = world_new()};

    world_register_cp(s.w, "MAD", "Madrid", 54);
    world_register_driver(s.w, "ana");
    world_register_driver(s.w, "bob");
    s.mad = world_bring_up(s.w, "MAD");
    s.session = world_request(s.w, "ana", "MAD", "1");
    assert_int_equal(world_state(s.w, "MAD"), CP_PREPARING);
    return s;
}

static enum session_state state_of(const struct scene *s)
{
    return (enum session_state)world_session(s->w, &s->session)->state;
}

static void a_request_becomes_a_ticket(void **state)
{
    struct scene s = {.w = world_new()};
    const struct store_session *row = NULL;
    const struct message *message = NULL;

    (void)state;
    world_register_cp(s.w, "MAD", "Madrid", 54);
    world_register_driver(s.w, "ana");
    s.mad = world_bring_up(s.w, "MAD");
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    assert_non_null(world_effect(s.w, FLEET_EFFECT_ISSUE_KEY));
    s.session = world_request(s.w, "ana", "MAD", "1");
    message = world_said(s.w, MESSAGE_AUTHORISE);
    assert_non_null(message);
    assert_string_equal(message->authorise.driver_id.text, "ana");
    assert_int_equal(message->authorise.price_cents_per_kwh, 54);
    assert_int_equal(message->authorise.prepare_ms, 60000);
    assert_int_equal(state_of(&s), SESSION_PREPARING);
    assert_int_equal(world_count(s.w, FLEET_EFFECT_NOTIFY_SESSION), 1);
    world_wait(s.w, 5000);
    world_started(s.w, "MAD", s.mad, &s.session);
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    for (unsigned i = 1; i <= 10; i++) {
        world_wait(s.w, 1000);
        world_sample(s.w, "MAD", &s.session, WH(6) * i, STOP_NONE);
        assert_int_equal(s.w->refused, EV_OK);
        assert_int_equal(world_count(s.w, FLEET_EFFECT_NOTIFY_LIVE), 1);
    }
    world_ended(s.w, "MAD", s.mad, &s.session, WH(61) + 7, STOP_UNPLUGGED);
    row = world_session(s.w, &s.session);
    assert_int_equal(row->state, SESSION_FINISHED);
    assert_int_equal(row->stop_reason, STOP_UNPLUGGED);
    assert_int_equal(row->energy_wh, 61);
    assert_int_equal(row->cost_cents, (61 * 54 + 500) / 1000);
    message = world_said(s.w, MESSAGE_SETTLED);
    assert_non_null(message);
    assert_int_equal(message->settled.energy_wh, 61);
    assert_non_null(world_audited(s.w, "session.ticket"));
    world_free(s.w);
}

static void an_ended_supply_shows_finishing_until_the_car_is_unplugged(void **state)
{
    struct scene s = charging();
    struct message_status status = world_idle();

    (void)state;
    world_ended(s.w, "MAD", s.mad, &s.session, WH(1), STOP_TARGET);
    assert_int_equal(world_state(s.w, "MAD"), CP_FINISHING);
    status.sync = false;
    status.plugged = true;
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_state(s.w, "MAD"), CP_FINISHING);
    status.plugged = false;
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    world_free(s.w);
}

static void a_car_that_is_plugged_in_beforehand_leaves_it_available(void **state)
{
    struct scene s = {.w = world_new()};
    struct message_status status = world_idle();

    (void)state;
    world_register_cp(s.w, "MAD", "Madrid", 54);
    s.mad = world_bring_up(s.w, "MAD");
    status.sync = false;
    status.plugged = true;
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    world_free(s.w);
}

static void the_final_sample_settles_and_the_journal_changes_nothing(void **state)
{
    struct scene s = charging();

    (void)state;
    world_wait(s.w, 60000);
    world_sample(s.w, "MAD", &s.session, WH(100), STOP_BATTERY_FULL);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    assert_null(world_said(s.w, MESSAGE_SETTLED));
    world_ended(s.w, "MAD", s.mad, &s.session, WH(100), STOP_BATTERY_FULL);
    assert_non_null(world_said(s.w, MESSAGE_SETTLED));
    assert_null(world_audited(s.w, "late_meter"));
    assert_int_equal(world_count(s.w, FLEET_EFFECT_SAVE_SESSION), 0);
    world_ended(s.w, "MAD", s.mad, &s.session, WH(120), STOP_BATTERY_FULL);
    assert_non_null(world_audited(s.w, "late_meter"));
    assert_int_equal(world_said(s.w, MESSAGE_SETTLED)->settled.energy_wh, 100);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 100);
    world_free(s.w);
}

static void a_journal_of_a_session_that_nobody_knows_drains_too(void **state)
{
    struct scene s = charging();
    struct session_id stranger;

    (void)state;
    assert_int_equal(session_id_parse("01JZZZZZZZZZZZZZZZZZZZZZZZ", &stranger), EV_OK);
    world_ended(s.w, "MAD", s.mad, &stranger, WH(5), STOP_TARGET);
    assert_non_null(world_said(s.w, MESSAGE_SETTLED));
    assert_non_null(world_audited(s.w, "late_meter"));
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    world_free(s.w);
}

static void a_charge_point_cannot_end_the_session_of_another(void **state)
{
    struct scene s = charging();
    uint64_t bcn = 0;

    (void)state;
    world_register_cp(s.w, "BCN", "Barcelona", 40);
    bcn = world_bring_up(s.w, "BCN");
    world_ended(s.w, "BCN", bcn, &s.session, WH(1), STOP_TARGET);
    assert_int_equal(s.w->refused, EV_ERR_AUTH);
    assert_null(world_said(s.w, MESSAGE_SETTLED));
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    world_sample(s.w, "BCN", &s.session, WH(1), STOP_NONE);
    assert_int_equal(s.w->refused, EV_ERR_NOT_FOUND);
    world_free(s.w);
}

static void a_meter_beyond_belief_is_refused_and_audited_once(void **state)
{
    struct scene s = charging();

    (void)state;
    world_wait(s.w, 10000);
    world_sample(s.w, "MAD", &s.session, WH(60), STOP_NONE); /* 22 kW for 11 s are 67 Wh */
    assert_int_equal(s.w->refused, EV_OK);
    world_sample(s.w, "MAD", &s.session, WH(500), STOP_NONE);
    assert_int_equal(s.w->refused, EV_ERR_RANGE);
    assert_non_null(world_audited(s.w, "meter.refused"));
    world_sample(s.w, "MAD", &s.session, WH(500), STOP_NONE);
    assert_null(world_audited(s.w, "meter.refused"));
    world_ended(s.w, "MAD", s.mad, &s.session, WH(5000), STOP_TARGET);
    assert_non_null(world_audited(s.w, "meter.refused"));
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 60);
    assert_non_null(world_said(s.w, MESSAGE_SETTLED));
    world_free(s.w);
}

static void a_wall_clock_that_is_set_back_refuses_no_meter(void **state)
{
    struct scene s = charging();

    (void)state;
    s.w->wall_ms -= 3600000;
    world_wait(s.w, 60000);
    world_sample(s.w, "MAD", &s.session, WH(300), STOP_NONE);
    assert_int_equal(s.w->refused, EV_OK);
    world_ended(s.w, "MAD", s.mad, &s.session, WH(300), STOP_TARGET);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 300);
    world_free(s.w);
}

static void the_same_request_gets_the_same_answer(void **state)
{
    struct scene s = preparing();
    struct session_id again = world_request(s.w, "ana", "MAD", "1");

    (void)state;
    assert_false(session_id_is_set(&again));
    assert_null(world_said(s.w, MESSAGE_AUTHORISE));
    assert_int_equal(world_count(s.w, FLEET_EFFECT_NOTIFY_SESSION), 1);
    assert_int_equal(s.w->session_count, 1);
    world_free(s.w);
}

static void a_driver_and_a_charge_point_are_busy_with_one_session(void **state)
{
    struct scene s = preparing();
    struct session_id second = world_request(s.w, "ana", "MAD", "2");

    (void)state;
    assert_string_equal(world_session(s.w, &second)->reason, "driver_busy");
    second = world_request(s.w, "bob", "MAD", "3");
    assert_int_equal(world_session(s.w, &second)->state, SESSION_REJECTED);
    assert_string_equal(world_session(s.w, &second)->reason, "cp_reserved");
    world_free(s.w);
}

static void what_cannot_be_is_refused_in_words(void **state)
{
    struct world *w = world_new();
    struct session_id id;

    (void)state;
    world_register_driver(w, "ana");
    id = world_request(w, "ana", "XXX", "1");
    assert_string_equal(world_session(w, &id)->reason, "unknown_cp");
    world_register_cp(w, "MAD", "Madrid", 54);
    id = world_request(w, "ana", "MAD", "2");
    assert_string_equal(world_session(w, &id)->reason, "cp_offline");
    id = world_request(w, "eve", "MAD", "3");
    assert_false(session_id_is_set(&id));
    assert_non_null(world_audited(w, "session.authorise"));
    world_free(w);
}

static void a_request_that_kafka_held_is_expired(void **state)
{
    struct scene s = {.w = world_new()};
    struct fleet_event event = {.type = FLEET_REQUEST};

    (void)state;
    world_register_cp(s.w, "MAD", "Madrid", 54);
    world_register_driver(s.w, "ana");
    s.mad = world_bring_up(s.w, "MAD");
    event.cp_id = world_cp("MAD");
    event.of.request.driver_id = world_driver("ana");
    event.of.request.too_old = true;
    assert_int_equal(request_id_parse("01H00000000000000000000001", &event.of.request.request_id), EV_OK);
    assert_int_equal(session_id_parse("01J00000000000000000000001", &event.new_session_id), EV_OK);
    world_step(s.w, &event);
    assert_int_equal(world_session(s.w, &event.new_session_id)->state, SESSION_EXPIRED);
    assert_string_equal(world_session(s.w, &event.new_session_id)->reason, "request_too_old");
    assert_null(world_said(s.w, MESSAGE_AUTHORISE));
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    world_free(s.w);
}

static void the_charge_points_own_request_is_audited_as_its_claim(void **state)
{
    struct scene s = {.w = world_new()};
    struct fleet_event event = {.type = FLEET_CP_REQUEST};
    const struct message *answer = NULL;

    (void)state;
    world_register_cp(s.w, "MAD", "Madrid", 54);
    world_register_driver(s.w, "ana");
    s.mad = world_bring_up(s.w, "MAD");
    event.cp_id = world_cp("MAD");
    event.connection = s.mad;
    event.of.request.driver_id = world_driver("eve");
    assert_int_equal(request_id_parse("01H00000000000000000000001", &event.of.request.request_id), EV_OK);
    assert_int_equal(session_id_parse("01J00000000000000000000001", &event.new_session_id), EV_OK);
    world_step(s.w, &event);
    answer = world_said(s.w, MESSAGE_CHARGE_ANSWER);
    assert_non_null(answer);
    assert_false(answer->charge_answer.accepted);
    assert_int_equal(answer->charge_answer.reason, REASON_UNKNOWN_DRIVER);
    event.type = FLEET_CP_REQUEST;
    event.of.request.driver_id = world_driver("ana");
    world_step(s.w, &event);
    answer = world_said(s.w, MESSAGE_CHARGE_ANSWER);
    assert_true(answer->charge_answer.accepted);
    assert_non_null(world_said(s.w, MESSAGE_AUTHORISE));
    assert_non_null(strstr(world_audited(s.w, "session.authorise")->detail, "claimed by the charge point"));
    world_free(s.w);
}

static void a_driver_stops_its_own_session_and_no_other(void **state)
{
    struct scene s = charging();

    (void)state;
    world_stop_session(s.w, &s.session, "bob");
    assert_int_equal(s.w->answer.code, FLEET_ANSWER_NOT_FOUND);
    assert_null(world_said(s.w, MESSAGE_STOP));
    world_stop_session(s.w, &s.session, "ana");
    assert_int_equal(s.w->answer.code, FLEET_ANSWER_OK);
    assert_int_equal(world_said(s.w, MESSAGE_STOP)->stop.reason, STOP_DRIVER);
    assert_int_equal(state_of(&s), SESSION_CHARGING); /* ordered, not assumed */
    world_ended(s.w, "MAD", s.mad, &s.session, WH(2), STOP_DRIVER);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    world_stop_session(s.w, &s.session, "ana");
    assert_int_equal(s.w->answer.code, FLEET_ANSWER_CONFLICT);
    world_free(s.w);
}

static void a_stop_while_preparing_cancels(void **state)
{
    struct scene s = preparing();

    (void)state;
    world_stop_session(s.w, &s.session, NULL);
    assert_int_equal(world_said(s.w, MESSAGE_CANCEL)->cancel.reason, REASON_ADMIN);
    assert_int_equal(state_of(&s), SESSION_PREPARING);
    world_reservation_ended(s.w, "MAD", s.mad, &s.session, MESSAGE_RESERVATION_CANCELLED);
    assert_int_equal(state_of(&s), SESSION_CANCELLED);
    assert_string_equal(world_session(s.w, &s.session)->reason, "admin");
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    world_free(s.w);
}

static void a_reservation_that_nobody_used_expires(void **state)
{
    struct scene s = preparing();

    (void)state;
    world_wait(s.w, 60000);
    assert_int_equal(state_of(&s), SESSION_PREPARING); /* the monitor's clock counts */
    world_reservation_ended(s.w, "MAD", s.mad, &s.session, MESSAGE_RESERVATION_EXPIRED);
    assert_int_equal(state_of(&s), SESSION_EXPIRED);
    assert_string_equal(world_session(s.w, &s.session)->reason, "not_plugged_in");
    world_free(s.w);
}

static void a_monitor_that_forgets_a_reservation_blocks_nobody_for_ever(void **state)
{
    struct scene s = preparing();
    struct session_id next;

    (void)state;
    world_wait(s.w, 80000);
    assert_int_equal(state_of(&s), SESSION_EXPIRED);
    next = world_request(s.w, "ana", "MAD", "2");
    assert_int_equal(world_session(s.w, &next)->state, SESSION_PREPARING);
    world_free(s.w);
}

static void a_cut_never_ends_a_supply(void **state)
{
    struct scene s = charging();

    (void)state;
    world_disconnect(s.w, "MAD", s.mad);
    assert_int_equal(world_state(s.w, "MAD"), CP_OFFLINE);
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    for (unsigned i = 1; i <= 30; i++) { /* half an hour, telemetry goes on */
        world_wait(s.w, 60000);
        world_sample(s.w, "MAD", &s.session, WH(300) * i, STOP_NONE);
    }
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    world_sample(s.w, "MAD", &s.session, WH(9100), STOP_MONITOR_LOST);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 9100);
    world_free(s.w);
}

static void a_supply_out_of_sight_settles_on_the_last_meter(void **state)
{
    struct scene s = charging();

    (void)state;
    world_wait(s.w, 60000);
    world_sample(s.w, "MAD", &s.session, WH(200), STOP_NONE);
    world_disconnect(s.w, "MAD", s.mad);
    world_wait(s.w, 890000);
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    world_wait(s.w, 20000);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 200);
    world_free(s.w);
}

static void an_engine_that_falls_silent_frees_the_driver_and_settles_with_its_journal(void **state)
{
    struct scene s = charging();
    struct message_status status = {.engine_ok = false};
    struct session_id next;

    (void)state;
    world_register_cp(s.w, "BCN", "Barcelona", 40);
    (void)world_bring_up(s.w, "BCN");
    world_wait(s.w, 60000);
    world_sample(s.w, "MAD", &s.session, WH(100), STOP_NONE);
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_state(s.w, "MAD"), CP_FAULTED);
    assert_int_equal(state_of(&s), SESSION_SETTLING);
    next = world_request(s.w, "ana", "BCN", "2");
    assert_int_equal(world_session(s.w, &next)->state, SESSION_PREPARING);
    world_wait(s.w, 30000);
    world_ended(s.w, "MAD", s.mad, &s.session, WH(130), STOP_ENGINE_LOST);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 130);
    assert_int_equal(world_session(s.w, &next)->state, SESSION_PREPARING);
    world_free(s.w);
}

static void settling_ends_on_the_last_meter_when_no_journal_comes(void **state)
{
    struct scene s = charging();
    struct message_status status = {.engine_ok = false};

    (void)state;
    world_wait(s.w, 60000);
    world_sample(s.w, "MAD", &s.session, WH(100), STOP_NONE);
    world_status(s.w, "MAD", s.mad, &status);
    world_wait(s.w, 899000);
    assert_int_equal(state_of(&s), SESSION_SETTLING);
    world_wait(s.w, 2000);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 100);
    world_ended(s.w, "MAD", s.mad, &s.session, WH(130), STOP_ENGINE_LOST);
    assert_non_null(world_audited(s.w, "late_meter"));
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 100);
    world_free(s.w);
}

static void a_stop_of_an_offline_supply_frees_the_driver_and_is_repeated_at_the_sync(void **state)
{
    struct scene s = charging();
    struct message_status status = world_idle();
    struct session_id next;

    (void)state;
    world_disconnect(s.w, "MAD", s.mad);
    world_stop_session(s.w, &s.session, "ana");
    assert_int_equal(s.w->answer.code, FLEET_ANSWER_OK);
    assert_int_equal(state_of(&s), SESSION_SETTLING);
    world_register_cp(s.w, "BCN", "Barcelona", 40);
    (void)world_bring_up(s.w, "BCN");
    next = world_request(s.w, "ana", "BCN", "2");
    assert_int_equal(world_session(s.w, &next)->state, SESSION_PREPARING);
    s.mad = world_hello(s.w, "MAD", false);
    status.plugged = true;
    status.supply = CP_SUPPLY_CHARGING;
    status.session_id = s.session;
    world_status(s.w, "MAD", s.mad, &status);
    assert_non_null(world_said(s.w, MESSAGE_STOP));
    assert_int_equal(world_said(s.w, MESSAGE_STOP)->stop.reason, STOP_DRIVER);
    world_wait(s.w, 60000);
    world_ended(s.w, "MAD", s.mad, &s.session, WH(50), STOP_DRIVER);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 50);
    world_free(s.w);
}

static void a_stop_that_was_ordered_survives_a_restart_of_central(void **state)
{
    struct scene s = charging();
    struct message_status status = world_idle();

    (void)state;
    world_stop_session(s.w, &s.session, "ana");
    world_restart(s.w);
    assert_int_equal(world_state(s.w, "MAD"), CP_OFFLINE);
    s.mad = world_hello(s.w, "MAD", false);
    status.plugged = true;
    status.supply = CP_SUPPLY_CHARGING;
    status.session_id = s.session;
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_said(s.w, MESSAGE_STOP)->stop.reason, STOP_DRIVER);
    assert_int_equal(world_state(s.w, "MAD"), CP_CHARGING);
    world_free(s.w);
}

static void a_restart_of_central_keeps_a_running_supply(void **state)
{
    struct scene s = charging();
    struct message_status status = world_idle();

    (void)state;
    world_wait(s.w, 60000);
    world_sample(s.w, "MAD", &s.session, WH(100), STOP_NONE);
    world_restart(s.w);
    world_sample(s.w, "MAD", &s.session, WH(150), STOP_NONE);
    assert_int_equal(s.w->refused, EV_OK);
    s.mad = world_hello(s.w, "MAD", false);
    status.plugged = true;
    status.supply = CP_SUPPLY_CHARGING;
    status.session_id = s.session;
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_state(s.w, "MAD"), CP_CHARGING);
    assert_null(world_said(s.w, MESSAGE_STOP));
    world_ended(s.w, "MAD", s.mad, &s.session, WH(160), STOP_TARGET);
    assert_int_equal(world_session(s.w, &s.session)->energy_wh, 160);
    world_free(s.w);
}

static void a_supply_that_started_while_central_was_away_is_taken_over(void **state)
{
    struct scene s = preparing();
    struct message_status status = world_idle();

    (void)state;
    world_restart(s.w);
    world_wait(s.w, 10000);
    s.mad = world_hello(s.w, "MAD", false);
    status.plugged = true;
    status.supply = CP_SUPPLY_CHARGING;
    status.session_id = s.session;
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    world_free(s.w);
}

static void a_reservation_that_the_engine_does_not_run_is_cancelled_at_the_sync(void **state)
{
    struct scene s = preparing();

    (void)state;
    world_disconnect(s.w, "MAD", s.mad);
    s.mad = world_bring_up(s.w, "MAD");
    assert_int_equal(state_of(&s), SESSION_CANCELLED);
    assert_string_equal(world_session(s.w, &s.session)->reason, "control_lost");
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    world_free(s.w);
}

static void a_supply_that_the_engine_does_not_run_any_more_settles(void **state)
{
    struct scene s = charging();

    (void)state;
    world_disconnect(s.w, "MAD", s.mad);
    s.mad = world_bring_up(s.w, "MAD");
    assert_int_equal(state_of(&s), SESSION_SETTLING);
    world_free(s.w);
}

static void a_reservation_at_a_charge_point_that_stays_away_is_given_up(void **state)
{
    struct scene s = preparing();

    (void)state;
    world_disconnect(s.w, "MAD", s.mad);
    world_wait(s.w, 70000);
    assert_int_equal(state_of(&s), SESSION_PREPARING);
    world_wait(s.w, 10000);
    assert_int_equal(state_of(&s), SESSION_CANCELLED);
    world_free(s.w);
}

static void a_sample_tells_of_a_start_that_control_could_not(void **state)
{
    struct scene s = preparing();

    (void)state;
    world_disconnect(s.w, "MAD", s.mad);
    world_wait(s.w, 5000);
    world_sample(s.w, "MAD", &s.session, WH(10), STOP_NONE);
    assert_int_equal(state_of(&s), SESSION_CHARGING);
    assert_int_equal(world_session(s.w, &s.session)->energy_wms, WH(10));
    world_free(s.w);
}

static void a_fault_ends_the_supply_and_the_report_gives_the_meter(void **state)
{
    struct scene s = charging();
    struct message_status status = world_idle();

    (void)state;
    status.sync = false;
    (void)strcpy(status.fault, "connector jammed");
    world_status(s.w, "MAD", s.mad, &status);
    assert_int_equal(world_state(s.w, "MAD"), CP_FAULTED);
    assert_int_equal(state_of(&s), SESSION_SETTLING);
    assert_non_null(world_audited(s.w, "cp.fault"));
    world_ended(s.w, "MAD", s.mad, &s.session, WH(1), STOP_FAULT);
    assert_int_equal(state_of(&s), SESSION_FINISHED);
    status.fault[0] = '\0';
    world_status(s.w, "MAD", s.mad, &status);
    assert_non_null(world_audited(s.w, "cp.repaired"));
    assert_int_equal(world_state(s.w, "MAD"), CP_AVAILABLE);
    world_free(s.w);
}

static void the_price_of_a_session_is_that_of_its_request(void **state)
{
    struct scene s = charging();
    struct fleet_event event = {.type = FLEET_ORDER_PRICE};

    (void)state;
    event.cp_id = world_cp("MAD");
    event.of.price_cents_per_kwh = 99;
    world_step(s.w, &event);
    assert_int_equal(s.w->answer.code, FLEET_ANSWER_OK);
    assert_non_null(world_effect(s.w, FLEET_EFFECT_PUBLISH_STATUS));
    assert_int_equal(world_said(s.w, MESSAGE_NOTICE)->notice.price_cents_per_kwh, 99);
    world_wait(s.w, 600000);
    world_ended(s.w, "MAD", s.mad, &s.session, WH(1000), STOP_TARGET);
    assert_int_equal(world_session(s.w, &s.session)->cost_cents, 54);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_becomes_a_ticket),
        cmocka_unit_test(an_ended_supply_shows_finishing_until_the_car_is_unplugged),
        cmocka_unit_test(a_car_that_is_plugged_in_beforehand_leaves_it_available),
        cmocka_unit_test(the_final_sample_settles_and_the_journal_changes_nothing),
        cmocka_unit_test(a_journal_of_a_session_that_nobody_knows_drains_too),
        cmocka_unit_test(a_charge_point_cannot_end_the_session_of_another),
        cmocka_unit_test(a_meter_beyond_belief_is_refused_and_audited_once),
        cmocka_unit_test(a_wall_clock_that_is_set_back_refuses_no_meter),
        cmocka_unit_test(the_same_request_gets_the_same_answer),
        cmocka_unit_test(a_driver_and_a_charge_point_are_busy_with_one_session),
        cmocka_unit_test(what_cannot_be_is_refused_in_words),
        cmocka_unit_test(a_request_that_kafka_held_is_expired),
        cmocka_unit_test(the_charge_points_own_request_is_audited_as_its_claim),
        cmocka_unit_test(a_driver_stops_its_own_session_and_no_other),
        cmocka_unit_test(a_stop_while_preparing_cancels),
        cmocka_unit_test(a_reservation_that_nobody_used_expires),
        cmocka_unit_test(a_monitor_that_forgets_a_reservation_blocks_nobody_for_ever),
        cmocka_unit_test(a_cut_never_ends_a_supply),
        cmocka_unit_test(a_supply_out_of_sight_settles_on_the_last_meter),
        cmocka_unit_test(an_engine_that_falls_silent_frees_the_driver_and_settles_with_its_journal),
        cmocka_unit_test(settling_ends_on_the_last_meter_when_no_journal_comes),
        cmocka_unit_test(a_stop_of_an_offline_supply_frees_the_driver_and_is_repeated_at_the_sync),
        cmocka_unit_test(a_stop_that_was_ordered_survives_a_restart_of_central),
        cmocka_unit_test(a_restart_of_central_keeps_a_running_supply),
        cmocka_unit_test(a_supply_that_started_while_central_was_away_is_taken_over),
        cmocka_unit_test(a_reservation_that_the_engine_does_not_run_is_cancelled_at_the_sync),
        cmocka_unit_test(a_supply_that_the_engine_does_not_run_any_more_settles),
        cmocka_unit_test(a_reservation_at_a_charge_point_that_stays_away_is_given_up),
        cmocka_unit_test(a_sample_tells_of_a_start_that_control_could_not),
        cmocka_unit_test(a_fault_ends_the_supply_and_the_report_gives_the_meter),
        cmocka_unit_test(the_price_of_a_session_is_that_of_its_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
