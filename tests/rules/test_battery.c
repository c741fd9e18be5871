/* The battery only ever fills, never beyond capacity or limit, never faster than its charger, and the same by
 * many small steps as by one large one, within a millisecond of power for each permille of the taper. */
#include "common/rules/battery.h"
#include "tests/rules/cmocka_all.h"
#include "tests/rules/rng.h"

static struct battery make(uint32_t capacity_wh, uint32_t soc_permille, uint32_t max_power_w)
{
    struct battery battery;

    assert_int_equal(battery_init(&battery, capacity_wh, soc_permille, max_power_w), EV_OK);
    return battery;
}

static struct battery_output step(struct battery *battery, uint64_t elapsed_ms, uint32_t speed,
                                  uint64_t limit)
{
    struct battery_output output;

    assert_int_equal(battery_step(battery, elapsed_ms, speed, limit, &output), EV_OK);
    return output;
}

static void test_constant_power_below_80_percent(void **state)
{
    struct battery battery = make(60000, 200, 22000);
    struct battery_output output;

    (void)state;
    assert_int_equal(battery_soc_permille(&battery), 200);
    output = step(&battery, 1000, 1, BATTERY_NO_LIMIT);
    assert_int_equal(output.delivered_wms, 22000 * 1000);
    assert_int_equal(output.power_w, 22000);
    /* speed scales the battery alone: 60 times the energy, the same power */
    output = step(&battery, 1000, 60, BATTERY_NO_LIMIT);
    assert_int_equal(output.delivered_wms, UINT64_C(22000) * 1000 * 60);
    assert_int_equal(output.power_w, 22000);
    assert_false(output.full || output.at_limit);
}

static void test_linear_taper_to_10_percent_of_power(void **state)
{
    static const struct {
        uint32_t soc_permille;
        uint32_t power_w;
    } rows[] = {{0, 10000}, {800, 10000}, {801, 9955}, {900, 5500}, {999, 1045}, {1000, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct battery battery = make(50000, rows[i].soc_permille, 10000);

        assert_int_equal(battery_power_w(&battery), rows[i].power_w);
        assert_int_equal(step(&battery, 0, 1, BATTERY_NO_LIMIT).power_w, rows[i].power_w);
    }
}

static void test_it_stops_exactly_at_capacity_and_at_the_limit(void **state)
{
    struct battery battery = make(1000, 990, 100000);
    struct battery_output output = step(&battery, BATTERY_STEP_MS_MAX, ENERGY_SPEED_MAX, BATTERY_NO_LIMIT);

    (void)state;
    assert_int_equal(output.delivered_wms, 10 * ENERGY_WMS_PER_WH);
    assert_true(output.full);
    assert_int_equal(battery.stored_wms, battery.capacity_wms);
    assert_int_equal(battery_soc_permille(&battery), 1000);
    output = step(&battery, 1000, 60, BATTERY_NO_LIMIT);
    assert_int_equal(output.delivered_wms, 0);
    assert_int_equal(output.power_w, 0);
    battery = make(60000, 200, 22000);
    output = step(&battery, 3600000, 1, 5 * ENERGY_WMS_PER_WH);
    assert_int_equal(output.delivered_wms, 5 * ENERGY_WMS_PER_WH);
    assert_true(output.at_limit);
    assert_int_equal(step(&battery, 1000, 1, 0).delivered_wms, 0);
}

static void test_crossing_into_lower_power_never_gains_time(void **state)
{
    /* One permille is 3600 W ms; at 90 % a charger of 1000 W gives 550 W: 6.5 ms, counted as 7. */
    struct battery battery = make(1, 900, 1000);

    (void)state;
    assert_int_equal(step(&battery, 7, 1, BATTERY_NO_LIMIT).delivered_wms, 3600);
    assert_int_equal(battery_soc_permille(&battery), 901);
}

static void test_nonsense_is_refused(void **state)
{
    struct battery battery = make(60000, 200, 22000);
    struct battery before = battery;
    struct battery_output output;

    (void)state;
    assert_int_equal(battery_init(&battery, 0, 0, 1), EV_ERR_RANGE);
    assert_int_equal(battery_init(&battery, BATTERY_CAPACITY_WH_MAX + 1, 0, 1), EV_ERR_RANGE);
    assert_int_equal(battery_init(&battery, 1, 1001, 1), EV_ERR_RANGE);
    assert_int_equal(battery_init(&battery, 1, 0, 0), EV_ERR_RANGE);
    assert_int_equal(battery_init(&battery, 1, 0, ENERGY_POWER_W_MAX + 1), EV_ERR_RANGE);
    assert_int_equal(battery_step(&battery, 1, 0, 1, &output), EV_ERR_RANGE);
    assert_int_equal(battery_step(&battery, 1, ENERGY_SPEED_MAX + 1, 1, &output), EV_ERR_RANGE);
    assert_int_equal(battery_step(&battery, BATTERY_STEP_MS_MAX + 1, 1, 1, &output), EV_ERR_RANGE);
    assert_memory_equal(&battery, &before, sizeof battery);
}

static void bounded_and_monotone(struct rng *rng)
{
    struct battery battery = make((uint32_t)rng_below(rng, 200000) + 1, (uint32_t)rng_below(rng, 1001),
                                  (uint32_t)rng_below(rng, 350000) + 1);
    uint32_t speed = (uint32_t)rng_below(rng, 3600) + 1;
    uint32_t power_before = battery_power_w(&battery);

    for (int i = 0; i < 2000; i++) {
        uint64_t stored = battery.stored_wms;
        uint64_t elapsed = rng_below(rng, 3000);
        uint64_t limit = rng_below(rng, 4) == 0 ? rng_below(rng, 100 * ENERGY_WMS_PER_WH) : BATTERY_NO_LIMIT;
        struct battery_output output = step(&battery, elapsed, speed, limit);

        assert_int_equal(battery.stored_wms, stored + output.delivered_wms);
        assert_true(battery.stored_wms <= battery.capacity_wms);
        assert_true(output.delivered_wms <= limit);
        /* power only falls, so the step's first is its most */
        assert_true(output.delivered_wms <= (uint64_t)power_before * elapsed * speed);
        assert_true(output.power_w <= battery.max_power_w);
        assert_true(output.full == (battery_soc_permille(&battery) == 1000));
        assert_true(battery_power_w(&battery) <= power_before);
        power_before = battery_power_w(&battery);
    }
}

static void additive(struct rng *rng)
{
    uint32_t capacity_wh = (uint32_t)rng_below(rng, 100000) + 1000;
    uint32_t max_power_w = (uint32_t)rng_below(rng, 150000) + 1;
    uint32_t speed = (uint32_t)rng_below(rng, 600) + 1;
    struct battery one = make(capacity_wh, (uint32_t)rng_below(rng, 1001), max_power_w);
    struct battery many = one;
    uint64_t total_ms = 0;
    uint64_t difference = 0;

    for (int i = 0; i < 500; i++) {
        uint64_t elapsed = rng_below(rng, 2000);

        total_ms += elapsed;
        (void)step(&many, elapsed, speed, BATTERY_NO_LIMIT);
    }
    (void)step(&one, total_ms, speed, BATTERY_NO_LIMIT);
    difference = one.stored_wms > many.stored_wms ? one.stored_wms - many.stored_wms
                                                  : many.stored_wms - one.stored_wms;
    /* One battery millisecond is lost at most for each of the 200 edges, on either side. */
    assert_true(difference <= (uint64_t)max_power_w * 200);
}

static void deterministic(struct rng *rng)
{
    struct battery a = make(60000, (uint32_t)rng_below(rng, 1001), 22000);
    struct battery b = a;

    for (int i = 0; i < 100; i++) {
        uint64_t elapsed = rng_below(rng, 100000);
        struct battery_output x = step(&a, elapsed, 60, BATTERY_NO_LIMIT);
        struct battery_output y = step(&b, elapsed, 60, BATTERY_NO_LIMIT);

        assert_int_equal(x.delivered_wms, y.delivered_wms);
        assert_int_equal(x.power_w, y.power_w);
    }
}

static void test_bounded_and_monotone(void **state)
{
    (void)state;
    rng_run_seeds("bounded_and_monotone", bounded_and_monotone);
}

static void test_additive_within_rounding(void **state)
{
    (void)state;
    rng_run_seeds("additive", additive);
}

static void test_equal_inputs_give_equal_outputs(void **state)
{
    (void)state;
    rng_run_seeds("deterministic", deterministic);
}

/* A whole charge of the demonstration: 20 % to full takes a believable time. */
static void test_a_whole_charge_takes_hours_not_minutes(void **state)
{
    struct battery battery = make(60000, 200, 22000);
    uint64_t meter = 0;
    uint64_t seconds = 0;

    (void)state;
    for (; battery.stored_wms < battery.capacity_wms && seconds < 36000; seconds++) {
        meter += step(&battery, 1000, 1, BATTERY_NO_LIMIT).delivered_wms;
    }
    assert_int_equal(meter, 48000 * ENERGY_WMS_PER_WH);
    assert_in_range(seconds, 2 * 3600, 4 * 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_power_below_80_percent),
        cmocka_unit_test(test_linear_taper_to_10_percent_of_power),
        cmocka_unit_test(test_it_stops_exactly_at_capacity_and_at_the_limit),
        cmocka_unit_test(test_crossing_into_lower_power_never_gains_time),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_bounded_and_monotone),
        cmocka_unit_test(test_additive_within_rounding),
        cmocka_unit_test(test_equal_inputs_give_equal_outputs),
        cmocka_unit_test(test_a_whole_charge_takes_hours_not_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
