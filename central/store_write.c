/* store_write.c - one change to one row. Runs on the store thread, inside its transaction. */
#include "central/store_internal.h"

#include <string.h>

/* One statement for each change kind, in the order of enum store_write_statement. */
static const char *const STATEMENT_SQL[WRITE_STATEMENT_COUNT] = {
    [WRITE_CHARGE_POINT] =
        "INSERT INTO charge_point VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13) ON CONFLICT (id) DO "
        "UPDATE SET "
        "city=?2, lat=?3, lon=?4, price_cents_per_kwh=?5, max_power_w=?6, speed=?7, holds=?8, key_epoch=?9, "
        "key_sha256=?10, revoked=?11, registered=?12, plugged=?13",
    [WRITE_SESSION] =
        "INSERT INTO session VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18) "
        "ON CONFLICT (id) DO UPDATE SET state=?5, stop_reason=?6, reason=?7, started_at_ms=?9, "
        "ended_at_ms=?10, "
        "settling_since_ms=?11, energy_wms=?12, energy_wh=?14, cost_cents=?15, pending_stop=?17, is_open=?18",
    [WRITE_NODE] =
        "INSERT INTO node VALUES (?1,?2,?3,?4,?5) ON CONFLICT (role, id) DO UPDATE SET key_sha256=?3, "
        "revoked=?4, registered=?5",
    [WRITE_KEY] =
        "INSERT INTO telemetry_key VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (owner, epoch) DO UPDATE "
        "SET superseded_at_ms=?5, last_sequence=?6, declared_last_sequence=?7, send_sequence_reserved=?8",
    [WRITE_DROP_KEY] = "DELETE FROM telemetry_key WHERE owner=?1 AND epoch=?2",
    [WRITE_DROP_KEYS] = "DELETE FROM telemetry_key WHERE owner=?1",
    [WRITE_OUTBOX] = "INSERT INTO outbox VALUES (?1,?2,?3,?4)",
    [WRITE_DROP_OUTBOX] = "DELETE FROM outbox WHERE sequence=?1",
    [WRITE_OFFSET] =
        "INSERT INTO kafka_offset VALUES (?1,?2,?3,?4) ON CONFLICT (cluster_id, topic, partition) "
        "DO UPDATE SET next_offset=?4",
    [WRITE_SETTING] = "INSERT INTO setting VALUES (?1,?2) ON CONFLICT (name) DO UPDATE SET value=?2",
    [WRITE_CURVE] = "INSERT INTO curve VALUES (?1,?2,?3,?4,?5) ON CONFLICT (session_id, at_ms) DO UPDATE SET "
                    "power_w=?3, energy_wms=?4, soc_permille=?5",
    [WRITE_WEATHER] = "INSERT INTO weather VALUES (?1,?2,?3,?4,?5) ON CONFLICT (city) DO UPDATE SET "
                      "temperature_c=?2, alert=?3, observed_at_ms=?4, source=?5",
    [WRITE_DROP_WEATHER] = "DELETE FROM weather WHERE city=?1",
    [WRITE_AUDIT] = "INSERT INTO audit VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [WRITE_AUDIT_HEAD] = "INSERT INTO audit_head VALUES (?1,?2,?3)",
    [WRITE_TRIM_AUDIT_HEADS] = "DELETE FROM audit_head WHERE seq <= ?1",
    [WRITE_TRIM_CURVE] = "DELETE FROM curve WHERE at_ms < ?1",
};

enum ev_err store_writer_init(struct store_writer *writer, sqlite3 *db)
{
    memset(writer, 0, sizeof *writer);
    writer->db = db;
    for (size_t i = 0; i < WRITE_STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(db, STATEMENT_SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &writer->statements[i],
                               NULL) != SQLITE_OK) {
            store_writer_fini(writer);
            return EV_ERR_DB;
        }
    }
    return EV_OK;
}

void store_writer_fini(struct store_writer *writer)
{
    for (size_t i = 0; i < WRITE_STATEMENT_COUNT; i++) {
        sqlite3_finalize(writer->statements[i]);
        writer->statements[i] = NULL;
    }
}

void store_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void store_bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
    EV_ASSERT(value <= (uint64_t)INT64_MAX);
    (void)sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

enum ev_err store_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc == SQLITE_DONE ? EV_OK : EV_ERR_DB;
}

static enum ev_err write_charge_point(sqlite3_stmt *st, const struct store_charge_point *cp)
{
    store_bind_text(st, 1, cp->id.text);
    store_bind_text(st, 2, cp->city);
    (void)sqlite3_bind_double(st, 3, cp->lat);
    (void)sqlite3_bind_double(st, 4, cp->lon);
    store_bind_u64(st, 5, cp->price_cents_per_kwh);
    store_bind_u64(st, 6, cp->max_power_w);
    (void)sqlite3_bind_double(st, 7, cp->speed);
    store_bind_u64(st, 8, cp->holds);
    store_bind_u64(st, 9, cp->key_epoch);
    store_bind_text(st, 10, cp->key_sha256);
    (void)sqlite3_bind_int(st, 11, cp->revoked);
    (void)sqlite3_bind_int(st, 12, cp->registered);
    (void)sqlite3_bind_int(st, 13, cp->plugged);
    return store_run(st);
}

static enum ev_err write_session(sqlite3_stmt *st, const struct store_session *session)
{
    bool is_open = session->state <= SESSION_SETTLING;
    store_bind_text(st, 1, session->id.text);
    store_bind_text(st, 2, session->request_id.text);
    store_bind_text(st, 3, session->cp_id.text);
    store_bind_text(st, 4, session->driver_id.text);
    (void)sqlite3_bind_int(st, 5, session->state);
    (void)sqlite3_bind_int(st, 6, session->stop_reason);
    store_bind_text(st, 7, session->reason);
    (void)sqlite3_bind_int64(st, 8, session->requested_at_ms);
    (void)sqlite3_bind_int64(st, 9, session->started_at_ms);
    (void)sqlite3_bind_int64(st, 10, session->ended_at_ms);
    (void)sqlite3_bind_int64(st, 11, session->settling_since_ms);
    store_bind_u64(st, 12, session->energy_wms);
    store_bind_u64(st, 13, session->target_wh);
    store_bind_u64(st, 14, session->energy_wh);
    store_bind_u64(st, 15, session->cost_cents);
    store_bind_u64(st, 16, session->price_cents_per_kwh);
    (void)sqlite3_bind_int(st, 17, session->pending_stop);
    (void)sqlite3_bind_int(st, 18, is_open);
    return store_run(st);
}

static enum ev_err write_node(sqlite3_stmt *st, const struct store_node *node)
{
    (void)sqlite3_bind_int(st, 1, node->role);
    store_bind_text(st, 2, node->id);
    store_bind_text(st, 3, node->key_sha256);
    (void)sqlite3_bind_int(st, 4, node->revoked);
    (void)sqlite3_bind_int(st, 5, node->registered);
    return store_run(st);
}

static enum ev_err write_key(sqlite3_stmt *st, const struct store_key *key)
{
    store_bind_text(st, 1, key->owner);
    store_bind_u64(st, 2, key->epoch);
    (void)sqlite3_bind_blob(st, 3, key->key, sizeof key->key, SQLITE_STATIC);
    (void)sqlite3_bind_int64(st, 4, key->issued_at_ms);
    (void)sqlite3_bind_int64(st, 5, key->superseded_at_ms);
    store_bind_u64(st, 6, key->last_sequence);
    (void)sqlite3_bind_int64(st, 7, key->declared_last_sequence);
    store_bind_u64(st, 8, key->send_sequence_reserved);
    return store_run(st);
}

static enum ev_err write_audit(struct store_writer *writer, struct store_audit_row *row)
{
    sqlite3_stmt *st = writer->statements[WRITE_AUDIT];
    audit_chain_append(&writer->audit, row);
    (void)sqlite3_bind_int64(st, 1, row->seq);
    (void)sqlite3_bind_int64(st, 2, row->entry.at_ms);
    store_bind_text(st, 3, row->entry.who);
    store_bind_text(st, 4, row->entry.address);
    store_bind_text(st, 5, row->entry.action);
    store_bind_text(st, 6, row->entry.target);
    store_bind_text(st, 7, row->entry.outcome);
    store_bind_text(st, 8, row->entry.detail);
    store_bind_text(st, 9, row->hash);
    return store_run(st);
}

static enum ev_err write_outbox(sqlite3_stmt *st, const struct store_change *change)
{
    (void)sqlite3_bind_int64(st, 1, change->of.outbox.sequence);
    (void)sqlite3_bind_int(st, 2, (int)change->of.outbox.kind);
    store_bind_text(st, 3, change->of.outbox.key);
    store_bind_text(st, 4, change->of.outbox.body);
    return store_run(st);
}

static enum ev_err write_offset(sqlite3_stmt *st, const struct store_change *change)
{
    store_bind_text(st, 1, change->of.offset.cluster_id);
    store_bind_text(st, 2, change->of.offset.topic);
    (void)sqlite3_bind_int(st, 3, change->of.offset.partition);
    (void)sqlite3_bind_int64(st, 4, change->of.offset.next_offset);
    return store_run(st);
}

static enum ev_err write_curve(sqlite3_stmt *st, const struct store_change *change)
{
    store_bind_text(st, 1, change->of.curve.session_id.text);
    (void)sqlite3_bind_int64(st, 2, change->of.curve.at_ms);
    store_bind_u64(st, 3, change->of.curve.power_w);
    store_bind_u64(st, 4, change->of.curve.energy_wms);
    (void)sqlite3_bind_int(st, 5, change->of.curve.soc_permille);
    return store_run(st);
}

static enum ev_err write_weather(sqlite3_stmt *st, const struct store_change *change)
{
    store_bind_text(st, 1, change->of.weather.city);
    (void)sqlite3_bind_double(st, 2, change->of.weather.temperature_c);
    (void)sqlite3_bind_int(st, 3, change->of.weather.alert);
    (void)sqlite3_bind_int64(st, 4, change->of.weather.observed_at_ms);
    store_bind_text(st, 5, change->of.weather.source);
    return store_run(st);
}

enum ev_err store_write_change(struct store_writer *writer, const struct store_change *change,
                               struct store_audit_row *audit_row)
{
    sqlite3_stmt **st = writer->statements;
    switch (change->kind) {
    case STORE_SAVE_CHARGE_POINT:
        return write_charge_point(st[WRITE_CHARGE_POINT], &change->of.charge_point);
    case STORE_SAVE_SESSION:
        return write_session(st[WRITE_SESSION], &change->of.session);
    case STORE_SAVE_NODE:
        return write_node(st[WRITE_NODE], &change->of.node);
    case STORE_SAVE_KEY:
        return write_key(st[WRITE_KEY], &change->of.key);
    case STORE_DROP_KEY:
        store_bind_text(st[WRITE_DROP_KEY], 1, change->of.key.owner);
        store_bind_u64(st[WRITE_DROP_KEY], 2, change->of.key.epoch);
        return store_run(st[WRITE_DROP_KEY]);
    case STORE_DROP_KEYS:
        store_bind_text(st[WRITE_DROP_KEYS], 1, change->of.key.owner);
        return store_run(st[WRITE_DROP_KEYS]);
    case STORE_ADD_AUDIT:
        EV_ASSERT(audit_row != NULL);
        audit_row->entry = change->of.audit;
        return write_audit(writer, audit_row);
    case STORE_ADD_OUTBOX:
        return write_outbox(st[WRITE_OUTBOX], change);
    case STORE_DROP_OUTBOX:
        (void)sqlite3_bind_int64(st[WRITE_DROP_OUTBOX], 1, change->of.outbox.sequence);
        return store_run(st[WRITE_DROP_OUTBOX]);
    case STORE_SAVE_OFFSET:
        return write_offset(st[WRITE_OFFSET], change);
    case STORE_SAVE_SETTING:
        store_bind_text(st[WRITE_SETTING], 1, change->of.setting.name);
        store_bind_text(st[WRITE_SETTING], 2, change->of.setting.value);
        return store_run(st[WRITE_SETTING]);
    case STORE_ADD_CURVE:
        return write_curve(st[WRITE_CURVE], change);
    case STORE_SAVE_WEATHER:
        return write_weather(st[WRITE_WEATHER], change);
    case STORE_DROP_WEATHER:
        store_bind_text(st[WRITE_DROP_WEATHER], 1, change->of.weather.city);
        return store_run(st[WRITE_DROP_WEATHER]);
    }
    EV_ASSERT(!"unknown change");
    return EV_ERR_DB;
}

enum ev_err store_write_audit_head(struct store_writer *writer)
{
    char signature[AUDIT_SIGNATURE_TEXT];
    enum ev_err err = audit_chain_sign(&writer->audit, signature, sizeof signature);
    if (err != EV_OK)
        return err == EV_ERR_NOT_FOUND ? EV_OK : err; /* no key yet: the next head covers these entries too */
    sqlite3_stmt *st = writer->statements[WRITE_AUDIT_HEAD];
    (void)sqlite3_bind_int64(st, 1, writer->audit.seq);
    store_bind_text(st, 2, writer->audit.hash);
    store_bind_text(st, 3, signature);
    if (store_run(st) != EV_OK)
        return EV_ERR_DB;
    st = writer->statements[WRITE_TRIM_AUDIT_HEADS];
    (void)sqlite3_bind_int64(st, 1, writer->audit.seq - AUDIT_HEADS_KEPT);
    return store_run(st);
}

enum ev_err store_write_trim_curve(struct store_writer *writer, int64_t before_ms)
{
    (void)sqlite3_bind_int64(writer->statements[WRITE_TRIM_CURVE], 1, before_ms);
    return store_run(writer->statements[WRITE_TRIM_CURVE]);
}
