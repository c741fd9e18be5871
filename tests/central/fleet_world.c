#include "fleet_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fleet_config config = {
    .settle_ms = 900000, .rotate_ms = 300000, .prepare_ms = 60000, .drop_wait_ms = 5000, .stale_ms = 15000};

struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->said = calloc(WORLD_EFFECTS_MAX, sizeof *world->said);
    world->sessions = calloc(WORLD_ROWS_MAX, sizeof *world->sessions);
    assert_non_null(world->said);
    assert_non_null(world->sessions);
    world->mono_ms = 1000000;
    world->wall_ms = INT64_C(1764000000000);
    assert_int_equal(fleet_new(&config, &world->fleet), EV_OK);
    return world;
}

void world_free(struct world *world)
{
    fleet_free(world->fleet);
    free(world->said);
    free(world->sessions);
    free(world);
}

/* -- the store -- */

static void keep_session(struct world *world, const struct fleet_session *session)
{
    struct store_session row;
    size_t i = 0;

    fleet_session_row(session, &row);
    while (i < world->session_count && !session_id_equal(&world->sessions[i].id, &row.id)) {
        i++;
    }
    assert_true(i < WORLD_ROWS_MAX);
    if (i < world->session_count && world->sessions[i].state >= (int)SESSION_FINISHED) {
        /* What has ended never changes. */
        assert_memory_equal(&world->sessions[i], &row, sizeof row);
    } else if (row.state == (int)SESSION_FINISHED) {
        world->tickets_wms += row.energy_wms;
    }
    if (i == world->session_count) {
        world->session_count++;
    }
    world->sessions[i] = row;
}

static void keep_cp(struct world *world, const struct fleet_cp *cp)
{
    struct store_charge_point row;
    size_t i = 0;

    fleet_cp_row(cp, &row);
    while (i < world->cp_count && !cp_id_equal(&world->cps[i].id, &row.id)) {
        i++;
    }
    assert_true(i < 64);
    world->cps[i] = row;
    if (i == world->cp_count) {
        world->cp_count++;
    }
}

static void keep_node(struct world *world, const struct store_node *node)
{
    size_t i = 0;

    while (i < world->node_count && strcmp(world->nodes[i].id, node->id) != 0) {
        i++;
    }
    assert_true(i < 64);
    world->nodes[i] = *node;
    if (i == world->node_count) {
        world->node_count++;
    }
}

static void keep_weather(struct world *world, const struct fleet_weather *weather, bool dropped)
{
    size_t i = 0;

    while (i < world->weather_count && strcmp(world->weather[i].city, weather->city) != 0) {
        i++;
    }
    if (dropped) {
        world->weather[i] = world->weather[--world->weather_count];
        return;
    }
    assert_true(i < 16);
    world->weather[i] = *weather;
    if (i == world->weather_count) {
        world->weather_count++;
    }
}

static void keep(struct world *world, const struct fleet_effect *effect)
{
    switch (effect->type) {
    case FLEET_EFFECT_SAVE_SESSION:
    case FLEET_EFFECT_SAVE_METER:
        keep_session(world, effect->session);
        break;
    case FLEET_EFFECT_SAVE_CHARGE_POINT:
        keep_cp(world, effect->cp);
        break;
    case FLEET_EFFECT_SAVE_NODE:
        keep_node(world, &effect->of.node);
        break;
    case FLEET_EFFECT_SAVE_WEATHER:
        keep_weather(world, &effect->of.weather, false);
        break;
    case FLEET_EFFECT_DROP_WEATHER:
        keep_weather(world, &effect->of.weather, true);
        break;
    default:
        break;
    }
}

/* -- steps -- */

static void step_on(struct world *world, struct fleet_event *event)
{
    static struct fleet_effects effects;
    enum ev_err refused = EV_OK;

    event->mono_ms = world->mono_ms;
    event->wall_ms = world->wall_ms;
    fleet_step(world->fleet, event, &effects);
    refused = effects.refused;
    for (;;) {
        for (size_t i = 0; i < effects.count; i++) {
            keep(world, &effects.items[i]);
            if (world->said_count < WORLD_EFFECTS_MAX) {
                world->said[world->said_count++] = effects.items[i];
            }
        }
        if (!effects.more) {
            break;
        }
        event->type = FLEET_CONTINUE;
        fleet_step(world->fleet, event, &effects);
    }
    world->answer = effects.answer;
    world->refused = refused;
}

void world_step(struct world *world, struct fleet_event *event)
{
    world->said_count = 0;
    step_on(world, event);
}

void world_wait(struct world *world, int64_t ms)
{
    world->said_count = 0;
    while (ms > 0) {
        struct fleet_event event = {.type = FLEET_TICK};
        int64_t step_ms = ms < 250 ? ms : 250;

        world->mono_ms += step_ms;
        world->wall_ms += step_ms;
        ms -= step_ms;
        step_on(world, &event);
    }
}

void world_restart(struct world *world)
{
    struct fleet_event event = {.type = FLEET_LOAD_WEATHER};

    fleet_free(world->fleet);
    assert_int_equal(fleet_new(&config, &world->fleet), EV_OK);
    for (size_t i = 0; i < world->weather_count; i++) {
        event.type = FLEET_LOAD_WEATHER;
        event.of.weather = world->weather[i];
        world_step(world, &event);
    }
    for (size_t i = 0; i < world->node_count; i++) {
        event.type = FLEET_LOAD_NODE;
        event.of.load_node = &world->nodes[i];
        world_step(world, &event);
    }
    for (size_t i = 0; i < world->cp_count; i++) {
        event.type = FLEET_LOAD_CHARGE_POINT;
        event.of.load_charge_point = &world->cps[i];
        world_step(world, &event);
    }
    for (size_t i = 0; i < world->session_count; i++) {
        struct store_session row = world->sessions[i];

        event.type = FLEET_LOAD_SESSION;
        event.of.load_session = &row;
        world_step(world, &event);
    }
}

/* -- words -- */

struct cp_id world_cp(const char *id)
{
    struct cp_id cp;

    assert_int_equal(cp_id_parse(id, &cp), EV_OK);
    return cp;
}

struct driver_id world_driver(const char *id)
{
    struct driver_id driver;

    assert_int_equal(driver_id_parse(id, &driver), EV_OK);
    return driver;
}

static struct session_id new_session_id(struct world *world)
{
    struct session_id id;
    char text[ULID_LENGTH + 1];

    (void)snprintf(text, sizeof text, "01J%023llu", (unsigned long long)++world->next_id);
    assert_int_equal(session_id_parse(text, &id), EV_OK);
    return id;
}

void world_register_cp(struct world *world, const char *id, const char *city, uint32_t price)
{
    static const struct fleet_actor actor = {.who = "registry"};
    struct fleet_event event = {.type = FLEET_REGISTERED, .actor = &actor};

    event.of.node.role = FLEET_ROLE_CP;
    (void)snprintf(event.of.node.id, sizeof event.of.node.id, "%s", id);
    (void)snprintf(event.of.node.city, sizeof event.of.node.city, "%s", city);
    (void)snprintf(event.of.node.key_sha256, sizeof event.of.node.key_sha256, "key-of-%s", id);
    event.of.node.price_cents_per_kwh = price;
    world_step(world, &event);
}

void world_register_driver(struct world *world, const char *id)
{
    struct fleet_event event = {.type = FLEET_REGISTERED};

    event.of.node.role = FLEET_ROLE_DRIVER;
    (void)snprintf(event.of.node.id, sizeof event.of.node.id, "%s", id);
    (void)snprintf(event.of.node.key_sha256, sizeof event.of.node.key_sha256, "key-of-%s", id);
    world_step(world, &event);
}

uint64_t world_hello(struct world *world, const char *id, bool operator_cause)
{
    struct fleet_actor actor = {.address = "10.0.0.1:4711"};
    struct fleet_event event = {.type = FLEET_HELLO, .actor = &actor};

    (void)snprintf(actor.who, sizeof actor.who, "cp:%s", id);
    event.cp_id = world_cp(id);
    event.connection = ++world->next_connection;
    event.of.hello.operator_cause = operator_cause;
    (void)snprintf(event.of.hello.key_sha256, sizeof event.of.hello.key_sha256, "key-of-%s", id);
    world_step(world, &event);
    return event.connection;
}

void world_disconnect(struct world *world, const char *id, uint64_t connection)
{
    struct fleet_event event = {.type = FLEET_DISCONNECTED, .cp_id = world_cp(id), .connection = connection};

    world_step(world, &event);
}

struct message_status world_idle(void)
{
    return (struct message_status){.engine_ok = true,
                                   .sync = true,
                                   .max_power_w = 22000,
                                   .speed = 1,
                                   .battery_wh = 60000,
                                   .soc_permille = 200};
}

void world_status(struct world *world, const char *id, uint64_t connection,
                  const struct message_status *status)
{
    struct fleet_event event = {.type = FLEET_STATUS, .cp_id = world_cp(id), .connection = connection};

    event.of.status = *status;
    world_step(world, &event);
}

uint64_t world_bring_up(struct world *world, const char *id)
{
    struct message_status status = world_idle();
    uint64_t connection = world_hello(world, id, false);

    world_status(world, id, connection, &status);
    return connection;
}

struct session_id world_request(struct world *world, const char *driver, const char *cp, const char *request)
{
    struct fleet_event event = {.type = FLEET_REQUEST, .cp_id = world_cp(cp)};
    char text[ULID_LENGTH + 1];

    event.of.request.driver_id = world_driver(driver);
    (void)snprintf(text, sizeof text, "01H%023u", (unsigned)strtoul(request, NULL, 10));
    assert_int_equal(request_id_parse(text, &event.of.request.request_id), EV_OK);
    event.new_session_id = new_session_id(world);
    world_step(world, &event);
    return fleet_find_session(world->fleet, &event.new_session_id) != NULL ? event.new_session_id
                                                                           : (struct session_id){.text = ""};
}

void world_started(struct world *world, const char *id, uint64_t connection, const struct session_id *session)
{
    struct fleet_event event = {
        .type = FLEET_SUPPLY_STARTED, .cp_id = world_cp(id), .connection = connection};

    event.of.supply_started.session_id = *session;
    event.of.supply_started.started_at_ms = world->wall_ms;
    world_step(world, &event);
}

void world_ended(struct world *world, const char *id, uint64_t connection, const struct session_id *session,
                 uint64_t energy_wms, enum stop_reason reason)
{
    struct fleet_event event = {.type = FLEET_SUPPLY_ENDED, .cp_id = world_cp(id), .connection = connection};
    const struct store_session *row = world_session(world, session);

    if (fleet_find_session(world->fleet, session) == NULL) {
        event.known = row; /* as control_port does */
    }
    event.of.supply_ended.session_id = *session;
    event.of.supply_ended.energy_wms = energy_wms;
    event.of.supply_ended.stop_reason = reason;
    event.of.supply_ended.ended_at_ms = world->wall_ms;
    world_step(world, &event);
}

void world_reservation_ended(struct world *world, const char *id, uint64_t connection,
                             const struct session_id *session, enum message_reservation_end reason)
{
    struct fleet_event event = {
        .type = FLEET_RESERVATION_ENDED, .cp_id = world_cp(id), .connection = connection};

    event.of.reservation_ended.session_id = *session;
    event.of.reservation_ended.reason = reason;
    world_step(world, &event);
}

void world_sample(struct world *world, const char *id, const struct session_id *session, uint64_t energy_wms,
                  enum stop_reason final_reason)
{
    struct fleet_event event = {.type = FLEET_SAMPLE, .cp_id = world_cp(id)};

    event.of.sample.kind = final_reason != STOP_NONE ? SAMPLE_FINAL : SAMPLE_LIVE;
    event.of.sample.stop_reason = final_reason;
    event.of.sample.session_id = *session;
    event.of.sample.at_ms = world->wall_ms;
    event.of.sample.energy_wms = energy_wms;
    event.of.sample.power_w = 22000;
    event.of.sample.soc_permille = 500;
    world_step(world, &event);
}

void world_order(struct world *world, enum fleet_event_type type, const char *id)
{
    static const struct fleet_actor actor = {.who = "admin", .address = "127.0.0.1"};
    struct fleet_event event = {.type = type, .cp_id = world_cp(id), .actor = &actor};

    world_step(world, &event);
}

void world_stop_session(struct world *world, const struct session_id *session, const char *driver)
{
    struct fleet_event event = {.type = FLEET_ORDER_STOP_SESSION};

    event.of.stop_session.session_id = *session;
    event.of.stop_session.by_admin = driver == NULL;
    if (driver != NULL) {
        event.of.stop_session.driver_id = world_driver(driver);
    }
    world_step(world, &event);
}

void world_weather(struct world *world, const char *city, double degrees)
{
    struct fleet_event event = {.type = FLEET_WEATHER_REPORT};

    (void)snprintf(event.of.weather.city, sizeof event.of.weather.city, "%s", city);
    event.of.weather.temperature_c = degrees;
    event.of.weather.observed_at_ms = world->wall_ms;
    world_step(world, &event);
}

/* -- looking -- */

const struct fleet_effect *world_effect(const struct world *world, enum fleet_effect_type type)
{
    for (size_t i = 0; i < world->said_count; i++) {
        if (world->said[i].type == type) {
            return &world->said[i];
        }
    }
    return NULL;
}

size_t world_count(const struct world *world, enum fleet_effect_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < world->said_count; i++) {
        count += world->said[i].type == type;
    }
    return count;
}

const struct message *world_said(const struct world *world, enum message_type type)
{
    for (size_t i = 0; i < world->said_count; i++) {
        if (world->said[i].type == FLEET_EFFECT_SEND && world->said[i].of.message.type == type) {
            return &world->said[i].of.message;
        }
    }
    return NULL;
}

const struct store_audit *world_audited(const struct world *world, const char *action)
{
    for (size_t i = 0; i < world->said_count; i++) {
        if (world->said[i].type == FLEET_EFFECT_AUDIT &&
            strcmp(world->said[i].of.audit.action, action) == 0) {
            return &world->said[i].of.audit;
        }
    }
    return NULL;
}

const struct store_session *world_session(const struct world *world, const struct session_id *id)
{
    for (size_t i = 0; i < world->session_count; i++) {
        if (session_id_equal(&world->sessions[i].id, id)) {
            return &world->sessions[i];
        }
    }
    return NULL;
}

enum cp_state world_state(const struct world *world, const char *id)
{
    struct cp_id cp_id = world_cp(id);
    const struct fleet_cp *cp = fleet_find_cp(world->fleet, &cp_id);
    struct fleet_cp_view view;

    assert_non_null(cp);
    fleet_view_cp(world->fleet, cp, &view);
    return view.state;
}

uint32_t world_holds(const struct world *world, const char *id)
{
    struct cp_id cp_id = world_cp(id);
    const struct fleet_cp *cp = fleet_find_cp(world->fleet, &cp_id);
    struct fleet_cp_view view;

    assert_non_null(cp);
    fleet_view_cp(world->fleet, cp, &view);
    return view.holds;
}
