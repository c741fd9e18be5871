/* controller_internal.h - what the files of the controller share. */
#ifndef EV_CP_MONITOR_CONTROLLER_INTERNAL_H
#define EV_CP_MONITOR_CONTROLLER_INTERNAL_H

#include "cp_monitor/controller.h"

struct controller_run {
    struct controller *controller;
    const struct controller_event *event;
    struct controller_effects *effects;
};

struct controller_effect *controller_add(struct controller_run *run, enum controller_effect_type type);
struct message *controller_to_central(struct controller_run *run, enum message_type type);
struct message *controller_to_engine(struct controller_run *run, enum message_type type);
void controller_log(struct controller_run *run, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void controller_warn(struct controller_run *run, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void controller_print(struct controller_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What we say of the charge point when the engine does not: its last word, our maintenance. */
void controller_send_status(struct controller_run *run);

/* Asks the engine to give a reservation up; it answers with reservation_ended. Without an engine Central is
 * told at once. Nothing without a reservation. */
void controller_cancel_reservation(struct controller_run *run, enum session_reason reason);

/* Tells Central that the reservation is over, and forgets it. */
void controller_end_reservation(struct controller_run *run, enum message_reservation_end reason,
                                const char *detail);

/* Closes control from our side and sees to what follows. */
void controller_drop_control(struct controller_run *run);

/* After control was lost, however: cancels, retries. */
void controller_on_control_gone(struct controller_run *run);

void controller_on_central(struct controller_run *run);
void controller_on_engine(struct controller_run *run);
void controller_on_engine_up(struct controller_run *run);
void controller_on_engine_closed(struct controller_run *run);
void controller_check_engine(struct controller_run *run);

#endif
