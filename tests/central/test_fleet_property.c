/* Random lives of a small network, seeded: charge points that follow the protocol but crash, lose their links
 * and restart; drivers that ask and stop; admins, weather, and a Central that dies. After every step and at
 * the end the fleet's invariants must hold. A failing seed is printed, and runs alone with EV_SEED. */
#include "fleet_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPS 4
#define DRIVERS 5
#define STEPS 1500
#define JOURNAL_MAX 64
#define QUEUE_MAX 256
#define POWER_W 22000

struct journal_entry {
    struct session_id session;
    uint64_t energy_wms;
    enum stop_reason reason;
};

/* An engine with its monitor. */
struct machine {
    char id[8];
    char key[16];
    unsigned keys;
    uint64_t connection; /* 0 none */
    bool engine_up, plugged, maintenance, operator_next, barred;
    enum cp_supply supply;
    struct session_id session;
    uint64_t energy_wms;
    int64_t since_ms; /* supply in this state */
    struct journal_entry journal[JOURNAL_MAX];
    size_t journal_count;
};

struct truth { /* what the engine really delivered in a session */
    struct session_id session;
    uint64_t energy_wms;
    bool over;
};

struct network {
    struct world *w;
    struct machine machines[CPS];
    struct truth truths[WORLD_ROWS_MAX];
    size_t truth_count;
    struct {
        uint64_t connection;
        bool close;
        struct message message;
    } queue[QUEUE_MAX];
    size_t queue_count;
    uint64_t random;
    unsigned requests;
    bool gentle; /* nothing that issues a ticket before the journal is in */
    bool revoked_any;
};

static unsigned pick(struct network *n, unsigned below)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return (unsigned)((n->random >> 11) % below);
}

/* -- invariants -- */

static void check_authorise(struct network *n, const struct message *message)
{
    assert_int_equal(world_holds(n->w, message->cp_id.text), 0);
}

static void check_open_sessions(const struct network *n)
{
    unsigned per_cp[CPS] = {0};
    unsigned per_driver[DRIVERS] = {0};

    for (size_t i = 0; i < n->w->session_count; i++) {
        const struct store_session *row = &n->w->sessions[i];

        if (row->state > (int)SESSION_CHARGING) {
            continue;
        }
        for (unsigned c = 0; c < CPS; c++) {
            per_cp[c] += strcmp(row->cp_id.text, n->machines[c].id) == 0;
        }
        per_driver[row->driver_id.text[1] - '0']++;
    }
    for (unsigned c = 0; c < CPS; c++) {
        assert_true(per_cp[c] <= 1);
    }
    for (unsigned d = 0; d < DRIVERS; d++) {
        assert_true(per_driver[d] <= 1);
    }
}

/* -- what Central says reaches the machines -- */

static void collect(struct network *n)
{
    for (size_t i = 0; i < n->w->said_count; i++) {
        const struct fleet_effect *effect = &n->w->said[i];

        if (effect->type != FLEET_EFFECT_SEND && effect->type != FLEET_EFFECT_CLOSE) {
            continue;
        }
        assert_true(n->queue_count < QUEUE_MAX);
        n->queue[n->queue_count].connection = effect->connection;
        n->queue[n->queue_count].close = effect->type == FLEET_EFFECT_CLOSE;
        if (effect->type == FLEET_EFFECT_SEND) {
            n->queue[n->queue_count].message = effect->of.message;
            if (effect->of.message.type == MESSAGE_AUTHORISE) {
                check_authorise(n, &effect->of.message);
            }
        }
        n->queue_count++;
    }
    n->w->said_count = 0;
    check_open_sessions(n);
}

static struct truth *truth_of(struct network *n, const struct session_id *session)
{
    for (size_t i = 0; i < n->truth_count; i++) {
        if (session_id_equal(&n->truths[i].session, session)) {
            return &n->truths[i];
        }
    }
    n->truths[n->truth_count] = (struct truth){.session = *session};
    return &n->truths[n->truth_count++];
}

/* The battery follows the clock: what was delivered since supply began, at full power. */
static void charge_on(struct network *n, struct machine *m)
{
    if (m->supply == CP_SUPPLY_CHARGING) {
        m->energy_wms = (uint64_t)(n->w->mono_ms - m->since_ms) * POWER_W;
        truth_of(n, &m->session)->energy_wms = m->energy_wms;
    }
}

static void report_ended(struct network *n, struct machine *m, const struct journal_entry *entry)
{
    if (m->connection != 0) {
        world_ended(n->w, m->id, m->connection, &entry->session, entry->energy_wms, entry->reason);
        collect(n);
    }
}

static void supply_ends(struct network *n, struct machine *m, enum stop_reason reason)
{
    struct journal_entry *entry = NULL;

    if (m->supply != CP_SUPPLY_CHARGING) {
        return;
    }
    charge_on(n, m);
    m->supply = CP_SUPPLY_NONE;
    truth_of(n, &m->session)->over = true;
    assert_true(m->journal_count < JOURNAL_MAX);
    entry = &m->journal[m->journal_count++];
    *entry = (struct journal_entry){.session = m->session, .energy_wms = m->energy_wms, .reason = reason};
    if (m->engine_up) {
        struct journal_entry copy = *entry;

        report_ended(n, m, &copy);
        if (pick(n, 2) == 0) {
            world_sample(n->w, m->id, &copy.session, copy.energy_wms, copy.reason);
            collect(n);
        }
    }
}

static void reservation_ends(struct network *n, struct machine *m, enum message_reservation_end reason)
{
    struct session_id session = m->session;

    if (m->supply != CP_SUPPLY_PREPARING) {
        return;
    }
    m->supply = CP_SUPPLY_NONE;
    if (m->connection != 0) {
        world_reservation_ended(n->w, m->id, m->connection, &session, reason);
        collect(n);
    }
}

static struct message_status status_of(const struct machine *m, bool sync)
{
    struct message_status status = {.engine_ok = m->engine_up, .maintenance = m->maintenance};

    if (m->engine_up) {
        status.sync = sync;
        status.plugged = m->plugged;
        status.supply = m->supply;
        status.max_power_w = POWER_W;
        status.speed = 1;
        if (m->supply != CP_SUPPLY_NONE) {
            status.session_id = m->session;
        }
    }
    return status;
}

static void tell_status(struct network *n, struct machine *m, bool sync)
{
    struct message_status status = status_of(m, sync);

    if (m->connection != 0) {
        world_status(n->w, m->id, m->connection, &status);
        collect(n);
    }
}

static void drop_link(struct network *n, struct machine *m)
{
    m->connection = 0;
    reservation_ends(n, m, MESSAGE_RESERVATION_CONTROL_LOST); /* told to nobody */
}

static void obey(struct network *n, struct machine *m, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_AUTHORISE:
        if (!m->engine_up || m->supply != CP_SUPPLY_NONE) {
            world_reservation_ended(n->w, m->id, m->connection, &message->authorise.session_id,
                                    MESSAGE_RESERVATION_REFUSED);
            collect(n);
            break;
        }
        m->supply = CP_SUPPLY_PREPARING;
        m->session = message->authorise.session_id;
        m->since_ms = n->w->mono_ms;
        break;
    case MESSAGE_CANCEL:
        if (session_id_equal(&message->cancel.session_id, &m->session)) {
            reservation_ends(n, m, MESSAGE_RESERVATION_CANCELLED);
        }
        break;
    case MESSAGE_STOP:
        if (m->engine_up && session_id_equal(&message->stop.session_id, &m->session)) {
            supply_ends(n, m, message->stop.reason);
            reservation_ends(n, m, MESSAGE_RESERVATION_CANCELLED);
        }
        break;
    case MESSAGE_SETTLED:
        for (size_t i = 0; i < m->journal_count; i++) {
            if (session_id_equal(&m->journal[i].session, &message->settled.session_id)) {
                m->journal[i] = m->journal[--m->journal_count];
                break;
            }
        }
        break;
    case MESSAGE_REFUSE:
        m->operator_next = m->operator_next || message->refuse.code == MESSAGE_REFUSE_KEY_DROPPED;
        m->barred = m->barred || message->refuse.code == MESSAGE_REFUSE_REVOKED;
        break;
    default:
        break;
    }
}

static void deliver(struct network *n)
{
    for (size_t i = 0; i < n->queue_count; i++) {
        struct message message = n->queue[i].message;
        uint64_t connection = n->queue[i].connection;
        bool close = n->queue[i].close;

        for (unsigned c = 0; c < CPS; c++) {
            struct machine *m = &n->machines[c];

            if (m->connection == 0 || m->connection != connection) {
                continue;
            }
            if (close) {
                drop_link(n, m);
            } else {
                obey(n, m, &message);
            }
        }
    }
    n->queue_count = 0;
}

/* -- what happens -- */

static void link_up(struct network *n, struct machine *m)
{
    struct fleet_event event = {
        .type = FLEET_HELLO, .cp_id = world_cp(m->id), .connection = ++n->w->next_connection};
    struct journal_entry journal[JOURNAL_MAX];
    size_t count = m->journal_count;

    if (m->connection != 0) {
        drop_link(n, m);
    }
    (void)snprintf(event.of.hello.key_sha256, sizeof event.of.hello.key_sha256, "%s", m->key);
    event.of.hello.operator_cause = m->operator_next;
    m->connection = event.connection;
    world_step(n->w, &event);
    collect(n);
    deliver(n);
    if (m->connection == 0) {
        return; /* refused */
    }
    m->operator_next = false;
    memcpy(journal, m->journal, count * sizeof *journal);
    for (size_t i = 0; i < count && m->engine_up; i++) {
        report_ended(n, m, &journal[i]);
    }
    tell_status(n, m, true);
}

static void register_anew(struct network *n, struct machine *m)
{
    struct fleet_event event = {.type = FLEET_REGISTERED};

    (void)snprintf(m->key, sizeof m->key, "key-%u", ++m->keys);
    event.of.node.role = FLEET_ROLE_CP;
    (void)snprintf(event.of.node.id, sizeof event.of.node.id, "%s", m->id);
    (void)snprintf(event.of.node.city, sizeof event.of.node.city, "City%c", m->id[2] <= '1' ? 'A' : 'B');
    (void)snprintf(event.of.node.key_sha256, sizeof event.of.node.key_sha256, "%s", m->key);
    event.of.node.price_cents_per_kwh = 50;
    m->barred = false;
    world_step(n->w, &event);
    collect(n);
}

static void plug(struct network *n, struct machine *m)
{
    m->plugged = true;
    if (m->engine_up && m->supply == CP_SUPPLY_PREPARING) {
        m->supply = CP_SUPPLY_CHARGING;
        m->since_ms = n->w->mono_ms;
        m->energy_wms = 0;
        (void)truth_of(n, &m->session);
        if (m->connection != 0) {
            world_started(n->w, m->id, m->connection, &m->session);
            collect(n);
        }
    }
    tell_status(n, m, false);
}

static void engine_dies(struct network *n, struct machine *m)
{
    if (!m->engine_up) {
        return;
    }
    m->engine_up = false;
    supply_ends(n, m, STOP_ENGINE_LOST); /* what it journalled; reported when it returns */
    reservation_ends(n, m, MESSAGE_RESERVATION_FAULT);
    tell_status(n, m, false);
}

static void engine_returns(struct network *n, struct machine *m)
{
    struct journal_entry journal[JOURNAL_MAX];
    size_t count = m->journal_count;

    m->engine_up = true;
    memcpy(journal, m->journal, count * sizeof *journal);
    for (size_t i = 0; i < count; i++) {
        report_ended(n, m, &journal[i]);
    }
    deliver(n);
    tell_status(n, m, true);
}

static void wait(struct network *n, int64_t ms)
{
    world_wait(n->w, ms);
    collect(n);
    for (unsigned c = 0; c < CPS; c++) {
        struct machine *m = &n->machines[c];

        charge_on(n, m);
        if (m->supply == CP_SUPPLY_PREPARING && n->w->mono_ms - m->since_ms >= 60000) {
            reservation_ends(n, m, MESSAGE_RESERVATION_EXPIRED);
        }
        if (m->supply == CP_SUPPLY_CHARGING && pick(n, 4) != 0) { /* some samples are lost */
            world_sample(n->w, m->id, &m->session, m->energy_wms, STOP_NONE);
            collect(n);
        }
    }
}

static void central_dies(struct network *n)
{
    for (unsigned c = 0; c < CPS; c++) {
        drop_link(n, &n->machines[c]);
    }
    n->queue_count = 0;
    world_restart(n->w);
    collect(n);
}

static void ask(struct network *n)
{
    char driver[3] = {'d', (char)('0' + pick(n, DRIVERS)), '\0'};
    char request[16];

    /* One in eight is a repeat. */
    n->requests += pick(n, 8) != 0;
    (void)snprintf(request, sizeof request, "%u", n->requests);
    (void)world_request(n->w, driver, n->machines[pick(n, CPS)].id, request);
    collect(n);
}

static void stop_some_session(struct network *n)
{
    if (n->w->session_count > 0) {
        struct store_session row = n->w->sessions[pick(n, (unsigned)n->w->session_count)];

        world_stop_session(n->w, &row.id, pick(n, 2) == 0 ? row.driver_id.text : NULL);
        collect(n);
    }
}

static void orders(struct network *n, struct machine *m)
{
    static const enum fleet_event_type types[] = {
        FLEET_ORDER_STOP,       FLEET_ORDER_RESUME,   FLEET_ORDER_RESUME, FLEET_ORDER_RESUME,
        FLEET_ORDER_ROTATE_KEY, FLEET_ORDER_DROP_KEY, FLEET_ORDER_REVOKE};
    unsigned type = pick(n, n->gentle ? 6 : 7);

    n->revoked_any = n->revoked_any || types[type] == FLEET_ORDER_REVOKE;
    world_order(n->w, types[type], m->id);
    collect(n);
}

static void frost_or_thaw(struct network *n)
{
    world_weather(n->w, pick(n, 2) == 0 ? "CityA" : "CityB", pick(n, 5) == 0 ? -5.0 : 12.0);
    collect(n);
}

/* Somebody looks after the machines, or nothing would ever charge for long. */
static void mend(struct network *n, struct machine *m)
{
    if (m->barred) {
        register_anew(n, m);
    }
    if (!m->engine_up) {
        engine_returns(n, m);
    }
    if (m->plugged && m->supply == CP_SUPPLY_NONE) {
        m->plugged = false;
        tell_status(n, m, false);
    }
    if (m->connection == 0) {
        link_up(n, m);
    }
    world_order(n->w, FLEET_ORDER_RESUME, m->id);
    collect(n);
}

static void one_event(struct network *n)
{
    struct machine *m = &n->machines[pick(n, CPS)];

    switch (pick(n, 24)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        ask(n);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        plug(n, m);
        break;
    case 9:
    case 10:
        if (m->engine_up && (m->supply == CP_SUPPLY_NONE || pick(n, 3) == 0)) {
            m->plugged = false;
            supply_ends(n, m, STOP_UNPLUGGED);
            tell_status(n, m, false);
        }
        break;
    case 11:
        supply_ends(n, m, STOP_TARGET);
        break;
    case 12:
        if (m->connection != 0) {
            world_disconnect(n->w, m->id, m->connection);
            collect(n);
            drop_link(n, m);
        }
        break;
    case 13:
    case 14:
    case 15: /* mostly those that are away */
        if (m->barred) {
            register_anew(n, m);
        }
        if (m->connection == 0 || pick(n, 6) == 0) {
            link_up(n, m);
        }
        break;
    case 16:
        engine_dies(n, m);
        break;
    case 17:
    case 18:
        if (!m->engine_up || pick(n, 6) == 0) {
            engine_returns(n, m);
        }
        break;
    case 19:
        stop_some_session(n);
        break;
    case 20:
        orders(n, m);
        break;
    case 21:
        frost_or_thaw(n);
        break;
    case 22:
        m->maintenance = pick(n, 6) == 0;
        tell_status(n, m, false);
        break;
    default:
        if (pick(n, 10) == 0) {
            central_dies(n);
        }
        break;
    }
    if (pick(n, 3) == 0) {
        mend(n, &n->machines[pick(n, CPS)]);
    }
    deliver(n);
    /* Gently: never so long that a ticket is issued before the journal comes. */
    wait(n, pick(n, 20) == 0 && !n->gentle ? 400000 : 250 * (1 + (int64_t)pick(n, 12)));
    deliver(n);
}

/* -- the end: everybody returns, and every session must have found its one end -- */

static void all_returns(struct network *n)
{
    world_weather(n->w, "CityA", 15.0);
    collect(n);
    world_weather(n->w, "CityB", 15.0);
    collect(n);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned c = 0; c < CPS; c++) {
            struct machine *m = &n->machines[c];

            supply_ends(n, m, STOP_TARGET);
            reservation_ends(n, m, MESSAGE_RESERVATION_EXPIRED);
            m->engine_up = true;
            m->maintenance = false;
            m->operator_next = true;
            if (m->barred) {
                register_anew(n, m);
            }
            link_up(n, m);
            deliver(n);
        }
    }
}

static void check_end(struct network *n)
{
    uint64_t tickets_wms = 0;
    uint64_t delivered_wms = 0;

    for (size_t i = 0; i < n->w->session_count; i++) {
        const struct store_session *row = &n->w->sessions[i];

        assert_true(row->state >= (int)SESSION_FINISHED);
        if (row->state == (int)SESSION_FINISHED) {
            uint64_t true_wms = truth_of(n, &row->id)->energy_wms;

            assert_true(row->energy_wms <= true_wms);
            tickets_wms += row->energy_wms;
        }
    }
    for (size_t i = 0; i < n->truth_count; i++) {
        delivered_wms += n->truths[i].energy_wms;
    }
    assert_true(tickets_wms == n->w->tickets_wms);               /* no session got two */
    assert_true(n->w->session_count > 100 && delivered_wms > 0); /* the life was not an idle one */
    if (n->gentle) {
        assert_true(tickets_wms == delivered_wms);
    }
    for (unsigned c = 0; c < CPS; c++) {
        assert_int_equal(n->machines[c].journal_count, 0); /* every journal drains */
    }
}

static void live(uint64_t seed, bool gentle)
{
    struct network *n = calloc(1, sizeof *n);

    assert_non_null(n);
    n->w = world_new();
    n->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    n->gentle = gentle;
    for (unsigned c = 0; c < CPS; c++) {
        (void)snprintf(n->machines[c].id, sizeof n->machines[c].id, "CP%u", c);
        n->machines[c].engine_up = true;
        register_anew(n, &n->machines[c]);
        link_up(n, &n->machines[c]);
    }
    for (unsigned d = 0; d < DRIVERS; d++) {
        char id[3] = {'d', (char)('0' + d), '\0'};

        world_register_driver(n->w, id);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        one_event(n);
    }
    all_returns(n);
    wait(n, 1000000);
    deliver(n);
    check_end(n);
    world_free(n->w);
    free(n);
}

static void run_seeds(bool gentle)
{
    const char *only = getenv("EV_SEED");
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    uint64_t last = only != NULL ? first : 60;

    for (uint64_t seed = first; seed <= last; seed++) {
        print_message("seed %llu%s\n", (unsigned long long)seed, gentle ? " (gentle)" : "");
        live(seed, gentle);
    }
}

static void tickets_are_the_engines_meters_whatever_is_killed(void **state)
{
    (void)state;
    run_seeds(true);
}

static void every_session_ends_once_and_is_never_billed_for_more(void **state)
{
    (void)state;
    run_seeds(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_are_the_engines_meters_whatever_is_killed),
        cmocka_unit_test(every_session_ends_once_and_is_never_billed_for_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
