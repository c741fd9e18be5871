#include "common/runtime/tls_internal.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_credentials {
    unsigned references;
    struct tls_material *material;
};

void tls_material_free(struct tls_material *material)
{
    if (material == NULL || --material->references > 0) {
        return;
    }
    if (material->certificate != NULL) {
        gnutls_certificate_free_credentials(material->certificate);
    }
    if (material->psk_client != NULL) {
        gnutls_psk_free_client_credentials(material->psk_client);
    }
    if (material->psk_server != NULL) {
        gnutls_psk_free_server_credentials(material->psk_server);
    }
    tls_trust_free(material->trust);
    gnutls_memset(material->psk_key, 0, sizeof material->psk_key);
    free(material);
}

struct tls_material *tls_credentials_material(const struct tls_credentials *credentials)
{
    credentials->material->references++;
    return credentials->material;
}

static enum ev_err material_new(enum tls_kind kind, struct tls_material **ret_material,
                                struct failure *ret_failure)
{
    struct tls_material *material = calloc(1, sizeof *material);
    if (material == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    material->references = 1;
    material->kind = kind;
    *ret_material = material;
    return EV_OK;
}

static enum ev_err credentials_wrap(struct tls_material *material, struct tls_credentials **ret_credentials,
                                    struct failure *ret_failure)
{
    struct tls_credentials *credentials = calloc(1, sizeof *credentials);
    if (credentials == NULL) {
        tls_material_free(material);
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    *credentials = (struct tls_credentials){.references = 1, .material = material};
    *ret_credentials = credentials;
    return EV_OK;
}

static enum ev_err material_new_certificate(const char *certificate_pem, const char *key_pem,
                                            const char *authority_pem, struct tls_material **ret_material,
                                            struct failure *ret_failure)
{
    struct tls_material *material = NULL;
    gnutls_datum_t certificate = {.data = (unsigned char *)(uintptr_t)certificate_pem,
                                  .size = (unsigned)strlen(certificate_pem)};
    gnutls_datum_t key = {.data = (unsigned char *)(uintptr_t)key_pem, .size = (unsigned)strlen(key_pem)};
    enum ev_err err = material_new(TLS_KIND_CERTIFICATE, &material, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    err = tls_trust_new(authority_pem, &material->trust, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    int result = gnutls_certificate_allocate_credentials(&material->certificate);
    if (result >= 0) {
        /* Also checks that the key is that certificate's. No authorities are set here: a server would name
         * them, and clients with another's certificate would send none instead of one to be refused. */
        result = gnutls_certificate_set_x509_key_mem2(material->certificate, &certificate, &key,
                                                      GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    if (result < 0) {
        err = failure_set(ret_failure, EV_ERR_TLS, "the certificate or its key cannot be used: %s",
                          gnutls_strerror(result));
        goto out;
    }
    *ret_material = material;
    material = NULL;
out:
    tls_material_free(material);
    return err;
}

enum ev_err tls_credentials_new(const char *certificate_pem, const char *key_pem, const char *authority_pem,
                                struct tls_credentials **ret_credentials, struct failure *ret_failure)
{
    struct tls_material *material = NULL;
    enum ev_err err =
        material_new_certificate(certificate_pem, key_pem, authority_pem, &material, ret_failure);
    return err != EV_OK ? err : credentials_wrap(material, ret_credentials, ret_failure);
}

enum ev_err tls_credentials_reload(struct tls_credentials *credentials, const char *certificate_pem,
                                   const char *key_pem, const char *authority_pem,
                                   struct failure *ret_failure)
{
    struct tls_material *material = NULL;
    EV_ASSERT(credentials->material->kind == TLS_KIND_CERTIFICATE);
    enum ev_err err =
        material_new_certificate(certificate_pem, key_pem, authority_pem, &material, ret_failure);
    if (err == EV_OK) {
        tls_material_free(credentials->material);
        credentials->material = material;
    }
    return err;
}

/* GnuTLS asks here for the key of a name. The credentials carry no pointer of ours, so the session's is used:
 * its first member is the material (tls.c). */
static int on_psk_wanted(gnutls_session_t session, const gnutls_datum_t *name, gnutls_datum_t *ret_key)
{
    struct tls_material *const *first = gnutls_session_get_ptr(session);
    const struct tls_material *material = *first;
    size_t len = strlen(material->psk_identity);
    if (name->size != len || memcmp(name->data, material->psk_identity, len) != 0) {
        return -1;
    }
    ret_key->data = gnutls_malloc(TLS_PSK_SIZE);
    if (ret_key->data == NULL) {
        return -1;
    }
    memcpy(ret_key->data, material->psk_key, TLS_PSK_SIZE);
    ret_key->size = TLS_PSK_SIZE;
    return 0;
}

enum ev_err tls_credentials_new_psk(const char *identity, const uint8_t key[TLS_PSK_SIZE],
                                    struct tls_credentials **ret_credentials, struct failure *ret_failure)
{
    struct tls_material *material = NULL;
    gnutls_datum_t key_datum = {.data = (unsigned char *)(uintptr_t)key, .size = TLS_PSK_SIZE};
    EV_ASSERT(strlen(identity) < sizeof material->psk_identity);
    enum ev_err err = material_new(TLS_KIND_PSK, &material, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    snprintf(material->psk_identity, sizeof material->psk_identity, "%s", identity);
    memcpy(material->psk_key, key, TLS_PSK_SIZE);
    if (gnutls_psk_allocate_client_credentials(&material->psk_client) < 0 ||
        gnutls_psk_allocate_server_credentials(&material->psk_server) < 0 ||
        gnutls_psk_set_client_credentials(material->psk_client, identity, &key_datum, GNUTLS_PSK_KEY_RAW) <
            0) {
        tls_material_free(material);
        return failure_set(ret_failure, EV_ERR_TLS, "the shared key cannot be used");
    }
    gnutls_psk_set_server_credentials_function2(material->psk_server, on_psk_wanted);
    return credentials_wrap(material, ret_credentials, ret_failure);
}

enum ev_err tls_credentials_new_pinned(const uint8_t pin[TLS_PIN_SIZE],
                                       struct tls_credentials **ret_credentials, struct failure *ret_failure)
{
    struct tls_material *material = NULL;
    enum ev_err err = material_new(TLS_KIND_PINNED, &material, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    memcpy(material->pin, pin, TLS_PIN_SIZE);
    if (gnutls_certificate_allocate_credentials(&material->certificate) < 0) {
        tls_material_free(material);
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    return credentials_wrap(material, ret_credentials, ret_failure);
}

struct tls_credentials *tls_credentials_ref(struct tls_credentials *credentials)
{
    if (credentials != NULL) {
        credentials->references++;
    }
    return credentials;
}

void tls_credentials_free(struct tls_credentials *credentials)
{
    if (credentials == NULL || --credentials->references > 0) {
        return;
    }
    tls_material_free(credentials->material);
    free(credentials);
}
