/* http_server.c - the daemons and their place in the loop. Requests: http_exchange.c; streams: http_stream.c.
 */
#include "common/runtime/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/runtime/http_internal.h"
#include "common/runtime/log.h"

#define SWEEP_MS 1000
#define LISTEN_BACKLOG 1024
#define CONNECTION_MEMORY (32 * 1024) /* head of a request; longer ones are answered 431 by the library */
/* TLS 1.2 for browsers and scripts of the house; no tickets, since resumption would skip the certificate
 * check. */
static const char TLS_PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%NO_TICKETS";

/* ---- connections ---- */

static void format_address(const struct sockaddr *address, char ret_text[64])
{
    (void)snprintf(ret_text, 64, "unknown");
    if (address == NULL)
        return;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, ret_text, 64);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, ret_text, 64);
    }
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)user;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        free(*context);
        *context = NULL;
        return;
    }
    struct http_connection *made = calloc(1, sizeof *made);
    EV_ASSERT(made != NULL);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    format_address(info == NULL ? NULL : info->client_addr, made->address);
    *context = made;
}

static void check_peer(const struct http_server *server, struct MHD_Connection *connection,
                       struct http_connection *made)
{
    made->checked = true;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || info->tls_session == NULL || server->trust == NULL)
        return;
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers((gnutls_session_t)info->tls_session, &count);
    if (chain == NULL || count == 0)
        return;
    made->present = true;
    if (tls_verify_chain(server->trust, chain, count, TLS_PURPOSE_CLIENT, NULL, 0, &made->peer,
                         &made->problem) == EV_OK)
        return;
    if (server->config.expired_for_ms > 0 &&
        tls_verify_chain(server->trust, chain, count, TLS_PURPOSE_CLIENT, NULL, server->config.expired_for_ms,
                         &made->peer, NULL) == EV_OK) {
        made->expired = true;
        return;
    }
    made->peer.role = NODE_ROLE_NONE;
}

struct http_connection *http_connection_of(struct http_exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    EV_ASSERT(info != NULL && info->socket_context != NULL);
    struct http_connection *made = info->socket_context;
    if (!made->checked)
        check_peer(exchange->server, exchange->connection, made);
    return made;
}

/* ---- the loop ---- */

static void run_all(void *user)
{
    struct http_server *server = user;
    for (struct http_daemon *daemon = server->daemons; daemon != NULL; daemon = daemon->next)
        (void)MHD_run(daemon->mhd);
}

static int64_t before_wait(void *user)
{
    struct http_server *server = user;
    int64_t wait_ms = -1;
    for (struct http_daemon *daemon = server->daemons; daemon != NULL; daemon = daemon->next) {
        MHD_UNSIGNED_LONG_LONG ms = 0;
        if (MHD_get_timeout(daemon->mhd, &ms) == MHD_YES && (wait_ms < 0 || (int64_t)ms < wait_ms))
            wait_ms = ms > 60000 ? 60000 : (int64_t)ms;
    }
    return wait_ms;
}

/* The descriptor only wakes the loop: after_wait runs the daemons on every wake. */
static void on_wake(void *user, uint32_t events)
{
    (void)user;
    (void)events;
}

static void on_mhd_log(void *user, const char *format, va_list arguments)
{
    char text[300];
    (void)user;
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http.library", log_str("text", text));
}

/* Escapes stay as they are: http_exchange decodes strictly. */
static size_t keep_escapes(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return strlen(text);
}

/* ---- daemons ---- */

static void daemon_free(struct http_daemon *daemon)
{
    if (daemon->watch != NULL)
        loop_watch_free(daemon->watch);
    if (daemon->mhd != NULL)
        MHD_stop_daemon(daemon->mhd);
    if (daemon->key_pem != NULL)
        gnutls_memset(daemon->key_pem, 0, strlen(daemon->key_pem));
    free(daemon->key_pem);
    free(daemon->certificate_pem);
    free(daemon);
}

static struct MHD_Daemon *start_mhd(struct http_server *server, struct http_daemon *daemon, int fd)
{
    const struct http_server_config *config = &server->config;
    bool tls = daemon->certificate_pem != NULL;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0U);
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, daemon->certificate_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, daemon->key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {config->authority_pem != NULL ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
         (void *)(uintptr_t)config->authority_pem},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem no_options[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned connections = config->connections_max == 0 ? HTTP_CONNECTIONS_MAX : config->connections_max;
    unsigned per_address =
        connections < HTTP_CONNECTIONS_PER_ADDRESS_MAX ? connections : HTTP_CONNECTIONS_PER_ADDRESS_MAX;
    return MHD_start_daemon(
        flags, server->port, NULL, NULL, http_on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log,
        server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_ARRAY, tls ? tls_options : no_options, MHD_OPTION_END);
}

/* Takes a descriptor of its own of the listening socket: the daemon closes it. */
static enum ev_err daemon_new(struct http_server *server, const char *certificate_pem, const char *key_pem,
                              struct http_daemon **ret_daemon, struct failure *ret_failure)
{
    struct http_daemon *daemon = calloc(1, sizeof *daemon);
    EV_ASSERT(daemon != NULL);
    daemon->server = server;
    if (certificate_pem != NULL) {
        daemon->certificate_pem = strdup(certificate_pem);
        daemon->key_pem = strdup(key_pem);
    }
    int fd = dup(server->listen_fd);
    if (fd >= 0)
        daemon->mhd = start_mhd(server, daemon, fd);
    if (daemon->mhd == NULL) {
        if (fd >= 0)
            (void)close(fd);
        daemon_free(daemon);
        (void)failure_set(ret_failure, EV_ERR_TLS,
                          "cannot start the HTTP server: unusable certificate or key");
        return EV_ERR_TLS;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    enum ev_err err = loop_watch_new(server->loop, info->epoll_fd, EPOLLIN, on_wake, daemon, &daemon->watch);
    if (err != EV_OK) {
        daemon_free(daemon);
        (void)failure_set(ret_failure, err, "cannot watch the HTTP server");
        return err;
    }
    *ret_daemon = daemon;
    return EV_OK;
}

enum ev_err http_server_reload(struct http_server *server, const char *certificate_pem, const char *key_pem,
                               struct failure *ret_failure)
{
    struct http_daemon *fresh = NULL;
    enum ev_err err = daemon_new(server, certificate_pem, key_pem, &fresh, ret_failure);
    if (err != EV_OK)
        return err;
    struct http_daemon *old = server->daemons;
    fresh->next = old;
    server->daemons = fresh;
    if (old != NULL) {
        int fd = MHD_quiesce_daemon(old->mhd);
        if (fd >= 0)
            (void)close(fd);
        old->retired = true;
        loop_timer_repeat(server->sweep, SWEEP_MS);
    }
    return EV_OK;
}

static void on_sweep(void *user)
{
    struct http_server *server = user;
    bool left = false;
    for (struct http_daemon **link = &server->daemons; *link != NULL;) {
        struct http_daemon *daemon = *link;
        const union MHD_DaemonInfo *info =
            daemon->retired ? MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS) : NULL;
        if (info != NULL && info->num_connections == 0) {
            *link = daemon->next;
            daemon_free(daemon);
            continue;
        }
        left = left || daemon->retired;
        link = &daemon->next;
    }
    if (!left)
        loop_timer_stop(server->sweep);
}

/* ---- listening ---- */

static enum ev_err listen_on(const struct host_port *address, int *ret_fd, uint16_t *ret_port,
                             struct failure *ret_failure)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8], text[HOST_PORT_TEXT_MAX];
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof bound;
    int one = 1, fd = -1;
    (void)snprintf(port, sizeof port, "%u", address->port);
    int rc = getaddrinfo(address->host, port, &hints, &found);
    if (rc != 0)
        return failure_set(ret_failure, EV_ERR_IO, "cannot listen on %s: %s", host_port_format(address, text),
                           gai_strerror(rc));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_len) != 0) {
        int saved = errno;
        if (fd >= 0)
            (void)close(fd);
        freeaddrinfo(found);
        return failure_set(ret_failure, EV_ERR_IO, "cannot listen on %s: %s", host_port_format(address, text),
                           strerror(saved));
    }
    freeaddrinfo(found);
    *ret_fd = fd;
    *ret_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)(void *)&bound)->sin_port);
    return EV_OK;
}

static void copy_hosts(struct http_server *server, const char *const *hosts)
{
    size_t count = 0;
    if (hosts == NULL)
        return;
    while (hosts[count] != NULL)
        count++;
    server->hosts = calloc(count + 1, sizeof *server->hosts);
    EV_ASSERT(server->hosts != NULL);
    for (size_t i = 0; i < count; i++)
        server->hosts[i] = strdup(hosts[i]);
    server->config.hosts = (const char *const *)server->hosts;
}

enum ev_err http_server_new(struct loop *loop, const struct http_server_config *config,
                            struct http_server **ret_server, struct failure *ret_failure)
{
    struct http_server *server = calloc(1, sizeof *server);
    EV_ASSERT(server != NULL);
    server->loop = loop;
    server->listen_fd = -1;
    server->config = *config;
    server->config.certificate_pem = server->config.key_pem = NULL; /* the daemons hold them */
    server->config.authority_pem = config->authority_pem == NULL ? NULL : strdup(config->authority_pem);
    copy_hosts(server, config->hosts);
    enum ev_err err = EV_OK;
    if (config->authority_pem != NULL)
        err = tls_trust_new(config->authority_pem, &server->trust, ret_failure);
    if (err == EV_OK)
        err = listen_on(&config->address, &server->listen_fd, &server->port, ret_failure);
    if (err == EV_OK)
        err = loop_timer_new(loop, on_sweep, server, &server->sweep);
    if (err == EV_OK)
        err = daemon_new(server, config->certificate_pem, config->key_pem, &server->daemons, ret_failure);
    if (err == EV_OK)
        err = loop_hook_new(loop, before_wait, run_all, server, &server->hook);
    if (err != EV_OK) {
        http_server_free(server);
        return err;
    }
    *ret_server = server;
    return EV_OK;
}

/* Suspended connections must be resumed before their daemon may stop. */
static void end_exchanges(struct http_server *server)
{
    server->stopping = true;
    for (struct http_exchange *exchange = server->exchanges, *next = NULL; exchange != NULL;
         exchange = next) {
        next = exchange->next;
        if (exchange->stream != NULL)
            http_stream_close(exchange->stream);
        else if (exchange->phase == EXCHANGE_WAITING)
            MHD_resume_connection(exchange->connection);
    }
    for (int round = 0; round < 8; round++)
        run_all(server);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    end_exchanges(server);
    if (server->hook != NULL)
        loop_hook_free(server->hook);
    while (server->daemons != NULL) {
        struct http_daemon *daemon = server->daemons;
        server->daemons = daemon->next;
        daemon_free(daemon);
    }
    /* What a handler still means to answer is its own now, and inert. */
    for (struct http_exchange *exchange = server->exchanges; exchange != NULL; exchange = exchange->next)
        exchange->server = NULL;
    if (server->sweep != NULL)
        loop_timer_free(server->sweep);
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd);
    tls_trust_free(server->trust);
    free((char *)(uintptr_t)server->config.authority_pem);
    for (size_t i = 0; server->hosts != NULL && server->hosts[i] != NULL; i++)
        free(server->hosts[i]);
    free(server->hosts);
    free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}
