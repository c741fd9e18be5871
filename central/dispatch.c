#include "central/dispatch_internal.h"

#include "central/key_ring.h"
#include "central/outbox.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/wire/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- changes -- */

/* The store's cap is far above what ingestion leaves waiting; beyond it memory and disk would part ways. */
void dispatch_add(struct dispatch *dispatch, const struct store_change *change)
{
    if (store_add(dispatch->central->store, change) != EV_OK) {
        log_error("store.full", log_uint("waiting", store_backlog(dispatch->central->store)),
                  log_str("action", "Central stops; what is not stored is not said"));
        exit(1);
    }
}

static void save_session(struct dispatch *dispatch, const struct fleet_session *session)
{
    struct store_change change = {.kind = STORE_SAVE_SESSION};

    fleet_session_row(session, &change.of.session);
    if (change.of.session.state != (int)SESSION_FINISHED) {
        change.of.session.energy_wh = 0; /* a ticket's, valid when finished */
        change.of.session.cost_cents = 0;
    }
    dispatch_add(dispatch, &change);
}

static void mark_dirty(struct dispatch *dispatch, struct fleet_session *session)
{
    bool *mark = fleet_session_mark(session);
    struct store_session row;

    if (*mark) {
        return;
    }
    if (dispatch->dirty_count == dispatch->dirty_capacity) {
        size_t capacity = dispatch->dirty_capacity == 0 ? 256 : dispatch->dirty_capacity * 2;
        struct session_id *grown = realloc(dispatch->dirty, capacity * sizeof *grown);

        EV_ASSERT(grown != NULL);
        dispatch->dirty = grown;
        dispatch->dirty_capacity = capacity;
    }
    fleet_session_row(session, &row);
    *mark = true;
    dispatch->dirty[dispatch->dirty_count++] = row.id;
}

void dispatch_flush(struct central *central)
{
    struct dispatch *dispatch = central->dispatch;

    for (size_t i = 0; i < dispatch->dirty_count; i++) {
        /* The mark is dispatch's own, so writing it does not change the fleet. */
        struct fleet_session *session =
            (struct fleet_session *)(uintptr_t)fleet_find_session(central->fleet, &dispatch->dirty[i]);

        if (session != NULL && *fleet_session_mark(session)) {
            *fleet_session_mark(session) = false;
            save_session(dispatch, session);
        }
    }
    dispatch->dirty_count = 0;
    key_ring_flush(central->key_ring);
}

void dispatch_add_audit(struct dispatch *dispatch, const struct store_audit *entry)
{
    struct store_change change = {.kind = STORE_ADD_AUDIT};

    change.of.audit = *entry;
    dispatch_add(dispatch, &change);
    log_info(entry->action, log_str("who", entry->who), log_str("target", entry->target),
             log_str("outcome", entry->outcome), log_str("detail", entry->detail));
}

static void add_weather(struct dispatch *dispatch, const struct fleet_weather *weather, bool dropped)
{
    struct store_change change = {.kind = dropped ? STORE_DROP_WEATHER : STORE_SAVE_WEATHER};

    memcpy(change.of.weather.city, weather->city, sizeof change.of.weather.city);
    change.of.weather.temperature_c = weather->temperature_c;
    change.of.weather.alert = weather->alert;
    change.of.weather.observed_at_ms = weather->observed_at_ms;
    memcpy(change.of.weather.source, weather->source, sizeof change.of.weather.source);
    dispatch_add(dispatch, &change);
}

static void add_curve(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct store_change change = {.kind = STORE_ADD_CURVE};
    struct store_session row;

    fleet_session_row(effect->session, &row);
    change.of.curve.session_id = row.id;
    change.of.curve.at_ms = effect->of.curve.at_ms;
    change.of.curve.power_w = effect->of.curve.power_w;
    change.of.curve.energy_wms = effect->of.curve.energy_wms;
    change.of.curve.soc_permille = effect->of.curve.soc_permille;
    dispatch_add(dispatch, &change);
}

static void on_key_change(void *user, const struct store_key *key, bool dropped)
{
    struct central *central = user;
    struct store_change change = {.kind = dropped ? STORE_DROP_KEY : STORE_SAVE_KEY};

    change.of.key = *key;
    if (dropped) {
        sodium_memzero(change.of.key.key, sizeof change.of.key.key);
    }
    dispatch_add(central->dispatch, &change);
    sodium_memzero(&change, sizeof change);
}

static void drop_keys(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct store_change change = {.kind = STORE_DROP_KEYS};
    bool is_cp = effect->of.node.role == (int)FLEET_ROLE_CP;

    if (!is_cp && effect->of.node.role != (int)FLEET_ROLE_DRIVER) {
        return;
    }
    key_ring_drop(dispatch->central->key_ring, is_cp ? KEY_OWNER_CP : KEY_OWNER_DRIVER, effect->of.node.id);
    (void)snprintf(change.of.key.owner, sizeof change.of.key.owner, "%s:%s", is_cp ? "cp" : "driver",
                   effect->of.node.id);
    dispatch_add(dispatch, &change);
}

static void count_session(struct central *central, const struct fleet_session *session)
{
    struct store_session row;

    fleet_session_row(session, &row);
    if (row.state == (int)SESSION_FINISHED) {
        central->counters.sessions_finished++;
        central->counters.energy_wh_billed += row.energy_wh;
        central->counters.cost_cents_billed += row.cost_cents;
    }
}

static void save_charge_point(struct dispatch *dispatch, const struct fleet_cp *cp)
{
    struct store_change change = {.kind = STORE_SAVE_CHARGE_POINT};

    fleet_cp_row(cp, &change.of.charge_point);
    dispatch_add(dispatch, &change);
}

static void carry_out_change(struct dispatch *dispatch, struct fleet_effect *effect)
{
    struct store_change change = {.kind = STORE_SAVE_NODE};

    switch (effect->type) {
    case FLEET_EFFECT_SAVE_CHARGE_POINT:
        save_charge_point(dispatch, effect->cp);
        break;
    case FLEET_EFFECT_SAVE_SESSION:
        save_session(dispatch, effect->session);
        break;
    case FLEET_EFFECT_SAVE_METER:
        mark_dirty(dispatch, effect->session);
        break;
    case FLEET_EFFECT_SAVE_NODE:
        change.of.node = effect->of.node;
        dispatch_add(dispatch, &change);
        break;
    case FLEET_EFFECT_SAVE_WEATHER:
        add_weather(dispatch, &effect->of.weather, false);
        break;
    case FLEET_EFFECT_DROP_WEATHER:
        add_weather(dispatch, &effect->of.weather, true);
        break;
    case FLEET_EFFECT_ADD_CURVE:
        add_curve(dispatch, effect);
        break;
    default:
        dispatch_add_audit(dispatch, &effect->of.audit);
        break;
    }
}

static void carry_out(struct dispatch *dispatch, struct fleet_effect *effect)
{
    char key[80];
    struct speech *speech = NULL;

    switch (effect->type) {
    case FLEET_EFFECT_SEND:
        dispatch_say_message(dispatch, effect->connection, &effect->of.message);
        break;
    case FLEET_EFFECT_CLOSE:
        dispatch_say(dispatch, SPEECH_CLOSE)->connection = effect->connection;
        break;
    case FLEET_EFFECT_ISSUE_KEY:
        dispatch_say_key(dispatch, effect);
        break;
    case FLEET_EFFECT_DROP_KEYS:
        drop_keys(dispatch, effect);
        break;
    case FLEET_EFFECT_NOTIFY_SESSION:
        if (effect->session != NULL) {
            count_session(dispatch->central, effect->session);
        }
        dispatch_say_session(dispatch, effect);
        break;
    case FLEET_EFFECT_NOTIFY_LIVE: {
        struct store_session row;

        fleet_session_row(effect->session, &row);
        speech = dispatch_say(dispatch, SPEECH_LIVE);
        speech->of.live.session_id = row.id;
        speech->of.live.driver_id = row.driver_id;
        break;
    }
    case FLEET_EFFECT_PUBLISH_STATUS:
        dispatch_say_status(dispatch, effect->cp);
        break;
    case FLEET_EFFECT_REVOKE:
        (void)snprintf(key, sizeof key, "cp:%s", effect->of.node.id);
        dispatch_say_outbox(dispatch, STORE_OUTBOX_REVOKE, key, "");
        break;
    case FLEET_EFFECT_ANNOUNCE:
        dispatch_say_announce(dispatch, effect);
        break;
    default:
        carry_out_change(dispatch, effect);
        break;
    }
}

/* -- stepping -- */

void dispatch_event_init(struct fleet_event *event, enum fleet_event_type type)
{
    memset(event, 0, sizeof *event);
    event->type = type;
    event->mono_ms = monotonic_now_ms();
    event->wall_ms = wall_now_ms();
}

static enum ev_err step(struct central *central, const struct fleet_event *event,
                        struct fleet_answer *ret_answer,
                        void (*done)(void *user, const struct fleet_answer *answer), void *user)
{
    struct dispatch *dispatch = central->dispatch;
    struct fleet_effects *effects = &dispatch->effects;
    size_t before = dispatch->ring_count;
    enum ev_err refused = EV_OK;
    struct fleet_event more = {
        .type = FLEET_CONTINUE, .mono_ms = event->mono_ms, .wall_ms = event->wall_ms, .actor = event->actor};

    EV_ASSERT(!dispatch->busy);
    dispatch->busy = true;
    fleet_step(central->fleet, event, effects);
    refused = effects->refused;
    for (;;) {
        for (size_t i = 0; i < effects->count; i++) {
            carry_out(dispatch, &effects->items[i]);
        }
        if (!effects->more) {
            break;
        }
        fleet_step(central->fleet, &more, effects);
    }
    dispatch->busy = false;
    if (done != NULL) {
        struct speech *speech = dispatch_say(dispatch, SPEECH_DONE);

        speech->of.done.fn = done;
        speech->of.done.user = user;
        speech->of.done.answer = effects->answer;
    }
    if (ret_answer != NULL) {
        *ret_answer = effects->answer;
    }
    if (dispatch->ring_count != before) {
        dispatch_end_speech(dispatch);
    }
    return refused;
}

enum ev_err dispatch_step(struct central *central, const struct fleet_event *event,
                          struct fleet_answer *ret_answer)
{
    return step(central, event, ret_answer, NULL, NULL);
}

void dispatch_call(struct central *central, const struct fleet_event *event,
                   void (*done)(void *user, const struct fleet_answer *answer), void *user)
{
    (void)step(central, event, NULL, done, user);
}

void dispatch_publish_all(struct central *central)
{
    struct dispatch *dispatch = central->dispatch;
    const struct fleet_cp *cp = NULL;
    const char *after = "";

    while ((cp = fleet_next_cp(central->fleet, after)) != NULL) {
        dispatch_say_status(dispatch, cp);
        after = fleet_cp_id(cp)->text;
    }
    dispatch_end_speech(dispatch);
}

enum ev_err dispatch_issue_driver_key(struct central *central, const struct driver_id *driver,
                                      struct dispatch_driver_key *ret_key)
{
    struct seal_key key;
    int64_t now_ms = wall_now_ms();
    enum ev_err err = EV_OK;

    seal_key_generate(&key);
    err = key_ring_issue(central->key_ring, KEY_OWNER_DRIVER, driver->text, 0, key.bytes, now_ms,
                         &ret_key->epoch);
    if (err == EV_OK) {
        memcpy(ret_key->key, key.bytes, sizeof ret_key->key);
        ret_key->expires_at_ms = now_ms + central->options.telemetry_key_seconds * 1000;
        central->counters.keys_issued++;
    }
    seal_key_wipe(&key);
    return err == EV_OK ? EV_OK : EV_ERR_FULL;
}

static void on_tick(void *user)
{
    struct dispatch *dispatch = user;
    struct central *central = dispatch->central;
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_TICK);
    (void)dispatch_step(central, &event, NULL);
    dispatch_tick_bursts(dispatch);
    outbox_tick(central->outbox);
    if (event.mono_ms >= dispatch->expire_mono_ms) {
        dispatch->expire_mono_ms = event.mono_ms + 60000;
        key_ring_expire(central->key_ring, event.wall_ms);
    }
}

void dispatch_on_announce(struct dispatch *dispatch, dispatch_announce_fn *fn, void *user)
{
    dispatch->on_announce = fn;
    dispatch->on_announce_user = user;
}

enum ev_err dispatch_new(struct central *central, struct dispatch **ret_dispatch)
{
    struct dispatch *dispatch = calloc(1, sizeof *dispatch);
    enum ev_err err = EV_OK;

    if (dispatch == NULL) {
        return EV_ERR_NOMEM;
    }
    dispatch->central = central;
    err = key_ring_new(on_key_change, central, &central->key_ring);
    if (err == EV_OK) {
        err = loop_timer_new(central->loop, on_tick, dispatch, &dispatch->timer);
    }
    if (err != EV_OK) {
        dispatch_free(dispatch);
        return err;
    }
    *ret_dispatch = dispatch;
    return EV_OK;
}

void dispatch_start(struct dispatch *dispatch)
{
    loop_timer_repeat(dispatch->timer, 250);
}

void dispatch_stop(struct dispatch *dispatch)
{
    loop_timer_stop(dispatch->timer);
}

void dispatch_free(struct dispatch *dispatch)
{
    if (dispatch == NULL) {
        return;
    }
    loop_timer_free(dispatch->timer);
    dispatch_speech_fini(dispatch);
    dispatch_bursts_fini(dispatch);
    free(dispatch->dirty);
    free(dispatch);
}
