/* identity_key.h - making a node's key and its certificate request. Shared by identity and its tests. */
#ifndef EV_RUNTIME_IDENTITY_KEY_H
#define EV_RUNTIME_IDENTITY_KEY_H

#include <gnutls/x509.h>

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/tls.h"

/* A fresh P-256 key into `path` (PKCS 8 PEM, mode 0600, replaced whole). */
EV_MUST_CHECK enum ev_err identity_key_generate(const char *path, struct failure *ret_failure);

/* Loads it. The caller deinits *ret_key. Errors: EV_ERR_NOT_FOUND, EV_ERR_CRYPTO. */
EV_MUST_CHECK enum ev_err identity_key_load(const char *path, gnutls_x509_privkey_t *ret_key,
                                            struct failure *ret_failure);

/* SHA-256 of its SubjectPublicKeyInfo. */
EV_MUST_CHECK enum ev_err identity_key_hash(gnutls_x509_privkey_t key, char ret_hex[TLS_SHA256_HEX]);

/* A certificate request (PEM) with common name ID and the URI name urn:ev:ROLE:ID. Free with
 * gnutls_free(data). */
EV_MUST_CHECK enum ev_err identity_key_request(gnutls_x509_privkey_t key, enum node_role role, const char *id,
                                               gnutls_datum_t *ret_pem);

#endif
