/* supply.h - the hardware of one charge point: plug, contactor, meter, and the car's battery.
 * Pure: no I/O, no clock; time comes with the event. Carried out by cp_engine/engine.c, and by a simulation.
 * Only this module ends supply. Invariants: energy flows only while plugged in, authorised, without a fault
 * and with a monitor; the meter of a session never falls; a session that has started is reported until it is
 * settled; what was not journalled is never reported (see supply_step). */
#ifndef EV_CP_ENGINE_SUPPLY_H
#define EV_CP_ENGINE_SUPPLY_H

#include "common/rules/battery.h"
#include "common/rules/charge_point.h"
#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/rules/session.h"
#include "common/wire/message.h"
#include "common/wire/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUPPLY_OFF (-1)         /* of auto_plug_ms and auto_unplug_ms */
#define SUPPLY_UNSETTLED_MAX 8  /* Central settles at once when it is there: eight are a long absence */
#define SUPPLY_SAMPLE_MS 1000   /* one live sample a second */
#define SUPPLY_STEP_MS_MAX 2000 /* a process that was stopped for longer delivered nothing meanwhile */
#define SUPPLY_EFFECTS_MAX (2 * SUPPLY_UNSETTLED_MAX + 8)
#define SUPPLY_FAULT_SIZE 96

/* One for all charge points of a process. */
struct supply_config {
    uint32_t battery_wh;
    uint32_t soc_permille; /* of each car that is plugged in */
    uint32_t max_power_w;
    uint32_t speed;
    int64_t auto_plug_ms;   /* SUPPLY_OFF, or this long after an authorisation */
    int64_t auto_unplug_ms; /* SUPPLY_OFF, or this long after the end of supply */
};

/* A supply that has ended and that Central has not settled yet. */
struct supply_report {
    struct session_id session_id;
    uint64_t energy_wms;
    enum stop_reason stop_reason;
    int64_t started_at_ms;
    int64_t ended_at_ms;
    uint64_t durable_wms; /* what the journal holds of it */
    bool durable;         /* its end is journalled too */
    bool settled;         /* by Central, while the journal could not be written */
};

struct supply {
    const struct supply_config *config; /* not owned */
    struct cp_id cp_id;
    bool plugged;
    bool journal_ok;
    char fault[SUPPLY_FAULT_SIZE]; /* "": none */
    enum cp_supply phase;
    struct battery battery; /* of the car that is plugged in, or was last */
    /* of the current session, while phase is not none */
    struct session_id session_id;
    uint32_t target_wh; /* 0: none */
    int64_t started_at_ms;
    uint64_t energy_wms;
    uint64_t durable_wms;
    uint32_t power_w; /* mean of the last step */
    bool opened;      /* its start is journalled */
    int64_t metered_mono_ms;
    int64_t sampled_mono_ms;
    /* deadlines on the monotonic clock, or SUPPLY_OFF */
    int64_t plug_mono_ms;
    int64_t unplug_mono_ms;
    size_t unsettled_count;
    struct supply_report unsettled[SUPPLY_UNSETTLED_MAX]; /* oldest first */
};

enum supply_event_type {
    SUPPLY_EVENT_TICK,   /* several a second */
    SUPPLY_EVENT_ATTACH, /* the monitor asks for everything that is not settled, and the status */
    SUPPLY_EVENT_AUTHORISE,
    SUPPLY_EVENT_CANCEL,
    SUPPLY_EVENT_STOP,
    SUPPLY_EVENT_SETTLED,
    SUPPLY_EVENT_PLUG,
    SUPPLY_EVENT_UNPLUG,
    SUPPLY_EVENT_FAULT, /* text */
    SUPPLY_EVENT_REPAIR,
    SUPPLY_EVENT_MONITOR_LOST,   /* no frame for 3 s */
    SUPPLY_EVENT_JOURNALLED,     /* every journal effect so far is on the disk */
    SUPPLY_EVENT_JOURNAL_FAILED, /* text; no journal effect since the last JOURNALLED is */
    SUPPLY_EVENT_JOURNAL_RECOVERED,
    SUPPLY_EVENT_COUNT
};

struct supply_event {
    enum supply_event_type type;
    int64_t mono_ms; /* never falls */
    int64_t wall_ms; /* Unix */
    union {
        struct message_authorise authorise;
        struct message_cancel cancel;
        struct message_stop stop;
        struct message_settled settled;
        char text[SUPPLY_FAULT_SIZE];
    };
};

enum supply_journal_kind {
    SUPPLY_JOURNAL_OPEN = 1,
    SUPPLY_JOURNAL_METER,
    SUPPLY_JOURNAL_END,
    SUPPLY_JOURNAL_SETTLED
};

struct supply_journal_record {
    enum supply_journal_kind kind;
    struct session_id session_id;
    int64_t started_at_ms;
    int64_t at_ms;
    uint64_t energy_wms;
    enum stop_reason stop_reason; /* END, else STOP_NONE */
};

enum supply_effect_type {
    SUPPLY_EFFECT_JOURNAL,
    SUPPLY_EFFECT_SEND,
    SUPPLY_EFFECT_PUBLISH,
    SUPPLY_EFFECT_LOG
};

/* Stable names of what is logged; text says it in words. */
struct supply_log {
    const char *event;
    struct session_id session_id; /* may be unset */
    char text[MESSAGE_TEXT_SIZE];
};

struct supply_effect {
    enum supply_effect_type type;
    union {
        struct supply_journal_record journal;
        struct message message;         /* to the monitor; dropped where there is no link */
        struct telemetry_sample sample; /* to Kafka; dropped where there is no key */
        struct supply_log log;
    };
};

struct supply_effects {
    size_t count;
    struct supply_effect items[SUPPLY_EFFECTS_MAX];
};

/* Not plugged in, no session. config must outlive it. */
void supply_init(struct supply *supply, const struct supply_config *config, const struct cp_id *cp_id);

/* Takes over an ended session from the journal of an earlier process.
 * Errors: EV_ERR_FULL (SUPPLY_UNSETTLED_MAX). */
EV_MUST_CHECK enum ev_err supply_restore(struct supply *supply, const struct supply_report *report);

/* Applies one event. The caller makes all JOURNAL effects durable before it carries out any other effect of
 * the same batch, then steps JOURNALLED. Where it could not, it drops the batch's other effects and steps
 * JOURNAL_FAILED: supply is then ended on the meter that the journal holds.
 *   ret_effects  filled from empty, in order
 * Cannot fail: what makes no sense in the present state answers in a log effect, or a message. */
void supply_step(struct supply *supply, const struct supply_event *event, struct supply_effects *ret_effects);

/* The answer to a health question. */
void supply_health(const struct supply *supply, int64_t n, struct message *ret_message);

/* True while it could be given to another charge point's id: nothing runs, nothing is plugged in. */
bool supply_is_idle(const struct supply *supply);

#endif
