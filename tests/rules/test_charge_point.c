/* Every event in every mode has a row here, written by hand from the contract; and over all combinations of
 * facts the shown state is the contract's first true row. */
#include "common/rules/charge_point.h"
#include "tests/rules/cmocka_all.h"

#include <stdio.h>
#include <string.h>

enum { AWAY_NONE, AWAY_PREP, AWAY_CHRG, HERE_NONE, HERE_PREP, HERE_CHRG, MODE_COUNT };

/* One event and what it does in each mode, as "SUPPLY:EFFECTS", or "!" for EV_ERR_STATE.
 * SUPPLY afterwards: n none, p preparing, c charging.
 * EFFECTS in order: S order stop, C order cancel, Y stop stray, B begin session, X cancel session, T settle,
 * A announce. */
struct row {
    struct cp_event event;
    struct {
        uint32_t holds;
        bool engine_silent;
        bool fault;
        bool plugged;
        bool served;
        enum stop_reason stop_asked;
    } before;
    /*                  AWAY_NONE AWAY_PREP AWAY_CHRG HERE_NONE HERE_PREP HERE_CHRG */
    const char *expected[MODE_COUNT];
};

#define EV(kind) .event = {.type = CP_EVENT_##kind}
#define EV_HOLD(kind, bit) .event = {.type = CP_EVENT_##kind, .hold = (bit)}
#define EV_STOP(kind, why) .event = {.type = CP_EVENT_##kind, .stop = (why)}
#define EV_SYNC(what) .event = {.type = CP_EVENT_SYNCED, .sync = CP_SYNC_##what}

static const struct row rows[] = {
    {EV(CONNECTED), .expected = {"n:A", "p:A", "c:A", "n:", "p:", "c:"}},
    {EV(DISCONNECTED), .expected = {"n:", "p:", "c:", "n:A", "p:A", "c:A"}},
    {EV(ENGINE_OK), .expected = {"n:", "p:", "c:", "n:", "p:", "c:"}},
    {EV(ENGINE_OK), .before = {.engine_silent = true},
     .expected = {"n:A", "p:A", "c:A", "n:A", "p:A", "c:A"}},
    {EV(ENGINE_SILENT), .expected = {"n:A", "n:XA", "n:TA", "n:A", "n:CXA", "n:TA"}},
    {EV(FAULT), .expected = {"n:A", "n:XA", "n:TA", "n:A", "n:CXA", "n:TA"}},
    {EV(REPAIRED), .expected = {"n:", "p:", "c:", "n:", "p:", "c:"}},
    {EV(REPAIRED), .before = {.fault = true}, .expected = {"n:A", "p:A", "c:A", "n:A", "p:A", "c:A"}},
    {EV(PLUGGED), .expected = {"n:A", "p:A", "c:A", "n:A", "p:A", "c:A"}},
    {EV(PLUGGED), .before = {.plugged = true}, .expected = {"n:", "p:", "c:", "n:", "p:", "c:"}},
    {EV(UNPLUGGED), .expected = {"n:", "p:", "c:", "n:", "p:", "c:"}},
    {EV(UNPLUGGED), .before = {.plugged = true}, .expected = {"n:A", "p:A", "c:A", "n:A", "p:A", "c:A"}},
    {EV(RESERVED), .expected = {"!", "!", "!", "p:A", "!", "!"}},
    {EV(RESERVED), .before = {.plugged = true}, .expected = {"!", "!", "!", "p:A", "!", "!"}},
    {EV(RESERVED), .before = {.plugged = true, .served = true}, .expected = {"!", "!", "!", "!", "!", "!"}},
    {EV(RESERVED), .before = {.engine_silent = true}, .expected = {"!", "!", "!", "!", "!", "!"}},
    {EV(RESERVED), .before = {.fault = true}, .expected = {"!", "!", "!", "!", "!", "!"}},
    {EV(RESERVED), .before = {.holds = HOLD_WEATHER}, .expected = {"!", "!", "!", "!", "!", "!"}},
    {EV(SUPPLY_STARTED), .expected = {"!", "c:BA", "c:", "!", "c:BA", "c:"}},
    {EV(SUPPLY_STARTED), .before = {.holds = HOLD_ADMIN},
     .expected = {"!", "c:BA", "c:", "!", "c:BSA", "c:"}},
    {EV(SUPPLY_STARTED), .before = {.stop_asked = STOP_DRIVER},
     .expected = {"!", "c:BA", "c:", "!", "c:BSA", "c:"}},
    {EV(SUPPLY_ENDED), .expected = {"!", "n:A", "n:A", "!", "n:A", "n:A"}},
    {.event = {.type = CP_EVENT_RESERVATION_CANCELLED, .reason = REASON_NOT_PLUGGED_IN},
     .expected = {"!", "n:XA", "!", "!", "n:XA", "!"}},
    {EV_STOP(STOP_ASKED, STOP_DRIVER), .expected = {"!", "n:XA", "n:TA", "!", "p:C", "c:S"}},
    {EV_STOP(ABANDONED, STOP_REVOKED), .expected = {"n:", "n:XA", "n:TA", "n:", "n:CXA", "n:STA"}},
    {EV_HOLD(HOLD_SET, HOLD_ADMIN), .expected = {"n:A", "p:A", "c:A", "n:A", "p:CA", "c:SA"}},
    {EV_HOLD(HOLD_SET, HOLD_ADMIN), .before = {.holds = HOLD_ADMIN},
     .expected = {"n:", "p:", "c:", "n:", "p:C", "c:S"}},
    {EV_HOLD(HOLD_LIFTED, HOLD_ADMIN), .expected = {"!", "!", "!", "!", "!", "!"}},
    {EV_HOLD(HOLD_LIFTED, HOLD_ADMIN), .before = {.holds = HOLD_ADMIN | HOLD_KEY},
     .expected = {"n:A", "p:A", "c:A", "n:A", "p:A", "c:A"}},
    {EV_SYNC(NOTHING), .expected = {"!", "!", "!", "n:", "n:XA", "n:TA"}},
    {EV_SYNC(PREPARING), .expected = {"!", "!", "!", "n:Y", "p:", "n:TYA"}},
    {EV_SYNC(PREPARING), .before = {.holds = HOLD_KEY}, .expected = {"!", "!", "!", "n:Y", "p:C", "n:TYA"}},
    {EV_SYNC(CHARGING), .expected = {"!", "!", "!", "n:Y", "c:BA", "c:"}},
    {EV_SYNC(CHARGING), .before = {.holds = HOLD_WEATHER},
     .expected = {"!", "!", "!", "n:Y", "c:BSA", "c:S"}},
    {EV_SYNC(CHARGING), .before = {.stop_asked = STOP_ADMIN},
     .expected = {"!", "!", "!", "n:Y", "c:BSA", "c:S"}},
    {EV_SYNC(OTHER), .expected = {"!", "!", "!", "n:Y", "n:XYA", "n:TYA"}},
};

static struct charge_point in_mode(int mode, const struct row *row)
{
    struct charge_point cp;

    charge_point_init(&cp, row->before.holds);
    cp.connected = mode >= HERE_NONE;
    cp.supply = (enum cp_supply)(mode % 3);
    cp.engine_ok = !row->before.engine_silent;
    cp.fault = row->before.fault;
    cp.plugged = row->before.plugged;
    cp.served = row->before.served;
    cp.stop_asked = cp.supply != CP_SUPPLY_NONE ? row->before.stop_asked : STOP_NONE;
    return cp;
}

static void describe(const struct charge_point *cp, const struct cp_effects *effects, char *ret_text)
{
    *ret_text++ = "npc"[cp->supply];
    *ret_text++ = ':';
    for (size_t i = 0; i < effects->count; i++) {
        *ret_text++ = "SCYBXTA"[effects->items[i].type];
    }
    *ret_text = '\0';
}

static void test_every_event_in_every_mode_does_what_its_row_says(void **state)
{
    bool seen[CP_EVENT_COUNT] = {false};

    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        seen[rows[r].event.type] = true;
        for (int mode = 0; mode < MODE_COUNT; mode++) {
            struct charge_point before = in_mode(mode, &rows[r]);
            struct charge_point after = before;
            struct cp_effects effects;
            enum ev_err err = charge_point_step(&after, &rows[r].event, &effects);
            char text[16] = "!";

            if (err == EV_OK) {
                describe(&after, &effects, text);
            } else {
                assert_int_equal(err, EV_ERR_STATE);
                assert_int_equal(effects.count, 0);
                assert_memory_equal(&before, &after, sizeof before);
            }
            if (strcmp(text, rows[r].expected[mode]) != 0) {
                fail_msg("row %zu, %s in mode %d: %s, expected %s", r, cp_event_text(rows[r].event.type),
                         mode, text, rows[r].expected[mode]);
            }
        }
    }
    for (int e = 0; e < CP_EVENT_COUNT; e++) {
        assert_true(seen[e]);
    }
}

/* All combinations of facts, by number. */
#define ALL_FACTS ((1U << 5 << HOLD_COUNT) * 3 * 3)

static struct charge_point facts_number(unsigned n)
{
    static const enum stop_reason asked[3] = {STOP_NONE, STOP_DRIVER, STOP_WEATHER};
    struct charge_point cp;

    charge_point_init(&cp, n & HOLD_ALL);
    n >>= HOLD_COUNT;
    cp.connected = n & 1U;
    cp.engine_ok = n & 2U;
    cp.fault = n & 4U;
    cp.plugged = n & 8U;
    cp.served = n & 16U;
    n >>= 5;
    cp.supply = (enum cp_supply)(n % 3);
    cp.stop_asked = asked[n / 3 % 3];
    return cp;
}

static void test_the_shown_state_is_the_first_true_row_of_the_contract(void **state)
{
    unsigned seen[CP_STATE_COUNT] = {0};

    (void)state;
    for (unsigned n = 0; n < ALL_FACTS; n++) {
        struct charge_point cp = facts_number(n);
        const bool conditions[CP_STATE_COUNT] = {
            [CP_OFFLINE] = !cp.connected,
            [CP_FAULTED] = cp.fault || !cp.engine_ok,
            [CP_CHARGING] = cp.supply == CP_SUPPLY_CHARGING,
            [CP_UNAVAILABLE] = cp.holds != 0,
            [CP_FINISHING] = cp.served && cp.plugged && cp.supply == CP_SUPPLY_NONE,
            [CP_PREPARING] = cp.supply == CP_SUPPLY_PREPARING,
            [CP_AVAILABLE] = true,
        };
        int first = 0;

        while (!conditions[first]) {
            first++;
        }
        assert_int_equal(charge_point_state(&cp), first);
        seen[first]++;
    }
    for (int s = 0; s < CP_STATE_COUNT; s++) {
        assert_true(seen[s] > 0);
    }
}

static void check_step(const struct charge_point *before, const struct cp_event *event)
{
    struct charge_point after = *before;
    struct cp_effects effects;
    enum ev_err err = charge_point_step(&after, event, &effects);
    bool announced = false;

    if (err != EV_OK) {
        assert_int_equal(err, EV_ERR_STATE);
        assert_int_equal(effects.count, 0);
        assert_memory_equal(before, &after, sizeof after);
        return;
    }
    assert_true(effects.count <= CP_EFFECTS_MAX);
    for (size_t i = 0; i < effects.count; i++) {
        const struct cp_effect *effect = &effects.items[i];

        if (effect->type <= CP_EFFECT_ORDER_STOP_STRAY) {
            /* orders go only to who is there */
            assert_true(before->connected);
        }
        if (effect->type == CP_EFFECT_ORDER_STOP || effect->type == CP_EFFECT_SETTLE) {
            assert_int_not_equal(effect->stop, STOP_NONE);
        }
        if (effect->type == CP_EFFECT_CANCEL_SESSION || effect->type == CP_EFFECT_ORDER_CANCEL) {
            assert_int_not_equal(effect->reason, REASON_NONE);
        }
        if (effect->type == CP_EFFECT_ANNOUNCE) {
            announced = true;
            assert_int_equal(i, effects.count - 1);
            assert_int_equal(effect->state_before, charge_point_state(before));
            assert_int_equal(effect->state_after, charge_point_state(&after));
        }
    }
    if (charge_point_state(before) != charge_point_state(&after) || before->holds != after.holds) {
        assert_true(announced);
    }
    if (after.supply == CP_SUPPLY_NONE && before->supply != CP_SUPPLY_NONE) {
        assert_int_equal(after.stop_asked, STOP_NONE);
    }
    if (event->type != CP_EVENT_HOLD_SET && event->type != CP_EVENT_HOLD_LIFTED) {
        assert_int_equal(after.holds, before->holds);
    }
}

static void test_no_event_breaks_an_invariant_whatever_the_facts(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ALL_FACTS; n++) {
        struct charge_point cp = facts_number(n);

        for (int e = 0; e < CP_EVENT_COUNT; e++) {
            for (int variant = 0; variant < HOLD_COUNT; variant++) {
                const struct cp_event event = {
                    .type = (enum cp_event_type)e,
                    .hold = (enum cp_hold)(1U << variant),
                    .stop = (enum stop_reason)(STOP_DRIVER + variant),
                    .reason = (enum session_reason)(variant == 0 ? REASON_NONE : REASON_DRIVER + variant),
                    .sync = (enum cp_sync)variant,
                    .served = variant % 2 == 0,
                };

                check_step(&cp, &event);
            }
        }
    }
}

static void test_arguments_out_of_range_change_nothing(void **state)
{
    static const struct cp_event bad[] = {
        {.type = CP_EVENT_HOLD_SET},
        {.type = CP_EVENT_HOLD_SET, .hold = (enum cp_hold)(HOLD_ADMIN | HOLD_KEY)},
        {.type = CP_EVENT_HOLD_SET, .hold = (enum cp_hold)16},
        {.type = CP_EVENT_HOLD_LIFTED, .hold = (enum cp_hold)3},
        {.type = CP_EVENT_STOP_ASKED},
        {.type = CP_EVENT_STOP_ASKED, .stop = STOP_REASON_COUNT},
        {.type = CP_EVENT_ABANDONED},
        {.type = CP_EVENT_SYNCED, .sync = CP_SYNC_COUNT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static const struct row row = {.before = {.holds = HOLD_WEATHER}};
        struct charge_point before = in_mode(HERE_CHRG, &row);
        struct charge_point after = before;
        struct cp_effects effects;

        assert_int_equal(charge_point_step(&after, &bad[i], &effects), EV_ERR_RANGE);
        assert_int_equal(effects.count, 0);
        assert_memory_equal(&before, &after, sizeof before);
    }
}

/* -- stories: what the contract and the crash table say, played -- */

static struct cp_effects play(struct charge_point *cp, struct cp_event event)
{
    struct cp_effects effects;

    assert_int_equal(charge_point_step(cp, &event, &effects), EV_OK);
    return effects;
}

static struct cp_effects play_type(struct charge_point *cp, enum cp_event_type type)
{
    return play(cp, (struct cp_event){.type = type});
}

static struct charge_point available(void)
{
    struct charge_point cp;

    charge_point_init(&cp, 0);
    assert_int_equal(charge_point_state(&cp), CP_OFFLINE);
    (void)play_type(&cp, CP_EVENT_ENGINE_OK);
    (void)play_type(&cp, CP_EVENT_CONNECTED);
    assert_int_equal(charge_point_state(&cp), CP_AVAILABLE);
    return cp;
}

static struct charge_point charging(void)
{
    struct charge_point cp = available();

    (void)play_type(&cp, CP_EVENT_RESERVED);
    assert_int_equal(charge_point_state(&cp), CP_PREPARING);
    (void)play_type(&cp, CP_EVENT_PLUGGED);
    assert_int_equal(charge_point_state(&cp), CP_PREPARING);
    (void)play_type(&cp, CP_EVENT_SUPPLY_STARTED);
    assert_int_equal(charge_point_state(&cp), CP_CHARGING);
    return cp;
}

static void test_a_charge_from_available_to_available(void **state)
{
    struct charge_point cp = charging();

    (void)state;
    (void)play_type(&cp, CP_EVENT_SUPPLY_ENDED);
    assert_int_equal(charge_point_state(&cp), CP_FINISHING);
    (void)play_type(&cp, CP_EVENT_UNPLUGGED);
    assert_int_equal(charge_point_state(&cp), CP_AVAILABLE);
}

static void test_a_weather_lift_leaves_an_admins_stop(void **state)
{
    struct charge_point cp = available();

    (void)state;
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_HOLD_SET, .hold = HOLD_ADMIN});
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_HOLD_SET, .hold = HOLD_WEATHER});
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_HOLD_LIFTED, .hold = HOLD_WEATHER});
    assert_int_equal(charge_point_state(&cp), CP_UNAVAILABLE);
    assert_int_equal(cp.holds, HOLD_ADMIN);
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_HOLD_LIFTED, .hold = HOLD_ADMIN});
    assert_int_equal(charge_point_state(&cp), CP_AVAILABLE);
}

static void test_each_hold_orders_the_stop_with_its_own_reason_and_waits(void **state)
{
    static const struct {
        enum cp_hold hold;
        enum stop_reason stop;
        enum session_reason reason;
        const char *text;
    } holds[] = {{HOLD_ADMIN, STOP_ADMIN, REASON_ADMIN, "admin"},
                 {HOLD_WEATHER, STOP_WEATHER, REASON_WEATHER, "weather"},
                 {HOLD_MAINTENANCE, STOP_MAINTENANCE, REASON_MAINTENANCE, "maintenance"},
                 {HOLD_KEY, STOP_KEY_DROPPED, REASON_KEY_DROPPED, "key"}};

    (void)state;
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        const struct cp_event set = {.type = CP_EVENT_HOLD_SET, .hold = holds[i].hold};
        struct charge_point cp = charging();
        struct cp_effects effects = play(&cp, set);
        enum cp_hold back = HOLD_ADMIN;

        assert_int_equal(effects.items[0].type, CP_EFFECT_ORDER_STOP);
        assert_int_equal(effects.items[0].stop, holds[i].stop);
        assert_int_equal(charge_point_state(&cp), CP_CHARGING);
        (void)play_type(&cp, CP_EVENT_SUPPLY_ENDED);
        assert_int_equal(charge_point_state(&cp), CP_UNAVAILABLE);

        cp = available();
        (void)play_type(&cp, CP_EVENT_RESERVED);
        effects = play(&cp, set);
        assert_int_equal(effects.items[0].type, CP_EFFECT_ORDER_CANCEL);
        assert_int_equal(effects.items[0].reason, holds[i].reason);
        assert_int_equal(cp.supply, CP_SUPPLY_PREPARING);
        /* the charge point says `cancelled`: by whom is what was ordered */
        effects = play_type(&cp, CP_EVENT_RESERVATION_CANCELLED);
        assert_int_equal(effects.items[0].type, CP_EFFECT_CANCEL_SESSION);
        assert_int_equal(effects.items[0].reason, holds[i].reason);
        assert_string_equal(cp_hold_text(holds[i].hold), holds[i].text);
        assert_int_equal(cp_hold_parse(holds[i].text, &back), EV_OK);
        assert_int_equal(back, holds[i].hold);
    }
}

static void test_a_stop_that_races_with_the_plug_still_stops(void **state)
{
    struct charge_point cp = available();
    struct cp_effects effects;

    (void)state;
    (void)play_type(&cp, CP_EVENT_RESERVED);
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_STOP_ASKED, .stop = STOP_DRIVER});
    effects = play_type(&cp, CP_EVENT_SUPPLY_STARTED);
    assert_int_equal(effects.items[0].type, CP_EFFECT_START_SESSION);
    assert_int_equal(effects.items[1].type, CP_EFFECT_ORDER_STOP);
    assert_int_equal(effects.items[1].stop, STOP_DRIVER);
}

static void test_a_cut_never_ends_a_supply_and_holds_set_meanwhile_are_ordered_at_the_sync(void **state)
{
    struct charge_point cp = charging();
    struct cp_effects effects;

    (void)state;
    (void)play_type(&cp, CP_EVENT_DISCONNECTED);
    assert_int_equal(charge_point_state(&cp), CP_OFFLINE);
    assert_int_equal(cp.supply, CP_SUPPLY_CHARGING);
    effects = play(&cp, (struct cp_event){.type = CP_EVENT_HOLD_SET, .hold = HOLD_WEATHER});
    assert_int_equal(effects.count, 1);
    assert_int_equal(effects.items[0].type, CP_EFFECT_ANNOUNCE);
    (void)play_type(&cp, CP_EVENT_CONNECTED);
    assert_int_equal(charge_point_state(&cp), CP_CHARGING);
    effects = play(&cp, (struct cp_event){.type = CP_EVENT_SYNCED, .sync = CP_SYNC_CHARGING});
    assert_int_equal(effects.count, 1);
    assert_int_equal(effects.items[0].type, CP_EFFECT_ORDER_STOP);
    assert_int_equal(effects.items[0].stop, STOP_WEATHER);
}

static void test_a_lost_engine_faults_and_settles(void **state)
{
    struct charge_point cp = charging();
    struct cp_effects effects = play_type(&cp, CP_EVENT_ENGINE_SILENT);

    (void)state;
    assert_int_equal(charge_point_state(&cp), CP_FAULTED);
    assert_int_equal(effects.items[0].type, CP_EFFECT_SETTLE);
    assert_int_equal(effects.items[0].stop, STOP_ENGINE_LOST);
    (void)play_type(&cp, CP_EVENT_ENGINE_OK);
    assert_int_equal(charge_point_state(&cp), CP_FINISHING);

    cp = charging();
    effects = play_type(&cp, CP_EVENT_FAULT);
    assert_int_equal(effects.items[0].type, CP_EFFECT_SETTLE);
    assert_int_equal(effects.items[0].stop, STOP_FAULT);
    (void)play_type(&cp, CP_EVENT_UNPLUGGED);
    (void)play_type(&cp, CP_EVENT_REPAIRED);
    assert_int_equal(charge_point_state(&cp), CP_AVAILABLE);
}

static void test_a_car_found_plugged_at_a_sync_is_finishing_one_seen_plugged_is_not(void **state)
{
    struct charge_point cp = available();

    (void)state;
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_PLUGGED, .served = true});
    assert_int_equal(charge_point_state(&cp), CP_FINISHING);
    (void)play_type(&cp, CP_EVENT_UNPLUGGED);
    (void)play_type(&cp, CP_EVENT_PLUGGED);
    assert_int_equal(charge_point_state(&cp), CP_AVAILABLE);
    /* repeated by a later status: known already */
    (void)play(&cp, (struct cp_event){.type = CP_EVENT_PLUGGED, .served = true});
    assert_int_equal(charge_point_state(&cp), CP_AVAILABLE);
}

static void test_texts_go_both_ways(void **state)
{
    static const struct {
        const char *text;
        enum session_reason reason;
    } ends[] = {{"expired", REASON_NOT_PLUGGED_IN},
                {"cancelled", REASON_NONE},
                {"refused", REASON_CP_REFUSED},
                {"fault", REASON_FAULT},
                {"control_lost", REASON_CONTROL_LOST}};
    enum cp_state back = CP_OFFLINE;
    enum cp_hold hold = HOLD_ADMIN;
    enum session_reason reason = REASON_ADMIN;

    (void)state;
    for (int s = 0; s < CP_STATE_COUNT; s++) {
        assert_int_equal(cp_state_parse(cp_state_text((enum cp_state)s), &back), EV_OK);
        assert_int_equal(back, s);
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        assert_int_equal(cp_reservation_end_parse(ends[i].text, &reason), EV_OK);
        assert_int_equal(reason, ends[i].reason);
    }
    assert_int_equal(cp_state_parse("available", &back), EV_ERR_PARSE);
    assert_int_equal(cp_state_parse(NULL, &back), EV_ERR_PARSE);
    assert_int_equal(cp_hold_parse("", &hold), EV_ERR_PARSE);
    assert_int_equal(cp_reservation_end_parse("", &reason), EV_ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_in_every_mode_does_what_its_row_says),
        cmocka_unit_test(test_the_shown_state_is_the_first_true_row_of_the_contract),
        cmocka_unit_test(test_no_event_breaks_an_invariant_whatever_the_facts),
        cmocka_unit_test(test_arguments_out_of_range_change_nothing),
        cmocka_unit_test(test_a_charge_from_available_to_available),
        cmocka_unit_test(test_a_weather_lift_leaves_an_admins_stop),
        cmocka_unit_test(test_each_hold_orders_the_stop_with_its_own_reason_and_waits),
        cmocka_unit_test(test_a_stop_that_races_with_the_plug_still_stops),
        cmocka_unit_test(test_a_cut_never_ends_a_supply_and_holds_set_meanwhile_are_ordered_at_the_sync),
        cmocka_unit_test(test_a_lost_engine_faults_and_settles),
        cmocka_unit_test(test_a_car_found_plugged_at_a_sync_is_finishing_one_seen_plugged_is_not),
        cmocka_unit_test(test_texts_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
