/* audit_verify.c - is the audit trail whole? Table, signed heads and mirror file are walked side by side. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/audit.h"
#include "central/audit_internal.h"
#include "central/store_internal.h"
#include "common/runtime/database.h"

struct walk {
    struct audit_chain expected; /* recomputed so far */
    int64_t checked;
    char problem[400]; /* the first thing that is wrong, empty if nothing */
    FILE *file;        /* the mirror, NULL if it cannot be read */
    bool file_ended;
    struct audit_head *heads; /* in seq order */
    size_t head_count, head_next;
    gnutls_pubkey_t public_key; /* NULL: Central has no key yet */
};

struct audit_head {
    int64_t seq;
    char hash[65];
    char signature[AUDIT_SIGNATURE_TEXT];
};

static bool is_broken(const struct walk *walk)
{
    return walk->problem[0] != '\0';
}

static void check_head(struct walk *walk, const struct store_audit_row *row)
{
    const struct audit_head *head = &walk->heads[walk->head_next];
    if (walk->head_next >= walk->head_count || head->seq != row->seq)
        return;
    walk->head_next++;
    if (walk->public_key == NULL)
        return;
    if (strcmp(head->hash, row->hash) != 0 ||
        !audit_check_head(walk->public_key, head->seq, head->hash, head->signature))
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "entry %" PRId64
                       " does not match the head that Central signed: the chain was recomputed",
                       row->seq);
}

static void check_file_line(struct walk *walk, const struct store_audit_row *row)
{
    char expected[AUDIT_LINE_MAX], actual[AUDIT_LINE_MAX + 2];
    if (walk->file == NULL || walk->file_ended)
        return;
    if (fgets(actual, sizeof actual, walk->file) == NULL) {
        walk->file_ended = true; /* the running Central appends a moment after its commit */
        return;
    }
    actual[strcspn(actual, "\n")] = '\0';
    (void)audit_format_line(row, true, expected, sizeof expected);
    if (strcmp(actual, expected) != 0)
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "entry %" PRId64 " differs between the table and system_audit.log", row->seq);
}

static void check_row(void *user, const struct store_audit_row *row)
{
    struct walk *walk = user;
    struct store_audit_row recomputed = *row;
    if (is_broken(walk))
        return;
    audit_chain_append(&walk->expected, &recomputed);
    if (recomputed.seq != row->seq)
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "entry %" PRId64 " is missing: after %" PRId64 " comes %" PRId64, recomputed.seq,
                       recomputed.seq - 1, row->seq);
    else if (strcmp(recomputed.hash, row->hash) != 0)
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "entry %" PRId64 " was changed: its hash does not follow from it and the one before",
                       row->seq);
    if (!is_broken(walk))
        check_file_line(walk, row);
    if (!is_broken(walk))
        check_head(walk, row);
    walk->checked++;
}

enum ev_err audit_walk(sqlite3 *db, int64_t after_seq,
                       void (*row)(void *user, const struct store_audit_row *), void *user)
{
    sqlite3_stmt *st = NULL;
    int rc;
    if (sqlite3_prepare_v2(db, "SELECT * FROM audit WHERE seq > ?1 ORDER BY seq", -1, &st, NULL) != SQLITE_OK)
        return EV_ERR_DB;
    (void)sqlite3_bind_int64(st, 1, after_seq);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_audit_row entry;
        store_read_audit_row(st, &entry);
        row(user, &entry);
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? EV_OK : EV_ERR_DB;
}

static enum ev_err load_heads(struct walk *walk, sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    size_t capacity = 0;
    int rc;
    if (sqlite3_prepare_v2(db, "SELECT seq, hash, signature FROM audit_head ORDER BY seq", -1, &st, NULL) !=
        SQLITE_OK)
        return EV_ERR_DB;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (walk->head_count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            struct audit_head *grown = realloc(walk->heads, capacity * sizeof *grown);
            EV_ASSERT(grown != NULL);
            walk->heads = grown;
        }
        struct audit_head *head = &walk->heads[walk->head_count++];
        head->seq = sqlite3_column_int64(st, 0);
        (void)snprintf(head->hash, sizeof head->hash, "%s", (const char *)sqlite3_column_text(st, 1));
        (void)snprintf(head->signature, sizeof head->signature, "%s",
                       (const char *)sqlite3_column_text(st, 2));
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? EV_OK : EV_ERR_DB;
}

static enum ev_err load_public_key(struct walk *walk, const char *state_dir)
{
    char path[4200];
    gnutls_privkey_t private_key = NULL;
    (void)snprintf(path, sizeof path, "%s/key.pem", state_dir);
    enum ev_err err = audit_load_private_key(path, &private_key);
    if (err != EV_OK)
        return err == EV_ERR_NOT_FOUND ? EV_OK : err;
    err = EV_ERR_CRYPTO;
    if (gnutls_pubkey_init(&walk->public_key) >= 0 &&
        gnutls_pubkey_import_privkey(walk->public_key, private_key, 0, 0) >= 0)
        err = EV_OK;
    gnutls_privkey_deinit(private_key);
    return err;
}

/* After the last entry nothing may be left over: neither a signed head nor a line of the file. */
static void check_ends(struct walk *walk)
{
    char line[64];
    if (is_broken(walk))
        return;
    if (walk->head_count > walk->head_next)
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "entry %" PRId64
                       " is missing: Central signed it as the newest, the table ends at %" PRId64,
                       walk->heads[walk->head_next].seq, walk->expected.seq);
    else if (walk->public_key != NULL && walk->checked > 0 &&
             (walk->head_count == 0 || walk->heads[walk->head_count - 1].seq < walk->expected.seq))
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "entry %" PRId64 " is not covered by a head signed by Central", walk->expected.seq);
    else if (walk->file != NULL && !walk->file_ended && fgets(line, sizeof line, walk->file) != NULL)
        (void)snprintf(walk->problem, sizeof walk->problem,
                       "system_audit.log goes on after the table's last entry %" PRId64
                       ": the table was shortened",
                       walk->expected.seq);
}

static int report(const struct walk *walk)
{
    if (is_broken(walk)) {
        (void)printf("audit trail: BROKEN: %s\n", walk->problem);
        return 1;
    }
    (void)printf("audit trail: whole, %" PRId64 " entries, last hash %s, %zu signed heads%s\n", walk->checked,
                 walk->expected.hash, walk->head_count,
                 walk->file == NULL ? ", system_audit.log not found" : "");
    return 0;
}

int audit_verify(const char *state_dir)
{
    char path[4200];
    struct walk walk = {0};
    struct database *db = NULL;
    int code = 1;
    (void)snprintf(path, sizeof path, "%s/central.db", state_dir);
    if (database_open_read_only(path, &db) != EV_OK) {
        (void)fprintf(stderr, "ev_central: no database at %s: give the --state-dir of a Central\n", path);
        return 1;
    }
    audit_chain_init(&walk.expected, 0, NULL, NULL);
    (void)snprintf(path, sizeof path, "%s/system_audit.log", state_dir);
    walk.file = fopen(path, "re");
    /* One read transaction, so that a running Central cannot move the end while we walk. */
    sqlite3 *handle = database_handle(db);
    if (load_public_key(&walk, state_dir) == EV_OK &&
        sqlite3_exec(handle, "BEGIN", NULL, NULL, NULL) == SQLITE_OK && load_heads(&walk, handle) == EV_OK &&
        audit_walk(handle, 0, check_row, &walk) == EV_OK) {
        check_ends(&walk);
        code = report(&walk);
    } else {
        (void)fprintf(stderr, "ev_central: cannot read the audit trail in %s: %s\n", state_dir,
                      sqlite3_errmsg(handle));
    }
    if (walk.public_key != NULL)
        gnutls_pubkey_deinit(walk.public_key);
    if (walk.file != NULL)
        (void)fclose(walk.file);
    free(walk.heads);
    database_close(db);
    return code;
}
