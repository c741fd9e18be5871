/* http_client.c - libcurl's multi interface on the loop: curl says which sockets and timer it wants, the loop
 * drives it. */
#include "common/runtime/http_client.h"

#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/limits.h"
#include "common/wire/json.h"

struct http_call {
    struct http_client *client;
    struct http_call *next, *previous; /* queued or running */
    bool running;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    http_on_done on_done;
    void (*on_data)(void *user, const char *bytes, size_t len);
    void *user;
    char *answer;
    size_t answer_len, answer_capacity, answer_max;
    bool too_large;
    char error[CURL_ERROR_SIZE];
};

/* A socket that curl wants watched. */
struct http_socket {
    struct http_client *client;
    struct http_socket *next, *previous;
    curl_socket_t fd;
    struct loop_watch *watch;
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    struct http_call *running, *queued, *queued_last;
    struct http_socket *sockets;
    size_t running_count, call_count;
};

static void finish_done(struct http_client *client);
static void start_queued(struct http_client *client);

/* ---- curl's sockets and timer ---- */

static void drive(struct http_client *client, curl_socket_t fd, int events)
{
    int still = 0;
    (void)curl_multi_socket_action(client->multi, fd, events, &still);
    finish_done(client);
    start_queued(client);
}

static void on_socket_events(void *user, uint32_t events)
{
    struct http_socket *socket = user;
    int curl_events = 0;
    if ((events & EPOLLIN) != 0)
        curl_events |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0)
        curl_events |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        curl_events |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
    drive(socket->client, socket->fd, curl_events);
}

static void free_socket(struct http_socket *socket)
{
    if (socket->previous != NULL)
        socket->previous->next = socket->next;
    else
        socket->client->sockets = socket->next;
    if (socket->next != NULL)
        socket->next->previous = socket->previous;
    loop_watch_free(socket->watch);
    free(socket);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct http_client *client = user;
    struct http_socket *socket = socket_user;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            (void)curl_multi_assign(client->multi, fd, NULL);
            free_socket(socket);
        }
        return 0;
    }
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (socket != NULL) {
        loop_watch_modify(socket->watch, events);
        return 0;
    }
    socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return -1;
    socket->client = client;
    socket->fd = fd;
    if (loop_watch_new(client->loop, fd, events, on_socket_events, socket, &socket->watch) != EV_OK) {
        free(socket);
        return -1;
    }
    socket->next = client->sockets;
    if (socket->next != NULL)
        socket->next->previous = socket;
    client->sockets = socket;
    (void)curl_multi_assign(client->multi, fd, socket);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct http_client *client = user;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_stop(client->timer);
    else
        loop_timer_start(client->timer, timeout_ms);
    return 0;
}

static void on_timer(void *user)
{
    drive(user, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- answers ---- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *user)
{
    struct http_call *call = user;
    size_t len = size * count;
    if (call->on_data != NULL) {
        call->on_data(call->user, bytes, len);
        return len;
    }
    if (len > call->answer_max - call->answer_len) {
        call->too_large = true;
        return 0; /* ends the call */
    }
    if (call->answer_len + len + 1 > call->answer_capacity) {
        size_t capacity = (call->answer_len + len + 1) * 2;
        char *grown = realloc(call->answer, capacity);
        if (grown == NULL)
            return 0;
        call->answer = grown;
        call->answer_capacity = capacity;
    }
    memcpy(call->answer + call->answer_len, bytes, len);
    call->answer_len += len;
    call->answer[call->answer_len] = '\0';
    return len;
}

static void free_call(struct http_call *call)
{
    if (call->easy != NULL)
        curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->body);
    free(call->answer);
    call->client->call_count--;
    free(call);
}

static void unlink_call(struct http_call *call)
{
    struct http_client *client = call->client;
    struct http_call **first = call->running ? &client->running : &client->queued;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        *first = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    else if (!call->running)
        client->queued_last = call->previous;
    if (call->running) {
        (void)curl_multi_remove_handle(client->multi, call->easy);
        client->running_count--;
    }
}

static enum ev_err error_of(const struct http_call *call, CURLcode code)
{
    if (call->too_large)
        return EV_ERR_TOO_LARGE;
    switch (code) {
    case CURLE_OK:
        return EV_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return EV_ERR_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return EV_ERR_USAGE;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return EV_ERR_TLS;
    default:
        return EV_ERR_IO;
    }
}

static void finish_call(struct http_call *call, CURLcode code)
{
    struct http_response response = {.err = error_of(call, code),
                                     .text = "",
                                     .body = call->answer == NULL ? "" : call->answer,
                                     .body_len = call->answer_len};
    long status = 0;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
    response.status = (int)status;
    response.retry_after_s = retry_after > 0 && retry_after < 86400 ? (int)retry_after : 0;
    if (call->too_large)
        response.text = "the answer is larger than expected";
    else if (code != CURLE_OK)
        response.text = call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
    unlink_call(call);
    call->on_done(call->user, &response);
    free_call(call);
}

static void finish_done(struct http_client *client)
{
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct http_call *call = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        finish_call(call, code);
    }
}

/* ---- calls ---- */

static bool add_header(struct http_call *call, const char *text)
{
    struct curl_slist *grown = curl_slist_append(call->headers, text);
    if (grown == NULL)
        return false;
    call->headers = grown;
    return true;
}

static bool set_headers(struct http_call *call, const struct http_request *request)
{
    char line[256];
    if (request->body != NULL) {
        (void)snprintf(line, sizeof line, "Content-Type: %s",
                       request->content_type == NULL ? "application/json" : request->content_type);
        if (!add_header(call, line))
            return false;
    }
    if (request->bearer != NULL) {
        (void)snprintf(line, sizeof line, "Authorization: Bearer %s", request->bearer);
        if (!add_header(call, line))
            return false;
    }
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
        if (!add_header(call, request->headers[i]))
            return false;
    }
    return add_header(call, "Expect:"); /* no 100-continue round trip */
}

static void set_tls(CURL *easy, const struct http_request *request)
{
    if (request->authority_path != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, request->authority_path);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (request->certificate_path != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, request->certificate_path);
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, request->key_path);
    }
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Resumption would skip a check of certificates that may have changed since. */
    (void)curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

static bool set_options(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;
    const char *method = request->method == NULL ? "GET" : request->method;
    long timeout_ms = request->timeout_ms == 0 ? HTTP_CLIENT_TIMEOUT_MS : request->timeout_ms;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "evnet/" EV_VERSION);
    if (timeout_ms > 0)
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    if (request->body != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    } else if (strcmp(method, "POST") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
        (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    set_tls(easy, request);
    return set_headers(call, request) &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
}

static void start_queued(struct http_client *client)
{
    while (client->queued != NULL && client->running_count < HTTP_CLIENT_PARALLEL_MAX) {
        struct http_call *call = client->queued;
        unlink_call(call);
        call->previous = NULL;
        call->next = client->running;
        if (call->next != NULL)
            call->next->previous = call;
        client->running = call;
        call->running = true;
        client->running_count++;
        /* Adding makes curl ask for its timer, from which everything else follows: no callback from here. */
        (void)curl_multi_add_handle(client->multi, call->easy);
    }
}

enum ev_err http_client_send(struct http_client *client, const struct http_request *request,
                             http_on_done on_done, void *user, struct http_call **ret_call)
{
    if (client->call_count >= HTTP_CLIENT_CALLS_MAX)
        return EV_ERR_FULL;
    struct http_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return EV_ERR_NOMEM;
    call->client = client;
    client->call_count++;
    call->on_done = on_done;
    call->on_data = request->on_data;
    call->user = user;
    call->answer_max = request->response_max == 0 ? HTTP_CLIENT_RESPONSE_MAX : request->response_max;
    call->easy = curl_easy_init();
    if (request->body != NULL) {
        call->body = malloc(request->body_len + 1);
        if (call->body != NULL)
            memcpy(call->body, request->body, request->body_len);
    }
    if (call->easy == NULL || (request->body != NULL && call->body == NULL) || !set_options(call, request)) {
        free_call(call);
        return EV_ERR_NOMEM;
    }
    call->previous = client->queued_last;
    if (client->queued_last != NULL)
        client->queued_last->next = call;
    else
        client->queued = call;
    client->queued_last = call;
    start_queued(client);
    if (ret_call != NULL)
        *ret_call = call;
    return EV_OK;
}

void http_client_cancel(struct http_call *call)
{
    unlink_call(call);
    free_call(call);
}

enum ev_err http_client_new(struct loop *loop, struct http_client **ret_client)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return EV_ERR_NOMEM;
    (void)curl_global_init(CURL_GLOBAL_ALL);
    client->loop = loop;
    client->multi = curl_multi_init();
    if (client->multi == NULL || loop_timer_new(loop, on_timer, client, &client->timer) != EV_OK) {
        http_client_free(client);
        return EV_ERR_NOMEM;
    }
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    *ret_client = client;
    return EV_OK;
}

static void cancel_all(struct http_call *call)
{
    for (struct http_call *next = NULL; call != NULL; call = next) {
        next = call->next;
        http_client_cancel(call);
    }
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    cancel_all(client->running);
    cancel_all(client->queued);
    if (client->multi != NULL)
        (void)curl_multi_cleanup(client->multi);
    for (struct http_socket *socket = client->sockets, *next = NULL; socket != NULL; socket = next) {
        next = socket->next;
        free_socket(socket);
    }
    if (client->timer != NULL)
        loop_timer_free(client->timer);
    free(client);
    curl_global_cleanup();
}

void http_problem_text(const struct http_response *response, struct failure *ret_text)
{
    char detail[300];
    cJSON *tree = NULL;
    if (response->err != EV_OK) {
        (void)failure_set(ret_text, response->err, "%s",
                          response->text[0] != '\0' ? response->text : ev_err_text(response->err));
        return;
    }
    if (json_parse(response->body, response->body_len, HTTP_CLIENT_RESPONSE_MAX, &tree) == EV_OK &&
        json_get_text(tree, "detail", detail, sizeof detail) == EV_OK)
        (void)failure_set(ret_text, EV_ERR_IO, "%s (%d)", detail, response->status);
    else
        (void)failure_set(ret_text, EV_ERR_IO, "it answered with status %d", response->status);
    cJSON_Delete(tree);
}
