/* audit_internal.h - what audit.c and audit_verify.c share. */
#ifndef EV_CENTRAL_AUDIT_INTERNAL_H
#define EV_CENTRAL_AUDIT_INTERNAL_H

#include <gnutls/abstract.h>
#include <sqlite3.h>

#include "central/audit.h"

/* Hash of `row` (its own hash is not read) after an entry with the given hash. */
void audit_hash_row(const char *previous_hash, const struct store_audit_row *row, char ret_hash[65]);

/* Errors: EV_ERR_NOT_FOUND (no file), EV_ERR_CRYPTO. The caller owns *ret_key. */
EV_MUST_CHECK enum ev_err audit_load_private_key(const char *path, gnutls_privkey_t *ret_key);

bool audit_check_head(gnutls_pubkey_t key, int64_t seq, const char *hash, const char *signature_hex);

/* Calls back for each row of the table above `after_seq`, in order. */
EV_MUST_CHECK enum ev_err audit_walk(sqlite3 *db, int64_t after_seq,
                                     void (*row)(void *user, const struct store_audit_row *), void *user);

#endif
