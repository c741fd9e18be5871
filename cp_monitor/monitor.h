/* monitor.h - all charge points of one monitor process: feeds events to their controllers, and carries out
 * the effects. One engine link for all, one control connection, one credential and one directory each. */
#ifndef EV_CP_MONITOR_MONITOR_H
#define EV_CP_MONITOR_MONITOR_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"
#include "cp_monitor/enrolment.h"

#include <stdbool.h>
#include <stddef.h>

#define MONITOR_TICK_MS 100
#define MONITOR_START_MS 10      /* between two starts of charge points, and as much again at random */
#define MONITOR_COUNT_MAX 100000 /* as the engine's */

struct monitor;

struct monitor_config {
    struct cp_id id;
    size_t count; /* 0: one, with the id as it is; else ID-0001 .. */
    const char *state_dir;
    struct host_port engine;
    struct host_port central;
    struct tls_credentials *pairing;
    struct enrolment_place place; /* its texts outlive the monitor */
};

/* Errors come in words. */
EV_MUST_CHECK enum ev_err monitor_new(struct loop *loop, const struct monitor_config *config,
                                      struct monitor **ret_monitor, struct failure *ret_failure);
/* NULL is fine. */
void monitor_free(struct monitor *monitor);

/* One line of standard input: [CP|all] register, deregister, connect, disconnect, charge, maintenance,
 * status. False: not a command. */
bool monitor_command(struct monitor *monitor, char *words[], size_t count);

#endif
