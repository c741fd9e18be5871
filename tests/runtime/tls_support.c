#include "tests/runtime/tls_support.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(int result)
{
    if (result < 0) {
        fprintf(stderr, "test certificate: %s\n", gnutls_strerror(result));
        abort();
    }
}

static gnutls_x509_privkey_t new_key(void)
{
    gnutls_x509_privkey_t key = NULL;
    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                      0));
    return key;
}

static void set_basics(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, int from_s, int until_s)
{
    uint8_t serial[16] = {0};
    must(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x01);
    must(gnutls_x509_crt_set_version(crt, 3));
    must(gnutls_x509_crt_set_serial(crt, serial, sizeof serial));
    must(gnutls_x509_crt_set_activation_time(crt, time(NULL) + from_s));
    must(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + until_s));
    must(gnutls_x509_crt_set_key(crt, key));
}

void support_authority_init(struct support_authority *authority, const char *name)
{
    gnutls_datum_t pem = {0};
    gnutls_datum_t der = {0};
    authority->key = new_key();
    must(gnutls_x509_crt_init(&authority->certificate));
    set_basics(authority->certificate, authority->key, -7200, 86400);
    must(gnutls_x509_crt_set_dn_by_oid(authority->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                       (unsigned)strlen(name)));
    must(gnutls_x509_crt_set_basic_constraints(authority->certificate, 1, -1));
    must(gnutls_x509_crt_set_key_usage(authority->certificate, GNUTLS_KEY_KEY_CERT_SIGN));
    must(gnutls_x509_crt_sign2(authority->certificate, authority->certificate, authority->key,
                               GNUTLS_DIG_SHA256, 0));
    must(gnutls_x509_crt_export2(authority->certificate, GNUTLS_X509_FMT_PEM, &pem));
    must(gnutls_x509_crt_export2(authority->certificate, GNUTLS_X509_FMT_DER, &der));
    must(gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, authority->sha256));
    authority->pem = strdup((char *)pem.data);
    gnutls_free(pem.data);
    gnutls_free(der.data);
}

void support_authority_fini(struct support_authority *authority)
{
    gnutls_x509_crt_deinit(authority->certificate);
    gnutls_x509_privkey_deinit(authority->key);
    free(authority->pem);
}

void support_node_init(struct support_node *node, const struct support_authority *authority,
                       const struct support_node_spec *spec)
{
    gnutls_x509_privkey_t key = new_key();
    gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t pem = {0};
    must(gnutls_x509_crt_init(&crt));
    set_basics(crt, key, spec->from_s, spec->until_s);
    if (spec->name != NULL) {
        must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, spec->name,
                                           (unsigned)strlen(spec->name)));
    }
    if (spec->uri != NULL) {
        must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, spec->uri, (unsigned)strlen(spec->uri),
                                                  GNUTLS_FSAN_APPEND));
    }
    if (spec->dns != NULL) {
        must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, spec->dns,
                                                  (unsigned)strlen(spec->dns), GNUTLS_FSAN_APPEND));
    }
    if (spec->ip != NULL) {
        struct in_addr address = {0};
        must(inet_pton(AF_INET, spec->ip, &address) - 1);
        must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &address, sizeof address,
                                                  GNUTLS_FSAN_APPEND));
    }
    must(gnutls_x509_crt_sign2(crt, authority->certificate, authority->key, GNUTLS_DIG_SHA256, 0));
    must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem));
    size_t size = pem.size + strlen(authority->pem) + 1;
    node->certificate_pem = malloc(size);
    snprintf(node->certificate_pem, size, "%s%s", (char *)pem.data, authority->pem);
    gnutls_free(pem.data);
    must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem));
    node->key_pem = strdup((char *)pem.data);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

void support_node_fini(struct support_node *node)
{
    free(node->certificate_pem);
    free(node->key_pem);
}

struct tls_credentials *support_credentials(const struct support_authority *authority, const char *uri,
                                            const char *ip)
{
    struct support_node node = {.key_pem = NULL};
    struct tls_credentials *credentials = NULL;
    struct failure failure = {.text = ""};
    support_node_init(&node, authority,
                      &(struct support_node_spec){.uri = uri, .ip = ip, .from_s = -3600, .until_s = 3600});
    if (tls_credentials_new(node.certificate_pem, node.key_pem, authority->pem, &credentials, &failure) !=
        EV_OK) {
        fprintf(stderr, "test credentials: %s\n", failure.text);
        abort();
    }
    support_node_fini(&node);
    return credentials;
}

bool support_run_until(struct loop *loop, bool (*done)(void *user), void *user, int timeout_ms)
{
    int64_t end_ms = monotonic_now_ms() + timeout_ms;
    while (!done(user) && monotonic_now_ms() < end_ms) {
        if (loop_run_once(loop, 20) != EV_OK) {
            abort();
        }
    }
    return done(user);
}
