#include "central/dispatch.h"

#include "central/central.h"
#include "central/control_port.h"
#include "central/key_ring.h"
#include "central/map.h"
#include "central/outbox.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/wire/notice.h"
#include "common/wire/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MS 10000
#define BURSTS_MAX 4096 /* beyond: audited one by one no more, only counted */

enum speech_kind {
    SPEECH_SEND,
    SPEECH_CLOSE,
    SPEECH_OUTBOX,
    SPEECH_LIVE,
    SPEECH_ANNOUNCE,
    SPEECH_DONE,
    SPEECH_END /* of what one step said */
};

struct speech {
    enum speech_kind kind;
    uint64_t connection;
    union {
        struct {
            char *bytes; /* owned */
            size_t length;
        } frame;
        int64_t sequence;
        struct {
            struct session_id session_id;
            struct driver_id driver_id;
        } live;
        struct {
            struct fleet_cp *cp; /* NULL none; lives as long as the fleet */
            enum fleet_announce what;
            bool live;
            struct cp_id cp_id;
            struct session_id session_id;
            struct driver_id driver_id;
            char city[65];
        } announce;
        struct {
            void (*fn)(void *user, const struct fleet_answer *answer);
            void *user;
            struct fleet_answer answer;
        } done;
    } of;
};

struct burst {
    char key[200];
    struct fleet_actor actor;
    char action[40], target[40], detail[200];
    int64_t began_mono_ms;
    uint64_t suppressed;
};

struct dispatch {
    struct central *central;
    struct fleet_effects effects;
    struct speech *ring; /* power of two */
    size_t ring_capacity, ring_head, ring_count;
    struct session_id *dirty; /* sessions whose meter waits to be saved */
    size_t dirty_count, dirty_capacity;
    struct map bursts;
    struct loop_timer *timer;
    int64_t expire_mono_ms;
    dispatch_announce_fn *on_announce;
    void *on_announce_user;
    bool busy; /* within dispatch_step */
};

/* -- speech -- */

static struct speech *say(struct dispatch *dispatch, enum speech_kind kind)
{
    struct speech *speech = NULL;

    if (dispatch->ring_count == dispatch->ring_capacity) {
        size_t capacity = dispatch->ring_capacity == 0 ? 256 : dispatch->ring_capacity * 2;
        struct speech *ring = malloc(capacity * sizeof *ring);

        EV_ASSERT(ring != NULL);
        for (size_t i = 0; i < dispatch->ring_count; i++) {
            ring[i] = dispatch->ring[(dispatch->ring_head + i) & (dispatch->ring_capacity - 1)];
        }
        free(dispatch->ring);
        dispatch->ring = ring;
        dispatch->ring_capacity = capacity;
        dispatch->ring_head = 0;
    }
    speech = &dispatch->ring[(dispatch->ring_head + dispatch->ring_count++) & (dispatch->ring_capacity - 1)];
    speech->kind = kind;
    return speech;
}

static void say_live(struct dispatch *dispatch, const struct speech *speech)
{
    struct central *central = dispatch->central;
    const struct fleet_session *session = fleet_find_session(central->fleet, &speech->of.live.session_id);
    struct notice notice = {.type = NOTICE_LIVE};
    struct store_session row;
    char body[NOTICE_SIZE];
    size_t length = 0;
    uint16_t soc_permille = 0;

    if (session == NULL) {
        return;
    }
    fleet_session_row(session, &row);
    fleet_session_live(session, &notice.live.power_w, &soc_permille, &notice.live.at_ms);
    notice.live.session_id = row.id;
    notice.live.cp_id = row.cp_id;
    notice.live.energy_wh = row.energy_wh;
    notice.live.cost_cents = row.cost_cents;
    notice.live.soc_percent = soc_permille / 10U;
    if (notice_encode(&notice, body, sizeof body, &length) == EV_OK) {
        outbox_send_live(central->outbox, &speech->of.live.driver_id, body, length);
    }
}

static void say_announce(struct dispatch *dispatch, const struct speech *speech)
{
    struct fleet_effect effect;

    if (speech->of.announce.live && speech->of.announce.cp != NULL) {
        *fleet_cp_mark(speech->of.announce.cp) = false;
    }
    if (dispatch->on_announce == NULL) {
        return;
    }
    effect.type = FLEET_EFFECT_ANNOUNCE;
    effect.connection = 0;
    effect.cp = speech->of.announce.cp;
    effect.session = NULL;
    effect.of.announce.what = speech->of.announce.what;
    effect.of.announce.live = speech->of.announce.live;
    effect.of.announce.cp_id = speech->of.announce.cp_id;
    effect.of.announce.session_id = speech->of.announce.session_id;
    effect.of.announce.driver_id = speech->of.announce.driver_id;
    memcpy(effect.of.announce.city, speech->of.announce.city, sizeof effect.of.announce.city);
    dispatch->on_announce(dispatch->on_announce_user, &effect);
}

static void free_frame(struct speech *speech)
{
    sodium_memzero(speech->of.frame.bytes, speech->of.frame.length); /* keys pass here */
    free(speech->of.frame.bytes);
}

static void speak_one(struct dispatch *dispatch, struct speech *speech)
{
    struct central *central = dispatch->central;

    switch (speech->kind) {
    case SPEECH_SEND:
        if (central->control_port != NULL) {
            control_port_send(central->control_port, speech->connection, speech->of.frame.bytes,
                              speech->of.frame.length);
        }
        free_frame(speech);
        break;
    case SPEECH_CLOSE:
        if (central->control_port != NULL) {
            control_port_close(central->control_port, speech->connection);
        }
        break;
    case SPEECH_OUTBOX:
        outbox_release(central->outbox, speech->of.sequence);
        break;
    case SPEECH_LIVE:
        say_live(dispatch, speech);
        break;
    case SPEECH_ANNOUNCE:
        say_announce(dispatch, speech);
        break;
    case SPEECH_DONE:
        speech->of.done.fn(speech->of.done.user, &speech->of.done.answer);
        break;
    case SPEECH_END:
        break;
    }
}

/* After a commit: what one step had to say. Callbacks may step the fleet again; that speech comes later. */
static void speak(void *arg)
{
    struct dispatch *dispatch = arg;
    struct speech speech = {.kind = SPEECH_DONE};

    do {
        EV_ASSERT(dispatch->ring_count > 0);
        speech = dispatch->ring[dispatch->ring_head];
        dispatch->ring_head = (dispatch->ring_head + 1) & (dispatch->ring_capacity - 1);
        dispatch->ring_count--;
        speak_one(dispatch, &speech);
    } while (speech.kind != SPEECH_END);
}

/* -- changes -- */

/* The store's cap is far above what ingestion leaves waiting; beyond it memory and disk would part ways. */
static void add(struct dispatch *dispatch, const struct store_change *change)
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
    add(dispatch, &change);
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

static void add_audit(struct dispatch *dispatch, const struct store_audit *entry)
{
    struct store_change change = {.kind = STORE_ADD_AUDIT};

    change.of.audit = *entry;
    add(dispatch, &change);
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
    add(dispatch, &change);
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
    add(dispatch, &change);
}

static void on_key_change(void *user, const struct store_key *key, bool dropped)
{
    struct central *central = user;
    struct store_change change = {.kind = dropped ? STORE_DROP_KEY : STORE_SAVE_KEY};

    change.of.key = *key;
    if (dropped) {
        sodium_memzero(change.of.key.key, sizeof change.of.key.key);
    }
    add(central->dispatch, &change);
    sodium_memzero(&change, sizeof change);
}

/* -- what is said -- */

static void say_message(struct dispatch *dispatch, uint64_t connection, struct message *message)
{
    struct central *central = dispatch->central;
    char bytes[MESSAGE_SIZE];
    size_t length = 0;
    struct speech *speech = NULL;

    if (message->type == MESSAGE_WELCOME) {
        message->welcome.heartbeat_ms = (uint32_t)(central->options.heartbeat_seconds * 1000);
        message->welcome.server_time_ms = wall_now_ms();
        (void)snprintf(message->welcome.kafka, sizeof message->welcome.kafka, "%s",
                       central->options.kafka_public != NULL ? central->options.kafka_public : "");
    }
    if (message_encode(message, bytes, sizeof bytes, &length) != EV_OK) {
        log_error("control.cannot_encode", log_str("type", message_type_text(message->type)));
        return;
    }
    speech = say(dispatch, SPEECH_SEND);
    speech->connection = connection;
    speech->of.frame.bytes = malloc(length);
    EV_ASSERT(speech->of.frame.bytes != NULL);
    speech->of.frame.length = length;
    memcpy(speech->of.frame.bytes, bytes, length);
    sodium_memzero(bytes, length);
}

static void issue_key(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct central *central = dispatch->central;
    struct message message;
    uint32_t epoch = 0;
    enum ev_err err = EV_OK;

    message_init(&message, MESSAGE_KEY, fleet_cp_id(effect->cp));
    seal_key_generate(&message.key.key);
    err = key_ring_issue(central->key_ring, KEY_OWNER_CP, fleet_cp_id(effect->cp)->text, effect->of.epoch,
                         message.key.key.bytes, wall_now_ms(), &epoch);
    if (err != EV_OK) {
        log_error("key.not_issued", log_str("cp", fleet_cp_id(effect->cp)->text),
                  log_str("reason", ev_err_text(err)));
        return;
    }
    message.key.epoch = epoch;
    message.key.expires_in_ms = central->options.telemetry_key_seconds * 1000;
    (void)snprintf(message.key.kafka, sizeof message.key.kafka, "%s",
                   central->options.kafka_public != NULL ? central->options.kafka_public : "");
    say_message(dispatch, effect->connection, &message);
    sodium_memzero(&message, sizeof message);
    central->counters.keys_issued++;
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
    add(dispatch, &change);
}

static void say_outbox(struct dispatch *dispatch, enum store_outbox_kind kind, const char *key,
                       const char *body)
{
    int64_t sequence = outbox_add(dispatch->central->outbox, kind, key, body);

    if (sequence != 0) {
        say(dispatch, SPEECH_OUTBOX)->of.sequence = sequence;
    }
}

static int64_t time_or_none(int64_t ms)
{
    return ms > 0 ? ms : TIME_NONE;
}

static void notify_session(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct notice notice = {.type = NOTICE_SESSION};
    struct session_view *view = &notice.session;
    struct store_session row;
    char body[NOTICE_SIZE + 1];
    size_t length = 0;

    if (effect->session != NULL) {
        fleet_session_row(effect->session, &row);
    } else {
        row = effect->of.row;
    }
    *view = (struct session_view){.id = row.id,
                                  .request_id = row.request_id,
                                  .cp_id = row.cp_id,
                                  .driver_id = row.driver_id,
                                  .state = (enum session_state)row.state,
                                  .stop_reason = (enum stop_reason)row.stop_reason,
                                  .requested_at = time_or_none(row.requested_at_ms),
                                  .started_at = time_or_none(row.started_at_ms),
                                  .ended_at = time_or_none(row.ended_at_ms),
                                  .energy_wh = row.energy_wh,
                                  .cost_cents = row.cost_cents,
                                  .price_cents_per_kwh = row.price_cents_per_kwh};
    if (session_reason_parse(row.reason, &view->reason) != EV_OK ||
        notice_encode(&notice, body, sizeof body - 1, &length) != EV_OK) {
        log_error("notice.cannot_encode", log_str("session", row.id.text));
        return;
    }
    body[length] = '\0';
    say_outbox(dispatch, STORE_OUTBOX_NOTICE, row.driver_id.text, body);
}

static void publish_status(struct dispatch *dispatch, const struct fleet_cp *cp)
{
    struct fleet_cp_view view;
    struct store_charge_point row;
    struct json_writer writer;
    char body[512];
    size_t length = 0;

    fleet_view_cp(dispatch->central->fleet, cp, &view);
    fleet_cp_row(cp, &row);
    json_writer_init(&writer, body, sizeof body - 1);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "id", view.id.text);
    json_write_text(&writer, "state", cp_state_text(view.state));
    json_write_text(&writer, "city", view.city);
    json_write_integer(&writer, "price_cents_per_kwh", view.price_cents_per_kwh);
    json_write_time(&writer, "at", wall_now_ms());
    json_write_object_end(&writer);
    if (!row.registered) {
        say_outbox(dispatch, STORE_OUTBOX_STATUS, view.id.text, "");
    } else if (json_writer_finish(&writer, &length) == EV_OK) {
        body[length] = '\0';
        say_outbox(dispatch, STORE_OUTBOX_STATUS, view.id.text, body);
    }
}

static void announce(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct speech *speech = NULL;

    if (effect->of.announce.live && effect->cp != NULL) {
        bool *mark = fleet_cp_mark(effect->cp);

        if (*mark) {
            return;
        }
        *mark = true;
    }
    speech = say(dispatch, SPEECH_ANNOUNCE);
    speech->of.announce.cp = effect->cp;
    speech->of.announce.what = effect->of.announce.what;
    speech->of.announce.live = effect->of.announce.live;
    speech->of.announce.cp_id = effect->of.announce.cp_id;
    speech->of.announce.session_id = effect->of.announce.session_id;
    speech->of.announce.driver_id = effect->of.announce.driver_id;
    memcpy(speech->of.announce.city, effect->of.announce.city, sizeof speech->of.announce.city);
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
    add(dispatch, &change);
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
        add(dispatch, &change);
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
        add_audit(dispatch, &effect->of.audit);
        break;
    }
}

static void carry_out(struct dispatch *dispatch, struct fleet_effect *effect)
{
    char key[80];
    struct speech *speech = NULL;

    switch (effect->type) {
    case FLEET_EFFECT_SEND:
        say_message(dispatch, effect->connection, &effect->of.message);
        break;
    case FLEET_EFFECT_CLOSE:
        say(dispatch, SPEECH_CLOSE)->connection = effect->connection;
        break;
    case FLEET_EFFECT_ISSUE_KEY:
        issue_key(dispatch, effect);
        break;
    case FLEET_EFFECT_DROP_KEYS:
        drop_keys(dispatch, effect);
        break;
    case FLEET_EFFECT_NOTIFY_SESSION:
        if (effect->session != NULL) {
            count_session(dispatch->central, effect->session);
        }
        notify_session(dispatch, effect);
        break;
    case FLEET_EFFECT_NOTIFY_LIVE: {
        struct store_session row;

        fleet_session_row(effect->session, &row);
        speech = say(dispatch, SPEECH_LIVE);
        speech->of.live.session_id = row.id;
        speech->of.live.driver_id = row.driver_id;
        break;
    }
    case FLEET_EFFECT_PUBLISH_STATUS:
        publish_status(dispatch, effect->cp);
        break;
    case FLEET_EFFECT_REVOKE:
        (void)snprintf(key, sizeof key, "cp:%s", effect->of.node.id);
        say_outbox(dispatch, STORE_OUTBOX_REVOKE, key, "");
        break;
    case FLEET_EFFECT_ANNOUNCE:
        announce(dispatch, effect);
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
        struct speech *speech = say(dispatch, SPEECH_DONE);

        speech->of.done.fn = done;
        speech->of.done.user = user;
        speech->of.done.answer = effects->answer;
    }
    if (ret_answer != NULL) {
        *ret_answer = effects->answer;
    }
    if (dispatch->ring_count != before) {
        enum ev_err err = EV_OK;

        say(dispatch, SPEECH_END);
        err = store_after_commit(central->store, speak, dispatch);
        EV_ASSERT(err == EV_OK);
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
    enum ev_err err = EV_OK;

    while ((cp = fleet_next_cp(central->fleet, after)) != NULL) {
        publish_status(dispatch, cp);
        after = fleet_cp_id(cp)->text;
    }
    say(dispatch, SPEECH_END);
    err = store_after_commit(central->store, speak, dispatch);
    EV_ASSERT(err == EV_OK);
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

/* -- audit of what no event is behind -- */

static void copy_text(char *target, size_t capacity, const char *text)
{
    size_t length = strlen(text);

    if (length >= capacity) {
        length = capacity - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0U) == 0x80U) {
            length--; /* not in the middle of a character */
        }
    }
    memcpy(target, text, length);
    target[length] = '\0';
}

void dispatch_audit(struct central *central, const struct fleet_actor *actor, const char *action,
                    const char *target, const char *outcome, const char *detail)
{
    struct store_audit entry = {.at_ms = wall_now_ms()};

    copy_text(entry.who, sizeof entry.who, actor != NULL ? actor->who : "central");
    copy_text(entry.address, sizeof entry.address, actor != NULL ? actor->address : "");
    copy_text(entry.action, sizeof entry.action, action);
    copy_text(entry.target, sizeof entry.target, target);
    copy_text(entry.outcome, sizeof entry.outcome, outcome);
    copy_text(entry.detail, sizeof entry.detail, detail);
    add_audit(central->dispatch, &entry);
}

/* A peer without a name is told apart by its address, without the port: each attempt comes from another one.
 */
static void burst_key(const struct fleet_actor *actor, const char *action, const char *reason, char *ret_key,
                      size_t capacity)
{
    const char *colon = strrchr(actor->address, ':');
    int host = colon != NULL ? (int)(colon - actor->address) : (int)strlen(actor->address);

    (void)snprintf(ret_key, capacity, "%s|%.*s|%s|%.80s", actor->who, host, actor->address, action, reason);
}

void dispatch_audit_burst(struct central *central, const struct fleet_actor *actor, const char *action,
                          const char *target, const char *reason, const char *detail)
{
    struct dispatch *dispatch = central->dispatch;
    struct burst *burst = NULL;
    char key[sizeof burst->key];

    burst_key(actor, action, reason, key, sizeof key);
    burst = map_find(&dispatch->bursts, key);
    if (burst != NULL || dispatch->bursts.count >= BURSTS_MAX) {
        central->counters.audit_suppressed++;
        if (burst != NULL) {
            burst->suppressed++;
        }
        return;
    }
    dispatch_audit(central, actor, action, target, "refused", detail);
    burst = calloc(1, sizeof *burst);
    if (burst == NULL) {
        return;
    }
    memcpy(burst->key, key, sizeof key);
    burst->actor = *actor;
    copy_text(burst->action, sizeof burst->action, action);
    copy_text(burst->target, sizeof burst->target, target);
    copy_text(burst->detail, sizeof burst->detail, detail);
    burst->began_mono_ms = loop_now_ms(central->loop);
    if (map_put(&dispatch->bursts, burst->key, burst) != EV_OK) {
        free(burst);
    }
}

static void tick_bursts(struct dispatch *dispatch)
{
    int64_t now_ms = loop_now_ms(dispatch->central->loop);
    struct burst *burst = NULL;
    size_t cursor = 0;
    char detail[240];

    while ((burst = map_next(&dispatch->bursts, &cursor)) != NULL) {
        if (now_ms - burst->began_mono_ms < BURST_MS) {
            continue;
        }
        if (burst->suppressed > 0) {
            (void)snprintf(detail, sizeof detail, "%llu more within 10 s: %.160s",
                           (unsigned long long)burst->suppressed, burst->detail);
            dispatch_audit(dispatch->central, &burst->actor, burst->action, burst->target, "refused", detail);
            burst->suppressed = 0;
            burst->began_mono_ms = now_ms;
        } else {
            (void)map_remove(&dispatch->bursts, burst->key);
            free(burst);
        }
    }
}

static void on_tick(void *user)
{
    struct dispatch *dispatch = user;
    struct central *central = dispatch->central;
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_TICK);
    (void)dispatch_step(central, &event, NULL);
    tick_bursts(dispatch);
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
    struct burst *burst = NULL;
    size_t cursor = 0;

    if (dispatch == NULL) {
        return;
    }
    loop_timer_free(dispatch->timer);
    for (size_t i = 0; i < dispatch->ring_count; i++) {
        struct speech *speech = &dispatch->ring[(dispatch->ring_head + i) & (dispatch->ring_capacity - 1)];

        if (speech->kind == SPEECH_SEND) {
            free_frame(speech);
        }
    }
    while ((burst = map_next(&dispatch->bursts, &cursor)) != NULL) {
        free(burst);
    }
    map_fini(&dispatch->bursts);
    free(dispatch->ring);
    free(dispatch->dirty);
    free(dispatch);
}
