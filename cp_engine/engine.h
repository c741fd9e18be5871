/* engine.h - all charge points of one engine process: feeds events to supply, and carries out its effects.
 * Invariant: a message or sample that tells of a journal record leaves after that record is on the disk. */
#ifndef EV_CP_ENGINE_ENGINE_H
#define EV_CP_ENGINE_ENGINE_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"
#include "cp_engine/supply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENGINE_TICK_MS 100
#define ENGINE_MONITOR_LOST_MS 3000   /* without a frame of the monitor for this charge point */
#define ENGINE_MONITOR_CLOSED_MS 2500 /* after its link was closed: there will be no frame */
#define ENGINE_COMMIT_DELAY_MS 2      /* one fsync for what comes together */
#define ENGINE_JOURNAL_RETRY_MS 1000
#define ENGINE_END_MS 1000       /* for what is told to the monitor at an orderly end */
#define ENGINE_DEFERRED_MAX 8192 /* effects that wait for one commit; more commit at once */

struct engine;

struct engine_config {
    struct supply_config supply;
    size_t count;
    struct host_port listen;
    struct tls_credentials *credentials;
    const char *state_dir;
    const char *kafka;             /* NULL: from Central */
    const char *const *properties; /* -X; outlive the engine */
    size_t property_count;
};

/* Opens the journal and the monitor's port. Errors come in words. */
EV_MUST_CHECK enum ev_err engine_new(struct loop *loop, const struct engine_config *config,
                                     struct engine **ret_engine, struct failure *ret_failure);

/* After loop_run: at SIGTERM the engine ends what runs (engine_lost), tells its monitor and stops the loop.
 * NULL is fine. */
void engine_free(struct engine *engine);

/* One line of standard input: plug, unplug, fault, repair [CP|all], status. False: not a command. */
bool engine_command(struct engine *engine, char *words[], size_t count);

#endif
