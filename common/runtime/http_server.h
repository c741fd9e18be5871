/* http_server.h - HTTP and HTTPS on the loop (libmicrohttpd, no thread of its own).
 * The handler is called once for each complete request whose Host, Origin, method and size passed; it answers
 * at once or later, from the loop thread, exactly once. Peers with a certificate are verified with tls.h. */
#ifndef EV_RUNTIME_HTTP_SERVER_H
#define EV_RUNTIME_HTTP_SERVER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/tls.h"

struct http_server;
struct http_exchange; /* one request and its answer */
struct http_stream;   /* an answer that goes on: Server-Sent Events */
struct http_static;

typedef void (*http_handler)(struct http_exchange *exchange, void *user);

struct http_server_config {
    struct host_port address;
    /* HTTPS: PEM texts, copied; NULL certificate_pem: plain HTTP. authority_pem: certificates of clients are
     * asked for and verified against it (a client may have none). */
    const char *certificate_pem, *key_pem, *authority_pem;
    int64_t
        expired_for_ms; /* a client's certificate may have expired so long ago; http_peer_is_expired tells */
    /* Names that Host may carry (with any port). An Origin, where there is one, must be
     * what Host says. NULL: neither is checked.
     * NULL-terminated; copied. localhost, 127.0.0.1 and [::1] always count. */
    const char *const *hosts;
    size_t body_max;          /* 0: HTTP_BODY_MAX */
    unsigned connections_max; /* 0: HTTP_CONNECTIONS_MAX */
    http_handler handler;
    void *user;
};

/* Errors: EV_ERR_IO ("cannot listen on ..."), EV_ERR_TLS. */
EV_MUST_CHECK enum ev_err http_server_new(struct loop *loop, const struct http_server_config *config,
                                          struct http_server **ret_server, struct failure *ret_failure);
/* Open streams get their on_closed; exchanges not yet answered become inert. NULL is accepted. */
void http_server_free(struct http_server *server);
uint16_t http_server_port(const struct http_server *server);
/* New handshakes use the new certificate; connections live on. Errors: EV_ERR_TLS (nothing changed). */
EV_MUST_CHECK enum ev_err http_server_reload(struct http_server *server, const char *certificate_pem,
                                             const char *key_pem, struct failure *ret_failure);

/* --- the request; texts live until the answer --- */

const char *http_method(const struct http_exchange *exchange);
const char *http_path(const struct http_exchange *exchange); /* percent-decoded, starts with '/' */
const char *http_query(const struct http_exchange *exchange, const char *name); /* NULL missing */
const char *http_header(const struct http_exchange *exchange, const char *name);
/* Copies a cookie's value; false if there is none. */
bool http_cookie(const struct http_exchange *exchange, const char *name, char *ret_value, size_t capacity);
const char *http_body(const struct http_exchange *exchange, size_t *ret_len); /* NUL-terminated, never NULL */
const char *http_peer_address(const struct http_exchange *exchange);          /* "127.0.0.1", without port */
/* NULL: no certificate. */
const struct peer_identity *http_peer(const struct http_exchange *exchange);
/* Why a certificate that was presented does not count, NULL if none was or it does. */
const char *http_peer_problem(const struct http_exchange *exchange);
bool http_peer_is_expired(const struct http_exchange *exchange);
bool http_is_tls(const struct http_exchange *exchange);

/* --- the answer --- */

/* Before the answer; copied. */
void http_reply_header(struct http_exchange *exchange, const char *name, const char *value);
/* Each ends the exchange: the pointer is dead afterwards. The body is copied. HEAD gets the head alone. */
void http_reply(struct http_exchange *exchange, int status, const char *content_type, const void *body,
                size_t len);
void http_reply_json(struct http_exchange *exchange, int status,
                     cJSON *tree); /* takes and deletes the tree */
/* RFC 9457. `detail` is a sentence that says what to do. */
void http_reply_problem(struct http_exchange *exchange, int status, const char *detail);

/* A client that left before a late answer: http_reply* on its exchange is harmless and still has to come,
 * once. */
bool http_is_abandoned(const struct http_exchange *exchange);

/* --- streams --- */

/* Answers 200 with this content type and keeps the answer open.
 * Errors: EV_ERR_CLOSED (the client has gone; the exchange is over), EV_ERR_NOMEM (it still waits for an
 * answer). */
EV_MUST_CHECK enum ev_err http_stream_begin(struct http_exchange *exchange, const char *content_type,
                                            void (*on_closed)(void *user), void *user,
                                            struct http_stream **ret_stream);
/* Errors: EV_ERR_FULL (HTTP_STREAM_BYTES_MAX wait for the client): close it, it resumes by Last-Event-ID. */
EV_MUST_CHECK enum ev_err http_stream_send(struct http_stream *stream, const void *bytes, size_t len);
/* Bytes that the client has not taken. */
size_t http_stream_backlog(const struct http_stream *stream);
/* Ends the answer; on_closed does not come. The pointer is dead afterwards. */
void http_stream_close(struct http_stream *stream);

/* --- routing --- */

struct http_route {
    const char *method;  /* "GET" also serves HEAD */
    const char *pattern; /* "/api/v1/charge-points/{id}/stop"; {x} is one segment */
    void (*handler)(struct http_exchange *exchange, void *user);
};

/* Calls the route that fits; answers 404, or 405 with Allow. */
void http_route(const struct http_route *routes, size_t count, struct http_exchange *exchange, void *user);
/* The n-th {x} of the route that fitted; "" beyond. */
const char *http_path_part(const struct http_exchange *exchange, size_t n);

/* --- files --- */

/* Reads the whole directory into memory (HTTP_STATIC_BYTES_MAX; hidden files, node_modules and links are left
 * out). Errors: EV_ERR_NOT_FOUND, EV_ERR_TOO_LARGE, EV_ERR_IO. */
EV_MUST_CHECK enum ev_err http_static_new(const char *directory, struct http_static **ret_static,
                                          struct failure *ret_failure);
void http_static_free(struct http_static *files);
/* GET and HEAD with ETag and 304; "/" is index.html; false: no such file, nothing was answered. */
bool http_static_serve(const struct http_static *files, struct http_exchange *exchange);

#endif
