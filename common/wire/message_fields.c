#include "common/wire/message_fields.h"

#include "common/rules/authorise.h"
#include "common/rules/battery.h"
#include "common/wire/json.h"
#include "common/wire/time_text.h"

#include <string.h>

/* FIELD_ENUM reads and writes any enum through a uint32_t. */
_Static_assert(sizeof(enum stop_reason) == sizeof(uint32_t), "enums are 32 bits wide");

const enum cp_hold message_fields_holds[HOLD_COUNT] = {HOLD_ADMIN, HOLD_WEATHER, HOLD_MAINTENANCE, HOLD_KEY};

static const char *text_of_cause(uint32_t value)
{
    return message_cause_text((enum message_cause)value);
}

static const char *text_of_refuse_code(uint32_t value)
{
    return message_refuse_code_text((enum message_refuse_code)value);
}

static const char *text_of_reservation_end(uint32_t value)
{
    return message_reservation_end_text((enum message_reservation_end)value);
}

static const char *text_of_supply(uint32_t value)
{
    return message_supply_text((enum cp_supply)value);
}

static const char *text_of_stop_reason(uint32_t value)
{
    return stop_reason_text((enum stop_reason)value);
}

static const char *text_of_session_reason(uint32_t value)
{
    return session_reason_text((enum session_reason)value);
}

static const char *text_of_cp_state(uint32_t value)
{
    return cp_state_text((enum cp_state)value);
}

#define AT(member) offsetof(struct message, member)
#define U32(name, member, min, max)                                                                          \
    {                                                                                                        \
        name, FIELD_U32, AT(member), min, max, NULL                                                          \
    }
#define I64(name, member, min, max)                                                                          \
    {                                                                                                        \
        name, FIELD_I64, AT(member), min, max, NULL                                                          \
    }
#define U64(name, member, max)                                                                               \
    {                                                                                                        \
        name, FIELD_U64, AT(member), 0, max, NULL                                                            \
    }
#define METER(name, member)                                                                                  \
    {                                                                                                        \
        name, FIELD_METER, AT(member), 0, (int64_t)ENERGY_WMS_MAX, NULL                                      \
    }
#define BOOL(name, member)                                                                                   \
    {                                                                                                        \
        name, FIELD_BOOL, AT(member), 0, 1, NULL                                                             \
    }
#define TEXT(name, member, size)                                                                             \
    {                                                                                                        \
        name, FIELD_TEXT, AT(member), 0, size, NULL                                                          \
    }
#define ENUM(name, member, min, count, text)                                                                 \
    {                                                                                                        \
        name, FIELD_ENUM, AT(member), min, (count)-1, text                                                   \
    }
#define HOLDS(name, member)                                                                                  \
    {                                                                                                        \
        name, FIELD_HOLDS, AT(member), 0, HOLD_ALL, NULL                                                     \
    }
#define KEY(name, member)                                                                                    \
    {                                                                                                        \
        name, FIELD_KEY, AT(member), 0, 0, NULL                                                              \
    }
#define ID(name, member, kind)                                                                               \
    {                                                                                                        \
        name, kind, AT(member), 0, 0, NULL                                                                   \
    }

#define EPOCH_MAX UINT32_MAX
#define VERSION_MAX 1000000 /* decoded, to be refused in words */

static const struct field hello_fields[] = {
    U32("version", hello.version, 0, VERSION_MAX),
    ENUM("cause", hello.cause, 0, MESSAGE_CAUSE_COUNT, text_of_cause),
    TEXT("program_version", hello.program_version, MESSAGE_PROGRAM_VERSION_SIZE),
};

static const struct field welcome_fields[] = {
    U32("heartbeat_ms", welcome.heartbeat_ms, 1, MESSAGE_INTERVAL_MS_MAX),
    TEXT("kafka", welcome.kafka, MESSAGE_KAFKA_SIZE),
    U32("price_cents_per_kwh", welcome.price_cents_per_kwh, 0, PRICE_CENTS_PER_KWH_MAX),
    HOLDS("holds", welcome.holds),
    I64("server_time_ms", welcome.server_time_ms, 0, TIME_MS_MAX),
};

static const struct field refuse_fields[] = {
    ENUM("code", refuse.code, 0, MESSAGE_REFUSE_CODE_COUNT, text_of_refuse_code),
    TEXT("detail", refuse.detail, MESSAGE_TEXT_SIZE),
};

static const struct field status_fields[] = {
    BOOL("engine_ok", status.engine_ok),
    TEXT("fault", status.fault, MESSAGE_TEXT_SIZE),
    BOOL("plugged", status.plugged),
    ENUM("supply", status.supply, 0, CP_SUPPLY_CHARGING + 1, text_of_supply),
    ID("session_id", status.session_id, FIELD_SESSION_ID_OR_EMPTY),
    BOOL("maintenance", status.maintenance),
    BOOL("sync", status.sync),
    U32("max_power_w", status.max_power_w, 0, ENERGY_POWER_W_MAX),
    U32("speed", status.speed, 0, ENERGY_SPEED_MAX),
    U32("battery_wh", status.battery_wh, 0, BATTERY_CAPACITY_WH_MAX),
    U32("soc_permille", status.soc_permille, 0, 1000),
};

static const struct field key_fields[] = {
    U32("epoch", key.epoch, 1, EPOCH_MAX),
    KEY("key", key.key),
    TEXT("kafka", key.kafka, MESSAGE_KAFKA_SIZE),
    I64("expires_in_ms", key.expires_in_ms, 1, JSON_INTEGER_MAX),
};

static const struct field key_ack_fields[] = {
    U32("epoch", key_ack.epoch, 1, EPOCH_MAX),
    U32("old_epoch", key_ack.old_epoch, 0, EPOCH_MAX),
    I64("old_last_sequence", key_ack.old_last_sequence, -1, JSON_INTEGER_MAX),
};

static const struct field authorise_fields[] = {
    ID("session_id", authorise.session_id, FIELD_SESSION_ID),
    ID("driver_id", authorise.driver_id, FIELD_DRIVER_ID),
    U32("target_wh", authorise.target_wh, 0, AUTHORISE_TARGET_WH_MAX),
    U32("price_cents_per_kwh", authorise.price_cents_per_kwh, 0, PRICE_CENTS_PER_KWH_MAX),
    U32("prepare_ms", authorise.prepare_ms, 1, MESSAGE_INTERVAL_MS_MAX),
};

static const struct field cancel_fields[] = {
    ID("session_id", cancel.session_id, FIELD_SESSION_ID),
    ENUM("reason", cancel.reason, REASON_NONE + 1, SESSION_REASON_COUNT, text_of_session_reason),
};

static const struct field stop_fields[] = {
    ID("session_id", stop.session_id, FIELD_SESSION_ID),
    ENUM("reason", stop.reason, STOP_NONE + 1, STOP_REASON_COUNT, text_of_stop_reason),
};

static const struct field reservation_ended_fields[] = {
    ID("session_id", reservation_ended.session_id, FIELD_SESSION_ID),
    ENUM("reason", reservation_ended.reason, 0, MESSAGE_RESERVATION_END_COUNT, text_of_reservation_end),
    TEXT("detail", reservation_ended.detail, MESSAGE_TEXT_SIZE),
};

static const struct field supply_started_fields[] = {
    ID("session_id", supply_started.session_id, FIELD_SESSION_ID),
    I64("started_at_ms", supply_started.started_at_ms, 0, TIME_MS_MAX),
};

static const struct field supply_ended_fields[] = {
    ID("session_id", supply_ended.session_id, FIELD_SESSION_ID),
    METER("energy_wms", supply_ended.energy_wms),
    ENUM("stop_reason", supply_ended.stop_reason, STOP_NONE + 1, STOP_REASON_COUNT, text_of_stop_reason),
    I64("started_at_ms", supply_ended.started_at_ms, 0, TIME_MS_MAX),
    I64("ended_at_ms", supply_ended.ended_at_ms, 0, TIME_MS_MAX),
};

static const struct field settled_fields[] = {
    ID("session_id", settled.session_id, FIELD_SESSION_ID),
    U64("energy_wh", settled.energy_wh, (int64_t)ENERGY_WH_MAX),
    U64("cost_cents", settled.cost_cents, JSON_INTEGER_MAX),
};

/* Targets up to ENERGY_WH_MAX are read, so that one that is too large can be answered with bad_target. */
static const struct field charge_request_fields[] = {
    ID("request_id", charge_request.request_id, FIELD_REQUEST_ID),
    ID("driver_id", charge_request.driver_id, FIELD_DRIVER_ID),
    U32("target_wh", charge_request.target_wh, 0, (int64_t)ENERGY_WH_MAX),
};

static const struct field charge_answer_fields[] = {
    ID("request_id", charge_answer.request_id, FIELD_REQUEST_ID),
    BOOL("accepted", charge_answer.accepted),
    ENUM("reason", charge_answer.reason, REASON_NONE, SESSION_REASON_COUNT, text_of_session_reason),
    ID("session_id", charge_answer.session_id, FIELD_SESSION_ID_OR_EMPTY),
};

static const struct field notice_fields[] = {
    HOLDS("holds", notice.holds),
    U32("price_cents_per_kwh", notice.price_cents_per_kwh, 0, PRICE_CENTS_PER_KWH_MAX),
    ENUM("state", notice.state, 0, CP_STATE_COUNT, text_of_cp_state),
    TEXT("text", notice.text, MESSAGE_TEXT_SIZE),
};

static const struct field identify_fields[] = {
    U32("version", identify.version, 0, VERSION_MAX),
    TEXT("program_version", identify.program_version, MESSAGE_PROGRAM_VERSION_SIZE),
    U32("count", identify.count, 1, MESSAGE_ENGINE_COUNT_MAX),
    U32("max_power_w", identify.max_power_w, 1, ENERGY_POWER_W_MAX),
    U32("battery_wh", identify.battery_wh, 1, BATTERY_CAPACITY_WH_MAX),
    U32("speed", identify.speed, 1, ENERGY_SPEED_MAX),
};

static const struct field health_fields[] = {
    I64("n", health.n, 0, JSON_INTEGER_MAX),
};

static const struct field health_answer_fields[] = {
    I64("n", health_answer.n, 0, JSON_INTEGER_MAX),
    BOOL("ok", health_answer.ok),
    TEXT("fault", health_answer.fault, MESSAGE_TEXT_SIZE),
    U32("power_w", health_answer.power_w, 0, ENERGY_POWER_W_MAX),
    METER("energy_wms", health_answer.energy_wms),
    U32("soc_permille", health_answer.soc_permille, 0, 1000),
    ID("session_id", health_answer.session_id, FIELD_SESSION_ID_OR_EMPTY),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LAYOUT(rule, name) #name, rule, name##_fields, COUNT(name##_fields)

static const struct message_layout layouts[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = {LAYOUT(CP_ID_REQUIRED, hello)},
    [MESSAGE_WELCOME] = {LAYOUT(CP_ID_REQUIRED, welcome)},
    [MESSAGE_REFUSE] = {LAYOUT(CP_ID_OPTIONAL, refuse)},
    [MESSAGE_HEARTBEAT] = {"heartbeat", CP_ID_REQUIRED, NULL, 0},
    [MESSAGE_STATUS] = {LAYOUT(CP_ID_REQUIRED, status)},
    [MESSAGE_KEY] = {LAYOUT(CP_ID_REQUIRED, key)},
    [MESSAGE_KEY_ACK] = {LAYOUT(CP_ID_REQUIRED, key_ack)},
    [MESSAGE_AUTHORISE] = {LAYOUT(CP_ID_REQUIRED, authorise)},
    [MESSAGE_CANCEL] = {LAYOUT(CP_ID_REQUIRED, cancel)},
    [MESSAGE_STOP] = {LAYOUT(CP_ID_REQUIRED, stop)},
    [MESSAGE_RESERVATION_ENDED] = {LAYOUT(CP_ID_REQUIRED, reservation_ended)},
    [MESSAGE_SUPPLY_STARTED] = {LAYOUT(CP_ID_REQUIRED, supply_started)},
    [MESSAGE_SUPPLY_ENDED] = {LAYOUT(CP_ID_REQUIRED, supply_ended)},
    [MESSAGE_SETTLED] = {LAYOUT(CP_ID_REQUIRED, settled)},
    [MESSAGE_CHARGE_REQUEST] = {LAYOUT(CP_ID_REQUIRED, charge_request)},
    [MESSAGE_CHARGE_ANSWER] = {LAYOUT(CP_ID_REQUIRED, charge_answer)},
    [MESSAGE_NOTICE] = {LAYOUT(CP_ID_REQUIRED, notice)},
    [MESSAGE_IDENTIFY] = {LAYOUT(CP_ID_ABSENT, identify)},
    [MESSAGE_ATTACH] = {"attach", CP_ID_REQUIRED, NULL, 0},
    [MESSAGE_HEALTH] = {LAYOUT(CP_ID_REQUIRED, health)},
    [MESSAGE_HEALTH_ANSWER] = {LAYOUT(CP_ID_REQUIRED, health_answer)},
};

const struct message_layout *message_fields_layout(enum message_type type)
{
    return (unsigned)type < MESSAGE_TYPE_COUNT ? &layouts[type] : NULL;
}

bool message_fields_agree(const struct message *message)
{
    if (message->type == MESSAGE_STATUS) {
        const bool supplies = message->status.supply != CP_SUPPLY_NONE;
        return supplies == session_id_is_set(&message->status.session_id);
    }
    if (message->type == MESSAGE_CHARGE_ANSWER) {
        const struct message_charge_answer *answer = &message->charge_answer;
        if (!answer->accepted)
            return answer->reason != REASON_NONE;
        return answer->reason == REASON_NONE && session_id_is_set(&answer->session_id);
    }
    return true;
}

const char *message_type_text(enum message_type type)
{
    const struct message_layout *layout = message_fields_layout(type);
    return layout != NULL ? layout->type : "unknown";
}

const char *message_cause_text(enum message_cause cause)
{
    static const char *const texts[MESSAGE_CAUSE_COUNT] = {"automatic", "operator"};
    return (unsigned)cause < MESSAGE_CAUSE_COUNT ? texts[cause] : "unknown";
}

const char *message_refuse_code_text(enum message_refuse_code code)
{
    static const char *const texts[MESSAGE_REFUSE_CODE_COUNT] = {
        "unknown_cp", "revoked",      "key_dropped", "wrong_id", "wrong_key",
        "version",    "deregistered", "replaced",    "protocol", "full"};
    return (unsigned)code < MESSAGE_REFUSE_CODE_COUNT ? texts[code] : "unknown";
}

const char *message_reservation_end_text(enum message_reservation_end end)
{
    static const char *const texts[MESSAGE_RESERVATION_END_COUNT] = {"expired", "cancelled", "refused",
                                                                     "fault", "control_lost"};
    return (unsigned)end < MESSAGE_RESERVATION_END_COUNT ? texts[end] : "unknown";
}

const char *message_supply_text(enum cp_supply supply)
{
    static const char *const texts[] = {"none", "preparing", "charging"};
    return (unsigned)supply <= CP_SUPPLY_CHARGING ? texts[supply] : "unknown";
}

void message_init(struct message *ret_message, enum message_type type, const struct cp_id *cp_id)
{
    memset(ret_message, 0, sizeof(*ret_message));
    ret_message->type = type;
    if (cp_id != NULL)
        ret_message->cp_id = *cp_id;
}
