/* driver_tables.c - tables on standard output: charge points, own sessions, and how things stand. */
#include "driver/driver_internal.h"

#include "common/runtime/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void job_free(struct driver_table_job *job)
{
    struct driver_table_job **at = &job->driver->tables;

    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    if (job->call != NULL) {
        http_client_cancel(job->call);
    }
    free(job->points);
    free(job);
}

static void job_end(struct driver_table_job *job, bool ok)
{
    driver_on_printed done = job->done;
    void *user = job->user;

    (void)fflush(stdout);
    job_free(job);
    if (done != NULL) {
        done(user, ok);
    }
}

static void job_fail(struct driver_table_job *job, const char *text)
{
    char prefix[WORDS_NUMBER_SIZE];
    char printable[WORDS_SIZE];

    printf("%s%s\n", driver_begin_print(job->driver, prefix),
           words_printable(text, printable, sizeof printable));
    job_end(job, false);
}

/* False: it was said why not, and the job is over. */
static bool job_answered(struct driver_table_job *job, const struct http_response *response)
{
    struct failure failure = {{0}};
    char text[FAILURE_TEXT_MAX + 64];

    job->call = NULL;
    if (!driver_note_central(job->driver, response)) {
        (void)snprintf(text, sizeof text, "Central cannot be reached: %s", response->text);
        job_fail(job, text);
        return false;
    }
    if (response->status != 200) {
        http_problem_text(response, &failure);
        (void)snprintf(text, sizeof text, "Central says no: %s", failure.text);
        job_fail(job, text);
        return false;
    }
    return true;
}

static struct driver_table_job *job_new(struct driver *driver, driver_on_printed done, void *user)
{
    struct driver_table_job *job = calloc(1, sizeof *job);

    EV_ASSERT(job != NULL);
    job->driver = driver;
    job->done = done;
    job->user = user;
    job->next = driver->tables;
    driver->tables = job;
    return job;
}

static void job_send(struct driver_table_job *job, const char *url, http_on_done on_done)
{
    struct http_request request = {.url = url, .response_max = CENTRAL_ANSWER_MAX};

    identity_fill_request(job->driver->identity, &request);
    if (http_client_send(job->driver->shared->http_client, &request, on_done, job, &job->call) != EV_OK) {
        job->call = NULL;
        job_fail(job, "too many calls are open");
    }
}

static bool may_ask(struct driver *driver, driver_on_printed done, void *user)
{
    if (driver->enrolled) {
        return true;
    }
    printf("This driver is not registered yet%s%s\n", driver->registry_problem[0] != '\0' ? ": " : ".",
           driver->registry_problem);
    (void)fflush(stdout);
    if (done != NULL) {
        done(user, false);
    }
    return false;
}

/* --- charge points --- */

/* Characters on the screen, about: continuation bytes count nothing. */
static int padding(const char *text, int width)
{
    int shown = 0;

    for (; *text != '\0'; text++) {
        shown += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return shown < width ? width - shown : 0;
}

static void print_points(const struct driver_table_job *job)
{
    char prefix[WORDS_NUMBER_SIZE];
    char city[CENTRAL_CITY_MAX];
    size_t available = 0;

    (void)driver_begin_print(job->driver, prefix);
    printf("%-16s %-16s %-12s %10s %9s\n", "CHARGE POINT", "CITY", "STATE", "EUR/KWH", "KW");
    for (size_t i = 0; i < job->count; i++) {
        const struct central_point *point = &job->points[i];

        available += strcmp(point->state, "Available") == 0;
        (void)words_printable(point->city, city, sizeof city);
        printf("%-16s %s%*s %-12s %7u.%02u %7u.%u\n", point->id.text, city, padding(city, 16), "",
               point->state, (unsigned)point->price_cents_per_kwh / 100,
               (unsigned)point->price_cents_per_kwh % 100, (unsigned)point->max_power_w / 1000,
               (unsigned)point->max_power_w % 1000 / 100);
    }
    printf("%s%zu charge points, %zu available\n", prefix, job->count, available);
}

static void on_points(void *user, const struct http_response *response);

static void fetch_points(struct driver_table_job *job, const char *after)
{
    char url[CENTRAL_URL_MAX];

    if (!driver_url(job->driver, url, "/charge-points?limit=%d%s%s", CENTRAL_PAGE_MAX,
                    after[0] != '\0' ? "&after=" : "", after)) {
        job_fail(job, "Central's address is too long");
        return;
    }
    job_send(job, url, on_points);
}

static void on_points(void *user, const struct http_response *response)
{
    struct driver_table_job *job = user;
    struct cp_id next = {.text = ""};

    if (!job_answered(job, response)) {
        return;
    }
    size_t before = job->count;
    if (central_client_parse_points(response->body, response->body_len, &job->points, &job->count, &next) !=
        EV_OK) {
        job_fail(job, "Central's list of charge points cannot be read");
        return;
    }
    if (cp_id_is_set(&next) && job->count > before) {
        fetch_points(job, next.text);
        return;
    }
    central_client_sort_points(job->points, job->count);
    print_points(job);
    job_end(job, true);
}

void driver_print_points(struct driver *driver, driver_on_printed done, void *user)
{
    if (may_ask(driver, done, user)) {
        fetch_points(job_new(driver, done, user), "");
    }
}

/* --- history --- */

static void print_history(const struct driver *driver, const struct session_view *views, size_t count)
{
    char prefix[WORDS_NUMBER_SIZE];
    char energy[WORDS_NUMBER_SIZE];
    char money[WORDS_NUMBER_SIZE];
    char when[TIME_TEXT_SIZE];

    (void)driver_begin_print(driver, prefix);
    printf("%-20s %-16s %-10s %12s %12s  %s\n", "ASKED (UTC)", "CHARGE POINT", "STATE", "ENERGY", "COST",
           "WHY");
    for (size_t i = 0; i < count; i++) {
        const struct session_view *view = &views[i];

        time_text_format(view->requested_at, when);
        when[10] = ' ';
        when[19] = '\0';
        printf("%-20s %-16s %-10s %12s %12s  %s\n", when, view->cp_id.text, session_state_text(view->state),
               words_energy(view->energy_wh, energy), words_money(view->cost_cents, money),
               view->reason != REASON_NONE ? session_reason_sentence(view->reason)
                                           : words_stop_reason(view->stop_reason));
    }
    printf("%s%zu sessions\n", prefix, count);
}

static void on_history(void *user, const struct http_response *response)
{
    struct driver_table_job *job = user;
    struct session_view *views = NULL;
    size_t count = 0;
    bool complete = false;

    if (!job_answered(job, response)) {
        return;
    }
    views = calloc(CENTRAL_SESSIONS_MAX, sizeof *views);
    if (views == NULL || central_client_parse_sessions(response->body, response->body_len, views, &count,
                                                       &complete) != EV_OK) {
        free(views);
        job_fail(job, "Central's list of sessions cannot be read");
        return;
    }
    print_history(job->driver, views, count);
    if (!complete) {
        printf("(older ones are not shown)\n");
    }
    free(views);
    job_end(job, true);
}

void driver_print_history(struct driver *driver, driver_on_printed done, void *user)
{
    char url[CENTRAL_URL_MAX];

    if (!may_ask(driver, done, user)) {
        return;
    }
    struct driver_table_job *job = job_new(driver, done, user);
    if (!driver_url(driver, url, "/sessions?limit=%d", CENTRAL_SESSIONS_MAX)) {
        job_fail(job, "Central's address is too long");
        return;
    }
    job_send(job, url, on_history);
}

void driver_tables_free(struct driver *driver)
{
    while (driver->tables != NULL) {
        job_free(driver->tables);
    }
}

/* --- status --- */

static void print_sessions(const struct driver *driver, const char *prefix)
{
    const struct requests *requests = &driver->requests;
    char text[WORDS_SIZE];

    for (size_t i = 0; i < requests->watched_count; i++) {
        words_session(&requests->watched[i], text);
        printf("%s%s\n", prefix, text);
        if (session_id_equal(&driver->live.session_id, &requests->watched[i].id)) {
            words_live(&driver->live, text);
            printf("%s  %s\n", prefix, text);
        }
    }
    for (size_t i = 0; i < requests->entry_count; i++) {
        if (!session_id_is_set(&requests->entries[i].session_id)) {
            printf("%s%s: asked for, no answer yet (request %s)\n", prefix,
                   requests->entries[i].request.cp_id.text, requests->entries[i].request.request_id.text);
        }
    }
    if (requests->watched_count == 0 && requests->entry_count == 0) {
        printf("%sno session, nothing asked for\n", prefix);
    }
}

void driver_print_status(const struct driver *driver)
{
    const struct driver_shared *shared = driver->shared;
    const struct requests_services *services = &driver->requests.services;
    char prefix[WORDS_NUMBER_SIZE];

    (void)driver_begin_print(driver, prefix);
    printf("%sdriver %s: %s%s%s\n", prefix, driver->id.text,
           driver->enrolled ? "registered" : "not registered",
           driver->registry_problem[0] != '\0' ? ", " : "", driver->registry_problem);
    printf("%sCentral %s: %s\n", prefix, shared->central_url,
           !shared->central_told ? "not asked yet"
           : shared->central_up  ? "reached"
                                 : "cannot be reached");
    if (driver->problem[0] != '\0') {
        printf("%sCentral says: %s\n", prefix, driver->problem);
    }
    printf("%sKafka %s: %s; key epoch %u\n", prefix, exchange_brokers(shared->exchange),
           exchange_is_up(shared->exchange) ? "reached" : "cannot be reached",
           (unsigned)driver->keys.current.epoch);
    print_sessions(driver, prefix);
    if (services->active) {
        printf("%sservices file %s: %zu of %zu served\n", prefix, services->path, services->index,
               services->count);
    }
    (void)fflush(stdout);
}
