/* driver_internal.h - one driver, as its files share it. */
#ifndef EV_DRIVER_DRIVER_INTERNAL_H
#define EV_DRIVER_DRIVER_INTERNAL_H

#include "common/runtime/backoff.h"
#include "common/runtime/identity.h"
#include "common/runtime/state_dir.h"
#include "common/wire/notice.h"
#include "driver/central_client.h"
#include "driver/driver.h"
#include "driver/keys.h"
#include "driver/words.h"

#define DRIVER_JOURNAL_FILE "requests.json"
/* A key is not asked for more often, whatever notices look like. */
#define DRIVER_KEY_PAUSE_MS 30000
#define DRIVER_KEY_MIN_MS 5000
#define DRIVER_KEY_MAX_MS (12LL * 60 * 60 * 1000)
#define DRIVER_BACKOFF_FIRST_MS 500
#define DRIVER_BACKOFF_MAX_MS 15000

/* A stop order that Central has not taken yet. */
struct driver_stop_job {
    struct driver *driver;
    struct driver_stop_job *next;
    struct session_id session_id;
    struct http_call *call;
    struct loop_timer *timer;
    struct backoff backoff;
};

/* A table that is being read. */
struct driver_table_job {
    struct driver *driver;
    struct driver_table_job *next;
    struct http_call *call;
    struct central_point *points;
    size_t count;
    driver_on_printed done;
    void *user;
};

struct driver {
    struct driver_shared *shared;
    struct driver_callbacks callbacks;
    struct driver_id id;
    bool passive;
    bool enrolled;
    bool services_done_told;
    struct state_dir *dir;
    struct identity *identity;
    struct requests requests;
    struct loop_timer *timer; /* requests_on_tick */
    struct keys keys;
    struct http_call *key_call;
    struct loop_timer *key_timer;
    struct backoff key_backoff;
    int64_t key_asked_ms; /* monotonic; when the last one was asked for */
    unsigned key_failures;
    struct http_call *sessions_call;
    struct backoff sessions_backoff;
    struct driver_stop_job *stops;
    struct driver_table_job *tables;
    struct services_file services;
    struct notice_live live;                 /* last live figures; session_id not set: none */
    char problem[FAILURE_TEXT_MAX];          /* what Central said last, so that it is told once */
    char registry_problem[FAILURE_TEXT_MAX]; /* the same for Registry */
    char save_problem[FAILURE_TEXT_MAX];     /* and for the disk */
};

struct requests_time driver_time(const struct driver *driver);
/* Carries out effects in order, and what they lead to; sets the timer. */
void driver_carry_out(struct driver *driver, const struct requests_effects *effects);

/* --- driver_central.c --- */

void driver_central_start(struct driver *driver); /* registered */
void driver_central_free(struct driver *driver);
EV_MUST_CHECK enum ev_err driver_central_init(struct driver *driver);
void driver_fetch_key(struct driver *driver);
void driver_fetch_sessions(struct driver *driver);
void driver_send_stop(struct driver *driver, const struct session_view *view);
/* Says whether an answer came, once per change. True: there is one, whatever it says. */
bool driver_note_central(struct driver *driver, const struct http_response *response);
/* Central's refusal in words, told once until something else is. */
void driver_note_problem(struct driver *driver, const char *event, const struct http_response *response);
/* "https://host:port/api/v1" and what follows. False: too long. */
bool driver_url(const struct driver *driver, char ret_url[CENTRAL_URL_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- driver_tell.c --- */

void driver_tell(struct driver *driver, const struct requests_effect *effect);
void driver_tell_live(struct driver *driver);
/* "" or "ID: ", and the line of live figures made free, before something is printed. */
const char *driver_begin_print(const struct driver *driver, char ret_prefix[WORDS_NUMBER_SIZE]);

/* --- driver_tables.c --- */

void driver_tables_free(struct driver *driver);

#endif
