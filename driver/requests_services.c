/* requests_services.c - one service of the file after the other. */
#include "driver/requests_internal.h"

#include <string.h>

size_t requests_services_pending(const struct requests *requests)
{
    size_t pending = 0;

    for (size_t i = 0; i < requests->entry_count; i++) {
        pending += requests->entries[i].of_service;
    }
    return pending;
}

bool requests_services_are_done(const struct requests *requests)
{
    return requests->services.active && requests->services.attached &&
           requests->services.index >= requests->services.count && requests_services_pending(requests) == 0;
}

static const struct requests_entry *under_way(const struct requests *requests)
{
    for (size_t i = 0; i < requests->entry_count; i++) {
        if (requests->entries[i].of_service && !requests->entries[i].passed) {
            return &requests->entries[i];
        }
    }
    return NULL;
}

static void go_on(struct requests *requests, const struct requests_time *time)
{
    requests->services.index++;
    requests->services.asked = 0;
    requests->services.pause_until_ms = time->now_ms + requests->pause_ms;
    requests->dirty = true;
}

void requests_pass_service(struct requests *requests, const struct requests_time *time,
                           struct requests_entry *entry)
{
    entry->passed = true;
    go_on(requests, time);
}

static bool may_ask_again(const struct requests_entry *entry, const struct session_view *view)
{
    return view != NULL && !entry->passed && !entry->stop_wanted && view->state == SESSION_EXPIRED &&
           view->reason == REASON_REQUEST_TOO_OLD && entry->asked < REQUESTS_ASKED_MAX;
}

/* The entry changes its id in place, so that one write of the journal ends the old and begins the new. */
static void ask_again(struct requests *requests, const struct requests_time *time,
                      struct requests_entry *entry, struct requests_effects *effects)
{
    entry->request.request_id = time->fresh_id;
    entry->request.at_ms = time->wall_ms > 0 ? time->wall_ms : 0;
    entry->session_id = (struct session_id){.text = ""};
    entry->asked++;
    entry->saved = false;
    entry->wants_send = true;
    entry->in_flight = false;
    entry->sends = 0;
    entry->sent_ms = -1;
    entry->send_at_ms = time->now_ms;
    requests->dirty = true;
    (void)requests_emit(effects, REQUESTS_TELL_ASK_AGAIN, entry, NULL, 0);
}

enum requests_service_end requests_end_service(struct requests *requests, const struct requests_time *time,
                                               struct requests_entry *entry, const struct session_view *view,
                                               struct requests_effects *effects)
{
    struct requests_services *services = &requests->services;

    if (may_ask_again(entry, view)) {
        ask_again(requests, time, entry, effects);
        return REQUESTS_SERVICE_ASKED_AGAIN;
    }
    if (view != NULL && view->state == SESSION_FINISHED) {
        services->finished++;
        services->energy_wh += view->energy_wh;
        services->cost_cents += view->cost_cents;
    } else {
        services->failed++;
    }
    if (view != NULL) {
        (void)requests_emit(effects, REQUESTS_TELL_RESULT, entry, view,
                            entry->passed ? 0 : services->index + 1);
    }
    if (!entry->passed) {
        go_on(requests, time);
    }
    services->summary_told = false;
    requests->dirty = true;
    return REQUESTS_SERVICE_ENDED;
}

/* Nothing of this driver runs or waits for an answer, whoever asked for it. */
static bool is_free(const struct requests *requests)
{
    if (!requests->reconciled || requests_running(requests) != NULL ||
        requests->entry_count == REQUESTS_OPEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < requests->entry_count; i++) {
        if (!session_id_is_set(&requests->entries[i].session_id)) {
            return false;
        }
    }
    return true;
}

void requests_step_services(struct requests *requests, const struct requests_time *time,
                            struct requests_effects *effects)
{
    struct requests_services *services = &requests->services;
    struct requests_entry *entry = NULL;
    const struct service *service = NULL;

    if (!services->active || !services->attached || under_way(requests) != NULL) {
        return;
    }
    if (services->index >= services->count) {
        if (!services->summary_told) {
            services->summary_told = requests_emit(effects, REQUESTS_TELL_SUMMARY, NULL, NULL, 0);
        }
        return;
    }
    if (time->now_ms < services->pause_until_ms || !is_free(requests) ||
        requests_find(requests, &time->fresh_id) != NULL) {
        return;
    }
    service = &services->file.items[services->index];
    entry = requests_add(requests, time, &service->cp_id, service->target_wh);
    EV_ASSERT(entry != NULL); /* is_free looked */
    entry->of_service = true;
    entry->line = service->line;
    entry->asked = 1;
    (void)requests_emit(effects, REQUESTS_TELL_SERVICE, entry, NULL, services->index + 1);
}

int64_t requests_services_next_ms(const struct requests *requests)
{
    const struct requests_services *services = &requests->services;

    /* Where it is not free, what frees it brings the next step. */
    if (!services->active || !services->attached || services->index >= services->count ||
        !is_free(requests) || under_way(requests) != NULL) {
        return REQUESTS_NEVER;
    }
    return services->pause_until_ms;
}

static void detach(struct requests *requests)
{
    for (size_t i = 0; i < requests->entry_count; i++) {
        requests->entries[i].of_service = false;
        requests->entries[i].passed = false;
    }
    requests->services = (struct requests_services){.active = false};
    requests->dirty = true;
}

enum ev_err requests_begin_services(struct requests *requests, const struct requests_time *time,
                                    const char *path, const char hash[REQUESTS_HASH_SIZE],
                                    const struct services_file *file, bool again,
                                    enum requests_begin *ret_begin, struct requests_effects *ret_effects)
{
    struct requests_services *services = &requests->services;
    bool same = false;

    ret_effects->count = 0;
    if (strlen(path) >= sizeof services->path || strlen(hash) >= sizeof services->hash) {
        return EV_ERR_TOO_LARGE;
    }
    if (services->attached && !requests_services_are_done(requests)) {
        return EV_ERR_STATE;
    }
    same = services->active && !services->attached && strcmp(services->path, path) == 0 &&
           strcmp(services->hash, hash) == 0 && services->count == file->count;
    if (same && services->index >= services->count && requests_services_pending(requests) == 0) {
        *ret_begin = again ? REQUESTS_BEGIN_NEW : REQUESTS_BEGIN_DONE_BEFORE;
    } else {
        *ret_begin = same ? REQUESTS_BEGIN_CONTINUED : REQUESTS_BEGIN_NEW;
    }
    if (*ret_begin == REQUESTS_BEGIN_NEW) {
        detach(requests); /* requests of another file go on as if asked for by hand */
        services->active = true;
        services->count = file->count;
        memcpy(services->path, path, strlen(path) + 1);
        memcpy(services->hash, hash, strlen(hash) + 1);
    }
    services->attached = true;
    services->summary_told = *ret_begin == REQUESTS_BEGIN_DONE_BEFORE;
    services->file = *file;
    services->pause_until_ms = time->now_ms;
    requests_finish_step(requests, time, ret_effects);
    return EV_OK;
}

void requests_end_services(struct requests *requests, const struct requests_time *time,
                           struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    detach(requests);
    requests_finish_step(requests, time, ret_effects);
}
