#include "driver/requests.h"

#include "driver/requests_internal.h"

#include <string.h>

void requests_init(struct requests *requests, int64_t pause_ms)
{
    memset(requests, 0, sizeof *requests);
    requests->pause_ms = pause_ms;
    requests->reconcile_at_ms = REQUESTS_NEVER;
}

bool requests_view_is_open(const struct session_view *view)
{
    return view->state == SESSION_REQUESTED || view->state == SESSION_PREPARING ||
           view->state == SESSION_CHARGING;
}

bool requests_view_is_ended(const struct session_view *view)
{
    return view->state >= SESSION_FINISHED;
}

/* States only go up: a notice that was overtaken by an answer must not lead back. */
static int rank_of(const struct session_view *view)
{
    return requests_view_is_ended(view) ? (int)SESSION_FINISHED : (int)view->state;
}

bool requests_emit(struct requests_effects *effects, enum requests_effect_type type,
                   const struct requests_entry *entry, const struct session_view *view, size_t number)
{
    size_t max =
        type >= REQUESTS_TELL_SESSION ? REQUESTS_EFFECTS_MAX - REQUESTS_EFFECTS_KEPT : REQUESTS_EFFECTS_MAX;
    struct requests_effect *effect = &effects->items[effects->count];

    if (effects->count >= max) {
        return false;
    }
    *effect = (struct requests_effect){.type = type, .has_entry = entry != NULL, .number = number};
    if (entry != NULL) {
        effect->entry = *entry;
    }
    if (view != NULL) {
        effect->view = *view;
    }
    effects->count++;
    return true;
}

/* --- entries --- */

struct requests_entry *requests_add(struct requests *requests, const struct requests_time *time,
                                    const struct cp_id *cp_id, uint32_t target_wh)
{
    struct requests_entry *entry = &requests->entries[requests->entry_count];

    if (requests->entry_count == REQUESTS_OPEN_MAX) {
        return NULL;
    }
    *entry = (struct requests_entry){.request = {.request_id = time->fresh_id,
                                                 .cp_id = *cp_id,
                                                 .target_wh = target_wh,
                                                 .at_ms = time->wall_ms > 0 ? time->wall_ms : 0},
                                     .wants_send = true,
                                     .sent_ms = -1};
    requests->entry_count++;
    requests->dirty = true;
    return entry;
}

void requests_remove(struct requests *requests, struct requests_entry *entry)
{
    size_t at = (size_t)(entry - requests->entries);

    requests->entry_count--;
    memmove(entry, entry + 1, (requests->entry_count - at) * sizeof *entry);
    requests->dirty = true;
}

static struct requests_entry *find(struct requests *requests, const struct request_id *request_id)
{
    for (size_t i = 0; i < requests->entry_count; i++) {
        if (request_id_equal(&requests->entries[i].request.request_id, request_id)) {
            return &requests->entries[i];
        }
    }
    return NULL;
}

const struct requests_entry *requests_find(const struct requests *requests,
                                           const struct request_id *request_id)
{
    for (size_t i = 0; i < requests->entry_count; i++) {
        if (request_id_equal(&requests->entries[i].request.request_id, request_id)) {
            return &requests->entries[i];
        }
    }
    return NULL;
}

const struct session_view *requests_running(const struct requests *requests)
{
    for (size_t i = 0; i < requests->watched_count; i++) {
        if (requests_view_is_open(&requests->watched[i])) {
            return &requests->watched[i];
        }
    }
    return NULL;
}

/* --- the end of a step --- */

static void send_what_may(struct requests *requests, const struct requests_time *time,
                          struct requests_effects *effects)
{
    for (size_t i = 0; requests->ready && i < requests->entry_count; i++) {
        struct requests_entry *entry = &requests->entries[i];

        if (!entry->saved || !entry->wants_send || entry->in_flight || time->now_ms < entry->send_at_ms) {
            continue;
        }
        if (entry->sends > 0 && !requests_emit(effects, REQUESTS_TELL_REPEAT, entry, NULL, 0)) {
            return;
        }
        entry->wants_send = false;
        entry->in_flight = true;
        entry->sent_ms = time->now_ms;
        entry->sends++;
        if (!requests_emit(effects, REQUESTS_SEND, entry, NULL, 0)) {
            entry->wants_send = true;
            entry->in_flight = false;
            return;
        }
    }
}

static bool is_waiting(const struct requests *requests)
{
    return requests->entry_count > 0 || requests->watched_count > 0 || !requests->reconciled;
}

void requests_finish_step(struct requests *requests, const struct requests_time *time,
                          struct requests_effects *effects)
{
    requests_step_services(requests, time, effects);
    if (requests->dirty && time->now_ms >= requests->save_at_ms) {
        (void)requests_emit(effects, REQUESTS_SAVE, NULL, NULL, 0);
    }
    if (!requests->dirty) {
        send_what_may(requests, time, effects);
    }
    if (!requests->online || requests->reconciling) {
        return;
    }
    if (is_waiting(requests) && requests->reconcile_at_ms > time->now_ms + REQUESTS_RECONCILE_MS) {
        requests->reconcile_at_ms = time->now_ms + REQUESTS_RECONCILE_MS;
    }
    if (time->now_ms >= requests->reconcile_at_ms &&
        requests_emit(effects, REQUESTS_RECONCILE, NULL, NULL, 0)) {
        requests->reconciling = true;
        requests->reconcile_started_ms = time->now_ms;
    }
}

void requests_on_saved(struct requests *requests, const struct requests_time *time,
                       struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    requests->dirty = false;
    requests->save_at_ms = 0;
    for (size_t i = 0; i < requests->entry_count; i++) {
        requests->entries[i].saved = true;
    }
    requests_finish_step(requests, time, ret_effects);
}

void requests_on_save_failed(struct requests *requests, const struct requests_time *time)
{
    requests->save_at_ms = time->now_ms + REQUESTS_SAVE_RETRY_MS;
}

/* --- sessions --- */

static bool ended_before(const struct requests *requests, const struct session_id *id)
{
    for (size_t i = 0; i < REQUESTS_ENDED_MAX; i++) {
        if (session_id_equal(&requests->ended[i], id)) {
            return true;
        }
    }
    return false;
}

/* Returns whether its state is news. */
static bool watch(struct requests *requests, const struct session_view *view)
{
    size_t at = 0;

    while (at < requests->watched_count && !session_id_equal(&requests->watched[at].id, &view->id)) {
        at++;
    }
    bool known = at < requests->watched_count;
    if (requests_view_is_ended(view)) {
        if (ended_before(requests, &view->id)) {
            return false;
        }
        requests->ended[requests->ended_next++ % REQUESTS_ENDED_MAX] = view->id;
        if (known) {
            requests->watched[at] = requests->watched[--requests->watched_count];
        }
        return true;
    }
    if (ended_before(requests, &view->id) || (!known && at == REQUESTS_WATCHED_MAX)) {
        return false;
    }
    if (!known) {
        requests->watched[requests->watched_count++] = *view;
        return true;
    }
    int before = rank_of(&requests->watched[at]);
    if (rank_of(view) < before) {
        return false;
    }
    requests->watched[at] = *view;
    return rank_of(view) > before;
}

static void on_answered(struct requests *requests, struct requests_entry *entry,
                        const struct session_view *view, struct requests_effects *effects)
{
    if (!session_id_equal(&entry->session_id, &view->id)) {
        entry->session_id = view->id;
        requests->dirty = true;
    }
    entry->wants_send = false;
    if (entry->stop_wanted && requests_view_is_open(view) &&
        requests_emit(effects, REQUESTS_STOP, NULL, view, 0)) {
        entry->stop_wanted = false;
        requests->dirty = true;
    }
}

/*   hint  of a notice: told even where nothing here asked for it */
static void on_view(struct requests *requests, const struct requests_time *time,
                    const struct session_view *view, bool hint, struct requests_effects *effects)
{
    struct requests_entry *entry = find(requests, &view->request_id);
    bool watched = false;

    for (size_t i = 0; i < requests->watched_count; i++) {
        watched = watched || session_id_equal(&requests->watched[i].id, &view->id);
    }
    if (entry == NULL && !watched && !hint && requests_view_is_ended(view)) {
        return; /* history */
    }
    if (watch(requests, view)) {
        (void)requests_emit(effects, REQUESTS_TELL_SESSION, entry, view, 0);
    }
    if (entry == NULL) {
        return;
    }
    on_answered(requests, entry, view, effects);
    if (requests_view_is_ended(view)) {
        if (!entry->of_service ||
            requests_end_service(requests, time, entry, view, effects) == REQUESTS_SERVICE_ENDED) {
            requests_remove(requests, entry);
        }
    } else if (view->state == SESSION_SETTLING && entry->of_service && !entry->passed) {
        requests_pass_service(requests, time, entry);
    }
}

void requests_on_notice(struct requests *requests, const struct requests_time *time,
                        const struct session_view *view, struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    on_view(requests, time, view, true, ret_effects);
    requests_finish_step(requests, time, ret_effects);
}

/* --- reconciliation --- */

static bool is_listed(const struct session_view *views, size_t count, const struct requests_entry *entry)
{
    for (size_t i = 0; i < count; i++) {
        if (request_id_equal(&views[i].request_id, &entry->request.request_id)) {
            return true;
        }
    }
    return false;
}

/* What Central does not show: asked for once more, or, where it was answered before, given up. */
static void on_missing(struct requests *requests, const struct requests_time *time,
                       const struct session_view *views, size_t count, bool complete,
                       struct requests_effects *effects)
{
    for (size_t i = requests->entry_count; i-- > 0;) {
        struct requests_entry *entry = &requests->entries[i];

        if (is_listed(views, count, entry)) {
            continue;
        }
        if (session_id_is_set(&entry->session_id)) {
            bool covered =
                complete || (count > 0 && strcmp(entry->session_id.text, views[count - 1].id.text) > 0);
            /* Answered while this list was on its way. */
            bool newer = count > 0 && strcmp(entry->session_id.text, views[0].id.text) > 0;
            if (covered && !newer && entry->saved) {
                (void)requests_emit(effects, REQUESTS_TELL_LOST, entry, NULL, 0);
                if (entry->of_service) {
                    (void)requests_end_service(requests, time, entry, NULL, effects);
                }
                requests_remove(requests, entry);
            }
        } else if (entry->saved && !entry->in_flight &&
                   (entry->sent_ms < 0 ||
                    requests->reconcile_started_ms - entry->sent_ms >= REQUESTS_RECONCILE_MS - 500)) {
            entry->wants_send = true;
        }
    }
}

void requests_on_sessions(struct requests *requests, const struct requests_time *time,
                          const struct session_view *views, size_t count, bool complete,
                          struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    for (size_t i = count; i-- > 0;) {
        on_view(requests, time, &views[i], false, ret_effects);
    }
    on_missing(requests, time, views, count, complete, ret_effects);
    requests->reconciled = true;
    requests->reconciling = false;
    requests->reconcile_at_ms = requests->reconcile_started_ms +
                                (is_waiting(requests) ? REQUESTS_RECONCILE_MS : REQUESTS_IDLE_RECONCILE_MS);
    requests_finish_step(requests, time, ret_effects);
}

void requests_on_sessions_failed(struct requests *requests, const struct requests_time *time,
                                 int64_t retry_ms)
{
    requests->reconciling = false;
    requests->reconcile_at_ms = time->now_ms + retry_ms;
}

/* --- people and events --- */

enum ev_err requests_charge(struct requests *requests, const struct requests_time *time,
                            const struct cp_id *cp_id, uint32_t target_wh,
                            struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    if (requests_add(requests, time, cp_id, target_wh) == NULL) {
        return EV_ERR_FULL;
    }
    requests_finish_step(requests, time, ret_effects);
    return EV_OK;
}

size_t requests_stop(struct requests *requests, const struct requests_time *time,
                     struct requests_effects *ret_effects)
{
    size_t stopped = 0;

    ret_effects->count = 0;
    for (size_t i = 0; i < requests->watched_count; i++) {
        if (requests_view_is_open(&requests->watched[i]) &&
            requests_emit(ret_effects, REQUESTS_STOP, NULL, &requests->watched[i], 0)) {
            stopped++;
        }
    }
    for (size_t i = 0; i < requests->entry_count; i++) {
        if (!session_id_is_set(&requests->entries[i].session_id)) {
            requests->entries[i].stop_wanted = true;
            requests->dirty = true;
            stopped++;
        }
    }
    requests_finish_step(requests, time, ret_effects);
    return stopped;
}

void requests_set_online(struct requests *requests, const struct requests_time *time, bool online,
                         struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    if (online && !requests->online) {
        requests->reconcile_at_ms = time->now_ms;
    }
    requests->online = online;
    requests_finish_step(requests, time, ret_effects);
}

void requests_set_ready(struct requests *requests, const struct requests_time *time, bool ready,
                        struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    requests->ready = ready;
    requests_finish_step(requests, time, ret_effects);
}

void requests_on_delivered(struct requests *requests, const struct requests_time *time,
                           const struct request_id *request_id, bool delivered,
                           struct requests_effects *ret_effects)
{
    struct requests_entry *entry = find(requests, request_id);

    ret_effects->count = 0;
    if (entry != NULL) {
        entry->in_flight = false;
        if (!delivered && !session_id_is_set(&entry->session_id)) {
            entry->wants_send = true;
            entry->send_at_ms = time->now_ms + REQUESTS_SEND_RETRY_MS;
        }
    }
    requests_finish_step(requests, time, ret_effects);
}

void requests_on_tick(struct requests *requests, const struct requests_time *time,
                      struct requests_effects *ret_effects)
{
    ret_effects->count = 0;
    requests_finish_step(requests, time, ret_effects);
}

int64_t requests_next_ms(const struct requests *requests)
{
    int64_t next = requests_services_next_ms(requests);

    if (requests->online && !requests->reconciling && requests->reconcile_at_ms < next) {
        next = requests->reconcile_at_ms;
    }
    if (requests->dirty && requests->save_at_ms < next) {
        next = requests->save_at_ms;
    }
    for (size_t i = 0; requests->ready && !requests->dirty && i < requests->entry_count; i++) {
        const struct requests_entry *entry = &requests->entries[i];

        if (entry->saved && entry->wants_send && !entry->in_flight && entry->send_at_ms < next) {
            next = entry->send_at_ms;
        }
    }
    return next;
}
