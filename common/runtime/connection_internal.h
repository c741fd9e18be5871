/* connection_internal.h - what connection.c (frames, closing), connection_dial.c and listener.c share. */
#ifndef EV_RUNTIME_CONNECTION_INTERNAL_H
#define EV_RUNTIME_CONNECTION_INTERNAL_H

#include "common/runtime/connection.h"
#include "common/runtime/resolver.h"
#include "common/wire/frame.h"

#include <sys/socket.h>

enum connection_state {
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_HANDSHAKING,
    CONNECTION_READY,
    CONNECTION_FLUSHING,  /* connection_close was called: output goes out, input is thrown away */
    CONNECTION_LINGERING, /* our side is shut; waits for the peer's end, so that what we sent is not reset
                             away */
    CONNECTION_ENDED      /* only the report is left, or nothing */
};

/* What dialling needs and a running connection does not. */
struct connection_dial {
    struct resolver_lookup *lookup; /* NULL unless running */
    struct addrinfo *addresses;
    struct addrinfo *next; /* to be tried */
    unsigned left;         /* addresses from next on */
    struct host_port target;
    struct tls_credentials *credentials;
    char *server_name;
    enum node_role expected_role;
    int64_t deadline_ms;
};

struct connection {
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *timer; /* the earliest of the deadlines below, or an end to be reported */
    struct tls_session *tls;
    struct connection_dial *dial; /* NULL once ready, and for accepted ones */
    struct listener *listener;    /* accepted ones while the listener lives */
    struct connection *previous;  /* the listener's list */
    struct connection *next;
    struct connection_callbacks callbacks;
    void *user;
    char *peer_address;
    uint8_t *out; /* ring-free queue: bytes out_start .. out_used; NULL when empty */
    size_t out_start;
    size_t out_used;
    size_t out_size;
    size_t queue_max;
    int64_t armed_ms;     /* for when the timer runs; 0: not */
    int64_t phase_end_ms; /* of connecting, handshake, flushing, lingering; 0: none */
    int64_t half_end_ms;  /* of the frame that has begun; 0: none */
    int64_t idle_ms;      /* 0: no limit */
    int64_t heard_ms;     /* last whole frame */
    struct frame_decoder decoder;
    int fd;
    enum connection_state state;
    unsigned depth;      /* of callbacks under way */
    bool freed;          /* by the owner: no callbacks any more */
    bool refused;        /* an accepted one that on_accept never saw; ends silently */
    enum ev_err end_err; /* for the report when it is deferred */
    char *end_text;
};

/* An empty shell in the given state. */
EV_MUST_CHECK enum ev_err connection_new(struct loop *loop, enum connection_state state,
                                         struct connection **ret_connection);

/* Non-blocking, no delay, keepalive. */
void connection_tune_socket(int fd);

/* "127.0.0.1:40312" of a socket address. */
void connection_format_address(const struct sockaddr *address, socklen_t len,
                               char ret_text[HOST_PORT_TEXT_MAX]);

/* Watches its descriptor. */
EV_MUST_CHECK enum ev_err connection_watch(struct connection *connection, uint32_t events);

/* Sets the timer to the earliest deadline. */
void connection_arm(struct connection *connection);

/* The end: everything is released; then on_closed (or the listener's on_refused), now or, with
 * connection_finish_later, from the loop. The pointer is dead after connection_finish unless depth > 0. */
void connection_finish(struct connection *connection, enum ev_err err, const char *text);
void connection_finish_later(struct connection *connection, enum ev_err err, const char *text);

/* After TCP is there: begins TLS, or is ready at once. May finish. */
void connection_begin_handshake(struct connection *connection, struct tls_credentials *credentials,
                                enum tls_side side, const char *host, enum node_role expected_role);

/* Brackets around everything that may call back: false when the connection is gone. */
void connection_enter(struct connection *connection);
bool connection_leave(struct connection *connection);

/* connection_dial.c */
void connection_dial_on_events(struct connection *connection, uint32_t events);
void connection_dial_on_deadline(struct connection *connection);
void connection_dial_free(struct connection_dial *dial);

/* listener.c */
void listener_on_ready(struct listener *listener, struct connection *connection);
void listener_on_refused(struct listener *listener, const char *address, enum ev_err err, const char *text);
void listener_forget(struct listener *listener, struct connection *connection);

#endif
