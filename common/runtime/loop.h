/* loop.h - the one thread that decides: level-triggered epoll, timers on a heap, posts from other threads.
 * Everything but loop_post and loop_mailbox_* is for the loop's own thread. Callbacks may create, change and
 * free any watch, timer or hook, their own included; after a free its callback is never called again. */
#ifndef EV_RUNTIME_LOOP_H
#define EV_RUNTIME_LOOP_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct loop_watch;
struct loop_timer;
struct loop_hook;
struct loop_mailbox;

typedef void (*loop_on_events)(void *user, uint32_t events); /* EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP .. */
typedef void (*loop_callback)(void *user);

/* Blocks SIGTERM and SIGINT in the calling thread (call it before any library starts threads), ignores
 * SIGPIPE. Either signal is loop_stop; one more, a second or later, ends the process with exit code 1.
 * Several loops in one process (tests) may not run at once unless all but one are loop_new_plain. */
EV_MUST_CHECK enum ev_err loop_new(struct loop **ret_loop);

/* Without signals. */
EV_MUST_CHECK enum ev_err loop_new_plain(struct loop **ret_loop);

/* Watches, timers and hooks should be freed before; what is left is freed here without a call. */
void loop_free(struct loop *loop);

/* Runs until loop_stop. EV_ERR_IO only if epoll itself fails. May be run again afterwards. */
EV_MUST_CHECK enum ev_err loop_run(struct loop *loop);

/* One wait of at most max_wait_ms (-1: as long as it takes) and what it brought. For tests, for other main
 * loops, and for draining at the end. */
EV_MUST_CHECK enum ev_err loop_run_once(struct loop *loop, int max_wait_ms);

/* loop_run returns after the present wake. */
void loop_stop(struct loop *loop);
bool loop_is_stopping(const struct loop *loop);

/* Called, in the loop, when a signal asks for the end, in place of loop_stop: for programs that first settle
 * something. They call loop_stop themselves. */
void loop_on_signal(struct loop *loop, loop_callback on_signal, void *user);

/* The descriptor to nest this loop in another one (GLib): readable when loop_run_once(loop, 0) has work.
 * Timers are not seen by it; loop_next_wait_ms says how long until the next (-1: none). */
int loop_descriptor(const struct loop *loop);
int loop_next_wait_ms(struct loop *loop);

/* --- descriptors --- */

/* The caller keeps the descriptor and closes it after loop_watch_free.
 * Errors: EV_ERR_UNSUPPORTED (a regular file: always ready, epoll refuses it), EV_ERR_IO, EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err loop_watch_new(struct loop *loop, int fd, uint32_t events, loop_on_events on_events,
                                         void *user, struct loop_watch **ret_watch);
/* events 0: only EPOLLERR and EPOLLHUP are reported. */
void loop_watch_modify(struct loop_watch *watch, uint32_t events);
void loop_watch_free(struct loop_watch *watch);

/* --- timers (CLOCK_MONOTONIC) --- */

EV_MUST_CHECK enum ev_err loop_timer_new(struct loop *loop, loop_callback on_timer, void *user,
                                         struct loop_timer **ret_timer);
/* Fires once, delay_ms (0: at the next wake) from now; a running timer is moved. */
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms);
/* Fires every interval_ms (at least 1), first after one interval; missed beats are skipped, not made up. */
void loop_timer_repeat(struct loop_timer *timer, int64_t interval_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_running(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* --- hooks around the wait --- */

/* before_wait (may be NULL): returns the longest wait it can bear in ms, -1 for any; called before every
 * wait. after_wait (may be NULL): called after every wake, before watches and timers. */
EV_MUST_CHECK enum ev_err loop_hook_new(struct loop *loop, int64_t (*before_wait)(void *user),
                                        loop_callback after_wait, void *user, struct loop_hook **ret_hook);
void loop_hook_free(struct loop_hook *hook);

/* --- from other threads --- */

/* Calls function(arg) in the loop's thread, in the order of the posts. The loop must outlive the poster;
 * where that is not sure, use a mailbox. Asserts that memory and LOOP_POSTS_MAX suffice. */
void loop_post(struct loop *loop, loop_callback function, void *arg);

/* In the loop's thread: calls at once what is posted by now. For whoever joins a thread that posts. */
void loop_serve_posts(struct loop *loop);

/* A counted reference to where posts go; it outlives the loop. A post that the loop does not come to, because
 * it is freed first or is gone already, is dropped: dropped(arg) is called instead, in the thread that frees
 * the loop or that posts. Use it where a thread may end after its loop. */
struct loop_mailbox *loop_mailbox_get(struct loop *loop);
void loop_mailbox_post(struct loop_mailbox *mailbox, loop_callback function, loop_callback dropped,
                       void *arg);
void loop_mailbox_put(struct loop_mailbox *mailbox);

/* --- clocks --- */

/* Monotonic ms, read once per wake: the same for all callbacks of it. */
int64_t loop_now_ms(const struct loop *loop);
/* Monotonic ms, read now; any thread. */
int64_t monotonic_now_ms(void);
/* Wall clock, ms since 1970 UTC; any thread. May jump. */
int64_t wall_now_ms(void);

#endif
