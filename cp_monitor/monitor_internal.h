/* monitor_internal.h - what monitor.c and monitor_commands.c share. */
#ifndef EV_CP_MONITOR_MONITOR_INTERNAL_H
#define EV_CP_MONITOR_MONITOR_INTERNAL_H

#include "cp_engine/cp_index.h"
#include "cp_monitor/central_link.h"
#include "cp_monitor/controller.h"
#include "cp_monitor/engine_link.h"
#include "cp_monitor/monitor.h"

struct monitor_point {
    struct monitor *monitor;
    struct controller controller;
    struct central_link *central;
    struct enrolment *enrolment;
    char *directory; /* owned */
};

struct monitor {
    struct loop *loop;
    struct host_port central;
    struct http_client *http_client;
    struct engine_link *engine;
    struct loop_timer *tick;
    struct loop_timer *start;
    struct monitor_point *points;
    size_t count;
    size_t made; /* while being made: the last may be half made */
    size_t started;
    struct cp_index index;
};

/* Feeds an event (its time is filled in here) and carries out the effects. */
void monitor_step(struct monitor_point *point, struct controller_event *event);

#endif
