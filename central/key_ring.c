#include "central/key_ring.h"

#include "central/map.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct key_ring_key {
    struct store_key row;
    struct key_ring_key *next; /* older */
    struct key_ring_key *next_dirty;
    struct key_ring_owner *owner;
    uint64_t sent; /* Central's own sequence */
    bool dirty;
};

struct key_ring_owner {
    char id[33];
    enum key_owner kind;
    struct key_ring_key *newest; /* the current one, or superseded ones alone */
    size_t count;
    uint32_t highest_epoch;
};

struct key_ring {
    struct map owners[KEY_OWNER_COUNT];
    struct key_ring_key *dirty;
    key_ring_on_change on_change;
    void *user;
    size_t count;
};

static const char *const prefixes[KEY_OWNER_COUNT] = {"cp:", "driver:"};

enum ev_err key_ring_new(key_ring_on_change on_change, void *user, struct key_ring **ret_ring)
{
    struct key_ring *ring = calloc(1, sizeof *ring);

    if (ring == NULL) {
        return EV_ERR_NOMEM;
    }
    ring->on_change = on_change;
    ring->user = user;
    *ret_ring = ring;
    return EV_OK;
}

static void key_free(struct key_ring *ring, struct key_ring_key *key)
{
    if (key->dirty) {
        struct key_ring_key **at = &ring->dirty;

        while (*at != key) {
            at = &(*at)->next_dirty;
        }
        *at = key->next_dirty;
    }
    ring->count--;
    sodium_memzero(key, sizeof *key);
    free(key);
}

void key_ring_free(struct key_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    for (unsigned kind = 0; kind < KEY_OWNER_COUNT; kind++) {
        struct key_ring_owner *owner = NULL;
        size_t cursor = 0;

        while ((owner = map_next(&ring->owners[kind], &cursor)) != NULL) {
            struct key_ring_key *next = NULL;

            for (struct key_ring_key *key = owner->newest; key != NULL; key = next) {
                next = key->next;
                key_free(ring, key);
            }
            free(owner);
        }
        map_fini(&ring->owners[kind]);
    }
    free(ring);
}

static struct key_ring_owner *owner_make(struct key_ring *ring, enum key_owner kind, const char *id)
{
    struct key_ring_owner *owner = map_find(&ring->owners[kind], id);

    if (owner != NULL) {
        return owner;
    }
    owner = calloc(1, sizeof *owner);
    if (owner == NULL) {
        return NULL;
    }
    (void)snprintf(owner->id, sizeof owner->id, "%s", id);
    owner->kind = kind;
    if (map_put(&ring->owners[kind], owner->id, owner) != EV_OK) {
        free(owner);
        return NULL;
    }
    return owner;
}

/* Newest first. */
static void owner_insert(struct key_ring *ring, struct key_ring_owner *owner, struct key_ring_key *key)
{
    struct key_ring_key **at = &owner->newest;

    while (*at != NULL && (*at)->row.epoch > key->row.epoch) {
        at = &(*at)->next;
    }
    key->next = *at;
    key->owner = owner;
    *at = key;
    owner->count++;
    ring->count++;
    if (key->row.epoch > owner->highest_epoch) {
        owner->highest_epoch = key->row.epoch;
    }
}

static void drop_at(struct key_ring *ring, struct key_ring_owner *owner, struct key_ring_key **at)
{
    struct key_ring_key *key = *at;

    *at = key->next;
    owner->count--;
    ring->on_change(ring->user, &key->row, true);
    key_free(ring, key);
}

enum ev_err key_ring_load(struct key_ring *ring, const struct store_key *row)
{
    enum key_owner kind =
        strncmp(row->owner, prefixes[KEY_OWNER_CP], 3) == 0 ? KEY_OWNER_CP : KEY_OWNER_DRIVER;
    size_t prefix = strlen(prefixes[kind]);
    struct key_ring_owner *owner = NULL;
    struct key_ring_key *key = NULL;

    if (strncmp(row->owner, prefixes[kind], prefix) != 0 || strlen(row->owner + prefix) > 32) {
        return EV_ERR_PARSE;
    }
    owner = owner_make(ring, kind, row->owner + prefix);
    key = owner != NULL ? calloc(1, sizeof *key) : NULL;
    if (key == NULL) {
        return EV_ERR_NOMEM;
    }
    key->row = *row;
    /* What was reserved may have been used before Central stopped. */
    key->sent = row->send_sequence_reserved;
    owner_insert(ring, owner, key);
    return EV_OK;
}

static void supersede(struct key_ring *ring, struct key_ring_owner *owner, int64_t now_ms)
{
    struct key_ring_key *key = owner->newest;
    struct key_ring_key **at = &owner->newest;

    if (key != NULL && key->row.superseded_at_ms < 0) {
        key->row.superseded_at_ms = now_ms;
        ring->on_change(ring->user, &key->row, false);
    }
    if (owner->count <= KEY_RING_SUPERSEDED_MAX) {
        return;
    }
    EV_ASSERT(*at != NULL);
    while ((*at)->next != NULL) {
        at = &(*at)->next;
    }
    drop_at(ring, owner, at);
}

enum ev_err key_ring_issue(struct key_ring *ring, enum key_owner kind, const char *id, uint32_t epoch,
                           const uint8_t bytes[32], int64_t now_ms, uint32_t *ret_epoch)
{
    struct key_ring_owner *owner = owner_make(ring, kind, id);
    struct key_ring_key *key = NULL;

    if (owner == NULL) {
        return EV_ERR_NOMEM;
    }
    if ((epoch != 0 && epoch <= owner->highest_epoch) || owner->highest_epoch == UINT32_MAX) {
        return EV_ERR_RANGE;
    }
    key = calloc(1, sizeof *key);
    if (key == NULL) {
        return EV_ERR_NOMEM;
    }
    (void)snprintf(key->row.owner, sizeof key->row.owner, "%s%.32s", prefixes[kind], id);
    key->row.epoch = epoch != 0 ? epoch : owner->highest_epoch + 1;
    memcpy(key->row.key, bytes, sizeof key->row.key);
    key->row.issued_at_ms = now_ms;
    key->row.superseded_at_ms = -1;
    key->row.declared_last_sequence = -1;
    key->row.send_sequence_reserved = kind == KEY_OWNER_DRIVER ? KEY_RING_RESERVE : 0;
    /* Superseded keys first, so that the cap counts them alone. */
    supersede(ring, owner, now_ms);
    owner_insert(ring, owner, key);
    ring->on_change(ring->user, &key->row, false);
    *ret_epoch = key->row.epoch;
    return EV_OK;
}

static struct key_ring_key **find(struct key_ring *ring, enum key_owner kind, const char *id, uint32_t epoch)
{
    struct key_ring_owner *owner = map_find(&ring->owners[kind], id);

    if (owner == NULL) {
        return NULL;
    }
    /* Nearly always the first; never more than the cap. */
    for (struct key_ring_key **at = &owner->newest; *at != NULL && (*at)->row.epoch >= epoch;
         at = &(*at)->next) {
        if ((*at)->row.epoch == epoch) {
            return at;
        }
    }
    return NULL;
}

static bool is_over(const struct key_ring_key *key)
{
    return key->row.superseded_at_ms >= 0 && key->row.declared_last_sequence >= 0 &&
           key->row.last_sequence >= (uint64_t)key->row.declared_last_sequence;
}

void key_ring_acknowledge(struct key_ring *ring, enum key_owner kind, const char *id, uint32_t old_epoch,
                          int64_t old_last_sequence)
{
    struct key_ring_key **at = find(ring, kind, id, old_epoch);
    struct key_ring_key *key = at != NULL ? *at : NULL;

    /* The first word counts: a later one cannot reopen an epoch. */
    if (key == NULL || key->row.superseded_at_ms < 0 || old_last_sequence < 0 ||
        key->row.declared_last_sequence >= 0) {
        return;
    }
    key->row.declared_last_sequence = old_last_sequence;
    if (is_over(key)) {
        drop_at(ring, key->owner, at);
    } else {
        ring->on_change(ring->user, &key->row, false);
    }
}

enum key_verdict key_ring_check(struct key_ring *ring, enum key_owner kind, const char *id, uint32_t epoch,
                                uint64_t sequence, struct key_ring_key **ret_key)
{
    struct key_ring_key **at = find(ring, kind, id, epoch);

    if (at == NULL) {
        return KEY_UNKNOWN;
    }
    if (sequence <= (*at)->row.last_sequence) {
        return KEY_REPLAY;
    }
    if ((*at)->row.declared_last_sequence >= 0 && sequence > (uint64_t)(*at)->row.declared_last_sequence) {
        return KEY_BEYOND;
    }
    *ret_key = *at;
    return KEY_APPLY;
}

const uint8_t *key_ring_bytes(const struct key_ring_key *key)
{
    return key->row.key;
}

uint64_t key_ring_applied(struct key_ring *ring, struct key_ring_key *key, uint64_t sequence)
{
    uint64_t gap = 0;

    EV_ASSERT(sequence > key->row.last_sequence);
    gap = sequence - key->row.last_sequence - 1;
    key->row.last_sequence = sequence;
    if (!key->dirty) {
        key->dirty = true;
        key->next_dirty = ring->dirty;
        ring->dirty = key;
    }
    return gap;
}

void key_ring_flush(struct key_ring *ring)
{
    while (ring->dirty != NULL) {
        struct key_ring_key *key = ring->dirty;

        ring->dirty = key->next_dirty;
        key->next_dirty = NULL;
        key->dirty = false;
        if (is_over(key)) {
            drop_at(ring, key->owner, find(ring, key->owner->kind, key->owner->id, key->row.epoch));
        } else {
            ring->on_change(ring->user, &key->row, false);
        }
    }
}

void key_ring_drop(struct key_ring *ring, enum key_owner kind, const char *id)
{
    struct key_ring_owner *owner = map_find(&ring->owners[kind], id);

    while (owner != NULL && owner->newest != NULL) {
        drop_at(ring, owner, &owner->newest);
    }
}

void key_ring_expire(struct key_ring *ring, int64_t now_ms)
{
    for (unsigned kind = 0; kind < KEY_OWNER_COUNT; kind++) {
        struct key_ring_owner *owner = NULL;
        size_t cursor = 0;

        while ((owner = map_next(&ring->owners[kind], &cursor)) != NULL) {
            struct key_ring_key **at = &owner->newest;

            while (*at != NULL) {
                int64_t since_ms = (*at)->row.superseded_at_ms;

                if (since_ms >= 0 && now_ms - since_ms > KEY_RING_SUPERSEDED_MS) {
                    drop_at(ring, owner, at);
                } else {
                    at = &(*at)->next;
                }
            }
        }
    }
}

enum ev_err key_ring_next_send(struct key_ring *ring, enum key_owner kind, const char *id,
                               uint8_t ret_key[32], uint32_t *ret_epoch, uint64_t *ret_sequence)
{
    struct key_ring_owner *owner = map_find(&ring->owners[kind], id);
    struct key_ring_key *key = owner != NULL ? owner->newest : NULL;

    if (key == NULL || key->row.superseded_at_ms >= 0) {
        return EV_ERR_NOT_FOUND;
    }
    key->sent++;
    /* In good time, so that the reservation is durable before it is used. */
    if (key->sent + KEY_RING_RESERVE / 2 > key->row.send_sequence_reserved) {
        key->row.send_sequence_reserved = key->sent + KEY_RING_RESERVE;
        ring->on_change(ring->user, &key->row, false);
    }
    memcpy(ret_key, key->row.key, sizeof key->row.key);
    *ret_epoch = key->row.epoch;
    *ret_sequence = key->sent;
    return EV_OK;
}

size_t key_ring_count(const struct key_ring *ring)
{
    return ring->count;
}

const char *key_verdict_text(enum key_verdict verdict)
{
    switch (verdict) {
    case KEY_APPLY:
        return "apply";
    case KEY_REPLAY:
        return "replayed or reordered";
    case KEY_UNKNOWN:
        return "unknown key epoch";
    case KEY_BEYOND:
        return "beyond the declared last sequence";
    }
    return "?";
}
