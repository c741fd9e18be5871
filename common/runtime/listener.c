#define _GNU_SOURCE /* accept4 */

#include "common/runtime/connection_internal.h"

#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_LOG_MS 60000 /* a full listener says so at most once a minute */

struct listener {
    struct loop *loop;
    struct listener_config config;
    struct loop_watch *watch;
    struct loop_timer *timer; /* while paused */
    struct connection *connections;
    unsigned count;
    int64_t pause_logged_ms;
    int fd;
    uint16_t port;
};

static void listener_pause(struct listener *listener, const char *reason)
{
    int64_t now_ms = loop_now_ms(listener->loop);
    loop_watch_modify(listener->watch, 0);
    loop_timer_start(listener->timer, LISTENER_PAUSE_MS);
    if (listener->pause_logged_ms == 0 || now_ms - listener->pause_logged_ms >= PAUSE_LOG_MS) {
        listener->pause_logged_ms = now_ms;
        log_warn("listener.paused", log_uint("port", listener->port),
                 log_uint("connections", listener->count), log_str("reason", reason));
    }
}

static void on_resume(void *user)
{
    struct listener *listener = user;
    if (listener->count < listener->config.max_connections) {
        loop_watch_modify(listener->watch, EPOLLIN);
    } else {
        loop_timer_start(listener->timer, LISTENER_PAUSE_MS);
    }
}

static void listener_take(struct listener *listener, int fd, const struct sockaddr *address, socklen_t len)
{
    struct connection *connection = NULL;
    char text[HOST_PORT_TEXT_MAX] = "";
    if (connection_new(listener->loop, CONNECTION_HANDSHAKING, &connection) != EV_OK) {
        close(fd);
        return;
    }
    connection_tune_socket(fd);
    connection_format_address(address, len, text);
    connection->fd = fd;
    connection->peer_address = strdup(text);
    connection->listener = listener;
    connection->next = listener->connections;
    if (listener->connections != NULL) {
        listener->connections->previous = connection;
    }
    listener->connections = connection;
    listener->count++;
    if (connection_watch(connection, EPOLLIN) != EV_OK) {
        connection_free(connection);
        return;
    }
    connection->phase_end_ms = monotonic_now_ms() + listener->config.handshake_timeout_ms;
    connection_arm(connection);
    connection_enter(connection);
    connection_begin_handshake(connection, listener->config.credentials, TLS_SIDE_SERVER, NULL,
                               listener->config.expected_role);
    (void)connection_leave(connection);
}

static void on_acceptable(void *user, uint32_t events)
{
    struct listener *listener = user;
    (void)events;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_WAKE; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof address;
        if (listener->count >= listener->config.max_connections) {
            listener_pause(listener, "as many connections as it may have");
            return;
        }
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            listener_pause(listener, strerror(errno));
            return;
        }
        if (fd < 0 && errno == EAGAIN) {
            return;
        }
        if (fd >= 0) { /* else the peer has gone already */
            listener_take(listener, fd, (struct sockaddr *)&address, len);
        }
    }
}

void listener_on_ready(struct listener *listener, struct connection *connection)
{
    listener->config.on_accept(connection, listener->config.user);
}

void listener_on_refused(struct listener *listener, const char *address, enum ev_err err, const char *text)
{
    if (listener->config.on_refused != NULL) {
        listener->config.on_refused(address, err, text, listener->config.user);
    }
}

void listener_forget(struct listener *listener, struct connection *connection)
{
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        listener->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    connection->previous = connection->next = NULL;
    listener->count--;
}

static int open_socket(const struct addrinfo *address, int *ret_fd)
{
    int on = 1;
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static enum ev_err listener_open(struct listener *listener, struct failure *ret_failure)
{
    char text[HOST_PORT_TEXT_MAX] = "";
    char port[8] = "";
    struct addrinfo *addresses = NULL;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof bound;
    host_port_format(&listener->config.address, text);
    snprintf(port, sizeof port, "%u", (unsigned)listener->config.address.port);
    /* At start, before anything is served, a look-up may block. */
    int result = getaddrinfo(listener->config.address.host, port, &hints, &addresses);
    if (result != 0) {
        return failure_set(ret_failure, EV_ERR_IO, "cannot listen on %s: %s", text, gai_strerror(result));
    }
    int error = open_socket(addresses, &listener->fd);
    freeaddrinfo(addresses);
    if (error != 0) {
        return failure_set(ret_failure, EV_ERR_IO, "cannot listen on %s: %s", text,
                           error == EADDRINUSE ? "address already in use" : strerror(error));
    }
    memset(&bound, 0, sizeof bound);
    if (getsockname(listener->fd, (struct sockaddr *)&bound, &len) == 0) {
        const struct sockaddr *any = (struct sockaddr *)&bound;
        listener->port = any->sa_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&bound)->sin6_port)
                                                    : ntohs(((struct sockaddr_in *)&bound)->sin_port);
    }
    return EV_OK;
}

enum ev_err listener_new(struct loop *loop, const struct listener_config *config,
                         struct listener **ret_listener, struct failure *ret_failure)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    EV_ASSERT(config->on_accept != NULL);
    listener->loop = loop;
    listener->fd = -1;
    listener->config = *config;
    listener->config.credentials = tls_credentials_ref(config->credentials);
    if (config->max_connections == 0) {
        listener->config.max_connections = LISTENER_CONNECTIONS_MAX;
    }
    if (config->handshake_timeout_ms == 0) {
        listener->config.handshake_timeout_ms = CONNECTION_HANDSHAKE_MS;
    }
    enum ev_err err = listener_open(listener, ret_failure);
    if (err == EV_OK &&
        (loop_timer_new(loop, on_resume, listener, &listener->timer) != EV_OK ||
         loop_watch_new(loop, listener->fd, EPOLLIN, on_acceptable, listener, &listener->watch) != EV_OK)) {
        err = failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    if (err != EV_OK) {
        listener_free(listener);
        return err;
    }
    *ret_listener = listener;
    return EV_OK;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    struct connection *next = NULL;
    for (struct connection *connection = listener->connections; connection != NULL; connection = next) {
        next = connection->next;
        connection->listener = NULL;
        connection->previous = connection->next = NULL;
        if (connection->state == CONNECTION_HANDSHAKING || connection->refused) {
            connection_free(connection);
        }
    }
    loop_watch_free(listener->watch);
    loop_timer_free(listener->timer);
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    tls_credentials_free(listener->config.credentials);
    free(listener);
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

unsigned listener_connection_count(const struct listener *listener)
{
    return listener->count;
}
