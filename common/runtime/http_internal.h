/* http_internal.h - what http_server.c, http_exchange.c and http_stream.c share; nobody else includes it. */
#ifndef EV_RUNTIME_HTTP_INTERNAL_H
#define EV_RUNTIME_HTTP_INTERNAL_H

#include <microhttpd.h>

#include "common/runtime/http_server.h"
#include "common/runtime/limits.h"

enum exchange_phase {
    EXCHANGE_READING,  /* head and body come in */
    EXCHANGE_HANDLING, /* the handler runs; it may answer now */
    EXCHANGE_WAITING,  /* suspended until the late answer */
    EXCHANGE_ANSWERED  /* the response is queued, or waits to be queued after the resume */
};

struct http_header_line {
    struct http_header_line *next;
    char *name, *value;
};

struct http_exchange {
    struct http_server *server;
    struct http_exchange *next, *previous; /* all of the server */
    struct MHD_Connection *connection;     /* NULL: the client has gone */
    enum exchange_phase phase;
    char *method;
    char *path;  /* decoded */
    int refusal; /* status to refuse with before the handler, 0 none */
    const char *refusal_detail;
    char *body;
    size_t body_len, body_capacity;
    struct http_header_line *reply_headers;
    char **decoded; /* query values handed out */
    size_t decoded_count;
    char *parts[HTTP_PATH_PARTS_MAX];
    size_t part_count;
    int status; /* of the answer that waits */
    struct MHD_Response *response;
    struct http_stream *stream;
};

/* Per TCP connection: the peer's certificate is verified once. */
struct http_connection {
    bool checked, present, expired;
    struct peer_identity peer;
    struct failure problem;
    char address[64];
};

/* One libmicrohttpd daemon; a reload retires it and starts another on the same listening socket. */
struct http_daemon {
    struct http_server *server;
    struct http_daemon *next;
    struct MHD_Daemon *mhd;
    struct loop_watch *watch;
    char *certificate_pem, *key_pem; /* libmicrohttpd borrows them */
    bool retired;
};

struct http_server {
    struct loop *loop;
    struct http_server_config config; /* texts owned */
    char **hosts;
    struct tls_trust *trust;
    struct http_daemon *daemons; /* the first one accepts */
    struct loop_hook *hook;
    struct loop_timer *sweep; /* ends retired daemons without connections */
    int listen_fd;
    uint16_t port;
    struct http_exchange *exchanges;
    bool stopping;
};

/* libmicrohttpd calls this for each request, repeatedly. */
enum MHD_Result http_on_access(void *user, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_len, void **exchange);
void http_on_completed(void *user, struct MHD_Connection *connection, void **exchange,
                       enum MHD_RequestTerminationCode why);

struct http_connection *http_connection_of(struct http_exchange *exchange);
void http_exchange_free(struct http_exchange *exchange);
/* Queues the response that is there. */
enum MHD_Result http_exchange_queue(struct http_exchange *exchange);
/* Hands an answer over: at once inside the handler, else by resuming the connection. */
void http_exchange_answer(struct http_exchange *exchange, int status, struct MHD_Response *response);
void http_stream_on_completed(struct http_stream *stream);
/* Strict percent-decoding in place; false for bad escapes, %00 and text that is no UTF-8. plus: '+' is a
 * space. */
bool http_decode_percent(char *text, bool plus);

#endif
