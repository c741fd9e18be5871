/* Alert below 0.0, ends at 1.0, nothing in between; what is no temperature changes nothing. */
#include "common/rules/weather_rule.h"
#include "tests/rules/cmocka_all.h"

#include <math.h>

static void test_hysteresis_table(void **state)
{
    static const struct {
        int32_t milli_c;
        enum weather_action action;
        bool alert;
        bool after;
    } rows[] = {
        {-90000, WEATHER_HOLD, false, true}, {-1, WEATHER_HOLD, false, true},
        {0, WEATHER_NONE, false, false},     {999, WEATHER_NONE, false, false},
        {1000, WEATHER_NONE, false, false},  {60000, WEATHER_NONE, false, false},
        {-90000, WEATHER_NONE, true, true},  {-1, WEATHER_NONE, true, true},
        {0, WEATHER_NONE, true, true},       {500, WEATHER_NONE, true, true},
        {999, WEATHER_NONE, true, true},     {1000, WEATHER_LIFT, true, false},
        {60000, WEATHER_LIFT, true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool after = !rows[i].after;
        enum weather_action action = (enum weather_action)99;

        assert_int_equal(weather_rule_step(rows[i].alert, rows[i].milli_c, &after, &action), EV_OK);
        assert_int_equal(after, rows[i].after);
        assert_int_equal(action, rows[i].action);
    }
}

static void test_a_temperature_out_of_range_changes_nothing(void **state)
{
    static const int32_t bad[] = {-90001, 60001, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool after = true;
        enum weather_action action = WEATHER_LIFT;

        assert_int_equal(weather_rule_step(false, bad[i], &after, &action), EV_ERR_RANGE);
        assert_true(after);
        assert_int_equal(action, WEATHER_LIFT);
    }
}

static void test_degrees_become_the_nearest_millidegree(void **state)
{
    static const struct {
        double degrees;
        int32_t milli_c;
    } rows[] = {{0.0, 0},    {-0.0, 0},      {-0.1, -100},  {-0.04, -40},    {-0.0004, 0},  {-0.0006, -1},
                {1.0, 1000}, {0.9999, 1000}, {0.9994, 999}, {-90.0, -90000}, {60.0, 60000}, {21.3456, 21346}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t milli_c = 77;

        assert_int_equal(weather_rule_parse_degrees(rows[i].degrees, &milli_c), EV_OK);
        assert_int_equal(milli_c, rows[i].milli_c);
    }
}

static void test_what_is_no_temperature_is_refused(void **state)
{
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -90.001, 60.001, 1e308, -1e308};
    int32_t milli_c = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(weather_rule_parse_degrees(bad[i], &milli_c), EV_ERR_RANGE);
    }
    assert_int_equal(milli_c, 77);
}

static void test_cities_match_whole_and_byte_for_byte(void **state)
{
    (void)state;
    assert_true(weather_rule_same_city("Sevilla", "Sevilla"));
    assert_true(weather_rule_same_city("M\xC3\xA1laga", "M\xC3\xA1laga"));
    assert_false(weather_rule_same_city("Sevilla", "Sevilla la Nueva"));
    assert_false(weather_rule_same_city("Sevilla la Nueva", "Sevilla"));
    assert_false(weather_rule_same_city("sevilla", "Sevilla"));
    assert_false(weather_rule_same_city("M\xC3\xA1laga", "Ma\xCC\x81laga"));
    assert_false(weather_rule_same_city("", "Sevilla"));
    assert_false(weather_rule_same_city(NULL, "Sevilla"));
}

static void test_actions_have_texts(void **state)
{
    (void)state;
    assert_string_equal(weather_action_text(WEATHER_NONE), "none");
    assert_string_equal(weather_action_text(WEATHER_HOLD), "hold");
    assert_string_equal(weather_action_text(WEATHER_LIFT), "lift");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hysteresis_table),
        cmocka_unit_test(test_a_temperature_out_of_range_changes_nothing),
        cmocka_unit_test(test_degrees_become_the_nearest_millidegree),
        cmocka_unit_test(test_what_is_no_temperature_is_refused),
        cmocka_unit_test(test_cities_match_whole_and_byte_for_byte),
        cmocka_unit_test(test_actions_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
