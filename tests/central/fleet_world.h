/* fleet_world.h - a fleet on a virtual clock, and short words for what happens to it.
 * Keeps what a store would keep and what was said, so that tests read like the story they tell. */
#ifndef EV_TESTS_CENTRAL_FLEET_WORLD_H
#define EV_TESTS_CENTRAL_FLEET_WORLD_H

#include "central/fleet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORLD_EFFECTS_MAX 4096
#define WORLD_ROWS_MAX 4096

struct world {
    struct fleet *fleet;
    int64_t mono_ms, wall_ms;
    uint64_t next_connection;
    uint64_t next_id;
    /* Of the last step and all that it set off. */
    struct fleet_effect *said; /* WORLD_EFFECTS_MAX */
    size_t said_count;
    struct fleet_answer answer;
    enum ev_err refused;
    /* The store. */
    struct store_session *sessions; /* WORLD_ROWS_MAX, newest version of each */
    size_t session_count;
    struct store_charge_point cps[64];
    size_t cp_count;
    struct store_node nodes[64];
    size_t node_count;
    struct fleet_weather weather[16];
    size_t weather_count;
    uint64_t tickets_wms; /* meters of all finished sessions */
};

struct world *world_new(void);
void world_free(struct world *world);
/* Central dies and starts again on what the store holds. Connections are gone. */
void world_restart(struct world *world);

/* The step itself; fills the clocks. */
void world_step(struct world *world, struct fleet_event *event);
/* Time passes, with a tick each 250 ms; effects of all of them are kept. */
void world_wait(struct world *world, int64_t ms);

struct cp_id world_cp(const char *id);
struct driver_id world_driver(const char *id);

void world_register_cp(struct world *world, const char *id, const char *city, uint32_t price);
void world_register_driver(struct world *world, const char *id);
uint64_t world_hello(struct world *world, const char *id, bool operator_cause);
void world_disconnect(struct world *world, const char *id, uint64_t connection);
/* A healthy engine of 22 kW with no supply; change what the story needs. */
struct message_status world_idle(void);
void world_status(struct world *world, const char *id, uint64_t connection,
                  const struct message_status *status);
/* Registered, connected, synced: Available. */
uint64_t world_bring_up(struct world *world, const char *id);

/* Returns the session id that came of it (none where there was none). */
struct session_id world_request(struct world *world, const char *driver, const char *cp, const char *request);
void world_started(struct world *world, const char *id, uint64_t connection,
                   const struct session_id *session);
void world_ended(struct world *world, const char *id, uint64_t connection, const struct session_id *session,
                 uint64_t energy_wms, enum stop_reason reason);
void world_reservation_ended(struct world *world, const char *id, uint64_t connection,
                             const struct session_id *session, enum message_reservation_end reason);
void world_sample(struct world *world, const char *id, const struct session_id *session, uint64_t energy_wms,
                  enum stop_reason final_reason);
void world_order(struct world *world, enum fleet_event_type type, const char *id);
void world_stop_session(struct world *world, const struct session_id *session, const char *driver);
void world_weather(struct world *world, const char *city, double degrees);

/* What was said in the last step. NULL: it was not. */
const struct message *world_said(const struct world *world, enum message_type type);
const struct fleet_effect *world_effect(const struct world *world, enum fleet_effect_type type);
const struct store_audit *world_audited(const struct world *world, const char *action);
size_t world_count(const struct world *world, enum fleet_effect_type type);

const struct store_session *world_session(const struct world *world, const struct session_id *id);
enum cp_state world_state(const struct world *world, const char *id);
uint32_t world_holds(const struct world *world, const char *id);

#define WH(n) ((uint64_t)(n)*ENERGY_WMS_PER_WH)

#endif
