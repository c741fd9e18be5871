/* The loop: order of timers, freeing in callbacks, posts of other threads, signals, mailboxes, workers. */
#include "common/runtime/backoff.h"
#include "common/runtime/limits.h"
#include "common/runtime/loop.h"
#include "common/runtime/worker.h"
#include "tests/runtime/tls_support.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct record {
    struct loop *loop;
    int order[16];
    int count;
    int stop_at;
    struct loop_timer *timers[4];
};

struct mark {
    struct record *record;
    int number;
};

static void on_mark(void *user)
{
    struct mark *mark = user;
    mark->record->order[mark->record->count++] = mark->number;
    if (mark->record->count == mark->record->stop_at) {
        loop_stop(mark->record->loop);
    }
}

static struct loop *new_loop(void)
{
    struct loop *loop = NULL;
    assert_int_equal(loop_new_plain(&loop), EV_OK);
    return loop;
}

static void timers_fire_in_order_of_time_then_of_start(void **state)
{
    (void)state;
    struct record record = {.loop = new_loop(), .stop_at = 4};
    struct mark marks[4];
    int64_t delays[4] = {30, 10, 10, 0};
    for (int i = 0; i < 4; i++) {
        marks[i] = (struct mark){.record = &record, .number = i};
        assert_int_equal(loop_timer_new(record.loop, on_mark, &marks[i], &record.timers[i]), EV_OK);
    }
    for (int i = 0; i < 4; i++) {
        loop_timer_start(record.timers[i], delays[i]);
    }
    assert_int_equal(loop_run(record.loop), EV_OK);
    int expected[4] = {3, 1, 2, 0};
    assert_memory_equal(record.order, expected, sizeof expected);
    for (int i = 0; i < 4; i++) {
        assert_false(loop_timer_is_running(record.timers[i]));
        loop_timer_free(record.timers[i]);
    }
    loop_free(record.loop);
}

static void a_hundred_thousand_timers_keep_their_order(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct loop *loop = new_loop();
    struct record record = {.loop = loop, .stop_at = 2};
    struct mark first = {.record = &record, .number = 1};
    struct mark second = {.record = &record, .number = 2};
    struct loop_timer **timers = calloc(COUNT, sizeof(struct loop_timer *));
    unsigned seed = 7;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(loop_timer_new(loop, on_mark, i == 0 ? &second : &first, &timers[i]), EV_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1103515245U + 12345U;
        loop_timer_start(timers[i], 60000 + (int64_t)(seed >> 12));
    }
    for (int i = 2; i < COUNT; i += 2) {
        loop_timer_free(timers[i]);
    }
    loop_timer_start(timers[0], 6);
    loop_timer_start(timers[99999], 3);
    assert_int_equal(loop_run(loop), EV_OK);
    assert_int_equal(record.order[0], 1);
    assert_int_equal(record.order[1], 2);
    assert_int_equal(record.count, 2);
    free(timers);
    loop_free(loop); /* frees the rest */
}

struct beat {
    struct loop *loop;
    struct loop_timer *timer;
    int count;
};

static void on_beat(void *user)
{
    struct beat *beat = user;
    if (++beat->count == 3) {
        loop_timer_free(beat->timer); /* its own */
        beat->timer = NULL;
        loop_stop(beat->loop);
    }
}

static void a_repeating_timer_may_free_itself(void **state)
{
    (void)state;
    struct beat beat = {.loop = new_loop()};
    assert_int_equal(loop_timer_new(beat.loop, on_beat, &beat, &beat.timer), EV_OK);
    loop_timer_repeat(beat.timer, 2);
    assert_int_equal(loop_run(beat.loop), EV_OK);
    assert_int_equal(beat.count, 3);
    loop_free(beat.loop);
}

struct pipes {
    struct loop *loop;
    int fds[2][2];
    struct loop_watch *watches[2];
    int calls;
};

/* Both are ready in one wake; whoever comes first frees both. */
static void on_pipe(void *user, uint32_t events)
{
    struct pipes *pipes = user;
    (void)events;
    pipes->calls++;
    loop_watch_free(pipes->watches[0]);
    loop_watch_free(pipes->watches[1]);
    loop_stop(pipes->loop);
}

static void a_watch_freed_in_the_same_wake_is_not_called(void **state)
{
    (void)state;
    struct pipes pipes = {.loop = new_loop()};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes.fds[i]), 0);
        assert_int_equal(
            loop_watch_new(pipes.loop, pipes.fds[i][0], EPOLLIN, on_pipe, &pipes, &pipes.watches[i]), EV_OK);
        assert_int_equal(write(pipes.fds[i][1], "x", 1), 1);
    }
    assert_int_equal(loop_run(pipes.loop), EV_OK);
    assert_int_equal(loop_run_once(pipes.loop, 0), EV_OK);
    assert_int_equal(pipes.calls, 1);
    for (int i = 0; i < 4; i++) {
        close(pipes.fds[i / 2][i % 2]);
    }
    loop_free(pipes.loop);
}

struct posting {
    struct loop *loop;
    int received;
    int last[4];
    bool in_order;
};

struct posted {
    struct posting *posting;
    int thread;
    int number;
};

static void on_posted(void *arg)
{
    struct posted *posted = arg;
    struct posting *posting = posted->posting;
    posting->in_order = posting->in_order && posted->number == posting->last[posted->thread] + 1;
    posting->last[posted->thread] = posted->number;
    posting->received++;
    free(posted);
}

struct poster {
    struct posting *posting;
    int thread;
};

static void *post_many(void *arg)
{
    struct poster *poster = arg;
    for (int i = 1; i <= 2000; i++) {
        struct posted *posted = calloc(1, sizeof *posted);
        *posted = (struct posted){.posting = poster->posting, .thread = poster->thread, .number = i};
        loop_post(poster->posting->loop, on_posted, posted);
    }
    return NULL;
}

static bool all_posted(void *user)
{
    return ((struct posting *)user)->received == 8000;
}

static void posts_of_four_threads_all_come_in_order(void **state)
{
    (void)state;
    struct posting posting = {.loop = new_loop(), .in_order = true};
    struct poster posters[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        posters[i] = (struct poster){.posting = &posting, .thread = i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    assert_true(support_run_until(posting.loop, all_posted, &posting, 20000));
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(posting.in_order);
    loop_free(posting.loop);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void a_mailbox_outlives_its_loop_and_says_what_was_dropped(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    struct loop_mailbox *mailbox = loop_mailbox_get(loop);
    int called = 0;
    int dropped = 0;
    loop_mailbox_post(mailbox, count_up, count_up, &called);
    loop_serve_posts(loop);
    assert_int_equal(called, 1);
    loop_mailbox_post(mailbox, count_up, count_up, &dropped); /* waits when the loop goes */
    loop_free(loop);
    loop_mailbox_post(mailbox, count_up, count_up, &dropped); /* comes after */
    loop_mailbox_put(mailbox);
    assert_int_equal(called, 1);
    assert_int_equal(dropped, 2);
}

struct job {
    int value;
    int result;
    pthread_t ran_on;
    int *finished;
};

static void work(void *arg)
{
    struct job *job = arg;
    job->result = job->value * job->value;
    job->ran_on = pthread_self();
}

static void done(void *arg)
{
    ++*((struct job *)arg)->finished;
}

static bool ten_finished(void *user)
{
    return *(int *)user == 10;
}

static void a_worker_works_elsewhere_and_answers_on_the_loop(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    struct worker *worker = NULL;
    struct job jobs[10];
    int finished = 0;
    assert_int_equal(worker_new(loop, 2, &worker), EV_OK);
    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct job){.value = i, .finished = &finished};
        assert_int_equal(worker_submit(worker, work, done, &jobs[i]), EV_OK);
    }
    assert_true(support_run_until(loop, ten_finished, &finished, 10000));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(jobs[i].result, i * i);
        assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
    }
    finished = 0;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(worker_submit(worker, work, done, &jobs[i]), EV_OK);
    }
    worker_free(worker); /* every job answers, run or not */
    assert_int_equal(finished, 10);
    loop_free(loop);
}

static int64_t wait_at_most_five(void *user)
{
    ++*(int *)user;
    return 5;
}

static void a_hook_caps_the_wait(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    struct loop_hook *hook = NULL;
    int asked = 0;
    assert_int_equal(loop_hook_new(loop, wait_at_most_five, NULL, &asked, &hook), EV_OK);
    int64_t before_ms = monotonic_now_ms();
    assert_int_equal(loop_run_once(loop, 10000), EV_OK);
    assert_true(monotonic_now_ms() - before_ms < 5000);
    assert_true(asked >= 1);
    loop_hook_free(hook);
    asked = 0;
    assert_int_equal(loop_run_once(loop, 0), EV_OK);
    assert_int_equal(asked, 0);
    loop_free(loop);
}

/* In a process of its own: signals are the process's. */
static int run_child(bool own_handler, int signals)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct loop *loop = NULL;
        int seen = 0;
        if (freopen("/dev/null", "w", stderr) == NULL || loop_new(&loop) != EV_OK) {
            _exit(90);
        }
        if (own_handler) {
            loop_on_signal(loop, count_up, &seen);
        }
        kill(getpid(), SIGTERM);
        for (int i = 1; i < signals; i++) {
            kill(getpid(), SIGINT);
        }
        if (own_handler) { /* does not stop by itself */
            for (int i = 0; i < 3; i++) {
                if (loop_run_once(loop, 10) != EV_OK) {
                    _exit(91);
                }
            }
            _exit(seen == 1 && !loop_is_stopping(loop) ? 7 : 92);
        }
        enum ev_err err = loop_run(loop);
        loop_free(loop);
        _exit(err == EV_OK ? 5 : 93);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void sigterm_ends_the_run_in_order(void **state)
{
    (void)state;
    assert_int_equal(run_child(false, 1), 5);
    /* Ctrl-C and a launcher's SIGTERM at once are one request. */
    assert_int_equal(run_child(false, 2), 5);
}

static void a_program_may_settle_things_before_it_stops(void **state)
{
    (void)state;
    assert_int_equal(run_child(true, 1), 7);
}

static void on_late_signal(void *user)
{
    (void)user;
}

static void a_second_signal_ends_at_once(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct loop *loop = NULL;
        struct loop_timer *timer = NULL;
        if (freopen("/dev/null", "w", stderr) == NULL || loop_new(&loop) != EV_OK ||
            loop_timer_new(loop, on_late_signal, NULL, &timer) != EV_OK) {
            _exit(90);
        }
        loop_on_signal(loop, on_late_signal, NULL); /* never stops */
        kill(getpid(), SIGTERM);
        int64_t end_ms = monotonic_now_ms() + 1100;
        while (monotonic_now_ms() < end_ms) {
            if (loop_run_once(loop, 50) != EV_OK) {
                _exit(91);
            }
        }
        kill(getpid(), SIGTERM);
        for (int i = 0; i < 100; i++) {
            if (loop_run_once(loop, 50) != EV_OK) {
                _exit(91);
            }
        }
        _exit(92);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void backoff_grows_to_its_maximum_within_its_jitter(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, 100, 1000);
    int64_t bounds[6] = {100, 200, 400, 800, 1000, 1000};
    for (int i = 0; i < 6; i++) {
        int64_t wait_ms = backoff_next_ms(&backoff);
        assert_in_range(wait_ms, bounds[i] / 2, bounds[i]);
    }
    backoff_reset(&backoff);
    assert_in_range(backoff_next_ms(&backoff), 50, 100);
    int distinct = 0;
    int64_t last = -1;
    for (int i = 0; i < 20; i++) {
        backoff_init(&backoff, 1000, 1000);
        int64_t wait_ms = backoff_next_ms(&backoff);
        distinct += wait_ms != last;
        last = wait_ms;
    }
    assert_true(distinct > 5); /* jitter */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_time_then_of_start),
        cmocka_unit_test(a_hundred_thousand_timers_keep_their_order),
        cmocka_unit_test(a_repeating_timer_may_free_itself),
        cmocka_unit_test(a_watch_freed_in_the_same_wake_is_not_called),
        cmocka_unit_test(posts_of_four_threads_all_come_in_order),
        cmocka_unit_test(a_mailbox_outlives_its_loop_and_says_what_was_dropped),
        cmocka_unit_test(a_worker_works_elsewhere_and_answers_on_the_loop),
        cmocka_unit_test(a_hook_caps_the_wait),
        cmocka_unit_test(sigterm_ends_the_run_in_order),
        cmocka_unit_test(a_program_may_settle_things_before_it_stops),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(backoff_grows_to_its_maximum_within_its_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
