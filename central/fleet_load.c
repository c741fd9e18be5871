#include "central/fleet_internal.h"

#include <string.h>

static void set_city(struct fleet *fleet, struct fleet_cp *cp, const char *name)
{
    cp->city = fleet_city_make(fleet, name);
    if (cp->city != NULL && cp->registered) {
        cp->city->charge_points++;
    }
}

static void load_charge_point(struct fleet *fleet, const struct store_charge_point *row)
{
    struct fleet_cp *cp = fleet_cp_make(fleet, &row->id);

    if (cp == NULL) {
        return;
    }
    charge_point_init(&cp->facts, row->holds);
    cp->registered = row->registered;
    cp->revoked = row->revoked;
    set_city(fleet, cp, row->city);
    cp->lat = row->lat;
    cp->lon = row->lon;
    cp->price_cents_per_kwh = row->price_cents_per_kwh;
    cp->max_power_w = row->max_power_w;
    cp->speed = row->speed >= 1.0 && row->speed <= (double)ENERGY_SPEED_MAX ? (uint32_t)row->speed : 1;
    cp->key_epoch = row->key_epoch;
    /* What was plugged in when Central stopped is taken for served: the charge point does not say. */
    cp->facts.plugged = cp->facts.served = cp->ended_since_unplugged = row->plugged;
    fleet_copy(cp->key_sha256, sizeof cp->key_sha256, row->key_sha256);
}

static void load_node(struct fleet *fleet, const struct store_node *row)
{
    struct fleet_driver *node = fleet_node_make(fleet, (enum fleet_role)row->role, row->id);

    if (node != NULL) {
        node->registered = row->registered;
        node->revoked = row->revoked;
        fleet_copy(node->key_sha256, sizeof node->key_sha256, row->key_sha256);
    }
}

void fleet_session_from_row(const struct store_session *row, struct session *ret_session)
{
    memset(ret_session, 0, sizeof *ret_session);
    ret_session->id = row->id;
    ret_session->request_id = row->request_id;
    ret_session->cp_id = row->cp_id;
    ret_session->driver_id = row->driver_id;
    ret_session->state = (enum session_state)row->state;
    ret_session->stop_reason = (enum stop_reason)row->stop_reason;
    if (session_reason_parse(row->reason, &ret_session->reason) != EV_OK) {
        ret_session->reason = REASON_NONE;
    }
    ret_session->requested_ms = row->requested_at_ms;
    ret_session->prepared_ms = row->requested_at_ms; /* granted in the step that received the request */
    ret_session->started_ms = row->started_at_ms > 0 ? row->started_at_ms : 0;
    ret_session->settling_ms = row->settling_since_ms > 0 ? row->settling_since_ms : 0;
    ret_session->ended_ms = row->ended_at_ms > 0 ? row->ended_at_ms : 0;
    ret_session->energy_wms = row->energy_wms <= ENERGY_WMS_MAX ? row->energy_wms : ENERGY_WMS_MAX;
    ret_session->cost_cents = row->cost_cents;
    ret_session->price_cents_per_kwh = row->price_cents_per_kwh <= PRICE_CENTS_PER_KWH_MAX
                                           ? row->price_cents_per_kwh
                                           : PRICE_CENTS_PER_KWH_MAX;
    ret_session->target_wh = row->target_wh <= ENERGY_WH_MAX ? (uint32_t)row->target_wh : 0;
}

static void load_session(struct fleet *fleet, const struct store_session *row)
{
    struct fleet_session *added = NULL;
    struct session session;
    struct fleet_cp *cp = fleet_cp_any(fleet, &row->cp_id);

    fleet_session_from_row(row, &session);
    if (session_is_ended(&session) || session.state == SESSION_REQUESTED) {
        return;
    }
    if (cp == NULL || (session_is_open(&session) && cp->current != NULL)) {
        return; /* the store's foreign keys and the invariant of one open session forbid it */
    }
    session.max_power_w = cp->max_power_w != 0 ? cp->max_power_w : ENERGY_POWER_W_MAX;
    session.speed = cp->speed;
    added = fleet_session_add(fleet, &session);
    if (added == NULL) {
        return;
    }
    fleet_session_moved(fleet, added, session.state);
    if (session_is_open(&session)) {
        cp->facts.supply = session.state == SESSION_CHARGING ? CP_SUPPLY_CHARGING : CP_SUPPLY_PREPARING;
        cp->facts.stop_asked = (enum stop_reason)row->pending_stop;
    }
}

static void load_weather(struct fleet *fleet, const struct fleet_weather *row)
{
    struct fleet_city *city = fleet_city_make(fleet, row->city);

    if (city != NULL) {
        city->known = true;
        city->temperature_c = row->temperature_c;
        city->alert = row->alert;
        city->observed_at_ms = row->observed_at_ms;
        city->received_mono_ms = fleet->event->mono_ms;
        fleet_copy(city->source, sizeof city->source, row->source);
    }
}

void fleet_on_load(struct fleet *fleet)
{
    switch (fleet->event->type) {
    case FLEET_LOAD_CHARGE_POINT:
        load_charge_point(fleet, fleet->event->of.load_charge_point);
        break;
    case FLEET_LOAD_NODE:
        load_node(fleet, fleet->event->of.load_node);
        break;
    case FLEET_LOAD_SESSION:
        load_session(fleet, fleet->event->of.load_session);
        break;
    default:
        load_weather(fleet, &fleet->event->of.weather);
        break;
    }
}

/* -- from Registry -- */

static void register_cp(struct fleet *fleet, const struct fleet_node *node)
{
    struct cp_id id;
    struct fleet_cp *cp = NULL;

    if (cp_id_parse(node->id, &id) != EV_OK || (cp = fleet_cp_make(fleet, &id)) == NULL) {
        fleet_audit(fleet, "cp.registered", node->id, "error", "no room for another charge point, or no id");
        return;
    }
    if (cp->registered && !cp->revoked && strcmp(cp->key_sha256, node->key_sha256) == 0) {
        return; /* the same registration again (its answer was lost): Central's price and place rule */
    }
    if (cp->revoked && strcmp(cp->key_sha256, node->key_sha256) == 0) {
        fleet_audit(fleet, "cp.registered", id.text, "refused", "with the key that was revoked");
        return;
    }
    fleet_touch(fleet, cp);
    cp->leaving_mono_ms = 0; /* whatever still leaves is the old one: now */
    fleet_cp_check_leaving(fleet, cp);
    if (cp->registered && cp->city != NULL) {
        cp->city->charge_points--;
    }
    cp->registered = true;
    cp->revoked = false;
    set_city(fleet, cp, node->city);
    cp->lat = node->lat;
    cp->lon = node->lon;
    cp->price_cents_per_kwh = node->price_cents_per_kwh <= PRICE_CENTS_PER_KWH_MAX ? node->price_cents_per_kwh
                                                                                   : PRICE_CENTS_PER_KWH_MAX;
    fleet_copy(cp->key_sha256, sizeof cp->key_sha256, node->key_sha256);
    fleet_cp_lift_hold(fleet, cp, HOLD_KEY); /* new credentials, so nothing of the old ones holds */
    fleet_cp_weather(fleet, cp);
    fleet_cp_save(fleet, cp);
    fleet->touched_publish = true;
    fleet_audit(fleet, "cp.registered", id.text, "ok", "%s, %u cents per kWh", node->city,
                (unsigned)cp->price_cents_per_kwh);
}

static void save_node(struct fleet *fleet, const struct fleet_driver *node)
{
    struct store_node *row = &fleet_emit(fleet, FLEET_EFFECT_SAVE_NODE)->of.node;

    memset(row, 0, sizeof *row);
    row->role = (int)node->role;
    row->registered = node->registered;
    row->revoked = node->revoked;
    fleet_copy(row->id, sizeof row->id, node->id);
    fleet_copy(row->key_sha256, sizeof row->key_sha256, node->key_sha256);
}

static void register_node(struct fleet *fleet, const struct fleet_node *from)
{
    struct fleet_driver *node = fleet_node_make(fleet, from->role, from->id);
    bool same_key = node != NULL && strcmp(node->key_sha256, from->key_sha256) == 0;

    if (node == NULL || (same_key && (node->revoked || node->registered))) {
        return;
    }
    node->registered = true;
    node->revoked = false;
    fleet_copy(node->key_sha256, sizeof node->key_sha256, from->key_sha256);
    save_node(fleet, node);
    fleet_audit(fleet, from->role == FLEET_ROLE_DRIVER ? "driver.registered" : "service.registered", node->id,
                "ok", "certificate issued by Registry");
}

void fleet_on_registered(struct fleet *fleet)
{
    if (fleet->event->of.node.role == FLEET_ROLE_CP) {
        register_cp(fleet, &fleet->event->of.node);
    } else {
        register_node(fleet, &fleet->event->of.node);
    }
}

void fleet_on_deregistered(struct fleet *fleet)
{
    struct cp_id id;
    struct fleet_cp *cp = NULL;

    if (fleet->event->of.node.role != FLEET_ROLE_CP || cp_id_parse(fleet->event->of.node.id, &id) != EV_OK) {
        return;
    }
    cp = fleet_cp_any(fleet, &id);
    if (cp == NULL || !cp->registered) {
        return;
    }
    fleet_touch(fleet, cp);
    if (cp->city != NULL) {
        cp->city->charge_points--;
    }
    cp->registered = false;
    fleet_cp_save(fleet, cp);
    fleet->touched_publish = true;
    fleet_audit(fleet, "cp.deregistered", cp->id.text, "ok", "by its own certificate, at Registry");
    fleet_cp_leave(fleet, cp, FLEET_LEAVES_DEREGISTERED);
}

static void revoke_node(struct fleet *fleet, struct fleet_driver *node)
{
    node->revoked = true;
    save_node(fleet, node);
    fleet_emit_node(fleet, FLEET_EFFECT_DROP_KEYS, node->role, node->id);
    fleet_audit(fleet, "node.revoked", node->id, "ok", "certificate revoked, keys dropped");
    if (node->current != NULL && node->current->cp != NULL && node->current->cp->current == node->current) {
        enum ev_err err = fleet_cp_apply(fleet, node->current->cp,
                                         &(struct cp_event){.type = CP_EVENT_STOP_ASKED, .stop = STOP_ADMIN});

        EV_ASSERT(err == EV_OK);
    }
}

void fleet_on_revoked(struct fleet *fleet)
{
    const struct fleet_node *from = &fleet->event->of.node;
    struct cp_id id;

    if (from->role != FLEET_ROLE_CP) {
        struct fleet_driver *node = fleet_node_find(fleet, from->role, from->id);

        if (node != NULL && !node->revoked &&
            (from->key_sha256[0] == '\0' || strcmp(node->key_sha256, from->key_sha256) == 0)) {
            revoke_node(fleet, node);
        }
    } else if (cp_id_parse(from->id, &id) == EV_OK) {
        struct fleet_cp *cp = fleet_cp_any(fleet, &id);

        if (cp != NULL && !cp->revoked &&
            (from->key_sha256[0] == '\0' || strcmp(cp->key_sha256, from->key_sha256) == 0)) {
            fleet_cp_revoke(fleet, cp, false);
        }
    }
}
