/* fleet_internal.h - the fleet's tables, for central/fleet*.c alone. */
#ifndef EV_CENTRAL_FLEET_INTERNAL_H
#define EV_CENTRAL_FLEET_INTERNAL_H

#include "central/fleet.h"
#include "central/map.h"
#include "common/rules/authorise.h"

#define FLEET_CPS_MAX 100000
#define FLEET_NODES_MAX 200000
#define FLEET_CITIES_MAX 4096
#define FLEET_SESSIONS_MAX 200000    /* open and settling */
#define FLEET_RECENT_MAX 4096        /* ended ones kept to answer repeats until the store has them */
#define FLEET_PREPARE_GRACE_MS 15000 /* the monitor's word on a reservation may come this late */
#define FLEET_FIRST_STATUS_MS 2000   /* connected without a status: shown as it is */
#define FLEET_RESTART_GRACE_MS                                                                               \
    60000                        /* after a start journals get this long before a settling deadline counts */
#define FLEET_LIVE_MS 900        /* live notices: about one a second, also when records come in a burst */
#define FLEET_CURVE_MS 10000     /* slot of the stored curve */
#define FLEET_COMPLAINT_MS 10000 /* refused meters are audited at most this often a session */
#define FLEET_SAVE_MARGIN 16     /* effects that one charge point or session may still add */

enum fleet_leaving { FLEET_STAYS, FLEET_LEAVES_KEY, FLEET_LEAVES_DEREGISTERED };

struct fleet_driver {
    struct fleet_session *current; /* open session */
    enum fleet_role role;
    char key[40]; /* of the map: "2:ana" */
    char id[NODE_ID_LENGTH_MAX + 1];
    char key_sha256[65];
    bool revoked, registered;
};

struct fleet_session {
    struct session s;
    struct fleet_cp *cp;                   /* NULL: asked for one that does not exist */
    struct fleet_driver *driver;           /* NULL: not known any more */
    struct fleet_session *next, *previous; /* active list; next alone in the recent list */
    int64_t base_wall_ms,
        base_mono_ms;          /* the session's own clock: wall at its beginning plus monotonic time */
    int64_t heard_mono_ms;     /* last telemetry */
    int64_t live_mono_ms;      /* last live notice */
    int64_t complaint_mono_ms; /* last audited refusal of a meter */
    int64_t curve_slot_ms;
    int64_t sample_at_ms;
    uint32_t power_w;
    uint16_t soc_permille;
    bool mark;
    bool active; /* in the active list, else in the recent one */
    char request_key[NODE_ID_LENGTH_MAX + ULID_LENGTH + 2];
};

struct fleet_cp {
    struct cp_id id;
    struct charge_point facts;
    struct fleet_session *current; /* preparing or charging */
    struct fleet_city *city;
    double lat, lon;
    uint32_t price_cents_per_kwh, max_power_w, speed, key_epoch;
    char key_sha256[65];
    char fault[MESSAGE_TEXT_SIZE];
    bool revoked, registered;
    bool ended_since_unplugged; /* a supply ended with the car that is plugged in now */
    bool mark;
    uint64_t connection; /* 0 none */
    char address[64];    /* of the connection */
    int64_t connected_mono_ms, away_mono_ms;
    int64_t since_ms;
    int64_t rotate_mono_ms; /* next key; 0: none yet on this connection */
    enum fleet_leaving leaving;
    int64_t leaving_mono_ms; /* deadline */
};

struct fleet_city {
    char name[65];
    size_t charge_points; /* registered ones */
    bool known;           /* a report was received */
    double temperature_c;
    bool alert;
    bool stale_shown;
    int64_t observed_at_ms, received_mono_ms;
    char source[33];
};

struct fleet {
    struct fleet_config config;
    struct map cps, nodes, sessions, requests, cities;
    void **cp_order; /* struct fleet_cp, by id */
    size_t cp_count, cp_capacity;
    void **city_order; /* struct fleet_city, by name */
    size_t city_count, city_capacity;
    struct fleet_session *active; /* open and settling */
    size_t active_count;
    struct fleet_session *recent_first, *recent_last;
    size_t recent_count;
    size_t open_requests, charging, settling;
    int64_t started_mono_ms; /* of the first event */
    /* The event at work. */
    const struct fleet_event *event;
    struct fleet_effects *out;
    struct fleet_cp *touched;
    enum cp_state touched_state;
    bool touched_changed, touched_save, touched_publish;
    /* What FLEET_CONTINUE goes on with. */
    struct fleet_city *work_city;
    size_t work_index;
    bool work_tick;
};

/* -- effects (fleet_effect.c) -- */
struct fleet_effect *fleet_emit(struct fleet *fleet, enum fleet_effect_type type);
void fleet_emit_session(struct fleet *fleet, enum fleet_effect_type type, struct fleet_session *session);
struct message *fleet_emit_message(struct fleet *fleet, struct fleet_cp *cp, enum message_type type);
void fleet_emit_refuse(struct fleet *fleet, const struct cp_id *cp_id, uint64_t connection,
                       enum message_refuse_code code, const char *detail);
void fleet_emit_close(struct fleet *fleet, struct fleet_cp *cp, uint64_t connection);
void fleet_emit_node(struct fleet *fleet, enum fleet_effect_type type, enum fleet_role role, const char *id);
void fleet_emit_settled(struct fleet *fleet, struct fleet_cp *cp, const struct session_id *id,
                        uint64_t energy_wh, uint64_t cost_cents);
void fleet_announce_session(struct fleet *fleet, struct fleet_session *session, bool live);
void fleet_announce_weather(struct fleet *fleet, const struct fleet_city *city);
/* Who: the event's actor, or central. `format` is cut at the field's length. */
void fleet_audit(struct fleet *fleet, const char *action, const char *target, const char *outcome,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Who: this charge point, from its connection's address. */
void fleet_audit_cp(struct fleet *fleet, const struct fleet_cp *cp, const char *action, const char *target,
                    const char *outcome, const char *format, ...) __attribute__((format(printf, 6, 7)));
void fleet_answer(struct fleet *fleet, enum fleet_answer_code code, const char *detail);
bool fleet_is_nearly_full(const struct fleet *fleet);

/* -- tables (fleet_table.c) -- */
struct fleet_cp *fleet_cp_any(const struct fleet *fleet, const struct cp_id *id); /* also deregistered ones */
size_t fleet_cp_index(const struct fleet *fleet, const char *id); /* where it is, or would be */
size_t fleet_city_index(const struct fleet *fleet, const char *name);
struct fleet_cp *fleet_cp_make(struct fleet *fleet, const struct cp_id *id); /* NULL: at the cap */
struct fleet_city *fleet_city_find(const struct fleet *fleet, const char *name);
struct fleet_city *fleet_city_make(struct fleet *fleet, const char *name);
struct fleet_driver *fleet_node_find(const struct fleet *fleet, enum fleet_role role, const char *id);
struct fleet_driver *fleet_node_make(struct fleet *fleet, enum fleet_role role, const char *id);
/* Takes `session` (filled), links it to charge point and driver; frees it and gives NULL at the cap. */
struct fleet_session *fleet_session_add(struct fleet *fleet, const struct session *session);
/* Keeps counts and the current sessions of charge point and driver in step with its state; moves it to the
 * recent ones when it has ended. Call after every change of state. */
void fleet_session_moved(struct fleet *fleet, struct fleet_session *session, enum session_state before);
struct fleet_session *fleet_session_any(const struct fleet *fleet, const struct session_id *id);
void fleet_session_from_row(const struct store_session *row, struct session *ret_session);
int64_t fleet_session_now(const struct fleet *fleet, const struct fleet_session *session);

/* -- one charge point (fleet_cp.c) -- */
/* Everything that is shown of the touched charge point is announced once, when the event is over. */
void fleet_touch(struct fleet *fleet, struct fleet_cp *cp);
void fleet_touch_end(struct fleet *fleet);
void fleet_cp_save(struct fleet *fleet, struct fleet_cp *cp);
/* Steps the rules and carries out their effects within the fleet. */
enum ev_err fleet_cp_apply(struct fleet *fleet, struct fleet_cp *cp, const struct cp_event *event);
void fleet_cp_set_hold(struct fleet *fleet, struct fleet_cp *cp, enum cp_hold hold);
void fleet_cp_lift_hold(struct fleet *fleet, struct fleet_cp *cp, enum cp_hold hold);
void fleet_cp_issue_key(struct fleet *fleet, struct fleet_cp *cp);
void fleet_cp_notice(struct fleet *fleet, struct fleet_cp *cp, const char *text);
void fleet_cp_disconnect(struct fleet *fleet, struct fleet_cp *cp);
void fleet_cp_leave(struct fleet *fleet, struct fleet_cp *cp, enum fleet_leaving leaving);
/* Finishes what leaves when its supply is over or its time has come. */
void fleet_cp_check_leaving(struct fleet *fleet, struct fleet_cp *cp);
void fleet_cp_revoke(struct fleet *fleet, struct fleet_cp *cp, bool tell_registry);

/* -- sessions (fleet_session.c) -- */
void fleet_session_changed(struct fleet *fleet, struct fleet_session *session); /* save, notify, announce */
void fleet_session_settle(struct fleet *fleet, struct fleet_session *session, uint64_t meter_wms,
                          enum stop_reason reason, int64_t engine_ended_at_ms);
void fleet_session_finished(struct fleet *fleet, struct fleet_session *session, const struct ticket *ticket);
void fleet_on_supply_started(struct fleet *fleet);
void fleet_on_supply_ended(struct fleet *fleet);
void fleet_on_reservation_ended(struct fleet *fleet);
void fleet_on_sample(struct fleet *fleet);
void fleet_on_request(struct fleet *fleet, bool by_cp);
void fleet_on_stop_session(struct fleet *fleet);

/* -- control connections (fleet_control.c) -- */
struct fleet_cp *fleet_cp_of_event(struct fleet *fleet); /* NULL: the connection was replaced */
void fleet_on_hello(struct fleet *fleet);
void fleet_on_disconnected(struct fleet *fleet);
void fleet_on_status(struct fleet *fleet);

/* -- registry and loading (fleet_load.c) -- */
void fleet_on_load(struct fleet *fleet);
void fleet_on_registered(struct fleet *fleet);
void fleet_on_deregistered(struct fleet *fleet);
void fleet_on_revoked(struct fleet *fleet);

/* -- orders and weather (fleet_order.c, fleet_weather.c), time (fleet_tick.c) -- */
void fleet_on_order(struct fleet *fleet);
void fleet_on_weather_report(struct fleet *fleet);
void fleet_on_weather_delete(struct fleet *fleet);
void fleet_weather_work(struct fleet *fleet);
void fleet_cp_weather(struct fleet *fleet, struct fleet_cp *cp); /* the hold that its city has */
void fleet_on_tick(struct fleet *fleet);

/* Cuts at capacity, at a character's boundary. */
void fleet_copy(char *target, size_t capacity, const char *text);

#endif
