/* identity.c - the keeper: enrol, renew, tell. Keys and requests are in identity_key.c. */
#include "common/runtime/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/runtime/backoff.h"
#include "common/runtime/connection.h"
#include "common/runtime/identity_key.h"
#include "common/runtime/invitation.h"
#include "common/runtime/limits.h"
#include "common/runtime/state_dir.h"
#include "common/wire/json.h"

#define CHECK_RENEWAL_MS 30000                     /* also finds a half-life that a sleeping laptop missed */
#define BACKDATED_MS (INT64_C(2) * 60 * 60 * 1000) /* Registry: from 2 h back */
#define PATH_SIZE 4300
#define SPELLINGS 16 /* of one path; libcurl's idle connections are gone long before one returns */
#define BODY_MAX 8192

struct identity {
    struct identity_config config; /* texts owned */
    char key_path[PATH_SIZE], certificate_path[PATH_SIZE], authority_path[PATH_SIZE];
    char key_sha256[TLS_SHA256_HEX];
    int64_t from_ms, expires_at_ms; /* of the certificate, 0 none */
    bool enrolled, started, busy;
    unsigned keys_made;                  /* by this process */
    bool refused;                        /* for good: nothing more is tried until identity_enrol */
    struct tls_credentials *credentials; /* made at the first asking */
    struct loop_timer *retry, *renewal;
    struct backoff backoff;
    struct connection *probe; /* pinned handshake that brings the authority's certificate */
    struct http_call *call;
    void (*deregister_done)(void *user, bool ok, const char *text);
    void *deregister_user;
};

static void step(struct identity *identity);

/* ---- what is on disk ---- */

static enum ev_err read_text(const char *path, char **ret_text, struct failure *ret_failure)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum ev_err err = state_file_read(path, &bytes, &length, ret_failure);
    if (err == EV_OK)
        *ret_text = (char *)bytes; /* a zero byte follows */
    return err;
}

static void free_text(char *text)
{
    state_dir_bytes_free((uint8_t *)text, text == NULL ? 0 : strlen(text));
}

static enum ev_err read_certificate_times(const char *pem, int64_t *ret_from_ms, int64_t *ret_expires_ms)
{
    gnutls_x509_crt_t certificate = NULL;
    gnutls_datum_t datum = {.data = (unsigned char *)(uintptr_t)pem, .size = (unsigned)strlen(pem)};
    enum ev_err err = EV_ERR_PARSE;
    if (gnutls_x509_crt_init(&certificate) >= 0 &&
        gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM) >= 0) {
        *ret_from_ms = (int64_t)gnutls_x509_crt_get_activation_time(certificate) * 1000;
        *ret_expires_ms = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * 1000;
        err = EV_OK;
    }
    if (certificate != NULL)
        gnutls_x509_crt_deinit(certificate);
    return err;
}

/* A certificate counts only with its key and its authority. */
static void load_certificate(struct identity *identity)
{
    char *pem = NULL;
    struct peer_identity own;
    identity->enrolled = false;
    if (access(identity->authority_path, R_OK) == 0 &&
        read_text(identity->certificate_path, &pem, NULL) == EV_OK &&
        tls_parse_identity_pem(pem, &own) == EV_OK && own.role == identity->config.role &&
        strcmp(own.id, identity->config.id) == 0 && strcmp(own.key_sha256, identity->key_sha256) == 0 &&
        read_certificate_times(pem, &identity->from_ms, &identity->expires_at_ms) == EV_OK)
        identity->enrolled = true;
    free_text(pem);
}

static enum ev_err load_key(struct identity *identity, bool fresh, struct failure *ret_failure)
{
    gnutls_x509_privkey_t key = NULL;
    enum ev_err err = EV_OK;
    if (fresh || access(identity->key_path, F_OK) != 0)
        err = identity_key_generate(identity->key_path, ret_failure);
    if (err == EV_OK)
        err = identity_key_load(identity->key_path, &key, ret_failure);
    if (err == EV_OK)
        err = identity_key_hash(key, identity->key_sha256);
    if (key != NULL)
        gnutls_x509_privkey_deinit(key);
    return err;
}

/* libcurl keeps connections and tells them apart by the path of the certificate, not by what is in it: one
 * made with a key of before would go on speaking for it. So each new key has another spelling of the same
 * path. */
static void spell_certificate_path(struct identity *identity)
{
    char dots[2 * SPELLINGS + 1] = "";
    for (unsigned i = 0; i < identity->keys_made % SPELLINGS; i++)
        memcpy(dots + 2 * (size_t)i, "./", 3);
    (void)snprintf(identity->certificate_path, PATH_SIZE, "%s/%scertificate.pem", identity->config.directory,
                   dots);
}

static void forget_certificate(struct identity *identity)
{
    (void)unlink(identity->certificate_path);
    identity->enrolled = false;
    identity->from_ms = identity->expires_at_ms = 0;
    tls_credentials_free(identity->credentials);
    identity->credentials = NULL;
}

/* ---- telling, and trying again ---- */

static void tell_problem(struct identity *identity, const char *text, bool final)
{
    identity->busy = false;
    identity->refused = final;
    if (!final)
        loop_timer_start(identity->retry, backoff_next_ms(&identity->backoff));
    if (identity->config.on_problem != NULL)
        identity->config.on_problem(identity->config.user, text, final);
}

static void reload_credentials(struct identity *identity)
{
    char *certificate = NULL, *key = NULL, *authority = NULL;
    if (identity->credentials != NULL && read_text(identity->certificate_path, &certificate, NULL) == EV_OK &&
        read_text(identity->key_path, &key, NULL) == EV_OK &&
        read_text(identity->authority_path, &authority, NULL) == EV_OK)
        (void)!tls_credentials_reload(identity->credentials, certificate, key, authority, NULL);
    free_text(certificate);
    free_text(key);
    free_text(authority);
}

/* ---- registering and renewing ---- */

static enum ev_err store_answer(struct identity *identity, const struct http_response *response)
{
    cJSON *tree = NULL;
    char certificate[8192], authority[8192];
    struct peer_identity own;
    enum ev_err err = json_parse(response->body, response->body_len, HTTP_CLIENT_RESPONSE_MAX, &tree);
    if (err == EV_OK)
        err = json_get_text(tree, "certificate", certificate, sizeof certificate);
    if (err == EV_OK)
        err = json_get_text(tree, "authority", authority, sizeof authority);
    if (err == EV_OK)
        err = tls_parse_identity_pem(certificate, &own);
    if (err == EV_OK && (strcmp(own.key_sha256, identity->key_sha256) != 0 ||
                         own.role != identity->config.role || strcmp(own.id, identity->config.id) != 0))
        err = EV_ERR_AUTH;
    /* The authority stays the pinned one; what the answer says of it is not needed. */
    if (err == EV_OK)
        err =
            state_file_write_atomic(identity->certificate_path, certificate, strlen(certificate), 0600, NULL);
    cJSON_Delete(tree);
    return err;
}

/* Refusals that no repetition mends. */
static bool is_final(int status)
{
    return status == 400 || status == 403 || status == 404 || status == 409 || status == 410 || status == 422;
}

static void on_answer(void *user, const struct http_response *response)
{
    struct identity *identity = user;
    struct failure text;
    char message[FAILURE_TEXT_MAX + 64];
    bool renewed = identity->enrolled;
    identity->call = NULL;
    if (response->err != EV_OK || response->status != 201) {
        http_problem_text(response, &text);
        bool final = response->err == EV_OK && is_final(response->status);
        (void)snprintf(message, sizeof message,
                       response->err == EV_OK ? "Registry refuses: %s" : "Registry cannot be reached: %s",
                       text.text);
        tell_problem(identity, message, final);
        return;
    }
    if (store_answer(identity, response) != EV_OK) {
        tell_problem(identity, "Registry's answer holds no usable certificate", false);
        return;
    }
    identity->busy = false;
    backoff_reset(&identity->backoff);
    load_certificate(identity);
    reload_credentials(identity);
    if (identity->config.on_certificate != NULL)
        identity->config.on_certificate(identity->config.user, renewed);
}

static const char *registration_path(enum node_role role)
{
    if (role == NODE_ROLE_CP)
        return "/charge-points";
    return role == NODE_ROLE_DRIVER ? "/drivers" : "/services";
}

/* {"csr":...,"id":...,"invitation":...,EXTRA} */
static enum ev_err write_body(const struct identity *identity, const char *csr, bool renewal, char *buffer,
                              size_t capacity, size_t *ret_len)
{
    struct json_writer writer;
    json_writer_init(&writer, buffer, capacity);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "csr", csr);
    if (!renewal) {
        json_write_text(&writer, "id", identity->config.id);
        json_write_text(&writer, "invitation", identity->config.invitation);
    }
    if (identity->config.role == NODE_ROLE_WEATHER || identity->config.role == NODE_ROLE_CENTRAL)
        json_write_text(&writer, "role", node_role_text(identity->config.role));
    json_write_object_end(&writer);
    enum ev_err err = json_writer_finish(&writer, ret_len);
    bool extra =
        identity->config.extra_members != NULL && (!renewal || identity->config.role == NODE_ROLE_CENTRAL);
    if (err == EV_OK && extra) {
        int more =
            snprintf(buffer + *ret_len - 1, capacity - *ret_len + 1, ",%s}", identity->config.extra_members);
        if (more < 0 || (size_t)more >= capacity - *ret_len + 1)
            return EV_ERR_TOO_LARGE;
        *ret_len = *ret_len - 1 + (size_t)more;
    }
    return err;
}

static void send_request(struct identity *identity, bool renewal)
{
    char body[BODY_MAX], url[512], csr_text[4096];
    gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t csr = {0};
    size_t length = 0;
    struct http_request request = {
        .method = "POST", .url = url, .body = body, .authority_path = identity->authority_path};
    enum ev_err err = identity_key_load(identity->key_path, &key, NULL);
    if (err == EV_OK)
        err = identity_key_request(key, identity->config.role, identity->config.id, &csr);
    if (err == EV_OK) {
        (void)snprintf(csr_text, sizeof csr_text, "%.*s", (int)csr.size, (const char *)csr.data);
        err = write_body(identity, csr_text, renewal, body, sizeof body, &length);
    }
    if (err == EV_OK) {
        request.body_len = length;
        (void)snprintf(url, sizeof url, "%s%s", identity->config.registry_url,
                       renewal ? "/renew" : registration_path(identity->config.role));
        if (renewal) {
            request.certificate_path = identity->certificate_path;
            request.key_path = identity->key_path;
        }
        err = http_client_send(identity->config.http_client, &request, on_answer, identity, &identity->call);
    }
    gnutls_free(csr.data);
    if (key != NULL)
        gnutls_x509_privkey_deinit(key);
    sodium_memzero(body, sizeof body); /* the invitation */
    if (err != EV_OK)
        tell_problem(identity, "cannot make the certificate request", false);
}

/* ---- the pinned handshake ---- */

static void on_probe_ready(struct connection *connection, void *user)
{
    struct identity *identity = user;
    const char *root = connection_peer_root_pem(connection);
    struct failure failure;
    enum ev_err err =
        root == NULL ? EV_ERR_AUTH
                     : state_file_write_atomic(identity->authority_path, root, strlen(root), 0600, &failure);
    identity->probe = NULL;
    connection_free(connection);
    if (err != EV_OK) {
        tell_problem(identity, root == NULL ? "Registry did not present its authority" : failure.text, false);
        return;
    }
    send_request(identity, false);
}

static void on_probe_closed(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct identity *identity = user;
    char message[FAILURE_TEXT_MAX + 128];
    (void)connection;
    identity->probe = NULL;
    (void)snprintf(message, sizeof message,
                   err == EV_ERR_AUTH ? "Registry is not the one that the invitation was made by: %s"
                                      : "Registry cannot be reached: %s",
                   text);
    tell_problem(identity, message, false);
}

/* "https://host:port" */
static enum ev_err registry_address(const char *url, struct host_port *ret_address)
{
    static const char SCHEME[] = "https://";
    char authority[300];
    if (strncmp(url, SCHEME, sizeof SCHEME - 1) != 0)
        return EV_ERR_PARSE;
    (void)snprintf(authority, sizeof authority, "%s", url + sizeof SCHEME - 1);
    authority[strcspn(authority, "/")] = '\0';
    return host_port_parse(authority, ret_address);
}

static void start_probe(struct identity *identity)
{
    static const struct connection_callbacks CALLBACKS = {.on_ready = on_probe_ready,
                                                          .on_closed = on_probe_closed};
    struct invitation invitation;
    struct connection_target target = {0};
    struct failure failure = {.text = "out of memory"};
    if (identity->config.invitation == NULL ||
        invitation_parse(identity->config.invitation, &invitation) != EV_OK) {
        tell_problem(identity, "that is no invitation code: get one with `ev_registry invite`", true);
        return;
    }
    enum ev_err err = registry_address(identity->config.registry_url, &target.address);
    if (err == EV_OK)
        err = tls_credentials_new_pinned(invitation.pin, &target.credentials, &failure);
    if (err == EV_OK)
        err = connection_connect(identity->config.loop, &target, &CALLBACKS, identity, &identity->probe);
    tls_credentials_free(target.credentials);
    if (err == EV_ERR_PARSE)
        tell_problem(identity, "--registry must be a URL like https://127.0.0.1:8444", true);
    else if (err != EV_OK)
        tell_problem(identity, failure.text, false);
}

/* ---- the keeper ---- */

static bool is_due(const struct identity *identity)
{
    /* Certificates begin BACKDATED_MS before they were issued, for clocks that are behind. */
    int64_t issued_ms = identity->from_ms + BACKDATED_MS;
    return wall_now_ms() >= issued_ms + (identity->expires_at_ms - issued_ms) / 2;
}

static void step(struct identity *identity)
{
    if (!identity->started || identity->busy || identity->refused)
        return;
    if (identity->enrolled && !is_due(identity))
        return;
    if (!identity->enrolled && identity->config.invitation == NULL)
        return;
    identity->busy = true;
    loop_timer_stop(identity->retry);
    if (identity->enrolled)
        send_request(identity, true);
    else
        start_probe(identity);
}

static void on_timer(void *user)
{
    step(user);
}

static void on_renewal_check(void *user)
{
    struct identity *identity = user;
    if (!loop_timer_is_running(identity->retry))
        step(identity);
}

void identity_start(struct identity *identity)
{
    identity->started = true;
    loop_timer_repeat(identity->renewal, CHECK_RENEWAL_MS);
    /* From the loop, so that a caller has its pointers in place before anything is told. */
    if (!identity->busy)
        loop_timer_start(identity->retry, 0);
}

enum ev_err identity_enrol(struct identity *identity, const char *invitation, bool new_key,
                           struct failure *ret_failure)
{
    struct invitation parsed;
    if (invitation != NULL) {
        if (invitation_parse(invitation, &parsed) != EV_OK)
            return failure_set(ret_failure, EV_ERR_PARSE,
                               "that is no invitation code: get one with `ev_registry invite`");
        char *copy = strdup(invitation);
        EV_ASSERT(copy != NULL);
        free((char *)(uintptr_t)identity->config.invitation);
        identity->config.invitation = copy;
    }
    if (identity->config.invitation == NULL)
        return failure_set(ret_failure, EV_ERR_STATE,
                           "an invitation is needed: get one with `ev_registry invite`");
    if (identity->probe != NULL)
        connection_free(identity->probe);
    if (identity->call != NULL)
        http_client_cancel(identity->call);
    identity->probe = NULL;
    identity->call = NULL;
    identity->busy = identity->refused = false;
    if (new_key) {
        enum ev_err err = load_key(identity, true, ret_failure);
        if (err != EV_OK)
            return err;
    }
    forget_certificate(identity);
    if (new_key) {
        identity->keys_made++;
        spell_certificate_path(identity);
    }
    backoff_reset(&identity->backoff);
    identity_start(identity);
    return EV_OK;
}

static void on_deregistered(void *user, const struct http_response *response)
{
    struct identity *identity = user;
    struct failure text;
    identity->call = NULL;
    identity->busy = false;
    bool ok = response->err == EV_OK &&
              (response->status == 200 || response->status == 204 || response->status == 404);
    if (ok)
        forget_certificate(identity);
    else
        http_problem_text(response, &text);
    identity->deregister_done(identity->deregister_user, ok, ok ? "" : text.text);
}

enum ev_err identity_deregister(struct identity *identity,
                                void (*done)(void *user, bool ok, const char *text), void *user)
{
    char url[512];
    struct http_request request = {.method = "DELETE", .url = url};
    if (!identity->enrolled || identity->busy)
        return EV_ERR_STATE;
    identity->deregister_done = done;
    identity->deregister_user = user;
    (void)snprintf(url, sizeof url, "%s/charge-points/%s", identity->config.registry_url,
                   identity->config.id);
    identity_fill_request(identity, &request);
    enum ev_err err =
        http_client_send(identity->config.http_client, &request, on_deregistered, identity, &identity->call);
    identity->busy = err == EV_OK;
    return err;
}

/* ---- life and reading ---- */

static char *copy_text(const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    EV_ASSERT(copy != NULL);
    return copy;
}

enum ev_err identity_open(const struct identity_config *config, struct identity **ret_identity,
                          struct failure *ret_failure)
{
    struct identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL)
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    identity->config = *config;
    identity->config.directory = copy_text(config->directory);
    identity->config.id = copy_text(config->id);
    identity->config.registry_url = copy_text(config->registry_url);
    identity->config.invitation = copy_text(config->invitation);
    identity->config.extra_members = copy_text(config->extra_members);
    (void)snprintf(identity->key_path, PATH_SIZE, "%s/key.pem", config->directory);
    spell_certificate_path(identity);
    (void)snprintf(identity->authority_path, PATH_SIZE, "%s/authority.pem", config->directory);
    backoff_init(&identity->backoff, 500, 15000);
    enum ev_err err = load_key(identity, false, ret_failure);
    if (err == EV_OK &&
        (loop_timer_new(config->loop, on_timer, identity, &identity->retry) != EV_OK ||
         loop_timer_new(config->loop, on_renewal_check, identity, &identity->renewal) != EV_OK))
        err = failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    if (err != EV_OK) {
        identity_free(identity);
        return err;
    }
    load_certificate(identity);
    *ret_identity = identity;
    return EV_OK;
}

void identity_free(struct identity *identity)
{
    if (identity == NULL)
        return;
    if (identity->probe != NULL)
        connection_free(identity->probe);
    if (identity->call != NULL)
        http_client_cancel(identity->call);
    if (identity->retry != NULL)
        loop_timer_free(identity->retry);
    if (identity->renewal != NULL)
        loop_timer_free(identity->renewal);
    tls_credentials_free(identity->credentials);
    free((char *)(uintptr_t)identity->config.directory);
    free((char *)(uintptr_t)identity->config.id);
    free((char *)(uintptr_t)identity->config.registry_url);
    free((char *)(uintptr_t)identity->config.invitation);
    free((char *)(uintptr_t)identity->config.extra_members);
    free(identity);
}

bool identity_is_enrolled(const struct identity *identity)
{
    return identity->enrolled;
}

bool identity_can_start(const struct identity *identity)
{
    return identity->enrolled || identity->config.invitation != NULL;
}

int64_t identity_expires_at_ms(const struct identity *identity)
{
    return identity->expires_at_ms;
}

const char *identity_key_sha256(const struct identity *identity)
{
    return identity->key_sha256;
}

const char *identity_certificate_path(const struct identity *identity)
{
    return identity->certificate_path;
}

const char *identity_key_path(const struct identity *identity)
{
    return identity->key_path;
}

const char *identity_authority_path(const struct identity *identity)
{
    return identity->authority_path;
}

enum ev_err identity_credentials(struct identity *identity, struct tls_credentials **ret_credentials,
                                 struct failure *ret_failure)
{
    char *certificate = NULL, *key = NULL, *authority = NULL;
    enum ev_err err = EV_OK;
    if (!identity->enrolled)
        return failure_set(ret_failure, EV_ERR_STATE, "not registered yet");
    if (identity->credentials == NULL) {
        err = read_text(identity->certificate_path, &certificate, ret_failure);
        if (err == EV_OK)
            err = read_text(identity->key_path, &key, ret_failure);
        if (err == EV_OK)
            err = read_text(identity->authority_path, &authority, ret_failure);
        if (err == EV_OK)
            err = tls_credentials_new(certificate, key, authority, &identity->credentials, ret_failure);
    }
    if (err == EV_OK)
        *ret_credentials = tls_credentials_ref(identity->credentials);
    free_text(certificate);
    free_text(key);
    free_text(authority);
    return err;
}

void identity_fill_request(const struct identity *identity, struct http_request *request)
{
    request->authority_path = identity->authority_path;
    if (identity->enrolled) {
        request->certificate_path = identity->certificate_path;
        request->key_path = identity->key_path;
    }
}
