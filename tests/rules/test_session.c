/* One session: each transition by hand, then any sequence of events: energy never falls, the cost is the
 * contract's formula, and what has ended never changes. */
#include "common/rules/session.h"
#include "tests/rules/cmocka_all.h"
#include "tests/rules/rng.h"

#include <string.h>

#define WH ENERGY_WMS_PER_WH

static struct session requested(uint32_t price_cents_per_kwh)
{
    static const struct session_id id = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    static const struct request_id request_id = {"01ARZ3NDEKTSV4RRFFQ69G5FAW"};
    static const struct cp_id cp_id = {"MAD-01"};
    static const struct driver_id driver_id = {"DRV-1"};
    struct session session;

    assert_int_equal(
        session_init(&session, &id, &request_id, &cp_id, &driver_id, price_cents_per_kwh, 0, 1000), EV_OK);
    return session;
}

static struct session preparing(void)
{
    struct session session = requested(54);

    assert_int_equal(session_begin_preparing(&session, 2000, 22000, 60), EV_OK);
    return session;
}

static struct session charging(void)
{
    struct session session = preparing();

    assert_int_equal(session_start(&session, 3000), EV_OK);
    return session;
}

static void test_a_charge_from_request_to_ticket(void **state)
{
    struct session session = charging();
    struct ticket ticket;
    enum meter_effect effect = METER_SAME;

    (void)state;
    assert_int_equal(session_apply_meter(&session, 600000, 7 * WH, &effect), EV_OK);
    assert_int_equal(effect, METER_RAISED);
    assert_int_equal(session_settle(&session, 600000, 12345 * WH + WH - 1, STOP_TARGET, &ticket), EV_OK);
    assert_int_equal(session.state, SESSION_FINISHED);
    assert_int_equal(ticket.energy_wh, 12345);
    assert_int_equal(ticket.cost_cents, (12345 * 54 + 500) / 1000);
    assert_int_equal(ticket.cost_cents, session.cost_cents);
    assert_int_equal(ticket.stop_reason, STOP_TARGET);
    assert_int_equal(ticket.started_ms, 3000);
    assert_int_equal(ticket.ended_ms, 600000);
    assert_string_equal(ticket.cp_id.text, "MAD-01");
    assert_string_equal(ticket.driver_id.text, "DRV-1");
    assert_string_equal(ticket.session_id.text, session.id.text);
}

static void test_energy_rounds_down_and_money_rounds_once_half_up(void **state)
{
    static const struct {
        uint64_t energy_wh;
        uint32_t price;
        uint64_t cents;
    } rows[] = {{0, 54, 0},
                {1, 54, 0},
                {9, 54, 0},
                {10, 54, 1},
                {999, 1, 1},
                {499, 1, 0},
                {500, 1, 1},
                {1000, 54, 54},
                {1500, 33, 50},
                {12345, 54, 667},
                {ENERGY_WH_MAX, PRICE_CENTS_PER_KWH_MAX, UINT64_C(1000000000000)}};
    uint64_t cents = 7;
    uint64_t wms = 7;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(energy_cost_cents(rows[i].energy_wh, rows[i].price, &cents), EV_OK);
        assert_int_equal(cents, rows[i].cents);
    }
    cents = 7;
    assert_int_equal(energy_cost_cents(ENERGY_WH_MAX + 1, 1, &cents), EV_ERR_RANGE);
    assert_int_equal(energy_cost_cents(1, PRICE_CENTS_PER_KWH_MAX + 1, &cents), EV_ERR_RANGE);
    assert_int_equal(energy_cost_cents(UINT64_MAX, UINT32_MAX, &cents), EV_ERR_RANGE);
    assert_int_equal(cents, 7);
    assert_int_equal(energy_wh_from_wms(WH - 1), 0);
    assert_int_equal(energy_wh_from_wms(WH), 1);
    assert_int_equal(energy_wms_from_wh(ENERGY_WH_MAX + 1, &wms), EV_ERR_RANGE);
    assert_int_equal(wms, 7);
    assert_int_equal(energy_wms_from_wh(ENERGY_WH_MAX, &wms), EV_OK);
    assert_int_equal(wms, ENERGY_WMS_MAX);
}

static void test_power_over_time_saturates_instead_of_overflowing(void **state)
{
    (void)state;
    assert_int_equal(energy_wms_of_power(22000, 60, 1000), UINT64_C(22000) * 60 * 1000);
    assert_int_equal(energy_wms_of_power(0, 60, UINT64_MAX), 0);
    assert_int_equal(energy_wms_of_power(UINT32_MAX, UINT32_MAX, UINT64_MAX), ENERGY_WMS_MAX);
    assert_int_equal(energy_wms_of_power(1, 1, UINT64_MAX), ENERGY_WMS_MAX);
}

static void test_a_lower_meter_is_ignored_and_said(void **state)
{
    struct session session = charging();
    enum meter_effect effect = METER_RAISED;
    struct ticket ticket;

    (void)state;
    assert_int_equal(session_apply_meter(&session, 60000, 100 * WH, &effect), EV_OK);
    assert_int_equal(session_apply_meter(&session, 61000, 99 * WH, &effect), EV_OK);
    assert_int_equal(effect, METER_LOWER_IGNORED);
    assert_int_equal(session_apply_meter(&session, 61000, 100 * WH, &effect), EV_OK);
    assert_int_equal(effect, METER_SAME);
    assert_int_equal(session_energy_wh(&session), 100);
    assert_int_equal(session_settle(&session, 62000, 98 * WH, STOP_UNPLUGGED, &ticket), EV_OK);
    assert_int_equal(ticket.energy_wh, 100);
}

static void test_a_meter_beyond_power_times_speed_is_refused(void **state)
{
    struct session session = charging();
    struct session before = session;
    const int64_t now = 12000;
    /* 10 s since it was reserved and 5 s of slack, at 22 kW x 60, and 1 Wh */
    const uint64_t bound = UINT64_C(22000) * 60 * 15000 + WH;
    enum meter_effect effect = METER_SAME;
    struct ticket ticket;

    (void)state;
    assert_int_equal(session_meter_bound(&session, now), bound);
    assert_int_equal(session_apply_meter(&session, now, bound + 1, &effect), EV_ERR_RANGE);
    assert_int_equal(session_apply_meter(&session, now, UINT64_MAX, &effect), EV_ERR_RANGE);
    assert_int_equal(session_settle(&session, now, bound + 1, STOP_TARGET, &ticket), EV_ERR_RANGE);
    assert_memory_equal(&session, &before, sizeof session);
    assert_int_equal(session_apply_meter(&session, now, bound, &effect), EV_OK);
    /* clocks that make no sense do not open the bound, nor overflow */
    assert_int_equal(session_meter_bound(&session, INT64_MIN), UINT64_C(22000) * 60 * 5000 + WH);
    assert_int_equal(session_meter_bound(&session, INT64_MAX), ENERGY_WMS_MAX);
}

static void test_settling_bills_the_report_that_comes_in_time(void **state)
{
    struct session session = charging();
    struct ticket ticket;
    enum meter_effect effect = METER_SAME;

    (void)state;
    assert_int_equal(session_apply_meter(&session, 60000, 100 * WH, &effect), EV_OK);
    assert_int_equal(session_enter_settling(&session, 61000, STOP_ENGINE_LOST), EV_OK);
    assert_false(session_is_open(&session));
    assert_false(session_is_ended(&session));
    /* a sample that Kafka held still counts */
    assert_int_equal(session_apply_meter(&session, 62000, 101 * WH, &effect), EV_OK);
    assert_int_equal(session_settle_deadline(&session, 61000 + 899999, 900000, &ticket), EV_ERR_AGAIN);
    assert_int_equal(session_settle(&session, 800000, 103 * WH, STOP_UNPLUGGED, &ticket), EV_OK);
    assert_int_equal(ticket.energy_wh, 103);
    assert_int_equal(ticket.stop_reason, STOP_UNPLUGGED);
}

static void test_after_the_deadline_the_last_applied_meter_is_billed_and_a_late_one_is_not(void **state)
{
    struct session session = charging();
    struct session before;
    struct ticket ticket;
    enum meter_effect effect = METER_SAME;

    (void)state;
    assert_int_equal(session_apply_meter(&session, 60000, 100 * WH, &effect), EV_OK);
    assert_int_equal(session_enter_settling(&session, 61000, STOP_ENGINE_LOST), EV_OK);
    assert_int_equal(session_settle_deadline(&session, 0, 900000, &ticket), EV_ERR_AGAIN);
    assert_int_equal(session_settle_deadline(&session, 61000 + 900000, 900000, &ticket), EV_OK);
    assert_int_equal(ticket.energy_wh, 100);
    assert_int_equal(ticket.stop_reason, STOP_ENGINE_LOST);
    before = session;
    assert_int_equal(session_settle(&session, 2000000, 500 * WH, STOP_UNPLUGGED, &ticket), EV_ERR_STATE);
    assert_int_equal(session_apply_meter(&session, 2000000, 500 * WH, &effect), EV_ERR_STATE);
    assert_memory_equal(&session, &before, sizeof session);
    assert_int_equal(ticket.energy_wh, 100);
}

static void test_revoke_issues_the_ticket_at_once(void **state)
{
    struct session session = charging();
    struct ticket ticket;
    enum meter_effect effect = METER_SAME;

    (void)state;
    assert_int_equal(session_apply_meter(&session, 60000, 100 * WH, &effect), EV_OK);
    assert_int_equal(session_revoke(&session, 60500, &ticket), EV_OK);
    assert_int_equal(ticket.energy_wh, 100);
    assert_int_equal(ticket.stop_reason, STOP_REVOKED);
    assert_int_equal(session_revoke(&session, 60600, &ticket), EV_ERR_STATE);
    session = charging();
    assert_int_equal(session_enter_settling(&session, 61000, STOP_FAULT), EV_OK);
    assert_int_equal(session_revoke(&session, 61000, &ticket), EV_OK);
    session = preparing();
    assert_int_equal(session_revoke(&session, 61000, &ticket), EV_ERR_STATE);
}

static void test_a_report_whose_start_was_never_seen_settles(void **state)
{
    struct session session = preparing();
    struct ticket ticket;

    (void)state;
    assert_int_equal(session_settle(&session, 60000, 50 * WH, STOP_UNPLUGGED, &ticket), EV_OK);
    assert_int_equal(ticket.energy_wh, 50);
    assert_int_equal(ticket.started_ms, session.prepared_ms);
    session = requested(54);
    assert_int_equal(session_settle(&session, 60000, 0, STOP_UNPLUGGED, &ticket), EV_ERR_STATE);
}

static void test_sessions_that_never_got_supply(void **state)
{
    struct session session = requested(54);

    (void)state;
    assert_int_equal(session_reject(&session, 2000, REASON_NOT_PLUGGED_IN), EV_ERR_RANGE);
    assert_int_equal(session_reject(&session, 2000, REASON_NONE), EV_ERR_RANGE);
    assert_int_equal(session_reject(&session, 2000, REASON_CP_OFFLINE), EV_OK);
    assert_int_equal(session.state, SESSION_REJECTED);
    assert_int_equal(session.reason, REASON_CP_OFFLINE);
    assert_int_equal(session.ended_ms, 2000);
    session = preparing();
    assert_int_equal(session_reject(&session, 2000, REASON_CP_OFFLINE), EV_ERR_STATE);
    assert_int_equal(session_expire(&session, 62000, REASON_FAULT), EV_ERR_RANGE);
    assert_int_equal(session_expire(&session, 62000, REASON_NOT_PLUGGED_IN), EV_OK);
    assert_int_equal(session.state, SESSION_EXPIRED);
    session = preparing();
    assert_int_equal(session_cancel(&session, 3000, REASON_CP_OFFLINE), EV_ERR_RANGE);
    assert_int_equal(session_cancel(&session, 3000, REASON_WEATHER), EV_OK);
    assert_int_equal(session.state, SESSION_CANCELLED);
    session = charging();
    assert_int_equal(session_cancel(&session, 3000, REASON_WEATHER), EV_ERR_STATE);
}

static void test_the_outcome_follows_from_the_reason(void **state)
{
    struct session session = preparing();

    (void)state;
    assert_int_equal(session_end_unsupplied(&session, 3000, REASON_NOT_PLUGGED_IN), EV_OK);
    assert_int_equal(session.state, SESSION_EXPIRED);
    session = preparing();
    assert_int_equal(session_end_unsupplied(&session, 3000, REASON_CP_REFUSED), EV_OK);
    assert_int_equal(session.state, SESSION_CANCELLED);
    session = preparing();
    assert_int_equal(session_end_unsupplied(&session, 3000, REASON_FAULT), EV_OK);
    assert_int_equal(session.state, SESSION_CANCELLED);
    session = requested(54);
    assert_int_equal(session_end_unsupplied(&session, 3000, REASON_DRIVER_BUSY), EV_OK);
    assert_int_equal(session.state, SESSION_REJECTED);
    session = requested(54);
    assert_int_equal(session_end_unsupplied(&session, 3000, REASON_REQUEST_TOO_OLD), EV_OK);
    assert_int_equal(session.state, SESSION_EXPIRED);
    session = preparing();
    assert_int_equal(session_end_unsupplied(&session, 3000, REASON_NONE), EV_ERR_RANGE);
    assert_int_equal(session.state, SESSION_PREPARING);
}

static void test_bounds_of_what_a_session_is_made_of(void **state)
{
    struct session session = requested(54);
    struct session before = session;

    (void)state;
    assert_int_equal(session_begin_preparing(&session, 1, 0, 1), EV_ERR_RANGE);
    assert_int_equal(session_begin_preparing(&session, 1, ENERGY_POWER_W_MAX + 1, 1), EV_ERR_RANGE);
    assert_int_equal(session_begin_preparing(&session, 1, 1, 0), EV_ERR_RANGE);
    assert_int_equal(session_begin_preparing(&session, 1, 1, ENERGY_SPEED_MAX + 1), EV_ERR_RANGE);
    assert_int_equal(session_init(&session, &before.id, &before.request_id, &before.cp_id, &before.driver_id,
                                  PRICE_CENTS_PER_KWH_MAX + 1, 0, 1),
                     EV_ERR_RANGE);
    assert_int_equal(session_init(&session, &before.id, &before.request_id, &before.cp_id, &before.driver_id,
                                  1, (uint32_t)ENERGY_WH_MAX + 1, 1),
                     EV_ERR_RANGE);
    assert_memory_equal(&session, &before, sizeof session);
    session = charging();
    assert_int_equal(session_enter_settling(&session, 1, STOP_NONE), EV_ERR_RANGE);
    assert_int_equal(session_enter_settling(&session, 1, STOP_REASON_COUNT), EV_ERR_RANGE);
    assert_int_equal(session.state, SESSION_CHARGING);
}

/* -- any sequence of events -- */

struct run {
    struct session session;
    int64_t now_ms;
    unsigned tickets;
};

/* One event of any kind with arguments that are sometimes wrong. */
static enum ev_err random_event(struct rng *rng, struct run *run, struct ticket *ret_ticket,
                                bool *ret_ticketed)
{
    struct session *session = &run->session;
    uint64_t meter = rng_below(rng, 4) == 0 ? rng_next(rng)
                                            : rng_below(rng, session_meter_bound(session, run->now_ms) + 2);
    enum stop_reason stop = (enum stop_reason)rng_below(rng, STOP_REASON_COUNT + 1);
    enum session_reason reason = (enum session_reason)rng_below(rng, SESSION_REASON_COUNT + 1);
    enum meter_effect effect = METER_SAME;
    enum ev_err err = EV_OK;

    switch (rng_below(rng, 16)) {
    case 0:
        return session_begin_preparing(session, run->now_ms, (uint32_t)rng_below(rng, 200000),
                                       (uint32_t)rng_below(rng, 100));
    case 1:
        return session_start(session, run->now_ms);
    case 2:
        return session_enter_settling(session, run->now_ms, stop);
    case 3:
        err = session_settle(session, run->now_ms, meter, stop, ret_ticket);
        *ret_ticketed = err == EV_OK;
        return err;
    case 4:
        err = session_settle_deadline(session, run->now_ms, 900000, ret_ticket);
        *ret_ticketed = err == EV_OK;
        return err;
    case 5:
        err = rng_below(rng, 8) == 0 ? session_revoke(session, run->now_ms, ret_ticket) : EV_ERR_STATE;
        *ret_ticketed = err == EV_OK;
        return err;
    case 6:
        return rng_below(rng, 8) == 0 ? session_end_unsupplied(session, run->now_ms, reason) : EV_ERR_STATE;
    case 7:
        return rng_below(rng, 8) == 0 ? session_reject(session, run->now_ms, reason) : EV_ERR_STATE;
    case 8:
        return rng_below(rng, 8) == 0 ? session_cancel(session, run->now_ms, reason) : EV_ERR_STATE;
    default:
        return session_apply_meter(session, run->now_ms, meter, &effect);
    }
}

static void check_ticket(const struct session *session, const struct ticket *ticket)
{
    assert_int_equal(session->state, SESSION_FINISHED);
    assert_int_equal(ticket->energy_wh, session->energy_wms / 3600000);
    assert_int_equal(ticket->cost_cents, (ticket->energy_wh * session->price_cents_per_kwh + 500) / 1000);
    assert_int_equal(session->cost_cents, ticket->cost_cents);
    assert_int_equal(session_cost_now(session), ticket->cost_cents);
    assert_int_not_equal(ticket->stop_reason, STOP_NONE);
    assert_true(session->started_ms != 0);
}

static void any_sequence(struct rng *rng)
{
    for (int i = 0; i < 300; i++) {
        struct run run = {.session = requested((uint32_t)rng_below(rng, 1000)), .now_ms = 1000};

        for (int event = 0; event < 60; event++) {
            struct session before = run.session;
            struct ticket ticket;
            bool ticketed = false;
            enum ev_err err;

            run.now_ms += (int64_t)rng_below(rng, 60000);
            err = random_event(rng, &run, &ticket, &ticketed);
            assert_true(run.session.energy_wms >= before.energy_wms);
            assert_true(run.session.state >= before.state);
            if (err != EV_OK || session_is_ended(&before)) {
                assert_int_not_equal(err, EV_OK);
                assert_memory_equal(&before, &run.session, sizeof before);
            }
            if (ticketed) {
                run.tickets++;
                check_ticket(&run.session, &ticket);
            }
            assert_true((run.session.state >= SESSION_REJECTED) == (run.session.reason != REASON_NONE));
            assert_true(session_is_ended(&run.session) == (run.session.ended_ms != 0));
        }
        assert_true(run.tickets == (run.session.state == SESSION_FINISHED ? 1U : 0U));
    }
}

static void test_any_sequence_of_events(void **state)
{
    (void)state;
    rng_run_seeds("any_sequence", any_sequence);
}

static void test_texts_are_the_contracts_and_go_both_ways(void **state)
{
    static const char *const stops[] = {"",
                                        "unplugged",
                                        "target",
                                        "battery_full",
                                        "driver",
                                        "admin",
                                        "weather",
                                        "maintenance",
                                        "fault",
                                        "revoked",
                                        "key_dropped",
                                        "deregistered",
                                        "monitor_lost",
                                        "engine_lost"};
    static const char *const states[] = {"requested", "preparing", "charging", "settling",
                                         "finished",  "rejected",  "expired",  "cancelled"};
    enum stop_reason stop = STOP_NONE;
    enum session_state session_state = SESSION_REQUESTED;
    enum session_reason reason = REASON_NONE;

    (void)state;
    assert_int_equal(sizeof stops / sizeof stops[0], STOP_REASON_COUNT);
    assert_int_equal(sizeof states / sizeof states[0], SESSION_STATE_COUNT);
    for (int i = 0; i < STOP_REASON_COUNT; i++) {
        assert_string_equal(stop_reason_text((enum stop_reason)i), stops[i]);
        assert_int_equal(stop_reason_parse(stops[i], &stop), EV_OK);
        assert_int_equal(stop, i);
        assert_int_not_equal(session_reason_of_stop((enum stop_reason)i), REASON_NONE);
    }
    for (int i = 0; i < SESSION_STATE_COUNT; i++) {
        assert_string_equal(session_state_text((enum session_state)i), states[i]);
        assert_int_equal(session_state_parse(states[i], &session_state), EV_OK);
        assert_int_equal(session_state, i);
    }
    assert_int_equal(stop_reason_parse("Driver", &stop), EV_ERR_PARSE);
    assert_int_equal(stop_reason_parse(NULL, &stop), EV_ERR_PARSE);
    assert_int_equal(session_state_parse("", &session_state), EV_ERR_PARSE);
    assert_int_equal(session_reason_parse("no such", &reason), EV_ERR_PARSE);
    assert_int_equal(session_reason_of_stop(STOP_DRIVER), REASON_DRIVER);
    assert_int_equal(session_reason_of_stop(STOP_TARGET), REASON_CP_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_charge_from_request_to_ticket),
        cmocka_unit_test(test_energy_rounds_down_and_money_rounds_once_half_up),
        cmocka_unit_test(test_power_over_time_saturates_instead_of_overflowing),
        cmocka_unit_test(test_a_lower_meter_is_ignored_and_said),
        cmocka_unit_test(test_a_meter_beyond_power_times_speed_is_refused),
        cmocka_unit_test(test_settling_bills_the_report_that_comes_in_time),
        cmocka_unit_test(test_after_the_deadline_the_last_applied_meter_is_billed_and_a_late_one_is_not),
        cmocka_unit_test(test_revoke_issues_the_ticket_at_once),
        cmocka_unit_test(test_a_report_whose_start_was_never_seen_settles),
        cmocka_unit_test(test_sessions_that_never_got_supply),
        cmocka_unit_test(test_the_outcome_follows_from_the_reason),
        cmocka_unit_test(test_bounds_of_what_a_session_is_made_of),
        cmocka_unit_test(test_any_sequence_of_events),
        cmocka_unit_test(test_texts_are_the_contracts_and_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
