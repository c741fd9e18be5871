#include "registry/store.h"

#include "common/runtime/database.h"
#include "common/runtime/log.h"
#include "registry/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_COLUMNS "role, id, key_sha256, serial, expires_at_ms, city, lat, lon, price_cents_per_kwh"

enum statement {
    ADD_INVITATION,
    LOAD_INVITATION,
    IS_SPENT_ON,
    TAKE_USE,
    ADD_USE,
    LOAD_NODE,
    SAVE_NODE,
    IS_KEY_HELD,
    IS_KEY_BARRED,
    BAR_KEY,
    ADD_CHANGE,
    LAST_SEQ,
    LOAD_CHANGES,
    STATEMENT_COUNT
};

static const char *const SQL[STATEMENT_COUNT] = {
    [ADD_INVITATION] = "INSERT INTO invitation (secret_hash, role, uses_left, expires_at_ms, made_after_seq) "
                       "VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(seq), 0) FROM change))",
    [LOAD_INVITATION] =
        "SELECT role, uses_left, expires_at_ms, made_after_seq FROM invitation WHERE secret_hash = ?1",
    [IS_SPENT_ON] =
        "SELECT 1 FROM invitation_use WHERE secret_hash = ?1 AND role = ?2 AND id = ?3 AND key_sha256 = ?4",
    [TAKE_USE] = "UPDATE invitation SET uses_left = uses_left - 1 WHERE secret_hash = ?1",
    [ADD_USE] =
        "INSERT OR IGNORE INTO invitation_use (secret_hash, role, id, key_sha256) VALUES (?1, ?2, ?3, ?4)",
    [LOAD_NODE] = "SELECT " NODE_COLUMNS ", status, revoked_seq, hosts FROM node WHERE role = ?1 AND id = ?2",
    [SAVE_NODE] =
        "INSERT INTO node (" NODE_COLUMNS ", status, revoked_seq, hosts) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (role, id) DO UPDATE SET "
        "key_sha256 = ?3, serial = ?4, expires_at_ms = ?5, city = ?6, lat = ?7, lon = ?8, "
        "price_cents_per_kwh = ?9, status = ?10, revoked_seq = ?11, hosts = ?12",
    [IS_KEY_HELD] =
        "SELECT 1 FROM node WHERE key_sha256 = ?1 AND status = 'registered' AND NOT (role = ?2 AND id = ?3)",
    [IS_KEY_BARRED] = "SELECT 1 FROM barred_key WHERE key_sha256 = ?1",
    [BAR_KEY] = "INSERT OR IGNORE INTO barred_key (key_sha256) VALUES (?1)",
    [ADD_CHANGE] = "INSERT INTO change (" NODE_COLUMNS
                   ", kind, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [LAST_SEQ] = "SELECT coalesce(max(seq), 0) FROM change",
    [LOAD_CHANGES] =
        "SELECT " NODE_COLUMNS ", kind, at_ms, seq FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2",
};

struct store {
    struct database *database;
    sqlite3 *handle; /* borrowed from database */
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

static const char *const STATUS[] = {"registered", "deregistered", "revoked"};
static const char *const KIND[] = {"registered", "renewed", "deregistered", "revoked"};

const char *store_kind_text(enum store_kind kind)
{
    return KIND[kind];
}

/* ---- SQLite ---- */

static enum ev_err fail(const struct store *store)
{
    log_error("store.failed", log_str("error", sqlite3_errmsg(store->handle)));
    return EV_ERR_DB;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    /* Static: every text outlives the step. A failed bind (out of memory) leaves NULL, which NOT NULL
     * refuses. */
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static void bind_hash(sqlite3_stmt *statement, int index, const uint8_t hash[STORE_HASH_SIZE])
{
    (void)sqlite3_bind_blob(statement, index, hash, STORE_HASH_SIZE, SQLITE_STATIC);
}

static void column_text(sqlite3_stmt *statement, int column, char *buffer, size_t size)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    (void)snprintf(buffer, size, "%s", text == NULL ? "" : (const char *)text);
}

static void done(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

/* Steps a statement that gives no row. */
static enum ev_err run(struct store *store, sqlite3_stmt *statement)
{
    enum ev_err err = sqlite3_step(statement) == SQLITE_DONE ? EV_OK : fail(store);
    done(statement);
    return err;
}

/* Steps a statement that gives at most one row, whose presence is the answer. */
static enum ev_err run_exists(struct store *store, sqlite3_stmt *statement, bool *ret_exists)
{
    int rc = sqlite3_step(statement);
    enum ev_err err = EV_OK;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        *ret_exists = rc == SQLITE_ROW;
    else
        err = fail(store);
    done(statement);
    return err;
}

/* NODE_COLUMNS from parameter 1 on. */
static void bind_node(sqlite3_stmt *statement, const struct store_node *node)
{
    bind_text(statement, 1, node_role_text(node->role));
    bind_text(statement, 2, node->id);
    bind_text(statement, 3, node->key_sha256);
    bind_text(statement, 4, node->serial);
    (void)sqlite3_bind_int64(statement, 5, node->expires_at_ms);
    bind_text(statement, 6, node->city);
    (void)sqlite3_bind_double(statement, 7, node->lat);
    (void)sqlite3_bind_double(statement, 8, node->lon);
    (void)sqlite3_bind_int64(statement, 9, node->price_cents_per_kwh);
}

/* NODE_COLUMNS from column 0 on. */
static void read_node(sqlite3_stmt *statement, struct store_node *ret_node)
{
    char role[16];
    memset(ret_node, 0, sizeof *ret_node);
    column_text(statement, 0, role, sizeof role);
    if (node_role_parse(role, &ret_node->role) != EV_OK)
        ret_node->role = NODE_ROLE_NONE;
    column_text(statement, 1, ret_node->id, sizeof ret_node->id);
    column_text(statement, 2, ret_node->key_sha256, sizeof ret_node->key_sha256);
    column_text(statement, 3, ret_node->serial, sizeof ret_node->serial);
    ret_node->expires_at_ms = sqlite3_column_int64(statement, 4);
    column_text(statement, 5, ret_node->city, sizeof ret_node->city);
    ret_node->lat = sqlite3_column_double(statement, 6);
    ret_node->lon = sqlite3_column_double(statement, 7);
    ret_node->price_cents_per_kwh = sqlite3_column_int64(statement, 8);
}

/* ---- life ---- */

enum ev_err store_open(const struct state_dir *dir, struct store **ret_store)
{
    const char *const migrations[] = {registry_schema};
    char path[4300];
    struct store *store = calloc(1, sizeof *store);
    enum ev_err err = store == NULL ? EV_ERR_NOMEM : EV_OK;
    if (err == EV_OK)
        err = state_dir_file_path(dir, "registry.db", path, sizeof path);
    if (err == EV_OK)
        err = database_open(path, migrations, sizeof migrations / sizeof migrations[0], &store->database);
    if (err == EV_OK)
        store->handle = database_handle(store->database);
    for (int i = 0; err == EV_OK && i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(store->handle, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK)
            err = fail(store);
    }
    if (err != EV_OK) {
        store_close(store);
        return err;
    }
    *ret_store = store;
    return EV_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(store->statements[i]);
    database_close(store->database);
    free(store);
}

enum ev_err store_begin(struct store *store)
{
    return database_run(store->database, "BEGIN IMMEDIATE") == EV_OK ? EV_OK : fail(store);
}

enum ev_err store_commit(struct store *store)
{
    if (database_run(store->database, "COMMIT") == EV_OK)
        return EV_OK;
    enum ev_err err = fail(store);
    store_rollback(store);
    return err;
}

void store_rollback(struct store *store)
{
    if (sqlite3_get_autocommit(store->handle) == 0)
        (void)!database_run(store->database, "ROLLBACK");
}

/* ---- invitations ---- */

enum ev_err store_add_invitation(struct store *store, const struct store_invitation *invitation)
{
    sqlite3_stmt *statement = store->statements[ADD_INVITATION];
    bind_hash(statement, 1, invitation->secret_hash);
    bind_text(statement, 2, node_role_text(invitation->role));
    (void)sqlite3_bind_int64(statement, 3, invitation->uses_left);
    (void)sqlite3_bind_int64(statement, 4, invitation->expires_at_ms);
    return run(store, statement);
}

enum ev_err store_load_invitation(struct store *store, const uint8_t secret_hash[STORE_HASH_SIZE],
                                  struct store_invitation *ret_invitation)
{
    sqlite3_stmt *statement = store->statements[LOAD_INVITATION];
    struct store_invitation found = {0};
    char role[16];
    enum ev_err err = EV_OK;
    bind_hash(statement, 1, secret_hash);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        memcpy(found.secret_hash, secret_hash, STORE_HASH_SIZE);
        column_text(statement, 0, role, sizeof role);
        if (node_role_parse(role, &found.role) != EV_OK)
            found.role = NODE_ROLE_NONE;
        found.uses_left = sqlite3_column_int64(statement, 1);
        found.expires_at_ms = sqlite3_column_int64(statement, 2);
        found.made_after_seq = sqlite3_column_int64(statement, 3);
        *ret_invitation = found;
    } else {
        err = rc == SQLITE_DONE ? EV_ERR_NOT_FOUND : fail(store);
    }
    done(statement);
    return err;
}

static void bind_use(sqlite3_stmt *statement, const uint8_t secret_hash[STORE_HASH_SIZE],
                     const struct store_node *node)
{
    bind_hash(statement, 1, secret_hash);
    bind_text(statement, 2, node_role_text(node->role));
    bind_text(statement, 3, node->id);
    bind_text(statement, 4, node->key_sha256);
}

enum ev_err store_is_spent_on(struct store *store, const uint8_t secret_hash[STORE_HASH_SIZE],
                              const struct store_node *node, bool *ret_spent)
{
    bind_use(store->statements[IS_SPENT_ON], secret_hash, node);
    return run_exists(store, store->statements[IS_SPENT_ON], ret_spent);
}

enum ev_err store_spend(struct store *store, const uint8_t secret_hash[STORE_HASH_SIZE],
                        const struct store_node *node)
{
    bind_hash(store->statements[TAKE_USE], 1, secret_hash);
    enum ev_err err = run(store, store->statements[TAKE_USE]);
    if (err != EV_OK)
        return err;
    bind_use(store->statements[ADD_USE], secret_hash, node);
    return run(store, store->statements[ADD_USE]);
}

/* ---- nodes and keys ---- */

enum ev_err store_load_node(struct store *store, enum node_role role, const char *id,
                            struct store_node *ret_node)
{
    sqlite3_stmt *statement = store->statements[LOAD_NODE];
    char status[16];
    enum ev_err err = EV_OK;
    bind_text(statement, 1, node_role_text(role));
    bind_text(statement, 2, id);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        read_node(statement, ret_node);
        column_text(statement, 9, status, sizeof status);
        ret_node->status = STORE_REVOKED;
        for (int i = STORE_REGISTERED; i <= STORE_REVOKED; i++) {
            if (strcmp(status, STATUS[i]) == 0)
                ret_node->status = (enum store_status)i;
        }
        ret_node->revoked_seq = sqlite3_column_int64(statement, 10);
        column_text(statement, 11, ret_node->hosts, sizeof ret_node->hosts);
    } else {
        err = rc == SQLITE_DONE ? EV_ERR_NOT_FOUND : fail(store);
    }
    done(statement);
    return err;
}

enum ev_err store_save_node(struct store *store, const struct store_node *node)
{
    sqlite3_stmt *statement = store->statements[SAVE_NODE];
    bind_node(statement, node);
    bind_text(statement, 10, STATUS[node->status]);
    (void)sqlite3_bind_int64(statement, 11, node->revoked_seq);
    bind_text(statement, 12, node->hosts);
    return run(store, statement);
}

enum ev_err store_is_key_held(struct store *store, const struct store_node *node, bool *ret_held)
{
    sqlite3_stmt *statement = store->statements[IS_KEY_HELD];
    bind_text(statement, 1, node->key_sha256);
    bind_text(statement, 2, node_role_text(node->role));
    bind_text(statement, 3, node->id);
    return run_exists(store, statement, ret_held);
}

enum ev_err store_is_key_barred(struct store *store, const char *key_sha256, bool *ret_barred)
{
    bind_text(store->statements[IS_KEY_BARRED], 1, key_sha256);
    return run_exists(store, store->statements[IS_KEY_BARRED], ret_barred);
}

enum ev_err store_bar_key(struct store *store, const char *key_sha256)
{
    bind_text(store->statements[BAR_KEY], 1, key_sha256);
    return run(store, store->statements[BAR_KEY]);
}

/* ---- changes ---- */

enum ev_err store_add_change(struct store *store, enum store_kind kind, int64_t at_ms,
                             const struct store_node *node, int64_t *ret_seq)
{
    sqlite3_stmt *statement = store->statements[ADD_CHANGE];
    bind_node(statement, node);
    bind_text(statement, 10, KIND[kind]);
    (void)sqlite3_bind_int64(statement, 11, at_ms);
    enum ev_err err = run(store, statement);
    if (err == EV_OK)
        *ret_seq = sqlite3_last_insert_rowid(store->handle);
    return err;
}

enum ev_err store_last_seq(struct store *store, int64_t *ret_seq)
{
    sqlite3_stmt *statement = store->statements[LAST_SEQ];
    enum ev_err err = EV_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *ret_seq = sqlite3_column_int64(statement, 0);
    else
        err = fail(store);
    done(statement);
    return err;
}

enum ev_err store_load_changes(struct store *store, int64_t since, int64_t limit,
                               void (*on_change)(void *user, const struct store_change *change), void *user)
{
    sqlite3_stmt *statement = store->statements[LOAD_CHANGES];
    struct store_change change = {0};
    int rc = SQLITE_ROW;
    (void)sqlite3_bind_int64(statement, 1, since);
    (void)sqlite3_bind_int64(statement, 2, limit);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        read_node(statement, &change.node);
        column_text(statement, 9, change.kind, sizeof change.kind);
        change.at_ms = sqlite3_column_int64(statement, 10);
        change.seq = sqlite3_column_int64(statement, 11);
        on_change(user, &change);
    }
    enum ev_err err = rc == SQLITE_DONE ? EV_OK : fail(store);
    done(statement);
    return err;
}
