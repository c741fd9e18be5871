#include "common/runtime/connection_internal.h"

#include "common/runtime/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 1000
#define READ_SIZE 16384 /* a whole TLS record, so that none is left half inside GnuTLS */

static void on_events(void *user, uint32_t events);
static void on_timer(void *user);

/* --- life --- */

enum ev_err connection_new(struct loop *loop, enum connection_state state, struct connection **ret_connection)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return EV_ERR_NOMEM;
    }
    connection->loop = loop;
    connection->fd = -1;
    connection->state = state;
    connection->queue_max = CONNECTION_QUEUE_BYTES_MAX;
    frame_decoder_init(&connection->decoder);
    if (loop_timer_new(loop, on_timer, connection, &connection->timer) != EV_OK) {
        free(connection);
        return EV_ERR_NOMEM;
    }
    *ret_connection = connection;
    return EV_OK;
}

/* Releases everything but the shell with its report. */
static void connection_release(struct connection *connection)
{
    connection->state = CONNECTION_ENDED;
    loop_watch_free(connection->watch);
    connection->watch = NULL;
    tls_session_free(connection->tls);
    connection->tls = NULL;
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
    connection_dial_free(connection->dial);
    connection->dial = NULL;
    frame_decoder_fini(&connection->decoder);
    free(connection->out);
    connection->out = NULL;
    connection->out_start = connection->out_used = connection->out_size = 0;
    if (connection->listener != NULL) {
        listener_forget(connection->listener, connection);
        connection->listener = NULL;
    }
}

static void connection_destroy(struct connection *connection)
{
    connection_release(connection);
    loop_timer_free(connection->timer);
    free(connection->peer_address);
    free(connection->end_text);
    free(connection);
}

void connection_enter(struct connection *connection)
{
    connection->depth++;
}

bool connection_leave(struct connection *connection)
{
    connection->depth--;
    if (connection->freed && connection->depth == 0) {
        connection_destroy(connection);
        return false;
    }
    return !connection->freed;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL || connection->freed) {
        return;
    }
    connection->freed = true;
    if (connection->depth > 0) {
        connection_release(connection); /* the shell goes when the callbacks are back */
        loop_timer_stop(connection->timer);
        return;
    }
    connection_destroy(connection);
}

static void connection_report(struct connection *connection, enum ev_err err, const char *text)
{
    struct listener *listener = connection->listener;
    bool accepting = listener != NULL && connection->state == CONNECTION_HANDSHAKING;
    char *address = accepting && connection->peer_address != NULL ? strdup(connection->peer_address) : NULL;
    connection_release(connection);
    connection_enter(connection);
    if (accepting) {
        listener_on_refused(listener, address != NULL ? address : "", err, text);
    } else if (!connection->freed && !connection->refused && connection->callbacks.on_closed != NULL) {
        connection->callbacks.on_closed(connection, err, text, connection->user);
    }
    connection->freed = true;
    free(address);
    (void)connection_leave(connection);
}

void connection_finish(struct connection *connection, enum ev_err err, const char *text)
{
    if (connection->state == CONNECTION_ENDED || connection->freed) {
        return;
    }
    loop_timer_stop(connection->timer);
    connection_report(connection, err, text[0] != '\0' ? text : ev_err_text(err));
}

void connection_finish_later(struct connection *connection, enum ev_err err, const char *text)
{
    if (connection->state == CONNECTION_ENDED || connection->freed) {
        return;
    }
    connection_release(connection);
    connection->end_err = err;
    connection->end_text = strdup(text);
    loop_timer_start(connection->timer, 0);
}

/* --- the socket --- */

void connection_tune_socket(int fd)
{
    int on = 1;
    /* A peer whose machine vanished is noticed within a minute even where nothing is said. */
    int idle_s = 30;
    int interval_s = 10;
    int count = 3;
    unsigned unacknowledged_ms = 60000;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

void connection_format_address(const struct sockaddr *address, socklen_t len,
                               char ret_text[HOST_PORT_TEXT_MAX])
{
    struct host_port parsed = {.port = 0};
    char port[8] = "";
    if (getnameinfo(address, len, parsed.host, sizeof parsed.host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        snprintf(ret_text, HOST_PORT_TEXT_MAX, "unknown address");
        return;
    }
    parsed.port = (uint16_t)strtoul(port, NULL, 10);
    host_port_format(&parsed, ret_text);
}

enum ev_err connection_watch(struct connection *connection, uint32_t events)
{
    return loop_watch_new(connection->loop, connection->fd, events, on_events, connection,
                          &connection->watch);
}

static enum ev_err raw_read(struct connection *connection, void *buffer, size_t size, size_t *ret_len,
                            struct failure *failure)
{
    if (connection->tls != NULL) {
        return tls_session_read(connection->tls, buffer, size, ret_len, failure);
    }
    ssize_t got = recv(connection->fd, buffer, size, 0);
    if (got > 0) {
        *ret_len = (size_t)got;
        return EV_OK;
    }
    if (got == 0) {
        return failure_set(failure, EV_ERR_CLOSED, "closed by the peer");
    }
    if (errno == EAGAIN || errno == EINTR) {
        return EV_ERR_AGAIN;
    }
    return failure_set(failure, EV_ERR_IO, "%s",
                       errno == ECONNRESET ? "connection reset by the peer" : strerror(errno));
}

static enum ev_err raw_write(struct connection *connection, const void *bytes, size_t len, size_t *ret_len,
                             struct failure *failure)
{
    if (connection->tls != NULL) {
        return tls_session_write(connection->tls, bytes, len, ret_len, failure);
    }
    ssize_t sent = send(connection->fd, bytes, len, MSG_NOSIGNAL);
    if (sent >= 0) {
        *ret_len = (size_t)sent;
        return EV_OK;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return EV_ERR_AGAIN;
    }
    return failure_set(failure, EV_ERR_IO, "%s",
                       errno == ECONNRESET || errno == EPIPE ? "connection reset by the peer"
                                                             : strerror(errno));
}

/* --- deadlines --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

void connection_arm(struct connection *connection)
{
    int64_t idle_end_ms = connection->idle_ms > 0 && connection->state == CONNECTION_READY
                              ? connection->heard_ms + connection->idle_ms
                              : 0;
    int64_t due_ms = earlier(earlier(connection->phase_end_ms, connection->half_end_ms), idle_end_ms);
    if (due_ms == 0) {
        loop_timer_stop(connection->timer);
        connection->armed_ms = 0;
        return;
    }
    /* A timer that fires too early looks again, so moving it on every frame is not needed. */
    if (loop_timer_is_running(connection->timer) && connection->armed_ms <= due_ms) {
        return;
    }
    int64_t wait_ms = due_ms - monotonic_now_ms();
    connection->armed_ms = due_ms;
    loop_timer_start(connection->timer, wait_ms > 0 ? wait_ms : 0);
}

static void on_timer(void *user)
{
    struct connection *connection = user;
    int64_t now_ms = monotonic_now_ms();
    char text[80] = "";
    connection->armed_ms = 0;
    if (connection->state == CONNECTION_ENDED) {
        const char *end_text = connection->end_text != NULL ? connection->end_text : "";
        connection_report(connection, connection->end_err, end_text);
        return;
    }
    if (connection->phase_end_ms != 0 && connection->phase_end_ms <= now_ms) {
        switch (connection->state) {
        case CONNECTION_RESOLVING:
        case CONNECTION_CONNECTING:
            connection_dial_on_deadline(connection);
            return;
        case CONNECTION_HANDSHAKING:
            connection_finish(connection, EV_ERR_TIMEOUT, "no TLS handshake in time");
            return;
        default:
            connection_finish(connection, EV_OK, "closed");
            return;
        }
    }
    if (connection->half_end_ms != 0 && connection->half_end_ms <= now_ms) {
        connection_finish(connection, EV_ERR_TIMEOUT, "a frame began and did not end in time");
        return;
    }
    if (connection->idle_ms > 0 && connection->state == CONNECTION_READY &&
        connection->heard_ms + connection->idle_ms <= now_ms) {
        snprintf(text, sizeof text, "nothing heard for %.1f s", (double)connection->idle_ms / 1000.0);
        connection_finish(connection, EV_ERR_TIMEOUT, text);
        return;
    }
    connection_arm(connection);
}

/* --- handshake --- */

static void connection_become_ready(struct connection *connection)
{
    connection->state = CONNECTION_READY;
    connection->phase_end_ms = 0;
    connection->heard_ms = monotonic_now_ms();
    connection_dial_free(connection->dial);
    connection->dial = NULL;
    loop_watch_modify(connection->watch, EPOLLIN);
    connection_arm(connection);
    if (connection->listener != NULL) {
        listener_on_ready(connection->listener, connection);
    } else if (connection->callbacks.on_ready != NULL) {
        connection->callbacks.on_ready(connection, connection->user);
    }
}

/* An accepted peer that was refused: what it sent meanwhile is read away, or closing would reset the
 * connection and destroy the alert that tells it why. */
static void connection_linger_refused(struct connection *connection, enum ev_err err, const char *text)
{
    struct listener *listener = connection->listener;
    shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_LINGERING;
    connection->refused = true;
    connection->phase_end_ms = monotonic_now_ms() + LINGER_MS;
    tls_session_free(connection->tls);
    connection->tls = NULL;
    loop_watch_modify(connection->watch, EPOLLIN);
    connection_arm(connection);
    listener_on_refused(listener, connection_peer_address(connection), err, text);
}

static void connection_continue_handshake(struct connection *connection)
{
    struct failure failure = {.text = ""};
    enum ev_err err = tls_session_handshake(connection->tls, &failure);
    if (err == EV_ERR_AGAIN) {
        loop_watch_modify(connection->watch, tls_session_wants_write(connection->tls) ? EPOLLOUT : EPOLLIN);
    } else if (err == EV_OK) {
        connection_become_ready(connection);
    } else if (connection->listener != NULL && (err == EV_ERR_AUTH || err == EV_ERR_TLS)) {
        connection_linger_refused(connection, err, failure.text);
    } else {
        connection_finish(connection, err, failure.text);
    }
}

void connection_begin_handshake(struct connection *connection, struct tls_credentials *credentials,
                                enum tls_side side, const char *host, enum node_role expected_role)
{
    if (credentials == NULL) {
        connection_become_ready(connection);
        return;
    }
    enum ev_err err =
        tls_session_new(credentials, side, connection->fd, host, expected_role, &connection->tls);
    connection->state = CONNECTION_HANDSHAKING;
    if (err != EV_OK) {
        connection_finish(connection, err, ev_err_text(err));
        return;
    }
    connection_continue_handshake(connection);
}

/* --- input --- */

static enum ev_err on_payload(void *user, const uint8_t *payload, size_t len)
{
    struct connection *connection = user;
    connection->heard_ms = loop_now_ms(connection->loop);
    if (connection->callbacks.on_frame != NULL) {
        connection->callbacks.on_frame(connection, payload, len, connection->user);
    }
    /* Closed or freed in the callback: what else has come is no longer wanted. */
    return connection->state == CONNECTION_READY ? EV_OK : EV_ERR_CLOSED;
}

static const char *frame_error_text(enum ev_err err)
{
    return err == EV_ERR_TOO_LARGE ? "a frame is longer than the limit"
           : err == EV_ERR_PARSE   ? "a frame of length zero"
                                   : ev_err_text(err);
}

/* Reads what is there, up to a wake's share. False: it has ended, or was closed. */
static bool connection_read(struct connection *connection)
{
    uint8_t buffer[READ_SIZE];
    size_t taken = 0;
    while (connection->state == CONNECTION_READY &&
           (taken < CONNECTION_READ_BYTES_PER_WAKE ||
            (connection->tls != NULL && tls_session_has_pending(connection->tls)))) {
        struct failure failure = {.text = ""};
        size_t len = 0;
        enum ev_err err = raw_read(connection, buffer, sizeof buffer, &len, &failure);
        if (err == EV_ERR_AGAIN) {
            break;
        }
        if (err != EV_OK) {
            connection_finish(connection, err, failure.text);
            return false;
        }
        taken += len;
        int64_t heard_before_ms = connection->heard_ms;
        bool was_pending = frame_decoder_is_pending(&connection->decoder);
        connection->heard_ms = 0; /* to see whether a frame ends in these bytes */
        err = frame_decoder_feed(&connection->decoder, buffer, len, on_payload, connection);
        if (connection->state != CONNECTION_READY) {
            return false;
        }
        bool heard = connection->heard_ms != 0;
        connection->heard_ms = heard ? connection->heard_ms : heard_before_ms;
        if (err != EV_OK) {
            connection_finish(connection, err, frame_error_text(err));
            return false;
        }
        if (!frame_decoder_is_pending(&connection->decoder)) {
            connection->half_end_ms = 0;
        } else if (heard || !was_pending) {
            connection->half_end_ms = loop_now_ms(connection->loop) + CONNECTION_HALF_FRAME_MS;
            connection_arm(connection);
        }
    }
    return connection->state == CONNECTION_READY;
}

/* While closing: throws input away until the peer's end. */
static void connection_drain(struct connection *connection)
{
    uint8_t buffer[4096];
    for (int i = 0; i < 32; i++) {
        ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (got <= 0) {
            connection_finish(connection, EV_OK, "closed");
            return;
        }
    }
}

/* --- output --- */

static enum ev_err queue_reserve(struct connection *connection, size_t len)
{
    size_t queued = connection->out_used - connection->out_start;
    if (connection->out_size - connection->out_used >= len) {
        return EV_OK;
    }
    if (connection->out_start > 0) {
        memmove(connection->out, connection->out + connection->out_start, queued);
        connection->out_start = 0;
        connection->out_used = queued;
    }
    if (connection->out_size - queued >= len) {
        return EV_OK;
    }
    size_t size = connection->out_size < 256 ? 256 : connection->out_size;
    while (size < queued + len) {
        size *= 2;
    }
    uint8_t *out = realloc(connection->out, size);
    if (out == NULL) {
        return EV_ERR_NOMEM;
    }
    connection->out = out;
    connection->out_size = size;
    return EV_OK;
}

enum ev_err connection_send(struct connection *connection, const void *bytes, size_t len)
{
    uint8_t header[FRAME_HEADER_SIZE];
    if (connection->freed || connection->state > CONNECTION_READY) {
        return EV_ERR_CLOSED;
    }
    if (connection->state != CONNECTION_READY) {
        return EV_ERR_STATE;
    }
    enum ev_err err = frame_encode_header(len, header);
    if (err != EV_OK) {
        return err;
    }
    size_t total = sizeof header + len;
    if (connection_queued_bytes(connection) + total > connection->queue_max) {
        return EV_ERR_FULL;
    }
    err = queue_reserve(connection, total);
    if (err != EV_OK) {
        return err;
    }
    memcpy(connection->out + connection->out_used, header, sizeof header);
    memcpy(connection->out + connection->out_used + sizeof header, bytes, len);
    connection->out_used += total;
    /* Written from the loop, so that all frames of one wake go out together. */
    loop_watch_modify(connection->watch, EPOLLIN | EPOLLOUT);
    return EV_OK;
}

/* False: it has ended. */
static bool connection_flush(struct connection *connection)
{
    while (connection->out_start < connection->out_used) {
        struct failure failure = {.text = ""};
        size_t len = 0;
        enum ev_err err = raw_write(connection, connection->out + connection->out_start,
                                    connection->out_used - connection->out_start, &len, &failure);
        if (err == EV_ERR_AGAIN) {
            return true;
        }
        if (err != EV_OK) {
            bool closing = connection->state == CONNECTION_FLUSHING;
            connection_finish(connection, closing ? EV_OK : err, closing ? "closed" : failure.text);
            return false;
        }
        connection->out_start += len;
    }
    free(connection->out);
    connection->out = NULL;
    connection->out_start = connection->out_used = connection->out_size = 0;
    loop_watch_modify(connection->watch, EPOLLIN);
    return true;
}

/* --- closing --- */

/* All is out: says so to the peer and waits a moment for its end. */
static void connection_end_output(struct connection *connection)
{
    if (connection->tls != NULL && tls_session_bye(connection->tls) == EV_ERR_AGAIN) {
        loop_watch_modify(connection->watch, EPOLLIN | EPOLLOUT);
        return;
    }
    shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_LINGERING;
    connection->phase_end_ms = monotonic_now_ms() + LINGER_MS;
    loop_watch_modify(connection->watch, EPOLLIN);
    connection_arm(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->freed || connection->state > CONNECTION_READY) {
        return;
    }
    if (connection->state < CONNECTION_READY) {
        connection_finish_later(connection, EV_OK, "closed");
        return;
    }
    connection->state = CONNECTION_FLUSHING;
    connection->half_end_ms = 0;
    connection->phase_end_ms = monotonic_now_ms() + CONNECTION_CLOSE_MS;
    loop_watch_modify(connection->watch, EPOLLIN | EPOLLOUT);
    connection_arm(connection);
}

static void on_events(void *user, uint32_t events)
{
    struct connection *connection = user;
    connection_enter(connection);
    switch (connection->state) {
    case CONNECTION_CONNECTING:
        connection_dial_on_events(connection, events);
        break;
    case CONNECTION_HANDSHAKING:
        connection_continue_handshake(connection);
        break;
    case CONNECTION_READY:
        /* Input first: a peer's last words are worth more than the error of writing to it. */
        if ((events & ~(uint32_t)EPOLLOUT) != 0 && !connection_read(connection)) {
            break;
        }
        if ((events & EPOLLOUT) != 0) {
            (void)connection_flush(connection);
        }
        break;
    case CONNECTION_FLUSHING:
    case CONNECTION_LINGERING:
        if ((events & ~(uint32_t)EPOLLOUT) != 0) {
            connection_drain(connection);
        }
        if (connection->state == CONNECTION_FLUSHING && (events & EPOLLOUT) != 0 &&
            connection_flush(connection) && connection->out == NULL) {
            connection_end_output(connection);
        }
        break;
    default:
        break;
    }
    (void)connection_leave(connection);
}

/* --- what the owner asks and sets --- */

void connection_set_callbacks(struct connection *connection, const struct connection_callbacks *callbacks,
                              void *user)
{
    connection->callbacks = *callbacks;
    connection->user = user;
}

void *connection_user(const struct connection *connection)
{
    return connection->user;
}

void connection_set_idle_timeout(struct connection *connection, int64_t idle_ms)
{
    connection->idle_ms = idle_ms;
    connection->heard_ms = monotonic_now_ms();
    if (connection->state != CONNECTION_ENDED) {
        connection_arm(connection);
    }
}

void connection_set_queue_max(struct connection *connection, size_t bytes)
{
    connection->queue_max = bytes;
}

size_t connection_queued_bytes(const struct connection *connection)
{
    return connection->out_used - connection->out_start;
}

const struct peer_identity *connection_peer(const struct connection *connection)
{
    static const struct peer_identity nobody = {.role = NODE_ROLE_NONE};
    return connection->tls != NULL ? tls_session_peer(connection->tls) : &nobody;
}

const char *connection_peer_address(const struct connection *connection)
{
    return connection->peer_address != NULL ? connection->peer_address : "";
}

const char *connection_peer_root_pem(const struct connection *connection)
{
    return connection->tls != NULL ? tls_session_root_pem(connection->tls) : NULL;
}
