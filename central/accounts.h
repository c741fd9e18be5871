/* accounts.h - admin accounts and who is signed in.
 * Passwords are kept as Argon2id hashes (libsodium, interactive limits) and checked on a worker thread. A
 * token is 32 random bytes; only its hash is in memory, and nothing of it on disk: a restart ends all
 * sign-ins. Setting a password (also by `ev_central admin-password` beside a running Central) raises the
 * account's generation, which ends its sign-ins: each check compares it. Used by api. */
#ifndef EV_CENTRAL_ACCOUNTS_H
#define EV_CENTRAL_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"

struct accounts;
struct central;

#define ACCOUNTS_NAME_MAX 32
#define ACCOUNTS_PASSWORD_MAX 128
#define ACCOUNTS_TOKEN_TEXT 65 /* 64 hex digits and NUL */

enum accounts_verdict { ACCOUNTS_OK, ACCOUNTS_DENIED, ACCOUNTS_LIMITED };

struct accounts_sign_in {
    enum accounts_verdict verdict;
    char name[ACCOUNTS_NAME_MAX + 1];
    char token[ACCOUNTS_TOKEN_TEXT]; /* when OK */
    int64_t expires_at_ms;           /* when OK, wall clock */
    int retry_after_s;               /* when LIMITED */
};

/* Makes `admin` with a random password if there is no account: prints it once on standard error and keeps it
 * in STATE/admin-password (0600). Needs central->loop and central->store. */
EV_MUST_CHECK enum ev_err accounts_open(struct central *central, struct accounts **ret_accounts);
void accounts_close(struct accounts *accounts);

/* Checks a password; done(user, result) on the loop thread, exactly once, never from inside this call. */
void accounts_check_password(struct accounts *accounts, const char *name, const char *password,
                             const char *address,
                             void (*done)(void *user, const struct accounts_sign_in *result), void *user);

/* Whose token this is; false for an unknown, expired or ended one. */
bool accounts_find_token(struct accounts *accounts, const char *token, char ret_name[ACCOUNTS_NAME_MAX + 1]);

/* False if there was no such sign-in. */
bool accounts_sign_out(struct accounts *accounts, const char *token);

/* Sets a password (a random one where `password` is NULL), rewrites STATE/admin-password and ends all
 * sign-ins. Works beside a running Central. */
EV_MUST_CHECK enum ev_err accounts_set_password(const char *state_dir, const char *password,
                                                struct failure *ret_failure);

#endif
