/* audit.h - the hash chain of the audit trail: appended by the store thread, checked by `ev_central
 * audit-verify`. Hash of an entry: SHA-256 of `previous hash (64 hex digits) \n` followed by the entry's
 * canonical JSON line without its hash. The first entry follows 64 zeros. Heads are signed with Central's
 * private key (ECDSA P-256, SHA-256), so that a chain which somebody recomputed, or cut behind a signed head,
 * does not pass. The table is the truth; STATE/system_audit.log mirrors it and is completed from it at start.
 */
#ifndef EV_CENTRAL_AUDIT_H
#define EV_CENTRAL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "central/store.h"
#include "common/rules/ev_err.h"

#define AUDIT_SIGNATURE_TEXT 256 /* hex digits of a DER signature and NUL */
#define AUDIT_HEADS_KEPT 100000  /* signed heads older than this many entries are trimmed */
#define AUDIT_LINE_MAX 2048      /* one JSON line; a longer detail cannot be: its field is bounded */

/* Where the chain stands. */
struct audit_chain {
    int64_t seq;          /* of the last entry, 0 none */
    char hash[65];        /* of the last entry */
    const char *key_path; /* Central's private key (PEM), borrowed; may not exist yet */
    void *private_key;    /* gnutls_privkey_t once loaded, owned */
};

/* Starts after the given last entry (seq 0, hash NULL: from the beginning). */
void audit_chain_init(struct audit_chain *chain, int64_t seq, const char *hash, const char *key_path);
void audit_chain_fini(struct audit_chain *chain);

/* Gives `row` its seq and hash. */
void audit_chain_append(struct audit_chain *chain, struct store_audit_row *row);

/* Signs `seq hash` of the last entry. Errors: EV_ERR_NOT_FOUND (no key yet), EV_ERR_CRYPTO. */
EV_MUST_CHECK enum ev_err audit_chain_sign(struct audit_chain *chain, char *ret_signature, size_t capacity);

/* The JSON line of an entry, without newline: keys in a fixed order, `hash` last and only when with_hash.
 * Returns its length, always below AUDIT_LINE_MAX. */
size_t audit_format_line(const struct store_audit_row *row, bool with_hash, char *ret_line, size_t capacity);

/* The mirror file. Opens STATE/system_audit.log (0600) and appends what the table has and the file lacks; a
 * torn last line is cut off. The caller owns *ret_fd. */
EV_MUST_CHECK enum ev_err audit_file_open(const char *state_dir, struct store *store, int *ret_fd);

/* Appends one entry's line. A failure (disk full) is retried at the next start: the table is the truth. */
EV_MUST_CHECK enum ev_err audit_file_append(int fd, const struct store_audit_row *row);

/* `ev_central audit-verify`: walks table, file and heads; prints the verdict on standard output, naming the
 * first bad entry. Works beside a running Central. Returns the exit code: 0 whole, 1 not. */
int audit_verify(const char *state_dir);

#endif
