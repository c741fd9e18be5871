/* fleet.h - all charge points, nodes, open sessions and weather of the network, in memory, and every decision
 * on them. Pure: no I/O, no clock, no log; memory for its tables is the only thing it takes. Time comes in
 * with the event, what to do comes out as a bounded list of effects, which central/dispatch carries out (and
 * a simulation likewise). Invariants: a charge point and a driver have at most one open session each; an
 * accepted request ends in exactly one terminal state; a session gets at most one ticket; no supply is
 * ordered under a hold. */
#ifndef EV_CENTRAL_FLEET_H
#define EV_CENTRAL_FLEET_H

#include "central/store.h"
#include "common/rules/charge_point.h"
#include "common/rules/session.h"
#include "common/wire/message.h"
#include "common/wire/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fleet;
struct fleet_cp;      /* one charge point */
struct fleet_session; /* one session; open, settling, or ended a short while ago */

struct fleet_config {
    int64_t settle_ms;    /* --settle-seconds */
    int64_t rotate_ms;    /* --telemetry-key-seconds */
    int64_t prepare_ms;   /* time to plug in; 60000 */
    int64_t drop_wait_ms; /* drop-key and deregistration wait this long for the final meter; 5000 */
    int64_t stale_ms;     /* weather; 15000 */
};

enum fleet_role { FLEET_ROLE_CP = 1, FLEET_ROLE_DRIVER, FLEET_ROLE_WEATHER };

/* Who is behind an event, for the audit trail. */
struct fleet_actor {
    char who[40];     /* "admin", "cp:MAD", "driver:ana", "registry", "central" */
    char address[64]; /* of the peer, "" unknown */
};

enum fleet_event_type {
    /* Rows of the store at start; without effects. */
    FLEET_LOAD_CHARGE_POINT = 1, /* of.load_charge_point */
    FLEET_LOAD_NODE,             /* of.load_node */
    FLEET_LOAD_SESSION,          /* of.load_session, after the charge points and nodes */
    FLEET_LOAD_WEATHER,          /* of.weather */
    /* From Registry, in its order. */
    FLEET_REGISTERED,   /* of.node */
    FLEET_DEREGISTERED, /* of.node: role and id */
    FLEET_REVOKED,      /* of.node: role, id, key_sha256 ("" any); Registry knows already */
    /* From a control connection, the certificate of which was verified: role cp, id = cp_id. */
    FLEET_HELLO,             /* of.hello -> FLEET_EFFECT_SEND welcome, or refuse and FLEET_EFFECT_CLOSE */
    FLEET_DISCONNECTED,      /* connection */
    FLEET_STATUS,            /* of.status */
    FLEET_SUPPLY_STARTED,    /* of.supply_started */
    FLEET_SUPPLY_ENDED,      /* of.supply_ended */
    FLEET_RESERVATION_ENDED, /* of.reservation_ended */
    FLEET_CP_REQUEST,        /* of.request: the charge point's claim */
    /* From Kafka, decrypted and in sequence. */
    FLEET_SAMPLE,  /* of.sample */
    FLEET_REQUEST, /* of.request */
    /* Orders, through the API. The answer is in fleet_effects.answer. */
    FLEET_ORDER_STOP,
    FLEET_ORDER_RESUME,
    FLEET_ORDER_ROTATE_KEY,
    FLEET_ORDER_DROP_KEY,
    FLEET_ORDER_REVOKE,
    FLEET_ORDER_PRICE,        /* of.price_cents_per_kwh */
    FLEET_ORDER_STOP_SESSION, /* of.stop_session */
    FLEET_WEATHER_REPORT,     /* of.weather */
    FLEET_WEATHER_DELETE,     /* of.weather.city */
    /* Time. */
    FLEET_TICK,    /* about 4 a second */
    FLEET_CONTINUE /* more was true: the rest of what the last event set off */
};

struct fleet_node {
    enum fleet_role role;
    char id[NODE_ID_LENGTH_MAX + 1];
    char key_sha256[65];
    /* Charge points only. */
    char city[65];
    double lat, lon;
    uint32_t price_cents_per_kwh;
};

struct fleet_weather {
    char city[65];
    double temperature_c;
    int64_t observed_at_ms;
    char source[33];
    bool alert; /* FLEET_LOAD_WEATHER only */
};

struct fleet_event {
    enum fleet_event_type type;
    int64_t mono_ms; /* monotonic clock: all waiting */
    int64_t wall_ms; /* since 1970: all that is shown */
    struct cp_id cp_id;
    uint64_t connection;             /* control connection, never 0; events of a replaced one are ignored */
    const struct fleet_actor *actor; /* NULL: central itself */
    /* SUPPLY_ENDED, *REQUEST: what the store holds of this session or (driver, request) where fleet_find_*
     * knows nothing; NULL: nothing there. */
    const struct store_session *known;
    struct session_id new_session_id; /* *REQUEST: a fresh ULID for the session that may come of it */
    union {
        const struct store_charge_point *load_charge_point;
        const struct store_node *load_node; /* role: enum fleet_role, translated by dispatch */
        const struct store_session *load_session;
        struct fleet_node node;
        struct {
            char key_sha256[65];
            bool operator_cause; /* `cause: operator` */
        } hello;
        struct message_status status;
        struct message_supply_started supply_started;
        struct message_supply_ended supply_ended;
        struct message_reservation_ended reservation_ended;
        struct telemetry_sample sample;
        struct {
            struct driver_id driver_id;
            struct request_id request_id;
            uint32_t target_wh; /* 0 none */
            bool too_old;       /* Kafka held it from before Central attached */
        } request;
        uint32_t price_cents_per_kwh;
        struct {
            struct session_id session_id;
            bool by_admin;
            struct driver_id driver_id; /* else: whose it must be */
        } stop_session;
        struct fleet_weather weather;
    } of;
};

enum fleet_effect_type {
    /* Into the batch, at once. */
    FLEET_EFFECT_SAVE_CHARGE_POINT = 1, /* cp */
    FLEET_EFFECT_SAVE_SESSION,          /* session */
    FLEET_EFFECT_SAVE_METER,            /* session: may be saved once for many */
    FLEET_EFFECT_SAVE_NODE,             /* of.node */
    FLEET_EFFECT_SAVE_WEATHER,          /* of.weather */
    FLEET_EFFECT_DROP_WEATHER,          /* of.weather.city */
    FLEET_EFFECT_ADD_CURVE,             /* session, of.curve */
    FLEET_EFFECT_AUDIT,                 /* of.audit */
    /* Spoken after the commit. */
    FLEET_EFFECT_SEND,           /* connection, cp, of.message */
    FLEET_EFFECT_CLOSE,          /* connection, cp: after what was sent */
    FLEET_EFFECT_ISSUE_KEY,      /* cp, connection, of.epoch */
    FLEET_EFFECT_DROP_KEYS,      /* of.node: role and id */
    FLEET_EFFECT_NOTIFY_SESSION, /* session, or of.row where it is NULL: its object to its driver */
    FLEET_EFFECT_NOTIFY_LIVE,    /* session: live figures to its driver */
    FLEET_EFFECT_PUBLISH_STATUS, /* cp: ev.status */
    FLEET_EFFECT_REVOKE,         /* of.node: tell Registry until it answers */
    FLEET_EFFECT_ANNOUNCE        /* of.announce: for the API's events */
};

enum fleet_announce { FLEET_ANNOUNCE_CHARGE_POINT, FLEET_ANNOUNCE_SESSION, FLEET_ANNOUNCE_WEATHER };

struct fleet_effect {
    enum fleet_effect_type type;
    uint64_t connection;
    struct fleet_cp *cp;           /* valid as long as the fleet */
    struct fleet_session *session; /* valid until the next fleet_step; NULL none */
    union {
        struct store_node node; /* role: enum fleet_role */
        struct fleet_weather weather;
        struct store_audit audit;
        uint32_t epoch;
        struct {
            int64_t at_ms;
            uint32_t power_w;
            uint64_t energy_wms;
            uint16_t soc_permille;
        } curve;
        struct {
            enum fleet_announce what;
            bool live; /* figures alone: may be thinned */
            struct cp_id cp_id;
            struct session_id session_id;
            struct driver_id driver_id;
            char city[65];
        } announce;
        struct message message;   /* welcome: dispatch adds Kafka, intervals and the time */
        struct store_session row; /* NOTIFY_SESSION without a session: what the store knows */
    } of;
};

enum fleet_answer_code {
    FLEET_ANSWER_OK = 0,    /* 202 */
    FLEET_ANSWER_NOT_FOUND, /* 404 */
    FLEET_ANSWER_CONFLICT,  /* 409 */
    FLEET_ANSWER_INVALID,   /* 422 */
    FLEET_ANSWER_FULL       /* 503: at a cap */
};

/* What to tell the caller of an order. */
struct fleet_answer {
    enum fleet_answer_code code;
    char detail[160]; /* a sentence, when not OK */
    bool done;        /* something changed */
    uint32_t holds;   /* of the charge point, afterwards */
};

#define FLEET_EFFECTS_MAX 64

struct fleet_effects {
    size_t count;
    struct fleet_effect items[FLEET_EFFECTS_MAX]; /* in the order in which to carry them out */
    struct fleet_answer answer;                   /* of FLEET_ORDER_* and FLEET_WEATHER_* */
    enum ev_err refused; /* the event was not applied: SAMPLE EV_ERR_RANGE (meter beyond belief),
                          * EV_ERR_NOT_FOUND (no such session here), EV_ERR_STATE (session has ended);
                          * control: a claim that does not hold */
    bool more;           /* step again with FLEET_CONTINUE after these are carried out */
};

/* Errors: EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err fleet_new(const struct fleet_config *config, struct fleet **ret_fleet);
void fleet_free(struct fleet *fleet);

/* Applies one event. `effects` is filled from empty (only the used part is written). */
void fleet_step(struct fleet *fleet, const struct fleet_event *event, struct fleet_effects *effects);

/* ---- Reading (API, dispatch, ingestion). Nothing below changes the fleet. ---- */

/* What GET /charge-points/{id} shows. */
struct fleet_cp_view {
    struct cp_id id;
    const char *city;
    double lat, lon;
    uint32_t price_cents_per_kwh;
    uint32_t max_power_w; /* 0 unknown */
    uint32_t speed;
    enum cp_state state;
    uint32_t holds; /* enum cp_hold bits */
    bool connected, engine_ok, plugged, revoked;
    const char *fault; /* the engine's words, "" none */
    int64_t since_ms;  /* when it came into this state */
    bool has_session;  /* preparing or charging */
    struct {
        struct session_id id;
        struct driver_id driver_id;
        enum session_state state;
        uint32_t power_w;
        uint64_t energy_wh, cost_cents;
        double soc_percent;
        int64_t requested_at_ms;
        int64_t started_at_ms; /* -1 not yet */
    } session;
    bool has_temperature;
    double temperature_c; /* of its city, last report */
    uint32_t key_epoch;   /* 0 never had a key */
};

struct fleet_weather_view {
    const char *city;
    double temperature_c;
    bool alert, stale;
    int64_t observed_at_ms;
    const char *source;
};

struct fleet_summary {
    size_t charge_points;
    size_t states[CP_STATE_COUNT];
    uint64_t power_w;
    size_t open_requests; /* sessions requested or preparing */
    size_t charging, settling;
    bool weather_known, weather_stale; /* any city; every city without a report in time */
    int64_t weather_observed_at_ms;    /* the newest report, 0 none */
};

/* Registered ones alone; NULL if there is none. */
const struct fleet_cp *fleet_find_cp(const struct fleet *fleet, const struct cp_id *id);
/* The first in id order (bytes) after `after` ("" from the start), NULL at the end. */
const struct fleet_cp *fleet_next_cp(const struct fleet *fleet, const char *after);
void fleet_view_cp(const struct fleet *fleet, const struct fleet_cp *cp, struct fleet_cp_view *ret_view);
uint64_t fleet_cp_connection(const struct fleet_cp *cp); /* 0 none */
const struct cp_id *fleet_cp_id(const struct fleet_cp *cp);

/* Open, settling, or ended recently (then not yet in the store, maybe); NULL: ask the store. */
const struct fleet_session *fleet_find_session(const struct fleet *fleet, const struct session_id *id);
const struct fleet_session *fleet_find_request(const struct fleet *fleet, const struct driver_id *driver,
                                               const struct request_id *request);
/* Its open session (requested, preparing, charging), NULL none. */
const struct fleet_session *fleet_driver_session(const struct fleet *fleet, const struct driver_id *driver);
/* The row that the store keeps, which is also what GET /sessions/{id} shows; energy and cost up to now in
 * energy_wh and cost_cents also before it is finished. */
void fleet_session_row(const struct fleet_session *session, struct store_session *ret_row);
/* Live figures of the last sample. */
void fleet_session_live(const struct fleet_session *session, uint32_t *ret_power_w,
                        uint16_t *ret_soc_permille, int64_t *ret_at_ms);
/* Whether its meter waits to be saved: dispatch's mark. */
bool *fleet_session_mark(struct fleet_session *session);
bool *fleet_cp_mark(struct fleet_cp *cp);
void fleet_cp_row(const struct fleet_cp *cp, struct store_charge_point *ret_row);

/* May this certificate speak for this node? */
enum fleet_node_verdict { FLEET_NODE_OK, FLEET_NODE_UNKNOWN, FLEET_NODE_REVOKED, FLEET_NODE_WRONG_KEY };
enum fleet_node_verdict fleet_check_node(const struct fleet *fleet, enum fleet_role role, const char *id,
                                         const char *key_sha256);
/* Registered and not revoked, whatever its key (what a sealed record already proved). */
bool fleet_has_node(const struct fleet *fleet, enum fleet_role role, const char *id);

/* In byte order of the city after `after`; false at the end. `mono_ms` decides what is stale. */
bool fleet_next_weather(const struct fleet *fleet, const char *after, int64_t mono_ms,
                        struct fleet_weather_view *ret_view);
/* Cities that have a registered charge point, in byte order; NULL at the end. */
const char *fleet_next_city(const struct fleet *fleet, const char *after);

void fleet_summarise(const struct fleet *fleet, int64_t mono_ms, struct fleet_summary *ret_summary);

#endif
