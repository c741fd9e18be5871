/* store_read.c - loading at start and look-ups, on the loop thread's read-only connection. */
#include "central/store_internal.h"

#include <stdio.h>
#include <string.h>

static enum ev_err reader_prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement)
{
    if (sqlite3_prepare_v2(store_reader(store), sql, -1, ret_statement, NULL) != SQLITE_OK)
        return EV_ERR_DB;
    return EV_OK;
}

static enum ev_err reader_finish(sqlite3_stmt *statement, int last_rc)
{
    sqlite3_finalize(statement);
    return last_rc == SQLITE_DONE || last_rc == SQLITE_ROW ? EV_OK : EV_ERR_DB;
}

static void column_text(sqlite3_stmt *statement, int column, char *ret_text, size_t capacity)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    (void)snprintf(ret_text, capacity, "%s", text == NULL ? "" : (const char *)text);
}

static uint64_t column_u64(sqlite3_stmt *statement, int column)
{
    sqlite3_int64 value = sqlite3_column_int64(statement, column);
    return value < 0 ? 0 : (uint64_t)value;
}

static uint32_t column_u32(sqlite3_stmt *statement, int column)
{
    uint64_t value = column_u64(statement, column);
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

enum ev_err store_load_charge_points(struct store *store,
                                     void (*row)(void *user, const struct store_charge_point *), void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (reader_prepare(store, "SELECT * FROM charge_point ORDER BY id", &st) != EV_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_charge_point cp = {0};
        column_text(st, 0, cp.id.text, sizeof cp.id.text);
        column_text(st, 1, cp.city, sizeof cp.city);
        cp.lat = sqlite3_column_double(st, 2);
        cp.lon = sqlite3_column_double(st, 3);
        cp.price_cents_per_kwh = column_u32(st, 4);
        cp.max_power_w = column_u32(st, 5);
        cp.speed = sqlite3_column_double(st, 6);
        cp.holds = column_u32(st, 7);
        cp.key_epoch = column_u32(st, 8);
        column_text(st, 9, cp.key_sha256, sizeof cp.key_sha256);
        cp.revoked = sqlite3_column_int(st, 10) != 0;
        cp.registered = sqlite3_column_int(st, 11) != 0;
        cp.plugged = sqlite3_column_int(st, 12) != 0;
        row(user, &cp);
    }
    return reader_finish(st, rc);
}

enum ev_err store_load_nodes(struct store *store, void (*row)(void *user, const struct store_node *),
                             void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (reader_prepare(store, "SELECT * FROM node ORDER BY role, id", &st) != EV_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_node node = {0};
        node.role = sqlite3_column_int(st, 0);
        column_text(st, 1, node.id, sizeof node.id);
        column_text(st, 2, node.key_sha256, sizeof node.key_sha256);
        node.revoked = sqlite3_column_int(st, 3) != 0;
        node.registered = sqlite3_column_int(st, 4) != 0;
        row(user, &node);
    }
    return reader_finish(st, rc);
}

static void read_session(sqlite3_stmt *st, struct store_session *ret_session)
{
    struct store_session session = {0};
    column_text(st, 0, session.id.text, sizeof session.id.text);
    column_text(st, 1, session.request_id.text, sizeof session.request_id.text);
    column_text(st, 2, session.cp_id.text, sizeof session.cp_id.text);
    column_text(st, 3, session.driver_id.text, sizeof session.driver_id.text);
    session.state = sqlite3_column_int(st, 4);
    session.stop_reason = sqlite3_column_int(st, 5);
    column_text(st, 6, session.reason, sizeof session.reason);
    session.requested_at_ms = sqlite3_column_int64(st, 7);
    session.started_at_ms = sqlite3_column_int64(st, 8);
    session.ended_at_ms = sqlite3_column_int64(st, 9);
    session.settling_since_ms = sqlite3_column_int64(st, 10);
    session.energy_wms = column_u64(st, 11);
    session.target_wh = column_u64(st, 12);
    session.energy_wh = column_u64(st, 13);
    session.cost_cents = column_u64(st, 14);
    session.price_cents_per_kwh = column_u32(st, 15);
    session.pending_stop = sqlite3_column_int(st, 16);
    *ret_session = session;
}

enum ev_err store_load_open_sessions(struct store *store,
                                     void (*row)(void *user, const struct store_session *), void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (reader_prepare(store, "SELECT * FROM session WHERE is_open = 1 ORDER BY id", &st) != EV_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_session session;
        read_session(st, &session);
        row(user, &session);
    }
    return reader_finish(st, rc);
}

enum ev_err store_load_keys(struct store *store, void (*row)(void *user, const struct store_key *),
                            void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (reader_prepare(store, "SELECT * FROM telemetry_key ORDER BY owner, epoch", &st) != EV_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_key key = {0};
        column_text(st, 0, key.owner, sizeof key.owner);
        key.epoch = column_u32(st, 1);
        if (sqlite3_column_bytes(st, 2) != (int)sizeof key.key)
            continue;
        memcpy(key.key, sqlite3_column_blob(st, 2), sizeof key.key);
        key.issued_at_ms = sqlite3_column_int64(st, 3);
        key.superseded_at_ms = sqlite3_column_int64(st, 4);
        key.last_sequence = column_u64(st, 5);
        key.declared_last_sequence = sqlite3_column_int64(st, 6);
        key.send_sequence_reserved = column_u64(st, 7);
        row(user, &key);
    }
    return reader_finish(st, rc);
}

enum ev_err store_load_outbox(struct store *store,
                              void (*row)(void *user, int64_t sequence, enum store_outbox_kind kind,
                                          const char *key, const char *body),
                              void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (reader_prepare(store, "SELECT sequence, kind, key, body FROM outbox ORDER BY sequence", &st) != EV_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        row(user, sqlite3_column_int64(st, 0), (enum store_outbox_kind)sqlite3_column_int(st, 1),
            (const char *)sqlite3_column_text(st, 2), (const char *)sqlite3_column_text(st, 3));
    return reader_finish(st, rc);
}

enum ev_err store_load_offset(struct store *store, const char *cluster_id, const char *topic,
                              int32_t partition, int64_t *ret_next_offset)
{
    sqlite3_stmt *st = NULL;
    if (reader_prepare(
            store, "SELECT next_offset FROM kafka_offset WHERE cluster_id=?1 AND topic=?2 AND partition=?3",
            &st) != EV_OK)
        return EV_ERR_DB;
    store_bind_text(st, 1, cluster_id);
    store_bind_text(st, 2, topic);
    (void)sqlite3_bind_int(st, 3, partition);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *ret_next_offset = sqlite3_column_int64(st, 0);
    enum ev_err err = reader_finish(st, rc);
    return err == EV_OK && rc == SQLITE_DONE ? EV_ERR_NOT_FOUND : err;
}

enum ev_err store_load_setting(struct store *store, const char *name, char *ret_value, size_t capacity)
{
    sqlite3_stmt *st = NULL;
    if (reader_prepare(store, "SELECT value FROM setting WHERE name=?1", &st) != EV_OK)
        return EV_ERR_DB;
    store_bind_text(st, 1, name);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        column_text(st, 0, ret_value, capacity);
    enum ev_err err = reader_finish(st, rc);
    return err == EV_OK && rc == SQLITE_DONE ? EV_ERR_NOT_FOUND : err;
}

enum ev_err store_load_weather(struct store *store,
                               void (*row)(void *user, const char *city, double temperature_c, bool alert,
                                           int64_t observed_at_ms, const char *source),
                               void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (reader_prepare(store,
                       "SELECT city, temperature_c, alert, observed_at_ms, source FROM weather ORDER BY city",
                       &st) != EV_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        row(user, (const char *)sqlite3_column_text(st, 0), sqlite3_column_double(st, 1),
            sqlite3_column_int(st, 2) != 0, sqlite3_column_int64(st, 3),
            (const char *)sqlite3_column_text(st, 4));
    return reader_finish(st, rc);
}

static enum ev_err find_one_session(sqlite3_stmt *st, struct store_session *ret_session)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        read_session(st, ret_session);
    enum ev_err err = reader_finish(st, rc);
    return err == EV_OK && rc == SQLITE_DONE ? EV_ERR_NOT_FOUND : err;
}

enum ev_err store_find_session(struct store *store, const struct session_id *id,
                               struct store_session *ret_session)
{
    sqlite3_stmt *st = NULL;
    if (reader_prepare(store, "SELECT * FROM session WHERE id=?1", &st) != EV_OK)
        return EV_ERR_DB;
    store_bind_text(st, 1, id->text);
    return find_one_session(st, ret_session);
}

enum ev_err store_find_session_by_request(struct store *store, const struct driver_id *driver,
                                          const struct request_id *request, struct store_session *ret_session)
{
    sqlite3_stmt *st = NULL;
    if (reader_prepare(store, "SELECT * FROM session WHERE driver_id=?1 AND request_id=?2", &st) != EV_OK)
        return EV_ERR_DB;
    store_bind_text(st, 1, driver->text);
    store_bind_text(st, 2, request->text);
    return find_one_session(st, ret_session);
}

/* The filters are constant text; every value is bound. */
static void session_list_sql(const struct store_session_query *query, char *ret_sql, size_t capacity)
{
    (void)snprintf(
        ret_sql, capacity, "SELECT * FROM session WHERE 1%s%s%s%s%s%s ORDER BY id DESC LIMIT ?7",
        query->state >= 0 ? " AND state = ?1" : "", query->driver != NULL ? " AND driver_id = ?2" : "",
        query->cp != NULL ? " AND cp_id = ?3" : "", query->from_ms >= 0 ? " AND requested_at_ms >= ?4" : "",
        query->to_ms >= 0 ? " AND requested_at_ms < ?5" : "", query->after[0] != '\0' ? " AND id < ?6" : "");
}

enum ev_err store_list_sessions(struct store *store, const struct store_session_query *query,
                                void (*row)(void *user, const struct store_session *), void *user)
{
    char sql[320];
    sqlite3_stmt *st = NULL;
    int rc;
    session_list_sql(query, sql, sizeof sql);
    if (reader_prepare(store, sql, &st) != EV_OK)
        return EV_ERR_DB;
    (void)sqlite3_bind_int(st, 1, query->state);
    if (query->driver != NULL)
        store_bind_text(st, 2, query->driver);
    if (query->cp != NULL)
        store_bind_text(st, 3, query->cp);
    (void)sqlite3_bind_int64(st, 4, query->from_ms);
    (void)sqlite3_bind_int64(st, 5, query->to_ms);
    store_bind_text(st, 6, query->after);
    store_bind_u64(st, 7, query->limit);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_session session;
        read_session(st, &session);
        row(user, &session);
    }
    return reader_finish(st, rc);
}

enum ev_err store_list_audit(struct store *store, int64_t before, const char *action, size_t limit,
                             void (*row)(void *user, const struct store_audit_row *), void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    const char *sql = action != NULL
                          ? "SELECT * FROM audit WHERE seq < ?1 AND action = ?3 ORDER BY seq DESC LIMIT ?2"
                          : "SELECT * FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
    if (reader_prepare(store, sql, &st) != EV_OK)
        return EV_ERR_DB;
    (void)sqlite3_bind_int64(st, 1, before > 0 ? before : INT64_MAX);
    store_bind_u64(st, 2, limit);
    if (action != NULL)
        store_bind_text(st, 3, action);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_audit_row entry;
        store_read_audit_row(st, &entry);
        row(user, &entry);
    }
    return reader_finish(st, rc);
}

void store_read_audit_row(sqlite3_stmt *st, struct store_audit_row *ret_row)
{
    memset(ret_row, 0, sizeof *ret_row);
    ret_row->seq = sqlite3_column_int64(st, 0);
    ret_row->entry.at_ms = sqlite3_column_int64(st, 1);
    column_text(st, 2, ret_row->entry.who, sizeof ret_row->entry.who);
    column_text(st, 3, ret_row->entry.address, sizeof ret_row->entry.address);
    column_text(st, 4, ret_row->entry.action, sizeof ret_row->entry.action);
    column_text(st, 5, ret_row->entry.target, sizeof ret_row->entry.target);
    column_text(st, 6, ret_row->entry.outcome, sizeof ret_row->entry.outcome);
    column_text(st, 7, ret_row->entry.detail, sizeof ret_row->entry.detail);
    column_text(st, 8, ret_row->hash, sizeof ret_row->hash);
}

enum ev_err store_sum_tickets(struct store *store, int64_t day_start_ms, uint64_t *ret_energy_wh,
                              uint64_t *ret_cost_cents)
{
    sqlite3_stmt *st = NULL;
    if (reader_prepare(store,
                       "SELECT coalesce(sum(energy_wh), 0), coalesce(sum(cost_cents), 0) FROM session "
                       "WHERE ended_at_ms >= ?1 AND ended_at_ms < ?1 + 86400000 AND state = ?2",
                       &st) != EV_OK)
        return EV_ERR_DB;
    (void)sqlite3_bind_int64(st, 1, day_start_ms);
    (void)sqlite3_bind_int(st, 2, SESSION_FINISHED);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret_energy_wh = column_u64(st, 0);
        *ret_cost_cents = column_u64(st, 1);
    }
    return reader_finish(st, rc);
}
