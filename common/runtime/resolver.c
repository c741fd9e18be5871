#include "common/runtime/resolver.h"

#include "common/runtime/limits.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct resolver_lookup {
    struct resolver_lookup *next; /* in the queue */
    struct loop_mailbox *mailbox;
    struct host_port address;
    resolver_on_done on_done; /* NULL: cancelled. The loop's thread only */
    void *user;
    struct addrinfo *addresses;
    int result; /* of getaddrinfo */
};

/* The queue is the process's, since getaddrinfo cannot be interrupted: its threads are detached and may
 * outlive loops. */
static struct {
    pthread_mutex_t mutex; /* guards the rest */
    struct resolver_lookup *first;
    struct resolver_lookup *last;
    unsigned threads;
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int lookup_addresses(const struct host_port *address, int flags, struct addrinfo **ret_addresses)
{
    char port[8] = "";
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    return getaddrinfo(address->host, port, &hints, ret_addresses);
}

enum ev_err resolver_numeric(const struct host_port *address, struct addrinfo **ret_addresses)
{
    int result = lookup_addresses(address, AI_NUMERICHOST, ret_addresses);
    return result == 0 ? EV_OK : result == EAI_MEMORY ? EV_ERR_NOMEM : EV_ERR_NOT_FOUND;
}

static void lookup_free(void *arg)
{
    struct resolver_lookup *lookup = arg;
    if (lookup->addresses != NULL) {
        freeaddrinfo(lookup->addresses);
    }
    loop_mailbox_put(lookup->mailbox);
    free(lookup);
}

/* On the loop. */
static void lookup_finish(void *arg)
{
    struct resolver_lookup *lookup = arg;
    if (lookup->on_done != NULL) {
        struct addrinfo *addresses = lookup->addresses;
        lookup->addresses = NULL;
        lookup->on_done(lookup->user, addresses, lookup->result == 0 ? "" : gai_strerror(lookup->result));
    }
    lookup_free(lookup);
}

static struct resolver_lookup *queue_take(void)
{
    pthread_mutex_lock(&queue.mutex);
    struct resolver_lookup *lookup = queue.first;
    if (lookup != NULL) {
        queue.first = lookup->next;
        queue.last = queue.first == NULL ? NULL : queue.last;
    } else {
        queue.threads--; /* under the lock, so that who queues next starts another */
    }
    pthread_mutex_unlock(&queue.mutex);
    return lookup;
}

static void *resolver_main(void *arg)
{
    (void)arg;
    for (struct resolver_lookup *lookup = queue_take(); lookup != NULL; lookup = queue_take()) {
        lookup->result = lookup_addresses(&lookup->address, 0, &lookup->addresses);
        struct loop_mailbox *mailbox = lookup->mailbox;
        loop_mailbox_post(mailbox, lookup_finish, lookup_free, lookup);
    }
    return NULL;
}

/* With the queue locked. */
static bool start_thread(void)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &attributes, resolver_main, NULL) == 0;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    queue.threads += started;
    return started;
}

enum ev_err resolver_start(struct loop *loop, const struct host_port *address, resolver_on_done on_done,
                           void *user, struct resolver_lookup **ret_lookup)
{
    struct resolver_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        return EV_ERR_NOMEM;
    }
    lookup->mailbox = loop_mailbox_get(loop);
    lookup->address = *address;
    lookup->on_done = on_done;
    lookup->user = user;
    pthread_mutex_lock(&queue.mutex);
    bool served = queue.threads >= RESOLVER_THREADS || start_thread() || queue.threads > 0;
    if (served) {
        if (queue.last != NULL) {
            queue.last->next = lookup;
        } else {
            queue.first = lookup;
        }
        queue.last = lookup;
    }
    pthread_mutex_unlock(&queue.mutex);
    if (!served) {
        lookup_free(lookup);
        return EV_ERR_NOMEM;
    }
    *ret_lookup = lookup;
    return EV_OK;
}

void resolver_cancel(struct resolver_lookup *lookup)
{
    if (lookup != NULL) {
        lookup->on_done = NULL;
    }
}
