/* store.h - Central's SQLite database, written by one thread of its own.
 * The loop thread adds changes to the open batch; the store thread commits one batch at a time in one
 * transaction (WAL, synchronous FULL) and answers through loop_post. What must be said because of a change is
 * given to store_after_commit and runs on the loop thread after the commit: commit, then speak. Invariant:
 * batches commit in order; a batch that fails (disk full) is retried until it succeeds or Central stops,
 * nothing of it is spoken, and store_is_healthy says false meanwhile. */
#ifndef EV_CENTRAL_STORE_H
#define EV_CENTRAL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/rules/session.h"
#include "common/runtime/loop.h"

struct store;

/* One charge point as it is kept. Owner of the meaning: central/fleet. */
struct store_charge_point {
    struct cp_id id;
    char city[65];
    double lat, lon; /* degrees */
    uint32_t price_cents_per_kwh;
    uint32_t max_power_w; /* last told by the engine, 0 unknown */
    double speed;         /* battery speed factor told by the engine, 1 default */
    uint32_t holds;       /* HOLD_* bits, common/rules/charge_point.h */
    uint32_t key_epoch;   /* last epoch issued */
    char key_sha256[65];  /* public key registered at Registry */
    bool revoked;         /* barred until a new registration */
    bool registered;      /* false: deregistered, history kept */
    bool plugged;
};

/* One session as it is kept; times are ms since 1970, -1 unknown. */
struct store_session {
    struct session_id id;
    struct request_id request_id;
    struct cp_id cp_id;
    struct driver_id driver_id;
    int state;       /* enum session_state */
    int stop_reason; /* enum session_stop_reason, 0 none */
    char reason[64]; /* why rejected, expired or cancelled */
    int64_t requested_at_ms, started_at_ms, ended_at_ms, settling_since_ms;
    uint64_t energy_wms; /* last applied meter */
    uint64_t target_wh;  /* 0 none */
    uint64_t energy_wh;  /* of the ticket, valid when finished */
    uint64_t cost_cents;
    uint32_t price_cents_per_kwh;
    int pending_stop; /* enum session_stop_reason ordered and not yet confirmed, 0 none */
};

/* A node other than a CP: drivers, weather. */
struct store_node {
    int role; /* enum node_role, common/runtime/tls.h */
    char id[33];
    char key_sha256[65];
    bool revoked;
    bool registered;
};

/* A symmetric key of a CP or a driver. The key bytes are wiped from the row when it is dropped. */
struct store_key {
    char owner[40]; /* "cp:MAD" or "driver:ana" */
    uint32_t epoch;
    uint8_t key[32];
    int64_t issued_at_ms;
    int64_t superseded_at_ms;        /* -1 current */
    uint64_t last_sequence;          /* last one applied from this peer */
    int64_t declared_last_sequence;  /* from key_ack, -1 unknown */
    uint64_t send_sequence_reserved; /* Central's own records under it: restart beyond this */
};

struct store_audit {
    int64_t at_ms;
    char who[40];     /* "cp:MAD", "driver:ana", "admin", "central", "registry", "unknown" */
    char address[64]; /* of the peer, empty when it is Central itself */
    char action[40];  /* stable: cp.connect, auth.failed, session.authorise, ... */
    char target[40];
    char outcome[16]; /* ok, refused, error */
    char detail[200]; /* UTF-8, kept and shown literally */
};

enum store_outbox_kind {
    STORE_OUTBOX_NOTICE = 1, /* key = driver id, body = notice JSON in clear, sealed when sent */
    STORE_OUTBOX_STATUS,     /* key = CP id, body = ev.status JSON */
    STORE_OUTBOX_REVOKE      /* key = "role:id", told to Registry until it answers */
};

enum store_change_kind {
    STORE_SAVE_CHARGE_POINT = 1,
    STORE_SAVE_SESSION,
    STORE_SAVE_NODE,
    STORE_SAVE_KEY,
    STORE_DROP_KEY /* owner + epoch */,
    STORE_DROP_KEYS /* all of owner */,
    STORE_ADD_AUDIT,
    STORE_ADD_OUTBOX,
    STORE_DROP_OUTBOX /* by sequence */,
    STORE_SAVE_OFFSET,
    STORE_SAVE_SETTING,
    STORE_ADD_CURVE,
    STORE_SAVE_WEATHER,
    STORE_DROP_WEATHER
};

struct store_change {
    enum store_change_kind kind;
    union {
        struct store_charge_point charge_point;
        struct store_session session;
        struct store_node node;
        struct store_key key;
        struct store_audit audit;
        struct {
            enum store_outbox_kind kind;
            char key[80];
            const char *body; /* copied */
            int64_t sequence; /* STORE_DROP_OUTBOX: which row; STORE_ADD_OUTBOX: given by
                                 store_next_outbox_sequence */
        } outbox;
        struct {
            char cluster_id[64];
            char topic[32];
            int32_t partition;
            int64_t next_offset;
        } offset;
        struct {
            char name[40];
            char value[256];
        } setting; /* registry_seq, kafka_cluster_id, ... */
        struct {
            struct session_id session_id;
            int64_t at_ms; /* start of its 10 s slot */
            uint32_t power_w;
            uint64_t energy_wms;
            uint16_t soc_permille;
        } curve;
        struct {
            char city[65];
            double temperature_c;
            bool alert;
            int64_t observed_at_ms;
            char source[33];
        } weather;
    } of;
};

/* Opens or makes STATE/central.db, migrates it, starts the store thread. Errors: EV_ERR_DB, EV_ERR_IO (logged
 * in words). */
EV_MUST_CHECK enum ev_err store_open(struct loop *loop, const char *state_dir, struct store **ret_store);

/* Commits what is open, stops the thread, closes. NULL is accepted. */
void store_close(struct store *store);

/* Adds a copy of `change` to the open batch. The batch is handed over when the loop is about to wait and no
 * commit is running, so that one drain of a queue is one transaction. Fails with EV_ERR_FULL only beyond
 * STORE_BATCH_MAX. */
EV_MUST_CHECK enum ev_err store_add(struct store *store, const struct store_change *change);

/* Runs fn(arg) on the loop thread when everything added so far is durable; at once, from the loop, if nothing
 * is open. Calls run in the order in which they were given. */
EV_MUST_CHECK enum ev_err store_after_commit(struct store *store, void (*fn)(void *arg), void *arg);

/* Curve points older than this are removed once an hour; 0 keeps all. */
void store_set_keep_days(struct store *store, int days);

/* How many changes wait for a commit; ingestion pauses above STORE_BACKLOG_MAX. */
size_t store_backlog(const struct store *store);
bool store_is_healthy(const struct store *store);
int64_t store_next_outbox_sequence(struct store *store);

/* Loading at start, on the calling thread, before the loop runs. Each calls back once a row, in key order. */
EV_MUST_CHECK enum ev_err store_load_charge_points(struct store *store,
                                                   void (*row)(void *user, const struct store_charge_point *),
                                                   void *user);
EV_MUST_CHECK enum ev_err store_load_nodes(struct store *store,
                                           void (*row)(void *user, const struct store_node *), void *user);
/* Sessions that have not ended (requested, preparing, charging, settling). */
EV_MUST_CHECK enum ev_err store_load_open_sessions(struct store *store,
                                                   void (*row)(void *user, const struct store_session *),
                                                   void *user);
EV_MUST_CHECK enum ev_err store_load_keys(struct store *store,
                                          void (*row)(void *user, const struct store_key *), void *user);
EV_MUST_CHECK enum ev_err store_load_outbox(struct store *store,
                                            void (*row)(void *user, int64_t sequence,
                                                        enum store_outbox_kind kind, const char *key,
                                                        const char *body),
                                            void *user);
EV_MUST_CHECK enum ev_err store_load_offset(struct store *store, const char *cluster_id, const char *topic,
                                            int32_t partition, int64_t *ret_next_offset);
EV_MUST_CHECK enum ev_err store_load_setting(struct store *store, const char *name, char *ret_value,
                                             size_t capacity);
EV_MUST_CHECK enum ev_err store_load_weather(struct store *store,
                                             void (*row)(void *user, const char *city, double temperature_c,
                                                         bool alert, int64_t observed_at_ms,
                                                         const char *source),
                                             void *user);

/* Indexed look-ups on a read-only connection of the loop thread (committed data only). EV_ERR_NOT_FOUND. */
EV_MUST_CHECK enum ev_err store_find_session(struct store *store, const struct session_id *id,
                                             struct store_session *ret_session);
EV_MUST_CHECK enum ev_err store_find_session_by_request(struct store *store, const struct driver_id *driver,
                                                        const struct request_id *request,
                                                        struct store_session *ret_session);

struct store_session_query {
    int state;               /* enum session_state, -1 any */
    const char *driver, *cp; /* NULL any */
    int64_t from_ms, to_ms;  /* requested_at, -1 open */
    char after[27];          /* cursor: session id, newest first; empty from the start */
    size_t limit;
};
EV_MUST_CHECK enum ev_err store_list_sessions(struct store *store, const struct store_session_query *query,
                                              void (*row)(void *user, const struct store_session *),
                                              void *user);

struct store_audit_row {
    int64_t seq;
    struct store_audit entry;
    char hash[65];
};
/* Newest first, seq below `before` (0: from the newest), `action` NULL for any. */
EV_MUST_CHECK enum ev_err store_list_audit(struct store *store, int64_t before, const char *action,
                                           size_t limit,
                                           void (*row)(void *user, const struct store_audit_row *),
                                           void *user);

/* Finished tickets of the UTC day that began at day_start_ms. */
EV_MUST_CHECK enum ev_err store_sum_tickets(struct store *store, int64_t day_start_ms,
                                            uint64_t *ret_energy_wh, uint64_t *ret_cost_cents);

/* Called on the loop thread after each commit, once for every audit row that it made (for events and the
 * file). */
void store_on_audit(struct store *store, void (*row)(void *user, const struct store_audit_row *), void *user);

#endif
