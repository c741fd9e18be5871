/* requests.h - what this driver has asked for, and its way through a services file: the pure core of
 * ev_driver. No I/O, no clock, no randomness: time and a fresh id come in with every call, what to do comes
 * out as a bounded list of effects, which driver.c carries out in order. Invariants: nothing is sent before
 * the journal that names it is on disk (requests_on_saved); a request keeps its id until it is answered; the
 * journal moves from one service to the next in one write, together with the request that was answered. So
 * after a crash at any point nothing is asked twice and nothing is left out. */
#ifndef EV_DRIVER_REQUESTS_H
#define EV_DRIVER_REQUESTS_H

#include "common/rules/ev_err.h"
#include "common/wire/driver_request.h"
#include "common/wire/session_view.h"
#include "driver/services_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests without an end: those of a person at the keyboard, and services that wait for their ticket. */
#define REQUESTS_OPEN_MAX 16
/* Sessions of this driver that have not ended, asked for here or at a charge point. */
#define REQUESTS_WATCHED_MAX 16
/* Ended sessions remembered, so that a repeated notice is not told again. */
#define REQUESTS_ENDED_MAX 16
/* Of one step; the last REQUESTS_EFFECTS_KEPT are for what must be done, so that telling cannot crowd it out.
 */
#define REQUESTS_EFFECTS_MAX 128
#define REQUESTS_EFFECTS_KEPT 32
#define REQUESTS_RECONCILE_MS 10000
#define REQUESTS_IDLE_RECONCILE_MS 60000
#define REQUESTS_SAVE_RETRY_MS 1000
#define REQUESTS_SEND_RETRY_MS 2000
/* How often one service that Central answered with `expired` is asked for again. */
#define REQUESTS_ASKED_MAX 6
#define REQUESTS_PATH_MAX 1024
#define REQUESTS_HASH_SIZE 65
#define REQUESTS_JOURNAL_MAX (64 * 1024)
#define REQUESTS_NEVER INT64_MAX

/* Comes in with every step. */
struct requests_time {
    int64_t now_ms;             /* monotonic */
    int64_t wall_ms;            /* Unix */
    struct request_id fresh_id; /* never used before */
};

struct requests_entry {
    struct driver_request request;
    struct session_id session_id; /* set once answered */
    uint32_t line;                /* of the services file; 0: asked for by hand */
    uint32_t asked;               /* how many ids this service had */
    bool of_service;
    bool passed;      /* its ticket is open, the services file has gone on */
    bool stop_wanted; /* a person said stop before there was an answer */
    /* not in the journal */
    bool saved;
    bool wants_send;
    bool in_flight;
    uint32_t sends;     /* in this run */
    int64_t sent_ms;    /* -1: not in this run */
    int64_t send_at_ms; /* not before */
};

struct requests_services {
    bool active;   /* a file is known, and maybe served to its end */
    bool attached; /* file is set: the journal's progress belongs to it */
    bool summary_told;
    char path[REQUESTS_PATH_MAX];
    char hash[REQUESTS_HASH_SIZE]; /* of the content */
    size_t count;
    size_t index;   /* of the next service, or of the one under way */
    uint32_t asked; /* for the service at index */
    uint64_t finished;
    uint64_t failed;
    uint64_t energy_wh;
    uint64_t cost_cents;
    struct services_file file; /* owned by whoever attached it; not in the journal */
    int64_t pause_until_ms;
};

enum requests_effect_type {
    REQUESTS_SAVE,           /* requests_encode to disk, then requests_on_saved or _on_save_failed */
    REQUESTS_SEND,           /* entry: seal and produce, then requests_on_delivered */
    REQUESTS_RECONCILE,      /* GET /sessions, then requests_on_sessions or _on_sessions_failed */
    REQUESTS_STOP,           /* view: POST /sessions/{id}/stop */
    REQUESTS_TELL_SESSION,   /* view: it has changed its state; entry where asked for here */
    REQUESTS_TELL_SERVICE,   /* entry: asked for now, the service at number of count */
    REQUESTS_TELL_RESULT,    /* view, entry: a service has its end (or its ticket later: passed) */
    REQUESTS_TELL_ASK_AGAIN, /* entry: the new one */
    REQUESTS_TELL_REPEAT,    /* entry: no answer so far, sent once more */
    REQUESTS_TELL_LOST,      /* entry: Central knows its session no more */
    REQUESTS_TELL_SUMMARY    /* the services file is at its end */
};

struct requests_effect {
    enum requests_effect_type type;
    bool has_entry;
    struct requests_entry entry;
    struct session_view view;
    size_t number; /* TELL_SERVICE, TELL_RESULT: from 1; 0 where the file has gone on meanwhile */
};

struct requests_effects {
    size_t count;
    struct requests_effect items[REQUESTS_EFFECTS_MAX];
};

struct requests {
    int64_t pause_ms;
    struct requests_entry entries[REQUESTS_OPEN_MAX];
    size_t entry_count;
    struct session_view watched[REQUESTS_WATCHED_MAX];
    size_t watched_count;
    struct session_id ended[REQUESTS_ENDED_MAX];
    size_t ended_next;
    struct requests_services services;
    bool online;     /* Central can be asked */
    bool ready;      /* a key is there: records can be sealed */
    bool reconciled; /* Central's sessions were seen once */
    bool reconciling;
    int64_t reconcile_started_ms;
    int64_t reconcile_at_ms;
    bool dirty; /* the journal on disk is older than this */
    int64_t save_at_ms;
};

void requests_init(struct requests *requests, int64_t pause_ms);

/* --- the journal --- */

/* A JSON text of at most REQUESTS_JOURNAL_MAX bytes. Errors: EV_ERR_TOO_LARGE. */
EV_MUST_CHECK enum ev_err requests_encode(const struct requests *requests, char *buf, size_t cap,
                                          size_t *ret_len);
/* Into fresh requests. Errors: EV_ERR_PARSE, EV_ERR_RANGE, EV_ERR_TOO_LARGE, EV_ERR_NOMEM; then unchanged. */
EV_MUST_CHECK enum ev_err requests_decode(struct requests *requests, const char *bytes, size_t len);

void requests_on_saved(struct requests *requests, const struct requests_time *time,
                       struct requests_effects *ret_effects);
void requests_on_save_failed(struct requests *requests, const struct requests_time *time);

/* --- what people want --- */

/* Asks for one charge. Errors: EV_ERR_FULL. */
EV_MUST_CHECK enum ev_err requests_charge(struct requests *requests, const struct requests_time *time,
                                          const struct cp_id *cp_id, uint32_t target_wh,
                                          struct requests_effects *ret_effects);

/* Stops what runs; what has no answer yet is stopped as soon as it has. Returns how many. */
size_t requests_stop(struct requests *requests, const struct requests_time *time,
                     struct requests_effects *ret_effects);

enum requests_begin { REQUESTS_BEGIN_NEW, REQUESTS_BEGIN_CONTINUED, REQUESTS_BEGIN_DONE_BEFORE };

/* Starts a services file, or goes on with it where the journal says so. file stays the caller's and must live
 * until requests_end_services.
 *   again  from its beginning also when it was served to its end before
 * Errors: EV_ERR_STATE (another file is being served), EV_ERR_TOO_LARGE (path). */
EV_MUST_CHECK enum ev_err requests_begin_services(struct requests *requests, const struct requests_time *time,
                                                  const char *path, const char hash[REQUESTS_HASH_SIZE],
                                                  const struct services_file *file, bool again,
                                                  enum requests_begin *ret_begin,
                                                  struct requests_effects *ret_effects);

/* Forgets the file (an orderly end after its last service, or a person's will); what runs goes on. */
void requests_end_services(struct requests *requests, const struct requests_time *time,
                           struct requests_effects *ret_effects);
/* Every service has its end, and every ticket is there. */
bool requests_services_are_done(const struct requests *requests);
/* Services that wait for their ticket. */
size_t requests_services_pending(const struct requests *requests);

/* --- what happens --- */

void requests_set_online(struct requests *requests, const struct requests_time *time, bool online,
                         struct requests_effects *ret_effects);
void requests_set_ready(struct requests *requests, const struct requests_time *time, bool ready,
                        struct requests_effects *ret_effects);
/* What was sent is on Kafka's log, or is not and will not be. */
void requests_on_delivered(struct requests *requests, const struct requests_time *time,
                           const struct request_id *request_id, bool delivered,
                           struct requests_effects *ret_effects);
/* A notice; a hint. */
void requests_on_notice(struct requests *requests, const struct requests_time *time,
                        const struct session_view *view, struct requests_effects *ret_effects);
/* Central's newest sessions of this driver, newest first.
 *   complete  there are no others */
void requests_on_sessions(struct requests *requests, const struct requests_time *time,
                          const struct session_view *views, size_t count, bool complete,
                          struct requests_effects *ret_effects);
void requests_on_sessions_failed(struct requests *requests, const struct requests_time *time,
                                 int64_t retry_ms);
void requests_on_tick(struct requests *requests, const struct requests_time *time,
                      struct requests_effects *ret_effects);
/* When requests_on_tick is due (monotonic); REQUESTS_NEVER. */
int64_t requests_next_ms(const struct requests *requests);

/* --- for status and words --- */

bool requests_view_is_open(const struct session_view *view);  /* requested, preparing, charging */
bool requests_view_is_ended(const struct session_view *view); /* finished, rejected, expired, cancelled */

/* The session that keeps this driver busy (requested, preparing, charging); NULL: none. */
const struct session_view *requests_running(const struct requests *requests);
const struct requests_entry *requests_find(const struct requests *requests,
                                           const struct request_id *request_id);

#endif
