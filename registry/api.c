/* api.c - who asks, and every answer that is not a registration (api_register.c). */
#include "registry/api.h"

#include "common/runtime/log.h"
#include "common/runtime/options.h"
#include "common/wire/json.h"
#include "common/wire/time_text.h"
#include "registry/body.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CHANGES_LIMIT_MAX 1000
#define CHANGES_LIMIT 500

/* ---- shared ---- */

void api_reply_no_database(struct http_exchange *exchange)
{
    http_reply_header(exchange, "Retry-After", "5");
    http_reply_problem(exchange, 503, "Registry's database does not work at the moment: try again");
}

/* "application/json", with or without parameters. */
static bool is_json(const char *content_type)
{
    static const char TYPE[] = "application/json";
    size_t length = sizeof TYPE - 1;
    return content_type != NULL && strncasecmp(content_type, TYPE, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ');
}

cJSON *api_read_json(struct http_exchange *exchange)
{
    cJSON *tree = NULL;
    size_t len = 0;
    const char *body = http_body(exchange, &len);
    if (!is_json(http_header(exchange, "Content-Type"))) {
        http_reply_problem(exchange, 415, "the body must be application/json");
        return NULL;
    }
    if (json_parse(body, len, len, &tree) != EV_OK) {
        http_reply_problem(exchange, 400, "the body is not JSON, or nested too deep");
        return NULL;
    }
    return tree;
}

void api_reply_certificate(const struct registry *registry, struct http_exchange *exchange,
                           const struct authority_certificate *certificate)
{
    cJSON *tree = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(tree, "certificate", certificate->pem);
    (void)cJSON_AddStringToObject(tree, "authority", authority_pem(registry->authority));
    (void)json_add_time(tree, "expires_at", certificate->expires_at_ms);
    http_reply_json(exchange, 201, tree);
}

/* ---- who asks ---- */

static void refuse_peer(struct http_exchange *exchange, const struct peer_identity *peer, int status,
                        const char *why)
{
    log_warn("registry.refused", log_str("address", http_peer_address(exchange)),
             log_str("role", peer == NULL ? "" : node_role_text(peer->role)),
             log_str("id", peer == NULL ? "" : peer->id), log_str("reason", why));
    http_reply_problem(exchange, status, why);
}

/* NULL: the certificate counts. A deregistered node is still itself, for a repeated DELETE. */
static const char *why_not(struct registry *registry, const struct peer_identity *peer,
                           struct store_node *ret_node, enum ev_err *ret_err)
{
    bool barred = false;
    *ret_err = store_load_node(registry->store, peer->role, peer->id, ret_node);
    if (*ret_err == EV_ERR_NOT_FOUND) {
        *ret_err = EV_OK;
        return "this node is not registered here";
    }
    if (*ret_err == EV_OK)
        *ret_err = store_is_key_barred(registry->store, peer->key_sha256, &barred);
    if (*ret_err != EV_OK)
        return NULL;
    if (barred || (ret_node->status == STORE_REVOKED && strcmp(ret_node->key_sha256, peer->key_sha256) == 0))
        return "this certificate was revoked: the node needs a new key and a new invitation";
    if (strcmp(ret_node->key_sha256, peer->key_sha256) != 0)
        return "this id is held by another key now";
    return NULL;
}

static const struct peer_identity *identify(struct registry *registry, struct http_exchange *exchange,
                                            bool expired_too, struct store_node *ret_node)
{
    const struct peer_identity *peer = http_peer(exchange);
    enum ev_err err = EV_OK;
    if (peer == NULL) {
        const char *problem = http_peer_problem(exchange);
        refuse_peer(exchange, NULL, 401,
                    problem == NULL ? "this call needs the node's certificate" : problem);
        return NULL;
    }
    if (http_peer_is_expired(exchange) && !expired_too) {
        refuse_peer(exchange, peer, 401, "this certificate has expired: renew it first");
        return NULL;
    }
    const char *why = why_not(registry, peer, ret_node, &err);
    if (err != EV_OK) {
        api_reply_no_database(exchange);
        return NULL;
    }
    if (why != NULL) {
        refuse_peer(exchange, peer, 403, why);
        return NULL;
    }
    return peer;
}

const struct peer_identity *api_authenticate(struct registry *registry, struct http_exchange *exchange,
                                             bool expired_too, struct store_node *ret_node)
{
    const struct peer_identity *peer = identify(registry, exchange, expired_too, ret_node);
    if (peer != NULL && ret_node->status != STORE_REGISTERED) {
        refuse_peer(exchange, peer, 403,
                    "this node is not registered any more: register it with an invitation");
        return NULL;
    }
    return peer;
}

static bool is_central(struct registry *registry, struct http_exchange *exchange)
{
    struct store_node node;
    const struct peer_identity *peer = api_authenticate(registry, exchange, false, &node);
    if (peer == NULL)
        return false;
    if (peer->role == NODE_ROLE_CENTRAL)
        return true;
    refuse_peer(exchange, peer, 403, "this call is Central's alone");
    return false;
}

/* ---- leaving ---- */

/* Deregisters or revokes, and tells the feed, in one transaction; a node that is there already stays as it
 * is. */
static enum ev_err end_node(struct registry *registry, struct store_node *node, enum store_kind kind)
{
    struct store *store = registry->store;
    bool revoke = kind == STORE_CHANGE_REVOKED;
    int64_t seq = 0;
    if (node->status == (revoke ? STORE_REVOKED : STORE_DEREGISTERED))
        return EV_OK;
    enum ev_err err = store_begin(store);
    if (err != EV_OK)
        return err;
    err = store_add_change(store, kind, wall_now_ms(), node, &seq);
    node->status = revoke ? STORE_REVOKED : STORE_DEREGISTERED;
    if (revoke)
        node->revoked_seq = seq;
    if (err == EV_OK && revoke && node->key_sha256[0] != '\0')
        err = store_bar_key(store, node->key_sha256);
    if (err == EV_OK)
        err = store_save_node(store, node);
    if (err == EV_OK)
        err = store_commit(store);
    else
        store_rollback(store);
    if (err == EV_OK)
        log_info(revoke ? "registry.revoked" : "registry.deregistered",
                 log_str("role", node_role_text(node->role)), log_str("id", node->id), log_int("seq", seq));
    return err;
}

static void reply_node(struct http_exchange *exchange, const struct store_node *node, const char *status)
{
    cJSON *tree = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(tree, "role", node_role_text(node->role));
    (void)cJSON_AddStringToObject(tree, "id", node->id);
    (void)cJSON_AddStringToObject(tree, "status", status);
    http_reply_json(exchange, 200, tree);
}

static void delete_charge_point(struct http_exchange *exchange, void *user)
{
    struct registry *registry = user;
    struct store_node own, node;
    const char *id = http_path_part(exchange, 0);
    const struct peer_identity *peer = identify(registry, exchange, false, &own);
    if (peer == NULL)
        return;
    bool central = peer->role == NODE_ROLE_CENTRAL && own.status == STORE_REGISTERED;
    if (!central && (peer->role != NODE_ROLE_CP || strcmp(peer->id, id) != 0)) {
        refuse_peer(exchange, peer, 403, "a charge point may deregister itself alone");
        return;
    }
    enum ev_err err = store_load_node(registry->store, NODE_ROLE_CP, id, &node);
    if (err == EV_ERR_NOT_FOUND) {
        http_reply_problem(exchange, 404, "no charge point of this id is registered");
        return;
    }
    if (err == EV_OK && node.status == STORE_REVOKED) {
        http_reply_problem(exchange, 409, "this charge point is revoked, which is more than deregistered");
        return;
    }
    if (err == EV_OK)
        err = end_node(registry, &node, STORE_CHANGE_DEREGISTERED);
    if (err != EV_OK)
        api_reply_no_database(exchange);
    else
        reply_node(exchange, &node, "deregistered");
}

/* {role, id} */
static enum ev_err read_revocation(const cJSON *tree, struct store_node *ret_node)
{
    char role[16];
    memset(ret_node, 0, sizeof *ret_node);
    enum ev_err err = json_get_text(tree, "role", role, sizeof role);
    if (err == EV_OK)
        err = node_role_parse(role, &ret_node->role);
    if (err == EV_OK)
        err = json_get_text(tree, "id", ret_node->id, sizeof ret_node->id);
    return err == EV_OK && (!body_id_is_good(ret_node->id) || ret_node->role == NODE_ROLE_REGISTRY)
               ? EV_ERR_RANGE
               : err;
}

static void post_revocation(struct http_exchange *exchange, void *user)
{
    struct registry *registry = user;
    struct store_node named, node;
    cJSON *tree = NULL;
    if (!is_central(registry, exchange) || (tree = api_read_json(exchange)) == NULL)
        return;
    enum ev_err err = read_revocation(tree, &named);
    cJSON_Delete(tree);
    if (err != EV_OK) {
        http_reply_problem(exchange, 422,
                           "role (cp, driver, weather or central) and id of a node are needed");
        return;
    }
    err = store_load_node(registry->store, named.role, named.id, &node);
    if (err == EV_ERR_NOT_FOUND) {
        /* Not registered here (a restored database?): the id is barred all the same. */
        node = named;
        node.status = STORE_DEREGISTERED;
        err = EV_OK;
    }
    if (err == EV_OK)
        err = end_node(registry, &node, STORE_CHANGE_REVOKED);
    if (err != EV_OK)
        api_reply_no_database(exchange);
    else
        reply_node(exchange, &node, "revoked");
}

/* ---- the feed ---- */

struct changes {
    cJSON *items;
    int64_t last_seq;
};

static void add_change(void *user, const struct store_change *change)
{
    struct changes *changes = user;
    const struct store_node *node = &change->node;
    cJSON *item = cJSON_CreateObject();
    bool cp = node->role == NODE_ROLE_CP && node->city[0] != '\0';
    (void)json_add_integer(item, "seq", change->seq);
    (void)json_add_time(item, "at", change->at_ms);
    (void)cJSON_AddStringToObject(item, "kind", change->kind);
    (void)cJSON_AddStringToObject(item, "role", node_role_text(node->role));
    (void)cJSON_AddStringToObject(item, "id", node->id);
    (void)json_add_text_or_null(item, "key_sha256", node->key_sha256);
    (void)json_add_text_or_null(item, "serial", node->serial);
    (void)json_add_time(item, "expires_at", node->expires_at_ms);
    if (cp) {
        (void)cJSON_AddStringToObject(item, "city", node->city);
        (void)cJSON_AddNumberToObject(item, "lat", node->lat);
        (void)cJSON_AddNumberToObject(item, "lon", node->lon);
        (void)json_add_integer(item, "price_cents_per_kwh", node->price_cents_per_kwh);
    } else {
        (void)cJSON_AddNullToObject(item, "city");
        (void)cJSON_AddNullToObject(item, "lat");
        (void)cJSON_AddNullToObject(item, "lon");
        (void)cJSON_AddNullToObject(item, "price_cents_per_kwh");
    }
    (void)cJSON_AddItemToArray(changes->items, item);
    changes->last_seq = change->seq;
}

/* A query's whole number; the default where it is missing. */
static enum ev_err query_integer(struct http_exchange *exchange, const char *name, int64_t min, int64_t max,
                                 int64_t *ret_value)
{
    const char *text = http_query(exchange, name);
    return text == NULL ? EV_OK : options_parse_integer(text, min, max, ret_value);
}

static void get_changes(struct http_exchange *exchange, void *user)
{
    struct registry *registry = user;
    struct changes changes = {0};
    int64_t since = 0, limit = CHANGES_LIMIT, last = 0;
    if (!is_central(registry, exchange))
        return;
    if (query_integer(exchange, "since", 0, JSON_INTEGER_MAX, &since) != EV_OK ||
        query_integer(exchange, "limit", 1, CHANGES_LIMIT_MAX, &limit) != EV_OK) {
        http_reply_problem(exchange, 400, "since must be a whole number, limit one from 1 to 1000");
        return;
    }
    enum ev_err err = store_last_seq(registry->store, &last);
    if (err == EV_OK && since > last) {
        /* Central knows more than we do: our database is an older one, so it hears everything again. */
        log_warn("registry.feed_restarts", log_int("asked", since), log_int("last", last));
        since = 0;
    }
    changes.items = cJSON_CreateArray();
    changes.last_seq = since;
    if (err == EV_OK)
        err = store_load_changes(registry->store, since, limit, add_change, &changes);
    if (err != EV_OK) {
        cJSON_Delete(changes.items);
        api_reply_no_database(exchange);
        return;
    }
    cJSON *tree = cJSON_CreateObject();
    (void)cJSON_AddItemToObject(tree, "items", changes.items);
    (void)json_add_integer(tree, "next", changes.last_seq);
    http_reply_json(exchange, 200, tree);
}

/* ---- for anyone ---- */

static void get_authority(struct http_exchange *exchange, void *user)
{
    const struct registry *registry = user;
    const char *pem = authority_pem(registry->authority);
    http_reply(exchange, 200, "application/x-pem-file", pem, strlen(pem));
}

static void get_health(struct http_exchange *exchange, void *user)
{
    struct registry *registry = user;
    int64_t seq = 0;
    if (store_last_seq(registry->store, &seq) != EV_OK) {
        api_reply_no_database(exchange);
        return;
    }
    cJSON *tree = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(tree, "status", "ok");
    (void)cJSON_AddStringToObject(tree, "version", EV_VERSION);
    (void)json_add_integer(tree, "last_seq", seq);
    http_reply_json(exchange, 200, tree);
}

void api_on_request(struct http_exchange *exchange, void *user)
{
    static const struct http_route ROUTES[] = {
        {"POST", "/charge-points", api_post_charge_points},
        {"DELETE", "/charge-points/{id}", delete_charge_point},
        {"POST", "/drivers", api_post_drivers},
        {"POST", "/services", api_post_services},
        {"POST", "/renew", api_post_renew},
        {"POST", "/revocations", post_revocation},
        {"GET", "/changes", get_changes},
        {"GET", "/ca.pem", get_authority},
        {"GET", "/healthz", get_health},
    };
    http_route(ROUTES, sizeof ROUTES / sizeof ROUTES[0], exchange, user);
}
