/* The monitor's decisions on a virtual clock: who is told what, when, and what a lost peer changes. */
#include "tests/rules/cmocka_all.h"

#include "cp_monitor/controller.h"

#include <stdio.h>
#include <string.h>

#define SESSION_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define SESSION_B "01HZZZZZZZZZZZZZZZZZZZZZZB"
#define HEARTBEAT_MS 5000

struct bench {
    struct controller controller;
    struct cp_id cp_id;
    int64_t now_ms;
    struct controller_effects last;
};

static struct session_id session_of(const char *text)
{
    struct session_id id;

    assert_int_equal(session_id_parse(text, &id), EV_OK);
    return id;
}

static void step(struct bench *bench, struct controller_event event)
{
    char buf[MESSAGE_SIZE];
    size_t len = 0;

    event.mono_ms = bench->now_ms;
    if (event.text == NULL) {
        event.text = "";
    }
    controller_step(&bench->controller, &event, &bench->last);
    for (size_t i = 0; i < bench->last.count; i++) {
        const struct controller_effect *effect = &bench->last.items[i];
        if (effect->type == CONTROLLER_EFFECT_SEND_CENTRAL || effect->type == CONTROLLER_EFFECT_SEND_ENGINE) {
            assert_int_equal(message_encode(&effect->message, buf, sizeof buf, &len), EV_OK);
        }
    }
}

static void simple(struct bench *bench, enum controller_event_type type)
{
    step(bench, (struct controller_event){.type = type});
}

static struct message message_of(const struct bench *bench, enum message_type type)
{
    struct message message;

    message_init(&message, type, &bench->cp_id);
    return message;
}

static void from_central(struct bench *bench, const struct message *message)
{
    step(bench, (struct controller_event){.type = CONTROLLER_EVENT_CENTRAL, .message = message});
}

static void from_engine(struct bench *bench, const struct message *message)
{
    step(bench, (struct controller_event){.type = CONTROLLER_EVENT_ENGINE, .message = message});
}

static const struct controller_effect *effect_of(const struct bench *bench, enum controller_effect_type type)
{
    for (size_t i = 0; i < bench->last.count; i++) {
        if (bench->last.items[i].type == type) {
            return &bench->last.items[i];
        }
    }
    return NULL;
}

static const struct message *told(const struct bench *bench, enum controller_effect_type whom,
                                  enum message_type type)
{
    for (size_t i = 0; i < bench->last.count; i++) {
        if (bench->last.items[i].type == whom && bench->last.items[i].message.type == type) {
            return &bench->last.items[i].message;
        }
    }
    return NULL;
}

static const struct message *to_central(const struct bench *bench, enum message_type type)
{
    return told(bench, CONTROLLER_EFFECT_SEND_CENTRAL, type);
}

static const struct message *to_engine(const struct bench *bench, enum message_type type)
{
    return told(bench, CONTROLLER_EFFECT_SEND_ENGINE, type);
}

static bool logged(const struct bench *bench, const char *event)
{
    for (size_t i = 0; i < bench->last.count; i++) {
        const struct controller_effect *effect = &bench->last.items[i];
        if (effect->type == CONTROLLER_EFFECT_LOG && strcmp(effect->log.event, event) == 0) {
            assert_string_not_equal(effect->log.text, "");
            return true;
        }
    }
    return false;
}

static struct bench *bench_new(struct bench *bench, bool enrolled, bool maintenance)
{
    memset(bench, 0, sizeof *bench);
    bench->now_ms = 100000;
    assert_int_equal(cp_id_parse("MAD", &bench->cp_id), EV_OK);
    controller_init(&bench->controller, &bench->cp_id, enrolled, maintenance, bench->now_ms, 0);
    return bench;
}

static void welcome(struct bench *bench)
{
    struct message message = message_of(bench, MESSAGE_WELCOME);

    message.welcome.heartbeat_ms = HEARTBEAT_MS;
    message.welcome.price_cents_per_kwh = 54;
    from_central(bench, &message);
}

static void connect_control(struct bench *bench)
{
    simple(bench, CONTROLLER_EVENT_RETRY);
    assert_non_null(effect_of(bench, CONTROLLER_EFFECT_DIAL));
    simple(bench, CONTROLLER_EVENT_CONTROL_UP);
    assert_non_null(to_central(bench, MESSAGE_HELLO));
    welcome(bench);
    assert_int_equal(bench->controller.control, CONTROLLER_CONTROL_READY);
}

static void engine_status(struct bench *bench, enum cp_supply supply, const char *session, bool sync)
{
    struct message message = message_of(bench, MESSAGE_STATUS);

    message.status.engine_ok = true;
    message.status.supply = supply;
    message.status.plugged = supply == CP_SUPPLY_CHARGING;
    if (session != NULL) {
        message.status.session_id = session_of(session);
    }
    message.status.sync = sync;
    message.status.max_power_w = 22000;
    message.status.speed = 1;
    message.status.battery_wh = 60000;
    from_engine(bench, &message);
}

/* Connected on both sides, idle. */
static struct bench *bench_ready(struct bench *bench)
{
    bench_new(bench, true, false);
    connect_control(bench);
    simple(bench, CONTROLLER_EVENT_ENGINE_UP);
    engine_status(bench, CP_SUPPLY_NONE, NULL, true);
    return bench;
}

static void authorise(struct bench *bench, const char *session)
{
    struct message message = message_of(bench, MESSAGE_AUTHORISE);

    message.authorise.session_id = session_of(session);
    message.authorise.prepare_ms = 60000;
    assert_int_equal(driver_id_parse("anna", &message.authorise.driver_id), EV_OK);
    from_central(bench, &message);
}

static struct bench *bench_reserved(struct bench *bench)
{
    bench_ready(bench);
    authorise(bench, SESSION_A);
    assert_non_null(to_engine(bench, MESSAGE_AUTHORISE));
    engine_status(bench, CP_SUPPLY_PREPARING, SESSION_A, false);
    return bench;
}

static struct bench *bench_charging(struct bench *bench)
{
    struct message started;

    bench_reserved(bench);
    started = message_of(bench, MESSAGE_SUPPLY_STARTED);
    started.supply_started.session_id = session_of(SESSION_A);
    started.supply_started.started_at_ms = 1;
    from_engine(bench, &started);
    assert_non_null(to_central(bench, MESSAGE_SUPPLY_STARTED));
    engine_status(bench, CP_SUPPLY_CHARGING, SESSION_A, false);
    return bench;
}

/* Both peers well, a tick each 100 ms. `answer`: the engine answers; `beat`: Central beats. */
static void run(struct bench *bench, int64_t ms, bool answer, bool beat)
{
    struct message health = message_of(bench, MESSAGE_HEALTH_ANSWER);
    struct message heartbeat = message_of(bench, MESSAGE_HEARTBEAT);

    health.health_answer.ok = true;
    for (int64_t end = bench->now_ms + ms; bench->now_ms < end;) {
        bench->now_ms += 100;
        if (beat) {
            from_central(bench, &heartbeat);
        }
        simple(bench, CONTROLLER_EVENT_TICK);
        if (answer && to_engine(bench, MESSAGE_HEALTH) != NULL) {
            from_engine(bench, &health);
        }
    }
}

static void it_registers_connects_and_asks_for_everything(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench, false, false);
    simple(&bench, CONTROLLER_EVENT_RETRY);
    assert_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL)); /* no certificate yet */
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CERTIFICATE});
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
    simple(&bench, CONTROLLER_EVENT_CONTROL_UP);
    assert_int_equal(to_central(&bench, MESSAGE_HELLO)->hello.cause, MESSAGE_CAUSE_AUTOMATIC);
    welcome(&bench);
    assert_false(to_central(&bench, MESSAGE_STATUS)->status.engine_ok); /* no engine yet */
    assert_false(to_central(&bench, MESSAGE_STATUS)->status.sync);
    simple(&bench, CONTROLLER_EVENT_ENGINE_UP);
    assert_non_null(to_engine(&bench, MESSAGE_ATTACH));
    engine_status(&bench, CP_SUPPLY_NONE, NULL, true);
    assert_true(to_central(&bench, MESSAGE_STATUS)->status.sync);
}

static void every_control_connection_replays_the_engine(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CONTROL_CLOSED, .text = "reset"});
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_RETRY_LATER));
    assert_true(logged(&bench, "central.lost"));
    engine_status(&bench, CP_SUPPLY_NONE, NULL, false);
    assert_null(to_central(&bench, MESSAGE_STATUS)); /* nobody to tell */
    simple(&bench, CONTROLLER_EVENT_RETRY);
    simple(&bench, CONTROLLER_EVENT_CONTROL_UP);
    engine_status(&bench, CP_SUPPLY_NONE, NULL, false);
    assert_null(to_central(&bench, MESSAGE_STATUS)); /* not before the welcome */
    welcome(&bench);
    assert_non_null(to_engine(&bench, MESSAGE_ATTACH));
}

static void nobody_plugs_in_for_sixty_seconds(void **state)
{
    struct bench bench;
    struct message ended;

    (void)state;
    bench_reserved(&bench);
    run(&bench, 59900, true, true);
    assert_true(session_id_is_set(&bench.controller.reservation.session_id));
    assert_false(bench.controller.reservation.cancelling);
    bench.now_ms += 100;
    simple(&bench, CONTROLLER_EVENT_TICK);
    assert_int_equal(to_engine(&bench, MESSAGE_CANCEL)->cancel.reason, REASON_NOT_PLUGGED_IN);
    assert_null(to_central(
        &bench, MESSAGE_RESERVATION_ENDED)); /* the engine has the last word: it may have started */
    ended = message_of(&bench, MESSAGE_RESERVATION_ENDED);
    ended.reservation_ended.session_id = session_of(SESSION_A);
    ended.reservation_ended.reason = MESSAGE_RESERVATION_EXPIRED;
    from_engine(&bench, &ended);
    assert_int_equal(to_central(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_EXPIRED);
    assert_false(session_id_is_set(&bench.controller.reservation.session_id));
}

static void a_start_beats_the_cancel_that_crosses_it(void **state)
{
    struct bench bench;
    struct message started;

    (void)state;
    bench_reserved(&bench);
    run(&bench, 60000, true, true);
    assert_true(bench.controller.reservation.cancelling);
    started = message_of(&bench, MESSAGE_SUPPLY_STARTED);
    started.supply_started.session_id = session_of(SESSION_A);
    started.supply_started.started_at_ms = 1;
    from_engine(&bench, &started);
    assert_non_null(to_central(&bench, MESSAGE_SUPPLY_STARTED));
    engine_status(&bench, CP_SUPPLY_CHARGING, SESSION_A, false);
    assert_null(to_central(&bench, MESSAGE_RESERVATION_ENDED));
}

static void a_reservation_dies_with_control_and_a_supply_does_not(void **state)
{
    struct bench bench;

    (void)state;
    bench_reserved(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CONTROL_CLOSED, .text = "reset"});
    assert_int_equal(to_engine(&bench, MESSAGE_CANCEL)->cancel.reason, REASON_CONTROL_LOST);
    bench_charging(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CONTROL_CLOSED, .text = "reset"});
    assert_null(to_engine(&bench, MESSAGE_CANCEL));
    assert_null(to_engine(&bench, MESSAGE_STOP));
    run(&bench, 600000, true, false);
    assert_int_equal(bench.controller.status.supply, CP_SUPPLY_CHARGING);
}

static void a_silent_engine_is_a_fault_after_three_seconds(void **state)
{
    struct bench bench;

    (void)state;
    bench_charging(&bench);
    run(&bench, 5000, true, true);
    assert_true(bench.controller.engine_ok);
    int64_t heard_ms = bench.controller.engine_heard_ms;
    run(&bench, heard_ms + 2900 - bench.now_ms, false, true);
    assert_true(bench.controller.engine_ok);
    bench.now_ms += 100;
    simple(&bench, CONTROLLER_EVENT_TICK);
    assert_false(to_central(&bench, MESSAGE_STATUS)->status.engine_ok);
    assert_int_equal(to_central(&bench, MESSAGE_STATUS)->status.supply, CP_SUPPLY_NONE);
    assert_true(logged(&bench, "engine.lost"));
    run(&bench, 10000, false, true); /* said once */
    assert_false(logged(&bench, "engine.lost"));
    engine_status(&bench, CP_SUPPLY_CHARGING, SESSION_A, false); /* it is back: everything is asked for */
    assert_true(bench.controller.engine_ok);
    assert_non_null(to_engine(&bench, MESSAGE_ATTACH));
}

static void a_closed_link_is_a_fault_unless_it_is_back_soon(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench);
    simple(&bench, CONTROLLER_EVENT_ENGINE_CLOSED);
    run(&bench, 900, false, true);
    assert_true(bench.controller.engine_ok);
    simple(&bench, CONTROLLER_EVENT_ENGINE_UP);
    run(&bench, 2000, true, true);
    assert_true(bench.controller.engine_ok);
    simple(&bench, CONTROLLER_EVENT_ENGINE_CLOSED);
    run(&bench, 1000, false, true);
    assert_false(bench.controller.engine_ok);
}

static void an_engine_that_dies_takes_the_reservation_with_it(void **state)
{
    struct bench bench;
    bool seen = false;

    (void)state;
    bench_reserved(&bench);
    simple(&bench, CONTROLLER_EVENT_ENGINE_CLOSED);
    for (int i = 0; i < 20 && !seen; i++) {
        bench.now_ms += 100;
        simple(&bench, CONTROLLER_EVENT_TICK);
        const struct message *ended = to_central(&bench, MESSAGE_RESERVATION_ENDED);
        seen = ended != NULL && ended->reservation_ended.reason == MESSAGE_RESERVATION_FAULT;
    }
    assert_true(seen);
}

static void health_is_asked_each_second_and_heartbeats_go_both_ways(void **state)
{
    struct bench bench;
    struct message answer;
    int asked = 0;
    int beats = 0;

    (void)state;
    bench_ready(&bench);
    answer = message_of(&bench, MESSAGE_HEALTH_ANSWER);
    answer.health_answer.ok = true;
    for (int i = 0; i < 100; i++) {
        bench.now_ms += 100;
        simple(&bench, CONTROLLER_EVENT_TICK);
        beats += to_central(&bench, MESSAGE_HEARTBEAT) != NULL;
        if (to_engine(&bench, MESSAGE_HEALTH) != NULL) {
            asked++;
            from_engine(&bench, &answer);
        }
    }
    assert_int_equal(asked, 11); /* the first at once */
    assert_int_equal(beats, 2);
}

static void a_central_that_is_silent_for_three_heartbeats_is_dialled_anew(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench);
    run(&bench, 3 * HEARTBEAT_MS - 100, true, false);
    assert_int_equal(bench.controller.control, CONTROLLER_CONTROL_READY);
    bench.now_ms += 100;
    simple(&bench, CONTROLLER_EVENT_TICK);
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_HANG_UP));
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_RETRY_LATER));
    assert_true(logged(&bench, "central.silent"));
}

static void what_central_refuses_for_decides_who_acts_next(void **state)
{
    static const struct {
        enum message_refuse_code code;
        enum controller_block block;
    } rows[] = {
        {MESSAGE_REFUSE_UNKNOWN_CP, CONTROLLER_BLOCK_NONE},
        {MESSAGE_REFUSE_REVOKED, CONTROLLER_BLOCK_REVOKED},
        {MESSAGE_REFUSE_KEY_DROPPED, CONTROLLER_BLOCK_KEY_DROPPED},
        {MESSAGE_REFUSE_WRONG_ID, CONTROLLER_BLOCK_REFUSED},
        {MESSAGE_REFUSE_WRONG_KEY, CONTROLLER_BLOCK_NONE},
        {MESSAGE_REFUSE_VERSION, CONTROLLER_BLOCK_REFUSED},
        {MESSAGE_REFUSE_DEREGISTERED, CONTROLLER_BLOCK_DEREGISTERED},
        {MESSAGE_REFUSE_REPLACED, CONTROLLER_BLOCK_NONE},
        {MESSAGE_REFUSE_PROTOCOL, CONTROLLER_BLOCK_NONE},
        {MESSAGE_REFUSE_FULL, CONTROLLER_BLOCK_NONE},
    };

    (void)state;
    assert_int_equal(sizeof rows / sizeof rows[0], MESSAGE_REFUSE_CODE_COUNT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;
        struct message refuse;

        bench_new(&bench, true, false);
        simple(&bench, CONTROLLER_EVENT_RETRY);
        simple(&bench, CONTROLLER_EVENT_CONTROL_UP);
        refuse = message_of(&bench, MESSAGE_REFUSE);
        refuse.refuse.code = rows[i].code;
        from_central(&bench, &refuse);
        assert_true(logged(&bench, "central.refused"));
        assert_int_equal(bench.controller.block, rows[i].block);
        assert_int_equal(effect_of(&bench, CONTROLLER_EFFECT_RETRY_LATER) != NULL,
                         rows[i].block == CONTROLLER_BLOCK_NONE);
        simple(&bench, CONTROLLER_EVENT_RETRY);
        assert_int_equal(effect_of(&bench, CONTROLLER_EFFECT_DIAL) != NULL,
                         rows[i].block == CONTROLLER_BLOCK_NONE);
    }
}

static void a_dropped_key_waits_for_connect_which_says_operator(void **state)
{
    struct bench bench;
    struct message refuse;

    (void)state;
    bench_ready(&bench);
    refuse = message_of(&bench, MESSAGE_REFUSE);
    refuse.refuse.code = MESSAGE_REFUSE_KEY_DROPPED;
    from_central(&bench, &refuse);
    run(&bench, 100000, true, false);
    simple(&bench, CONTROLLER_EVENT_RETRY);
    assert_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
    assert_true(bench.controller.engine_ok); /* the engine is still looked after */
    simple(&bench, CONTROLLER_EVENT_CONNECT);
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CONTROL_CLOSED, .text = "refused"});
    simple(&bench, CONTROLLER_EVENT_RETRY); /* the network failed; the operator's word still holds */
    simple(&bench, CONTROLLER_EVENT_CONTROL_UP);
    assert_int_equal(to_central(&bench, MESSAGE_HELLO)->hello.cause, MESSAGE_CAUSE_OPERATOR);
    welcome(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CONTROL_CLOSED, .text = "reset"});
    simple(&bench, CONTROLLER_EVENT_RETRY);
    simple(&bench, CONTROLLER_EVENT_CONTROL_UP);
    assert_int_equal(to_central(&bench, MESSAGE_HELLO)->hello.cause, MESSAGE_CAUSE_AUTOMATIC);
}

static void a_revoked_charge_point_needs_a_new_key(void **state)
{
    struct bench bench;
    struct message refuse;

    (void)state;
    bench_ready(&bench);
    refuse = message_of(&bench, MESSAGE_REFUSE);
    refuse.refuse.code = MESSAGE_REFUSE_REVOKED;
    from_central(&bench, &refuse);
    simple(&bench, CONTROLLER_EVENT_CONNECT);
    assert_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_PRINT));
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_REGISTER, .text = "CODE"});
    assert_true(effect_of(&bench, CONTROLLER_EFFECT_ENROL)->flag);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CERTIFICATE});
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
}

static void maintenance_ends_what_runs_and_is_told_and_kept(void **state)
{
    struct bench bench;

    (void)state;
    bench_charging(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_MAINTENANCE, .flag = true});
    assert_true(effect_of(&bench, CONTROLLER_EFFECT_STORE_MAINTENANCE)->flag);
    assert_int_equal(to_engine(&bench, MESSAGE_STOP)->stop.reason, STOP_MAINTENANCE);
    assert_true(to_central(&bench, MESSAGE_STATUS)->status.maintenance);
    engine_status(&bench, CP_SUPPLY_NONE, NULL, false);
    assert_true(to_central(&bench, MESSAGE_STATUS)->status.maintenance); /* in the engine's messages too */
    authorise(&bench, SESSION_B);
    assert_null(to_engine(&bench, MESSAGE_AUTHORISE));
    assert_int_equal(to_central(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_REFUSED);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_MAINTENANCE, .flag = false});
    assert_false(to_central(&bench, MESSAGE_STATUS)->status.maintenance);
    bench_reserved(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_MAINTENANCE, .flag = true});
    assert_int_equal(to_engine(&bench, MESSAGE_CANCEL)->cancel.reason, REASON_MAINTENANCE);
}

static void maintenance_survives_a_restart(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench, true, true);
    connect_control(&bench);
    assert_true(to_central(&bench, MESSAGE_STATUS)->status.maintenance);
}

static void an_authorisation_without_an_engine_is_answered(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench, true, false);
    connect_control(&bench);
    authorise(&bench, SESSION_A);
    assert_int_equal(to_central(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_FAULT);
}

static void orders_keys_and_reports_pass_unchanged(void **state)
{
    struct bench bench;
    struct message message;

    (void)state;
    bench_charging(&bench);
    message = message_of(&bench, MESSAGE_KEY);
    message.key.epoch = 7;
    message.key.expires_in_ms = 1;
    from_central(&bench, &message);
    assert_int_equal(to_engine(&bench, MESSAGE_KEY)->key.epoch, 7);
    message = message_of(&bench, MESSAGE_KEY_ACK);
    message.key_ack.epoch = 7;
    message.key_ack.old_epoch = 6;
    message.key_ack.old_last_sequence = 41;
    from_engine(&bench, &message);
    assert_int_equal(to_central(&bench, MESSAGE_KEY_ACK)->key_ack.old_last_sequence, 41);
    message = message_of(&bench, MESSAGE_STOP);
    message.stop.session_id = session_of(SESSION_A);
    message.stop.reason = STOP_WEATHER;
    from_central(&bench, &message);
    assert_int_equal(to_engine(&bench, MESSAGE_STOP)->stop.reason, STOP_WEATHER);
    message = message_of(&bench, MESSAGE_SUPPLY_ENDED);
    message.supply_ended.session_id = session_of(SESSION_A);
    message.supply_ended.energy_wms = 123456789;
    message.supply_ended.stop_reason = STOP_WEATHER;
    message.supply_ended.started_at_ms = 1;
    message.supply_ended.ended_at_ms = 2;
    from_engine(&bench, &message);
    assert_int_equal(to_central(&bench, MESSAGE_SUPPLY_ENDED)->supply_ended.energy_wms, 123456789);
    message = message_of(&bench, MESSAGE_SETTLED);
    message.settled.session_id = session_of(SESSION_A);
    from_central(&bench, &message);
    assert_non_null(to_engine(&bench, MESSAGE_SETTLED));
}

static void a_deregistered_charge_point_ends_its_supply_and_leaves(void **state)
{
    struct bench bench;
    bool stopped = false;

    (void)state;
    bench_charging(&bench);
    simple(&bench, CONTROLLER_EVENT_DEREGISTER);
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_DEREGISTER));
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_DEREGISTERED, .flag = true});
    assert_int_equal(bench.controller.control, CONTROLLER_CONTROL_READY); /* Central ends the supply first */
    for (int i = 0; i < 200 && bench.controller.control != CONTROLLER_CONTROL_DOWN; i++) {
        struct message heartbeat = message_of(&bench, MESSAGE_HEARTBEAT);

        bench.now_ms += 100;
        from_central(&bench, &heartbeat);
        simple(&bench, CONTROLLER_EVENT_TICK);
        const struct message *stop = to_engine(&bench, MESSAGE_STOP);
        stopped = stopped || (stop != NULL && stop->stop.reason == STOP_DEREGISTERED);
        engine_status(&bench, CP_SUPPLY_CHARGING, SESSION_A, false);
    }
    assert_true(stopped);
    assert_int_equal(bench.controller.control, CONTROLLER_CONTROL_DOWN);
    simple(&bench, CONTROLLER_EVENT_RETRY);
    assert_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_REGISTER, .text = "CODE"});
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_ENROL));
}

static void disconnect_stays_away_until_connect(void **state)
{
    struct bench bench;

    (void)state;
    bench_charging(&bench);
    simple(&bench, CONTROLLER_EVENT_DISCONNECT);
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_HANG_UP));
    assert_null(effect_of(&bench, CONTROLLER_EFFECT_RETRY_LATER));
    assert_null(to_engine(&bench, MESSAGE_STOP));
    simple(&bench, CONTROLLER_EVENT_RETRY);
    assert_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
    simple(&bench, CONTROLLER_EVENT_CONNECT);
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_DIAL));
}

static void a_charge_at_the_charge_point_needs_both_peers(void **state)
{
    struct bench bench;
    struct message request;

    (void)state;
    bench_new(&bench, true, false);
    request = message_of(&bench, MESSAGE_CHARGE_REQUEST);
    assert_int_equal(request_id_parse(SESSION_B, &request.charge_request.request_id), EV_OK);
    assert_int_equal(driver_id_parse("anna", &request.charge_request.driver_id), EV_OK);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CHARGE, .message = &request});
    assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_PRINT));
    connect_control(&bench);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CHARGE, .message = &request});
    assert_null(to_central(&bench, MESSAGE_CHARGE_REQUEST));
    simple(&bench, CONTROLLER_EVENT_ENGINE_UP);
    step(&bench, (struct controller_event){.type = CONTROLLER_EVENT_CHARGE, .message = &request});
    assert_string_equal(to_central(&bench, MESSAGE_CHARGE_REQUEST)->charge_request.driver_id.text, "anna");
}

static void a_message_out_of_place_ends_the_connection(void **state)
{
    static const enum message_type types[] = {MESSAGE_WELCOME, MESSAGE_HELLO, MESSAGE_STATUS,
                                              MESSAGE_IDENTIFY};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct bench bench;
        struct message message;

        bench_ready(&bench);
        message = message_of(&bench, types[i]);
        from_central(&bench, &message);
        assert_non_null(effect_of(&bench, CONTROLLER_EFFECT_HANG_UP));
        assert_true(logged(&bench, "central.protocol"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_registers_connects_and_asks_for_everything),
        cmocka_unit_test(every_control_connection_replays_the_engine),
        cmocka_unit_test(nobody_plugs_in_for_sixty_seconds),
        cmocka_unit_test(a_start_beats_the_cancel_that_crosses_it),
        cmocka_unit_test(a_reservation_dies_with_control_and_a_supply_does_not),
        cmocka_unit_test(a_silent_engine_is_a_fault_after_three_seconds),
        cmocka_unit_test(a_closed_link_is_a_fault_unless_it_is_back_soon),
        cmocka_unit_test(an_engine_that_dies_takes_the_reservation_with_it),
        cmocka_unit_test(health_is_asked_each_second_and_heartbeats_go_both_ways),
        cmocka_unit_test(a_central_that_is_silent_for_three_heartbeats_is_dialled_anew),
        cmocka_unit_test(what_central_refuses_for_decides_who_acts_next),
        cmocka_unit_test(a_dropped_key_waits_for_connect_which_says_operator),
        cmocka_unit_test(a_revoked_charge_point_needs_a_new_key),
        cmocka_unit_test(maintenance_ends_what_runs_and_is_told_and_kept),
        cmocka_unit_test(maintenance_survives_a_restart),
        cmocka_unit_test(an_authorisation_without_an_engine_is_answered),
        cmocka_unit_test(orders_keys_and_reports_pass_unchanged),
        cmocka_unit_test(a_deregistered_charge_point_ends_its_supply_and_leaves),
        cmocka_unit_test(disconnect_stays_away_until_connect),
        cmocka_unit_test(a_charge_at_the_charge_point_needs_both_peers),
        cmocka_unit_test(a_message_out_of_place_ends_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
