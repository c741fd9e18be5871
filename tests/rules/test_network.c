/* The rules together: authorise + charge_point + session driven by random events, their effects carried out
 * by a dispatcher as small as can be. Whatever happens, no charge point and no driver has two open sessions,
 * the facts and the sessions agree, every session ends at most once, and energy never falls. */
#include "common/rules/authorise.h"
#include "common/rules/charge_point.h"
#include "common/rules/session.h"
#include "tests/rules/cmocka_all.h"
#include "tests/rules/rng.h"

#include <stdio.h>
#include <string.h>

#define CP_TOTAL 4
#define DRIVER_TOTAL 6
#define SESSION_TOTAL 3000
#define EVENTS 3000
#define NO_SESSION (-1)

struct network {
    struct charge_point cps[CP_TOTAL];
    int current[CP_TOTAL]; /* index of the session that keeps the charge point busy, or NO_SESSION */
    struct session sessions[SESSION_TOTAL];
    int session_count;
    int64_t now_ms;
    unsigned tickets;
    unsigned refused;
    unsigned unsupplied;
};

static struct network network; /* too large for the stack */

static void format_ids(int n, struct session_id *ret_session, struct request_id *ret_request)
{
    uint8_t bytes[ULID_BYTES] = {[14] = (uint8_t)(n >> 8), [15] = (uint8_t)n};

    ulid_encode_text(bytes, ret_session->text);
    ulid_encode_text(bytes, ret_request->text);
}

static bool driver_has_open_session(int driver)
{
    char name[8];

    (void)snprintf(name, sizeof name, "D%d", driver);
    for (int i = 0; i < network.session_count; i++) {
        if (session_is_open(&network.sessions[i]) && strcmp(network.sessions[i].driver_id.text, name) == 0) {
            return true;
        }
    }
    return false;
}

static void carry_out(int cp, const struct cp_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct cp_effect *effect = &effects->items[i];
        struct session *session =
            network.current[cp] != NO_SESSION ? &network.sessions[network.current[cp]] : NULL;
        struct ticket ticket;

        switch (effect->type) {
        case CP_EFFECT_START_SESSION:
            assert_non_null(session);
            assert_int_equal(session_start(session, network.now_ms), EV_OK);
            break;
        case CP_EFFECT_CANCEL_SESSION:
            assert_non_null(session);
            assert_int_equal(session_end_unsupplied(session, network.now_ms, effect->reason), EV_OK);
            network.unsupplied++;
            network.current[cp] = NO_SESSION;
            break;
        case CP_EFFECT_SETTLE:
            assert_non_null(session);
            if (effect->stop == STOP_REVOKED) {
                assert_int_equal(session_revoke(session, network.now_ms, &ticket), EV_OK);
                network.tickets++;
            } else {
                assert_int_equal(session_enter_settling(session, network.now_ms, effect->stop), EV_OK);
            }
            network.current[cp] = NO_SESSION;
            break;
        case CP_EFFECT_ORDER_STOP: /* the random events answer, or do not */
        case CP_EFFECT_ORDER_CANCEL:
        case CP_EFFECT_ORDER_STOP_STRAY:
        case CP_EFFECT_ANNOUNCE:
            break;
        }
    }
}

static void request(struct rng *rng)
{
    static const struct cp_id cp_id = {"CP"};
    int cp = (int)rng_below(rng, CP_TOTAL);
    int driver = (int)rng_below(rng, DRIVER_TOTAL);
    const struct authorise_request question = {
        .driver_known = true,
        .cp_known = true,
        .driver_has_open_session = driver_has_open_session(driver),
        .cp_has_open_session = network.current[cp] != NO_SESSION,
        .cp_state = charge_point_state(&network.cps[cp]),
        .cp_holds = network.cps[cp].holds,
    };
    struct session *session = &network.sessions[network.session_count];
    struct session_id id = {""};
    struct request_id request_id = {""};
    struct driver_id driver_id = {""};
    enum session_reason reason = authorise(&question);
    struct cp_effects effects;

    if (network.session_count == SESSION_TOTAL) {
        return;
    }
    format_ids(network.session_count, &id, &request_id);
    (void)snprintf(driver_id.text, sizeof driver_id.text, "D%d", driver);
    assert_int_equal(session_init(session, &id, &request_id, &cp_id, &driver_id, 54, 0, network.now_ms),
                     EV_OK);
    network.session_count++;
    if (reason != REASON_NONE) {
        assert_int_equal(session_end_unsupplied(session, network.now_ms, reason), EV_OK);
        network.refused++;
        return;
    }
    /* what is authorised can always be reserved */
    assert_int_equal(
        charge_point_step(&network.cps[cp], &(struct cp_event){.type = CP_EVENT_RESERVED}, &effects), EV_OK);
    assert_int_equal(session_begin_preparing(session, network.now_ms, 22000, 60), EV_OK);
    network.current[cp] = network.session_count - 1;
    carry_out(cp, &effects);
}

/* A meter or a final report for any session, at any time: also for one that is long over. */
static void report(struct rng *rng)
{
    int index = (int)rng_below(rng, (uint64_t)network.session_count + 1) - 1;
    struct session *session = NULL;
    uint64_t meter = 0;
    struct ticket ticket;
    enum meter_effect effect = METER_SAME;

    if (index < 0) {
        return;
    }
    for (int cp = 0; cp < CP_TOTAL; cp++) {
        if (network.current[cp] == index) {
            return; /* final reports of current sessions come as SUPPLY_ENDED */
        }
    }
    session = &network.sessions[index];
    meter = session->energy_wms + rng_below(rng, 100 * ENERGY_WMS_PER_WH);
    if (rng_below(rng, 2) == 0) {
        (void)!session_apply_meter(session, network.now_ms, meter, &effect);
    } else if (session_settle(session, network.now_ms, meter, STOP_UNPLUGGED, &ticket) == EV_OK) {
        network.tickets++;
    }
}

static void sample(struct rng *rng)
{
    int cp = (int)rng_below(rng, CP_TOTAL);
    enum meter_effect effect = METER_SAME;

    if (network.current[cp] != NO_SESSION && network.cps[cp].supply == CP_SUPPLY_CHARGING) {
        struct session *session = &network.sessions[network.current[cp]];
        uint64_t bound = session_meter_bound(session, network.now_ms);

        assert_int_equal(session_apply_meter(session, network.now_ms, rng_below(rng, bound + 1), &effect),
                         EV_OK);
    }
}

/* The final report of the current session. */
static void end_supply(struct rng *rng, int cp)
{
    struct session *session =
        network.current[cp] != NO_SESSION ? &network.sessions[network.current[cp]] : NULL;
    struct cp_effects effects;
    struct ticket ticket;
    enum ev_err err =
        charge_point_step(&network.cps[cp], &(struct cp_event){.type = CP_EVENT_SUPPLY_ENDED}, &effects);

    assert_true((err == EV_OK) == (session != NULL));
    if (session == NULL) {
        return;
    }
    assert_int_equal(session_settle(session, network.now_ms,
                                    rng_below(rng, session_meter_bound(session, network.now_ms) + 1),
                                    STOP_UNPLUGGED, &ticket),
                     EV_OK);
    network.tickets++;
    network.current[cp] = NO_SESSION;
    carry_out(cp, &effects);
}

static void charge_point_event(struct rng *rng)
{
    int cp = (int)rng_below(rng, CP_TOTAL);
    const struct cp_event event = {
        .type = (enum cp_event_type)rng_below(rng, CP_EVENT_COUNT),
        .hold = (enum cp_hold)(1U << rng_below(rng, HOLD_COUNT)),
        .stop = (enum stop_reason)(1 + rng_below(rng, STOP_REASON_COUNT - 1)),
        .reason = rng_below(rng, 2) == 0 ? REASON_NONE : REASON_NOT_PLUGGED_IN,
        .sync = (enum cp_sync)rng_below(rng, CP_SYNC_COUNT),
        .served = rng_below(rng, 2) == 0,
    };
    struct cp_effects effects;

    if (event.type == CP_EVENT_RESERVED) {
        return; /* only request() reserves */
    }
    if (event.type == CP_EVENT_SUPPLY_ENDED) {
        end_supply(rng, cp);
        return;
    }
    /* Troubles are rarer than what heals them, or nothing would ever be available. */
    if ((event.type == CP_EVENT_HOLD_SET || event.type == CP_EVENT_FAULT ||
         event.type == CP_EVENT_ENGINE_SILENT || event.type == CP_EVENT_DISCONNECTED ||
         event.type == CP_EVENT_ABANDONED) &&
        rng_below(rng, 20) != 0) {
        return;
    }
    if (charge_point_step(&network.cps[cp], &event, &effects) == EV_OK) {
        carry_out(cp, &effects);
    }
}

static void deadlines(void)
{
    for (int i = 0; i < network.session_count; i++) {
        struct ticket ticket;

        if (network.sessions[i].state == SESSION_SETTLING &&
            session_settle_deadline(&network.sessions[i], network.now_ms, 900000, &ticket) == EV_OK) {
            network.tickets++;
        }
    }
}

/* Facts and sessions agree, nobody has two. */
static void check_network(void)
{
    int open = 0;
    int held = 0;

    for (int cp = 0; cp < CP_TOTAL; cp++) {
        static const enum session_state expected[] = {SESSION_STATE_COUNT, SESSION_PREPARING,
                                                      SESSION_CHARGING};

        if (network.current[cp] == NO_SESSION) {
            assert_int_equal(network.cps[cp].supply, CP_SUPPLY_NONE);
            continue;
        }
        held++;
        assert_int_equal(network.sessions[network.current[cp]].state, expected[network.cps[cp].supply]);
        for (int other = 0; other < cp; other++) {
            assert_true(network.current[other] != network.current[cp]);
            assert_true(network.current[other] == NO_SESSION ||
                        !driver_id_equal(&network.sessions[network.current[other]].driver_id,
                                         &network.sessions[network.current[cp]].driver_id));
        }
    }
    for (int i = 0; i < network.session_count; i++) {
        open += session_is_open(&network.sessions[i]) ? 1 : 0;
    }
    assert_int_equal(open, held);
}

static void any_network(struct rng *rng)
{
    static struct session before[SESSION_TOTAL];

    memset(&network, 0, sizeof network);
    network.now_ms = 1000;
    for (int cp = 0; cp < CP_TOTAL; cp++) {
        charge_point_init(&network.cps[cp], 0);
        network.current[cp] = NO_SESSION;
    }
    for (int i = 0; i < EVENTS; i++) {
        int count = network.session_count;

        memcpy(before, network.sessions, sizeof before[0] * (size_t)count);
        network.now_ms += (int64_t)rng_below(rng, 20000);
        switch (rng_below(rng, 8)) {
        case 0:
            request(rng);
            break;
        case 1:
            report(rng);
            break;
        case 2:
        case 3:
            sample(rng);
            break;
        default:
            charge_point_event(rng);
            break;
        }
        deadlines();
        check_network();
        for (int s = 0; s < count; s++) {
            assert_true(network.sessions[s].energy_wms >= before[s].energy_wms);
            if (session_is_ended(&before[s])) {
                assert_memory_equal(&network.sessions[s], &before[s], sizeof before[s]);
            }
        }
    }
    /* The run has gone through what it is about. */
    printf("  %d requests: %u refused, %u without supply, %u tickets\n", network.session_count,
           network.refused, network.unsupplied, network.tickets);
    assert_true(network.refused > 0 && network.unsupplied > 0 && network.tickets > 0);
}

static void test_any_network(void **state)
{
    (void)state;
    rng_run_seeds("any_network", any_network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_network)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
