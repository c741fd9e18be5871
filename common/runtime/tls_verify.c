#include "common/runtime/tls_internal.h"

#include "common/runtime/limits.h"
#include "common/runtime/loop.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_URI_PREFIX "urn:ev:"

struct tls_trust {
    gnutls_x509_trust_list_t list;
};

/* --- roles --- */

static const char *const role_names[NODE_ROLE_COUNT] = {"", "cp", "driver", "weather", "central", "registry"};

const char *node_role_text(enum node_role role)
{
    return (unsigned)role < NODE_ROLE_COUNT ? role_names[role] : "";
}

enum ev_err node_role_parse(const char *text, enum node_role *ret_role)
{
    for (int i = 1; text != NULL && i < NODE_ROLE_COUNT; i++) {
        if (strcmp(text, role_names[i]) == 0) {
            *ret_role = (enum node_role)i;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

/* --- identity of a certificate --- */

static void format_hex(const uint8_t *bytes, size_t len, char *ret_hex)
{
    for (size_t i = 0; i < len; i++) {
        snprintf(ret_hex + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* "urn:ev:ROLE:ID" */
static enum ev_err parse_identity_uri(const char *uri, size_t len, struct peer_identity *peer)
{
    static const char id_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[64] = "";
    if (len >= sizeof text || memchr(uri, '\0', len) != NULL) {
        return EV_ERR_PARSE;
    }
    memcpy(text, uri, len);
    char *role = text + strlen(IDENTITY_URI_PREFIX);
    char *id = strchr(role, ':');
    if (id == NULL) {
        return EV_ERR_PARSE;
    }
    *id++ = '\0';
    size_t id_len = strlen(id);
    if (id_len < 1 || id_len >= sizeof peer->id || id[strspn(id, id_characters)] != '\0') {
        return EV_ERR_PARSE;
    }
    memcpy(peer->id, id, id_len + 1);
    return node_role_parse(role, &peer->role);
}

static enum ev_err read_identity_uri(gnutls_x509_crt_t certificate, struct peer_identity *peer)
{
    char name[512] = "";
    unsigned found = 0;
    for (unsigned i = 0;; i++) {
        size_t size = sizeof name;
        unsigned type = 0;
        int result = gnutls_x509_crt_get_subject_alt_name2(certificate, i, name, &size, &type, NULL);
        if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            break;
        }
        if (result < 0 && result != GNUTLS_E_SHORT_MEMORY_BUFFER) {
            return EV_ERR_PARSE;
        }
        size_t prefix = strlen(IDENTITY_URI_PREFIX);
        if (result == GNUTLS_E_SHORT_MEMORY_BUFFER || type != GNUTLS_SAN_URI || size < prefix ||
            memcmp(name, IDENTITY_URI_PREFIX, prefix) != 0) {
            continue;
        }
        if (++found > 1 || parse_identity_uri(name, size, peer) != EV_OK) {
            return EV_ERR_PARSE;
        }
    }
    return found == 1 ? EV_OK : EV_ERR_PARSE;
}

enum ev_err tls_key_sha256(gnutls_pubkey_t key, char ret_hex[TLS_SHA256_HEX])
{
    gnutls_datum_t der = {0};
    uint8_t hash[32] = {0};
    if (gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) < 0) {
        return EV_ERR_CRYPTO;
    }
    int result = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, hash);
    gnutls_free(der.data);
    if (result < 0) {
        return EV_ERR_CRYPTO;
    }
    format_hex(hash, sizeof hash, ret_hex);
    return EV_OK;
}

static enum ev_err read_key_sha256(gnutls_x509_crt_t certificate, char ret_hex[TLS_SHA256_HEX])
{
    gnutls_pubkey_t key = NULL;
    enum ev_err err = EV_ERR_CRYPTO;
    if (gnutls_pubkey_init(&key) < 0) {
        return EV_ERR_NOMEM;
    }
    if (gnutls_pubkey_import_x509(key, certificate, 0) >= 0) {
        err = tls_key_sha256(key, ret_hex);
    }
    gnutls_pubkey_deinit(key);
    return err;
}

enum ev_err tls_parse_identity(gnutls_x509_crt_t certificate, struct peer_identity *ret_peer)
{
    struct peer_identity peer = {.role = NODE_ROLE_NONE};
    uint8_t serial[32] = {0};
    size_t serial_len = sizeof serial;
    enum ev_err err = read_identity_uri(certificate, &peer);
    if (err != EV_OK) {
        return err;
    }
    if (gnutls_x509_crt_get_serial(certificate, serial, &serial_len) < 0) {
        return EV_ERR_PARSE;
    }
    size_t skip = 0;
    while (skip + 1 < serial_len && serial[skip] == 0) {
        skip++;
    }
    if (2 * (serial_len - skip) >= sizeof peer.serial) {
        return EV_ERR_PARSE;
    }
    format_hex(serial + skip, serial_len - skip, peer.serial);
    peer.expires_at_ms = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * 1000;
    err = read_key_sha256(certificate, peer.key_sha256);
    if (err == EV_OK) {
        *ret_peer = peer;
    }
    return err;
}

enum ev_err tls_parse_identity_pem(const char *pem, struct peer_identity *ret_peer)
{
    gnutls_x509_crt_t certificate = NULL;
    gnutls_datum_t datum = {.data = (unsigned char *)(uintptr_t)pem, .size = (unsigned)strlen(pem)};
    enum ev_err err = EV_ERR_PARSE;
    if (gnutls_x509_crt_init(&certificate) < 0) {
        return EV_ERR_NOMEM;
    }
    if (gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM) >= 0) {
        err = tls_parse_identity(certificate, ret_peer);
    }
    gnutls_x509_crt_deinit(certificate);
    return err;
}

/* --- trust --- */

enum ev_err tls_trust_new(const char *authority_pem, struct tls_trust **ret_trust,
                          struct failure *ret_failure)
{
    gnutls_datum_t datum = {.data = (unsigned char *)(uintptr_t)authority_pem,
                            .size = (unsigned)strlen(authority_pem)};
    struct tls_trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL || gnutls_x509_trust_list_init(&trust->list, 0) < 0) {
        free(trust);
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    if (gnutls_x509_trust_list_add_trust_mem(trust->list, &datum, NULL, GNUTLS_X509_FMT_PEM, 0, 0) < 1) {
        tls_trust_free(trust);
        return failure_set(ret_failure, EV_ERR_TLS, "the authority's certificate cannot be read");
    }
    *ret_trust = trust;
    return EV_OK;
}

void tls_trust_free(struct tls_trust *trust)
{
    if (trust != NULL) {
        gnutls_x509_trust_list_deinit(trust->list, 1);
        free(trust);
    }
}

/* A host is only ever looked for among the names that are meant for hosts: GnuTLS would fall back to the
 * common name, which may be any node's id. */
static bool has_host_names(gnutls_x509_crt_t leaf, const char *host)
{
    uint8_t address[16] = {0};
    bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    for (unsigned i = 0;; i++) {
        char name[512] = "";
        size_t size = sizeof name;
        int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &size, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            return false;
        }
        if (type == (is_address ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME)) {
            return true;
        }
    }
}

static enum ev_err refuse(struct failure *failure, gnutls_alert_description_t *ret_alert,
                          gnutls_alert_description_t alert, const char *text)
{
    *ret_alert = alert;
    return failure_set(failure, EV_ERR_AUTH, "%s", text);
}

static enum ev_err check_times(gnutls_x509_crt_t *chain, unsigned count, int64_t expired_for_ms,
                               gnutls_alert_description_t *ret_alert, struct failure *failure)
{
    int64_t now_ms = wall_now_ms();
    for (unsigned i = 0; i < count; i++) {
        int64_t grace_ms = i == 0 ? expired_for_ms : 0;
        if ((int64_t)gnutls_x509_crt_get_activation_time(chain[i]) * 1000 > now_ms) {
            return refuse(failure, ret_alert, GNUTLS_A_BAD_CERTIFICATE,
                          "the peer's certificate is not valid yet (do the clocks agree?)");
        }
        if ((int64_t)gnutls_x509_crt_get_expiration_time(chain[i]) * 1000 + grace_ms < now_ms) {
            return refuse(failure, ret_alert, GNUTLS_A_CERTIFICATE_EXPIRED,
                          "the peer's certificate has expired");
        }
    }
    return EV_OK;
}

static enum ev_err check_signatures(const struct tls_trust *trust, gnutls_x509_crt_t *chain, unsigned count,
                                    enum tls_purpose purpose, gnutls_alert_description_t *ret_alert,
                                    struct failure *failure)
{
    const char *oid = purpose == TLS_PURPOSE_CLIENT ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
    gnutls_typed_vdata_st wanted = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)oid, .size = 0};
    unsigned status = 0;
    /* Times are checked beside this, since renewals accept an expired leaf. */
    int result = gnutls_x509_trust_list_verify_crt2(
        trust->list, chain, count, &wanted, 1,
        GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS, &status, NULL);
    if (result < 0) {
        return refuse(failure, ret_alert, GNUTLS_A_BAD_CERTIFICATE,
                      "the peer's certificate cannot be checked");
    }
    if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0) {
        return refuse(failure, ret_alert, GNUTLS_A_UNKNOWN_CA,
                      "the peer's certificate was not issued by our authority");
    }
    if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0) {
        return refuse(failure, ret_alert, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
                      "the peer's certificate is for another purpose");
    }
    if (status != 0) {
        return refuse(failure, ret_alert, GNUTLS_A_BAD_CERTIFICATE, "the peer's certificate does not verify");
    }
    return EV_OK;
}

enum ev_err tls_chain_import(const gnutls_datum_t *der, unsigned count,
                             gnutls_x509_crt_t ret_chain[TLS_CHAIN_MAX])
{
    for (unsigned i = 0; i < count; i++) {
        ret_chain[i] = NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        if (gnutls_x509_crt_init(&ret_chain[i]) < 0 ||
            gnutls_x509_crt_import(ret_chain[i], &der[i], GNUTLS_X509_FMT_DER) < 0) {
            tls_chain_free(ret_chain, count);
            return EV_ERR_PARSE;
        }
    }
    return EV_OK;
}

void tls_chain_free(gnutls_x509_crt_t chain[TLS_CHAIN_MAX], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (chain[i] != NULL) {
            gnutls_x509_crt_deinit(chain[i]);
        }
    }
}

enum ev_err tls_check_chain(const struct tls_trust *trust, const gnutls_datum_t *der, unsigned count,
                            enum tls_purpose purpose, const char *host, int64_t expired_for_ms,
                            struct peer_identity *ret_peer, gnutls_alert_description_t *ret_alert,
                            struct failure *failure)
{
    gnutls_x509_crt_t chain[TLS_CHAIN_MAX] = {NULL};
    enum ev_err err = EV_OK;
    if (der == NULL || count == 0) {
        return refuse(failure, ret_alert, GNUTLS_A_CERTIFICATE_REQUIRED, "the peer has no certificate");
    }
    if (count > TLS_CHAIN_MAX || tls_chain_import(der, count, chain) != EV_OK) {
        return refuse(failure, ret_alert, GNUTLS_A_BAD_CERTIFICATE, "the peer's certificate cannot be read");
    }
    err = check_signatures(trust, chain, count, purpose, ret_alert, failure);
    if (err == EV_OK) {
        err = check_times(chain, count, expired_for_ms, ret_alert, failure);
    }
    if (err == EV_OK && host != NULL &&
        (!has_host_names(chain[0], host) || gnutls_x509_crt_check_hostname(chain[0], host) == 0)) {
        *ret_alert = GNUTLS_A_BAD_CERTIFICATE;
        err = failure_set(failure, EV_ERR_AUTH, "the peer's certificate is not for %s", host);
    }
    if (err == EV_OK && tls_parse_identity(chain[0], ret_peer) != EV_OK) {
        err = refuse(failure, ret_alert, GNUTLS_A_BAD_CERTIFICATE,
                     "the peer's certificate names no node of ours");
    }
    tls_chain_free(chain, count);
    return err;
}

enum ev_err tls_verify_chain(const struct tls_trust *trust, const gnutls_datum_t *chain, unsigned count,
                             enum tls_purpose purpose, const char *host, int64_t expired_for_ms,
                             struct peer_identity *ret_peer, struct failure *ret_failure)
{
    gnutls_alert_description_t alert = GNUTLS_A_BAD_CERTIFICATE;
    return tls_check_chain(trust, chain, count, purpose, host, expired_for_ms, ret_peer, &alert, ret_failure);
}
