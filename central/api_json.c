/* api_json.c - see api_json.h. */
#include "central/api_json.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/session_view.h"

void api_write_holds(struct json_writer *writer, const char *name, uint32_t holds)
{
    json_write_array_begin(writer, name);
    for (uint32_t bit = 1; bit <= HOLD_ALL; bit <<= 1) {
        if ((holds & bit) != 0)
            json_write_text(writer, NULL, cp_hold_text((enum cp_hold)bit));
    }
    json_write_array_end(writer);
}

static void write_live_session(struct json_writer *writer, const struct fleet_cp_view *view,
                               const struct api_viewer *viewer)
{
    if (!view->has_session) {
        json_write_null(writer, "session");
        return;
    }
    bool own = viewer->admin ||
               (viewer->driver_id != NULL && strcmp(viewer->driver_id, view->session.driver_id.text) == 0);
    json_write_object_begin(writer, "session");
    json_write_text(writer, "id", view->session.id.text);
    if (own)
        json_write_text(writer, "driver_id", view->session.driver_id.text);
    else
        json_write_null(writer, "driver_id");
    json_write_integer(writer, "power_w", view->session.power_w);
    json_write_integer(writer, "energy_wh", (int64_t)view->session.energy_wh);
    if (own)
        json_write_integer(writer, "cost_cents", (int64_t)view->session.cost_cents);
    else
        json_write_null(writer, "cost_cents");
    json_write_real(writer, "soc_percent", view->session.soc_percent);
    json_write_time(writer, "started_at", view->session.started_at_ms);
    json_write_object_end(writer);
}

void api_write_charge_point(struct json_writer *writer, const char *name, const struct fleet_cp_view *view,
                            const struct api_viewer *viewer)
{
    json_write_object_begin(writer, name);
    json_write_text(writer, "id", view->id.text);
    json_write_text(writer, "city", view->city);
    json_write_real(writer, "lat", view->lat);
    json_write_real(writer, "lon", view->lon);
    json_write_integer(writer, "price_cents_per_kwh", view->price_cents_per_kwh);
    json_write_integer(writer, "max_power_w", view->max_power_w);
    json_write_text(writer, "state", cp_state_text(view->state));
    api_write_holds(writer, "holds", view->holds);
    json_write_bool(writer, "connected", view->connected);
    json_write_bool(writer, "engine_ok", view->engine_ok);
    json_write_text(writer, "fault", view->fault);
    json_write_bool(writer, "plugged", view->plugged);
    json_write_time(writer, "since", view->since_ms);
    write_live_session(writer, view, viewer);
    if (view->has_temperature)
        json_write_real(writer, "temperature_c", view->temperature_c);
    else
        json_write_null(writer, "temperature_c");
    json_write_integer(writer, "key_epoch", view->key_epoch);
    json_write_object_end(writer);
}

void api_write_session(struct json_writer *writer, const char *name, const struct store_session *row)
{
    struct session_view view = {
        .id = row->id,
        .request_id = row->request_id,
        .cp_id = row->cp_id,
        .driver_id = row->driver_id,
        .state = (enum session_state)row->state,
        .stop_reason = (enum stop_reason)row->stop_reason,
        .requested_at = row->requested_at_ms,
        .started_at = row->started_at_ms,
        .ended_at = row->ended_at_ms,
        .energy_wh = row->energy_wh,
        .cost_cents = row->cost_cents,
        .price_cents_per_kwh = row->price_cents_per_kwh,
    };
    if (session_reason_parse(row->reason, &view.reason) != EV_OK)
        view.reason = REASON_NONE;
    session_view_write(&view, writer, name);
}

static bool is_driver(const char *who)
{
    return strncmp(who, "driver:", 7) == 0;
}

/* What is about charge points, cities and services names no driver; everything else may. */
static bool is_impersonal(const char *action)
{
    static const char *const PREFIXES[] = {"cp.", "weather.", "central.", "kafka.", "registry.", "control."};
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        if (strncmp(action, PREFIXES[i], strlen(PREFIXES[i])) == 0)
            return true;
    }
    return false;
}

void api_write_audit(struct json_writer *writer, const char *name, const struct store_audit_row *row,
                     const struct api_viewer *viewer)
{
    const struct store_audit *entry = &row->entry;
    struct session_id session;
    bool all = viewer->admin || is_impersonal(entry->action);
    bool target = all || session_id_parse(entry->target, &session) == EV_OK;
    json_write_object_begin(writer, name);
    json_write_integer(writer, "seq", row->seq);
    json_write_time(writer, "at", entry->at_ms);
    json_write_text(writer, "who", !viewer->admin && is_driver(entry->who) ? "driver" : entry->who);
    if (viewer->admin)
        json_write_text(writer, "address", entry->address);
    else
        json_write_null(writer, "address");
    json_write_text(writer, "action", entry->action);
    json_write_text(writer, "target", target ? entry->target : "");
    json_write_text(writer, "outcome", entry->outcome);
    json_write_text(writer, "detail", all ? entry->detail : "");
    json_write_text(writer, "hash", row->hash);
    json_write_object_end(writer);
}

void api_write_weather(struct json_writer *writer, const char *name, const struct fleet_weather_view *view)
{
    json_write_object_begin(writer, name);
    json_write_text(writer, "city", view->city);
    json_write_real(writer, "temperature_c", view->temperature_c);
    json_write_bool(writer, "alert", view->alert);
    json_write_time(writer, "observed_at", view->observed_at_ms);
    json_write_bool(writer, "stale", view->stale);
    json_write_text(writer, "source", view->source);
    json_write_object_end(writer);
}

static void write_health(struct json_writer *writer, const char *name, bool ok, const char *detail)
{
    json_write_object_begin(writer, name);
    json_write_bool(writer, "ok", ok);
    json_write_text(writer, "detail", detail);
    json_write_object_end(writer);
}

static void write_weather_health(struct json_writer *writer, const struct fleet_summary *summary)
{
    char detail[120], at[TIME_TEXT_SIZE];
    if (!summary->weather_known) {
        (void)snprintf(detail, sizeof detail, "no weather service has reported yet");
    } else if (summary->weather_stale) {
        time_text_format(summary->weather_observed_at_ms, at);
        (void)snprintf(detail, sizeof detail, "stale: no report since %s; charge points stay as they are",
                       at);
    } else {
        (void)snprintf(detail, sizeof detail, "ok");
    }
    write_health(writer, "weather", summary->weather_known && !summary->weather_stale, detail);
}

void api_write_summary(struct json_writer *writer, const struct central *central,
                       const struct api_today *today, int64_t mono_ms, int64_t wall_ms)
{
    struct fleet_summary summary;
    fleet_summarise(central->fleet, mono_ms, &summary);
    json_write_object_begin(writer, NULL);
    json_write_object_begin(writer, "states");
    for (int state = 0; state < CP_STATE_COUNT; state++)
        json_write_integer(writer, cp_state_text((enum cp_state)state), (int64_t)summary.states[state]);
    json_write_object_end(writer);
    json_write_integer(writer, "power_w", (int64_t)summary.power_w);
    json_write_integer(writer, "energy_today_wh", (int64_t)today->energy_wh);
    json_write_integer(writer, "cost_today_cents", (int64_t)today->cost_cents);
    json_write_integer(writer, "open_requests", (int64_t)summary.open_requests);
    json_write_object_begin(writer, "health");
    write_health(writer, "kafka", central->health.kafka, central->health.kafka_text);
    write_health(writer, "registry", central->health.registry, central->health.registry_text);
    write_weather_health(writer, &summary);
    json_write_object_end(writer);
    json_write_integer(writer, "uptime_s", (wall_ms - central->started_wall_ms) / 1000);
    json_write_text(writer, "version", EV_VERSION);
    json_write_object_end(writer);
}
