#include "common/runtime/loop.h"

#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define SIGNAL_REPEAT_MS 1000

/* What a freed object leaves behind until the wake is over: epoll may have reported it in this same wake, and
 * its callback may be the one that is running. */
struct grave {
    struct grave *next;
};

struct loop_watch {
    struct grave grave; /* first, so that a watch is its grave */
    struct loop *loop;
    struct loop_watch *previous;
    struct loop_watch *next;
    loop_on_events on_events; /* NULL once freed */
    void *user;
    int fd;
    uint32_t events;
};

struct loop_timer {
    struct grave grave;
    struct loop *loop;
    struct loop_timer *previous; /* list of all, for loop_free */
    struct loop_timer *next;
    loop_callback on_timer;
    void *user;
    int64_t due_ms;
    uint64_t order;      /* of the start: equal times fire in this order */
    int64_t interval_ms; /* 0: once */
    size_t place;        /* in the heap, counted from 1; 0: not running */
};

struct loop_hook {
    struct grave grave;
    struct loop *loop;
    struct loop_hook *previous;
    struct loop_hook *next;
    int64_t (*before_wait)(void *user);
    loop_callback after_wait;
    void *user;
    bool freed;
};

struct post {
    struct post *next;
    loop_callback function;
    loop_callback dropped; /* NULL: nothing to do then */
    void *arg;
};

struct loop_mailbox {
    pthread_mutex_t mutex; /* guards all below */
    struct post *first;
    struct post *last;
    size_t count;
    size_t references;
    int eventfd; /* -1 once the loop is gone */
};

struct loop {
    int epoll_fd;
    int signal_fd; /* -1: plain */
    bool stopping;
    int64_t now_ms;
    struct loop_watch *watches;
    struct loop_timer *timers;
    struct loop_hook *hooks;
    struct grave *graves;
    struct loop_timer **heap; /* heap[0] is the next to fire */
    size_t heap_used;
    size_t heap_size;
    uint64_t timer_order;
    struct loop_mailbox *mailbox;
    struct loop_watch *mailbox_watch;
    struct loop_watch *signal_watch;
    loop_callback on_signal;
    void *on_signal_user;
    int64_t signalled_ms; /* of the first signal that asked for the end; 0: none */
};

/* --- clocks --- */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t monotonic_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t wall_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

/* --- posts --- */

static struct loop_mailbox *mailbox_new(void)
{
    struct loop_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL) {
        return NULL;
    }
    mailbox->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->eventfd < 0) {
        free(mailbox);
        return NULL;
    }
    pthread_mutex_init(&mailbox->mutex, NULL);
    mailbox->references = 1;
    return mailbox;
}

static void mailbox_close(struct loop_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    struct post *post = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    mailbox->count = 0;
    close(mailbox->eventfd);
    mailbox->eventfd = -1;
    pthread_mutex_unlock(&mailbox->mutex);
    while (post != NULL) {
        struct post *next = post->next;
        if (post->dropped != NULL) {
            post->dropped(post->arg);
        }
        free(post);
        post = next;
    }
}

struct loop_mailbox *loop_mailbox_get(struct loop *loop)
{
    pthread_mutex_lock(&loop->mailbox->mutex);
    loop->mailbox->references++;
    pthread_mutex_unlock(&loop->mailbox->mutex);
    return loop->mailbox;
}

void loop_mailbox_put(struct loop_mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    pthread_mutex_lock(&mailbox->mutex);
    size_t left = --mailbox->references;
    pthread_mutex_unlock(&mailbox->mutex);
    if (left == 0) {
        pthread_mutex_destroy(&mailbox->mutex);
        free(mailbox);
    }
}

static bool mailbox_post(struct loop_mailbox *mailbox, loop_callback function, loop_callback dropped,
                         void *arg)
{
    struct post *post = calloc(1, sizeof *post);
    EV_ASSERT(post != NULL);
    *post = (struct post){.function = function, .dropped = dropped, .arg = arg};
    pthread_mutex_lock(&mailbox->mutex);
    bool open = mailbox->eventfd >= 0;
    if (open) {
        EV_ASSERT(mailbox->count < LOOP_POSTS_MAX);
        if (mailbox->last != NULL) {
            mailbox->last->next = post;
        } else {
            mailbox->first = post;
        }
        mailbox->last = post;
        if (mailbox->count++ == 0) {
            ssize_t written = write(mailbox->eventfd, &(uint64_t){1}, sizeof(uint64_t));
            (void)written; /* fails only when it is readable anyway */
        }
    }
    pthread_mutex_unlock(&mailbox->mutex);
    if (!open) {
        free(post);
    }
    return open;
}

void loop_mailbox_post(struct loop_mailbox *mailbox, loop_callback function, loop_callback dropped, void *arg)
{
    if (!mailbox_post(mailbox, function, dropped, arg) && dropped != NULL) {
        dropped(arg);
    }
}

void loop_post(struct loop *loop, loop_callback function, void *arg)
{
    bool posted = mailbox_post(loop->mailbox, function, NULL, arg);
    EV_ASSERT(posted);
}

void loop_serve_posts(struct loop *loop)
{
    struct loop_mailbox *mailbox = loop->mailbox;
    uint64_t count = 0;
    pthread_mutex_lock(&mailbox->mutex);
    ssize_t got = read(mailbox->eventfd, &count, sizeof count);
    (void)got; /* EAGAIN: nothing was posted */
    struct post *post = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    mailbox->count = 0;
    pthread_mutex_unlock(&mailbox->mutex);
    while (post != NULL) {
        struct post *next = post->next;
        post->function(post->arg);
        free(post);
        post = next;
    }
}

static void on_mailbox(void *user, uint32_t events)
{
    (void)events;
    loop_serve_posts(user);
}

/* --- watches --- */

static void loop_bury(struct loop *loop, struct grave *grave)
{
    grave->next = loop->graves;
    loop->graves = grave;
}

enum ev_err loop_watch_new(struct loop *loop, int fd, uint32_t events, loop_on_events on_events, void *user,
                           struct loop_watch **ret_watch)
{
    struct loop_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return EV_ERR_NOMEM;
    }
    *watch = (struct loop_watch){.loop = loop,
                                 .next = loop->watches,
                                 .on_events = on_events,
                                 .user = user,
                                 .fd = fd,
                                 .events = events};
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        enum ev_err err = errno == EPERM ? EV_ERR_UNSUPPORTED : errno == ENOMEM ? EV_ERR_NOMEM : EV_ERR_IO;
        free(watch);
        return err;
    }
    if (loop->watches != NULL) {
        loop->watches->previous = watch;
    }
    loop->watches = watch;
    *ret_watch = watch;
    return EV_OK;
}

void loop_watch_modify(struct loop_watch *watch, uint32_t events)
{
    if (watch->events == events) {
        return;
    }
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};
    int result = epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    EV_ASSERT(result == 0);
    watch->events = events;
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    struct loop *loop = watch->loop;
    /* The descriptor may have been closed before, against the contract of the header; then this fails. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->previous != NULL) {
        watch->previous->next = watch->next;
    } else {
        loop->watches = watch->next;
    }
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    watch->on_events = NULL;
    loop_bury(loop, &watch->grave);
}

/* --- timers --- */

static bool timer_is_before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place + 1;
}

static void heap_sift_up(struct loop *loop, size_t place)
{
    struct loop_timer *timer = loop->heap[place];
    while (place > 0 && timer_is_before(timer, loop->heap[(place - 1) / 2])) {
        heap_put(loop, place, loop->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_put(loop, place, timer);
}

static void heap_sift_down(struct loop *loop, size_t place)
{
    struct loop_timer *timer = loop->heap[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < loop->heap_used && timer_is_before(loop->heap[child + 1], loop->heap[child])) {
            child++;
        }
        if (child >= loop->heap_used || !timer_is_before(loop->heap[child], timer)) {
            break;
        }
        heap_put(loop, place, loop->heap[child]);
        place = child;
    }
    heap_put(loop, place, timer);
}

enum ev_err loop_timer_new(struct loop *loop, loop_callback on_timer, void *user,
                           struct loop_timer **ret_timer)
{
    struct loop_timer *timer = NULL;
    /* The heap has a place for every timer there is, so that starting one cannot fail. heap_size counts the
     * timers that exist; the array grows by halves. */
    size_t wanted = loop->heap_size + 1;
    if ((wanted & (wanted - 1)) == 0) {
        struct loop_timer **heap = realloc(loop->heap, 2 * wanted * sizeof(struct loop_timer *));
        if (heap == NULL) {
            return EV_ERR_NOMEM;
        }
        loop->heap = heap;
    }
    timer = calloc(1, sizeof *timer);
    if (timer == NULL) {
        return EV_ERR_NOMEM;
    }
    *timer = (struct loop_timer){.loop = loop, .next = loop->timers, .on_timer = on_timer, .user = user};
    if (loop->timers != NULL) {
        loop->timers->previous = timer;
    }
    loop->timers = timer;
    loop->heap_size = wanted;
    *ret_timer = timer;
    return EV_OK;
}

static void timer_enter(struct loop_timer *timer, int64_t due_ms)
{
    struct loop *loop = timer->loop;
    loop_timer_stop(timer);
    timer->due_ms = due_ms;
    timer->order = loop->timer_order++;
    loop->heap[loop->heap_used] = timer;
    loop->heap_used++;
    heap_sift_up(loop, loop->heap_used - 1);
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
    EV_ASSERT(delay_ms >= 0);
    timer->interval_ms = 0;
    /* From now, not from the wake's time: work of this wake must not shorten the delay. */
    timer_enter(timer, monotonic_now_ms() + delay_ms);
}

void loop_timer_repeat(struct loop_timer *timer, int64_t interval_ms)
{
    EV_ASSERT(interval_ms >= 1);
    timer_enter(timer, monotonic_now_ms() + interval_ms);
    timer->interval_ms = interval_ms;
}

void loop_timer_stop(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;
    if (timer->place == 0) {
        return;
    }
    size_t place = timer->place - 1;
    struct loop_timer *last = loop->heap[--loop->heap_used];
    timer->place = 0;
    if (last != timer) {
        heap_put(loop, place, last);
        heap_sift_up(loop, place);
        heap_sift_down(loop, last->place - 1);
    }
}

bool loop_timer_is_running(const struct loop_timer *timer)
{
    return timer->place != 0;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    struct loop *loop = timer->loop;
    loop_timer_stop(timer);
    if (timer->previous != NULL) {
        timer->previous->next = timer->next;
    } else {
        loop->timers = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->previous = timer->previous;
    }
    loop->heap_size--;
    free(timer);
}

/* A timer that is freed in its own callback is not touched afterwards: it was taken out, or moved to its next
 * beat, before the call. */
static void loop_fire_timers(struct loop *loop)
{
    uint64_t newest = loop->timer_order; /* what is started now fires in a later wake */
    for (int fired = 0; fired < LOOP_TIMERS_PER_WAKE && loop->heap_used > 0; fired++) {
        struct loop_timer *timer = loop->heap[0];
        if (timer->due_ms > loop->now_ms || timer->order >= newest) {
            return;
        }
        int64_t interval_ms = timer->interval_ms;
        if (interval_ms > 0) {
            int64_t missed = (loop->now_ms - timer->due_ms) / interval_ms;
            timer_enter(timer, timer->due_ms + (missed + 1) * interval_ms);
        } else {
            loop_timer_stop(timer);
        }
        timer->on_timer(timer->user);
    }
}

/* --- hooks --- */

enum ev_err loop_hook_new(struct loop *loop, int64_t (*before_wait)(void *user), loop_callback after_wait,
                          void *user, struct loop_hook **ret_hook)
{
    struct loop_hook *hook = calloc(1, sizeof *hook);
    if (hook == NULL) {
        return EV_ERR_NOMEM;
    }
    *hook = (struct loop_hook){.loop = loop,
                               .next = loop->hooks,
                               .before_wait = before_wait,
                               .after_wait = after_wait,
                               .user = user};
    if (loop->hooks != NULL) {
        loop->hooks->previous = hook;
    }
    loop->hooks = hook;
    *ret_hook = hook;
    return EV_OK;
}

void loop_hook_free(struct loop_hook *hook)
{
    if (hook == NULL) {
        return;
    }
    /* Its own next pointer stays, so that a walk over the hooks that stands here can go on. */
    if (hook->previous != NULL) {
        hook->previous->next = hook->next;
    } else {
        hook->loop->hooks = hook->next;
    }
    if (hook->next != NULL) {
        hook->next->previous = hook->previous;
    }
    hook->freed = true;
    loop_bury(hook->loop, &hook->grave);
}

static int64_t loop_ask_hooks(struct loop *loop)
{
    int64_t shortest = -1;
    for (struct loop_hook *hook = loop->hooks; hook != NULL; hook = hook->next) {
        int64_t wait_ms = hook->freed || hook->before_wait == NULL ? -1 : hook->before_wait(hook->user);
        if (wait_ms >= 0 && (shortest < 0 || wait_ms < shortest)) {
            shortest = wait_ms;
        }
    }
    return shortest;
}

/* --- signals --- */

static void on_signals(void *user, uint32_t events)
{
    struct loop *loop = user;
    struct signalfd_siginfo info = {0};
    (void)events;
    while (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        const char *name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
        /* Ctrl-C reaches a whole process group, and a launcher then asks each member again: that is one
         * request. */
        bool repeated = loop->signalled_ms != 0;
        if (repeated && loop->now_ms - loop->signalled_ms < SIGNAL_REPEAT_MS) {
            continue;
        }
        if (repeated) {
            log_warn("program.killed", log_str("signal", name),
                     log_str("detail", "second signal, not waiting"));
            _exit(1);
        }
        loop->signalled_ms = loop->now_ms;
        log_info("program.stopping", log_str("signal", name));
        if (loop->on_signal != NULL) {
            loop->on_signal(loop->on_signal_user);
        } else {
            loop_stop(loop);
        }
    }
}

void loop_on_signal(struct loop *loop, loop_callback on_signal, void *user)
{
    loop->on_signal = on_signal;
    loop->on_signal_user = user;
}

static enum ev_err loop_take_signals(struct loop *loop)
{
    sigset_t mask;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &mask, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0) {
        return EV_ERR_IO;
    }
    loop->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->signal_fd < 0) {
        return EV_ERR_IO;
    }
    return loop_watch_new(loop, loop->signal_fd, EPOLLIN, on_signals, loop, &loop->signal_watch);
}

/* --- the loop --- */

enum ev_err loop_new_plain(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof *loop);
    enum ev_err err = EV_ERR_IO;
    if (loop == NULL) {
        return EV_ERR_NOMEM;
    }
    loop->signal_fd = -1;
    loop->now_ms = monotonic_now_ms();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->mailbox = mailbox_new();
    if (loop->epoll_fd >= 0 && loop->mailbox != NULL) {
        err = loop_watch_new(loop, loop->mailbox->eventfd, EPOLLIN, on_mailbox, loop, &loop->mailbox_watch);
    }
    if (err != EV_OK) {
        loop_free(loop);
        return err;
    }
    *ret_loop = loop;
    return EV_OK;
}

enum ev_err loop_new(struct loop **ret_loop)
{
    struct loop *loop = NULL;
    enum ev_err err = loop_new_plain(&loop);
    if (err == EV_OK) {
        err = loop_take_signals(loop);
    }
    if (err != EV_OK) {
        loop_free(loop);
        return err;
    }
    *ret_loop = loop;
    return EV_OK;
}

static void loop_empty_graves(struct loop *loop)
{
    while (loop->graves != NULL) {
        struct grave *grave = loop->graves;
        loop->graves = grave->next;
        free(grave);
    }
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->watches != NULL) {
        loop_watch_free(loop->watches);
    }
    while (loop->timers != NULL) {
        loop_timer_free(loop->timers);
    }
    while (loop->hooks != NULL) {
        loop_hook_free(loop->hooks);
    }
    loop_empty_graves(loop);
    if (loop->mailbox != NULL) {
        mailbox_close(loop->mailbox);
        loop_mailbox_put(loop->mailbox);
    }
    if (loop->signal_fd >= 0) {
        close(loop->signal_fd);
    }
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    free(loop->heap);
    free(loop);
}

int loop_next_wait_ms(struct loop *loop)
{
    int64_t wait_ms = loop_ask_hooks(loop);
    if (loop->heap_used > 0) {
        int64_t timer_ms = loop->heap[0]->due_ms - monotonic_now_ms();
        timer_ms = timer_ms < 0 ? 0 : timer_ms;
        wait_ms = wait_ms < 0 || timer_ms < wait_ms ? timer_ms : wait_ms;
    }
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

enum ev_err loop_run_once(struct loop *loop, int max_wait_ms)
{
    struct epoll_event events[LOOP_EVENTS_PER_WAKE];
    int wait_ms = loop_next_wait_ms(loop);
    if (wait_ms < 0 || (max_wait_ms >= 0 && max_wait_ms < wait_ms)) {
        wait_ms = max_wait_ms;
    }
    int count = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_PER_WAKE, wait_ms);
    if (count < 0 && errno != EINTR) {
        return EV_ERR_IO;
    }
    loop->now_ms = monotonic_now_ms();
    for (struct loop_hook *hook = loop->hooks; hook != NULL; hook = hook->next) {
        if (!hook->freed && hook->after_wait != NULL) {
            hook->after_wait(hook->user);
        }
    }
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (watch->on_events != NULL) {
            watch->on_events(watch->user, events[i].events);
        }
    }
    loop_fire_timers(loop);
    loop_empty_graves(loop);
    return EV_OK;
}

enum ev_err loop_run(struct loop *loop)
{
    enum ev_err err = EV_OK;
    loop->stopping = false;
    while (err == EV_OK && !loop->stopping) {
        err = loop_run_once(loop, -1);
    }
    return err;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

bool loop_is_stopping(const struct loop *loop)
{
    return loop->stopping;
}

int loop_descriptor(const struct loop *loop)
{
    return loop->epoll_fd;
}
