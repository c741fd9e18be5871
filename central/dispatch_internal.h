/* dispatch_internal.h - what the files of dispatch share; nobody else includes it.
 * dispatch.c steps and stores, dispatch_say.c puts into words, dispatch_speech.c speaks after the commit,
 * dispatch_audit.c writes entries that no event of the fleet is behind. */
#ifndef EV_CENTRAL_DISPATCH_INTERNAL_H
#define EV_CENTRAL_DISPATCH_INTERNAL_H

#include "central/central.h"
#include "central/dispatch.h"
#include "central/map.h"
#include "common/runtime/loop.h"

enum speech_kind {
    SPEECH_SEND,
    SPEECH_CLOSE,
    SPEECH_OUTBOX,
    SPEECH_LIVE,
    SPEECH_ANNOUNCE,
    SPEECH_DONE,
    SPEECH_END /* of what one step said */
};

struct speech {
    enum speech_kind kind;
    uint64_t connection;
    union {
        struct {
            char *bytes; /* owned */
            size_t length;
        } frame;
        int64_t sequence;
        struct {
            struct session_id session_id;
            struct driver_id driver_id;
        } live;
        struct {
            struct fleet_cp *cp; /* NULL none; lives as long as the fleet */
            enum fleet_announce what;
            bool live;
            struct cp_id cp_id;
            struct session_id session_id;
            struct driver_id driver_id;
            char city[65];
        } announce;
        struct {
            void (*fn)(void *user, const struct fleet_answer *answer);
            void *user;
            struct fleet_answer answer;
        } done;
    } of;
};

struct burst {
    char key[200];
    struct fleet_actor actor;
    char action[40], target[40], detail[200];
    int64_t began_mono_ms;
    uint64_t suppressed;
};

struct dispatch {
    struct central *central;
    struct fleet_effects effects;
    struct speech *ring; /* power of two */
    size_t ring_capacity, ring_head, ring_count;
    struct session_id *dirty; /* sessions whose meter waits to be saved */
    size_t dirty_count, dirty_capacity;
    struct map bursts;
    struct loop_timer *timer;
    int64_t expire_mono_ms;
    dispatch_announce_fn *on_announce;
    void *on_announce_user;
    bool busy; /* within dispatch_step */
};

/* -- dispatch.c -- */
void dispatch_add(struct dispatch *dispatch, const struct store_change *change);
void dispatch_add_audit(struct dispatch *dispatch, const struct store_audit *entry);

/* -- dispatch_speech.c -- */
struct speech *dispatch_say(struct dispatch *dispatch, enum speech_kind kind);
/* Everything said since the last call is spoken after the commit of what was added so far. */
void dispatch_end_speech(struct dispatch *dispatch);
void dispatch_speech_fini(struct dispatch *dispatch);

/* -- dispatch_say.c -- */
void dispatch_say_message(struct dispatch *dispatch, uint64_t connection, struct message *message);
void dispatch_say_key(struct dispatch *dispatch, const struct fleet_effect *effect);
void dispatch_say_outbox(struct dispatch *dispatch, enum store_outbox_kind kind, const char *key,
                         const char *body);
void dispatch_say_session(struct dispatch *dispatch, const struct fleet_effect *effect);
void dispatch_say_status(struct dispatch *dispatch, const struct fleet_cp *cp);
void dispatch_say_announce(struct dispatch *dispatch, const struct fleet_effect *effect);

/* -- dispatch_audit.c -- */
void dispatch_tick_bursts(struct dispatch *dispatch);
void dispatch_bursts_fini(struct dispatch *dispatch);

#endif
