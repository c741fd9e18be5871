/* authority.h - the certification authority of a network: one self-signed P-256 root, made at the first
 * start, and the certificates that it issues. Files: authority.pem, authority-key.pem (0600). Invariant: of a
 * request only the public key is taken; every name and extension is decided here. */
#ifndef EV_REGISTRY_AUTHORITY_H
#define EV_REGISTRY_AUTHORITY_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/state_dir.h"
#include "common/runtime/tls.h"

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTHORITY_HOSTS_MAX 16          /* names and addresses in one certificate */
#define AUTHORITY_BACKDATE_SECONDS 7200 /* clocks of nodes may be behind */
#define AUTHORITY_REQUEST_MAX 8192      /* bytes of a request in PEM; ours have 500 */

struct authority;

/* Loads the root, or makes it; two processes that do so at once end with the same one.
 * Errors: EV_ERR_IO, EV_ERR_CRYPTO (unusable files). */
EV_MUST_CHECK enum ev_err authority_open(const struct state_dir *dir, struct authority **ret_authority,
                                         struct failure *ret_failure);
void authority_free(struct authority *authority);

const char *authority_pem(const struct authority *authority);
/* The first bytes of SHA-256 of its DER: what an invitation pins. */
void authority_pin(const struct authority *authority, uint8_t ret_pin[TLS_PIN_SIZE]);

/* What a certificate will say. */
struct authority_subject {
    enum node_role role;
    const char *id;
    const char *const *hosts; /* DNS names and IP addresses; central and registry only */
    size_t host_count;
    int64_t valid_ms; /* from now on; besides, AUTHORITY_BACKDATE_SECONDS before it */
};

struct authority_certificate {
    char *pem; /* owned: authority_certificate_fini */
    char serial[TLS_SERIAL_HEX];
    int64_t expires_at_ms;
};

void authority_certificate_fini(struct authority_certificate *certificate);

/* Reads a certificate request: it must be signed by its own key, which must be P-256. The caller deinits
 * *ret_key. Errors: EV_ERR_PARSE with words. */
EV_MUST_CHECK enum ev_err authority_read_request(const char *pem, gnutls_pubkey_t *ret_key,
                                                 char ret_key_sha256[TLS_SHA256_HEX],
                                                 struct failure *ret_failure);

/* Errors: EV_ERR_RANGE (a host that is neither a name nor an address, or too many), EV_ERR_CRYPTO. */
EV_MUST_CHECK enum ev_err authority_issue(const struct authority *authority, gnutls_pubkey_t key,
                                          const struct authority_subject *subject,
                                          struct authority_certificate *ret_certificate,
                                          struct failure *ret_failure);

/* A DNS name without wildcard, an IPv4 or an IPv6 address. */
bool authority_host_is_good(const char *host);

#endif
