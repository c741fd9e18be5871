/* authority_internal.h - what authority.c and certificate.c share; nobody else includes it. */
#ifndef EV_REGISTRY_AUTHORITY_INTERNAL_H
#define EV_REGISTRY_AUTHORITY_INTERNAL_H

#include "registry/authority.h"

struct authority {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
    char *pem; /* of the certificate, terminated */
    uint8_t pin[TLS_PIN_SIZE];
};

/* A serial number of 16 random bytes, positive and without a leading zero byte. */
EV_MUST_CHECK enum ev_err certificate_set_serial(gnutls_x509_crt_t certificate);

/* Subject and authority key identifiers; issuer may be the certificate itself. */
EV_MUST_CHECK enum ev_err certificate_set_key_ids(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer);

/* PEM as terminated text; the caller frees it. */
EV_MUST_CHECK enum ev_err certificate_export(gnutls_x509_crt_t certificate, char **ret_pem);

#endif
