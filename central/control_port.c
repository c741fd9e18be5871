#include "central/control_port.h"

#include "central/central.h"
#include "central/dispatch.h"
#include "central/key_ring.h"
#include "central/registry_feed.h"
#include "common/runtime/connection.h"
#include "common/runtime/identity.h"
#include "common/runtime/log.h"
#include "common/wire/ulid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_MS 5000 /* from the handshake to the hello */
#define HOLD_MS 3000  /* an unknown charge point waits this long for Registry's word */
#define SWEEP_MS 250
#define RATE_WINDOW_MS 10000
#define RATE_FRAMES_MAX 2000 /* in a window; a monitor sends a few a second */
#define QUEUE_BYTES_MAX (64U * 1024U)

enum peer_state { PEER_SILENT, PEER_HELD, PEER_OPEN, PEER_CLOSING };

struct peer {
    struct control_port *port;
    struct connection *connection;
    uint64_t id; /* slot in the low half, generation in the high */
    enum peer_state state;
    bool operator_cause;
    struct cp_id cp_id;
    struct fleet_actor actor;
    int64_t held_until_ms, next_heartbeat_ms, window_ms;
    unsigned window_frames;
};

struct control_port {
    struct central *central;
    struct listener *listener;
    struct loop_timer *timer;
    struct peer **slots;
    uint32_t *generations;
    size_t slot_count, slot_capacity, open_count;
    size_t first_free; /* no free slot below */
};

/* -- slots -- */

static struct peer *peer_of(const struct control_port *port, uint64_t id)
{
    size_t slot = (size_t)(id & UINT32_MAX);
    struct peer *peer = slot < port->slot_count ? port->slots[slot] : NULL;

    return peer != NULL && peer->id == id ? peer : NULL;
}

static bool slots_grow(struct control_port *port)
{
    size_t capacity = port->slot_capacity == 0 ? 64 : port->slot_capacity * 2;
    struct peer **slots = realloc(port->slots, capacity * sizeof *slots);
    uint32_t *generations = NULL;

    if (slots == NULL) {
        return false;
    }
    port->slots = slots;
    generations = realloc(port->generations, capacity * sizeof *generations);
    if (generations == NULL) {
        return false;
    }
    port->generations = generations;
    port->slot_capacity = capacity;
    return true;
}

static bool slot_take(struct control_port *port, struct peer *peer)
{
    size_t slot = port->first_free;

    while (slot < port->slot_count && port->slots[slot] != NULL) {
        slot++;
    }
    if (slot == port->slot_count) {
        if (slot == port->slot_capacity && !slots_grow(port)) {
            return false;
        }
        port->generations[slot] = 0;
        port->slot_count++;
    }
    port->first_free = slot + 1;
    port->generations[slot]++;
    port->slots[slot] = peer;
    port->open_count++;
    peer->id = (uint64_t)port->generations[slot] << 32 | slot;
    return true;
}

static void slot_release(struct control_port *port, const struct peer *peer)
{
    size_t slot = (size_t)(peer->id & UINT32_MAX);

    port->slots[slot] = NULL;
    port->open_count--;
    if (slot < port->first_free) {
        port->first_free = slot;
    }
}

/* -- sending -- */

static void peer_free(struct peer *peer)
{
    connection_free(peer->connection);
    slot_release(peer->port, peer);
    free(peer);
}

static void tell_disconnected(struct peer *peer)
{
    struct fleet_event event;

    if (peer->state != PEER_OPEN) {
        return;
    }
    peer->state = PEER_CLOSING;
    dispatch_event_init(&event, FLEET_DISCONNECTED);
    event.cp_id = peer->cp_id;
    event.connection = peer->id;
    event.actor = &peer->actor;
    (void)dispatch_step(peer->port->central, &event, NULL);
}

void control_port_close(struct control_port *port, uint64_t id)
{
    struct peer *peer = peer_of(port, id);

    if (peer != NULL) {
        peer->state = PEER_CLOSING;
        connection_close(peer->connection);
    }
}

void control_port_send(struct control_port *port, uint64_t id, const void *bytes, size_t len)
{
    struct peer *peer = peer_of(port, id);
    enum ev_err err = EV_OK;

    if (peer == NULL) {
        return;
    }
    err = connection_send(peer->connection, bytes, len);
    if (err == EV_ERR_FULL || err == EV_ERR_NOMEM) {
        log_warn("control.does_not_read", log_str("cp", peer->cp_id.text),
                 log_str("address", peer->actor.address));
        port->central->counters.control_dropped++;
        tell_disconnected(peer);
        connection_close(peer->connection);
    }
}

/* Straight from here: nothing was decided that a commit would have to carry. */
static void refuse(struct peer *peer, enum message_refuse_code code, const char *detail)
{
    struct message message;
    char bytes[MESSAGE_SIZE];
    size_t length = 0;

    message_init(&message, MESSAGE_REFUSE, cp_id_is_set(&peer->cp_id) ? &peer->cp_id : NULL);
    message.refuse.code = code;
    (void)snprintf(message.refuse.detail, sizeof message.refuse.detail, "%s", detail);
    tell_disconnected(peer);
    peer->state = PEER_CLOSING;
    if (message_encode(&message, bytes, sizeof bytes, &length) == EV_OK &&
        connection_send(peer->connection, bytes, length) != EV_OK) {
        log_debug("control.refusal_not_sent", log_str("address", peer->actor.address));
    }
    connection_close(peer->connection);
}

static void refuse_audited(struct peer *peer, const char *action, enum message_refuse_code code,
                           const char *detail)
{
    struct central *central = peer->port->central;

    central->counters.control_refused++;
    dispatch_audit_burst(central, &peer->actor, action, peer->cp_id.text, detail, detail);
    refuse(peer, code, detail);
}

/* -- hello -- */

static void decide_hello(struct peer *peer)
{
    struct central *central = peer->port->central;
    const struct peer_identity *identity = connection_peer(peer->connection);
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_HELLO);
    event.cp_id = peer->cp_id;
    event.connection = peer->id;
    event.actor = &peer->actor;
    event.of.hello.operator_cause = peer->operator_cause;
    memcpy(event.of.hello.key_sha256, identity->key_sha256, sizeof event.of.hello.key_sha256);
    if (dispatch_step(central, &event, NULL) != EV_OK) {
        central->counters.control_refused++;
        return; /* refused and closed by the fleet */
    }
    central->counters.control_accepted++;
    peer->state = PEER_OPEN;
    peer->next_heartbeat_ms = loop_now_ms(central->loop) + central->options.heartbeat_seconds * 1000;
    connection_set_idle_timeout(peer->connection, central->options.heartbeat_seconds * 3000);
}

/* Registered with this very key? Otherwise Registry may know more than we do. */
static bool is_known(const struct peer *peer)
{
    enum fleet_node_verdict verdict =
        fleet_check_node(peer->port->central->fleet, FLEET_ROLE_CP, peer->cp_id.text,
                         connection_peer(peer->connection)->key_sha256);

    return verdict == FLEET_NODE_OK;
}

static void on_hello(struct peer *peer, const struct message *message)
{
    struct central *central = peer->port->central;
    const struct peer_identity *identity = connection_peer(peer->connection);

    if (message->type != MESSAGE_HELLO) {
        refuse_audited(peer, "auth.failed", MESSAGE_REFUSE_PROTOCOL, "the first message is not hello");
        return;
    }
    if (identity->role != NODE_ROLE_CP || strcmp(identity->id, message->cp_id.text) != 0) {
        refuse_audited(peer, "auth.failed", MESSAGE_REFUSE_WRONG_ID,
                       "hello names another than the certificate");
        return;
    }
    peer->cp_id = message->cp_id;
    if (message->hello.version != MESSAGE_VERSION) {
        refuse_audited(peer, "auth.failed", MESSAGE_REFUSE_VERSION, "this Central speaks version 1");
        return;
    }
    peer->operator_cause = message->hello.cause == MESSAGE_CAUSE_OPERATOR;
    if (is_known(peer) || central->registry_feed == NULL) {
        decide_hello(peer);
        return;
    }
    peer->state = PEER_HELD;
    peer->held_until_ms = loop_now_ms(central->loop) + HOLD_MS;
    connection_set_idle_timeout(peer->connection, 0);
    registry_feed_poll(central->registry_feed);
}

/* -- what an authenticated monitor says -- */

static void on_key_ack(struct peer *peer, const struct message *message)
{
    const struct message_key_ack *ack = &message->key_ack;

    log_debug("key.acknowledged", log_str("cp", peer->cp_id.text), log_uint("epoch", ack->epoch),
              log_uint("old_epoch", ack->old_epoch), log_int("old_last_sequence", ack->old_last_sequence));
    if (ack->old_epoch != 0) {
        key_ring_acknowledge(peer->port->central->key_ring, KEY_OWNER_CP, peer->cp_id.text, ack->old_epoch,
                             ack->old_last_sequence);
    }
}

static void on_supply_ended(struct peer *peer, const struct message *message, struct fleet_event *event)
{
    struct central *central = peer->port->central;
    struct store_session row;

    event->type = FLEET_SUPPLY_ENDED;
    event->of.supply_ended = message->supply_ended;
    if (fleet_find_session(central->fleet, &message->supply_ended.session_id) == NULL &&
        store_find_session(central->store, &message->supply_ended.session_id, &row) == EV_OK) {
        event->known = &row;
    }
    (void)dispatch_step(central, event, NULL);
    event->known = NULL;
}

static void on_charge_request(struct peer *peer, const struct message *message, struct fleet_event *event)
{
    struct central *central = peer->port->central;
    struct store_session row;

    event->type = FLEET_CP_REQUEST;
    event->of.request.driver_id = message->charge_request.driver_id;
    event->of.request.request_id = message->charge_request.request_id;
    event->of.request.target_wh = message->charge_request.target_wh;
    ulid_generate_session_id(event->wall_ms, &event->new_session_id);
    if (fleet_find_request(central->fleet, &event->of.request.driver_id, &event->of.request.request_id) ==
            NULL &&
        store_find_session_by_request(central->store, &event->of.request.driver_id,
                                      &event->of.request.request_id, &row) == EV_OK) {
        event->known = &row;
    }
    if (dispatch_step(central, event, NULL) == EV_OK) {
        central->counters.requests_applied++;
    } else {
        central->counters.requests_refused++;
    }
    event->known = NULL;
}

static void on_message(struct peer *peer, const struct message *message)
{
    struct central *central = peer->port->central;
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_STATUS);
    event.cp_id = peer->cp_id;
    event.connection = peer->id;
    event.actor = &peer->actor;
    switch (message->type) {
    case MESSAGE_HEARTBEAT:
        return;
    case MESSAGE_STATUS:
        event.of.status = message->status;
        break;
    case MESSAGE_KEY_ACK:
        on_key_ack(peer, message);
        return;
    case MESSAGE_SUPPLY_STARTED:
        event.type = FLEET_SUPPLY_STARTED;
        event.of.supply_started = message->supply_started;
        break;
    case MESSAGE_RESERVATION_ENDED:
        event.type = FLEET_RESERVATION_ENDED;
        event.of.reservation_ended = message->reservation_ended;
        break;
    case MESSAGE_SUPPLY_ENDED:
        on_supply_ended(peer, message, &event);
        return;
    case MESSAGE_CHARGE_REQUEST:
        on_charge_request(peer, message, &event);
        return;
    default:
        refuse_audited(peer, "control.refused", MESSAGE_REFUSE_PROTOCOL,
                       "a message that a monitor does not send");
        return;
    }
    (void)dispatch_step(central, &event, NULL);
}

static bool is_too_fast(struct peer *peer)
{
    int64_t now_ms = loop_now_ms(peer->port->central->loop);

    if (now_ms - peer->window_ms >= RATE_WINDOW_MS) {
        peer->window_ms = now_ms;
        peer->window_frames = 0;
    }
    return ++peer->window_frames > RATE_FRAMES_MAX;
}

static void on_frame(struct connection *connection, const uint8_t *bytes, size_t len, void *user)
{
    struct peer *peer = user;
    struct message message;

    (void)connection;
    if (peer->state == PEER_CLOSING) {
        return;
    }
    if (is_too_fast(peer)) {
        refuse_audited(peer, "control.refused", MESSAGE_REFUSE_PROTOCOL, "too many messages");
    } else if (message_decode((const char *)bytes, len, &message) != EV_OK) {
        refuse_audited(peer, "control.refused", MESSAGE_REFUSE_PROTOCOL, "a message that cannot be read");
    } else if (peer->state == PEER_SILENT) {
        on_hello(peer, &message);
    } else if (!cp_id_equal(&message.cp_id, &peer->cp_id)) {
        refuse_audited(peer, "control.claim", MESSAGE_REFUSE_WRONG_ID,
                       "a message in another charge point's name");
    } else if (peer->state == PEER_OPEN) {
        on_message(peer, &message);
    } else if (message.type != MESSAGE_HEARTBEAT) { /* held: nothing counts before the welcome */
        refuse_audited(peer, "control.refused", MESSAGE_REFUSE_PROTOCOL, "a message before the welcome");
    }
}

static void on_closed(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct peer *peer = user;
    struct central *central = peer->port->central;

    (void)connection;
    if (peer->state == PEER_OPEN) {
        log_info("control.closed", log_str("cp", peer->cp_id.text), log_str("reason", text));
    } else if (peer->state == PEER_SILENT && err != EV_OK) {
        dispatch_audit_burst(central, &peer->actor, "auth.failed", "", text, text);
    }
    if (err != EV_OK && err != EV_ERR_CLOSED) {
        central->counters.control_dropped++;
    }
    tell_disconnected(peer);
    slot_release(peer->port, peer);
    free(peer); /* the connection frees itself */
}

/* -- listening -- */

static void on_accept(struct connection *connection, void *user)
{
    static const struct connection_callbacks callbacks = {.on_frame = on_frame, .on_closed = on_closed};
    struct control_port *port = user;
    struct peer *peer = calloc(1, sizeof *peer);
    const struct peer_identity *identity = connection_peer(connection);

    if (peer == NULL || !slot_take(port, peer)) {
        free(peer);
        connection_free(connection);
        return;
    }
    peer->port = port;
    peer->connection = connection;
    peer->window_ms = loop_now_ms(port->central->loop);
    (void)snprintf(peer->actor.who, sizeof peer->actor.who, "%s:%s", node_role_text(identity->role),
                   identity->id);
    (void)snprintf(peer->actor.address, sizeof peer->actor.address, "%s",
                   connection_peer_address(connection));
    connection_set_callbacks(connection, &callbacks, peer);
    connection_set_queue_max(connection, QUEUE_BYTES_MAX);
    connection_set_idle_timeout(connection, HELLO_MS);
}

static void on_refused(const char *address, enum ev_err err, const char *reason, void *user)
{
    struct control_port *port = user;
    struct fleet_actor actor = {.who = "unknown"};

    (void)err;
    port->central->counters.control_refused++;
    (void)snprintf(actor.address, sizeof actor.address, "%s", address);
    dispatch_audit_burst(port->central, &actor, "auth.failed", "control", reason, reason);
}

static void send_heartbeat(struct peer *peer)
{
    struct message message;
    char bytes[MESSAGE_SIZE];
    size_t length = 0;

    message_init(&message, MESSAGE_HEARTBEAT, &peer->cp_id);
    if (message_encode(&message, bytes, sizeof bytes, &length) == EV_OK) {
        control_port_send(peer->port, peer->id, bytes, length);
    }
}

static void on_sweep(void *user)
{
    struct control_port *port = user;
    int64_t now_ms = loop_now_ms(port->central->loop);

    for (size_t i = 0; i < port->slot_count; i++) {
        struct peer *peer = port->slots[i];

        if (peer != NULL && peer->state == PEER_OPEN && now_ms >= peer->next_heartbeat_ms) {
            peer->next_heartbeat_ms = now_ms + port->central->options.heartbeat_seconds * 1000;
            send_heartbeat(peer);
        } else if (peer != NULL && peer->state == PEER_HELD && now_ms >= peer->held_until_ms) {
            decide_hello(peer);
        }
    }
}

void control_port_retry_held(struct control_port *port)
{
    for (size_t i = 0; i < port->slot_count; i++) {
        struct peer *peer = port->slots[i];

        if (peer != NULL && peer->state == PEER_HELD && is_known(peer)) {
            decide_hello(peer);
        }
    }
}

size_t control_port_connections(const struct control_port *port)
{
    return port->open_count;
}

enum ev_err control_port_new(struct central *central, struct control_port **ret_port,
                             struct failure *ret_failure)
{
    struct control_port *port = calloc(1, sizeof *port);
    struct listener_config config = {
        .expected_role = NODE_ROLE_CP, .on_accept = on_accept, .on_refused = on_refused};
    enum ev_err err = EV_OK;

    if (port == NULL) {
        return EV_ERR_NOMEM;
    }
    port->central = central;
    config.user = port;
    err = host_port_parse(central->options.control, &config.address);
    if (err == EV_OK) {
        err = identity_credentials(central->identity, &config.credentials, ret_failure);
    }
    if (err == EV_OK) {
        err = loop_timer_new(central->loop, on_sweep, port, &port->timer);
    }
    if (err == EV_OK) {
        err = listener_new(central->loop, &config, &port->listener, ret_failure);
    }
    tls_credentials_free(config.credentials); /* the listener holds its own */
    if (err != EV_OK) {
        control_port_free(port);
        return err;
    }
    loop_timer_repeat(port->timer, SWEEP_MS);
    log_info("control.listening", log_str("address", central->options.control),
             log_uint("port", listener_port(port->listener)));
    *ret_port = port;
    return EV_OK;
}

void control_port_free(struct control_port *port)
{
    if (port == NULL) {
        return;
    }
    listener_free(port->listener);
    loop_timer_free(port->timer);
    for (size_t i = 0; i < port->slot_count; i++) {
        if (port->slots[i] != NULL) {
            peer_free(port->slots[i]);
        }
    }
    free(port->slots);
    free(port->generations);
    free(port);
}
