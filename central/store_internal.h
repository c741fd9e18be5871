/* store_internal.h - what store.c, store_write.c and store_read.c share; nobody else includes it. */
#ifndef EV_CENTRAL_STORE_INTERNAL_H
#define EV_CENTRAL_STORE_INTERNAL_H

#include <sqlite3.h>

#include "central/audit.h"
#include "central/store.h"

/* Migrations for database_open; the first is schema.sql. */
#define STORE_MIGRATION_COUNT 1
extern const char STORE_SCHEMA[]; /* embedded at build time */
extern const char *const STORE_MIGRATIONS[STORE_MIGRATION_COUNT];

enum store_write_statement {
    WRITE_CHARGE_POINT,
    WRITE_SESSION,
    WRITE_NODE,
    WRITE_KEY,
    WRITE_DROP_KEY,
    WRITE_DROP_KEYS,
    WRITE_OUTBOX,
    WRITE_DROP_OUTBOX,
    WRITE_OFFSET,
    WRITE_SETTING,
    WRITE_CURVE,
    WRITE_WEATHER,
    WRITE_DROP_WEATHER,
    WRITE_AUDIT,
    WRITE_AUDIT_HEAD,
    WRITE_TRIM_AUDIT_HEADS,
    WRITE_TRIM_CURVE,
    WRITE_STATEMENT_COUNT
};

/* The store thread's side of the database. */
struct store_writer {
    sqlite3 *db; /* borrowed */
    sqlite3_stmt *statements[WRITE_STATEMENT_COUNT];
    struct audit_chain audit; /* rolled back by copy when a transaction fails */
};

EV_MUST_CHECK enum ev_err store_writer_init(struct store_writer *writer, sqlite3 *db);
void store_writer_fini(struct store_writer *writer);

/* Writes one change inside the caller's transaction. audit_row is filled for STORE_ADD_AUDIT, else may be
 * NULL. */
EV_MUST_CHECK enum ev_err store_write_change(struct store_writer *writer, const struct store_change *change,
                                             struct store_audit_row *audit_row);
EV_MUST_CHECK enum ev_err store_write_audit_head(struct store_writer *writer);
EV_MUST_CHECK enum ev_err store_write_trim_curve(struct store_writer *writer, int64_t before_ms);

/* Binding and running; text must live until store_run. */
void store_bind_text(sqlite3_stmt *statement, int index, const char *text);
void store_bind_u64(sqlite3_stmt *statement, int index, uint64_t value);
EV_MUST_CHECK enum ev_err store_run(sqlite3_stmt *statement);

/* The loop thread's read-only connection. */
sqlite3 *store_reader(struct store *store);

/* Reads a row of `SELECT * FROM audit`. */
void store_read_audit_row(sqlite3_stmt *statement, struct store_audit_row *ret_row);

#endif
