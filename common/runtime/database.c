/* database.c - see database.h. */
#include "common/runtime/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/runtime/log.h"

struct database {
    sqlite3 *handle;
};

sqlite3 *database_handle(struct database *database)
{
    return database->handle;
}

enum ev_err database_run(struct database *database, const char *sql)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? EV_OK : EV_ERR_DB;
}

static enum ev_err read_version(struct database *database, int *ret_version)
{
    sqlite3_stmt *statement = NULL;
    enum ev_err err = EV_ERR_DB;
    if (sqlite3_prepare_v2(database->handle, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *ret_version = sqlite3_column_int(statement, 0);
        err = EV_OK;
    }
    sqlite3_finalize(statement);
    return err;
}

/* One step, guarded against another process that does the same at the same time. */
static enum ev_err migrate_once(struct database *database, const char *const *migrations, size_t count,
                                bool *ret_done)
{
    char pragma[48];
    int version = 0;
    enum ev_err err = database_run(database, "BEGIN IMMEDIATE");
    if (err != EV_OK)
        return err;
    err = read_version(database, &version);
    if (err == EV_OK && (version < 0 || (size_t)version > count))
        err = EV_ERR_UNSUPPORTED;
    if (err == EV_OK && (size_t)version == count)
        *ret_done = true;
    if (err == EV_OK && !*ret_done) {
        (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", version + 1);
        err = database_run(database, migrations[version]);
        if (err == EV_OK)
            err = database_run(database, pragma);
    }
    if (err == EV_OK)
        return database_run(database, "COMMIT");
    if (err != EV_ERR_UNSUPPORTED)
        log_error("database.migration_failed", log_int("from", version),
                  log_str("error", sqlite3_errmsg(database->handle)));
    (void)sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static enum ev_err open_handle(const char *path, int flags, struct database **ret_database)
{
    struct database *database = calloc(1, sizeof *database);
    if (database == NULL)
        return EV_ERR_NOMEM;
    if (sqlite3_open_v2(path, &database->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        log_error(
            "database.open_failed", log_str("path", path),
            log_str("error", database->handle == NULL ? "out of memory" : sqlite3_errmsg(database->handle)));
        database_close(database);
        return EV_ERR_DB;
    }
    (void)sqlite3_busy_timeout(database->handle, DATABASE_BUSY_MS);
    (void)sqlite3_extended_result_codes(database->handle, 1);
    *ret_database = database;
    return EV_OK;
}

/* SQLite would make the file with the umask's mode; it also gives the WAL the mode of the file. */
static enum ev_err make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_error("database.open_failed", log_str("path", path), log_str("error", strerror(errno)));
        return EV_ERR_DB;
    }
    (void)close(fd);
    return EV_OK;
}

/* The change to WAL does not wait for another process that makes it too: SQLite's busy handler is not asked.
 */
static enum ev_err set_modes(struct database *database)
{
    static const char SQL[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";
    const struct timespec pause = {.tv_nsec = 10 * 1000000L};
    enum ev_err err = database_run(database, SQL);
    for (int tries = 0; err != EV_OK && (sqlite3_errcode(database->handle) & 0xff) == SQLITE_BUSY &&
                        tries < DATABASE_BUSY_MS / 10;
         tries++) {
        (void)nanosleep(&pause, NULL);
        err = database_run(database, SQL);
    }
    return err;
}

enum ev_err database_open(const char *path, const char *const *migrations, size_t count,
                          struct database **ret_database)
{
    struct database *database = NULL;
    bool done = false;
    enum ev_err err = make_file(path);
    if (err == EV_OK)
        err = open_handle(path, SQLITE_OPEN_READWRITE, &database);
    if (err != EV_OK)
        return err;
    err = set_modes(database);
    while (err == EV_OK && !done)
        err = migrate_once(database, migrations, count, &done);
    if (err != EV_OK) {
        log_error("database.unusable", log_str("path", path),
                  log_str("error", err == EV_ERR_UNSUPPORTED
                                       ? "it was written by a newer version of this program"
                                       : sqlite3_errmsg(database->handle)));
        database_close(database);
        return err;
    }
    *ret_database = database;
    return EV_OK;
}

enum ev_err database_open_read_only(const char *path, struct database **ret_database)
{
    if (access(path, F_OK) != 0)
        return EV_ERR_NOT_FOUND;
    return open_handle(path, SQLITE_OPEN_READONLY, ret_database);
}

void database_close(struct database *database)
{
    if (database == NULL)
        return;
    (void)sqlite3_close(database->handle);
    free(database);
}
