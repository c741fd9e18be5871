/* driver_central.c - what this driver asks Central over HTTPS: its key, its sessions, its stops. */
#include "driver/driver_internal.h"

#include "common/runtime/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool driver_url(const struct driver *driver, char ret_url[CENTRAL_URL_MAX], const char *format, ...)
{
    va_list arguments;
    int base = snprintf(ret_url, CENTRAL_URL_MAX, "%s/api/v1", driver->shared->central_url);
    int rest = 0;

    if (base < 0 || base >= CENTRAL_URL_MAX) {
        return false;
    }
    va_start(arguments, format);
    rest = vsnprintf(ret_url + base, (size_t)(CENTRAL_URL_MAX - base), format, arguments);
    va_end(arguments);
    return rest >= 0 && rest < CENTRAL_URL_MAX - base;
}

bool driver_note_central(struct driver *driver, const struct http_response *response)
{
    struct driver_shared *shared = driver->shared;
    bool up = response->err == EV_OK;

    if (!shared->central_told || shared->central_up != up) {
        shared->central_told = true;
        shared->central_up = up;
        if (up) {
            log_info("driver.central_reached", log_str("central", shared->central_url));
        } else {
            log_warn("driver.central_unreachable", log_str("central", shared->central_url),
                     log_str("text", "Central cannot be reached; trying again"),
                     log_str("error", response->text));
        }
    }
    return up;
}

void driver_note_problem(struct driver *driver, const char *event, const struct http_response *response)
{
    struct failure failure = {{0}};

    http_problem_text(response, &failure);
    if (strcmp(driver->problem, failure.text) != 0) {
        (void)words_printable(failure.text, driver->problem, sizeof driver->problem);
        log_warn(event, log_str("driver", driver->id.text), log_int("status", response->status),
                 log_str("text", failure.text));
    }
}

static int64_t retry_ms(struct backoff *backoff, const struct http_response *response)
{
    int64_t wait = backoff_next_ms(backoff);
    int64_t asked = (int64_t)response->retry_after_s * 1000;

    return asked > wait ? asked : wait;
}

/* --- the key --- */

/* Renewed when four fifths of its life are over; Central's clock may differ from ours, hence the bounds. */
static int64_t renewal_ms(const struct central_key *key)
{
    int64_t life = (key->expires_at_ms - wall_now_ms()) / 5 * 4;

    if (life < DRIVER_KEY_MIN_MS) {
        return DRIVER_KEY_MIN_MS;
    }
    return life > DRIVER_KEY_MAX_MS ? DRIVER_KEY_MAX_MS : life;
}

static bool take_key(struct driver *driver, const struct http_response *response)
{
    struct central_key key;
    struct failure failure = {{0}};
    struct requests_effects effects;
    enum ev_err err = central_client_parse_key(response->body, response->body_len, &key);

    if (err != EV_OK) {
        log_error("driver.key_unreadable", log_str("driver", driver->id.text),
                  log_str("text", "Central's answer is no key"), log_str("error", ev_err_text(err)));
        return false;
    }
    keys_take(&driver->keys, key.epoch, &key.key);
    seal_key_wipe(&key.key);
    driver->problem[0] = '\0';
    log_info("driver.key", log_str("driver", driver->id.text), log_uint("epoch", key.epoch),
             log_str("kafka", key.kafka));
    if (exchange_use(driver->shared->exchange, key.kafka, &failure) != EV_OK) {
        log_error("driver.kafka_unusable", log_str("kafka", key.kafka), log_str("text", failure.text));
    }
    loop_timer_start(driver->key_timer, renewal_ms(&key));
    struct requests_time time = driver_time(driver);
    requests_set_ready(&driver->requests, &time, true, &effects);
    driver_carry_out(driver, &effects);
    return true;
}

static void on_key(void *user, const struct http_response *response)
{
    struct driver *driver = user;

    driver->key_call = NULL;
    if (driver_note_central(driver, response)) {
        if ((response->status == 200 || response->status == 201) && take_key(driver, response)) {
            backoff_reset(&driver->key_backoff);
            driver->key_failures = 0;
            return;
        }
        /* Just registered, and Central has not heard of it from Registry yet: no news at first. */
        if (response->status != 200 && response->status != 201 && driver->key_failures++ > 1) {
            driver_note_problem(driver, "driver.key_refused", response);
        }
    }
    loop_timer_start(driver->key_timer, retry_ms(&driver->key_backoff, response));
}

void driver_fetch_key(struct driver *driver)
{
    char url[CENTRAL_URL_MAX];
    struct http_request request = {
        .method = "POST", .url = url, .body = "", .response_max = CENTRAL_ANSWER_MAX};

    if (driver->key_call != NULL || driver->passive || !driver->enrolled) {
        return;
    }
    driver->key_asked_ms = loop_now_ms(driver->shared->loop);
    identity_fill_request(driver->identity, &request);
    if (!driver_url(driver, url, "/keys") ||
        http_client_send(driver->shared->http_client, &request, on_key, driver, &driver->key_call) != EV_OK) {
        driver->key_call = NULL;
        loop_timer_start(driver->key_timer, backoff_next_ms(&driver->key_backoff));
    }
}

static void on_key_timer(void *user)
{
    driver_fetch_key(user);
}

/* --- sessions --- */

static void on_sessions(void *user, const struct http_response *response)
{
    struct driver *driver = user;
    struct requests_effects effects;
    struct session_view *views = NULL;
    size_t count = 0;
    bool complete = false;
    enum ev_err err = EV_ERR_STATE;
    struct requests_time time = driver_time(driver);

    driver->sessions_call = NULL;
    if (driver_note_central(driver, response)) {
        if (response->status == 200) {
            views = calloc(CENTRAL_SESSIONS_MAX, sizeof *views);
            err = views == NULL ? EV_ERR_NOMEM
                                : central_client_parse_sessions(response->body, response->body_len, views,
                                                                &count, &complete);
            if (err != EV_OK) {
                log_error("driver.sessions_unreadable", log_str("driver", driver->id.text),
                          log_str("text", "Central's list of sessions cannot be read"),
                          log_str("error", ev_err_text(err)));
            }
        } else {
            driver_note_problem(driver, "driver.sessions_refused", response);
        }
    }
    if (err == EV_OK) {
        backoff_reset(&driver->sessions_backoff);
        requests_on_sessions(&driver->requests, &time, views, count, complete, &effects);
    } else {
        requests_on_sessions_failed(&driver->requests, &time, retry_ms(&driver->sessions_backoff, response));
        effects.count = 0;
    }
    free(views);
    driver_carry_out(driver, &effects);
}

void driver_fetch_sessions(struct driver *driver)
{
    char url[CENTRAL_URL_MAX];
    struct http_request request = {.url = url, .response_max = CENTRAL_ANSWER_MAX};

    EV_ASSERT(driver->sessions_call == NULL);
    identity_fill_request(driver->identity, &request);
    if (!driver_url(driver, url, "/sessions?limit=%d", CENTRAL_SESSIONS_MAX) ||
        http_client_send(driver->shared->http_client, &request, on_sessions, driver,
                         &driver->sessions_call) != EV_OK) {
        struct requests_time time = driver_time(driver);
        driver->sessions_call = NULL;
        requests_on_sessions_failed(&driver->requests, &time, backoff_next_ms(&driver->sessions_backoff));
    }
}

/* --- stops --- */

static void stop_job_free(struct driver_stop_job *job)
{
    struct driver_stop_job **at = &job->driver->stops;

    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    if (job->call != NULL) {
        http_client_cancel(job->call);
    }
    loop_timer_free(job->timer);
    free(job);
}

static void on_stop(void *user, const struct http_response *response)
{
    struct driver_stop_job *job = user;
    struct driver *driver = job->driver;
    struct failure failure = {{0}};

    job->call = NULL;
    if (driver_note_central(driver, response) && response->status < 500 && response->status != 429) {
        if (response->status / 100 == 2) {
            log_info("driver.stop_ordered", log_str("driver", driver->id.text),
                     log_str("session", job->session_id.text));
        } else {
            http_problem_text(response, &failure);
            log_warn("driver.stop_refused", log_str("driver", driver->id.text),
                     log_str("session", job->session_id.text), log_int("status", response->status),
                     log_str("text", failure.text));
        }
        stop_job_free(job);
        return;
    }
    loop_timer_start(job->timer, retry_ms(&job->backoff, response));
}

static void send_stop(void *user)
{
    struct driver_stop_job *job = user;
    struct driver *driver = job->driver;
    char url[CENTRAL_URL_MAX];
    struct http_request request = {
        .method = "POST", .url = url, .body = "", .response_max = CENTRAL_ANSWER_MAX};
    bool open = false;

    for (size_t i = 0; i < driver->requests.watched_count; i++) {
        open = open || session_id_equal(&driver->requests.watched[i].id, &job->session_id);
    }
    if (!open) { /* it has ended meanwhile */
        stop_job_free(job);
        return;
    }
    identity_fill_request(driver->identity, &request);
    if (!driver_url(driver, url, "/sessions/%s/stop", job->session_id.text) ||
        http_client_send(driver->shared->http_client, &request, on_stop, job, &job->call) != EV_OK) {
        job->call = NULL;
        loop_timer_start(job->timer, backoff_next_ms(&job->backoff));
    }
}

void driver_send_stop(struct driver *driver, const struct session_view *view)
{
    struct driver_stop_job *job = driver->stops;

    while (job != NULL && !session_id_equal(&job->session_id, &view->id)) {
        job = job->next;
    }
    if (job != NULL) {
        return; /* on its way */
    }
    job = calloc(1, sizeof *job);
    if (job == NULL || loop_timer_new(driver->shared->loop, send_stop, job, &job->timer) != EV_OK) {
        free(job);
        log_error("driver.stop_failed", log_str("driver", driver->id.text), log_str("text", "out of memory"));
        return;
    }
    job->driver = driver;
    job->session_id = view->id;
    backoff_init(&job->backoff, DRIVER_BACKOFF_FIRST_MS, DRIVER_BACKOFF_MAX_MS);
    job->next = driver->stops;
    driver->stops = job;
    send_stop(job);
}

/* --- life --- */

enum ev_err driver_central_init(struct driver *driver)
{
    backoff_init(&driver->key_backoff, DRIVER_BACKOFF_FIRST_MS, DRIVER_BACKOFF_MAX_MS);
    backoff_init(&driver->sessions_backoff, DRIVER_BACKOFF_FIRST_MS, DRIVER_BACKOFF_MAX_MS);
    return loop_timer_new(driver->shared->loop, on_key_timer, driver, &driver->key_timer);
}

void driver_central_start(struct driver *driver)
{
    struct requests_effects effects;

    if (!driver->passive) {
        struct requests_time time = driver_time(driver);
        driver_fetch_key(driver);
        requests_set_online(&driver->requests, &time, true, &effects);
        driver_carry_out(driver, &effects);
    }
    if (driver->callbacks.on_enrolled != NULL) {
        driver->callbacks.on_enrolled(driver->callbacks.user, driver);
    }
}

void driver_central_free(struct driver *driver)
{
    if (driver->key_call != NULL) {
        http_client_cancel(driver->key_call);
    }
    if (driver->sessions_call != NULL) {
        http_client_cancel(driver->sessions_call);
    }
    while (driver->stops != NULL) {
        stop_job_free(driver->stops);
    }
    loop_timer_free(driver->key_timer);
}
