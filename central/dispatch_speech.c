#include "central/dispatch_internal.h"

#include "central/control_port.h"
#include "central/outbox.h"
#include "common/wire/notice.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* -- speech -- */

struct speech *dispatch_say(struct dispatch *dispatch, enum speech_kind kind)
{
    struct speech *speech = NULL;

    if (dispatch->ring_count == dispatch->ring_capacity) {
        size_t capacity = dispatch->ring_capacity == 0 ? 256 : dispatch->ring_capacity * 2;
        struct speech *ring = malloc(capacity * sizeof *ring);

        EV_ASSERT(ring != NULL);
        for (size_t i = 0; i < dispatch->ring_count; i++) {
            ring[i] = dispatch->ring[(dispatch->ring_head + i) & (dispatch->ring_capacity - 1)];
        }
        free(dispatch->ring);
        dispatch->ring = ring;
        dispatch->ring_capacity = capacity;
        dispatch->ring_head = 0;
    }
    speech = &dispatch->ring[(dispatch->ring_head + dispatch->ring_count++) & (dispatch->ring_capacity - 1)];
    speech->kind = kind;
    return speech;
}

static void speak_live(struct dispatch *dispatch, const struct speech *speech)
{
    struct central *central = dispatch->central;
    const struct fleet_session *session = fleet_find_session(central->fleet, &speech->of.live.session_id);
    struct notice notice = {.type = NOTICE_LIVE};
    struct store_session row;
    char body[NOTICE_SIZE];
    size_t length = 0;
    uint16_t soc_permille = 0;

    if (session == NULL || central->outbox == NULL) {
        return;
    }
    fleet_session_row(session, &row);
    fleet_session_live(session, &notice.live.power_w, &soc_permille, &notice.live.at_ms);
    notice.live.session_id = row.id;
    notice.live.cp_id = row.cp_id;
    notice.live.energy_wh = row.energy_wh;
    notice.live.cost_cents = row.cost_cents;
    notice.live.soc_percent = soc_permille / 10U;
    if (notice_encode(&notice, body, sizeof body, &length) == EV_OK) {
        outbox_send_live(central->outbox, &speech->of.live.driver_id, body, length);
    }
}

static void speak_announce(struct dispatch *dispatch, const struct speech *speech)
{
    struct fleet_effect effect;

    if (speech->of.announce.live && speech->of.announce.cp != NULL) {
        *fleet_cp_mark(speech->of.announce.cp) = false;
    }
    if (dispatch->on_announce == NULL) {
        return;
    }
    effect.type = FLEET_EFFECT_ANNOUNCE;
    effect.connection = 0;
    effect.cp = speech->of.announce.cp;
    effect.session = NULL;
    effect.of.announce.what = speech->of.announce.what;
    effect.of.announce.live = speech->of.announce.live;
    effect.of.announce.cp_id = speech->of.announce.cp_id;
    effect.of.announce.session_id = speech->of.announce.session_id;
    effect.of.announce.driver_id = speech->of.announce.driver_id;
    memcpy(effect.of.announce.city, speech->of.announce.city, sizeof effect.of.announce.city);
    dispatch->on_announce(dispatch->on_announce_user, &effect);
}

static void free_frame(struct speech *speech)
{
    sodium_memzero(speech->of.frame.bytes, speech->of.frame.length); /* keys pass here */
    free(speech->of.frame.bytes);
}

static void speak_one(struct dispatch *dispatch, struct speech *speech)
{
    struct central *central = dispatch->central;

    switch (speech->kind) {
    case SPEECH_SEND:
        if (central->control_port != NULL) {
            control_port_send(central->control_port, speech->connection, speech->of.frame.bytes,
                              speech->of.frame.length);
        }
        free_frame(speech);
        break;
    case SPEECH_CLOSE:
        if (central->control_port != NULL) {
            control_port_close(central->control_port, speech->connection);
        }
        break;
    case SPEECH_OUTBOX:
        if (central->outbox == NULL) {
            break; /* Central stops: the row is sent at the next start */
        }
        outbox_release(central->outbox, speech->of.sequence);
        break;
    case SPEECH_LIVE:
        speak_live(dispatch, speech);
        break;
    case SPEECH_ANNOUNCE:
        speak_announce(dispatch, speech);
        break;
    case SPEECH_DONE:
        speech->of.done.fn(speech->of.done.user, &speech->of.done.answer);
        break;
    case SPEECH_END:
        break;
    }
}

/* After a commit: what one step had to say. Callbacks may step the fleet again; that speech comes later. */
static void speak(void *arg)
{
    struct dispatch *dispatch = arg;
    struct speech speech = {.kind = SPEECH_DONE};

    do {
        EV_ASSERT(dispatch->ring_count > 0);
        speech = dispatch->ring[dispatch->ring_head];
        dispatch->ring_head = (dispatch->ring_head + 1) & (dispatch->ring_capacity - 1);
        dispatch->ring_count--;
        speak_one(dispatch, &speech);
    } while (speech.kind != SPEECH_END);
}

void dispatch_end_speech(struct dispatch *dispatch)
{
    enum ev_err err = EV_OK;

    (void)dispatch_say(dispatch, SPEECH_END);
    err = store_after_commit(dispatch->central->store, speak, dispatch);
    EV_ASSERT(err == EV_OK);
}

void dispatch_speech_fini(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->ring_count; i++) {
        struct speech *speech = &dispatch->ring[(dispatch->ring_head + i) & (dispatch->ring_capacity - 1)];

        if (speech->kind == SPEECH_SEND) {
            free_frame(speech);
        }
    }
    free(dispatch->ring);
}
