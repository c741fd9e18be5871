/* tls_internal.h - what tls.c (sessions), tls_credentials.c and tls_verify.c share. */
#ifndef EV_RUNTIME_TLS_INTERNAL_H
#define EV_RUNTIME_TLS_INTERNAL_H

#include "common/runtime/limits.h"
#include "common/runtime/tls.h"

enum tls_kind { TLS_KIND_CERTIFICATE, TLS_KIND_PSK, TLS_KIND_PINNED };

/* What sessions were made with; after a reload the old one lives until its last session ends. */
struct tls_material {
    unsigned references;
    enum tls_kind kind;
    gnutls_certificate_credentials_t certificate; /* not for PSK */
    struct tls_trust *trust;                      /* certificates only */
    gnutls_psk_client_credentials_t psk_client;
    gnutls_psk_server_credentials_t psk_server;
    char psk_identity[64];
    uint8_t psk_key[TLS_PSK_SIZE];
    uint8_t pin[TLS_PIN_SIZE];
};

struct tls_material *tls_credentials_material(const struct tls_credentials *credentials); /* counted */
void tls_material_free(struct tls_material *material);

/* tls_verify_chain that also says which alert fits. */
EV_MUST_CHECK enum ev_err tls_check_chain(const struct tls_trust *trust, const gnutls_datum_t *der,
                                          unsigned count, enum tls_purpose purpose, const char *host,
                                          int64_t expired_for_ms, struct peer_identity *ret_peer,
                                          gnutls_alert_description_t *ret_alert, struct failure *failure);

EV_MUST_CHECK enum ev_err tls_chain_import(const gnutls_datum_t *der, unsigned count,
                                           gnutls_x509_crt_t ret_chain[TLS_CHAIN_MAX]);
void tls_chain_free(gnutls_x509_crt_t chain[TLS_CHAIN_MAX], unsigned count);

#endif
