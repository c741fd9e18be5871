/* engine_internal.h - what engine.c and engine_commands.c share. */
#ifndef EV_CP_ENGINE_ENGINE_INTERNAL_H
#define EV_CP_ENGINE_ENGINE_INTERNAL_H

#include "cp_engine/cp_index.h"
#include "cp_engine/engine.h"
#include "cp_engine/journal.h"
#include "cp_engine/monitor_port.h"
#include "cp_engine/supply.h"
#include "cp_engine/telemetry_publish.h"

/* One charge point's place. Its id is unset until a monitor attaches it. */
struct engine_slot {
    struct supply supply;
    struct telemetry_key key;
    bool attached; /* its monitor was heard within ENGINE_MONITOR_LOST_MS */
    bool dirty;    /* has records in the journal's batch */
    int64_t heard_ms;
};

/* An effect that waits for the commit. */
struct engine_deferred {
    size_t slot;
    struct supply_effect effect;
};

struct engine {
    struct loop *loop;
    struct supply_config supply_config;
    struct journal *journal;
    struct monitor_port *port;
    struct telemetry_publish *telemetry;
    struct loop_timer *tick_timer;
    struct loop_timer *commit_timer;
    struct loop_timer *end_timer;
    struct engine_slot *slots;
    size_t slot_count;
    size_t bound_count; /* slots with an id; they come first */
    struct cp_index index;
    struct engine_deferred *deferred;
    size_t deferred_count;
    size_t deferred_cap;
    bool linked;
    bool ending;
    bool journal_ok;
    int64_t link_closed_ms; /* meaningful while not linked */
    int64_t journal_retry_ms;
};

/* Feeds an event (its times are filled in here) and takes care of the effects. */
void engine_step(struct engine *engine, size_t slot, struct supply_event *event);

#endif
