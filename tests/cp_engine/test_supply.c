/* One charge point's hardware on a virtual clock: when supply starts, why it ends, and what is told of it. */
#include "tests/rules/cmocka_all.h"

#include "common/wire/seal.h"
#include "cp_engine/supply.h"

#include <stdio.h>
#include <string.h>

#define WALL_START INT64_C(1800000000000)
#define SESSION_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define SESSION_B "01HZZZZZZZZZZZZZZZZZZZZZZB"

/* A charge point with a perfect journal, unless a test says otherwise. */
struct bench {
    struct supply_config config;
    struct supply supply;
    int64_t now_ms;
    struct supply_effects last; /* of the last step */
};

static struct bench *bench_new(struct bench *bench)
{
    struct cp_id cp_id;

    memset(bench, 0, sizeof *bench);
    bench->config = (struct supply_config){.battery_wh = 60000,
                                           .soc_permille = 200,
                                           .max_power_w = 22000,
                                           .speed = 1,
                                           .auto_plug_ms = SUPPLY_OFF,
                                           .auto_unplug_ms = SUPPLY_OFF};
    assert_int_equal(cp_id_parse("MAD", &cp_id), EV_OK);
    supply_init(&bench->supply, &bench->config, &cp_id);
    bench->now_ms = 1000;
    return bench;
}

static struct session_id session_of(const char *text)
{
    struct session_id id;

    assert_int_equal(session_id_parse(text, &id), EV_OK);
    return id;
}

static void step_raw(struct bench *bench, struct supply_event event)
{
    event.mono_ms = bench->now_ms;
    event.wall_ms = WALL_START + bench->now_ms;
    supply_step(&bench->supply, &event, &bench->last);
}

static bool has_journal(const struct supply_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        if (effects->items[i].type == SUPPLY_EFFECT_JOURNAL) {
            return true;
        }
    }
    return false;
}

static void step(struct bench *bench, struct supply_event event)
{
    step_raw(bench, event);
    if (has_journal(&bench->last)) {
        struct supply_effects kept = bench->last;
        step_raw(bench, (struct supply_event){.type = SUPPLY_EVENT_JOURNALLED});
        assert_int_equal(bench->last.count, 0);
        bench->last = kept;
    }
}

static void simple(struct bench *bench, enum supply_event_type type)
{
    step(bench, (struct supply_event){.type = type});
}

/* Ticks up to `ms` from now, ten a second; stops early when a tick has told something but a live sample. */
static void run(struct bench *bench, int64_t ms)
{
    for (int64_t end = bench->now_ms + ms; bench->now_ms < end;) {
        bench->now_ms += 100;
        simple(bench, SUPPLY_EVENT_TICK);
        for (size_t i = 0; i < bench->last.count; i++) {
            if (bench->last.items[i].type == SUPPLY_EFFECT_SEND) {
                return;
            }
        }
    }
}

static void authorise(struct bench *bench, const char *session, uint32_t target_wh)
{
    struct supply_event event = {.type = SUPPLY_EVENT_AUTHORISE,
                                 .authorise = {.session_id = session_of(session), .target_wh = target_wh}};

    assert_int_equal(driver_id_parse("anna", &event.authorise.driver_id), EV_OK);
    step(bench, event);
}

static void stop(struct bench *bench, const char *session, enum stop_reason reason)
{
    step(bench, (struct supply_event){.type = SUPPLY_EVENT_STOP,
                                      .stop = {.session_id = session_of(session), .reason = reason}});
}

static const struct message *sent(const struct bench *bench, enum message_type type)
{
    for (size_t i = 0; i < bench->last.count; i++) {
        const struct supply_effect *effect = &bench->last.items[i];
        if (effect->type == SUPPLY_EFFECT_SEND && effect->message.type == type) {
            return &effect->message;
        }
    }
    return NULL;
}

static const struct telemetry_sample *sample(const struct bench *bench)
{
    for (size_t i = 0; i < bench->last.count; i++) {
        if (bench->last.items[i].type == SUPPLY_EFFECT_PUBLISH) {
            return &bench->last.items[i].sample;
        }
    }
    return NULL;
}

static const struct supply_journal_record *journalled(const struct bench *bench,
                                                      enum supply_journal_kind kind)
{
    for (size_t i = 0; i < bench->last.count; i++) {
        const struct supply_effect *effect = &bench->last.items[i];
        if (effect->type == SUPPLY_EFFECT_JOURNAL && effect->journal.kind == kind) {
            return &effect->journal;
        }
    }
    return NULL;
}

static void check_ended(const struct bench *bench, const char *session, enum stop_reason reason,
                        uint64_t energy_wms)
{
    struct session_id id = session_of(session);
    const struct message *ended = sent(bench, MESSAGE_SUPPLY_ENDED);
    const struct supply_journal_record *record = journalled(bench, SUPPLY_JOURNAL_END);
    const struct telemetry_sample *final = sample(bench);

    assert_non_null(ended);
    assert_true(session_id_equal(&ended->supply_ended.session_id, &id));
    assert_string_equal(stop_reason_text(ended->supply_ended.stop_reason), stop_reason_text(reason));
    assert_int_equal(ended->supply_ended.energy_wms, energy_wms);
    assert_true(ended->supply_ended.ended_at_ms >= ended->supply_ended.started_at_ms);
    assert_non_null(record);
    assert_int_equal(record->energy_wms, energy_wms);
    assert_int_equal(record->stop_reason, reason);
    assert_non_null(final);
    assert_int_equal(final->kind, SAMPLE_FINAL);
    assert_int_equal(final->energy_wms, energy_wms);
    assert_int_equal(sent(bench, MESSAGE_STATUS)->status.supply, CP_SUPPLY_NONE);
    assert_int_equal(bench->supply.phase, CP_SUPPLY_NONE);
}

/* Charging session A since `now`. */
static struct bench *bench_charging(struct bench *bench)
{
    bench_new(bench);
    authorise(bench, SESSION_A, 0);
    simple(bench, SUPPLY_EVENT_PLUG);
    assert_int_equal(bench->supply.phase, CP_SUPPLY_CHARGING);
    return bench;
}

static void supply_starts_only_when_authorised_and_plugged_in(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    authorise(&bench, SESSION_A, 0);
    assert_int_equal(sent(&bench, MESSAGE_STATUS)->status.supply, CP_SUPPLY_PREPARING);
    assert_null(sample(&bench));
    run(&bench, 5000);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_PREPARING);
    simple(&bench, SUPPLY_EVENT_PLUG);
    assert_non_null(journalled(&bench, SUPPLY_JOURNAL_OPEN));
    assert_int_equal(bench.last.items[1].type,
                     SUPPLY_EFFECT_JOURNAL); /* before it is told; 0 is the plug's log */
    assert_int_equal(sent(&bench, MESSAGE_SUPPLY_STARTED)->supply_started.started_at_ms,
                     WALL_START + bench.now_ms);
    assert_int_equal(sent(&bench, MESSAGE_STATUS)->status.supply, CP_SUPPLY_CHARGING);
    assert_int_equal(sample(&bench)->energy_wms, 0);
    assert_int_equal(sample(&bench)->power_w, 22000);
}

static void a_car_that_waits_is_charged_as_soon_as_it_is_authorised(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    simple(&bench, SUPPLY_EVENT_PLUG);
    assert_true(sent(&bench, MESSAGE_STATUS)->status.plugged);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_NONE);
    run(&bench, 3000);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_NONE);
    authorise(&bench, SESSION_A, 0);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_CHARGING);
}

static void one_sample_a_second_with_the_journal_first(void **state)
{
    struct bench bench;
    int samples = 0;
    uint64_t last_wms = 0;

    (void)state;
    bench_charging(&bench);
    for (int tick = 1; tick <= 100; tick++) {
        bench.now_ms += 100;
        simple(&bench, SUPPLY_EVENT_TICK);
        if (sample(&bench) == NULL) {
            assert_int_equal(bench.last.count, 0);
            continue;
        }
        samples++;
        assert_int_equal(bench.last.items[0].type, SUPPLY_EFFECT_JOURNAL);
        assert_int_equal(bench.last.items[0].journal.energy_wms, sample(&bench)->energy_wms);
        assert_true(sample(&bench)->energy_wms > last_wms);
        last_wms = sample(&bench)->energy_wms;
    }
    assert_int_equal(samples, 10);
    assert_int_equal(last_wms, UINT64_C(22000) * 10000);
}

static void speed_scales_the_battery_alone(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    bench.config.speed = 60;
    authorise(&bench, SESSION_A, 0);
    simple(&bench, SUPPLY_EVENT_PLUG);
    bench.now_ms += 1000;
    simple(&bench, SUPPLY_EVENT_TICK);
    assert_int_equal(sample(&bench)->energy_wms, UINT64_C(22000) * 1000 * 60);
    assert_int_equal(sample(&bench)->power_w, 22000);
    assert_int_equal(sample(&bench)->at_ms, WALL_START + bench.now_ms);
}

static void the_target_is_met_to_the_watt_millisecond(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    bench.config.speed = 97;
    authorise(&bench, SESSION_A, 1234);
    simple(&bench, SUPPLY_EVENT_PLUG);
    run(&bench, 60000);
    check_ended(&bench, SESSION_A, STOP_TARGET, 1234 * ENERGY_WMS_PER_WH);
}

static void a_full_battery_ends_supply(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    bench.config.battery_wh = 10000;
    bench.config.soc_permille = 900;
    bench.config.speed = 3600;
    authorise(&bench, SESSION_A, 0);
    simple(&bench, SUPPLY_EVENT_PLUG);
    run(&bench, 60000);
    check_ended(&bench, SESSION_A, STOP_BATTERY_FULL, 1000 * ENERGY_WMS_PER_WH);
    assert_int_equal(sent(&bench, MESSAGE_STATUS)->status.soc_permille, 1000);
}

static void what_ends_a_supply_counts_up_to_that_moment(void **state)
{
    static const struct {
        enum supply_event_type type;
        enum stop_reason reason;
    } rows[] = {
        {SUPPLY_EVENT_UNPLUG, STOP_UNPLUGGED},
        {SUPPLY_EVENT_FAULT, STOP_FAULT},
        {SUPPLY_EVENT_MONITOR_LOST, STOP_MONITOR_LOST},
        {SUPPLY_EVENT_STOP, STOP_DRIVER},
        {SUPPLY_EVENT_STOP, STOP_ADMIN},
        {SUPPLY_EVENT_STOP, STOP_WEATHER},
        {SUPPLY_EVENT_STOP, STOP_MAINTENANCE},
        {SUPPLY_EVENT_STOP, STOP_REVOKED},
        {SUPPLY_EVENT_STOP, STOP_KEY_DROPPED},
        {SUPPLY_EVENT_STOP, STOP_DEREGISTERED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;

        bench_charging(&bench);
        run(&bench, 2000);
        bench.now_ms += 345; /* between two samples */
        if (rows[i].type == SUPPLY_EVENT_STOP) {
            stop(&bench, SESSION_A, rows[i].reason);
        } else {
            simple(&bench, rows[i].type);
        }
        check_ended(&bench, SESSION_A, rows[i].reason, UINT64_C(22000) * 2345);
        assert_int_equal(bench.supply.plugged, rows[i].type != SUPPLY_EVENT_UNPLUG);
    }
}

static void what_ends_a_reservation(void **state)
{
    static const struct {
        struct supply_event event;
        enum message_reservation_end reason;
    } rows[] = {
        {{.type = SUPPLY_EVENT_CANCEL, .cancel.reason = REASON_NOT_PLUGGED_IN}, MESSAGE_RESERVATION_EXPIRED},
        {{.type = SUPPLY_EVENT_CANCEL, .cancel.reason = REASON_CONTROL_LOST},
         MESSAGE_RESERVATION_CONTROL_LOST},
        {{.type = SUPPLY_EVENT_CANCEL, .cancel.reason = REASON_ADMIN}, MESSAGE_RESERVATION_CANCELLED},
        {{.type = SUPPLY_EVENT_STOP, .stop.reason = STOP_ADMIN}, MESSAGE_RESERVATION_CANCELLED},
        {{.type = SUPPLY_EVENT_FAULT, .text = "broken"}, MESSAGE_RESERVATION_FAULT},
        {{.type = SUPPLY_EVENT_MONITOR_LOST}, MESSAGE_RESERVATION_CANCELLED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct supply_event event = rows[i].event;
        struct bench bench;

        bench_new(&bench);
        authorise(&bench, SESSION_A, 0);
        if (event.type == SUPPLY_EVENT_CANCEL) {
            event.cancel.session_id = session_of(SESSION_A);
        } else if (event.type == SUPPLY_EVENT_STOP) {
            event.stop.session_id = session_of(SESSION_A);
        }
        step(&bench, event);
        assert_non_null(sent(&bench, MESSAGE_RESERVATION_ENDED));
        assert_int_equal(sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason, rows[i].reason);
        assert_int_equal(bench.supply.phase, CP_SUPPLY_NONE);
        assert_false(has_journal(&bench.last)); /* nothing was delivered */
        simple(&bench, SUPPLY_EVENT_PLUG);
        assert_int_equal(bench.supply.phase, CP_SUPPLY_NONE);
    }
}

static void a_cancel_that_comes_too_late_ends_nothing(void **state)
{
    struct bench bench;
    struct supply_event event = {.type = SUPPLY_EVENT_CANCEL, .cancel.reason = REASON_NOT_PLUGGED_IN};

    (void)state;
    bench_charging(&bench);
    event.cancel.session_id = session_of(SESSION_A);
    step(&bench, event);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_CHARGING);
    assert_null(sent(&bench, MESSAGE_RESERVATION_ENDED));
    assert_int_equal(sent(&bench, MESSAGE_STATUS)->status.supply, CP_SUPPLY_CHARGING);
}

static void a_second_authorisation_is_refused_and_a_repeat_is_not(void **state)
{
    struct bench bench;
    struct session_id b = session_of(SESSION_B);

    (void)state;
    bench_charging(&bench);
    authorise(&bench, SESSION_B, 0);
    assert_int_equal(sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_REFUSED);
    assert_true(session_id_equal(&sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.session_id, &b));
    authorise(&bench, SESSION_A, 0);
    assert_null(sent(&bench, MESSAGE_RESERVATION_ENDED));
    assert_int_equal(bench.supply.phase, CP_SUPPLY_CHARGING);
    simple(&bench, SUPPLY_EVENT_UNPLUG);
    authorise(&bench, SESSION_A, 0); /* ended: the report again, no second supply */
    assert_non_null(sent(&bench, MESSAGE_SUPPLY_ENDED));
    assert_int_equal(bench.supply.phase, CP_SUPPLY_NONE);
}

static void a_faulted_charge_point_refuses_until_it_is_repaired(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    simple(&bench, SUPPLY_EVENT_FAULT);
    assert_string_equal(sent(&bench, MESSAGE_STATUS)->status.fault, "out of order");
    authorise(&bench, SESSION_A, 0);
    assert_int_equal(sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_FAULT);
    simple(&bench, SUPPLY_EVENT_REPAIR);
    assert_string_equal(sent(&bench, MESSAGE_STATUS)->status.fault, "");
    authorise(&bench, SESSION_A, 0);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_PREPARING);
}

static void cars_come_and_go_by_themselves_when_told_to(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    bench.config.auto_plug_ms = 2000;
    bench.config.auto_unplug_ms = 3000;
    bench.config.speed = 60;
    authorise(&bench, SESSION_A, 500);
    run(&bench, 1900);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_PREPARING);
    run(&bench, 100);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_CHARGING);
    run(&bench, 60000);
    check_ended(&bench, SESSION_A, STOP_TARGET, 500 * ENERGY_WMS_PER_WH);
    run(&bench, 2900);
    assert_true(bench.supply.plugged);
    run(&bench, 100);
    assert_false(bench.supply.plugged);
    authorise(&bench, SESSION_B, 0);
    run(&bench, 2000);
    assert_int_equal(bench.supply.phase, CP_SUPPLY_CHARGING);
    assert_int_equal(battery_soc_permille(&bench.supply.battery), 200); /* another car */
}

static void reports_are_repeated_until_they_are_settled(void **state)
{
    struct bench bench;

    (void)state;
    bench_charging(&bench);
    simple(&bench, SUPPLY_EVENT_UNPLUG);
    for (int i = 0; i < 3; i++) {
        simple(&bench, SUPPLY_EVENT_ATTACH);
        assert_int_equal(bench.last.count, 2);
        assert_int_equal(bench.last.items[0].message.type, MESSAGE_SUPPLY_ENDED);
        assert_int_equal(bench.last.items[1].message.type, MESSAGE_STATUS); /* after all of them */
        assert_true(bench.last.items[1].message.status.sync);
    }
    step(&bench,
         (struct supply_event){.type = SUPPLY_EVENT_SETTLED, .settled.session_id = session_of(SESSION_A)});
    assert_non_null(journalled(&bench, SUPPLY_JOURNAL_SETTLED));
    simple(&bench, SUPPLY_EVENT_ATTACH);
    assert_int_equal(bench.last.count, 1);
    step(&bench,
         (struct supply_event){.type = SUPPLY_EVENT_SETTLED, .settled.session_id = session_of(SESSION_A)});
    assert_int_equal(bench.last.count, 0);
}

static void too_many_unsettled_reports_refuse_new_supply(void **state)
{
    struct bench bench;

    (void)state;
    bench_new(&bench);
    for (int i = 0; i < SUPPLY_UNSETTLED_MAX; i++) {
        struct supply_report report = {.stop_reason = STOP_ENGINE_LOST, .durable = true};
        char text[ULID_LENGTH + 1];
        (void)snprintf(text, sizeof text, "01HZZZZZZZZZZZZZZZZZZZZZZ%d", i);
        report.session_id = session_of(text);
        assert_int_equal(supply_restore(&bench.supply, &report), EV_OK);
    }
    authorise(&bench, SESSION_A, 0);
    assert_int_equal(sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_REFUSED);
    simple(&bench, SUPPLY_EVENT_ATTACH);
    assert_int_equal(bench.last.count, SUPPLY_UNSETTLED_MAX + 1);
}

static void a_stopped_process_delivers_nothing_meanwhile(void **state)
{
    struct bench bench;

    (void)state;
    bench_charging(&bench);
    bench.now_ms += 60000;
    simple(&bench, SUPPLY_EVENT_TICK);
    assert_int_equal(sample(&bench)->energy_wms, UINT64_C(22000) * SUPPLY_STEP_MS_MAX);
    bench.now_ms += 100;
    simple(&bench, SUPPLY_EVENT_TICK);
    assert_null(sample(&bench)); /* the missed beats are not made up */
}

static void a_meter_that_cannot_be_journalled_was_not_delivered(void **state)
{
    struct bench bench;
    struct supply_event failed = {.type = SUPPLY_EVENT_JOURNAL_FAILED, .text = "no space left on device"};

    (void)state;
    bench_charging(&bench);
    run(&bench, 3000);
    bench.now_ms += 1000;
    step_raw(&bench, (struct supply_event){.type = SUPPLY_EVENT_TICK});
    assert_true(has_journal(&bench.last));
    step_raw(&bench, failed);
    assert_int_equal(sent(&bench, MESSAGE_SUPPLY_ENDED)->supply_ended.energy_wms, UINT64_C(22000) * 3000);
    assert_int_equal(sent(&bench, MESSAGE_SUPPLY_ENDED)->supply_ended.stop_reason, STOP_FAULT);
    assert_string_equal(sent(&bench, MESSAGE_STATUS)->status.fault, "no space left on device");
    simple(&bench, SUPPLY_EVENT_REPAIR); /* a wrench does not help */
    assert_string_not_equal(bench.supply.fault, "");
    authorise(&bench, SESSION_B, 0);
    assert_int_equal(sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_FAULT);
    simple(&bench, SUPPLY_EVENT_JOURNAL_RECOVERED);
    assert_int_equal(journalled(&bench, SUPPLY_JOURNAL_END)->energy_wms, UINT64_C(22000) * 3000);
    assert_string_equal(sent(&bench, MESSAGE_STATUS)->status.fault, "");
}

static void an_end_that_cannot_be_journalled_falls_back_to_the_last_meter(void **state)
{
    struct bench bench;
    struct supply_event failed = {.type = SUPPLY_EVENT_JOURNAL_FAILED, .text = "no space left on device"};

    (void)state;
    bench_charging(&bench);
    run(&bench, 3000);
    bench.now_ms += 500;
    step_raw(&bench, (struct supply_event){.type = SUPPLY_EVENT_UNPLUG});
    step_raw(&bench, failed);
    assert_int_equal(sent(&bench, MESSAGE_SUPPLY_ENDED)->supply_ended.energy_wms, UINT64_C(22000) * 3000);
    assert_int_equal(sent(&bench, MESSAGE_SUPPLY_ENDED)->supply_ended.stop_reason, STOP_UNPLUGGED);
    step(&bench,
         (struct supply_event){.type = SUPPLY_EVENT_SETTLED, .settled.session_id = session_of(SESSION_A)});
    assert_false(has_journal(&bench.last));
    simple(&bench, SUPPLY_EVENT_ATTACH);
    assert_null(sent(&bench, MESSAGE_SUPPLY_ENDED)); /* settled, though the journal does not know it yet */
    simple(&bench, SUPPLY_EVENT_JOURNAL_RECOVERED);
    assert_non_null(journalled(&bench, SUPPLY_JOURNAL_END));
    assert_non_null(journalled(&bench, SUPPLY_JOURNAL_SETTLED));
    assert_int_equal(bench.supply.unsettled_count, 0);
}

static void a_start_that_cannot_be_journalled_never_was(void **state)
{
    struct bench bench;
    struct supply_event failed = {.type = SUPPLY_EVENT_JOURNAL_FAILED, .text = "no space left on device"};

    (void)state;
    bench_new(&bench);
    authorise(&bench, SESSION_A, 0);
    step_raw(&bench, (struct supply_event){.type = SUPPLY_EVENT_PLUG});
    assert_int_equal(bench.supply.phase, CP_SUPPLY_CHARGING);
    step_raw(&bench, failed);
    assert_int_equal(sent(&bench, MESSAGE_RESERVATION_ENDED)->reservation_ended.reason,
                     MESSAGE_RESERVATION_FAULT);
    assert_null(sent(&bench, MESSAGE_SUPPLY_ENDED));
    simple(&bench, SUPPLY_EVENT_ATTACH);
    assert_null(sent(&bench, MESSAGE_SUPPLY_ENDED));
}

static void health_tells_the_journalled_meter(void **state)
{
    struct bench bench;
    struct message answer;

    (void)state;
    bench_charging(&bench);
    run(&bench, 2000);
    supply_health(&bench.supply, 7, &answer);
    assert_int_equal(answer.type, MESSAGE_HEALTH_ANSWER);
    assert_int_equal(answer.health_answer.n, 7);
    assert_true(answer.health_answer.ok);
    assert_int_equal(answer.health_answer.energy_wms, UINT64_C(22000) * 2000);
    assert_int_equal(answer.health_answer.power_w, 22000);
    simple(&bench, SUPPLY_EVENT_FAULT);
    supply_health(&bench.supply, 8, &answer);
    assert_false(answer.health_answer.ok);
    assert_false(session_id_is_set(&answer.health_answer.session_id));
}

/* Every message that the core sends can be put on the wire. */
static void everything_said_can_be_encoded(void **state)
{
    struct bench bench;
    char buf[MESSAGE_SIZE];
    size_t len = 0;
    size_t messages = 0;

    (void)state;
    bench_charging(&bench);
    for (int type = 0; type < SUPPLY_EVENT_COUNT; type++) {
        struct supply_event event = {.type = (enum supply_event_type)type};
        if (type == SUPPLY_EVENT_AUTHORISE || type == SUPPLY_EVENT_CANCEL || type == SUPPLY_EVENT_STOP ||
            type == SUPPLY_EVENT_SETTLED) {
            continue;
        }
        bench.now_ms += 1000;
        step_raw(&bench, event);
        for (size_t i = 0; i < bench.last.count; i++) {
            if (bench.last.items[i].type == SUPPLY_EFFECT_SEND) {
                assert_int_equal(message_encode(&bench.last.items[i].message, buf, sizeof buf, &len), EV_OK);
                messages++;
            }
        }
    }
    assert_true(messages >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(supply_starts_only_when_authorised_and_plugged_in),
        cmocka_unit_test(a_car_that_waits_is_charged_as_soon_as_it_is_authorised),
        cmocka_unit_test(one_sample_a_second_with_the_journal_first),
        cmocka_unit_test(speed_scales_the_battery_alone),
        cmocka_unit_test(the_target_is_met_to_the_watt_millisecond),
        cmocka_unit_test(a_full_battery_ends_supply),
        cmocka_unit_test(what_ends_a_supply_counts_up_to_that_moment),
        cmocka_unit_test(what_ends_a_reservation),
        cmocka_unit_test(a_cancel_that_comes_too_late_ends_nothing),
        cmocka_unit_test(a_second_authorisation_is_refused_and_a_repeat_is_not),
        cmocka_unit_test(a_faulted_charge_point_refuses_until_it_is_repaired),
        cmocka_unit_test(cars_come_and_go_by_themselves_when_told_to),
        cmocka_unit_test(reports_are_repeated_until_they_are_settled),
        cmocka_unit_test(too_many_unsettled_reports_refuse_new_supply),
        cmocka_unit_test(a_stopped_process_delivers_nothing_meanwhile),
        cmocka_unit_test(a_meter_that_cannot_be_journalled_was_not_delivered),
        cmocka_unit_test(an_end_that_cannot_be_journalled_falls_back_to_the_last_meter),
        cmocka_unit_test(a_start_that_cannot_be_journalled_never_was),
        cmocka_unit_test(health_tells_the_journalled_meter),
        cmocka_unit_test(everything_said_can_be_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
