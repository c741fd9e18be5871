#include "central/fleet_internal.h"

#include "common/rules/weather_rule.h"

#include <string.h>

void fleet_cp_weather(struct fleet *fleet, struct fleet_cp *cp)
{
    if (cp->city != NULL && cp->city->known && cp->city->alert) {
        fleet_cp_set_hold(fleet, cp, HOLD_WEATHER);
    } else {
        fleet_cp_lift_hold(fleet, cp, HOLD_WEATHER);
    }
}

/* A city's charge points, as many as the effects have room for. */
void fleet_weather_work(struct fleet *fleet)
{
    for (; fleet->work_index < fleet->cp_count; fleet->work_index++) {
        struct fleet_cp *cp = fleet->cp_order[fleet->work_index];

        if (cp->city != fleet->work_city || !cp->registered) {
            continue;
        }
        if (fleet_is_nearly_full(fleet)) {
            return;
        }
        fleet_touch(fleet, cp);
        fleet_cp_weather(fleet, cp);
        fleet->touched_changed = true; /* its temperature */
        fleet_touch_end(fleet);
    }
    fleet->work_city = NULL;
}

static void begin_work(struct fleet *fleet, struct fleet_city *city)
{
    fleet->work_city = city;
    fleet->work_index = 0;
    fleet_weather_work(fleet);
}

static void save(struct fleet *fleet, const struct fleet_city *city)
{
    struct fleet_weather *row = &fleet_emit(fleet, FLEET_EFFECT_SAVE_WEATHER)->of.weather;

    memset(row, 0, sizeof *row);
    fleet_copy(row->city, sizeof row->city, city->name);
    row->temperature_c = city->temperature_c;
    row->alert = city->alert;
    row->observed_at_ms = city->observed_at_ms;
    fleet_copy(row->source, sizeof row->source, city->source);
}

void fleet_on_weather_report(struct fleet *fleet)
{
    const struct fleet_weather *report = &fleet->event->of.weather;
    struct fleet_city *city = NULL;
    int32_t milli_c = 0;
    bool alert = false;
    bool shown = false;
    enum weather_action action = WEATHER_NONE;

    if (report->city[0] == '\0' || weather_rule_parse_degrees(report->temperature_c, &milli_c) != EV_OK) {
        fleet_answer(fleet, FLEET_ANSWER_INVALID, "A city and a temperature between -90 and 60 are needed.");
        return;
    }
    city = fleet_city_make(fleet, report->city);
    if (city == NULL) {
        fleet_answer(fleet, FLEET_ANSWER_FULL, "There are too many cities.");
        return;
    }
    if (weather_rule_step(city->known && city->alert, milli_c, &alert, &action) != EV_OK) {
        fleet_answer(fleet, FLEET_ANSWER_INVALID, "The temperature is out of bounds.");
        return;
    }
    shown = !city->known || city->temperature_c != report->temperature_c || city->alert != alert;
    city->known = true;
    city->stale_shown = false;
    city->temperature_c = report->temperature_c;
    city->alert = alert;
    city->observed_at_ms = report->observed_at_ms;
    city->received_mono_ms = fleet->event->mono_ms;
    fleet_copy(city->source, sizeof city->source, report->source);
    fleet->out->answer.done = shown;
    fleet_announce_weather(fleet, city);
    /* One row a report would be a commit every few seconds for nothing. */
    if (shown) {
        save(fleet, city);
    }
    if (action != WEATHER_NONE) {
        fleet_audit(fleet, action == WEATHER_HOLD ? "weather.alert" : "weather.clear", city->name, "ok",
                    "%.1f degrees Celsius, %zu charge points", report->temperature_c, city->charge_points);
    }
    if (shown) {
        begin_work(fleet, city);
    }
}

void fleet_on_weather_delete(struct fleet *fleet)
{
    struct fleet_city *city = fleet_city_find(fleet, fleet->event->of.weather.city);
    struct fleet_effect *effect = NULL;

    if (city == NULL || !city->known) {
        fleet_answer(fleet, FLEET_ANSWER_NOT_FOUND, "No weather is known for that city.");
        return;
    }
    city->known = city->alert = false;
    effect = fleet_emit(fleet, FLEET_EFFECT_DROP_WEATHER);
    memset(&effect->of.weather, 0, sizeof effect->of.weather);
    fleet_copy(effect->of.weather.city, sizeof effect->of.weather.city, city->name);
    fleet_audit(fleet, "weather.removed", city->name, "ok", "the city is not watched any more");
    fleet->out->answer.done = true;
    fleet_announce_weather(fleet, city);
    begin_work(fleet, city);
}
