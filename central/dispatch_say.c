#include "central/dispatch_internal.h"

#include "central/key_ring.h"
#include "central/outbox.h"
#include "common/runtime/log.h"
#include "common/wire/notice.h"
#include "common/wire/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- what is said -- */

void dispatch_say_message(struct dispatch *dispatch, uint64_t connection, struct message *message)
{
    struct central *central = dispatch->central;
    char bytes[MESSAGE_SIZE];
    size_t length = 0;
    struct speech *speech = NULL;

    if (message->type == MESSAGE_WELCOME) {
        message->welcome.heartbeat_ms = (uint32_t)(central->options.heartbeat_seconds * 1000);
        message->welcome.server_time_ms = wall_now_ms();
        (void)snprintf(message->welcome.kafka, sizeof message->welcome.kafka, "%s",
                       central->options.kafka_public != NULL ? central->options.kafka_public : "");
    }
    if (message_encode(message, bytes, sizeof bytes, &length) != EV_OK) {
        log_error("control.cannot_encode", log_str("type", message_type_text(message->type)));
        return;
    }
    speech = dispatch_say(dispatch, SPEECH_SEND);
    speech->connection = connection;
    speech->of.frame.bytes = malloc(length);
    EV_ASSERT(speech->of.frame.bytes != NULL);
    speech->of.frame.length = length;
    memcpy(speech->of.frame.bytes, bytes, length);
    sodium_memzero(bytes, length);
}

void dispatch_say_key(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct central *central = dispatch->central;
    struct message message;
    uint32_t epoch = 0;
    enum ev_err err = EV_OK;

    message_init(&message, MESSAGE_KEY, fleet_cp_id(effect->cp));
    seal_key_generate(&message.key.key);
    err = key_ring_issue(central->key_ring, KEY_OWNER_CP, fleet_cp_id(effect->cp)->text, effect->of.epoch,
                         message.key.key.bytes, wall_now_ms(), &epoch);
    if (err != EV_OK) {
        log_error("key.not_issued", log_str("cp", fleet_cp_id(effect->cp)->text),
                  log_str("reason", ev_err_text(err)));
        return;
    }
    message.key.epoch = epoch;
    message.key.expires_in_ms = central->options.telemetry_key_seconds * 1000;
    (void)snprintf(message.key.kafka, sizeof message.key.kafka, "%s",
                   central->options.kafka_public != NULL ? central->options.kafka_public : "");
    dispatch_say_message(dispatch, effect->connection, &message);
    sodium_memzero(&message, sizeof message);
    central->counters.keys_issued++;
}

void dispatch_say_outbox(struct dispatch *dispatch, enum store_outbox_kind kind, const char *key,
                         const char *body)
{
    int64_t sequence = outbox_add(dispatch->central->outbox, kind, key, body);

    if (sequence != 0) {
        dispatch_say(dispatch, SPEECH_OUTBOX)->of.sequence = sequence;
    }
}

static int64_t time_or_none(int64_t ms)
{
    return ms > 0 ? ms : TIME_NONE;
}

void dispatch_say_session(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct notice notice = {.type = NOTICE_SESSION};
    struct session_view *view = &notice.session;
    struct store_session row;
    char body[NOTICE_SIZE + 1];
    size_t length = 0;

    if (effect->session != NULL) {
        fleet_session_row(effect->session, &row);
    } else {
        row = effect->of.row;
    }
    *view = (struct session_view){.id = row.id,
                                  .request_id = row.request_id,
                                  .cp_id = row.cp_id,
                                  .driver_id = row.driver_id,
                                  .state = (enum session_state)row.state,
                                  .stop_reason = (enum stop_reason)row.stop_reason,
                                  .requested_at = time_or_none(row.requested_at_ms),
                                  .started_at = time_or_none(row.started_at_ms),
                                  .ended_at = time_or_none(row.ended_at_ms),
                                  .energy_wh = row.energy_wh,
                                  .cost_cents = row.cost_cents,
                                  .price_cents_per_kwh = row.price_cents_per_kwh};
    if (session_reason_parse(row.reason, &view->reason) != EV_OK ||
        notice_encode(&notice, body, sizeof body - 1, &length) != EV_OK) {
        log_error("notice.cannot_encode", log_str("session", row.id.text));
        return;
    }
    body[length] = '\0';
    dispatch_say_outbox(dispatch, STORE_OUTBOX_NOTICE, row.driver_id.text, body);
}

void dispatch_say_status(struct dispatch *dispatch, const struct fleet_cp *cp)
{
    struct fleet_cp_view view;
    struct store_charge_point row;
    struct json_writer writer;
    char body[512];
    size_t length = 0;

    fleet_view_cp(dispatch->central->fleet, cp, &view);
    fleet_cp_row(cp, &row);
    json_writer_init(&writer, body, sizeof body - 1);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "id", view.id.text);
    json_write_text(&writer, "state", cp_state_text(view.state));
    json_write_text(&writer, "city", view.city);
    json_write_integer(&writer, "price_cents_per_kwh", view.price_cents_per_kwh);
    json_write_time(&writer, "at", wall_now_ms());
    json_write_object_end(&writer);
    if (!row.registered) {
        dispatch_say_outbox(dispatch, STORE_OUTBOX_STATUS, view.id.text, "");
    } else if (json_writer_finish(&writer, &length) == EV_OK) {
        body[length] = '\0';
        dispatch_say_outbox(dispatch, STORE_OUTBOX_STATUS, view.id.text, body);
    }
}

void dispatch_say_announce(struct dispatch *dispatch, const struct fleet_effect *effect)
{
    struct speech *speech = NULL;

    if (effect->of.announce.live && effect->cp != NULL) {
        bool *mark = fleet_cp_mark(effect->cp);

        if (*mark) {
            return;
        }
        *mark = true;
    }
    speech = dispatch_say(dispatch, SPEECH_ANNOUNCE);
    speech->of.announce.cp = effect->cp;
    speech->of.announce.what = effect->of.announce.what;
    speech->of.announce.live = effect->of.announce.live;
    speech->of.announce.cp_id = effect->of.announce.cp_id;
    speech->of.announce.session_id = effect->of.announce.session_id;
    speech->of.announce.driver_id = effect->of.announce.driver_id;
    memcpy(speech->of.announce.city, effect->of.announce.city, sizeof speech->of.announce.city);
}
