/* api.c - servers, routes, and what all handlers need. */
#include "central/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_internal.h"
#include "central/registry_feed.h"
#include "common/runtime/identity.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/state_dir.h"

static void get_openapi(struct http_exchange *exchange, void *user)
{
    (void)user;
    http_reply_header(exchange, "Cache-Control", "max-age=300");
    http_reply(exchange, 200, "application/json", API_OPENAPI, API_OPENAPI_size);
}

static const struct http_route API_ROUTES[] = {
    {"GET", API_BASE "/charge-points", api_list_charge_points},
    {"POST", API_BASE "/charge-points/stop", api_stop_many},
    {"POST", API_BASE "/charge-points/resume", api_resume_many},
    {"GET", API_BASE "/charge-points/{id}", api_get_charge_point},
    {"PATCH", API_BASE "/charge-points/{id}", api_set_price},
    {"POST", API_BASE "/charge-points/{id}/stop", api_stop_one},
    {"POST", API_BASE "/charge-points/{id}/resume", api_resume_one},
    {"POST", API_BASE "/charge-points/{id}/rotate-key", api_rotate_key},
    {"POST", API_BASE "/charge-points/{id}/drop-key", api_drop_key},
    {"POST", API_BASE "/charge-points/{id}/revoke", api_revoke},
    {"GET", API_BASE "/sessions", api_list_sessions},
    {"GET", API_BASE "/sessions/{id}", api_get_session},
    {"POST", API_BASE "/sessions/{id}/stop", api_stop_session},
    {"GET", API_BASE "/sessions/{id}/curve", api_get_curve},
    {"GET", API_BASE "/audit", api_list_audit},
    {"POST", API_BASE "/keys", api_issue_key},
    {"GET", API_BASE "/weather", api_list_weather},
    {"PUT", API_BASE "/weather/{city}", api_put_weather},
    {"DELETE", API_BASE "/weather/{city}", api_delete_weather},
    {"GET", API_BASE "/summary", api_get_summary},
    {"GET", API_BASE "/events", api_stream_events},
    {"POST", API_BASE "/login", api_login},
    {"POST", API_BASE "/logout", api_logout},
    {"GET", API_BASE "/me", api_who_am_i},
    {"GET", API_BASE "/openapi.json", get_openapi},
    {"GET", "/healthz", api_healthz},
    {"GET", "/readyz", api_readyz},
    {"GET", "/metrics", api_metrics},
};

static const char CONTENT_SECURITY_POLICY[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static void on_request(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    const char *path = http_path(exchange);
    http_reply_header(exchange, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
    if (strncmp(path, "/api/", 5) != 0 && http_static_serve(api->files, exchange))
        return;
    http_route(API_ROUTES, sizeof API_ROUTES / sizeof API_ROUTES[0], exchange, api);
}

/* ---- texts ---- */

void api_text_add(struct api_text *text, const char *bytes, size_t len)
{
    if (text->len + len + 1 > text->capacity) {
        size_t capacity = (text->len + len + 1) * 2;
        char *grown = realloc(text->bytes, capacity);
        EV_ASSERT(grown != NULL);
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void api_text_add_string(struct api_text *text, const char *string)
{
    api_text_add(text, string, strlen(string));
}

void api_text_add_object(struct api_text *text, void (*write)(struct json_writer *writer, void *arg),
                         void *arg)
{
    char object[API_OBJECT_MAX];
    struct json_writer writer;
    size_t len = 0;
    json_writer_init(&writer, object, sizeof object);
    write(&writer, arg);
    enum ev_err err = json_writer_finish(&writer, &len);
    EV_ASSERT(err == EV_OK);
    api_text_add(text, object, len);
}

void api_reply_text(struct http_exchange *exchange, int status, struct api_text *text)
{
    http_reply(exchange, status, "application/json", text->bytes, text->len);
    free(text->bytes);
}

/* ---- who asks ---- */

bool api_find_token(const struct http_exchange *exchange, char ret_token[ACCOUNTS_TOKEN_TEXT])
{
    static const char BEARER[] = "Bearer ";
    const char *header = http_header(exchange, "Authorization");
    if (header != NULL && strncmp(header, BEARER, sizeof BEARER - 1) == 0 &&
        strlen(header + sizeof BEARER - 1) == ACCOUNTS_TOKEN_TEXT - 1) {
        (void)snprintf(ret_token, ACCOUNTS_TOKEN_TEXT, "%s", header + sizeof BEARER - 1);
        return true;
    }
    return http_cookie(exchange, http_is_tls(exchange) ? "__Host-ev_session" : "ev_session", ret_token,
                       ACCOUNTS_TOKEN_TEXT);
}

void api_find_caller(struct api *api, struct http_exchange *exchange, struct api_caller *ret_caller)
{
    char token[ACCOUNTS_TOKEN_TEXT];
    const struct peer_identity *peer = http_peer(exchange);
    memset(ret_caller, 0, sizeof *ret_caller);
    if (api_find_token(exchange, token))
        ret_caller->viewer.admin = accounts_find_token(api->central->accounts, token, ret_caller->name);
    if (peer != NULL && peer->role == NODE_ROLE_DRIVER &&
        fleet_check_node(api->central->fleet, FLEET_ROLE_DRIVER, peer->id, peer->key_sha256) ==
            FLEET_NODE_OK) {
        (void)snprintf(ret_caller->driver, sizeof ret_caller->driver, "%s", peer->id);
        ret_caller->viewer.driver_id = ret_caller->driver;
    }
}

static void make_actor(const struct http_exchange *exchange, const char *who, struct fleet_actor *ret_actor)
{
    memset(ret_actor, 0, sizeof *ret_actor);
    (void)snprintf(ret_actor->who, sizeof ret_actor->who, "%s", who);
    (void)snprintf(ret_actor->address, sizeof ret_actor->address, "%s", http_peer_address(exchange));
}

bool api_require_admin(struct api *api, struct http_exchange *exchange, struct fleet_actor *ret_actor)
{
    struct api_caller caller;
    api_find_caller(api, exchange, &caller);
    make_actor(exchange, caller.viewer.admin ? caller.name : "unknown", ret_actor);
    if (caller.viewer.admin)
        return true;
    dispatch_audit_burst(api->central, ret_actor, "auth.failed", "api", "no_sign_in",
                         "an admin's call without a valid sign-in");
    http_reply_header(exchange, "WWW-Authenticate", "Bearer");
    http_reply_problem(exchange, 401, "sign in as an admin first (POST /api/v1/login)");
    return false;
}

bool api_require_node(struct api *api, struct http_exchange *exchange, enum fleet_role role,
                      struct fleet_actor *ret_actor)
{
    static const enum node_role ROLES[] = {[FLEET_ROLE_CP] = NODE_ROLE_CP,
                                           [FLEET_ROLE_DRIVER] = NODE_ROLE_DRIVER,
                                           [FLEET_ROLE_WEATHER] = NODE_ROLE_WEATHER};
    const struct peer_identity *peer = http_peer(exchange);
    const char *problem = http_peer_problem(exchange);
    char who[40] = "unknown", detail[FAILURE_TEXT_MAX + 64];
    if (peer != NULL)
        (void)snprintf(who, sizeof who, "%s:%s", node_role_text(peer->role), peer->id);
    make_actor(exchange, who, ret_actor);
    int status = 403;
    if (peer == NULL) {
        status = 401;
        (void)snprintf(detail, sizeof detail, "a certificate of role %s is needed, over HTTPS%s%s",
                       node_role_text(ROLES[role]), problem == NULL ? "" : ": ",
                       problem == NULL ? "" : problem);
    } else if (peer->role != ROLES[role]) {
        (void)snprintf(detail, sizeof detail, "this is not for a certificate of role %s",
                       node_role_text(peer->role));
    } else {
        switch (fleet_check_node(api->central->fleet, role, peer->id, peer->key_sha256)) {
        case FLEET_NODE_OK:
            return true;
        case FLEET_NODE_UNKNOWN:
            status = 503; /* Registry's feed may be a moment behind */
            registry_feed_poll(api->central->registry_feed);
            (void)snprintf(detail, sizeof detail,
                           "Central has not heard of this registration yet: try again");
            http_reply_header(exchange, "Retry-After", "1");
            break;
        case FLEET_NODE_REVOKED:
            (void)snprintf(detail, sizeof detail, "this certificate was revoked: register anew");
            break;
        case FLEET_NODE_WRONG_KEY:
            (void)snprintf(detail, sizeof detail, "this id is registered with another key");
            break;
        }
    }
    if (status != 503)
        dispatch_audit_burst(api->central, ret_actor, "auth.failed", "api", "certificate", detail);
    http_reply_problem(exchange, status, detail);
    return false;
}

/* ---- parameters ---- */

bool api_limit(struct http_exchange *exchange, size_t *ret_limit)
{
    const char *text = http_query(exchange, "limit");
    int64_t limit = API_LIMIT_DEFAULT;
    if (text != NULL && options_parse_integer(text, 1, API_LIMIT_MAX, &limit) != EV_OK) {
        http_reply_problem(exchange, 400, "limit must be a number from 1 to 1000");
        return false;
    }
    *ret_limit = (size_t)limit;
    return true;
}

cJSON *api_body(struct http_exchange *exchange)
{
    size_t len = 0;
    cJSON *tree = NULL;
    const char *body = http_body(exchange, &len);
    const char *type = http_header(exchange, "Content-Type");
    if (type == NULL || strncmp(type, "application/json", 16) != 0) {
        http_reply_problem(exchange, 415, "send JSON with Content-Type: application/json");
        return NULL;
    }
    if (json_parse(body, len, HTTP_BODY_MAX, &tree) != EV_OK || !cJSON_IsObject(tree)) {
        cJSON_Delete(tree);
        http_reply_problem(exchange, 400, "the body must be one JSON object");
        return NULL;
    }
    return tree;
}

void api_reply_answer(struct http_exchange *exchange, const struct fleet_answer *answer)
{
    static const int STATUS[] = {[FLEET_ANSWER_OK] = 202,
                                 [FLEET_ANSWER_NOT_FOUND] = 404,
                                 [FLEET_ANSWER_CONFLICT] = 409,
                                 [FLEET_ANSWER_INVALID] = 422,
                                 [FLEET_ANSWER_FULL] = 503};
    http_reply_problem(exchange, STATUS[answer->code], answer->detail);
}

/* ---- servers ---- */

static void split_hosts(struct api *api, const char *public_host)
{
    size_t count = 0;
    api->host_texts = strdup(public_host == NULL ? "" : public_host);
    EV_ASSERT(api->host_texts != NULL);
    char *rest = NULL;
    for (char *name = strtok_r(api->host_texts, ",", &rest); name != NULL && count < 65;
         name = strtok_r(NULL, ",", &rest))
        api->hosts[count++] = name;
    api->hosts[count] = NULL;
}

enum ev_err api_new(struct central *central, struct api **ret_api)
{
    struct failure failure;
    struct api *api = calloc(1, sizeof *api);
    EV_ASSERT(api != NULL);
    api->central = central;
    split_hosts(api, central->options.public_host);
    struct http_server_config config = {.hosts = api->hosts, .handler = on_request, .user = api};
    enum ev_err err = host_port_parse(central->options.http, &config.address);
    if (err == EV_OK)
        err = http_static_new(central->options.web_dir, &api->files, &failure);
    if (err == EV_OK)
        err = http_server_new(central->loop, &config, &api->http, &failure);
    if (err != EV_OK) {
        log_error("api.start_failed", log_str("reason", failure.text));
        api_free(api);
        return err;
    }
    log_info("api.listening", log_str("http", central->options.http));
    *ret_api = api;
    return EV_OK;
}

static enum ev_err read_credentials(const struct identity *identity, uint8_t *ret_pem[3], size_t ret_len[3],
                                    struct failure *ret_failure)
{
    enum ev_err err =
        state_file_read(identity_certificate_path(identity), &ret_pem[0], &ret_len[0], ret_failure);
    if (err == EV_OK)
        err = state_file_read(identity_key_path(identity), &ret_pem[1], &ret_len[1], ret_failure);
    if (err == EV_OK)
        err = state_file_read(identity_authority_path(identity), &ret_pem[2], &ret_len[2], ret_failure);
    return err;
}

void api_on_certificate(struct api *api)
{
    struct central *central = api->central;
    struct failure failure = {.text = ""};
    uint8_t *pem[3] = {NULL, NULL, NULL};
    size_t len[3] = {0, 0, 0};
    struct http_server_config config = {.hosts = api->hosts, .handler = on_request, .user = api};
    enum ev_err err = read_credentials(central->identity, pem, len, &failure);
    if (err == EV_OK)
        err = host_port_parse(central->options.https, &config.address);
    if (err == EV_OK && api->https != NULL) {
        err = http_server_reload(api->https, (const char *)pem[0], (const char *)pem[1], &failure);
    } else if (err == EV_OK) {
        config.certificate_pem = (const char *)pem[0];
        config.key_pem = (const char *)pem[1];
        config.authority_pem = (const char *)pem[2];
        err = http_server_new(central->loop, &config, &api->https, &failure);
    }
    for (size_t i = 0; i < 3; i++)
        state_dir_bytes_free(pem[i], len[i]);
    if (err != EV_OK)
        log_error("api.https_failed", log_str("reason", failure.text));
    else
        log_info("api.listening", log_str("https", central->options.https));
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    http_server_free(api->https);
    http_server_free(api->http);
    http_static_free(api->files);
    free(api->host_texts);
    free(api);
}
