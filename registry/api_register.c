/* api_register.c - registering and renewing: everything that ends in a certificate. */
#include "registry/api.h"

#include "common/runtime/invitation.h"
#include "common/runtime/log.h"
#include "registry/admission.h"
#include "registry/body.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One attempt; too large for the stack's comfort, so it is allocated. */
struct attempt {
    struct registry *registry;
    struct http_exchange *exchange;
    struct body body;
    gnutls_pubkey_t key;
    bool pinned_here; /* the code's second half is of this authority */
    uint8_t secret_hash[STORE_HASH_SIZE];
    struct store_invitation invitation;
    struct store_node before; /* what is registered under this id */
    struct admission_facts facts;
};

static void log_refusal(const struct attempt *attempt, const char *reason)
{
    log_warn("registry.refused", log_str("address", http_peer_address(attempt->exchange)),
             log_str("role", node_role_text(attempt->body.node.role)), log_str("id", attempt->body.node.id),
             log_str("reason", reason));
}

/* ---- certificates ---- */

static enum ev_err issue(const struct registry *registry, const struct store_node *node, gnutls_pubkey_t key,
                         struct authority_certificate *ret_certificate, struct failure *ret_failure)
{
    char text[STORE_HOSTS_SIZE];
    const char *hosts[AUTHORITY_HOSTS_MAX];
    (void)snprintf(text, sizeof text, "%s", node->hosts);
    struct authority_subject subject = {.role = node->role,
                                        .id = node->id,
                                        .hosts = hosts,
                                        .host_count = body_split_hosts(text, hosts),
                                        .valid_ms = registry->certificate_ms};
    return authority_issue(registry->authority, key, &subject, ret_certificate, ret_failure);
}

/* Inside the caller's transaction: the node as it is now, and a change that says so. */
static enum ev_err record(const struct registry *registry, enum store_kind kind, struct store_node *node,
                          const struct authority_certificate *certificate)
{
    int64_t seq = 0;
    (void)snprintf(node->serial, sizeof node->serial, "%s", certificate->serial);
    node->expires_at_ms = certificate->expires_at_ms;
    node->status = STORE_REGISTERED;
    enum ev_err err = store_save_node(registry->store, node);
    if (err == EV_OK)
        err = store_add_change(registry->store, kind, wall_now_ms(), node, &seq);
    if (err == EV_OK)
        log_info(kind == STORE_CHANGE_RENEWED ? "registry.renewed" : "registry.registered",
                 log_str("role", node_role_text(node->role)), log_str("id", node->id),
                 log_str("serial", node->serial), log_int("seq", seq));
    return err;
}

/* ---- registering ---- */

static void parse_invitation(struct attempt *attempt)
{
    struct invitation code;
    uint8_t pin[TLS_PIN_SIZE];
    if (invitation_parse(attempt->body.invitation, &code) == EV_OK) {
        authority_pin(attempt->registry->authority, pin);
        attempt->pinned_here = sodium_memcmp(pin, code.pin, sizeof pin) == 0;
        (void)crypto_hash_sha256(attempt->secret_hash, code.secret, sizeof code.secret);
        sodium_memzero(&code, sizeof code);
    }
    sodium_memzero(attempt->body.invitation, sizeof attempt->body.invitation);
}

static enum ev_err gather_invitation(struct attempt *attempt)
{
    struct admission_facts *facts = &attempt->facts;
    if (!attempt->pinned_here)
        return EV_OK;
    enum ev_err err =
        store_load_invitation(attempt->registry->store, attempt->secret_hash, &attempt->invitation);
    if (err == EV_ERR_NOT_FOUND)
        return EV_OK;
    if (err != EV_OK)
        return err;
    facts->invitation_known = true;
    facts->invitation_role_fits = attempt->invitation.role == attempt->body.node.role;
    facts->invitation_expired = attempt->invitation.expires_at_ms <= wall_now_ms();
    facts->invitation_uses_left = attempt->invitation.uses_left;
    facts->invitation_after_seq = attempt->invitation.made_after_seq;
    return store_is_spent_on(attempt->registry->store, attempt->secret_hash, &attempt->body.node,
                             &facts->invitation_spent_here);
}

static enum ev_err gather_node(struct attempt *attempt)
{
    static const enum admission_node NODE[] = {[STORE_REGISTERED] = ADMISSION_NODE_REGISTERED,
                                               [STORE_DEREGISTERED] = ADMISSION_NODE_GONE,
                                               [STORE_REVOKED] = ADMISSION_NODE_REVOKED};
    struct store *store = attempt->registry->store;
    const struct store_node *node = &attempt->body.node;
    struct admission_facts *facts = &attempt->facts;
    enum ev_err err = store_load_node(store, node->role, node->id, &attempt->before);
    if (err == EV_OK) {
        facts->node = NODE[attempt->before.status];
        facts->node_key_same = strcmp(attempt->before.key_sha256, node->key_sha256) == 0;
        facts->node_revoked_seq = attempt->before.revoked_seq;
    } else if (err != EV_ERR_NOT_FOUND) {
        return err;
    }
    err = store_is_key_barred(store, node->key_sha256, &facts->key_barred);
    return err == EV_OK ? store_is_key_held(store, node, &facts->key_held_there) : err;
}

static void refuse(struct attempt *attempt, enum admission_verdict verdict)
{
    int retry_s = 0;
    char text[16];
    if (admission_is_bad_invitation(verdict) &&
        guesses_add(&attempt->registry->guesses, http_peer_address(attempt->exchange),
                    loop_now_ms(attempt->registry->loop), &retry_s)) {
        (void)snprintf(text, sizeof text, "%d", retry_s);
        http_reply_header(attempt->exchange, "Retry-After", text);
        http_reply_problem(attempt->exchange, 429,
                           "too many invitations that do not hold came from this address: wait");
        return;
    }
    log_refusal(attempt, admission_text(verdict));
    http_reply_problem(attempt->exchange, admission_status(verdict), admission_text(verdict));
}

/* Inside the transaction. A node that is the same once more keeps what it said the first time. */
static enum ev_err admit(struct attempt *attempt, enum admission_verdict verdict,
                         struct authority_certificate *ret_certificate, struct failure *ret_failure)
{
    struct store *store = attempt->registry->store;
    struct store_node *node = verdict == ADMISSION_AGAIN ? &attempt->before : &attempt->body.node;
    enum ev_err err = issue(attempt->registry, node, attempt->key, ret_certificate, ret_failure);
    if (err == EV_OK && verdict == ADMISSION_NEW) {
        node->revoked_seq = attempt->before.revoked_seq;
        err = store_spend(store, attempt->secret_hash, node);
    }
    if (err == EV_OK)
        err = record(attempt->registry,
                     verdict == ADMISSION_AGAIN ? STORE_CHANGE_RENEWED : STORE_CHANGE_REGISTERED, node,
                     ret_certificate);
    return err;
}

static void decide(struct attempt *attempt)
{
    struct store *store = attempt->registry->store;
    struct authority_certificate certificate = {0};
    struct failure failure = {{0}};
    enum admission_verdict verdict = ADMISSION_UNKNOWN_INVITATION;
    enum ev_err err = store_begin(store);
    if (err != EV_OK) {
        api_reply_no_database(attempt->exchange);
        return;
    }
    err = gather_invitation(attempt);
    if (err == EV_OK)
        err = gather_node(attempt);
    if (err == EV_OK)
        verdict = admission_decide(&attempt->facts);
    bool admitted = err == EV_OK && (verdict == ADMISSION_NEW || verdict == ADMISSION_AGAIN);
    if (admitted)
        err = admit(attempt, verdict, &certificate, &failure);
    if (admitted && err == EV_OK)
        err = store_commit(store);
    else
        store_rollback(store);
    if (err == EV_ERR_DB) {
        api_reply_no_database(attempt->exchange);
    } else if (err != EV_OK) {
        log_refusal(attempt, failure.text);
        http_reply_problem(attempt->exchange, 422, failure.text);
    } else if (!admitted) {
        refuse(attempt, verdict);
    } else {
        api_reply_certificate(attempt->registry, attempt->exchange, &certificate);
    }
    authority_certificate_fini(&certificate);
}

static void post_node(struct http_exchange *exchange, struct registry *registry, enum node_role role)
{
    struct failure failure = {{0}};
    cJSON *tree = api_read_json(exchange);
    if (tree == NULL)
        return;
    struct attempt *attempt = calloc(1, sizeof *attempt);
    EV_ASSERT(attempt != NULL);
    attempt->registry = registry;
    attempt->exchange = exchange;
    enum ev_err err = body_parse_registration(tree, role, &attempt->body, &failure);
    cJSON_Delete(tree);
    if (err == EV_OK)
        err =
            authority_read_request(attempt->body.csr, &attempt->key, attempt->body.node.key_sha256, &failure);
    if (err == EV_OK) {
        parse_invitation(attempt);
        decide(attempt);
    } else {
        log_refusal(attempt, failure.text);
        http_reply_problem(exchange, 422, failure.text);
    }
    if (attempt->key != NULL)
        gnutls_pubkey_deinit(attempt->key);
    sodium_memzero(&attempt->body, sizeof attempt->body);
    free(attempt);
}

void api_post_charge_points(struct http_exchange *exchange, void *user)
{
    post_node(exchange, user, NODE_ROLE_CP);
}

void api_post_drivers(struct http_exchange *exchange, void *user)
{
    post_node(exchange, user, NODE_ROLE_DRIVER);
}

void api_post_services(struct http_exchange *exchange, void *user)
{
    post_node(exchange, user, NODE_ROLE_NONE);
}

/* ---- renewing ---- */

static enum ev_err read_renewal(struct http_exchange *exchange, const cJSON *tree, struct store_node *node,
                                gnutls_pubkey_t *ret_key, struct failure *ret_failure)
{
    char *csr = calloc(1, AUTHORITY_REQUEST_MAX);
    char key_sha256[TLS_SHA256_HEX];
    EV_ASSERT(csr != NULL);
    enum ev_err err = body_parse_renewal(tree, csr, node, ret_failure);
    if (err == EV_OK)
        err = authority_read_request(csr, ret_key, key_sha256, ret_failure);
    if (err == EV_OK && strcmp(key_sha256, node->key_sha256) != 0)
        err = failure_set(ret_failure, EV_ERR_AUTH,
                          "csr is of another key: a new key needs a new registration, with an invitation");
    if (err != EV_OK)
        log_warn("registry.refused", log_str("address", http_peer_address(exchange)),
                 log_str("role", node_role_text(node->role)), log_str("id", node->id),
                 log_str("reason", ret_failure->text));
    free(csr);
    return err;
}

void api_post_renew(struct http_exchange *exchange, void *user)
{
    struct registry *registry = user;
    struct store_node node;
    struct authority_certificate certificate = {0};
    struct failure failure = {{0}};
    gnutls_pubkey_t key = NULL;
    cJSON *tree = NULL;
    if (api_authenticate(registry, exchange, true, &node) == NULL || (tree = api_read_json(exchange)) == NULL)
        return;
    enum ev_err err = read_renewal(exchange, tree, &node, &key, &failure);
    cJSON_Delete(tree);
    if (err == EV_OK)
        err = issue(registry, &node, key, &certificate, &failure);
    if (err != EV_OK) {
        http_reply_problem(exchange, err == EV_ERR_AUTH ? 409 : 422, failure.text);
        goto out;
    }
    err = store_begin(registry->store);
    if (err == EV_OK)
        err = record(registry, STORE_CHANGE_RENEWED, &node, &certificate);
    if (err == EV_OK)
        err = store_commit(registry->store);
    else
        store_rollback(registry->store);
    if (err != EV_OK)
        api_reply_no_database(exchange);
    else
        api_reply_certificate(registry, exchange, &certificate);
out:
    if (key != NULL)
        gnutls_pubkey_deinit(key);
    authority_certificate_fini(&certificate);
}
