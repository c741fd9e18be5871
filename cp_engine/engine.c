#include "cp_engine/engine.h"

#include "common/runtime/log.h"
#include "cp_engine/engine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void carry_out(struct engine *engine, size_t at, const struct supply_effect *effect)
{
    struct engine_slot *slot = &engine->slots[at];

    switch (effect->type) {
    case SUPPLY_EFFECT_JOURNAL:
        EV_ASSERT(false); /* goes to the journal in engine_step */
        break;
    case SUPPLY_EFFECT_SEND:
        if (slot->attached) {
            monitor_port_send(engine->port, &effect->message);
        }
        break;
    case SUPPLY_EFFECT_PUBLISH:
        telemetry_publish_sample(engine->telemetry, &slot->key, &slot->supply.cp_id, &effect->sample);
        break;
    case SUPPLY_EFFECT_LOG:
        if (session_id_is_set(&effect->log.session_id)) {
            log_info(effect->log.event, log_str("cp", slot->supply.cp_id.text),
                     log_str("session", effect->log.session_id.text), log_str("text", effect->log.text));
        } else {
            log_info(effect->log.event, log_str("cp", slot->supply.cp_id.text),
                     log_str("text", effect->log.text));
        }
        break;
    }
}

static void defer(struct engine *engine, size_t slot, const struct supply_effect *effect)
{
    if (engine->deferred_count == engine->deferred_cap) {
        size_t cap = engine->deferred_cap == 0 ? 64 : engine->deferred_cap * 2;
        struct engine_deferred *deferred = realloc(engine->deferred, cap * sizeof *deferred);
        /* Without these bytes an order could not be answered truthfully: better to end and come back. */
        EV_ASSERT(deferred != NULL);
        engine->deferred = deferred;
        engine->deferred_cap = cap;
    }
    engine->deferred[engine->deferred_count++] = (struct engine_deferred){.slot = slot, .effect = *effect};
}

static void step_raw(struct engine *engine, size_t at, struct supply_event *event)
{
    struct supply_effects effects;
    struct engine_slot *slot = &engine->slots[at];

    event->mono_ms = loop_now_ms(engine->loop);
    event->wall_ms = wall_now_ms();
    supply_step(&slot->supply, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        const struct supply_effect *effect = &effects.items[i];

        if (effect->type == SUPPLY_EFFECT_JOURNAL) {
            journal_append(engine->journal, &slot->supply.cp_id, &effect->journal);
            slot->dirty = engine->journal_ok;
        } else if (slot->dirty || engine->deferred_count > 0) {
            defer(engine, at, effect);
        } else {
            carry_out(engine, at, effect);
        }
    }
}

/* Carries out what waited; of the charge points whose records failed only if `all`. */
static void flush_deferred(struct engine *engine, bool all)
{
    for (size_t i = 0; i < engine->deferred_count; i++) {
        const struct engine_deferred *deferred = &engine->deferred[i];

        if (all || !engine->slots[deferred->slot].dirty) {
            carry_out(engine, deferred->slot, &deferred->effect);
        }
    }
    engine->deferred_count = 0;
}

static void step_all(struct engine *engine, enum supply_event_type type)
{
    for (size_t i = 0; i < engine->slot_count; i++) {
        struct supply_event event = {.type = type};

        if (type == SUPPLY_EVENT_JOURNAL_FAILED) {
            (void)snprintf(event.text, sizeof event.text, "%s", journal_error(engine->journal));
        }
        if (type != SUPPLY_EVENT_JOURNALLED || engine->slots[i].dirty) {
            step_raw(engine, i, &event);
        }
    }
}

static void clear_dirty(struct engine *engine)
{
    for (size_t i = 0; i < engine->slot_count; i++) {
        engine->slots[i].dirty = false;
    }
}

static void commit(struct engine *engine)
{
    loop_timer_stop(engine->commit_timer);
    if (!engine->journal_ok || !journal_is_pending(engine->journal)) {
        flush_deferred(engine, true);
        return;
    }
    if (journal_commit(engine->journal) == EV_OK) {
        step_all(engine, SUPPLY_EVENT_JOURNALLED);
        flush_deferred(engine, true);
        clear_dirty(engine);
        return;
    }
    log_error("journal.failed", log_str("reason", journal_error(engine->journal)),
              log_str("note", "supply ends, since energy that is not journalled may not be delivered"));
    engine->journal_ok = false;
    engine->journal_retry_ms = loop_now_ms(engine->loop) + ENGINE_JOURNAL_RETRY_MS;
    flush_deferred(engine, false);
    clear_dirty(engine);
    step_all(engine, SUPPLY_EVENT_JOURNAL_FAILED);
    flush_deferred(engine, true);
}

static void recover_journal(struct engine *engine)
{
    int64_t now = loop_now_ms(engine->loop);

    if (engine->journal_ok || now < engine->journal_retry_ms) {
        return;
    }
    engine->journal_retry_ms = now + ENGINE_JOURNAL_RETRY_MS;
    if (journal_recover(engine->journal) == EV_OK) {
        log_info("journal.recovered");
        engine->journal_ok = true;
        step_all(engine, SUPPLY_EVENT_JOURNAL_RECOVERED);
        commit(engine);
    }
}

void engine_step(struct engine *engine, size_t slot, struct supply_event *event)
{
    step_raw(engine, slot, event);
    if (engine->deferred_count > ENGINE_DEFERRED_MAX) {
        commit(engine);
    } else if (journal_is_pending(engine->journal) && !loop_timer_is_running(engine->commit_timer)) {
        loop_timer_start(engine->commit_timer, ENGINE_COMMIT_DELAY_MS);
    }
}

static void check_monitor(struct engine *engine, size_t at, int64_t now)
{
    struct engine_slot *slot = &engine->slots[at];
    struct supply_event event = {.type = SUPPLY_EVENT_MONITOR_LOST};

    if (!slot->attached || (now - slot->heard_ms < ENGINE_MONITOR_LOST_MS &&
                            (engine->linked || now - engine->link_closed_ms < ENGINE_MONITOR_CLOSED_MS))) {
        return;
    }
    log_warn("monitor.silent", log_str("cp", slot->supply.cp_id.text),
             log_str("note", "no supply without a monitor"));
    engine_step(engine, at, &event);
    slot->attached = false;
}

static void on_tick(void *user)
{
    struct engine *engine = user;
    int64_t now = loop_now_ms(engine->loop);

    for (size_t i = 0; i < engine->slot_count; i++) {
        struct supply_event event = {.type = SUPPLY_EVENT_TICK};

        check_monitor(engine, i, now);
        step_raw(engine, i, &event);
    }
    commit(engine);
    recover_journal(engine);
}

static void on_commit(void *user)
{
    commit(user);
}

static void on_link(void *user)
{
    struct engine *engine = user;

    engine->linked = true;
}

static void on_link_lost(void *user)
{
    struct engine *engine = user;

    engine->linked = false;
    engine->link_closed_ms = loop_now_ms(engine->loop);
    if (engine->ending) {
        loop_stop(engine->loop);
    }
}

/* Takes over what an earlier process, or an earlier owner of the slot, journalled for this id. */
static void restore(struct engine *engine, struct supply *supply)
{
    for (size_t i = 0; i < journal_count(engine->journal); i++) {
        const struct journal_session *session = journal_at(engine->journal, i);
        const struct supply_report report = {.session_id = session->session_id,
                                             .energy_wms = session->energy_wms,
                                             .stop_reason = session->stop_reason,
                                             .started_at_ms = session->started_at_ms,
                                             .ended_at_ms = session->ended_at_ms,
                                             .durable_wms = session->energy_wms,
                                             .durable = true};

        if (cp_id_equal(&session->cp_id, &supply->cp_id) && !session->settled &&
            supply_restore(supply, &report) != EV_OK) {
            log_warn(
                "journal.more_unsettled", log_str("cp", supply->cp_id.text),
                log_str("note",
                        "they are reported after those before them are settled and the engine restarts"));
            return;
        }
    }
}

/* A free slot, or one whose charge point is gone and idle. CP_INDEX_NONE: none. */
static size_t free_slot(const struct engine *engine)
{
    if (engine->bound_count < engine->slot_count) {
        return engine->bound_count;
    }
    for (size_t i = 0; i < engine->slot_count; i++) {
        if (!engine->slots[i].attached && supply_is_idle(&engine->slots[i].supply)) {
            return i;
        }
    }
    return CP_INDEX_NONE;
}

static size_t bind_slot(struct engine *engine, const struct cp_id *cp_id)
{
    size_t at = free_slot(engine);

    if (at == CP_INDEX_NONE) {
        return at;
    }
    commit(engine); /* nothing of the old owner waits */
    struct engine_slot *slot = &engine->slots[at];
    if (at == engine->bound_count) {
        engine->bound_count++;
        slot->supply.cp_id = *cp_id; /* the car that may be plugged in stays */
        cp_index_add(&engine->index, cp_id, at);
    } else {
        telemetry_key_wipe(&slot->key);
        supply_init(&slot->supply, &engine->supply_config, cp_id);
        cp_index_clear(&engine->index);
        for (size_t i = 0; i < engine->bound_count; i++) {
            cp_index_add(&engine->index, &engine->slots[i].supply.cp_id, i);
        }
    }
    restore(engine, &slot->supply);
    if (!engine->journal_ok) {
        struct supply_event event = {.type = SUPPLY_EVENT_JOURNAL_FAILED};

        (void)snprintf(event.text, sizeof event.text, "%s", journal_error(engine->journal));
        step_raw(engine, at, &event);
    }
    return at;
}

static void on_attach(struct engine *engine, const struct cp_id *cp_id)
{
    size_t at = cp_index_find(&engine->index, cp_id);
    struct supply_event event = {.type = SUPPLY_EVENT_ATTACH};

    if (at == CP_INDEX_NONE) {
        at = bind_slot(engine, cp_id);
    }
    if (at == CP_INDEX_NONE) {
        struct message refuse;

        message_init(&refuse, MESSAGE_REFUSE, cp_id);
        refuse.refuse.code = MESSAGE_REFUSE_FULL;
        (void)snprintf(refuse.refuse.detail, sizeof refuse.refuse.detail,
                       "this engine simulates %zu charge points (--count) and has no place for %s",
                       engine->slot_count, cp_id->text);
        log_warn("engine.full", log_str("cp", cp_id->text), log_str("text", refuse.refuse.detail));
        monitor_port_send(engine->port, &refuse);
        return;
    }
    engine->slots[at].attached = true;
    engine->slots[at].heard_ms = loop_now_ms(engine->loop);
    engine_step(engine, at, &event);
}

static void on_key(struct engine *engine, struct engine_slot *slot, const struct message_key *key)
{
    struct message ack;

    commit(engine); /* what waits belongs under the old key */
    message_init(&ack, MESSAGE_KEY_ACK, &slot->supply.cp_id);
    telemetry_key_replace(&slot->key, key, &ack.key_ack);
    telemetry_publish_set_kafka(engine->telemetry, key->kafka);
    log_info("telemetry.key", log_str("cp", slot->supply.cp_id.text), log_uint("epoch", key->epoch),
             log_uint("old_epoch", ack.key_ack.old_epoch),
             log_int("old_last_sequence", ack.key_ack.old_last_sequence));
    monitor_port_send(engine->port, &ack);
}

static enum ev_err on_message(void *user, const struct message *message)
{
    struct engine *engine = user;
    struct supply_event event = {.type = SUPPLY_EVENT_COUNT};

    if (message->type == MESSAGE_ATTACH) {
        on_attach(engine, &message->cp_id);
        return EV_OK;
    }
    size_t at = cp_index_find(&engine->index, &message->cp_id);
    if (at == CP_INDEX_NONE) {
        return EV_OK; /* one that was refused */
    }
    struct engine_slot *slot = &engine->slots[at];
    slot->attached = true;
    slot->heard_ms = loop_now_ms(engine->loop);
    switch ((int)message->type) {
    case MESSAGE_HEALTH: {
        struct message answer;

        supply_health(&slot->supply, message->health.n, &answer);
        monitor_port_send(engine->port, &answer);
        return EV_OK;
    }
    case MESSAGE_KEY:
        on_key(engine, slot, &message->key);
        return EV_OK;
    case MESSAGE_AUTHORISE:
        event.type = SUPPLY_EVENT_AUTHORISE;
        event.authorise = message->authorise;
        break;
    case MESSAGE_CANCEL:
        event.type = SUPPLY_EVENT_CANCEL;
        event.cancel = message->cancel;
        break;
    case MESSAGE_STOP:
        event.type = SUPPLY_EVENT_STOP;
        event.stop = message->stop;
        break;
    case MESSAGE_SETTLED:
        event.type = SUPPLY_EVENT_SETTLED;
        event.settled = message->settled;
        break;
    default:
        return EV_ERR_UNSUPPORTED;
    }
    engine_step(engine, at, &event);
    return EV_OK;
}

static void on_end(void *user)
{
    struct engine *engine = user;

    loop_stop(engine->loop);
}

/* SIGTERM: what runs ends now, and is told while there is someone to tell. */
static void on_signal(void *user)
{
    struct engine *engine = user;

    for (size_t i = 0; i < engine->slot_count; i++) {
        struct supply_event event = {.type = SUPPLY_EVENT_STOP, .stop = {.reason = STOP_ENGINE_LOST}};

        if (engine->slots[i].supply.phase != CP_SUPPLY_NONE) {
            event.stop.session_id = engine->slots[i].supply.session_id;
            step_raw(engine, i, &event);
        }
    }
    commit(engine);
    loop_timer_stop(engine->tick_timer);
    engine->ending = true;
    if (engine->linked) {
        monitor_port_close(engine->port);
        loop_timer_start(engine->end_timer, ENGINE_END_MS);
    } else {
        loop_stop(engine->loop);
    }
}

static const struct monitor_port_callbacks port_callbacks = {
    .on_link = on_link, .on_link_lost = on_link_lost, .on_message = on_message};

static enum ev_err make_slots(struct engine *engine, const struct engine_config *config)
{
    static const struct cp_id none;

    engine->supply_config = config->supply;
    engine->slots = calloc(config->count, sizeof *engine->slots);
    if (engine->slots == NULL) {
        return EV_ERR_NOMEM;
    }
    engine->slot_count = config->count;
    for (size_t i = 0; i < config->count; i++) {
        supply_init(&engine->slots[i].supply, &engine->supply_config, &none);
    }
    return cp_index_init(&engine->index, config->count);
}

static enum ev_err make_journal(struct engine *engine, const char *state_dir, struct failure *ret_failure)
{
    struct journal_found found;
    enum ev_err err = journal_open(state_dir, &engine->journal, &found);

    if (err == EV_ERR_PARSE) {
        return failure_set(ret_failure, err, "%s/" JOURNAL_FILE " is no journal of a charge point's engine",
                           state_dir);
    }
    if (err != EV_OK) {
        return failure_set(ret_failure, err, "cannot open %s/" JOURNAL_FILE ": %s", state_dir,
                           strerror(errno));
    }
    if (found.unsettled > 0 || found.torn_bytes > 0) {
        log_warn("journal.unsettled", log_uint("sessions", found.unsettled),
                 log_uint("engine_lost", found.engine_lost), log_uint("torn_bytes", found.torn_bytes),
                 log_str("note", "they are reported until Central has settled them"));
    }
    engine->journal_ok = true;
    return EV_OK;
}

static enum ev_err make_timers(struct engine *engine)
{
    enum ev_err err = loop_timer_new(engine->loop, on_tick, engine, &engine->tick_timer);

    if (err == EV_OK) {
        err = loop_timer_new(engine->loop, on_commit, engine, &engine->commit_timer);
    }
    if (err == EV_OK) {
        err = loop_timer_new(engine->loop, on_end, engine, &engine->end_timer);
    }
    if (err == EV_OK) {
        loop_timer_repeat(engine->tick_timer, ENGINE_TICK_MS);
        loop_on_signal(engine->loop, on_signal, engine);
    }
    return err;
}

enum ev_err engine_new(struct loop *loop, const struct engine_config *config, struct engine **ret_engine,
                       struct failure *ret_failure)
{
    struct message_identify identify = {.version = MESSAGE_VERSION,
                                        .program_version = EV_VERSION,
                                        .count = (uint32_t)config->count,
                                        .max_power_w = config->supply.max_power_w,
                                        .battery_wh = config->supply.battery_wh,
                                        .speed = config->supply.speed};
    struct engine *engine = calloc(1, sizeof *engine);
    enum ev_err err = EV_ERR_NOMEM;

    if (engine == NULL) {
        return failure_set(ret_failure, err, "out of memory");
    }
    engine->loop = loop;
    if (make_slots(engine, config) != EV_OK) {
        (void)failure_set(ret_failure, err, "out of memory for %zu charge points", config->count);
        goto out;
    }
    err = make_journal(engine, config->state_dir, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = telemetry_publish_new(loop, config->kafka, config->properties, config->property_count,
                                &engine->telemetry, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = monitor_port_new(loop, &config->listen, config->credentials, &identify, &port_callbacks, engine,
                           &engine->port, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = make_timers(engine);
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot make a timer");
        goto out;
    }
    *ret_engine = engine;
    engine = NULL;
out:
    engine_free(engine);
    return err;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    loop_timer_free(engine->tick_timer);
    loop_timer_free(engine->commit_timer);
    loop_timer_free(engine->end_timer);
    monitor_port_free(engine->port);
    telemetry_publish_free(engine->telemetry);
    journal_free(engine->journal);
    for (size_t i = 0; i < engine->slot_count; i++) {
        telemetry_key_wipe(&engine->slots[i].key);
    }
    free(engine->slots);
    free(engine->deferred);
    cp_index_fini(&engine->index);
    free(engine);
}
