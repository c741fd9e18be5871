/* store.h - what the Registry remembers, in SQLite: invitations, nodes, barred keys, and the feed of changes.
 * Every call is synchronous on the caller's thread: a registration costs one commit, and is rare. Errors are
 * EV_ERR_DB (logged here, in words) unless said otherwise. */
#ifndef EV_REGISTRY_STORE_H
#define EV_REGISTRY_STORE_H

#include "common/rules/ev_err.h"
#include "common/runtime/state_dir.h"
#include "common/runtime/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_HASH_SIZE 32
#define STORE_CITY_SIZE 65    /* 64 bytes and the terminator */
#define STORE_HOSTS_SIZE 4200 /* AUTHORITY_HOSTS_MAX names of 253 bytes, commas, terminator */

struct store;

enum store_status { STORE_REGISTERED, STORE_DEREGISTERED, STORE_REVOKED };

enum store_kind {
    STORE_CHANGE_REGISTERED,
    STORE_CHANGE_RENEWED,
    STORE_CHANGE_DEREGISTERED,
    STORE_CHANGE_REVOKED
};
const char *store_kind_text(enum store_kind kind);

struct store_invitation {
    uint8_t secret_hash[STORE_HASH_SIZE];
    enum node_role role;
    int64_t uses_left;
    int64_t expires_at_ms;
    int64_t made_after_seq; /* filled by store_add_invitation */
};

struct store_node {
    enum node_role role;
    char id[33];
    enum store_status status;
    char key_sha256[TLS_SHA256_HEX];
    char serial[TLS_SERIAL_HEX];
    int64_t expires_at_ms;
    int64_t revoked_seq; /* 0 none */
    char city[STORE_CITY_SIZE];
    double lat, lon;
    int64_t price_cents_per_kwh;
    char hosts[STORE_HOSTS_SIZE]; /* comma between */
};

struct store_change {
    int64_t seq;
    int64_t at_ms;
    char kind[16];
    struct store_node node; /* status, revoked_seq and hosts are not of the change */
};

EV_MUST_CHECK enum ev_err store_open(const struct state_dir *dir, struct store **ret_store);
void store_close(struct store *store);

/* A writer's transaction; beside a running Registry the tool `invite` waits for its turn. */
EV_MUST_CHECK enum ev_err store_begin(struct store *store);
EV_MUST_CHECK enum ev_err store_commit(struct store *store);
void store_rollback(struct store *store);

EV_MUST_CHECK enum ev_err store_add_invitation(struct store *store,
                                               const struct store_invitation *invitation);
/* Errors: EV_ERR_NOT_FOUND. */
EV_MUST_CHECK enum ev_err store_load_invitation(struct store *store,
                                                const uint8_t secret_hash[STORE_HASH_SIZE],
                                                struct store_invitation *ret_invitation);
/* Was it spent on exactly this node and key? */
EV_MUST_CHECK enum ev_err store_is_spent_on(struct store *store, const uint8_t secret_hash[STORE_HASH_SIZE],
                                            const struct store_node *node, bool *ret_spent);
/* Takes one use and notes whom it went to. */
EV_MUST_CHECK enum ev_err store_spend(struct store *store, const uint8_t secret_hash[STORE_HASH_SIZE],
                                      const struct store_node *node);

/* Errors: EV_ERR_NOT_FOUND. */
EV_MUST_CHECK enum ev_err store_load_node(struct store *store, enum node_role role, const char *id,
                                          struct store_node *ret_node);
EV_MUST_CHECK enum ev_err store_save_node(struct store *store, const struct store_node *node);
/* Is the key registered under another role or id? */
EV_MUST_CHECK enum ev_err store_is_key_held(struct store *store, const struct store_node *node,
                                            bool *ret_held);
EV_MUST_CHECK enum ev_err store_is_key_barred(struct store *store, const char *key_sha256, bool *ret_barred);
EV_MUST_CHECK enum ev_err store_bar_key(struct store *store, const char *key_sha256);

EV_MUST_CHECK enum ev_err store_add_change(struct store *store, enum store_kind kind, int64_t at_ms,
                                           const struct store_node *node, int64_t *ret_seq);
EV_MUST_CHECK enum ev_err store_last_seq(struct store *store, int64_t *ret_seq);
/* Calls on_change for each change after `since`, in order, at most `limit`. */
EV_MUST_CHECK enum ev_err store_load_changes(struct store *store, int64_t since, int64_t limit,
                                             void (*on_change)(void *user, const struct store_change *change),
                                             void *user);

#endif
