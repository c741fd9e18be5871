#include "common/runtime/connection_internal.h"

#include "common/runtime/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS_MS_MIN 1000 /* for one of several addresses of a name */

void connection_dial_free(struct connection_dial *dial)
{
    if (dial == NULL) {
        return;
    }
    resolver_cancel(dial->lookup);
    if (dial->addresses != NULL) {
        freeaddrinfo(dial->addresses);
    }
    tls_credentials_free(dial->credentials);
    free(dial->server_name);
    free(dial);
}

static const char *connect_error_text(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "no answer (timed out)";
    case EHOSTUNREACH:
        return "no route to the host";
    case ENETUNREACH:
        return "the network is unreachable";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    default:
        return strerror(error);
    }
}

/* Starts on the next address. Returns 0, or the errno of a failure at once. */
static int dial_start(struct connection *connection, const struct addrinfo *address)
{
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return errno;
    }
    connection_tune_socket(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return error;
    }
    connection->fd = fd;
    connection->state = CONNECTION_CONNECTING;
    if (connection_watch(connection, EPOLLOUT) != EV_OK) {
        return ENOMEM;
    }
    return 0;
}

/* Tries addresses until one is under way; reports when none is left. */
static void dial_next(struct connection *connection, int error)
{
    struct connection_dial *dial = connection->dial;
    int64_t now_ms = monotonic_now_ms();
    while (dial->next != NULL && now_ms < dial->deadline_ms) {
        const struct addrinfo *address = dial->next;
        int64_t share_ms = (dial->deadline_ms - now_ms) / (dial->left > 0 ? dial->left : 1);
        share_ms = dial->left > 1 && share_ms < ADDRESS_MS_MIN ? ADDRESS_MS_MIN : share_ms;
        dial->next = address->ai_next;
        dial->left--;
        error = dial_start(connection, address);
        if (error == 0) {
            connection->phase_end_ms =
                now_ms + share_ms < dial->deadline_ms ? now_ms + share_ms : dial->deadline_ms;
            loop_timer_stop(connection->timer);
            connection_arm(connection);
            return;
        }
    }
    if (error == 0 || error == ETIMEDOUT) {
        connection_finish_later(connection, EV_ERR_TIMEOUT, connect_error_text(ETIMEDOUT));
    } else {
        connection_finish_later(connection, EV_ERR_IO, connect_error_text(error));
    }
}

static void dial_drop_socket(struct connection *connection)
{
    loop_watch_free(connection->watch);
    connection->watch = NULL;
    close(connection->fd);
    connection->fd = -1;
}

void connection_dial_on_events(struct connection *connection, uint32_t events)
{
    struct connection_dial *dial = connection->dial;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    int error = 0;
    socklen_t error_len = sizeof error;
    (void)events;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
    if (error != 0) {
        dial_drop_socket(connection);
        dial_next(connection, error);
        return;
    }
    if (getpeername(connection->fd, (struct sockaddr *)&address, &len) == 0) {
        char text[HOST_PORT_TEXT_MAX] = "";
        connection_format_address((struct sockaddr *)&address, len, text);
        char *copy = strdup(text);
        if (copy != NULL) {
            free(connection->peer_address);
            connection->peer_address = copy;
        }
    }
    connection->phase_end_ms = dial->deadline_ms;
    const char *host = dial->server_name != NULL ? dial->server_name : dial->target.host;
    connection_begin_handshake(connection, dial->credentials, TLS_SIDE_CLIENT, host, dial->expected_role);
}

void connection_dial_on_deadline(struct connection *connection)
{
    if (connection->state == CONNECTION_RESOLVING) {
        connection_finish(connection, EV_ERR_TIMEOUT, "the name could not be looked up in time");
        return;
    }
    dial_drop_socket(connection);
    dial_next(connection, ETIMEDOUT);
}

static void dial_take_addresses(struct connection *connection, struct addrinfo *addresses)
{
    struct connection_dial *dial = connection->dial;
    dial->addresses = addresses;
    dial->next = addresses;
    for (const struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
        dial->left++;
    }
    dial_next(connection, 0);
}

static void on_resolved(void *user, struct addrinfo *addresses, const char *text)
{
    struct connection *connection = user;
    connection->dial->lookup = NULL;
    if (addresses == NULL) {
        char words[400] = "";
        snprintf(words, sizeof words, "%s: %s", connection->dial->target.host, text);
        connection_finish(connection, EV_ERR_NOT_FOUND, words);
        return;
    }
    dial_take_addresses(connection, addresses);
}

static enum ev_err dial_new(const struct connection_target *target, struct connection_dial **ret_dial)
{
    struct connection_dial *dial = calloc(1, sizeof *dial);
    int64_t timeout_ms = target->timeout_ms > 0 ? target->timeout_ms : CONNECTION_CONNECT_MS;
    if (dial == NULL) {
        return EV_ERR_NOMEM;
    }
    dial->target = target->address;
    dial->credentials = tls_credentials_ref(target->credentials);
    dial->expected_role = target->expected_role;
    dial->deadline_ms = monotonic_now_ms() + timeout_ms;
    if (target->server_name != NULL) {
        dial->server_name = strdup(target->server_name);
        if (dial->server_name == NULL) {
            connection_dial_free(dial);
            return EV_ERR_NOMEM;
        }
    }
    *ret_dial = dial;
    return EV_OK;
}

enum ev_err connection_connect(struct loop *loop, const struct connection_target *target,
                               const struct connection_callbacks *callbacks, void *user,
                               struct connection **ret_connection)
{
    struct connection *connection = NULL;
    struct addrinfo *addresses = NULL;
    char text[HOST_PORT_TEXT_MAX] = "";
    enum ev_err err = connection_new(loop, CONNECTION_RESOLVING, &connection);
    if (err != EV_OK) {
        return err;
    }
    connection_set_callbacks(connection, callbacks, user);
    connection->peer_address = strdup(host_port_format(&target->address, text));
    err = dial_new(target, &connection->dial);
    if (err != EV_OK) {
        goto out;
    }
    connection->phase_end_ms = connection->dial->deadline_ms;
    err = resolver_numeric(&target->address, &addresses);
    if (err == EV_ERR_NOT_FOUND) {
        err = resolver_start(loop, &target->address, on_resolved, connection, &connection->dial->lookup);
        connection_arm(connection);
    } else if (err == EV_OK) {
        dial_take_addresses(connection, addresses);
    }
    if (err != EV_OK) {
        goto out;
    }
    *ret_connection = connection;
    connection = NULL;
out:
    connection_free(connection);
    return err;
}
