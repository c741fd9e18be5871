#include "cp_engine/engine.h"
#include "cp_engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

#define STATUS_LINES_MAX 100 /* of charge points that do nothing; those that do are all shown */

static void print_slot(const struct engine_slot *slot)
{
    const struct supply *supply = &slot->supply;
    const char *id = cp_id_is_set(&supply->cp_id) ? supply->cp_id.text : "(no monitor yet)";

    printf("%s: %s, %s", id, supply->plugged ? "car plugged in" : "no car",
           supply->phase == CP_SUPPLY_NONE ? "no supply" : message_supply_text(supply->phase));
    if (supply->phase == CP_SUPPLY_CHARGING) {
        printf(" at %u W, %llu Wh", supply->power_w,
               (unsigned long long)energy_wh_from_wms(supply->energy_wms));
    }
    if (supply->plugged) {
        printf(", battery %u %%", battery_soc_permille(&supply->battery) / 10);
    }
    if (supply->phase != CP_SUPPLY_NONE) {
        printf(", session %s", supply->session_id.text);
    }
    if (supply->unsettled_count > 0) {
        printf(", %zu supplies wait for Central", supply->unsettled_count);
    }
    if (supply->fault[0] != '\0') {
        printf(", FAULT: %s", supply->fault);
    }
    printf("%s\n", slot->attached ? "" : ", no monitor");
}

static void print_status(const struct engine *engine)
{
    struct telemetry_counts counts;
    size_t printed = 0;

    for (size_t i = 0; i < engine->slot_count; i++) {
        const struct engine_slot *slot = &engine->slots[i];
        if (slot->supply.phase != CP_SUPPLY_NONE || slot->supply.fault[0] != '\0' ||
            printed < STATUS_LINES_MAX) {
            print_slot(slot);
            printed++;
        }
    }
    if (printed < engine->slot_count) {
        printf("and %zu more, idle\n", engine->slot_count - printed);
    }
    telemetry_publish_count(engine->telemetry, &counts);
    printf("monitor: %s; Kafka: %s; telemetry: %llu sent, %zu waiting, %llu thinned, %llu without a key, "
           "%llu lost\n",
           engine->linked ? monitor_port_peer(engine->port) : "none", counts.up ? "up" : "not reached",
           (unsigned long long)counts.sent, counts.queued, (unsigned long long)counts.thinned,
           (unsigned long long)counts.keyless, (unsigned long long)counts.lost);
}

static void command_step(struct engine *engine, size_t slot, enum supply_event_type type)
{
    struct supply_event event = {.type = type};

    if (type == SUPPLY_EVENT_FAULT) {
        (void)snprintf(event.text, sizeof event.text, "out of order (command)");
    }
    engine_step(engine, slot, &event);
}

static void command_target(struct engine *engine, enum supply_event_type type, const char *verb,
                           const char *target)
{
    struct cp_id cp_id;

    if (target == NULL && engine->slot_count == 1) {
        command_step(engine, 0, type);
        return;
    }
    if (target == NULL) {
        printf("%s which charge point? Say `%s CP` or `%s all`; `status` lists them.\n", verb, verb, verb);
        return;
    }
    if (strcmp(target, "all") == 0) {
        for (size_t i = 0; i < engine->slot_count; i++) {
            command_step(engine, i, type);
        }
        return;
    }
    size_t slot =
        cp_id_parse(target, &cp_id) == EV_OK ? cp_index_find(&engine->index, &cp_id) : CP_INDEX_NONE;
    if (slot == CP_INDEX_NONE) {
        printf("No charge point %s is attached here; `status` lists those that are.\n", target);
        return;
    }
    command_step(engine, slot, type);
}

bool engine_command(struct engine *engine, char *words[], size_t count)
{
    static const struct {
        const char *verb;
        enum supply_event_type type;
    } commands[] = {{"plug", SUPPLY_EVENT_PLUG},
                    {"unplug", SUPPLY_EVENT_UNPLUG},
                    {"fault", SUPPLY_EVENT_FAULT},
                    {"repair", SUPPLY_EVENT_REPAIR}};

    if (strcmp(words[0], "status") == 0 && count == 1) {
        print_status(engine);
        return true;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(words[0], commands[i].verb) == 0 && count <= 2) {
            command_target(engine, commands[i].type, words[0], count == 2 ? words[1] : NULL);
            return true;
        }
    }
    return false;
}
