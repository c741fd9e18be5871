#include "central/fleet_internal.h"

#include <stdlib.h>
#include <string.h>

enum ev_err fleet_new(const struct fleet_config *config, struct fleet **ret_fleet)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);

    if (fleet == NULL) {
        return EV_ERR_NOMEM;
    }
    fleet->config = *config;
    fleet->started_mono_ms = INT64_MIN;
    *ret_fleet = fleet;
    return EV_OK;
}

static void step_order(struct fleet *fleet)
{
    switch (fleet->event->type) {
    case FLEET_ORDER_STOP_SESSION:
        fleet_on_stop_session(fleet);
        break;
    case FLEET_WEATHER_REPORT:
        fleet_on_weather_report(fleet);
        break;
    case FLEET_WEATHER_DELETE:
        fleet_on_weather_delete(fleet);
        break;
    default:
        fleet_on_order(fleet);
        break;
    }
}

static void step_peer(struct fleet *fleet)
{
    switch (fleet->event->type) {
    case FLEET_HELLO:
        fleet_on_hello(fleet);
        break;
    case FLEET_DISCONNECTED:
        fleet_on_disconnected(fleet);
        break;
    case FLEET_STATUS:
        fleet_on_status(fleet);
        break;
    case FLEET_SUPPLY_STARTED:
        fleet_on_supply_started(fleet);
        break;
    case FLEET_SUPPLY_ENDED:
        fleet_on_supply_ended(fleet);
        break;
    case FLEET_RESERVATION_ENDED:
        fleet_on_reservation_ended(fleet);
        break;
    case FLEET_CP_REQUEST:
        fleet_on_request(fleet, true);
        break;
    case FLEET_REQUEST:
        fleet_on_request(fleet, false);
        break;
    default:
        fleet_on_sample(fleet);
        break;
    }
}

static void step_continue(struct fleet *fleet)
{
    if (fleet->work_city != NULL) {
        fleet_weather_work(fleet);
    } else if (fleet->work_tick) {
        fleet_on_tick(fleet);
    }
}

void fleet_step(struct fleet *fleet, const struct fleet_event *event, struct fleet_effects *effects)
{
    fleet->event = event;
    fleet->out = effects;
    fleet->touched = NULL;
    effects->count = 0;
    effects->refused = EV_OK;
    if (event->type != FLEET_CONTINUE) {
        memset(&effects->answer, 0, sizeof effects->answer);
    }
    if (fleet->started_mono_ms == INT64_MIN) {
        fleet->started_mono_ms = event->mono_ms;
    }
    if (event->type <= FLEET_LOAD_WEATHER) {
        fleet_on_load(fleet);
    } else if (event->type == FLEET_REGISTERED) {
        fleet_on_registered(fleet);
    } else if (event->type == FLEET_DEREGISTERED) {
        fleet_on_deregistered(fleet);
    } else if (event->type == FLEET_REVOKED) {
        fleet_on_revoked(fleet);
    } else if (event->type <= FLEET_REQUEST) {
        step_peer(fleet);
    } else if (event->type <= FLEET_WEATHER_DELETE) {
        step_order(fleet);
    } else if (event->type == FLEET_TICK) {
        fleet_on_tick(fleet);
    } else {
        step_continue(fleet);
    }
    fleet_touch_end(fleet);
    effects->more = fleet->work_city != NULL || fleet->work_tick;
    fleet->event = NULL;
    fleet->out = NULL;
}
