#include "cp_monitor/controller.h"

#include "cp_monitor/controller_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct controller_effect *controller_add(struct controller_run *run, enum controller_effect_type type)
{
    struct controller_effects *effects = run->effects;

    EV_ASSERT(effects->count < CONTROLLER_EFFECTS_MAX);
    struct controller_effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

struct message *controller_to_central(struct controller_run *run, enum message_type type)
{
    struct controller_effect *effect = controller_add(run, CONTROLLER_EFFECT_SEND_CENTRAL);

    message_init(&effect->message, type, &run->controller->cp_id);
    return &effect->message;
}

struct message *controller_to_engine(struct controller_run *run, enum message_type type)
{
    struct controller_effect *effect = controller_add(run, CONTROLLER_EFFECT_SEND_ENGINE);

    message_init(&effect->message, type, &run->controller->cp_id);
    return &effect->message;
}

static void add_text(struct controller_run *run, enum controller_effect_type type, bool warn,
                     const char *event, const char *format, va_list args)
{
    struct controller_effect *effect = controller_add(run, type);

    effect->flag = warn;
    effect->log.event = event;
    (void)vsnprintf(effect->log.text, sizeof effect->log.text, format, args);
}

void controller_log(struct controller_run *run, const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_text(run, CONTROLLER_EFFECT_LOG, false, event, format, args);
    va_end(args);
}

void controller_warn(struct controller_run *run, const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_text(run, CONTROLLER_EFFECT_LOG, true, event, format, args);
    va_end(args);
}

void controller_print(struct controller_run *run, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_text(run, CONTROLLER_EFFECT_PRINT, false, "", format, args);
    va_end(args);
}

void controller_send_status(struct controller_run *run)
{
    struct controller *controller = run->controller;

    if (controller->control != CONTROLLER_CONTROL_READY) {
        return;
    }
    struct message_status *status = &controller_to_central(run, MESSAGE_STATUS)->status;
    *status = controller->status;
    status->engine_ok = controller->engine_ok;
    status->maintenance = controller->maintenance;
    status->sync = false;
    if (!controller->engine_ok) {
        status->supply = CP_SUPPLY_NONE;
        memset(&status->session_id, 0, sizeof status->session_id);
    }
}

void controller_end_reservation(struct controller_run *run, enum message_reservation_end reason,
                                const char *detail)
{
    struct controller_reservation *reservation = &run->controller->reservation;

    if (run->controller->control == CONTROLLER_CONTROL_READY) {
        struct message_reservation_ended *ended =
            &controller_to_central(run, MESSAGE_RESERVATION_ENDED)->reservation_ended;
        ended->session_id = reservation->session_id;
        ended->reason = reason;
        (void)snprintf(ended->detail, sizeof ended->detail, "%s", detail);
    }
    memset(reservation, 0, sizeof *reservation);
}

void controller_cancel_reservation(struct controller_run *run, enum session_reason reason)
{
    struct controller *controller = run->controller;
    struct controller_reservation *reservation = &controller->reservation;

    if (!session_id_is_set(&reservation->session_id) || reservation->cancelling) {
        return;
    }
    if (!controller->engine_linked) {
        controller_end_reservation(run, MESSAGE_RESERVATION_FAULT, "the engine cannot be reached");
        return;
    }
    reservation->cancelling = true;
    reservation->reason = reason;
    struct message_cancel *cancel = &controller_to_engine(run, MESSAGE_CANCEL)->cancel;
    cancel->session_id = reservation->session_id;
    cancel->reason = reason;
}

static void dial(struct controller_run *run)
{
    run->controller->control = CONTROLLER_CONTROL_DIALLING;
    controller_add(run, CONTROLLER_EFFECT_DIAL);
}

void controller_on_control_gone(struct controller_run *run)
{
    struct controller *controller = run->controller;

    controller->control = CONTROLLER_CONTROL_DOWN;
    controller_cancel_reservation(run, REASON_CONTROL_LOST);
    if (controller->block == CONTROLLER_BLOCK_NONE && controller->enrolled) {
        controller_add(run, CONTROLLER_EFFECT_RETRY_LATER);
    }
}

void controller_drop_control(struct controller_run *run)
{
    if (run->controller->control != CONTROLLER_CONTROL_DOWN) {
        controller_add(run, CONTROLLER_EFFECT_HANG_UP);
        controller_on_control_gone(run);
    }
}

static void check_control(struct controller_run *run)
{
    struct controller *controller = run->controller;
    int64_t silent_ms = run->event->mono_ms - controller->control_heard_ms;

    if (controller->control == CONTROLLER_CONTROL_HELLO && silent_ms >= CONTROLLER_WELCOME_MS) {
        controller_warn(run, "central.no_welcome", "Central does not answer our hello; trying again");
        controller_drop_control(run);
    } else if (controller->control == CONTROLLER_CONTROL_READY) {
        if (silent_ms >= (int64_t)CONTROLLER_HEARTBEATS_LOST * controller->heartbeat_ms) {
            controller_warn(
                run, "central.silent",
                "nothing came from Central for %d heartbeats; connecting again. A running supply goes on",
                CONTROLLER_HEARTBEATS_LOST);
            controller_drop_control(run);
        } else if (run->event->mono_ms >= controller->heartbeat_due_ms) {
            controller->heartbeat_due_ms = run->event->mono_ms + controller->heartbeat_ms;
            (void)controller_to_central(run, MESSAGE_HEARTBEAT);
        }
    }
}

/* Central ends a running supply through its registry feed; without Central we order it ourselves. */
static void check_deregistered(struct controller_run *run)
{
    struct controller *controller = run->controller;
    int64_t since_ms = run->event->mono_ms - controller->deregistered_ms;
    bool alone = controller->control == CONTROLLER_CONTROL_DOWN;

    if (controller->deregistered_ms == 0) {
        return;
    }
    if ((alone || since_ms >= CONTROLLER_DEREGISTER_STOP_MS) && !controller->deregister_stopped) {
        controller->deregister_stopped = true;
        if (controller->status.supply == CP_SUPPLY_CHARGING && controller->engine_linked) {
            struct message_stop *stop = &controller_to_engine(run, MESSAGE_STOP)->stop;
            stop->session_id = controller->status.session_id;
            stop->reason = STOP_DEREGISTERED;
        }
    }
    if (alone || since_ms >= CONTROLLER_DEREGISTER_CLOSE_MS) {
        controller->deregistered_ms = 0;
        controller_drop_control(run);
    }
}

static void on_tick(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct controller_reservation *reservation = &controller->reservation;

    check_control(run);
    controller_check_engine(run);
    if (session_id_is_set(&reservation->session_id) && run->event->mono_ms >= reservation->until_ms &&
        !reservation->cancelling) {
        controller_log(run, "reservation.expired",
                       "nobody plugged in; the reservation of session %s is given up",
                       reservation->session_id.text);
        controller_cancel_reservation(run, REASON_NOT_PLUGGED_IN);
    }
    check_deregistered(run);
}

static void on_certificate(struct controller_run *run)
{
    struct controller *controller = run->controller;
    bool fresh = !controller->enrolled || !run->event->flag;

    controller->enrolled = true;
    if (!fresh) {
        controller_log(run, "certificate.renewed", "the certificate was renewed");
        return;
    }
    controller_log(run, "certificate.ready", "this charge point is registered");
    if (controller->block == CONTROLLER_BLOCK_REVOKED || controller->block == CONTROLLER_BLOCK_DEREGISTERED) {
        controller->block = CONTROLLER_BLOCK_NONE;
    }
    controller->deregistered_ms = 0;
    if (controller->block == CONTROLLER_BLOCK_NONE && controller->control == CONTROLLER_CONTROL_DOWN) {
        dial(run);
    }
}

static void on_enrol_problem(struct controller_run *run)
{
    if (run->event->flag) {
        controller_warn(run, "registry.refused", "%s. Say `register CODE` with a valid invitation",
                        run->event->text);
    } else {
        controller_warn(run, "registry.problem", "%s. Trying again; what runs goes on", run->event->text);
    }
}

static void on_deregistered(struct controller_run *run)
{
    struct controller *controller = run->controller;

    if (!run->event->flag) {
        controller_warn(run, "registry.not_deregistered", "not deregistered: %s", run->event->text);
        controller_print(run, "Not deregistered: %s", run->event->text);
        return;
    }
    controller->enrolled = false;
    controller->block = CONTROLLER_BLOCK_DEREGISTERED;
    controller->deregistered_ms = run->event->mono_ms;
    controller->deregister_stopped = false;
    controller_log(run, "registry.deregistered",
                   "this charge point is deregistered; `register CODE` brings it back");
    controller_print(run, "Deregistered. A running supply is ended and settled first.");
    controller_cancel_reservation(run, REASON_DEREGISTERED);
}

static void on_retry(struct controller_run *run)
{
    const struct controller *controller = run->controller;

    if (controller->enrolled && controller->block == CONTROLLER_BLOCK_NONE &&
        controller->control == CONTROLLER_CONTROL_DOWN) {
        dial(run);
    }
}

static void on_control_up(struct controller_run *run)
{
    struct controller *controller = run->controller;
    struct message_hello *hello = &controller_to_central(run, MESSAGE_HELLO)->hello;

    controller->control = CONTROLLER_CONTROL_HELLO;
    controller->control_heard_ms = run->event->mono_ms;
    hello->version = MESSAGE_VERSION;
    hello->cause = controller->cause_operator ? MESSAGE_CAUSE_OPERATOR : MESSAGE_CAUSE_AUTOMATIC;
    (void)snprintf(hello->program_version, sizeof hello->program_version, "%s", EV_VERSION);
}

static void on_control_closed(struct controller_run *run)
{
    struct controller *controller = run->controller;

    if (controller->control == CONTROLLER_CONTROL_DOWN) {
        return;
    }
    if (controller->control == CONTROLLER_CONTROL_READY) {
        controller_warn(
            run, "central.lost",
            "the connection to Central is lost: %s. Connecting again; a running supply goes on, no new "
            "one starts",
            run->event->text);
        controller->control_failed = true;
    } else if (!controller->control_failed) {
        /* Once an absence: the retries say nothing new. */
        controller_warn(run, "central.unreachable", "Central cannot be reached: %s. Trying again",
                        run->event->text);
        controller->control_failed = true;
    }
    controller_on_control_gone(run);
}

static void on_register(struct controller_run *run)
{
    struct controller *controller = run->controller;
    bool new_key =
        controller->block == CONTROLLER_BLOCK_REVOKED || controller->block == CONTROLLER_BLOCK_DEREGISTERED;

    if (controller->enrolled && !new_key && run->event->text[0] == '\0') {
        controller_print(run, "Registered already. `register CODE` registers anew.");
        return;
    }
    controller_add(run, CONTROLLER_EFFECT_ENROL)->flag = new_key;
}

static void on_connect(struct controller_run *run)
{
    struct controller *controller = run->controller;

    if (!controller->enrolled) {
        controller_print(run, "Not registered yet: `register CODE` first.");
        return;
    }
    if (controller->block == CONTROLLER_BLOCK_REVOKED) {
        controller_print(run, "The key is revoked: `register CODE` with a new invitation makes a new one.");
        return;
    }
    if (controller->control == CONTROLLER_CONTROL_READY) {
        controller_print(run, "Connected already.");
        return;
    }
    controller->block = CONTROLLER_BLOCK_NONE;
    controller->cause_operator = true;
    controller->control_failed = false;
    controller_add(run, CONTROLLER_EFFECT_RETRY_RESET);
    if (controller->control != CONTROLLER_CONTROL_DOWN) {
        controller_add(run, CONTROLLER_EFFECT_HANG_UP);
    }
    dial(run);
}

static void on_disconnect(struct controller_run *run)
{
    struct controller *controller = run->controller;

    if (controller->block == CONTROLLER_BLOCK_NONE) {
        controller->block = CONTROLLER_BLOCK_DISCONNECTED;
    }
    controller->cause_operator = false;
    controller_drop_control(run);
    controller_log(run, "central.disconnected", "disconnected by the operator until `connect`");
}

static void on_charge(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_charge_request *request = &run->event->message->charge_request;

    if (controller->control != CONTROLLER_CONTROL_READY) {
        controller_print(run, "Central is not connected: no charge can be asked for.");
    } else if (!controller->engine_ok) {
        controller_print(run, "The engine does not answer: no charge can be asked for.");
    } else {
        controller_to_central(run, MESSAGE_CHARGE_REQUEST)->charge_request = *request;
        controller_log(run, "charge.asked", "a charge for driver %s was asked for", request->driver_id.text);
    }
}

static void on_maintenance(struct controller_run *run)
{
    struct controller *controller = run->controller;

    if (controller->maintenance == run->event->flag) {
        controller_print(run, "Maintenance is %s already.", run->event->flag ? "on" : "off");
        return;
    }
    controller->maintenance = run->event->flag;
    controller_add(run, CONTROLLER_EFFECT_STORE_MAINTENANCE)->flag = controller->maintenance;
    controller_log(run, "maintenance", "maintenance is %s", controller->maintenance ? "on" : "off");
    if (controller->maintenance) {
        controller_cancel_reservation(run, REASON_MAINTENANCE);
        if (controller->status.supply == CP_SUPPLY_CHARGING && controller->engine_linked) {
            struct message_stop *stop = &controller_to_engine(run, MESSAGE_STOP)->stop;
            stop->session_id = controller->status.session_id;
            stop->reason = STOP_MAINTENANCE;
        }
    }
    controller_send_status(run);
}

void controller_init(struct controller *controller, const struct cp_id *cp_id, bool enrolled,
                     bool maintenance, int64_t now_ms, int64_t health_phase_ms)
{
    memset(controller, 0, sizeof *controller);
    controller->cp_id = *cp_id;
    controller->enrolled = enrolled;
    controller->maintenance = maintenance;
    controller->shown_state = CP_OFFLINE;
    controller->health_due_ms = now_ms + health_phase_ms;
}

void controller_step(struct controller *controller, const struct controller_event *event,
                     struct controller_effects *ret_effects)
{
    struct controller_run run = {.controller = controller, .event = event, .effects = ret_effects};
    static void (*const handlers[CONTROLLER_EVENT_COUNT])(struct controller_run *) = {
        [CONTROLLER_EVENT_TICK] = on_tick,
        [CONTROLLER_EVENT_CERTIFICATE] = on_certificate,
        [CONTROLLER_EVENT_ENROL_PROBLEM] = on_enrol_problem,
        [CONTROLLER_EVENT_DEREGISTERED] = on_deregistered,
        [CONTROLLER_EVENT_RETRY] = on_retry,
        [CONTROLLER_EVENT_CONTROL_UP] = on_control_up,
        [CONTROLLER_EVENT_CONTROL_CLOSED] = on_control_closed,
        [CONTROLLER_EVENT_CENTRAL] = controller_on_central,
        [CONTROLLER_EVENT_ENGINE_UP] = controller_on_engine_up,
        [CONTROLLER_EVENT_ENGINE_CLOSED] = controller_on_engine_closed,
        [CONTROLLER_EVENT_ENGINE] = controller_on_engine,
        [CONTROLLER_EVENT_REGISTER] = on_register,
        [CONTROLLER_EVENT_DEREGISTER] = NULL,
        [CONTROLLER_EVENT_CONNECT] = on_connect,
        [CONTROLLER_EVENT_DISCONNECT] = on_disconnect,
        [CONTROLLER_EVENT_CHARGE] = on_charge,
        [CONTROLLER_EVENT_MAINTENANCE] = on_maintenance,
    };

    ret_effects->count = 0;
    if (event->type == CONTROLLER_EVENT_DEREGISTER) {
        if (controller->enrolled) {
            controller_add(&run, CONTROLLER_EFFECT_DEREGISTER);
        } else {
            controller_print(&run, "Not registered.");
        }
        return;
    }
    EV_ASSERT((unsigned)event->type < CONTROLLER_EVENT_COUNT);
    handlers[event->type](&run);
}

const char *controller_control_text(const struct controller *controller)
{
    static const char *const blocked[] = {
        [CONTROLLER_BLOCK_DISCONNECTED] = "disconnected; `connect` connects",
        [CONTROLLER_BLOCK_KEY_DROPPED] = "Central dropped the key; `connect` authenticates again",
        [CONTROLLER_BLOCK_REVOKED] = "the key is revoked; `register CODE` makes a new one",
        [CONTROLLER_BLOCK_DEREGISTERED] = "deregistered; `register CODE` brings it back",
        [CONTROLLER_BLOCK_REFUSED] = "refused by Central; `connect` tries again",
    };

    if (controller->control == CONTROLLER_CONTROL_READY) {
        return "connected";
    }
    if (controller->block != CONTROLLER_BLOCK_NONE) {
        return blocked[controller->block];
    }
    if (!controller->enrolled) {
        return "not registered; `register CODE` registers";
    }
    return controller->control == CONTROLLER_CONTROL_HELLO ? "connected, waits for the welcome"
                                                           : "connecting";
}
