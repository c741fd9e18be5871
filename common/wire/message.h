/* message.h - the messages of the control port and the engine link, typed (docs/protocol.md, section 2).
 * Member names are those of the JSON. M = monitor, C = Central, E = engine.
 * Decoding is strict: unknown members are ignored, a missing or ill-typed one is an error. */
#ifndef EV_WIRE_MESSAGE_H
#define EV_WIRE_MESSAGE_H

#include "common/rules/charge_point.h"
#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/rules/session.h"
#include "common/wire/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_VERSION 1
#define MESSAGE_TEXT_SIZE 160 /* fault, detail, text: with the terminator */
#define MESSAGE_KAFKA_SIZE 256
#define MESSAGE_PROGRAM_VERSION_SIZE 32
#define MESSAGE_SIZE 4096 /* room for every encoded message, escapes included */
#define MESSAGE_ENGINE_COUNT_MAX 100000
#define MESSAGE_INTERVAL_MS_MAX 86400000 /* heartbeat_ms, prepare_ms */

enum message_type {
    MESSAGE_HELLO,             /* M -> C, first */
    MESSAGE_WELCOME,           /* C -> M */
    MESSAGE_REFUSE,            /* C -> M, E -> M, then close */
    MESSAGE_HEARTBEAT,         /* both ways */
    MESSAGE_STATUS,            /* E -> M -> C */
    MESSAGE_KEY,               /* C -> M -> E */
    MESSAGE_KEY_ACK,           /* E -> M -> C */
    MESSAGE_AUTHORISE,         /* C -> M -> E */
    MESSAGE_CANCEL,            /* C -> M -> E */
    MESSAGE_STOP,              /* C -> M -> E */
    MESSAGE_RESERVATION_ENDED, /* M -> C, E -> M */
    MESSAGE_SUPPLY_STARTED,    /* E -> M -> C */
    MESSAGE_SUPPLY_ENDED,      /* E -> M -> C */
    MESSAGE_SETTLED,           /* C -> M -> E */
    MESSAGE_CHARGE_REQUEST,    /* M -> C */
    MESSAGE_CHARGE_ANSWER,     /* C -> M */
    MESSAGE_NOTICE,            /* C -> M */
    MESSAGE_IDENTIFY,          /* E -> M, first */
    MESSAGE_ATTACH,            /* M -> E */
    MESSAGE_HEALTH,            /* M -> E */
    MESSAGE_HEALTH_ANSWER,     /* E -> M */
    MESSAGE_TYPE_COUNT
};

enum message_cause { MESSAGE_CAUSE_AUTOMATIC, MESSAGE_CAUSE_OPERATOR, MESSAGE_CAUSE_COUNT };

enum message_refuse_code {
    MESSAGE_REFUSE_UNKNOWN_CP,   /* "unknown_cp": not registered here yet; retry */
    MESSAGE_REFUSE_REVOKED,      /* "revoked" */
    MESSAGE_REFUSE_KEY_DROPPED,  /* "key_dropped": needs the operator's `connect` */
    MESSAGE_REFUSE_WRONG_ID,     /* "wrong_id": the certificate names another */
    MESSAGE_REFUSE_WRONG_KEY,    /* "wrong_key": registered with another public key */
    MESSAGE_REFUSE_VERSION,      /* "version" */
    MESSAGE_REFUSE_DEREGISTERED, /* "deregistered" */
    MESSAGE_REFUSE_REPLACED,     /* "replaced": a newer connection of the same charge point took over */
    MESSAGE_REFUSE_PROTOCOL,     /* "protocol": a message that was not expected or could not be read */
    MESSAGE_REFUSE_FULL,         /* "full": no slot or connection left (engine's --count, Central's cap) */
    MESSAGE_REFUSE_CODE_COUNT
};

enum message_reservation_end {
    MESSAGE_RESERVATION_EXPIRED, /* prepare_ms went by */
    MESSAGE_RESERVATION_CANCELLED,
    MESSAGE_RESERVATION_REFUSED, /* the charge point itself said no */
    MESSAGE_RESERVATION_FAULT,
    MESSAGE_RESERVATION_CONTROL_LOST,
    MESSAGE_RESERVATION_END_COUNT
};

struct message_hello {
    uint32_t version; /* MESSAGE_VERSION; others decode too, so that they can be refused in words */
    enum message_cause cause;
    char program_version[MESSAGE_PROGRAM_VERSION_SIZE];
};

struct message_welcome {
    uint32_t heartbeat_ms; /* from 1 */
    char kafka[MESSAGE_KAFKA_SIZE];
    uint32_t price_cents_per_kwh;
    uint32_t holds; /* bits of enum cp_hold */
    int64_t server_time_ms;
};

struct message_refuse { /* cp_id may be unset */
    enum message_refuse_code code;
    char detail[MESSAGE_TEXT_SIZE];
};

struct message_status {
    bool engine_ok;
    char fault[MESSAGE_TEXT_SIZE]; /* "": none */
    bool plugged;
    enum cp_supply supply;
    struct session_id session_id; /* of that supply; unset exactly when supply is none */
    bool maintenance;
    bool sync;
    uint32_t max_power_w; /* 0: not known (no engine) */
    uint32_t speed;       /* 0: not known */
    uint32_t battery_wh;  /* 0: not known */
    uint32_t soc_permille;
};

struct message_key {
    uint32_t epoch; /* from 1 */
    struct seal_key key;
    char kafka[MESSAGE_KAFKA_SIZE];
    int64_t expires_in_ms; /* from 1 */
};

struct message_key_ack {
    uint32_t epoch;            /* from 1 */
    uint32_t old_epoch;        /* 0: none */
    int64_t old_last_sequence; /* -1: unknown */
};

struct message_authorise {
    struct session_id session_id;
    struct driver_id driver_id;
    uint32_t target_wh; /* 0: none */
    uint32_t price_cents_per_kwh;
    uint32_t prepare_ms; /* from 1 */
};

struct message_cancel {
    struct session_id session_id;
    enum session_reason reason; /* not REASON_NONE */
};

struct message_stop {
    struct session_id session_id;
    enum stop_reason reason; /* not STOP_NONE */
};

struct message_reservation_ended {
    struct session_id session_id;
    enum message_reservation_end reason;
    char detail[MESSAGE_TEXT_SIZE];
};

struct message_supply_started {
    struct session_id session_id;
    int64_t started_at_ms;
};

struct message_supply_ended {
    struct session_id session_id;
    uint64_t energy_wms;          /* decimal string on the wire */
    enum stop_reason stop_reason; /* not STOP_NONE */
    int64_t started_at_ms;
    int64_t ended_at_ms;
};

struct message_settled {
    struct session_id session_id;
    uint64_t energy_wh;
    uint64_t cost_cents;
};

struct message_charge_request {
    struct request_id request_id;
    struct driver_id driver_id;
    uint32_t target_wh; /* 0: none */
};

struct message_charge_answer {
    struct request_id request_id;
    bool accepted;
    enum session_reason reason;   /* REASON_NONE ("") when accepted */
    struct session_id session_id; /* may be unset when not accepted */
};

struct message_notice {
    uint32_t holds; /* bits of enum cp_hold */
    uint32_t price_cents_per_kwh;
    enum cp_state state; /* "Available" ... */
    char text[MESSAGE_TEXT_SIZE];
};

struct message_identify { /* carries no cp_id: the engine does not know its ids before `attach` */
    uint32_t version;
    char program_version[MESSAGE_PROGRAM_VERSION_SIZE];
    uint32_t count;       /* charge points it simulates, 1 .. MESSAGE_ENGINE_COUNT_MAX */
    uint32_t max_power_w; /* from 1 */
    uint32_t battery_wh;  /* from 1 */
    uint32_t speed;       /* from 1 */
};

struct message_health {
    int64_t n; /* from 0 */
};

struct message_health_answer {
    int64_t n;
    bool ok;
    char fault[MESSAGE_TEXT_SIZE]; /* "": none */
    uint32_t power_w;
    uint64_t energy_wms; /* decimal string on the wire */
    uint32_t soc_permille;
    struct session_id session_id; /* unset: no supply */
};

struct message {
    enum message_type type;
    struct cp_id cp_id; /* unset in MESSAGE_IDENTIFY, may be unset in MESSAGE_REFUSE, else set */
    union {             /* by type; MESSAGE_HEARTBEAT and MESSAGE_ATTACH have none */
        struct message_hello hello;
        struct message_welcome welcome;
        struct message_refuse refuse;
        struct message_status status;
        struct message_key key;
        struct message_key_ack key_ack;
        struct message_authorise authorise;
        struct message_cancel cancel;
        struct message_stop stop;
        struct message_reservation_ended reservation_ended;
        struct message_supply_started supply_started;
        struct message_supply_ended supply_ended;
        struct message_settled settled;
        struct message_charge_request charge_request;
        struct message_charge_answer charge_answer;
        struct message_notice notice;
        struct message_identify identify;
        struct message_health health;
        struct message_health_answer health_answer;
    };
};

/* An all-zero message of that type for that charge point (NULL: unset). */
void message_init(struct message *ret_message, enum message_type type, const struct cp_id *cp_id);

/* Writes the frame's payload; no terminator is counted. MESSAGE_SIZE is enough for every message.
 * Errors: EV_ERR_RANGE (a member outside its bounds, text that is no UTF-8), EV_ERR_TOO_LARGE (cap). */
EV_MUST_CHECK enum ev_err message_encode(const struct message *message, char *buf, size_t cap,
                                         size_t *ret_len);

/* Reads a frame's payload. Members of other types in ret_message are zero.
 * Errors: EV_ERR_TOO_LARGE, EV_ERR_PARSE, EV_ERR_RANGE, EV_ERR_UNSUPPORTED (unknown type), EV_ERR_NOMEM;
 * output untouched. */
EV_MUST_CHECK enum ev_err message_decode(const char *bytes, size_t len, struct message *ret_message);

/* Wire texts; never NULL for values below the COUNT. */
const char *message_type_text(enum message_type type);
const char *message_cause_text(enum message_cause cause);
const char *message_refuse_code_text(enum message_refuse_code code);
const char *message_reservation_end_text(enum message_reservation_end end);
const char *message_supply_text(enum cp_supply supply);

#endif
