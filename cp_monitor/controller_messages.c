#include "cp_monitor/controller_internal.h"

#include <stdio.h>
#include <string.h>

static bool is_reserved(const struct controller *controller, const struct session_id *session_id)
{
    return session_id_is_set(session_id) && session_id_equal(&controller->reservation.session_id, session_id);
}

static void forget_reservation(struct controller *controller, const struct session_id *session_id)
{
    if (is_reserved(controller, session_id)) {
        memset(&controller->reservation, 0, sizeof controller->reservation);
    }
}

static bool engine_usable(const struct controller *controller)
{
    return controller->engine_linked && !controller->engine_refused;
}

/* As it came, to the engine; dropped where there is none: Central repeats what matters at the next sync. */
static void pass_to_engine(struct controller_run *run)
{
    if (engine_usable(run->controller)) {
        controller_add(run, CONTROLLER_EFFECT_SEND_ENGINE)->message = *run->event->message;
    }
}

static void pass_to_central(struct controller_run *run)
{
    if (run->controller->control == CONTROLLER_CONTROL_READY) {
        controller_add(run, CONTROLLER_EFFECT_SEND_CENTRAL)->message = *run->event->message;
    }
}

/* Everything that is not settled, and a status, for Central. */
static void ask_for_sync(struct controller_run *run)
{
    if (engine_usable(run->controller)) {
        (void)controller_to_engine(run, MESSAGE_ATTACH);
    } else {
        controller_send_status(run);
    }
}

/* --- from Central --- */

static void on_welcome(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_welcome *welcome = &run->event->message->welcome;

    controller->control = CONTROLLER_CONTROL_READY;
    controller->cause_operator = false;
    controller->control_failed = false;
    controller->heartbeat_ms = welcome->heartbeat_ms;
    controller->heartbeat_due_ms = run->event->mono_ms + welcome->heartbeat_ms;
    controller->holds = welcome->holds;
    controller->price_cents_per_kwh = welcome->price_cents_per_kwh;
    controller_add(run, CONTROLLER_EFFECT_RETRY_RESET);
    controller_log(run, "central.connected", "connected to Central; %u cents per kWh",
                   welcome->price_cents_per_kwh);
    ask_for_sync(run);
}

static void on_refuse(struct controller_run *run)
{
    static const struct {
        enum controller_block block; /* NONE: try again later */
        const char *text;
    } answers[MESSAGE_REFUSE_CODE_COUNT] = {
        [MESSAGE_REFUSE_UNKNOWN_CP] = {CONTROLLER_BLOCK_NONE,
                                       "Central does not know this charge point yet; trying again"},
        [MESSAGE_REFUSE_REVOKED] =
            {CONTROLLER_BLOCK_REVOKED,
             "this charge point's key is revoked; `register CODE` with a new invitation makes a new one"},
        [MESSAGE_REFUSE_KEY_DROPPED] =
            {CONTROLLER_BLOCK_KEY_DROPPED,
             "Central dropped this charge point's key; out of service until `connect`"},
        [MESSAGE_REFUSE_WRONG_ID] =
            {CONTROLLER_BLOCK_REFUSED,
             "our certificate names another charge point; check --id and --state-dir, then `connect`"},
        [MESSAGE_REFUSE_WRONG_KEY] =
            {CONTROLLER_BLOCK_NONE,
             "this id is registered with another key; trying again. If it stays so: `register CODE`"},
        [MESSAGE_REFUSE_VERSION] = {CONTROLLER_BLOCK_REFUSED,
                                    "Central speaks another version; install the same one, then `connect`"},
        [MESSAGE_REFUSE_DEREGISTERED] = {CONTROLLER_BLOCK_DEREGISTERED,
                                         "this charge point is deregistered; `register CODE` brings it back"},
        [MESSAGE_REFUSE_REPLACED] = {CONTROLLER_BLOCK_NONE,
                                     "another monitor connected as this charge point; trying again"},
        [MESSAGE_REFUSE_PROTOCOL] = {CONTROLLER_BLOCK_NONE, "Central did not understand us; trying again"},
        [MESSAGE_REFUSE_FULL] = {CONTROLLER_BLOCK_NONE,
                                 "Central has no place for more connections; trying again"},
    };
    struct controller *controller = run->controller;
    const struct message_refuse *refuse = &run->event->message->refuse;

    controller->cause_operator = false;
    controller->control_failed = true; /* said here */
    if (controller->block == CONTROLLER_BLOCK_NONE) {
        controller->block = answers[refuse->code].block;
    }
    controller_warn(run, "central.refused", "%s%s%s%s", answers[refuse->code].text,
                    refuse->detail[0] != '\0' ? " (" : "", refuse->detail,
                    refuse->detail[0] != '\0' ? ")" : "");
    controller_drop_control(run);
}

static void on_authorise(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_authorise *authorise = &run->event->message->authorise;
    struct controller_reservation *reservation = &controller->reservation;

    if (is_reserved(controller, &authorise->session_id)) {
        pass_to_engine(run); /* a repeat: the time runs on */
        return;
    }
    if (controller->maintenance || !controller->engine_ok) {
        struct message_reservation_ended *ended =
            &controller_to_central(run, MESSAGE_RESERVATION_ENDED)->reservation_ended;
        ended->session_id = authorise->session_id;
        ended->reason = controller->maintenance ? MESSAGE_RESERVATION_REFUSED : MESSAGE_RESERVATION_FAULT;
        (void)snprintf(ended->detail, sizeof ended->detail, "%s",
                       controller->maintenance ? "maintenance" : "the engine does not answer");
        return;
    }
    if (!session_id_is_set(&reservation->session_id)) {
        reservation->session_id = authorise->session_id;
        reservation->until_ms = run->event->mono_ms + authorise->prepare_ms;
        controller_log(run, "reservation.made", "driver %s may charge here: plug in within %u s",
                       authorise->driver_id.text, authorise->prepare_ms / 1000);
    }
    pass_to_engine(run);
}

static void on_cancel(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_cancel *cancel = &run->event->message->cancel;

    if (is_reserved(controller, &cancel->session_id)) {
        controller_cancel_reservation(run, cancel->reason);
    } else {
        pass_to_engine(run);
    }
}

static void on_charge_answer(struct controller_run *run)
{
    const struct message_charge_answer *answer = &run->event->message->charge_answer;

    if (answer->accepted) {
        controller_print(run, "Accepted: session %s. Plug the car in.", answer->session_id.text);
    } else {
        controller_print(run, "Refused: %s", session_reason_sentence(answer->reason));
    }
    controller_log(run, "charge.answered", "%s%s", answer->accepted ? "accepted" : "refused: ",
                   answer->accepted ? "" : session_reason_text(answer->reason));
}

static void on_notice(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_notice *notice = &run->event->message->notice;

    if (notice->state != controller->shown_state || notice->text[0] != '\0') {
        controller_log(run, "central.notice", "%s%s%s", cp_state_text(notice->state),
                       notice->text[0] != '\0' ? ": " : "", notice->text);
    }
    controller->holds = notice->holds;
    controller->price_cents_per_kwh = notice->price_cents_per_kwh;
    controller->shown_state = notice->state;
}

static void on_settled(struct controller_run *run)
{
    const struct message_settled *settled = &run->event->message->settled;

    controller_log(run, "session.settled", "session %s: %llu Wh, %llu cents", settled->session_id.text,
                   (unsigned long long)settled->energy_wh, (unsigned long long)settled->cost_cents);
    pass_to_engine(run);
}

void controller_on_central(struct controller_run *run)
{
    const struct message *message = run->event->message;
    struct controller *controller = run->controller;
    bool ready = controller->control == CONTROLLER_CONTROL_READY;

    if (controller->control == CONTROLLER_CONTROL_DOWN) {
        return;
    }
    controller->control_heard_ms = run->event->mono_ms;
    if (message->type == MESSAGE_REFUSE) {
        on_refuse(run);
    } else if (message->type == MESSAGE_WELCOME && controller->control == CONTROLLER_CONTROL_HELLO) {
        on_welcome(run);
    } else if (!ready || !cp_id_equal(&message->cp_id, &controller->cp_id)) {
        controller_warn(run, "central.protocol", "Central sent a %s that was not expected; connecting again",
                        message_type_text(message->type));
        controller_drop_control(run);
    } else if (message->type == MESSAGE_HEARTBEAT) {
        return;
    } else if (message->type == MESSAGE_AUTHORISE) {
        on_authorise(run);
    } else if (message->type == MESSAGE_CANCEL) {
        on_cancel(run);
    } else if (message->type == MESSAGE_KEY || message->type == MESSAGE_STOP) {
        pass_to_engine(run);
    } else if (message->type == MESSAGE_SETTLED) {
        on_settled(run);
    } else if (message->type == MESSAGE_CHARGE_ANSWER) {
        on_charge_answer(run);
    } else if (message->type == MESSAGE_NOTICE) {
        on_notice(run);
    } else {
        controller_warn(run, "central.protocol",
                        "Central sent a %s, which is not for a monitor; connecting again",
                        message_type_text(message->type));
        controller_drop_control(run);
    }
}

/* --- from the engine --- */

static void on_status(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_status *status = &run->event->message->status;
    struct controller_reservation *reservation = &controller->reservation;

    if (strcmp(status->fault, controller->status.fault) != 0) {
        if (status->fault[0] != '\0') {
            controller_warn(run, "engine.fault", "the engine reports a fault: %s", status->fault);
        } else {
            controller_log(run, "engine.repaired", "the engine's fault is repaired");
        }
    }
    if (status->plugged != controller->status.plugged) {
        controller_log(run, "engine.plug", "%s",
                       status->plugged ? "a car is plugged in" : "the car is unplugged");
    }
    controller->status = *status;
    pass_to_central(run);
    if (controller->control == CONTROLLER_CONTROL_READY) {
        run->effects->items[run->effects->count - 1].message.status.maintenance = controller->maintenance;
    }
    if (reservation->cancelling && status->supply == CP_SUPPLY_NONE) {
        /* It was lost on the way, with an engine that restarted. */
        controller_end_reservation(run, MESSAGE_RESERVATION_CANCELLED,
                                   session_reason_text(reservation->reason));
    }
    if (controller->maintenance && status->supply == CP_SUPPLY_CHARGING) {
        struct message_stop *stop = &controller_to_engine(run, MESSAGE_STOP)->stop;
        stop->session_id = status->session_id;
        stop->reason = STOP_MAINTENANCE;
    }
}

static void on_health_answer(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message_health_answer *answer = &run->event->message->health_answer;

    controller->power_w = answer->power_w;
    controller->energy_wms = answer->energy_wms;
    controller->status.soc_permille = answer->soc_permille;
}

static void on_engine_refuse(struct controller_run *run)
{
    struct controller *controller = run->controller;

    controller->engine_refused = true;
    controller->engine_ok = false;
    controller_warn(run, "engine.refused", "the engine refuses us: %s", run->event->message->refuse.detail);
    controller_send_status(run);
}

/* The engine is heard (again): everything that it knows goes to Central. */
static void engine_back(struct controller_run *run)
{
    struct controller *controller = run->controller;

    controller->engine_ok = true;
    controller_log(run, "engine.ok", "the engine answers");
    (void)controller_to_engine(run, MESSAGE_ATTACH);
}

void controller_on_engine(struct controller_run *run)
{
    struct controller *controller = run->controller;
    const struct message *message = run->event->message;

    controller->engine_heard_ms = run->event->mono_ms;
    if (!controller->engine_ok && message->type != MESSAGE_REFUSE && !controller->engine_refused) {
        engine_back(run);
    }
    switch ((int)message->type) {
    case MESSAGE_STATUS:
        on_status(run);
        break;
    case MESSAGE_RESERVATION_ENDED:
        forget_reservation(controller, &message->reservation_ended.session_id);
        pass_to_central(run);
        break;
    case MESSAGE_SUPPLY_STARTED:
        forget_reservation(controller, &message->supply_started.session_id);
        controller_log(run, "supply.started", "supply of session %s started",
                       message->supply_started.session_id.text);
        pass_to_central(run);
        break;
    case MESSAGE_SUPPLY_ENDED:
        forget_reservation(controller, &message->supply_ended.session_id);
        controller_log(run, "supply.ended", "supply of session %s ended: %s, %llu Wh",
                       message->supply_ended.session_id.text,
                       stop_reason_text(message->supply_ended.stop_reason),
                       (unsigned long long)energy_wh_from_wms(message->supply_ended.energy_wms));
        pass_to_central(run);
        break;
    case MESSAGE_KEY_ACK:
        pass_to_central(run);
        break;
    case MESSAGE_HEALTH_ANSWER:
        on_health_answer(run);
        break;
    case MESSAGE_REFUSE:
        on_engine_refuse(run);
        break;
    default:
        controller_warn(run, "engine.protocol", "the engine sent a %s, which is not for a monitor",
                        message_type_text(message->type));
        break;
    }
}

void controller_on_engine_up(struct controller_run *run)
{
    struct controller *controller = run->controller;

    controller->engine_linked = true;
    controller->engine_refused = false;
    controller->engine_heard_ms = run->event->mono_ms;
    engine_back(run);
}

void controller_on_engine_closed(struct controller_run *run)
{
    struct controller *controller = run->controller;

    controller->engine_linked = false;
    controller->engine_closed_ms = run->event->mono_ms;
}

static void engine_lost(struct controller_run *run, const char *text)
{
    struct controller *controller = run->controller;

    controller->engine_ok = false;
    controller->power_w = 0;
    controller_warn(run, "engine.lost", "%s. This charge point is faulted until the engine is back", text);
    if (session_id_is_set(&controller->reservation.session_id)) {
        controller_end_reservation(run, MESSAGE_RESERVATION_FAULT, "the engine does not answer");
    }
    controller_send_status(run);
    controller->status.supply = CP_SUPPLY_NONE;
    memset(&controller->status.session_id, 0, sizeof controller->status.session_id);
}

void controller_check_engine(struct controller_run *run)
{
    struct controller *controller = run->controller;
    int64_t now = run->event->mono_ms;

    if (controller->engine_ok && now - controller->engine_heard_ms >= CONTROLLER_ENGINE_SILENT_MS) {
        engine_lost(run, "the engine has not answered for 3 s");
    } else if (controller->engine_ok && !controller->engine_linked &&
               now - controller->engine_closed_ms >= CONTROLLER_ENGINE_CLOSED_MS) {
        engine_lost(run, "the link to the engine is closed");
    }
    if (engine_usable(controller) && now >= controller->health_due_ms) {
        controller->health_due_ms += CONTROLLER_HEALTH_MS;
        if (now >= controller->health_due_ms) {
            controller->health_due_ms = now + CONTROLLER_HEALTH_MS; /* no making up after a pause */
        }
        controller_to_engine(run, MESSAGE_HEALTH)->health.n = controller->health_n++;
    }
}
