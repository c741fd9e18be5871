#include "central/fleet_internal.h"

#include <string.h>

struct fleet_cp *fleet_cp_of_event(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet_cp_any(fleet, &fleet->event->cp_id);

    if (cp == NULL || cp->connection == 0 || cp->connection != fleet->event->connection) {
        return NULL;
    }
    fleet_touch(fleet, cp);
    return cp;
}

/* -- hello -- */

static bool may_connect(const struct fleet *fleet, const struct fleet_cp *cp,
                        enum message_refuse_code *ret_code, const char **ret_detail)
{
    if (cp == NULL || (!cp->registered && !cp->revoked)) {
        *ret_code = MESSAGE_REFUSE_UNKNOWN_CP;
        *ret_detail = "This charge point is not registered here yet.";
    } else if (cp->revoked) {
        *ret_code = MESSAGE_REFUSE_REVOKED;
        *ret_detail = "This charge point's certificate was revoked; register again with a new invitation.";
    } else if (strcmp(cp->key_sha256, fleet->event->of.hello.key_sha256) != 0) {
        *ret_code = MESSAGE_REFUSE_WRONG_KEY;
        *ret_detail = "This charge point is registered with another key.";
    } else if ((cp->facts.holds & HOLD_KEY) && !fleet->event->of.hello.operator_cause) {
        *ret_code = MESSAGE_REFUSE_KEY_DROPPED;
        *ret_detail = "The key was dropped; connect again by the operator's command.";
    } else {
        return true;
    }
    return false;
}

static void welcome(struct fleet *fleet, struct fleet_cp *cp)
{
    struct message *message = fleet_emit_message(fleet, cp, MESSAGE_WELCOME);

    message->welcome.price_cents_per_kwh = cp->price_cents_per_kwh;
    message->welcome.holds = cp->facts.holds;
    message->welcome.server_time_ms = fleet->event->wall_ms;
}

void fleet_on_hello(struct fleet *fleet)
{
    const struct fleet_event *event = fleet->event;
    struct fleet_cp *cp = fleet_cp_any(fleet, &event->cp_id);
    enum message_refuse_code code = MESSAGE_REFUSE_UNKNOWN_CP;
    const char *detail = "";

    if (!may_connect(fleet, cp, &code, &detail)) {
        fleet_audit(fleet, "auth.failed", event->cp_id.text, "refused", "hello: %s: %s",
                    message_refuse_code_text(code), detail);
        fleet_emit_refuse(fleet, &event->cp_id, event->connection, code, detail);
        fleet->out->refused = EV_ERR_AUTH;
        return;
    }
    fleet_touch(fleet, cp);
    if (cp->connection != 0) {
        fleet_emit_refuse(fleet, &cp->id, cp->connection, MESSAGE_REFUSE_REPLACED,
                          "A newer connection of this charge point took over.");
        fleet_cp_disconnect(fleet, cp);
    }
    cp->connection = event->connection;
    cp->connected_mono_ms = event->mono_ms;
    fleet_copy(cp->address, sizeof cp->address, event->actor != NULL ? event->actor->address : "");
    if (cp->facts.holds & HOLD_KEY) {
        cp->leaving = FLEET_STAYS;
        fleet_cp_lift_hold(fleet, cp, HOLD_KEY);
        fleet_audit(fleet, "cp.key_hold_lifted", cp->id.text, "ok", "connected by the operator's command");
    }
    fleet_audit(fleet, "cp.connect", cp->id.text, "ok", "%s",
                event->of.hello.operator_cause ? "operator" : "automatic");
    welcome(fleet, cp);
    /* Shown as connected from its first status on, so that nothing wrong flashes up before. */
}

void fleet_on_disconnected(struct fleet *fleet)
{
    struct fleet_cp *cp = fleet_cp_of_event(fleet);

    if (cp == NULL) {
        return;
    }
    fleet_audit(fleet, "cp.disconnect", cp->id.text, "ok", "control connection lost");
    fleet_cp_disconnect(fleet, cp);
    fleet_cp_check_leaving(fleet, cp);
}

/* -- status -- */

static void apply(struct fleet *fleet, struct fleet_cp *cp, struct cp_event event)
{
    enum ev_err err = fleet_cp_apply(fleet, cp, &event);

    if (err != EV_OK) {
        fleet->out->refused = err;
    }
}

static void apply_numbers(struct fleet *fleet, struct fleet_cp *cp, const struct message_status *status)
{
    uint32_t power_w = status->max_power_w <= ENERGY_POWER_W_MAX ? status->max_power_w : ENERGY_POWER_W_MAX;
    uint32_t speed = status->speed <= ENERGY_SPEED_MAX ? status->speed : ENERGY_SPEED_MAX;

    if (power_w != 0 && power_w != cp->max_power_w) {
        cp->max_power_w = power_w;
        fleet_cp_save(fleet, cp);
    }
    if (speed != 0 && speed != cp->speed) {
        cp->speed = speed;
        fleet_cp_save(fleet, cp);
    }
}

static void apply_engine(struct fleet *fleet, struct fleet_cp *cp, const struct message_status *status)
{
    bool fault = status->fault[0] != '\0';

    if (!status->engine_ok && cp->facts.engine_ok) {
        fleet_audit(fleet, "cp.engine_lost", cp->id.text, "error", "the monitor does not hear its engine");
    } else if (status->engine_ok && !cp->facts.engine_ok) {
        fleet_audit(fleet, "cp.engine_ok", cp->id.text, "ok", "the engine answers");
    }
    if (fault && !cp->facts.fault) {
        fleet_audit(fleet, "cp.fault", cp->id.text, "error", "%s", status->fault);
    } else if (!fault && status->engine_ok && cp->facts.fault) {
        fleet_audit(fleet, "cp.repaired", cp->id.text, "ok", "was: %s", cp->fault);
    }
    apply(fleet, cp,
          (struct cp_event){.type = status->engine_ok ? CP_EVENT_ENGINE_OK : CP_EVENT_ENGINE_SILENT});
    if (fault) {
        apply(fleet, cp, (struct cp_event){.type = CP_EVENT_FAULT});
    } else if (status->engine_ok) {
        apply(fleet, cp, (struct cp_event){.type = CP_EVENT_REPAIRED});
    }
    if (strcmp(cp->fault, status->fault) != 0 && (fault || status->engine_ok)) {
        fleet_copy(cp->fault, sizeof cp->fault, status->fault);
        fleet->touched_changed = true;
    }
}

/* Only an engine that is heard knows about the car. */
static void apply_plug(struct fleet *fleet, struct fleet_cp *cp, const struct message_status *status)
{
    bool before = cp->facts.plugged;

    if (!status->engine_ok) {
        return;
    }
    if (status->plugged) {
        apply(fleet, cp, (struct cp_event){.type = CP_EVENT_PLUGGED, .served = cp->ended_since_unplugged});
    } else {
        cp->ended_since_unplugged = false;
        apply(fleet, cp, (struct cp_event){.type = CP_EVENT_UNPLUGGED});
    }
    if (before != cp->facts.plugged) {
        fleet_cp_save(fleet, cp);
    }
}

static void apply_maintenance(struct fleet *fleet, struct fleet_cp *cp, bool maintenance)
{
    bool held = (cp->facts.holds & HOLD_MAINTENANCE) != 0;

    if (maintenance == held) {
        return;
    }
    fleet_audit(fleet, "cp.maintenance", cp->id.text, "ok", maintenance ? "on" : "off");
    if (maintenance) {
        fleet_cp_set_hold(fleet, cp, HOLD_MAINTENANCE);
    } else {
        fleet_cp_lift_hold(fleet, cp, HOLD_MAINTENANCE);
    }
}

static enum cp_sync compare(const struct fleet_cp *cp, const struct message_status *status)
{
    if (status->supply == CP_SUPPLY_NONE) {
        return CP_SYNC_NOTHING;
    }
    if (cp->current == NULL || !session_id_equal(&cp->current->s.id, &status->session_id)) {
        return CP_SYNC_OTHER;
    }
    return status->supply == CP_SUPPLY_CHARGING ? CP_SYNC_CHARGING : CP_SYNC_PREPARING;
}

void fleet_on_status(struct fleet *fleet)
{
    const struct message_status *status = &fleet->event->of.status;
    struct fleet_cp *cp = fleet_cp_of_event(fleet);

    if (cp == NULL) {
        return;
    }
    apply_numbers(fleet, cp, status);
    apply_engine(fleet, cp, status);
    apply_plug(fleet, cp, status);
    apply_maintenance(fleet, cp, status->maintenance);
    if (!cp->facts.connected) {
        apply(fleet, cp, (struct cp_event){.type = CP_EVENT_CONNECTED});
    }
    if (status->sync && status->engine_ok) {
        apply(fleet, cp, (struct cp_event){.type = CP_EVENT_SYNCED, .sync = compare(cp, status)});
        if (cp->leaving == FLEET_STAYS) {
            fleet_cp_issue_key(fleet, cp);
        }
    }
    fleet_cp_check_leaving(fleet, cp);
}
