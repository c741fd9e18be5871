/* accounts.c - passwords and sign-ins. See accounts.h for what is kept where. */
#include "central/accounts.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/central.h"
#include "central/store_internal.h"
#include "common/runtime/database.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/state_dir.h"
#include "common/runtime/worker.h"

#define PASSWORD_RANDOM_BYTES 15

struct token {
    unsigned char hash[crypto_generichash_BYTES];
    char name[ACCOUNTS_NAME_MAX + 1];
    int64_t generation;
    int64_t expires_mono_ms;
};

struct failures {
    char address[64];
    int count;
    int64_t since_mono_ms;
};

struct accounts {
    struct central *central;
    struct worker *worker;
    struct token tokens[ACCOUNTS_TOKENS_MAX]; /* in no order; expires_mono_ms 0: free */
    struct failures failures[ACCOUNTS_ADDRESSES_MAX];
    int checks_running;
    char decoy_hash[crypto_pwhash_STRBYTES]; /* checked for unknown names, so that they take as long */
};

/* ---- the account's row ---- */

struct account_row {
    char hash[crypto_pwhash_STRBYTES];
    int64_t generation;
};

static bool find_account(sqlite3 *db, const char *name, struct account_row *ret_row)
{
    sqlite3_stmt *st = NULL;
    bool found = false;
    if (sqlite3_prepare_v2(db, "SELECT password_hash, generation FROM account WHERE name = ?1", -1, &st,
                           NULL) != SQLITE_OK)
        return false;
    store_bind_text(st, 1, name);
    if (sqlite3_step(st) == SQLITE_ROW) {
        (void)snprintf(ret_row->hash, sizeof ret_row->hash, "%s", (const char *)sqlite3_column_text(st, 0));
        ret_row->generation = sqlite3_column_int64(st, 1);
        found = true;
    }
    sqlite3_finalize(st);
    return found;
}

static enum ev_err write_account(sqlite3 *db, const char *name, const char *hash)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db,
                           "INSERT INTO account VALUES (?1, ?2, 1) ON CONFLICT (name) DO UPDATE SET "
                           "password_hash = ?2, generation = generation + 1",
                           -1, &st, NULL) != SQLITE_OK)
        return EV_ERR_DB;
    store_bind_text(st, 1, name);
    store_bind_text(st, 2, hash);
    enum ev_err err = store_run(st);
    sqlite3_finalize(st);
    return err;
}

static enum ev_err hash_password(const char *password, char ret_hash[crypto_pwhash_STRBYTES])
{
    if (crypto_pwhash_str(ret_hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return EV_ERR_NOMEM;
    return EV_OK;
}

static void random_password(char *ret_password, size_t capacity)
{
    unsigned char bytes[PASSWORD_RANDOM_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2base64(ret_password, capacity, bytes, sizeof bytes,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
}

enum ev_err accounts_set_password(const char *state_dir, const char *password, struct failure *ret_failure)
{
    char path[4200], generated[64], hash[crypto_pwhash_STRBYTES], file[ACCOUNTS_PASSWORD_MAX + 2];
    struct database *db = NULL;
    (void)snprintf(path, sizeof path, "%s/central.db", state_dir);
    if (password == NULL)
        random_password(generated, sizeof generated);
    const char *chosen = password == NULL ? generated : password;
    if (strlen(chosen) < 8 || strlen(chosen) > ACCOUNTS_PASSWORD_MAX)
        return failure_set(ret_failure, EV_ERR_RANGE, "a password has 8 to %d bytes", ACCOUNTS_PASSWORD_MAX);
    enum ev_err err = hash_password(chosen, hash);
    if (err != EV_OK)
        return failure_set(ret_failure, err, "not enough memory to hash the password");
    err = database_open(path, STORE_MIGRATIONS, STORE_MIGRATION_COUNT, &db);
    if (err == EV_OK)
        err = write_account(database_handle(db), "admin", hash);
    if (err != EV_OK)
        (void)failure_set(ret_failure, err, "cannot write the account to %s", path);
    database_close(db);
    if (err == EV_OK) {
        int length = snprintf(file, sizeof file, "%s\n", chosen);
        (void)snprintf(path, sizeof path, "%s/admin-password", state_dir);
        err = state_file_write_atomic(path, file, (size_t)length, 0600, ret_failure);
    }
    sodium_memzero(generated, sizeof generated);
    sodium_memzero(file, sizeof file);
    return err;
}

/* ---- opening ---- */

static enum ev_err make_first_account(struct central *central)
{
    char path[4200];
    struct failure failure;
    struct account_row row;
    uint8_t *password = NULL;
    size_t length = 0;
    if (find_account(store_reader(central->store), "admin", &row))
        return EV_OK;
    enum ev_err err = accounts_set_password(central->options.state_dir, NULL, &failure);
    if (err == EV_OK) {
        (void)snprintf(path, sizeof path, "%s/admin-password", central->options.state_dir);
        err = state_file_read(path, &password, &length, &failure);
    }
    if (err != EV_OK) {
        log_error("accounts.failed", log_str("reason", failure.text));
        return err;
    }
    password[strcspn((char *)password, "\n")] = '\0';
    log_warn("accounts.created", log_str("name", "admin"), log_str("password", (const char *)password),
             log_str("kept_in", path),
             log_str("note", "shown this once; change it with: ev_central admin-password"));
    state_dir_bytes_free(password, length);
    return EV_OK;
}

enum ev_err accounts_open(struct central *central, struct accounts **ret_accounts)
{
    struct accounts *accounts = calloc(1, sizeof *accounts);
    enum ev_err err = EV_ERR_NOMEM;
    if (accounts == NULL)
        return err;
    accounts->central = central;
    if ((err = make_first_account(central)) != EV_OK ||
        (err = worker_new(central->loop, 1, &accounts->worker)) != EV_OK ||
        (err = hash_password("nobody has this password", accounts->decoy_hash)) != EV_OK)
        goto out;
    *ret_accounts = accounts;
    accounts = NULL;
out:
    accounts_close(accounts);
    return err;
}

void accounts_close(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    worker_free(accounts->worker);
    sodium_memzero(accounts->tokens, sizeof accounts->tokens);
    free(accounts);
}

/* ---- limits on guessing ---- */

static struct failures *failures_of(struct accounts *accounts, const char *address, bool make)
{
    struct failures *oldest = &accounts->failures[0];
    for (size_t i = 0; i < ACCOUNTS_ADDRESSES_MAX; i++) {
        struct failures *entry = &accounts->failures[i];
        if (entry->count > 0 && strcmp(entry->address, address) == 0)
            return entry;
        if (entry->since_mono_ms < oldest->since_mono_ms)
            oldest = entry;
    }
    if (!make)
        return NULL;
    memset(oldest, 0, sizeof *oldest);
    (void)snprintf(oldest->address, sizeof oldest->address, "%s", address);
    return oldest;
}

/* Seconds that this address has to wait, 0 none. */
static int must_wait_s(struct accounts *accounts, const char *address, int64_t now_ms)
{
    struct failures *entry = failures_of(accounts, address, false);
    if (entry == NULL)
        return 0;
    int64_t left_ms = entry->since_mono_ms + ACCOUNTS_WINDOW_MS - now_ms;
    if (left_ms <= 0) {
        memset(entry, 0, sizeof *entry);
        return 0;
    }
    return entry->count >= ACCOUNTS_FAILURES_MAX ? (int)(left_ms / 1000) + 1 : 0;
}

static void count_failure(struct accounts *accounts, const char *address, int64_t now_ms)
{
    struct failures *entry = failures_of(accounts, address, true);
    if (entry->count == 0)
        entry->since_mono_ms = now_ms;
    entry->count++;
}

/* ---- tokens ---- */

static void hash_token(const char *token, unsigned char ret_hash[crypto_generichash_BYTES])
{
    (void)crypto_generichash(ret_hash, crypto_generichash_BYTES, (const unsigned char *)token, strlen(token),
                             NULL, 0);
}

static struct token *find_token(struct accounts *accounts, const char *token)
{
    unsigned char hash[crypto_generichash_BYTES];
    int64_t now_ms = loop_now_ms(accounts->central->loop);
    hash_token(token, hash);
    for (size_t i = 0; i < ACCOUNTS_TOKENS_MAX; i++) {
        struct token *entry = &accounts->tokens[i];
        if (entry->expires_mono_ms > now_ms && sodium_memcmp(entry->hash, hash, sizeof hash) == 0)
            return entry;
    }
    return NULL;
}

static void make_token(struct accounts *accounts, int64_t generation, struct accounts_sign_in *result)
{
    unsigned char bytes[32];
    struct token *slot = &accounts->tokens[0];
    for (size_t i = 1; i < ACCOUNTS_TOKENS_MAX; i++) {
        if (accounts->tokens[i].expires_mono_ms < slot->expires_mono_ms)
            slot = &accounts->tokens[i];
    }
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2hex(result->token, sizeof result->token, bytes, sizeof bytes);
    hash_token(result->token, slot->hash);
    (void)snprintf(slot->name, sizeof slot->name, "%s", result->name);
    slot->generation = generation;
    slot->expires_mono_ms = loop_now_ms(accounts->central->loop) + ACCOUNTS_TOKEN_MS;
    result->expires_at_ms = wall_now_ms() + ACCOUNTS_TOKEN_MS;
}

bool accounts_find_token(struct accounts *accounts, const char *token, char ret_name[ACCOUNTS_NAME_MAX + 1])
{
    struct account_row row;
    struct token *entry = find_token(accounts, token);
    if (entry == NULL)
        return false;
    if (!find_account(store_reader(accounts->central->store), entry->name, &row) ||
        row.generation != entry->generation) {
        sodium_memzero(entry, sizeof *entry); /* the password was changed since */
        return false;
    }
    (void)snprintf(ret_name, ACCOUNTS_NAME_MAX + 1, "%s", entry->name);
    return true;
}

bool accounts_sign_out(struct accounts *accounts, const char *token)
{
    struct token *entry = find_token(accounts, token);
    if (entry == NULL)
        return false;
    sodium_memzero(entry, sizeof *entry);
    return true;
}

/* ---- checking a password on the worker thread ---- */

struct check {
    struct accounts *accounts;
    char address[64];
    char password[ACCOUNTS_PASSWORD_MAX + 1];
    char hash[crypto_pwhash_STRBYTES];
    int64_t generation;
    bool known, matches;
    bool at_once; /* the verdict is there already: nothing to check */
    struct accounts_sign_in result;
    void (*done)(void *user, const struct accounts_sign_in *result);
    void *user;
};

static void check_work(void *arg)
{
    struct check *check = arg;
    if (!check->at_once)
        check->matches = crypto_pwhash_str_verify(check->hash, check->password, strlen(check->password)) == 0;
    sodium_memzero(check->password, sizeof check->password);
}

static void check_done(void *arg)
{
    struct check *check = arg;
    struct accounts *accounts = check->accounts;
    if (!check->at_once) {
        accounts->checks_running--;
        bool good = check->known && check->matches;
        check->result.verdict = good ? ACCOUNTS_OK : ACCOUNTS_DENIED;
        if (good)
            make_token(accounts, check->generation, &check->result);
        else
            count_failure(accounts, check->address, loop_now_ms(accounts->central->loop));
    }
    check->done(check->user, &check->result);
    sodium_memzero(check, sizeof *check);
    free(check);
}

void accounts_check_password(struct accounts *accounts, const char *name, const char *password,
                             const char *address,
                             void (*done)(void *user, const struct accounts_sign_in *result), void *user)
{
    struct account_row row = {0};
    struct check *check = calloc(1, sizeof *check);
    EV_ASSERT(check != NULL);
    check->accounts = accounts;
    check->done = done;
    check->user = user;
    (void)snprintf(check->address, sizeof check->address, "%s", address);
    (void)snprintf(check->result.name, sizeof check->result.name, "%s", name);
    int wait_s = must_wait_s(accounts, address, loop_now_ms(accounts->central->loop));
    if (wait_s == 0 && accounts->checks_running >= ACCOUNTS_CHECKS_MAX)
        wait_s = 1;
    if (wait_s > 0 || strlen(password) > ACCOUNTS_PASSWORD_MAX || strlen(name) > ACCOUNTS_NAME_MAX) {
        check->at_once = true;
        check->result.verdict = wait_s > 0 ? ACCOUNTS_LIMITED : ACCOUNTS_DENIED;
        check->result.retry_after_s = wait_s;
    } else {
        check->known = find_account(store_reader(accounts->central->store), name, &row);
        check->generation = row.generation;
        (void)snprintf(check->hash, sizeof check->hash, "%s", check->known ? row.hash : accounts->decoy_hash);
        (void)snprintf(check->password, sizeof check->password, "%s", password);
        accounts->checks_running++;
    }
    if (worker_submit(accounts->worker, check_work, check_done, check) != EV_OK) {
        if (!check->at_once)
            accounts->checks_running--;
        check->at_once = true;
        check->result.verdict = ACCOUNTS_LIMITED;
        check->result.retry_after_s = 1;
        loop_post(accounts->central->loop, check_done, check);
    }
}
