#include "central/dispatch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MS 10000
#define BURSTS_MAX 4096 /* beyond: audited one by one no more, only counted */

/* -- audit of what no event is behind -- */

static void copy_text(char *target, size_t capacity, const char *text)
{
    size_t length = strlen(text);

    if (length >= capacity) {
        length = capacity - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0U) == 0x80U) {
            length--; /* not in the middle of a character */
        }
    }
    memcpy(target, text, length);
    target[length] = '\0';
}

void dispatch_audit(struct central *central, const struct fleet_actor *actor, const char *action,
                    const char *target, const char *outcome, const char *detail)
{
    struct store_audit entry = {.at_ms = wall_now_ms()};

    copy_text(entry.who, sizeof entry.who, actor != NULL ? actor->who : "central");
    copy_text(entry.address, sizeof entry.address, actor != NULL ? actor->address : "");
    copy_text(entry.action, sizeof entry.action, action);
    copy_text(entry.target, sizeof entry.target, target);
    copy_text(entry.outcome, sizeof entry.outcome, outcome);
    copy_text(entry.detail, sizeof entry.detail, detail);
    dispatch_add_audit(central->dispatch, &entry);
}

/* A peer without a name is told apart by its address, without the port: each attempt comes from another one.
 */
static void burst_key(const struct fleet_actor *actor, const char *action, const char *reason, char *ret_key,
                      size_t capacity)
{
    const char *colon = strrchr(actor->address, ':');
    int host = colon != NULL ? (int)(colon - actor->address) : (int)strlen(actor->address);

    (void)snprintf(ret_key, capacity, "%s|%.*s|%s|%.80s", actor->who, host, actor->address, action, reason);
}

void dispatch_audit_burst(struct central *central, const struct fleet_actor *actor, const char *action,
                          const char *target, const char *reason, const char *detail)
{
    struct dispatch *dispatch = central->dispatch;
    struct burst *burst = NULL;
    char key[sizeof burst->key];

    burst_key(actor, action, reason, key, sizeof key);
    burst = map_find(&dispatch->bursts, key);
    if (burst != NULL || dispatch->bursts.count >= BURSTS_MAX) {
        central->counters.audit_suppressed++;
        if (burst != NULL) {
            burst->suppressed++;
        }
        return;
    }
    dispatch_audit(central, actor, action, target, "refused", detail);
    burst = calloc(1, sizeof *burst);
    if (burst == NULL) {
        return;
    }
    memcpy(burst->key, key, sizeof key);
    burst->actor = *actor;
    copy_text(burst->action, sizeof burst->action, action);
    copy_text(burst->target, sizeof burst->target, target);
    copy_text(burst->detail, sizeof burst->detail, detail);
    burst->began_mono_ms = loop_now_ms(central->loop);
    if (map_put(&dispatch->bursts, burst->key, burst) != EV_OK) {
        free(burst);
    }
}

void dispatch_tick_bursts(struct dispatch *dispatch)
{
    int64_t now_ms = loop_now_ms(dispatch->central->loop);
    struct burst *burst = NULL;
    size_t cursor = 0;
    char detail[240];

    while ((burst = map_next(&dispatch->bursts, &cursor)) != NULL) {
        if (now_ms - burst->began_mono_ms < BURST_MS) {
            continue;
        }
        if (burst->suppressed > 0) {
            (void)snprintf(detail, sizeof detail, "%llu more within 10 s: %.160s",
                           (unsigned long long)burst->suppressed, burst->detail);
            dispatch_audit(dispatch->central, &burst->actor, burst->action, burst->target, "refused", detail);
            burst->suppressed = 0;
            burst->began_mono_ms = now_ms;
        } else {
            (void)map_remove(&dispatch->bursts, burst->key);
            free(burst);
        }
    }
}

void dispatch_bursts_fini(struct dispatch *dispatch)
{
    struct burst *burst = NULL;
    size_t cursor = 0;

    while ((burst = map_next(&dispatch->bursts, &cursor)) != NULL) {
        free(burst);
    }
    map_fini(&dispatch->bursts);
}
