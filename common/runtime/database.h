/* database.h - opening an SQLite database the one way this project does it: mode 0600, WAL, foreign keys,
 * synchronous FULL, a busy timeout, and migrations counted in `user_version`. Used by registry/store and
 * central/store. */
#ifndef EV_RUNTIME_DATABASE_H
#define EV_RUNTIME_DATABASE_H

#include <sqlite3.h>
#include <stddef.h>

#include "common/rules/ev_err.h"

struct database;

/* How long a writer waits for another process's transaction (a tool beside a running service). */
#define DATABASE_BUSY_MS 5000

/* Opens or makes the file and brings it to version `count`: migrations[i] takes it from i to i + 1, each in
 * its own transaction. Errors (logged in words): EV_ERR_DB; EV_ERR_UNSUPPORTED (made by a newer program). */
EV_MUST_CHECK enum ev_err database_open(const char *path, const char *const *migrations, size_t count,
                                        struct database **ret_database);

/* An existing database, for reading only. Errors: EV_ERR_NOT_FOUND (no such file), EV_ERR_DB. */
EV_MUST_CHECK enum ev_err database_open_read_only(const char *path, struct database **ret_database);

/* NULL is accepted. Statements must be finalised before. */
void database_close(struct database *database);

/* Borrowed; valid until database_close. */
sqlite3 *database_handle(struct database *database);

/* Runs SQL without results. Errors: EV_ERR_DB (text in sqlite3_errmsg of the handle). */
EV_MUST_CHECK enum ev_err database_run(struct database *database, const char *sql);

#endif
