/* api_json.h - the JSON objects of Central's API, written from the fleet's and the store's views into a
 * caller's buffer. One place for each object, so that REST, events and lists cannot differ. Pure. Used by api
 * and events. */
#ifndef EV_CENTRAL_API_JSON_H
#define EV_CENTRAL_API_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "central/central.h"
#include "central/fleet.h"
#include "central/store.h"
#include "common/wire/json.h"

/* What a caller may see. */
struct api_viewer {
    bool admin;            /* signed in */
    const char *driver_id; /* of a driver's certificate, NULL none */
};

/* Room for one written object of any kind. */
#define API_OBJECT_MAX 4096

/* GET /charge-points/{id}. Without an admin's sign-in driver_id and cost_cents are null. */
void api_write_charge_point(struct json_writer *writer, const char *name, const struct fleet_cp_view *view,
                            const struct api_viewer *viewer);

/* GET /sessions/{id}. */
void api_write_session(struct json_writer *writer, const char *name, const struct store_session *row);

/* An item of GET /audit. Addresses and driver ids only for admins; a driver's id becomes "driver". */
void api_write_audit(struct json_writer *writer, const char *name, const struct store_audit_row *row,
                     const struct api_viewer *viewer);

/* An item of GET /weather. */
void api_write_weather(struct json_writer *writer, const char *name, const struct fleet_weather_view *view);

/* GET /summary; today's sums are the caller's, from the store. */
struct api_today {
    uint64_t energy_wh, cost_cents;
};
void api_write_summary(struct json_writer *writer, const struct central *central,
                       const struct api_today *today, int64_t mono_ms, int64_t wall_ms);

/* The names of a hold set as an array member. */
void api_write_holds(struct json_writer *writer, const char *name, uint32_t holds);

#endif
