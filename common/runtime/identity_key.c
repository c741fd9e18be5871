/* identity_key.c - see identity_key.h. */
#include "common/runtime/identity_key.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <string.h>

#include "common/runtime/state_dir.h"

enum ev_err identity_key_generate(const char *path, struct failure *ret_failure)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem = {0};
    enum ev_err err = EV_ERR_CRYPTO;
    if (gnutls_x509_privkey_init(&key) < 0 ||
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                     0) < 0 ||
        gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem) < 0) {
        (void)failure_set(ret_failure, err, "cannot make a key");
        goto out;
    }
    err = state_file_write_atomic(path, pem.data, pem.size, 0600, ret_failure);
out:
    if (pem.data != NULL)
        gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    if (key != NULL)
        gnutls_x509_privkey_deinit(key);
    return err;
}

enum ev_err identity_key_load(const char *path, gnutls_x509_privkey_t *ret_key, struct failure *ret_failure)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    gnutls_x509_privkey_t key = NULL;
    enum ev_err err = state_file_read(path, &bytes, &length, ret_failure);
    if (err != EV_OK)
        return err;
    gnutls_datum_t pem = {.data = bytes, .size = (unsigned)length};
    err = EV_ERR_CRYPTO;
    if (gnutls_x509_privkey_init(&key) < 0 ||
        gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0) {
        (void)failure_set(ret_failure, err, "%s is not a usable private key", path);
        goto out;
    }
    *ret_key = key;
    key = NULL;
    err = EV_OK;
out:
    if (key != NULL)
        gnutls_x509_privkey_deinit(key);
    state_dir_bytes_free(bytes, length);
    return err;
}

enum ev_err identity_key_hash(gnutls_x509_privkey_t key, char ret_hex[TLS_SHA256_HEX])
{
    gnutls_privkey_t private_key = NULL;
    gnutls_pubkey_t public_key = NULL;
    enum ev_err err = EV_ERR_CRYPTO;
    if (gnutls_privkey_init(&private_key) >= 0 && gnutls_pubkey_init(&public_key) >= 0 &&
        gnutls_privkey_import_x509(private_key, key, 0) >= 0 &&
        gnutls_pubkey_import_privkey(public_key, private_key, 0, 0) >= 0)
        err = tls_key_sha256(public_key, ret_hex);
    if (public_key != NULL)
        gnutls_pubkey_deinit(public_key);
    if (private_key != NULL)
        gnutls_privkey_deinit(private_key);
    return err;
}

enum ev_err identity_key_request(gnutls_x509_privkey_t key, enum node_role role, const char *id,
                                 gnutls_datum_t *ret_pem)
{
    char uri[80];
    gnutls_x509_crq_t request = NULL;
    enum ev_err err = EV_ERR_CRYPTO;
    int length = snprintf(uri, sizeof uri, "urn:ev:%s:%s", node_role_text(role), id);
    if (gnutls_x509_crq_init(&request) >= 0 && gnutls_x509_crq_set_version(request, 1) >= 0 &&
        gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, id, (unsigned)strlen(id)) >=
            0 &&
        gnutls_x509_crq_set_subject_alt_name(request, GNUTLS_SAN_URI, uri, (unsigned)length,
                                             GNUTLS_FSAN_SET) >= 0 &&
        gnutls_x509_crq_set_key(request, key) >= 0 &&
        gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0) >= 0 &&
        gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, ret_pem) >= 0)
        err = EV_OK;
    if (request != NULL)
        gnutls_x509_crq_deinit(request);
    return err;
}
