#include "common/rules/charge_point.h"

#include <string.h>

/* What the table is indexed by: the two facts that decide what an event means. The shown state would not do:
 * Offline and Unavailable hide whether something runs. */
enum mode { AWAY_NONE, AWAY_PREP, AWAY_CHRG, HERE_NONE, HERE_PREP, HERE_CHRG, MODE_COUNT };

typedef enum ev_err action(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects);

static enum mode mode_of(const struct charge_point *cp)
{
    return (enum mode)((cp->connected ? HERE_NONE : AWAY_NONE) + (int)cp->supply);
}

static struct cp_effect *add(struct cp_effects *effects, enum cp_effect_type type)
{
    struct cp_effect *effect = NULL;

    EV_ASSERT(effects->count < CP_EFFECTS_MAX);
    effect = &effects->items[effects->count++];
    *effect = (struct cp_effect){.type = type};
    return effect;
}

/* What has to be ordered of whatever runs: what was asked first, else the first hold. */
static enum stop_reason pending_stop(const struct charge_point *cp)
{
    if (cp->stop_asked != STOP_NONE) {
        return cp->stop_asked;
    }
    for (unsigned i = 0; i < HOLD_COUNT; i++) {
        if (cp->holds & (1U << i)) {
            return cp_hold_stop_reason((enum cp_hold)(1U << i));
        }
    }
    return STOP_NONE;
}

/* Orders the end of what runs, if its end is asked for and somebody is there to be told. */
static void order_pending(struct charge_point *cp, struct cp_effects *effects)
{
    enum stop_reason stop = pending_stop(cp);

    if (stop == STOP_NONE || cp->supply == CP_SUPPLY_NONE) {
        return;
    }
    cp->stop_asked = stop;
    if (!cp->connected) {
        return;
    }
    if (cp->supply == CP_SUPPLY_CHARGING) {
        add(effects, CP_EFFECT_ORDER_STOP)->stop = stop;
    } else {
        add(effects, CP_EFFECT_ORDER_CANCEL)->reason = session_reason_of_stop(stop);
    }
}

static void forget_supply(struct charge_point *cp)
{
    cp->supply = CP_SUPPLY_NONE;
    cp->stop_asked = STOP_NONE;
    cp->served = cp->plugged;
}

static void cancel_session(struct charge_point *cp, enum session_reason reason, struct cp_effects *effects)
{
    cp->supply = CP_SUPPLY_NONE;
    cp->stop_asked = STOP_NONE;
    add(effects, CP_EFFECT_CANCEL_SESSION)->reason = reason;
}

static void settle(struct charge_point *cp, enum stop_reason stop, struct cp_effects *effects)
{
    forget_supply(cp);
    add(effects, CP_EFFECT_SETTLE)->stop = stop;
}

static void start(struct charge_point *cp, struct cp_effects *effects)
{
    cp->supply = CP_SUPPLY_CHARGING;
    cp->plugged = true;
    add(effects, CP_EFFECT_START_SESSION);
    order_pending(cp, effects);
}

static bool is_stop(enum stop_reason stop)
{
    return stop != STOP_NONE && (unsigned)stop < STOP_REASON_COUNT;
}

static bool is_hold(enum cp_hold hold)
{
    return hold == HOLD_ADMIN || hold == HOLD_WEATHER || hold == HOLD_MAINTENANCE || hold == HOLD_KEY;
}

/* -- the actions, in the order of the table's rows -- */

static enum ev_err impossible(struct charge_point *cp, const struct cp_event *event,
                              struct cp_effects *effects)
{
    (void)cp, (void)event, (void)effects;
    return EV_ERR_STATE;
}

static enum ev_err nothing(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)cp, (void)event, (void)effects;
    return EV_OK;
}

static enum ev_err connect(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)event, (void)effects;
    cp->connected = true;
    return EV_OK;
}

static enum ev_err disconnect(struct charge_point *cp, const struct cp_event *event,
                              struct cp_effects *effects)
{
    (void)event, (void)effects;
    cp->connected = false;
    return EV_OK;
}

static enum ev_err engine_ok(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    (void)event, (void)effects;
    cp->engine_ok = true;
    return EV_OK;
}

/* ENGINE_SILENT and FAULT differ in the fact that they set and in the reason that they give. */
static enum stop_reason note_break(struct charge_point *cp, const struct cp_event *event)
{
    if (event->type == CP_EVENT_FAULT) {
        cp->fault = true;
        return STOP_FAULT;
    }
    cp->engine_ok = false;
    return STOP_ENGINE_LOST;
}

static enum ev_err break_idle(struct charge_point *cp, const struct cp_event *event,
                              struct cp_effects *effects)
{
    (void)effects;
    (void)note_break(cp, event);
    return EV_OK;
}

static enum ev_err break_prep(struct charge_point *cp, const struct cp_event *event,
                              struct cp_effects *effects)
{
    enum session_reason reason = session_reason_of_stop(note_break(cp, event));

    if (cp->connected) {
        add(effects, CP_EFFECT_ORDER_CANCEL)->reason = reason;
    }
    cancel_session(cp, reason, effects);
    return EV_OK;
}

/* An engine that is alive reports the end itself, a dead one when it is back: until then the meter is
 * unknown. */
static enum ev_err break_chrg(struct charge_point *cp, const struct cp_event *event,
                              struct cp_effects *effects)
{
    settle(cp, note_break(cp, event), effects);
    return EV_OK;
}

static enum ev_err repaired(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)event, (void)effects;
    cp->fault = false;
    return EV_OK;
}

static enum ev_err plug_idle(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    (void)effects;
    if (!cp->plugged) {
        cp->plugged = true;
        cp->served = event->served;
    }
    return EV_OK;
}

static enum ev_err plug_busy(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    (void)event, (void)effects;
    cp->plugged = true;
    return EV_OK;
}

/* While charging the engine ends the supply for this; its report says so. */
static enum ev_err unplug(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)event, (void)effects;
    cp->plugged = false;
    cp->served = false;
    return EV_OK;
}

static enum ev_err reserve(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)event, (void)effects;
    if (charge_point_state(cp) != CP_AVAILABLE) {
        return EV_ERR_STATE;
    }
    cp->supply = CP_SUPPLY_PREPARING;
    cp->stop_asked = STOP_NONE;
    return EV_OK;
}

/* Also while Offline: a sample through Kafka tells it. */
static enum ev_err started(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)event;
    start(cp, effects);
    return EV_OK;
}

static enum ev_err ended(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    (void)event, (void)effects;
    forget_supply(cp);
    return EV_OK;
}

static enum ev_err unreserve(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    enum session_reason reason = event->reason;

    if ((unsigned)reason >= SESSION_REASON_COUNT) {
        return EV_ERR_RANGE;
    }
    if (reason == REASON_NONE) {
        reason = session_reason_of_stop(pending_stop(cp));
    }
    cancel_session(cp, reason, effects);
    return EV_OK;
}

static enum ev_err ask_here(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    if (!is_stop(event->stop)) {
        return EV_ERR_RANGE;
    }
    if (cp->stop_asked == STOP_NONE) {
        cp->stop_asked = event->stop;
    }
    order_pending(cp, effects);
    return EV_OK;
}

/* Nobody can be told: the driver is freed, and what still runs is stopped as a stray at the next sync. */
static enum ev_err give_up(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    if (!is_stop(event->stop)) {
        return EV_ERR_RANGE;
    }
    if (cp->supply == CP_SUPPLY_CHARGING) {
        if (cp->connected) {
            add(effects, CP_EFFECT_ORDER_STOP)->stop = event->stop;
        }
        settle(cp, event->stop, effects);
        return EV_OK;
    }
    if (cp->connected) {
        add(effects, CP_EFFECT_ORDER_CANCEL)->reason = session_reason_of_stop(event->stop);
    }
    cancel_session(cp, session_reason_of_stop(event->stop), effects);
    return EV_OK;
}

static enum ev_err hold_set(struct charge_point *cp, const struct cp_event *event, struct cp_effects *effects)
{
    if (!is_hold(event->hold)) {
        return EV_ERR_RANGE;
    }
    cp->holds |= event->hold;
    if (cp->supply != CP_SUPPLY_NONE && cp->stop_asked == STOP_NONE) {
        cp->stop_asked = cp_hold_stop_reason(event->hold);
    }
    order_pending(cp, effects);
    return EV_OK;
}

/* What was ordered when the hold was set stays ordered. */
static enum ev_err hold_lift(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    (void)effects;
    if (!is_hold(event->hold)) {
        return EV_ERR_RANGE;
    }
    if ((cp->holds & event->hold) == 0) {
        return EV_ERR_STATE;
    }
    cp->holds &= ~(uint32_t)event->hold;
    return EV_OK;
}

static enum ev_err sync_none(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    (void)cp;
    if ((unsigned)event->sync >= CP_SYNC_COUNT) {
        return EV_ERR_RANGE;
    }
    if (event->sync != CP_SYNC_NOTHING) {
        /* Nothing is current here, so whatever it runs is not ours (any more). */
        add(effects, CP_EFFECT_ORDER_STOP_STRAY)->stop = STOP_ENGINE_LOST;
    }
    return EV_OK;
}

static enum ev_err sync_prep(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    switch (event->sync) {
    case CP_SYNC_NOTHING:
        cancel_session(cp, REASON_CONTROL_LOST, effects);
        return EV_OK;
    case CP_SYNC_PREPARING:
        order_pending(cp, effects);
        return EV_OK;
    case CP_SYNC_CHARGING:
        start(cp, effects);
        return EV_OK;
    case CP_SYNC_OTHER:
        cancel_session(cp, REASON_CONTROL_LOST, effects);
        add(effects, CP_EFFECT_ORDER_STOP_STRAY)->stop = STOP_ENGINE_LOST;
        return EV_OK;
    case CP_SYNC_COUNT:
        break;
    }
    return EV_ERR_RANGE;
}

static enum ev_err sync_chrg(struct charge_point *cp, const struct cp_event *event,
                             struct cp_effects *effects)
{
    switch (event->sync) {
    case CP_SYNC_NOTHING:
        settle(cp, STOP_ENGINE_LOST, effects);
        return EV_OK;
    case CP_SYNC_CHARGING:
        order_pending(cp, effects);
        return EV_OK;
    case CP_SYNC_PREPARING: /* what was seen charging cannot be waiting for its plug: not to be trusted */
    case CP_SYNC_OTHER:
        settle(cp, STOP_ENGINE_LOST, effects);
        add(effects, CP_EFFECT_ORDER_STOP_STRAY)->stop = STOP_ENGINE_LOST;
        return EV_OK;
    case CP_SYNC_COUNT:
        break;
    }
    return EV_ERR_RANGE;
}

/* The one transition table. */
static action *const table[CP_EVENT_COUNT][MODE_COUNT] = {
    /* clang-format off */
    /*                                  AWAY_NONE   AWAY_PREP   AWAY_CHRG   HERE_NONE   HERE_PREP   HERE_CHRG */
    [CP_EVENT_CONNECTED]             = {connect,    connect,    connect,    connect,    connect,    connect},
    [CP_EVENT_DISCONNECTED]          = {disconnect, disconnect, disconnect, disconnect, disconnect, disconnect},
    [CP_EVENT_ENGINE_OK]             = {engine_ok,  engine_ok,  engine_ok,  engine_ok,  engine_ok,  engine_ok},
    [CP_EVENT_ENGINE_SILENT]         = {break_idle, break_prep, break_chrg, break_idle, break_prep, break_chrg},
    [CP_EVENT_FAULT]                 = {break_idle, break_prep, break_chrg, break_idle, break_prep, break_chrg},
    [CP_EVENT_REPAIRED]              = {repaired,   repaired,   repaired,   repaired,   repaired,   repaired},
    [CP_EVENT_PLUGGED]               = {plug_idle,  plug_busy,  plug_busy,  plug_idle,  plug_busy,  plug_busy},
    [CP_EVENT_UNPLUGGED]             = {unplug,     unplug,     unplug,     unplug,     unplug,     unplug},
    [CP_EVENT_RESERVED]              = {impossible, impossible, impossible, reserve,    impossible, impossible},
    [CP_EVENT_SUPPLY_STARTED]        = {impossible, started,    nothing,    impossible, started,    nothing},
    [CP_EVENT_SUPPLY_ENDED]          = {impossible, ended,      ended,      impossible, ended,      ended},
    [CP_EVENT_RESERVATION_CANCELLED] = {impossible, unreserve,  impossible, impossible, unreserve,  impossible},
    [CP_EVENT_STOP_ASKED]            = {impossible, give_up,    give_up,    impossible, ask_here,   ask_here},
    [CP_EVENT_ABANDONED]             = {nothing,    give_up,    give_up,    nothing,    give_up,    give_up},
    [CP_EVENT_HOLD_SET]              = {hold_set,   hold_set,   hold_set,   hold_set,   hold_set,   hold_set},
    [CP_EVENT_HOLD_LIFTED]           = {hold_lift,  hold_lift,  hold_lift,  hold_lift,  hold_lift,  hold_lift},
    [CP_EVENT_SYNCED]                = {impossible, impossible, impossible, sync_none,  sync_prep,  sync_chrg},
    /* clang-format on */
};

/* stop_asked is not shown, so it is not compared. */
static bool looks_the_same(const struct charge_point *a, const struct charge_point *b)
{
    return a->connected == b->connected && a->engine_ok == b->engine_ok && a->fault == b->fault &&
           a->plugged == b->plugged && a->served == b->served && a->supply == b->supply &&
           a->holds == b->holds;
}

void charge_point_init(struct charge_point *cp, uint32_t holds)
{
    memset(cp, 0, sizeof *cp);
    cp->holds = holds & HOLD_ALL;
}

enum cp_state charge_point_state(const struct charge_point *cp)
{
    if (!cp->connected) {
        return CP_OFFLINE;
    }
    if (!cp->engine_ok || cp->fault) {
        return CP_FAULTED;
    }
    if (cp->supply == CP_SUPPLY_CHARGING) {
        return CP_CHARGING;
    }
    if (cp->holds != 0) {
        return CP_UNAVAILABLE;
    }
    if (cp->plugged && cp->served && cp->supply == CP_SUPPLY_NONE) {
        return CP_FINISHING;
    }
    if (cp->supply == CP_SUPPLY_PREPARING) {
        return CP_PREPARING;
    }
    return CP_AVAILABLE;
}

enum ev_err charge_point_step(struct charge_point *cp, const struct cp_event *event,
                              struct cp_effects *ret_effects)
{
    struct charge_point next = *cp;
    enum ev_err err = EV_OK;

    EV_ASSERT((unsigned)event->type < CP_EVENT_COUNT);
    ret_effects->count = 0;
    err = table[event->type][mode_of(cp)](&next, event, ret_effects);
    if (err != EV_OK) {
        ret_effects->count = 0;
        return err;
    }
    if (!looks_the_same(cp, &next)) {
        struct cp_effect *effect = add(ret_effects, CP_EFFECT_ANNOUNCE);

        effect->state_before = charge_point_state(cp);
        effect->state_after = charge_point_state(&next);
    }
    *cp = next;
    return EV_OK;
}
