/* controller.h - the local controller of one charge point: what its monitor does about each event.
 * Pure: no I/O, no clock; time comes with the event. Carried out by cp_monitor/monitor.c, and by a
 * simulation. Invariants: supply is the engine's: nothing here ends one but by an order; what the engine
 * reports is passed on unchanged, but for the member `maintenance`; nothing is passed on before Central's
 * welcome; a reservation ends when its time is over, when control is lost or when maintenance begins. */
#ifndef EV_CP_MONITOR_CONTROLLER_H
#define EV_CP_MONITOR_CONTROLLER_H

#include "common/rules/charge_point.h"
#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/rules/session.h"
#include "common/wire/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROLLER_HEALTH_MS 1000
#define CONTROLLER_ENGINE_SILENT_MS 3000 /* no answer for so long is a fault */
#define CONTROLLER_ENGINE_CLOSED_MS 1000 /* a closed link does not come back by itself: less patience */
#define CONTROLLER_HEARTBEATS_LOST 3
#define CONTROLLER_WELCOME_MS 15000        /* Central may ask Registry for 3 s first */
#define CONTROLLER_DEREGISTER_STOP_MS 8000 /* Central orders the end; if it does not, we do */
#define CONTROLLER_DEREGISTER_CLOSE_MS 12000
#define CONTROLLER_EFFECTS_MAX 12
#define CONTROLLER_LOG_SIZE 320

enum controller_control {
    CONTROLLER_CONTROL_DOWN,
    CONTROLLER_CONTROL_DIALLING,
    CONTROLLER_CONTROL_HELLO, /* connected, hello is not answered yet */
    CONTROLLER_CONTROL_READY
};

/* Why it does not connect by itself. */
enum controller_block {
    CONTROLLER_BLOCK_NONE,
    CONTROLLER_BLOCK_DISCONNECTED, /* the operator's `disconnect` */
    CONTROLLER_BLOCK_KEY_DROPPED,  /* waits for `connect` */
    CONTROLLER_BLOCK_REVOKED,      /* waits for `register CODE`, which makes a new key */
    CONTROLLER_BLOCK_DEREGISTERED, /* the same */
    CONTROLLER_BLOCK_REFUSED       /* wrong id or version: waits for `connect` */
};

struct controller_reservation {
    struct session_id session_id; /* unset: none */
    int64_t until_ms;
    bool cancelling;
    enum session_reason reason; /* of the cancelling */
};

struct controller {
    struct cp_id cp_id;
    bool maintenance;
    bool enrolled;
    enum controller_block block;
    bool cause_operator; /* `connect` was typed and is not answered yet */
    /* control */
    enum controller_control control;
    uint32_t heartbeat_ms;
    int64_t control_heard_ms;
    int64_t heartbeat_due_ms;
    bool control_failed;     /* said already that Central cannot be reached */
    int64_t deregistered_ms; /* 0: not */
    bool deregister_stopped;
    /* engine */
    bool engine_linked;
    bool engine_refused; /* it has no place for us */
    bool engine_ok;
    int64_t engine_heard_ms;
    int64_t engine_closed_ms;
    int64_t health_due_ms;
    int64_t health_n;
    struct controller_reservation reservation;
    /* for display, and for our word when the engine is silent */
    struct message_status status; /* the engine's last */
    uint32_t power_w;
    uint64_t energy_wms;
    uint32_t holds;
    uint32_t price_cents_per_kwh;
    enum cp_state shown_state;
};

enum controller_event_type {
    CONTROLLER_EVENT_TICK,           /* several a second */
    CONTROLLER_EVENT_CERTIFICATE,    /* there is one now; renewed */
    CONTROLLER_EVENT_ENROL_PROBLEM,  /* text; final */
    CONTROLLER_EVENT_DEREGISTERED,   /* Registry's answer: ok, text */
    CONTROLLER_EVENT_RETRY,          /* the time of RETRY_LATER has come */
    CONTROLLER_EVENT_CONTROL_UP,     /* the handshake is done */
    CONTROLLER_EVENT_CONTROL_CLOSED, /* text */
    CONTROLLER_EVENT_CENTRAL,        /* message */
    CONTROLLER_EVENT_ENGINE_UP,      /* the link is there and the engine identified itself */
    CONTROLLER_EVENT_ENGINE_CLOSED,  /* text */
    CONTROLLER_EVENT_ENGINE,         /* message */
    CONTROLLER_EVENT_REGISTER,       /* operator's, from here on; text: the code or "" */
    CONTROLLER_EVENT_DEREGISTER,
    CONTROLLER_EVENT_CONNECT,
    CONTROLLER_EVENT_DISCONNECT,
    CONTROLLER_EVENT_CHARGE,      /* message: the charge_request */
    CONTROLLER_EVENT_MAINTENANCE, /* on */
    CONTROLLER_EVENT_COUNT
};

struct controller_event {
    enum controller_event_type type;
    int64_t mono_ms; /* never falls */
    bool flag;       /* renewed, final, ok, on */
    const char *text;
    const struct message *message;
};

enum controller_effect_type {
    CONTROLLER_EFFECT_SEND_CENTRAL, /* message */
    CONTROLLER_EFFECT_SEND_ENGINE,  /* message */
    CONTROLLER_EFFECT_DIAL,
    CONTROLLER_EFFECT_HANG_UP,     /* no CONTROL_CLOSED follows */
    CONTROLLER_EFFECT_RETRY_LATER, /* with backoff and jitter */
    CONTROLLER_EFFECT_RETRY_RESET, /* the next wait is short again */
    CONTROLLER_EFFECT_STORE_MAINTENANCE,
    CONTROLLER_EFFECT_ENROL, /* flag: with a new key; the code is the event's text */
    CONTROLLER_EFFECT_DEREGISTER,
    CONTROLLER_EFFECT_LOG,  /* log; flag: a warning */
    CONTROLLER_EFFECT_PRINT /* log.text, for the operator */
};

struct controller_effect {
    enum controller_effect_type type;
    bool flag;
    union {
        struct message message;
        struct {
            const char *event; /* stable name */
            char text[CONTROLLER_LOG_SIZE];
        } log;
    };
};

struct controller_effects {
    size_t count;
    struct controller_effect items[CONTROLLER_EFFECTS_MAX];
};

/*   enrolled      there is a certificate
 *   now_ms        monotonic; health_phase_ms of up to a second spreads the questions of many */
void controller_init(struct controller *controller, const struct cp_id *cp_id, bool enrolled,
                     bool maintenance, int64_t now_ms, int64_t health_phase_ms);

/* Applies one event; ret_effects is filled from empty, in the order in which to carry them out. */
void controller_step(struct controller *controller, const struct controller_event *event,
                     struct controller_effects *ret_effects);

/* One line for the operator: "connected", "waits for `connect`: ..". */
const char *controller_control_text(const struct controller *controller);

#endif
