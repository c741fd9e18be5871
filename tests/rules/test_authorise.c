/* Who may charge where: each refusal alone, and the documented order when several hold. */
#include "common/rules/authorise.h"
#include "tests/rules/cmocka_all.h"

#include <string.h>

static struct authorise_request good(void)
{
    return (struct authorise_request){.driver_known = true, .cp_known = true, .cp_state = CP_AVAILABLE};
}

static void test_a_known_idle_driver_at_an_available_charge_point_may(void **state)
{
    struct authorise_request request = good();

    (void)state;
    assert_int_equal(authorise(&request), REASON_NONE);
    request.has_target = true;
    request.target_wh = 1;
    assert_int_equal(authorise(&request), REASON_NONE);
    request.target_wh = AUTHORISE_TARGET_WH_MAX;
    assert_int_equal(authorise(&request), REASON_NONE);
}

static void test_every_shown_state_but_available_is_refused(void **state)
{
    static const enum session_reason expected[CP_STATE_COUNT] = {
        [CP_OFFLINE] = REASON_CP_OFFLINE,     [CP_FAULTED] = REASON_CP_FAULTED,
        [CP_CHARGING] = REASON_CP_CHARGING,   [CP_UNAVAILABLE] = REASON_CP_OUT_OF_ORDER,
        [CP_FINISHING] = REASON_CP_FINISHING, [CP_PREPARING] = REASON_CP_RESERVED,
        [CP_AVAILABLE] = REASON_NONE,
    };

    (void)state;
    for (int s = 0; s < CP_STATE_COUNT; s++) {
        struct authorise_request request = good();

        request.cp_state = (enum cp_state)s;
        assert_int_equal(authorise(&request), expected[s]);
        for (uint32_t holds = 1; holds <= HOLD_ALL; holds++) {
            request.cp_holds = holds;
            assert_int_not_equal(authorise(&request), REASON_NONE);
        }
        request.cp_holds = 0;
        request.cp_has_open_session = true;
        assert_int_not_equal(authorise(&request), REASON_NONE);
    }
}

static void test_a_target_must_be_possible(void **state)
{
    static const uint64_t bad[] = {0, (uint64_t)AUTHORISE_TARGET_WH_MAX + 1, UINT64_MAX};
    struct authorise_request request = good();

    (void)state;
    request.has_target = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        request.target_wh = bad[i];
        assert_int_equal(authorise(&request), REASON_BAD_TARGET);
    }
}

/* Makes each refusal true from the last to the first: the answer must always be the one made true last. */
static void test_the_order_of_checks(void **state)
{
    struct authorise_request request = good();

    (void)state;
    request.cp_has_open_session = true;
    assert_int_equal(authorise(&request), REASON_CP_RESERVED);
    request.cp_state = CP_FINISHING;
    assert_int_equal(authorise(&request), REASON_CP_FINISHING);
    request.cp_holds = HOLD_WEATHER;
    assert_int_equal(authorise(&request), REASON_CP_OUT_OF_ORDER);
    request.cp_state = CP_CHARGING;
    assert_int_equal(authorise(&request), REASON_CP_CHARGING);
    request.cp_state = CP_FAULTED;
    assert_int_equal(authorise(&request), REASON_CP_FAULTED);
    request.cp_state = CP_OFFLINE;
    assert_int_equal(authorise(&request), REASON_CP_OFFLINE);
    request.driver_has_open_session = true;
    assert_int_equal(authorise(&request), REASON_DRIVER_BUSY);
    request.cp_known = false;
    assert_int_equal(authorise(&request), REASON_UNKNOWN_CP);
    request.has_target = true;
    assert_int_equal(authorise(&request), REASON_BAD_TARGET);
    request.driver_revoked = true;
    assert_int_equal(authorise(&request), REASON_DRIVER_REVOKED);
    request.driver_known = false;
    assert_int_equal(authorise(&request), REASON_UNKNOWN_DRIVER);
    request.too_old = true;
    assert_int_equal(authorise(&request), REASON_REQUEST_TOO_OLD);
    request.duplicate = true;
    assert_int_equal(authorise(&request), REASON_DUPLICATE_REQUEST);
}

static void test_every_reason_has_a_code_a_sentence_and_an_outcome(void **state)
{
    (void)state;
    for (int i = REASON_NONE + 1; i < SESSION_REASON_COUNT; i++) {
        enum session_reason reason = (enum session_reason)i;
        enum session_reason back = REASON_NONE;
        enum session_state outcome = session_reason_outcome(reason);
        const char *sentence = session_reason_sentence(reason);

        assert_int_equal(session_reason_parse(session_reason_text(reason), &back), EV_OK);
        assert_int_equal(back, reason);
        assert_true(strlen(sentence) > 10 && sentence[strlen(sentence) - 1] == '.');
        assert_true(outcome == SESSION_REJECTED || outcome == SESSION_EXPIRED ||
                    outcome == SESSION_CANCELLED);
    }
    assert_int_equal(session_reason_outcome(REASON_REQUEST_TOO_OLD), SESSION_EXPIRED);
    assert_string_equal(session_reason_text(REASON_NONE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_idle_driver_at_an_available_charge_point_may),
        cmocka_unit_test(test_every_shown_state_but_available_is_refused),
        cmocka_unit_test(test_a_target_must_be_possible),
        cmocka_unit_test(test_the_order_of_checks),
        cmocka_unit_test(test_every_reason_has_a_code_a_sentence_and_an_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
