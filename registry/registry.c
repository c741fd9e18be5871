#include "registry/registry.h"

#include "common/runtime/identity_key.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "registry/api.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_FILE "key.pem" /* of its own HTTPS, not the authority's */
#define RENEWAL_CHECK_MAX_MS 30000
#define RENEWAL_CHECK_MIN_MS 200
#define RENEWABLE_MS                                                                                         \
    (INT64_C(90) * 24 * 60 * 60 * 1000) /* how long an expired certificate may renew itself */
#define OWN_ID "registry"

/* ---- its own certificate ---- */

struct own_credential {
    char *chain_pem; /* certificate, then the root, which clients with an invitation pin */
    char *key_pem;
    size_t key_len;
    int64_t expires_at_ms;
};

static void own_fini(struct own_credential *own)
{
    free(own->chain_pem);
    state_dir_bytes_free((uint8_t *)own->key_pem, own->key_len);
}

static enum ev_err load_own_key(const struct registry *registry, gnutls_pubkey_t *ret_key,
                                struct own_credential *own, struct failure *ret_failure)
{
    char path[4300];
    gnutls_x509_privkey_t key = NULL;
    gnutls_privkey_t private_key = NULL;
    gnutls_pubkey_t public_key = NULL;
    uint8_t *bytes = NULL;
    enum ev_err err = state_dir_file_path(registry->dir, KEY_FILE, path, sizeof path);
    if (err == EV_OK && access(path, F_OK) != 0)
        err = identity_key_generate(path, ret_failure);
    if (err == EV_OK)
        err = identity_key_load(path, &key, ret_failure);
    if (err == EV_OK)
        err = state_dir_read(registry->dir, KEY_FILE, &bytes, &own->key_len, ret_failure);
    if (err == EV_OK) {
        own->key_pem = (char *)bytes;
        if (gnutls_privkey_init(&private_key) < 0 || gnutls_pubkey_init(&public_key) < 0 ||
            gnutls_privkey_import_x509(private_key, key, 0) < 0 ||
            gnutls_pubkey_import_privkey(public_key, private_key, 0, 0) < 0)
            err = failure_set(ret_failure, EV_ERR_CRYPTO, "%s is not a usable private key", path);
    }
    if (err == EV_OK) {
        *ret_key = public_key;
        public_key = NULL;
    }
    if (public_key != NULL)
        gnutls_pubkey_deinit(public_key);
    if (private_key != NULL)
        gnutls_privkey_deinit(private_key);
    if (key != NULL)
        gnutls_x509_privkey_deinit(key);
    return err;
}

/* localhost, the address it listens on unless that is every address, and --public-host. */
static size_t own_hosts(const struct registry *registry, const char *ret_hosts[AUTHORITY_HOSTS_MAX])
{
    static const char *const LOCAL[] = {"localhost", "127.0.0.1", "::1"};
    const char *listening = registry->https.host;
    size_t count = 0;
    for (size_t i = 0; i < sizeof LOCAL / sizeof LOCAL[0]; i++)
        ret_hosts[count++] = LOCAL[i];
    if (strcmp(listening, "0.0.0.0") != 0 && strcmp(listening, "::") != 0 &&
        authority_host_is_good(listening))
        ret_hosts[count++] = listening;
    for (size_t i = 0; i < registry->host_count && count < AUTHORITY_HOSTS_MAX; i++)
        ret_hosts[count++] = registry->hosts[i];
    return count;
}

static enum ev_err issue_own(struct registry *registry, struct own_credential *ret_own,
                             struct failure *ret_failure)
{
    const char *hosts[AUTHORITY_HOSTS_MAX];
    struct authority_subject subject = {
        .role = NODE_ROLE_REGISTRY, .id = OWN_ID, .hosts = hosts, .valid_ms = registry->certificate_ms};
    struct authority_certificate certificate = {0};
    gnutls_pubkey_t key = NULL;
    subject.host_count = own_hosts(registry, hosts);
    enum ev_err err = load_own_key(registry, &key, ret_own, ret_failure);
    if (err == EV_OK)
        err = authority_issue(registry->authority, key, &subject, &certificate, ret_failure);
    if (err == EV_OK) {
        const char *root = authority_pem(registry->authority);
        size_t size = strlen(certificate.pem) + strlen(root) + 1;
        ret_own->chain_pem = malloc(size);
        EV_ASSERT(ret_own->chain_pem != NULL);
        (void)snprintf(ret_own->chain_pem, size, "%s%s", certificate.pem, root);
        ret_own->expires_at_ms = certificate.expires_at_ms;
        registry->renew_at_ms = certificate.expires_at_ms - registry->certificate_ms / 2;
    }
    authority_certificate_fini(&certificate);
    if (key != NULL)
        gnutls_pubkey_deinit(key);
    return err;
}

/* Often enough for certificates of minutes, as in tests and demonstrations. */
static int64_t renewal_check_ms(const struct registry *registry)
{
    int64_t ms = registry->certificate_ms / 8;
    if (ms > RENEWAL_CHECK_MAX_MS)
        return RENEWAL_CHECK_MAX_MS;
    return ms < RENEWAL_CHECK_MIN_MS ? RENEWAL_CHECK_MIN_MS : ms;
}

static void on_renewal_check(void *user)
{
    struct registry *registry = user;
    struct own_credential own = {0};
    struct failure failure = {{0}};
    if (wall_now_ms() < registry->renew_at_ms)
        return;
    enum ev_err err = issue_own(registry, &own, &failure);
    if (err == EV_OK)
        err = http_server_reload(registry->server, own.chain_pem, own.key_pem, &failure);
    if (err == EV_OK)
        log_info("registry.own_certificate_renewed", log_int("expires_at_ms", own.expires_at_ms));
    else
        log_error("registry.own_certificate_failed", log_str("reason", failure.text));
    own_fini(&own);
}

/* ---- life ---- */

static enum ev_err listen_https(struct registry *registry, struct failure *ret_failure)
{
    const char *hosts[AUTHORITY_HOSTS_MAX + 1] = {NULL};
    struct own_credential own = {0};
    struct http_server_config config = {.address = registry->https,
                                        .authority_pem = authority_pem(registry->authority),
                                        .expired_for_ms = RENEWABLE_MS,
                                        .hosts = hosts,
                                        .handler = api_on_request,
                                        .user = registry};
    (void)own_hosts(registry, hosts);
    enum ev_err err = issue_own(registry, &own, ret_failure);
    if (err == EV_OK) {
        config.certificate_pem = own.chain_pem;
        config.key_pem = own.key_pem;
        err = http_server_new(registry->loop, &config, &registry->server, ret_failure);
    }
    own_fini(&own);
    return err;
}

enum ev_err registry_start(struct registry *registry, struct failure *ret_failure)
{
    char address[HOST_PORT_TEXT_MAX];
    struct host_port bound = registry->https;
    enum ev_err err = listen_https(registry, ret_failure);
    if (err == EV_OK)
        err = loop_timer_new(registry->loop, on_renewal_check, registry, &registry->renewal);
    if (err != EV_OK)
        return err;
    loop_timer_repeat(registry->renewal, renewal_check_ms(registry));
    bound.port = http_server_port(registry->server);
    log_info("registry.started", log_str("https", host_port_format(&bound, address)),
             log_int("certificate_hours", registry->certificate_ms / 3600000));
    return EV_OK;
}

void registry_stop(struct registry *registry)
{
    http_server_free(registry->server);
    registry->server = NULL;
    if (registry->renewal != NULL)
        loop_timer_free(registry->renewal);
    registry->renewal = NULL;
}
