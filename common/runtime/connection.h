/* connection.h - framed messages over TCP, with or without TLS, on the loop; and the listener that accepts
 * them. Frames as in common/wire/frame.h: this file adds and removes the header.
 * Invariants: on_ready at most once; on_frame only after it; on_closed exactly once, last, unless
 * connection_free came first, and the connection frees itself when on_closed returns. Output is bounded. An
 * idle connection holds about 400 bytes here beside TLS's 11 kB. */
#ifndef EV_RUNTIME_CONNECTION_H
#define EV_RUNTIME_CONNECTION_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct listener;

/* Any may be NULL. Inside any of them connection_close and connection_free are allowed; after connection_free
 * the pointer is dead. */
struct connection_callbacks {
    /* Handshake done: the peer is known, frames may be sent. Not called for accepted ones (see on_accept). */
    void (*on_ready)(struct connection *connection, void *user);
    /* One payload, valid during the call only, not terminated. */
    void (*on_frame)(struct connection *connection, const uint8_t *bytes, size_t len, void *user);
    /* err EV_OK: connection_close was asked and done. EV_ERR_CLOSED: the peer closed. Else what failed:
     * EV_ERR_IO ("connection refused"), EV_ERR_TIMEOUT, EV_ERR_AUTH ("the peer's certificate has expired"),
     * EV_ERR_TLS, EV_ERR_TOO_LARGE, EV_ERR_PARSE (frames). text is never empty. */
    void (*on_closed)(struct connection *connection, enum ev_err err, const char *text, void *user);
};

struct connection_target {
    struct host_port address;
    struct tls_credentials *credentials; /* NULL: clear TCP */
    const char *server_name;             /* checked against the certificate; NULL: address.host */
    enum node_role expected_role;        /* NODE_ROLE_NONE: any */
    int64_t timeout_ms;                  /* until ready; 0: CONNECTION_CONNECT_MS */
};

/* Dials; never blocks (names are looked up on a thread). Every failure but a programmer's or memory comes by
 * on_closed, after this has returned. No retries: the owner has a backoff. */
EV_MUST_CHECK enum ev_err connection_connect(struct loop *loop, const struct connection_target *target,
                                             const struct connection_callbacks *callbacks, void *user,
                                             struct connection **ret_connection);

/* Queues one frame. Before it is ready, EV_ERR_STATE. While it closes, EV_ERR_CLOSED.
 * Errors: EV_ERR_RANGE (len 0 or above FRAME_PAYLOAD_MAX), EV_ERR_FULL (the queue's cap: the peer does not
 * read; close it), EV_ERR_NOMEM. Never calls back. */
EV_MUST_CHECK enum ev_err connection_send(struct connection *connection, const void *bytes, size_t len);

/* Orderly: no more frames come in; what is queued goes out (at most CONNECTION_CLOSE_MS); then on_closed with
 * EV_OK, never from inside this call. May be repeated. */
void connection_close(struct connection *connection);

/* At once, without callbacks; NULL is fine. */
void connection_free(struct connection *connection);

/* Whose events they are; for accepted connections called from on_accept. */
void connection_set_callbacks(struct connection *connection, const struct connection_callbacks *callbacks,
                              void *user);
void *connection_user(const struct connection *connection);

/* No whole frame for so long: on_closed with EV_ERR_TIMEOUT. Counts from now; 0 ends it. */
void connection_set_idle_timeout(struct connection *connection, int64_t idle_ms);
/* The default is CONNECTION_QUEUE_BYTES_MAX. */
void connection_set_queue_max(struct connection *connection, size_t bytes);
size_t connection_queued_bytes(const struct connection *connection);

/* Role NONE where the peer has no certificate. */
const struct peer_identity *connection_peer(const struct connection *connection);
/* "127.0.0.1:40312"; of a dialled one the target until connected. */
const char *connection_peer_address(const struct connection *connection);
/* Pinned credentials only, once ready; else NULL. Lives as long as the connection. */
const char *connection_peer_root_pem(const struct connection *connection);

struct listener_config {
    struct host_port address;            /* port 0: any free one */
    struct tls_credentials *credentials; /* NULL: clear TCP */
    enum node_role expected_role;        /* NODE_ROLE_NONE: any */
    unsigned max_connections;            /* 0: LISTENER_CONNECTIONS_MAX */
    int64_t handshake_timeout_ms;        /* 0: CONNECTION_HANDSHAKE_MS */
    /* After the handshake. Set callbacks here, or connection_free it. Whoever never says hello is the owner's
     * to close: connection_set_idle_timeout. */
    void (*on_accept)(struct connection *connection, void *user);
    /* A peer failed before on_accept: bad or no certificate, timeout, broken TLS. For the audit; may be NULL.
     */
    void (*on_refused)(const char *address, enum ev_err err, const char *reason, void *user);
    void *user;
};

/* Errors: EV_ERR_IO ("cannot listen on 127.0.0.1:7001: address already in use"). */
EV_MUST_CHECK enum ev_err listener_new(struct loop *loop, const struct listener_config *config,
                                       struct listener **ret_listener, struct failure *ret_failure);
/* Stops accepting and drops handshakes under way; accepted connections live on. */
void listener_free(struct listener *listener);
uint16_t listener_port(const struct listener *listener);
/* Open connections that came through it, handshakes included. */
unsigned listener_connection_count(const struct listener *listener);

#endif
