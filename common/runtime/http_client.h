/* http_client.h - HTTP requests on the loop (libcurl multi). Never blocks; answers come by callback on the
 * loop thread. Redirects are not followed; only http and https are spoken; proxies of the environment are not
 * used. */
#ifndef EV_RUNTIME_HTTP_CLIENT_H
#define EV_RUNTIME_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"

struct http_client;
struct http_call;

struct http_request {
    const char *method; /* "GET", "POST", ...; NULL: GET */
    const char *url;
    const char *body; /* NULL none; copied */
    size_t body_len;
    const char *content_type;     /* NULL: application/json where there is a body */
    const char *bearer;           /* NULL none */
    const char *const *headers;   /* "Name: value", NULL-terminated; NULL none */
    const char *authority_path;   /* PEM of the authority to trust alone; NULL: the system's store */
    const char *certificate_path; /* own certificate and key, PEM; NULL none */
    const char *key_path;
    long timeout_ms;     /* whole call; 0: HTTP_CLIENT_TIMEOUT_MS; -1: none (streams) */
    size_t response_max; /* bytes of the answer; 0: HTTP_CLIENT_RESPONSE_MAX */
    /* Streaming: called for each piece instead of collecting the body; NULL: collect. */
    void (*on_data)(void *user, const char *bytes, size_t len);
};

struct http_response {
    enum ev_err err;  /* EV_OK: there is an HTTP answer, whatever its status. Else EV_ERR_TIMEOUT, EV_ERR_TLS,
                       * EV_ERR_IO (unreachable), EV_ERR_TOO_LARGE, EV_ERR_USAGE (URL) */
    const char *text; /* what went wrong, in words; "" if nothing */
    int status;       /* 0 without an answer */
    const char *body; /* NUL-terminated; valid during the callback */
    size_t body_len;
    int retry_after_s; /* 0 none */
};

typedef void (*http_on_done)(void *user, const struct http_response *response);

EV_MUST_CHECK enum ev_err http_client_new(struct loop *loop, struct http_client **ret_client);
/* Running calls end without their callback. NULL is accepted. */
void http_client_free(struct http_client *client);

/* Starts, or queues beyond HTTP_CLIENT_PARALLEL_MAX. on_done comes exactly once, never from inside this call,
 * unless http_client_cancel comes first. ret_call may be NULL. Errors: EV_ERR_FULL (HTTP_CLIENT_CALLS_MAX),
 * EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err http_client_send(struct http_client *client, const struct http_request *request,
                                           http_on_done on_done, void *user, struct http_call **ret_call);
/* Its callback does not come any more. Not after on_done. */
void http_client_cancel(struct http_call *call);

/* Reads `detail` of a problem document, or says the status in words. Never empty. */
void http_problem_text(const struct http_response *response, struct failure *ret_text);

#endif
