#include "central/fleet_internal.h"

#include <string.h>

const struct cp_id *fleet_cp_id(const struct fleet_cp *cp)
{
    return &cp->id;
}

uint64_t fleet_cp_connection(const struct fleet_cp *cp)
{
    return cp->connection;
}

bool *fleet_cp_mark(struct fleet_cp *cp)
{
    return &cp->mark;
}

bool *fleet_session_mark(struct fleet_session *session)
{
    return &session->mark;
}

const struct fleet_cp *fleet_find_cp(const struct fleet *fleet, const struct cp_id *id)
{
    const struct fleet_cp *cp = fleet_cp_any(fleet, id);

    return cp != NULL && cp->registered ? cp : NULL;
}

const struct fleet_cp *fleet_next_cp(const struct fleet *fleet, const char *after)
{
    size_t i = fleet_cp_index(fleet, after);

    for (; i < fleet->cp_count; i++) {
        const struct fleet_cp *cp = fleet->cp_order[i];

        if (cp->registered && strcmp(cp->id.text, after) > 0) {
            return cp;
        }
    }
    return NULL;
}

void fleet_view_cp(const struct fleet *fleet, const struct fleet_cp *cp, struct fleet_cp_view *ret_view)
{
    const struct fleet_session *session = cp->current;

    (void)fleet;
    memset(ret_view, 0, sizeof *ret_view);
    ret_view->id = cp->id;
    ret_view->city = cp->city != NULL ? cp->city->name : "";
    ret_view->lat = cp->lat;
    ret_view->lon = cp->lon;
    ret_view->price_cents_per_kwh = cp->price_cents_per_kwh;
    ret_view->max_power_w = cp->max_power_w;
    ret_view->speed = cp->speed;
    ret_view->state = charge_point_state(&cp->facts);
    ret_view->holds = cp->facts.holds;
    ret_view->connected = cp->facts.connected;
    ret_view->engine_ok = cp->facts.engine_ok;
    ret_view->plugged = cp->facts.plugged;
    ret_view->revoked = cp->revoked;
    ret_view->fault = cp->fault;
    ret_view->since_ms = cp->since_ms;
    ret_view->key_epoch = cp->key_epoch;
    if (cp->city != NULL && cp->city->known) {
        ret_view->has_temperature = true;
        ret_view->temperature_c = cp->city->temperature_c;
    }
    if (session != NULL) {
        ret_view->has_session = true;
        ret_view->session.id = session->s.id;
        ret_view->session.driver_id = session->s.driver_id;
        ret_view->session.state = session->s.state;
        ret_view->session.power_w = session->power_w;
        ret_view->session.energy_wh = session_energy_wh(&session->s);
        ret_view->session.cost_cents = session_cost_now(&session->s);
        ret_view->session.soc_percent = session->soc_permille / 10.0;
        ret_view->session.requested_at_ms = session->s.requested_ms;
        ret_view->session.started_at_ms = session->s.started_ms > 0 ? session->s.started_ms : -1;
    }
}

const struct fleet_session *fleet_driver_session(const struct fleet *fleet, const struct driver_id *driver)
{
    const struct fleet_driver *node = fleet_node_find(fleet, FLEET_ROLE_DRIVER, driver->text);

    return node != NULL ? node->current : NULL;
}

void fleet_session_row(const struct fleet_session *session, struct store_session *ret_row)
{
    const struct session *s = &session->s;

    memset(ret_row, 0, sizeof *ret_row);
    ret_row->id = s->id;
    ret_row->request_id = s->request_id;
    ret_row->cp_id = s->cp_id;
    ret_row->driver_id = s->driver_id;
    ret_row->state = (int)s->state;
    ret_row->stop_reason = (int)s->stop_reason;
    fleet_copy(ret_row->reason, sizeof ret_row->reason, session_reason_text(s->reason));
    ret_row->requested_at_ms = s->requested_ms;
    ret_row->started_at_ms = s->started_ms > 0 ? s->started_ms : -1;
    ret_row->ended_at_ms = s->ended_ms > 0 ? s->ended_ms : -1;
    ret_row->settling_since_ms = s->settling_ms > 0 ? s->settling_ms : -1;
    ret_row->energy_wms = s->energy_wms;
    ret_row->target_wh = s->target_wh;
    ret_row->energy_wh = session_energy_wh(s);
    ret_row->cost_cents = session_cost_now(s);
    ret_row->price_cents_per_kwh = s->price_cents_per_kwh;
    if (session->cp != NULL && session->cp->current == session) {
        ret_row->pending_stop = (int)session->cp->facts.stop_asked;
    }
}

void fleet_session_live(const struct fleet_session *session, uint32_t *ret_power_w,
                        uint16_t *ret_soc_permille, int64_t *ret_at_ms)
{
    *ret_power_w = session->power_w;
    *ret_soc_permille = session->soc_permille;
    *ret_at_ms = session->sample_at_ms;
}

void fleet_cp_row(const struct fleet_cp *cp, struct store_charge_point *ret_row)
{
    memset(ret_row, 0, sizeof *ret_row);
    ret_row->id = cp->id;
    fleet_copy(ret_row->city, sizeof ret_row->city, cp->city != NULL ? cp->city->name : "");
    ret_row->lat = cp->lat;
    ret_row->lon = cp->lon;
    ret_row->price_cents_per_kwh = cp->price_cents_per_kwh;
    ret_row->max_power_w = cp->max_power_w;
    ret_row->speed = cp->speed;
    ret_row->holds = cp->facts.holds;
    ret_row->key_epoch = cp->key_epoch;
    fleet_copy(ret_row->key_sha256, sizeof ret_row->key_sha256, cp->key_sha256);
    ret_row->revoked = cp->revoked;
    ret_row->registered = cp->registered;
    ret_row->plugged = cp->facts.plugged;
}

enum fleet_node_verdict fleet_check_node(const struct fleet *fleet, enum fleet_role role, const char *id,
                                         const char *key_sha256)
{
    bool registered = false;
    bool revoked = false;
    const char *key = "";

    if (role == FLEET_ROLE_CP) {
        const struct fleet_cp *cp = map_find(&fleet->cps, id);

        if (cp != NULL) {
            registered = cp->registered, revoked = cp->revoked, key = cp->key_sha256;
        }
    } else {
        const struct fleet_driver *node = fleet_node_find(fleet, role, id);

        if (node != NULL) {
            registered = node->registered, revoked = node->revoked, key = node->key_sha256;
        }
    }
    if (!registered) {
        return FLEET_NODE_UNKNOWN;
    }
    if (revoked) {
        return FLEET_NODE_REVOKED;
    }
    return key_sha256 != NULL && strcmp(key, key_sha256) != 0 ? FLEET_NODE_WRONG_KEY : FLEET_NODE_OK;
}

bool fleet_has_node(const struct fleet *fleet, enum fleet_role role, const char *id)
{
    return fleet_check_node(fleet, role, id, NULL) == FLEET_NODE_OK;
}

static bool is_stale(const struct fleet *fleet, const struct fleet_city *city, int64_t mono_ms)
{
    return mono_ms - city->received_mono_ms >= fleet->config.stale_ms;
}

bool fleet_next_weather(const struct fleet *fleet, const char *after, int64_t mono_ms,
                        struct fleet_weather_view *ret_view)
{
    for (size_t i = fleet_city_index(fleet, after); i < fleet->city_count; i++) {
        const struct fleet_city *city = fleet->city_order[i];

        if (city->known && strcmp(city->name, after) > 0) {
            *ret_view = (struct fleet_weather_view){
                .city = city->name,
                .temperature_c = city->temperature_c,
                .alert = city->alert,
                .stale = is_stale(fleet, city, mono_ms),
                .observed_at_ms = city->observed_at_ms,
                .source = city->source,
            };
            return true;
        }
    }
    return false;
}

const char *fleet_next_city(const struct fleet *fleet, const char *after)
{
    for (size_t i = fleet_city_index(fleet, after); i < fleet->city_count; i++) {
        const struct fleet_city *city = fleet->city_order[i];

        if (city->charge_points > 0 && strcmp(city->name, after) > 0) {
            return city->name;
        }
    }
    return NULL;
}

void fleet_summarise(const struct fleet *fleet, int64_t mono_ms, struct fleet_summary *ret_summary)
{
    bool fresh = false;

    memset(ret_summary, 0, sizeof *ret_summary);
    for (size_t i = 0; i < fleet->cp_count; i++) {
        const struct fleet_cp *cp = fleet->cp_order[i];

        if (!cp->registered) {
            continue;
        }
        ret_summary->charge_points++;
        ret_summary->states[charge_point_state(&cp->facts)]++;
        if (cp->current != NULL) {
            ret_summary->power_w += cp->current->power_w;
        }
    }
    ret_summary->open_requests = fleet->open_requests;
    ret_summary->charging = fleet->charging;
    ret_summary->settling = fleet->settling;
    for (size_t i = 0; i < fleet->city_count; i++) {
        const struct fleet_city *city = fleet->city_order[i];

        if (city->known) {
            ret_summary->weather_known = true;
            fresh = fresh || !is_stale(fleet, city, mono_ms);
            if (city->observed_at_ms > ret_summary->weather_observed_at_ms) {
                ret_summary->weather_observed_at_ms = city->observed_at_ms;
            }
        }
    }
    ret_summary->weather_stale = ret_summary->weather_known && !fresh;
}
