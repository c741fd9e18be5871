/* http_exchange.c - one request: what may come in, what the handler sees, how it is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/runtime/http_internal.h"
#include "common/wire/json.h"

/* ---- decoding ---- */

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool http_decode_percent(char *text, bool plus)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in == '%') {
            int high = hex_value(in[1]);
            int low = high < 0 ? -1 : hex_value(in[2]);
            if (low < 0 || (high == 0 && low == 0))
                return false;
            *out++ = (char)(high * 16 + low);
            in += 2;
        } else {
            *out++ = plus && *in == '+' ? ' ' : *in;
        }
    }
    *out = '\0';
    return json_is_utf8(text, (size_t)(out - text));
}

/* ---- who may ask: Host and Origin ---- */

/* "name:port", "[v6]:port", without the port and brackets. */
static void host_name(const char *text, char ret_name[256])
{
    const char *start = text, *end = NULL;
    if (*start == '[') {
        start++;
        end = strchr(start, ']');
    } else {
        end = strchr(start, ':');
    }
    size_t length = end == NULL ? strlen(start) : (size_t)(end - start);
    if (length > 255)
        length = 255;
    memcpy(ret_name, start, length);
    ret_name[length] = '\0';
}

static bool is_known_host(const struct http_server *server, const char *text)
{
    static const char *const LOCAL[] = {"localhost", "127.0.0.1", "::1", NULL};
    char name[256];
    host_name(text, name);
    for (size_t i = 0; LOCAL[i] != NULL; i++) {
        if (strcasecmp(name, LOCAL[i]) == 0)
            return true;
    }
    for (size_t i = 0; server->hosts != NULL && server->hosts[i] != NULL; i++) {
        if (strcasecmp(name, server->hosts[i]) == 0)
            return true;
    }
    return false;
}

static void check_origin(struct http_exchange *exchange)
{
    const struct http_server *server = exchange->server;
    const char *host = http_header(exchange, "Host");
    const char *origin = http_header(exchange, "Origin");
    if (server->hosts == NULL)
        return;
    if (host == NULL || !is_known_host(server, host)) {
        exchange->refusal = 421;
        exchange->refusal_detail = "this server is not known by that name: name it with --public-host";
        return;
    }
    if (origin == NULL)
        return;
    /* The very server that is asked, port included: another one of this machine is another site's page too.
     */
    const char *after = strstr(origin, "://");
    if (after == NULL || strcasecmp(after + 3, host) != 0) {
        exchange->refusal = 403;
        exchange->refusal_detail = "requests from pages of other sites are refused";
    }
}

/* ---- coming in ---- */

static struct http_exchange *exchange_new(struct http_server *server, struct MHD_Connection *connection,
                                          const char *url, const char *method)
{
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    EV_ASSERT(exchange != NULL);
    exchange->server = server;
    exchange->connection = connection;
    exchange->method = strdup(method);
    exchange->path = strdup(url);
    exchange->body = calloc(1, 1);
    EV_ASSERT(exchange->method != NULL && exchange->path != NULL && exchange->body != NULL);
    exchange->next = server->exchanges;
    if (exchange->next != NULL)
        exchange->next->previous = exchange;
    server->exchanges = exchange;
    if (strlen(url) > HTTP_PATH_MAX || !http_decode_percent(exchange->path, false)) {
        exchange->refusal = 400;
        exchange->refusal_detail = "the path is too long or not properly encoded";
        exchange->path[0] = '/';
        exchange->path[1] = '\0';
    }
    check_origin(exchange);
    return exchange;
}

void http_exchange_free(struct http_exchange *exchange)
{
    if (exchange->previous != NULL)
        exchange->previous->next = exchange->next;
    else if (exchange->server != NULL)
        exchange->server->exchanges = exchange->next;
    if (exchange->next != NULL)
        exchange->next->previous = exchange->previous;
    while (exchange->reply_headers != NULL) {
        struct http_header_line *line = exchange->reply_headers;
        exchange->reply_headers = line->next;
        free(line->name);
        free(line->value);
        free(line);
    }
    for (size_t i = 0; i < exchange->decoded_count; i++)
        free(exchange->decoded[i]);
    free(exchange->decoded);
    for (size_t i = 0; i < exchange->part_count; i++)
        free(exchange->parts[i]);
    if (exchange->response != NULL)
        MHD_destroy_response(exchange->response);
    free(exchange->method);
    free(exchange->path);
    free(exchange->body);
    free(exchange);
}

static void take_body(struct http_exchange *exchange, const char *bytes, size_t len)
{
    size_t max = exchange->server->config.body_max == 0 ? HTTP_BODY_MAX : exchange->server->config.body_max;
    if (exchange->refusal != 0)
        return;
    if (len > max - exchange->body_len) {
        exchange->refusal = 413;
        exchange->refusal_detail = "the body is too large";
        return;
    }
    if (exchange->body_len + len + 1 > exchange->body_capacity) {
        size_t capacity = (exchange->body_len + len + 1) * 2;
        char *grown = realloc(exchange->body, capacity);
        EV_ASSERT(grown != NULL);
        exchange->body = grown;
        exchange->body_capacity = capacity;
    }
    memcpy(exchange->body + exchange->body_len, bytes, len);
    exchange->body_len += len;
    exchange->body[exchange->body_len] = '\0';
}

enum MHD_Result http_on_access(void *user, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_len, void **context)
{
    struct http_server *server = user;
    struct http_exchange *exchange = *context;
    (void)version;
    if (exchange == NULL) {
        *context = exchange_new(server, connection, url, method);
        return MHD_YES;
    }
    if (*upload_len > 0) {
        take_body(exchange, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    if (exchange->phase == EXCHANGE_READING) {
        exchange->phase = EXCHANGE_HANDLING;
        if (exchange->refusal != 0)
            http_reply_problem(exchange, exchange->refusal, exchange->refusal_detail);
        else
            server->config.handler(exchange, server->config.user);
        if (exchange->phase == EXCHANGE_HANDLING) {
            exchange->phase = EXCHANGE_WAITING;
            MHD_suspend_connection(connection);
            return MHD_YES;
        }
    }
    if (exchange->phase == EXCHANGE_WAITING && server->stopping)
        return MHD_NO; /* the server ends before the handler answered */
    return exchange->phase == EXCHANGE_ANSWERED ? http_exchange_queue(exchange) : MHD_YES;
}

void http_on_completed(void *user, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why)
{
    struct http_exchange *exchange = *context;
    (void)user;
    (void)connection;
    (void)why;
    *context = NULL;
    if (exchange == NULL)
        return;
    if (exchange->stream != NULL)
        http_stream_on_completed(exchange->stream);
    exchange->stream = NULL;
    exchange->connection = NULL;
    if (exchange->phase != EXCHANGE_WAITING) /* else its handler still holds it */
        http_exchange_free(exchange);
}

/* ---- what the handler sees ---- */

const char *http_method(const struct http_exchange *exchange)
{
    return exchange->method;
}

const char *http_path(const struct http_exchange *exchange)
{
    return exchange->path;
}

const char *http_query(const struct http_exchange *exchange, const char *name)
{
    struct http_exchange *changed = (struct http_exchange *)(uintptr_t)exchange; /* keeps what it hands out */
    const char *raw = exchange->connection == NULL
                          ? NULL
                          : MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
    if (raw == NULL)
        return NULL;
    char *copy = strdup(raw);
    char **grown = realloc(changed->decoded, (changed->decoded_count + 1) * sizeof *grown);
    EV_ASSERT(copy != NULL && grown != NULL);
    changed->decoded = grown;
    changed->decoded[changed->decoded_count++] = copy;
    if (!http_decode_percent(copy, true))
        (void)snprintf(copy, strlen(copy) + 1, "%s", ""); /* never what was asked for: fails its own check */
    return copy;
}

const char *http_header(const struct http_exchange *exchange, const char *name)
{
    if (exchange->connection == NULL)
        return NULL;
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

bool http_cookie(const struct http_exchange *exchange, const char *name, char *ret_value, size_t capacity)
{
    const char *value = exchange->connection == NULL
                            ? NULL
                            : MHD_lookup_connection_value(exchange->connection, MHD_COOKIE_KIND, name);
    if (value == NULL || strlen(value) >= capacity)
        return false;
    (void)snprintf(ret_value, capacity, "%s", value);
    return true;
}

const char *http_body(const struct http_exchange *exchange, size_t *ret_len)
{
    *ret_len = exchange->body_len;
    return exchange->body;
}

const char *http_peer_address(const struct http_exchange *exchange)
{
    return exchange->connection == NULL
               ? ""
               : http_connection_of((struct http_exchange *)(uintptr_t)exchange)->address;
}

const struct peer_identity *http_peer(const struct http_exchange *exchange)
{
    if (exchange->connection == NULL)
        return NULL;
    const struct http_connection *made = http_connection_of((struct http_exchange *)(uintptr_t)exchange);
    return made->peer.role == NODE_ROLE_NONE ? NULL : &made->peer;
}

const char *http_peer_problem(const struct http_exchange *exchange)
{
    if (exchange->connection == NULL)
        return NULL;
    const struct http_connection *made = http_connection_of((struct http_exchange *)(uintptr_t)exchange);
    return made->present && made->peer.role == NODE_ROLE_NONE ? made->problem.text : NULL;
}

bool http_peer_is_expired(const struct http_exchange *exchange)
{
    return exchange->connection != NULL &&
           http_connection_of((struct http_exchange *)(uintptr_t)exchange)->expired;
}

bool http_is_tls(const struct http_exchange *exchange)
{
    return exchange->server != NULL && exchange->server->daemons != NULL &&
           exchange->server->daemons->certificate_pem != NULL;
}

bool http_is_abandoned(const struct http_exchange *exchange)
{
    return exchange->connection == NULL;
}

/* ---- the answer ---- */

void http_reply_header(struct http_exchange *exchange, const char *name, const char *value)
{
    struct http_header_line *line = calloc(1, sizeof *line);
    EV_ASSERT(line != NULL);
    line->name = strdup(name);
    line->value = strdup(value);
    line->next = exchange->reply_headers;
    exchange->reply_headers = line;
}

static bool has_header(const struct http_exchange *exchange, const char *name)
{
    for (const struct http_header_line *line = exchange->reply_headers; line != NULL; line = line->next) {
        if (strcasecmp(line->name, name) == 0)
            return true;
    }
    return false;
}

enum MHD_Result http_exchange_queue(struct http_exchange *exchange)
{
    struct MHD_Response *response = exchange->response;
    for (const struct http_header_line *line = exchange->reply_headers; line != NULL; line = line->next)
        (void)MHD_add_response_header(response, line->name, line->value);
    if (!has_header(exchange, "Cache-Control"))
        (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    enum MHD_Result result = MHD_queue_response(exchange->connection, (unsigned)exchange->status, response);
    MHD_destroy_response(response);
    exchange->response = NULL;
    return result;
}

void http_exchange_answer(struct http_exchange *exchange, int status, struct MHD_Response *response)
{
    enum exchange_phase before = exchange->phase;
    EV_ASSERT(before != EXCHANGE_ANSWERED);
    exchange->status = status;
    exchange->response = response;
    exchange->phase = EXCHANGE_ANSWERED;
    if (before != EXCHANGE_WAITING)
        return;
    if (exchange->connection == NULL)
        http_exchange_free(exchange); /* the client has gone meanwhile */
    else
        MHD_resume_connection(exchange->connection);
}

void http_reply(struct http_exchange *exchange, int status, const char *content_type, const void *body,
                size_t len)
{
    /* The library only reads what it copies. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        len, len == 0 ? (void *)(uintptr_t) "" : (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    EV_ASSERT(response != NULL);
    if (content_type != NULL)
        (void)MHD_add_response_header(response, "Content-Type", content_type);
    http_exchange_answer(exchange, status, response);
}

void http_reply_json(struct http_exchange *exchange, int status, cJSON *tree)
{
    char *text = cJSON_PrintUnformatted(tree);
    cJSON_Delete(tree);
    EV_ASSERT(text != NULL);
    http_reply(exchange, status, "application/json", text, strlen(text));
    cJSON_free(text);
}

static const char *status_title(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 421:
        return "Misdirected Request";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

void http_reply_problem(struct http_exchange *exchange, int status, const char *detail)
{
    char text[2048];
    size_t length = 0;
    struct json_writer writer;
    json_writer_init(&writer, text, sizeof text);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "type", "about:blank");
    json_write_text(&writer, "title", status_title(status));
    json_write_integer(&writer, "status", status);
    json_write_text(&writer, "detail", detail);
    json_write_object_end(&writer);
    if (json_writer_finish(&writer, &length) != EV_OK)
        length = 0;
    http_reply(exchange, status, "application/problem+json", text, length);
}

/* ---- routing ---- */

const char *http_path_part(const struct http_exchange *exchange, size_t n)
{
    return n < exchange->part_count ? exchange->parts[n] : "";
}

static void forget_parts(struct http_exchange *exchange)
{
    for (size_t i = 0; i < exchange->part_count; i++)
        free(exchange->parts[i]);
    exchange->part_count = 0;
}

/* Segments are compared one by one; {x} takes a whole one that is not empty. */
static bool path_fits(struct http_exchange *exchange, const char *pattern)
{
    const char *path = exchange->path;
    forget_parts(exchange);
    while (*pattern != '\0') {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t length = strcspn(path, "/");
        if (length == 0 || exchange->part_count == HTTP_PATH_PARTS_MAX)
            return false;
        exchange->parts[exchange->part_count++] = strndup(path, length);
        path += length;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0';
}

static bool method_fits(const char *route, const char *method)
{
    return strcmp(route, method) == 0 || (strcmp(route, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

void http_route(const struct http_route *routes, size_t count, struct http_exchange *exchange, void *user)
{
    char allow[128] = "";
    for (size_t i = 0; i < count; i++) {
        if (!path_fits(exchange, routes[i].pattern))
            continue;
        if (method_fits(routes[i].method, exchange->method)) {
            routes[i].handler(exchange, user);
            return;
        }
        size_t used = strlen(allow);
        (void)snprintf(allow + used, sizeof allow - used, "%s%s", used == 0 ? "" : ", ", routes[i].method);
    }
    if (allow[0] == '\0') {
        http_reply_problem(exchange, 404, "there is nothing at this address");
        return;
    }
    http_reply_header(exchange, "Allow", allow);
    http_reply_problem(exchange, 405, "this method is not for this address; the header Allow says which are");
}
