#include "common/runtime/worker.h"

#include "common/runtime/limits.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#define WORKER_THREADS_MAX 16

struct job {
    struct job *next;
    loop_callback work;
    loop_callback done;
    void *arg;
};

struct worker {
    struct loop *loop;
    pthread_mutex_t mutex; /* guards what follows up to threads */
    pthread_cond_t wake;
    struct job *first;
    struct job *last;
    size_t waiting;
    bool stopping;
    pthread_t threads[WORKER_THREADS_MAX];
    unsigned thread_count;
};

/* On the loop: the answer of one job. */
static void job_finish(void *arg)
{
    struct job *job = arg;
    job->done(job->arg);
    free(job);
}

static struct job *worker_take(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    while (worker->first == NULL && !worker->stopping) {
        pthread_cond_wait(&worker->wake, &worker->mutex);
    }
    struct job *job = worker->stopping ? NULL : worker->first;
    if (job != NULL) {
        worker->first = job->next;
        worker->last = worker->first == NULL ? NULL : worker->last;
        worker->waiting--;
    }
    pthread_mutex_unlock(&worker->mutex);
    return job;
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    for (struct job *job = worker_take(worker); job != NULL; job = worker_take(worker)) {
        job->work(job->arg);
        loop_post(worker->loop, job_finish, job);
    }
    return NULL;
}

enum ev_err worker_new(struct loop *loop, unsigned threads, struct worker **ret_worker)
{
    EV_ASSERT(threads >= 1 && threads <= WORKER_THREADS_MAX);
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return EV_ERR_NOMEM;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    worker->loop = loop;
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->wake, NULL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (worker->thread_count < threads &&
           pthread_create(&worker->threads[worker->thread_count], NULL, worker_main, worker) == 0) {
        worker->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (worker->thread_count < threads) {
        worker_free(worker);
        return EV_ERR_NOMEM;
    }
    *ret_worker = worker;
    return EV_OK;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
    for (unsigned i = 0; i < worker->thread_count; i++) {
        pthread_join(worker->threads[i], NULL);
    }
    loop_serve_posts(worker->loop);
    while (worker->first != NULL) {
        struct job *job = worker->first;
        worker->first = job->next;
        job_finish(job);
    }
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

enum ev_err worker_submit(struct worker *worker, loop_callback work, loop_callback done, void *arg)
{
    struct job *job = calloc(1, sizeof *job);
    enum ev_err err = EV_OK;
    if (job == NULL) {
        return EV_ERR_NOMEM;
    }
    *job = (struct job){.work = work, .done = done, .arg = arg};
    pthread_mutex_lock(&worker->mutex);
    if (worker->waiting >= WORKER_JOBS_MAX) {
        err = EV_ERR_FULL;
    } else if (worker->stopping) {
        err = EV_ERR_CLOSED;
    } else {
        if (worker->last != NULL) {
            worker->last->next = job;
        } else {
            worker->first = job;
        }
        worker->last = job;
        worker->waiting++;
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->mutex);
    if (err != EV_OK) {
        free(job);
    }
    return err;
}
