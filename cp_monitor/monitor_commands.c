#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/wire/time_text.h"
#include "common/wire/ulid.h"
#include "cp_monitor/monitor.h"
#include "cp_monitor/monitor_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STATUS_LINES_MAX 100
#define TARGET_KWH_MAX 1000.0

static void print_status(const struct monitor_point *point)
{
    const struct controller *controller = &point->controller;
    const struct message_status *status = &controller->status;
    char expires[TIME_TEXT_SIZE];

    printf("%s: %s", controller->cp_id.text, controller_control_text(controller));
    if (controller->control == CONTROLLER_CONTROL_READY) {
        printf(" (%u cents per kWh%s", controller->price_cents_per_kwh,
               controller->holds != 0 ? ", held by" : "");
        for (unsigned bit = 0; bit < HOLD_COUNT; bit++) {
            if ((controller->holds & 1U << bit) != 0) {
                printf(" %s", cp_hold_text((enum cp_hold)(1U << bit)));
            }
        }
        printf(")");
    }
    printf("; engine %s", controller->engine_refused ? "has no place for us"
                          : controller->engine_ok    ? "ok"
                                                     : "does not answer");
    if (controller->engine_ok && status->fault[0] != '\0') {
        printf(", FAULT: %s", status->fault);
    }
    printf("; %s, %s", status->plugged ? "car plugged in" : "no car",
           status->supply == CP_SUPPLY_NONE ? "no supply" : message_supply_text(status->supply));
    if (status->supply == CP_SUPPLY_CHARGING) {
        printf(" at %u W, %llu Wh, battery %u %%, session %s", controller->power_w,
               (unsigned long long)energy_wh_from_wms(controller->energy_wms), status->soc_permille / 10,
               status->session_id.text);
    }
    if (session_id_is_set(&controller->reservation.session_id)) {
        printf("; reserved for session %s", controller->reservation.session_id.text);
    }
    printf("%s", controller->maintenance ? "; maintenance on" : "");
    if (enrolment_is_enrolled(point->enrolment)) {
        time_text_format(enrolment_expires_at_ms(point->enrolment), expires);
        printf("; certificate until %s", expires);
    }
    printf("\n");
}

static bool charge(struct monitor_point *point, char *words[], size_t count)
{
    struct message message;
    double kwh = 0;

    if (count < 2 || count > 3) {
        return false;
    }
    message_init(&message, MESSAGE_CHARGE_REQUEST, &point->controller.cp_id);
    if (driver_id_parse(words[1], &message.charge_request.driver_id) != EV_OK) {
        printf("`%s` is no driver's id: 1 to 32 of A-Z a-z 0-9 - _\n", words[1]);
        return true;
    }
    if (count == 3 && options_parse_real(words[2], 0.001, TARGET_KWH_MAX, &kwh) != EV_OK) {
        printf("`%s` is no energy: 0.001 to %g kWh\n", words[2], TARGET_KWH_MAX);
        return true;
    }
    message.charge_request.target_wh = (uint32_t)llround(kwh * 1000);
    ulid_generate_request_id(wall_now_ms(), &message.charge_request.request_id);
    monitor_step(point, &(struct controller_event){.type = CONTROLLER_EVENT_CHARGE, .message = &message});
    return true;
}

static bool command_one(struct monitor_point *point, char *words[], size_t count)
{
    static const struct {
        const char *verb;
        enum controller_event_type type;
    } plain[] = {{"deregister", CONTROLLER_EVENT_DEREGISTER},
                 {"connect", CONTROLLER_EVENT_CONNECT},
                 {"disconnect", CONTROLLER_EVENT_DISCONNECT}};

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(words[0], plain[i].verb) == 0 && count == 1) {
            monitor_step(point, &(struct controller_event){.type = plain[i].type});
            return true;
        }
    }
    if (strcmp(words[0], "register") == 0 && count <= 2) {
        monitor_step(point, &(struct controller_event){.type = CONTROLLER_EVENT_REGISTER,
                                                       .text = count == 2 ? words[1] : ""});
        return true;
    }
    if (strcmp(words[0], "maintenance") == 0 && count == 2 &&
        (strcmp(words[1], "on") == 0 || strcmp(words[1], "off") == 0)) {
        monitor_step(point, &(struct controller_event){.type = CONTROLLER_EVENT_MAINTENANCE,
                                                       .flag = strcmp(words[1], "on") == 0});
        return true;
    }
    if (strcmp(words[0], "status") == 0 && count == 1) {
        print_status(point);
        return true;
    }
    return strcmp(words[0], "charge") == 0 && charge(point, words, count);
}

static void print_all(const struct monitor *monitor)
{
    size_t shown = monitor->count < STATUS_LINES_MAX ? monitor->count : STATUS_LINES_MAX;

    for (size_t i = 0; i < shown; i++) {
        print_status(&monitor->points[i]);
    }
    if (shown < monitor->count) {
        printf("and %zu more; `CP status` shows one\n", monitor->count - shown);
    }
}

bool monitor_command(struct monitor *monitor, char *words[], size_t count)
{
    struct cp_id id;

    if (strcmp(words[0], "status") == 0 && count == 1) {
        print_all(monitor);
        return true;
    }
    if (count >= 2 && strcmp(words[0], "all") == 0) {
        bool known = true;
        for (size_t i = 0; i < monitor->count && known; i++) {
            known = command_one(&monitor->points[i], words + 1, count - 1);
        }
        return known;
    }
    if (count >= 2 && cp_id_parse(words[0], &id) == EV_OK) {
        size_t at = cp_index_find(&monitor->index, &id);
        if (at != CP_INDEX_NONE) {
            return command_one(&monitor->points[at], words + 1, count - 1);
        }
    }
    if (monitor->count > 1) {
        printf("For which charge point? Say `CP %s ..` or `all %s ..`; `status` lists them.\n", words[0],
               words[0]);
        return true;
    }
    return command_one(&monitor->points[0], words, count);
}
