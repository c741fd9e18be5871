#include "central/fleet_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fleet_copy(char *target, size_t capacity, const char *text)
{
    size_t length = strlen(text);

    if (length >= capacity) {
        length = capacity - 1;
        /* Not in the middle of a character: the text is UTF-8 and stays so. */
        while (length > 0 && ((unsigned char)text[length] & 0xC0U) == 0x80U) {
            length--;
        }
    }
    memcpy(target, text, length);
    target[length] = '\0';
}

bool fleet_is_nearly_full(const struct fleet *fleet)
{
    return fleet->out->count + FLEET_SAVE_MARGIN > FLEET_EFFECTS_MAX;
}

/* Only the head is cleared: a sample's effects would otherwise cost more than what they do. */
struct fleet_effect *fleet_emit(struct fleet *fleet, enum fleet_effect_type type)
{
    struct fleet_effect *effect = NULL;

    EV_ASSERT(fleet->out->count < FLEET_EFFECTS_MAX);
    effect = &fleet->out->items[fleet->out->count++];
    effect->type = type;
    effect->connection = 0;
    effect->cp = NULL;
    effect->session = NULL;
    return effect;
}

void fleet_emit_session(struct fleet *fleet, enum fleet_effect_type type, struct fleet_session *session)
{
    struct fleet_effect *effect = fleet_emit(fleet, type);

    effect->session = session;
    effect->cp = session->cp;
}

struct message *fleet_emit_message(struct fleet *fleet, struct fleet_cp *cp, enum message_type type)
{
    struct fleet_effect *effect = fleet_emit(fleet, FLEET_EFFECT_SEND);

    effect->cp = cp;
    effect->connection = cp->connection;
    memset(&effect->of.message, 0, sizeof effect->of.message);
    effect->of.message.type = type;
    effect->of.message.cp_id = cp->id;
    return &effect->of.message;
}

void fleet_emit_refuse(struct fleet *fleet, const struct cp_id *cp_id, uint64_t connection,
                       enum message_refuse_code code, const char *detail)
{
    struct fleet_effect *effect = fleet_emit(fleet, FLEET_EFFECT_SEND);

    effect->connection = connection;
    memset(&effect->of.message, 0, sizeof effect->of.message);
    effect->of.message.type = MESSAGE_REFUSE;
    effect->of.message.cp_id = *cp_id;
    effect->of.message.refuse.code = code;
    fleet_copy(effect->of.message.refuse.detail, sizeof effect->of.message.refuse.detail, detail);
    fleet_emit(fleet, FLEET_EFFECT_CLOSE)->connection = connection;
}

void fleet_emit_node(struct fleet *fleet, enum fleet_effect_type type, enum fleet_role role, const char *id)
{
    struct store_node *node = &fleet_emit(fleet, type)->of.node;

    memset(node, 0, sizeof *node);
    node->role = (int)role;
    fleet_copy(node->id, sizeof node->id, id);
}

void fleet_emit_settled(struct fleet *fleet, struct fleet_cp *cp, const struct session_id *id,
                        uint64_t energy_wh, uint64_t cost_cents)
{
    struct message *message = NULL;

    if (cp->connection == 0) {
        return;
    }
    message = fleet_emit_message(fleet, cp, MESSAGE_SETTLED);
    message->settled.session_id = *id;
    message->settled.energy_wh = energy_wh;
    message->settled.cost_cents = cost_cents;
}

void fleet_announce_session(struct fleet *fleet, struct fleet_session *session, bool live)
{
    struct fleet_effect *effect = fleet_emit(fleet, FLEET_EFFECT_ANNOUNCE);

    effect->cp = session->cp;
    effect->session = session;
    effect->of.announce.what = FLEET_ANNOUNCE_SESSION;
    effect->of.announce.live = live;
    effect->of.announce.cp_id = session->s.cp_id;
    effect->of.announce.session_id = session->s.id;
    effect->of.announce.driver_id = session->s.driver_id;
    effect->of.announce.city[0] = '\0';
}

void fleet_announce_weather(struct fleet *fleet, const struct fleet_city *city)
{
    struct fleet_effect *effect = fleet_emit(fleet, FLEET_EFFECT_ANNOUNCE);

    memset(&effect->of.announce, 0, sizeof effect->of.announce);
    effect->of.announce.what = FLEET_ANNOUNCE_WEATHER;
    fleet_copy(effect->of.announce.city, sizeof effect->of.announce.city, city->name);
}

static void audit(struct fleet *fleet, const char *who, const char *address, const char *action,
                  const char *target, const char *outcome, const char *format, va_list args)
{
    struct store_audit *entry = &fleet_emit(fleet, FLEET_EFFECT_AUDIT)->of.audit;
    char detail[512];

    memset(entry, 0, sizeof *entry);
    (void)vsnprintf(detail, sizeof detail, format, args);
    entry->at_ms = fleet->event->wall_ms;
    fleet_copy(entry->who, sizeof entry->who, who);
    fleet_copy(entry->address, sizeof entry->address, address);
    fleet_copy(entry->action, sizeof entry->action, action);
    fleet_copy(entry->target, sizeof entry->target, target);
    fleet_copy(entry->outcome, sizeof entry->outcome, outcome);
    fleet_copy(entry->detail, sizeof entry->detail, detail);
}

void fleet_audit(struct fleet *fleet, const char *action, const char *target, const char *outcome,
                 const char *format, ...)
{
    const struct fleet_actor *actor = fleet->event->actor;
    va_list args;

    va_start(args, format);
    audit(fleet, actor != NULL ? actor->who : "central", actor != NULL ? actor->address : "", action, target,
          outcome, format, args);
    va_end(args);
}

void fleet_audit_cp(struct fleet *fleet, const struct fleet_cp *cp, const char *action, const char *target,
                    const char *outcome, const char *format, ...)
{
    char who[40];
    va_list args;

    (void)snprintf(who, sizeof who, "cp:%s", cp->id.text);
    va_start(args, format);
    audit(fleet, who, cp->address, action, target, outcome, format, args);
    va_end(args);
}

void fleet_answer(struct fleet *fleet, enum fleet_answer_code code, const char *detail)
{
    fleet->out->answer.code = code;
    fleet_copy(fleet->out->answer.detail, sizeof fleet->out->answer.detail, detail);
}
