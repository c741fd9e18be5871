/* store.c - batches, the store thread, opening and closing. Rows are in store_write.c and store_read.c. */
#include "central/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "central/audit.h"
#include "central/store_internal.h"
#include "common/runtime/database.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#define COMMIT_RETRY_MS 250
#define TRIM_INTERVAL_MS (60 * 60 * 1000)
#define DAY_MS (24LL * 60 * 60 * 1000)

const char *const STORE_MIGRATIONS[STORE_MIGRATION_COUNT] = {STORE_SCHEMA};

struct after_commit {
    void (*fn)(void *arg);
    void *arg;
};

/* What becomes one transaction. */
struct batch {
    struct store_change *changes; /* outbox bodies owned */
    size_t count, capacity;
    struct after_commit *after;
    size_t after_count, after_capacity;
    struct store_audit_row *audit_rows; /* made by the commit */
    size_t audit_count;
};

struct store {
    struct loop *loop;
    char key_path[4200];
    struct database *write_db; /* the store thread's once it runs */
    struct database *read_db;
    struct store_writer writer;
    struct batch *open;      /* loop thread's */
    struct batch *committed; /* on its way back */
    bool handover_posted;
    bool commit_running; /* loop thread's view */
    size_t running_count;
    int64_t next_outbox_sequence;
    void (*on_audit)(void *user, const struct store_audit_row *);
    void *on_audit_user;
    int audit_fd;

    pthread_t thread;
    bool thread_started;
    pthread_mutex_t lock; /* guards pending, stopping, keep_days */
    pthread_cond_t wake;
    struct batch *pending;
    bool stopping;
    int keep_days;
    atomic_bool healthy;
};

static void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->changes[i].kind == STORE_ADD_OUTBOX)
            free((char *)(uintptr_t)batch->changes[i].of.outbox.body);
    }
    if (batch->changes != NULL) /* keys were among them */
        explicit_bzero(batch->changes, batch->count * sizeof *batch->changes);
    free(batch->changes);
    free(batch->after);
    free(batch->audit_rows);
    free(batch);
}

static struct batch *batch_new(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    EV_ASSERT(batch != NULL);
    return batch;
}

/* ---- the store thread ---- */

static enum ev_err write_batch(struct store *store, struct batch *batch)
{
    size_t audits = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct store_audit_row *row = NULL;
        if (batch->changes[i].kind == STORE_ADD_AUDIT)
            row = &batch->audit_rows[audits++];
        if (store_write_change(&store->writer, &batch->changes[i], row) != EV_OK)
            return EV_ERR_DB;
    }
    batch->audit_count = audits;
    return audits > 0 ? store_write_audit_head(&store->writer) : EV_OK;
}

/* A broken statement is our mistake and would fail for ever; a full or failing disk may recover. */
static void assert_recoverable(sqlite3 *db)
{
    int rc = sqlite3_errcode(db) & 0xff;
    if (rc == SQLITE_CONSTRAINT || rc == SQLITE_MISUSE || rc == SQLITE_RANGE || rc == SQLITE_MISMATCH)
        log_error("store.broken_change", log_str("error", sqlite3_errmsg(db)));
    EV_ASSERT(rc != SQLITE_CONSTRAINT && rc != SQLITE_MISUSE && rc != SQLITE_RANGE && rc != SQLITE_MISMATCH);
}

static enum ev_err commit_batch(struct store *store, struct batch *batch)
{
    sqlite3 *db = store->writer.db;
    struct audit_chain before = store->writer.audit;
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
        write_batch(store, batch) == EV_OK && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return EV_OK;
    log_error("store.commit_failed", log_str("error", sqlite3_errmsg(db)),
              log_str("action", "nothing was said of it; trying again until the disk takes it"));
    assert_recoverable(db);
    (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    before.private_key = store->writer.audit.private_key; /* may have been loaded meanwhile */
    store->writer.audit = before;
    return EV_ERR_DB;
}

static void append_audit_file(struct store *store, const struct batch *batch)
{
    for (size_t i = 0; i < batch->audit_count; i++) {
        if (audit_file_append(store->audit_fd, &batch->audit_rows[i]) != EV_OK) {
            log_error(
                "audit.file_failed",
                log_str("action", "the table holds the entries; the file is completed at the next start"));
            return;
        }
    }
}

/* Waits for work. Returns the next batch, or NULL when stopping and nothing is left, or when it is time to
 * trim. */
static struct batch *wait_for_batch(struct store *store, bool *ret_stop)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TRIM_INTERVAL_MS / 1000;
    (void)pthread_mutex_lock(&store->lock);
    int rc = 0;
    while (store->pending == NULL && !store->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&store->wake, &store->lock, &until);
    struct batch *batch = store->pending;
    store->pending = NULL;
    *ret_stop = store->stopping;
    (void)pthread_mutex_unlock(&store->lock);
    return batch;
}

/* Sleeps before a retry; returns true when Central stops meanwhile. */
static bool wait_to_retry(struct store *store)
{
    struct timespec pause = {.tv_nsec = COMMIT_RETRY_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
    (void)pthread_mutex_lock(&store->lock);
    bool stopping = store->stopping;
    (void)pthread_mutex_unlock(&store->lock);
    return stopping;
}

static void trim(struct store *store)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)pthread_mutex_lock(&store->lock);
    int days = store->keep_days;
    (void)pthread_mutex_unlock(&store->lock);
    if (days > 0 &&
        store_write_trim_curve(&store->writer, (int64_t)now.tv_sec * 1000 - days * DAY_MS) != EV_OK)
        log_warn("store.trim_failed", log_str("error", sqlite3_errmsg(store->writer.db)));
}

static void on_committed(void *arg);

static void *store_thread(void *arg)
{
    struct store *store = arg;
    bool stop = false;
    while (!stop) {
        struct batch *batch = wait_for_batch(store, &stop);
        if (batch == NULL) {
            if (!stop)
                trim(store);
            continue;
        }
        while (commit_batch(store, batch) != EV_OK) {
            atomic_store(&store->healthy, false);
            if (wait_to_retry(store)) {
                log_error("store.batch_lost",
                          log_str("reason", "the disk did not take it before the stop; Kafka and the "
                                            "journals still hold what led to it"));
                batch_free(batch);
                return NULL;
            }
        }
        atomic_store(&store->healthy, true);
        append_audit_file(store, batch);
        store->committed = batch; /* the loop thread hands over the next one only after taking this one */
        loop_post(store->loop, on_committed, store);
    }
    return NULL;
}

/* ---- the loop thread ---- */

static void hand_over(struct store *store)
{
    struct batch *batch = store->open;
    if (store->commit_running || (batch->count == 0 && batch->after_count == 0))
        return;
    size_t audits = 0;
    for (size_t i = 0; i < batch->count; i++)
        audits += batch->changes[i].kind == STORE_ADD_AUDIT;
    if (audits > 0) {
        batch->audit_rows = calloc(audits, sizeof *batch->audit_rows);
        EV_ASSERT(batch->audit_rows != NULL);
    }
    store->open = batch_new();
    store->commit_running = true;
    store->running_count = batch->count;
    (void)pthread_mutex_lock(&store->lock);
    store->pending = batch;
    (void)pthread_cond_signal(&store->wake);
    (void)pthread_mutex_unlock(&store->lock);
}

static void on_handover(void *arg)
{
    struct store *store = arg;
    store->handover_posted = false;
    hand_over(store);
}

/* Posted rather than done at once, so that everything which one wake of the loop drains is one transaction.
 */
static void post_handover(struct store *store)
{
    if (store->handover_posted || store->commit_running)
        return;
    store->handover_posted = true;
    loop_post(store->loop, on_handover, store);
}

static void speak(struct store *store, struct batch *batch)
{
    for (size_t i = 0; i < batch->audit_count && store->on_audit != NULL; i++)
        store->on_audit(store->on_audit_user, &batch->audit_rows[i]);
    for (size_t i = 0; i < batch->after_count; i++)
        batch->after[i].fn(batch->after[i].arg);
    batch_free(batch);
}

static void on_committed(void *arg)
{
    struct store *store = arg;
    struct batch *batch = store->committed;
    store->committed = NULL;
    if (batch == NULL)
        return; /* store_close took it */
    store->commit_running = false;
    store->running_count = 0;
    speak(store, batch);
    hand_over(store);
}

enum ev_err store_add(struct store *store, const struct store_change *change)
{
    struct batch *batch = store->open;
    if (batch->count >= STORE_BATCH_MAX)
        return EV_ERR_FULL;
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity == 0 ? 16 : batch->capacity * 2;
        struct store_change *grown = realloc(batch->changes, capacity * sizeof *grown);
        EV_ASSERT(grown != NULL);
        batch->changes = grown;
        batch->capacity = capacity;
    }
    struct store_change *copy = &batch->changes[batch->count];
    *copy = *change;
    if (change->kind == STORE_ADD_OUTBOX) {
        copy->of.outbox.body = strdup(change->of.outbox.body);
        EV_ASSERT(copy->of.outbox.body != NULL);
    }
    batch->count++;
    post_handover(store);
    return EV_OK;
}

enum ev_err store_after_commit(struct store *store, void (*fn)(void *arg), void *arg)
{
    struct batch *batch = store->open;
    if (batch->after_count == batch->after_capacity) {
        size_t capacity = batch->after_capacity == 0 ? 16 : batch->after_capacity * 2;
        struct after_commit *grown = realloc(batch->after, capacity * sizeof *grown);
        EV_ASSERT(grown != NULL);
        batch->after = grown;
        batch->after_capacity = capacity;
    }
    batch->after[batch->after_count++] = (struct after_commit){.fn = fn, .arg = arg};
    post_handover(store);
    return EV_OK;
}

size_t store_backlog(const struct store *store)
{
    return store->open->count + store->running_count;
}

bool store_is_healthy(const struct store *store)
{
    return atomic_load(&store->healthy);
}

int64_t store_next_outbox_sequence(struct store *store)
{
    return store->next_outbox_sequence++;
}

void store_on_audit(struct store *store, void (*row)(void *user, const struct store_audit_row *), void *user)
{
    store->on_audit = row;
    store->on_audit_user = user;
}

void store_set_keep_days(struct store *store, int days)
{
    (void)pthread_mutex_lock(&store->lock);
    store->keep_days = days;
    (void)pthread_mutex_unlock(&store->lock);
}

sqlite3 *store_reader(struct store *store)
{
    return database_handle(store->read_db);
}

/* ---- opening and closing ---- */

static enum ev_err load_positions(struct store *store)
{
    sqlite3_stmt *st = NULL;
    sqlite3 *db = store_reader(store);
    if (sqlite3_prepare_v2(
            db,
            "SELECT coalesce(max(seq), 0), (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), "
            "(SELECT coalesce(max(sequence), 0) + 1 FROM outbox) FROM audit",
            -1, &st, NULL) != SQLITE_OK)
        return EV_ERR_DB;
    enum ev_err err = EV_ERR_DB;
    if (sqlite3_step(st) == SQLITE_ROW) {
        audit_chain_init(&store->writer.audit, sqlite3_column_int64(st, 0),
                         (const char *)sqlite3_column_text(st, 1), store->key_path);
        store->next_outbox_sequence = sqlite3_column_int64(st, 2);
        err = EV_OK;
    }
    sqlite3_finalize(st);
    return err;
}

static enum ev_err start_thread(struct store *store)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&store->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&store->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&store->thread, NULL, store_thread, store) != 0)
        return EV_ERR_IO;
    store->thread_started = true;
    return EV_OK;
}

enum ev_err store_open(struct loop *loop, const char *state_dir, struct store **ret_store)
{
    char path[4200];
    struct store *store = calloc(1, sizeof *store);
    enum ev_err err = EV_ERR_NOMEM;
    if (store == NULL)
        return err;
    store->loop = loop;
    store->audit_fd = -1;
    store->keep_days = 30;
    atomic_init(&store->healthy, true);
    store->open = batch_new();
    (void)snprintf(store->key_path, sizeof store->key_path, "%s/key.pem", state_dir);
    (void)snprintf(path, sizeof path, "%s/central.db", state_dir);
    if ((err = database_open(path, STORE_MIGRATIONS, STORE_MIGRATION_COUNT, &store->write_db)) != EV_OK ||
        (err = database_open_read_only(path, &store->read_db)) != EV_OK ||
        (err = store_writer_init(&store->writer, database_handle(store->write_db))) != EV_OK ||
        (err = load_positions(store)) != EV_OK ||
        (err = audit_file_open(state_dir, store, &store->audit_fd)) != EV_OK ||
        (err = start_thread(store)) != EV_OK)
        goto out;
    *ret_store = store;
    store = NULL;
out:
    store_close(store);
    return err;
}

static void stop_thread(struct store *store)
{
    if (!store->thread_started)
        return;
    (void)pthread_mutex_lock(&store->lock);
    store->stopping = true;
    (void)pthread_cond_signal(&store->wake);
    (void)pthread_mutex_unlock(&store->lock);
    (void)pthread_join(store->thread, NULL);
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    stop_thread(store);
    if (store->committed != NULL) {
        struct batch *batch = store->committed;
        store->committed = NULL;
        speak(store, batch);
    }
    /* What came after the last hand-over is committed here. Its speech may add a little more, but not for
     * ever. */
    for (int round = 0;
         round < 8 && store->thread_started && (store->open->count > 0 || store->open->after_count > 0);
         round++) {
        struct batch *last = store->open;
        last->audit_rows = calloc(last->count + 1, sizeof *last->audit_rows);
        EV_ASSERT(last->audit_rows != NULL);
        store->open = batch_new();
        if (commit_batch(store, last) == EV_OK)
            append_audit_file(store, last);
        speak(store, last);
    }
    batch_free(store->open);
    store_writer_fini(&store->writer);
    audit_chain_fini(&store->writer.audit);
    database_close(store->read_db);
    database_close(store->write_db);
    if (store->audit_fd >= 0)
        (void)close(store->audit_fd);
    if (store->thread_started) {
        (void)pthread_mutex_destroy(&store->lock);
        (void)pthread_cond_destroy(&store->wake);
    }
    free(store);
}
