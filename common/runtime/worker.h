/* worker.h - a few threads for what blocks (name look-ups, Argon2, Kafka queries), answering on the loop. */
#ifndef EV_RUNTIME_WORKER_H
#define EV_RUNTIME_WORKER_H

#include "common/rules/ev_err.h"
#include "common/runtime/loop.h"

struct worker;

/* Threads start with all signals blocked. */
EV_MUST_CHECK enum ev_err worker_new(struct loop *loop, unsigned threads, struct worker **ret_worker);

/* Waits for running work and serves the loop's waiting posts, so that no answer is lost. What is still queued
 * is not run, but done(arg) is called for it at once, so that arg can be freed: its result says "not run"
 * unless work has changed it. */
void worker_free(struct worker *worker);

/* work(arg) on a thread of the pool, then done(arg) on the loop. One pool keeps the order only with 1 thread.
 * Errors: EV_ERR_FULL (WORKER_JOBS_MAX waiting), EV_ERR_CLOSED (being freed), EV_ERR_NOMEM; then neither is
 * called. */
EV_MUST_CHECK enum ev_err worker_submit(struct worker *worker, loop_callback work, loop_callback done,
                                        void *arg);

#endif
