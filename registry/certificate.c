/* certificate.c - reading requests and issuing certificates; the second half of authority.h. */
#include "registry/authority.h"
#include "registry/authority_internal.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERIAL_SIZE 16
#define DNS_NAME_MAX 253
#define DNS_LABEL_MAX 63
#define TIME_MAX INT64_C(253402300799) /* the last second of the year 9999: X.509 knows no later one */

enum ev_err certificate_set_serial(gnutls_x509_crt_t certificate)
{
    uint8_t serial[SERIAL_SIZE];
    if (gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial) < 0)
        return EV_ERR_CRYPTO;
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
    return gnutls_x509_crt_set_serial(certificate, serial, sizeof serial) < 0 ? EV_ERR_CRYPTO : EV_OK;
}

enum ev_err certificate_set_key_ids(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer)
{
    uint8_t id[64];
    size_t size = sizeof id;
    if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA1, id, &size) < 0 ||
        gnutls_x509_crt_set_subject_key_id(certificate, id, size) < 0)
        return EV_ERR_CRYPTO;
    size = sizeof id;
    if (gnutls_x509_crt_get_subject_key_id(issuer, id, &size, NULL) < 0 ||
        gnutls_x509_crt_set_authority_key_id(certificate, id, size) < 0)
        return EV_ERR_CRYPTO;
    return EV_OK;
}

enum ev_err certificate_export(gnutls_x509_crt_t certificate, char **ret_pem)
{
    gnutls_datum_t pem = {0};
    if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem) < 0)
        return EV_ERR_CRYPTO;
    char *text = strndup((const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    if (text == NULL)
        return EV_ERR_NOMEM;
    *ret_pem = text;
    return EV_OK;
}

/* ---- requests ---- */

static bool is_p256(gnutls_pubkey_t key)
{
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    gnutls_datum_t x = {0}, y = {0};
    bool good = gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_ECDSA &&
                gnutls_pubkey_export_ecc_raw(key, &curve, &x, &y) >= 0 && curve == GNUTLS_ECC_CURVE_SECP256R1;
    gnutls_free(x.data);
    gnutls_free(y.data);
    return good;
}

enum ev_err authority_read_request(const char *pem, gnutls_pubkey_t *ret_key,
                                   char ret_key_sha256[TLS_SHA256_HEX], struct failure *ret_failure)
{
    gnutls_datum_t datum = {.data = (unsigned char *)(uintptr_t)pem, .size = (unsigned)strlen(pem)};
    gnutls_x509_crq_t request = NULL;
    gnutls_pubkey_t key = NULL;
    enum ev_err err = EV_ERR_PARSE;
    if (gnutls_x509_crq_init(&request) < 0 || gnutls_pubkey_init(&key) < 0) {
        err = failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    } else if (gnutls_x509_crq_import(request, &datum, GNUTLS_X509_FMT_PEM) < 0 ||
               gnutls_pubkey_import_x509_crq(key, request, 0) < 0) {
        (void)failure_set(ret_failure, err, "csr is not a certificate request in PEM");
    } else if (gnutls_x509_crq_verify(request, 0) < 0) {
        (void)failure_set(ret_failure, err, "csr is not signed by its own key");
    } else if (!is_p256(key)) {
        (void)failure_set(ret_failure, err, "csr is not of a P-256 key");
    } else {
        err = tls_key_sha256(key, ret_key_sha256);
    }
    if (err == EV_OK) {
        *ret_key = key;
        key = NULL;
    }
    if (key != NULL)
        gnutls_pubkey_deinit(key);
    if (request != NULL)
        gnutls_x509_crq_deinit(request);
    return err;
}

/* ---- names ---- */

static size_t parse_address(const char *host, uint8_t ret_bytes[16])
{
    if (inet_pton(AF_INET, host, ret_bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, host, ret_bytes) == 1 ? 16 : 0;
}

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool authority_host_is_good(const char *host)
{
    uint8_t bytes[16];
    size_t label = 0, length = strlen(host);
    if (parse_address(host, bytes) != 0)
        return true;
    if (length == 0 || length > DNS_NAME_MAX)
        return false;
    for (const char *at = host; *at != '\0'; at++) {
        if (*at == '.') {
            if (label == 0 || at[-1] == '-')
                return false;
            label = 0;
        } else if (!is_label_char(*at) || (label == 0 && *at == '-') || ++label > DNS_LABEL_MAX) {
            return false;
        }
    }
    return label > 0 && host[length - 1] != '-';
}

static enum ev_err set_names(gnutls_x509_crt_t certificate, const struct authority_subject *subject,
                             struct failure *ret_failure)
{
    char uri[80];
    int length = snprintf(uri, sizeof uri, "urn:ev:%s:%s", node_role_text(subject->role), subject->id);
    EV_ASSERT(length > 0 && (size_t)length < sizeof uri);
    if (gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_URI, uri, (unsigned)length,
                                             GNUTLS_FSAN_SET) < 0)
        return EV_ERR_CRYPTO;
    if (subject->host_count > AUTHORITY_HOSTS_MAX)
        return failure_set(ret_failure, EV_ERR_RANGE, "hosts: more than %d", AUTHORITY_HOSTS_MAX);
    for (size_t i = 0; i < subject->host_count; i++) {
        const char *host = subject->hosts[i];
        uint8_t bytes[16];
        size_t address = parse_address(host, bytes);
        if (!authority_host_is_good(host))
            return failure_set(ret_failure, EV_ERR_RANGE, "hosts: `%s` is neither a name nor an address",
                               host);
        int rc = address != 0
                     ? gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, bytes,
                                                            (unsigned)address, GNUTLS_FSAN_APPEND)
                     : gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host,
                                                            (unsigned)strlen(host), GNUTLS_FSAN_APPEND);
        if (rc < 0)
            return EV_ERR_CRYPTO;
    }
    return EV_OK;
}

/* ---- issuing ---- */

static bool is_server(enum node_role role)
{
    return role == NODE_ROLE_CENTRAL || role == NODE_ROLE_REGISTRY;
}

static int set_purposes(gnutls_x509_crt_t certificate, enum node_role role)
{
    int rc = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    if (rc >= 0 && is_server(role))
        rc = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
    return rc;
}

/* Never beyond the root's own end. */
static time_t end_of(const struct authority *authority, time_t now, int64_t valid_ms)
{
    int64_t end = (int64_t)now + valid_ms / 1000;
    int64_t root_end = (int64_t)gnutls_x509_crt_get_expiration_time(authority->certificate);
    if (end > root_end)
        end = root_end;
    return (time_t)(end > TIME_MAX ? TIME_MAX : end);
}

static enum ev_err fill(const struct authority *authority, gnutls_x509_crt_t certificate, gnutls_pubkey_t key,
                        const struct authority_subject *subject, time_t until, struct failure *ret_failure)
{
    time_t now = time(NULL);
    if (gnutls_x509_crt_set_version(certificate, 3) < 0 || gnutls_x509_crt_set_pubkey(certificate, key) < 0 ||
        gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, subject->id,
                                      (unsigned)strlen(subject->id)) < 0 ||
        gnutls_x509_crt_set_activation_time(certificate, now - AUTHORITY_BACKDATE_SECONDS) < 0 ||
        gnutls_x509_crt_set_expiration_time(certificate, until) < 0 ||
        gnutls_x509_crt_set_basic_constraints(certificate, 0, -1) < 0 ||
        gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE) < 0 ||
        set_purposes(certificate, subject->role) < 0)
        return EV_ERR_CRYPTO;
    enum ev_err err = set_names(certificate, subject, ret_failure);
    if (err == EV_OK)
        err = certificate_set_serial(certificate);
    if (err == EV_OK)
        err = certificate_set_key_ids(certificate, authority->certificate);
    return err;
}

enum ev_err authority_issue(const struct authority *authority, gnutls_pubkey_t key,
                            const struct authority_subject *subject,
                            struct authority_certificate *ret_certificate, struct failure *ret_failure)
{
    gnutls_x509_crt_t certificate = NULL;
    struct authority_certificate made = {0};
    struct peer_identity named;
    time_t until = end_of(authority, time(NULL), subject->valid_ms);
    struct failure why = {.text = "cannot issue the certificate"};
    enum ev_err err = gnutls_x509_crt_init(&certificate) < 0 ? EV_ERR_NOMEM : EV_OK;
    EV_ASSERT(is_server(subject->role) || subject->host_count == 0);
    if (err == EV_OK)
        err = fill(authority, certificate, key, subject, until, &why);
    if (err == EV_OK &&
        gnutls_x509_crt_sign2(certificate, authority->certificate, authority->key, GNUTLS_DIG_SHA256, 0) < 0)
        err = EV_ERR_CRYPTO;
    if (err == EV_OK)
        err = certificate_export(certificate, &made.pem);
    if (err == EV_OK)
        err = tls_parse_identity_pem(made.pem, &named); /* what every peer will read in it */
    if (err == EV_OK) {
        (void)snprintf(made.serial, sizeof made.serial, "%s", named.serial);
        made.expires_at_ms = (int64_t)until * 1000;
        *ret_certificate = made;
    } else {
        (void)failure_set(ret_failure, err, "%s", why.text);
        authority_certificate_fini(&made);
    }
    if (certificate != NULL)
        gnutls_x509_crt_deinit(certificate);
    return err;
}

void authority_certificate_fini(struct authority_certificate *certificate)
{
    free(certificate->pem);
    certificate->pem = NULL;
}
