/* tls.h - who may speak with whom: credentials of GnuTLS and the check of a peer's certificate.
 * Certificates are P-256 (or Ed25519) with a URI name `urn:ev:ROLE:ID`. Servers neither issue tickets nor
 * resume, since that would skip the check. Used by connection.c; tls_parse_identity and tls_verify_chain also
 * by http_server, http_client and registry. For the loop's thread. */
#ifndef EV_RUNTIME_TLS_H
#define EV_RUNTIME_TLS_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_role {
    NODE_ROLE_NONE,
    NODE_ROLE_CP,
    NODE_ROLE_DRIVER,
    NODE_ROLE_WEATHER,
    NODE_ROLE_CENTRAL,
    NODE_ROLE_REGISTRY,
    NODE_ROLE_COUNT
};

/* "cp", "driver", "weather", "central", "registry"; "" for NONE. */
const char *node_role_text(enum node_role role);
/* Errors: EV_ERR_PARSE (also for ""). */
EV_MUST_CHECK enum ev_err node_role_parse(const char *text, enum node_role *ret_role);

#define TLS_PIN_SIZE 16 /* first bytes of SHA-256 of the authority's DER certificate (invitation codes) */
#define TLS_PSK_SIZE 32 /* the pairing file's key */
#define TLS_SHA256_HEX 65
#define TLS_SERIAL_HEX 41

struct peer_identity {
    enum node_role role;             /* NONE: no certificate (PSK, clear TCP) */
    char id[33];                     /* of A-Z a-z 0-9 - _ */
    char key_sha256[TLS_SHA256_HEX]; /* SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex */
    char serial[TLS_SERIAL_HEX];     /* lower-case hex, without leading zero bytes */
    int64_t expires_at_ms;
};

/* Reads role, id, key, serial and expiry from a certificate; verifies nothing.
 * Errors: EV_ERR_PARSE (no URI name of ours, or more than one, or an id of other characters). */
EV_MUST_CHECK enum ev_err tls_parse_identity(gnutls_x509_crt_t certificate, struct peer_identity *ret_peer);
EV_MUST_CHECK enum ev_err tls_parse_identity_pem(const char *pem, struct peer_identity *ret_peer);

/* Lower-case hex of SHA-256(DER SubjectPublicKeyInfo). */
EV_MUST_CHECK enum ev_err tls_key_sha256(gnutls_pubkey_t key, char ret_hex[TLS_SHA256_HEX]);

/* --- trust: a set of authorities --- */

struct tls_trust;

EV_MUST_CHECK enum ev_err tls_trust_new(const char *authority_pem, struct tls_trust **ret_trust,
                                        struct failure *ret_failure);
void tls_trust_free(struct tls_trust *trust);

enum tls_purpose { TLS_PURPOSE_CLIENT, TLS_PURPOSE_SERVER }; /* what the checked peer is */

/* Verifies a chain as presented (leaf first, DER): signatures up to an authority, purpose, times against the
 * wall clock; then reads the leaf's identity.
 *   host            the name or address that was dialled, must be in the leaf; NULL: not checked
 *   expired_for_ms  how long ago the leaf may have expired (0; Registry's renewals: 90 days)
 * Errors: EV_ERR_AUTH with the reason in words. */
EV_MUST_CHECK enum ev_err tls_verify_chain(const struct tls_trust *trust, const gnutls_datum_t *chain,
                                           unsigned count, enum tls_purpose purpose, const char *host,
                                           int64_t expired_for_ms, struct peer_identity *ret_peer,
                                           struct failure *ret_failure);

/* --- credentials: what a connection or listener is made with --- */

struct tls_credentials;

/* Own certificate (chain) and key, and the authorities that peers must come from. Both sides are verified.
 * Errors: EV_ERR_TLS (unusable PEM, key of another certificate). */
EV_MUST_CHECK enum ev_err tls_credentials_new(const char *certificate_pem, const char *key_pem,
                                              const char *authority_pem,
                                              struct tls_credentials **ret_credentials,
                                              struct failure *ret_failure);

/* After a renewal: new handshakes use the new ones, running connections keep theirs. On failure nothing has
 * changed. Only for credentials made by tls_credentials_new. */
EV_MUST_CHECK enum ev_err tls_credentials_reload(struct tls_credentials *credentials,
                                                 const char *certificate_pem, const char *key_pem,
                                                 const char *authority_pem, struct failure *ret_failure);

/* TLS 1.3 with an external pre-shared key, for both sides; identity is "pairing". */
EV_MUST_CHECK enum ev_err tls_credentials_new_psk(const char *identity, const uint8_t key[TLS_PSK_SIZE],
                                                  struct tls_credentials **ret_credentials,
                                                  struct failure *ret_failure);

/* Client without certificate that trusts one root by its hash: the chain must verify up to a self-signed root
 * that the server sends and whose SHA-256 begins with pin. The root is then at connection_peer_root_pem. */
EV_MUST_CHECK enum ev_err tls_credentials_new_pinned(const uint8_t pin[TLS_PIN_SIZE],
                                                     struct tls_credentials **ret_credentials,
                                                     struct failure *ret_failure);

/* Counted; every connection and listener holds a reference of its own. */
struct tls_credentials *tls_credentials_ref(struct tls_credentials *credentials);
void tls_credentials_free(struct tls_credentials *credentials); /* drops one reference; NULL is fine */

/* --- one session, for connection.c --- */

struct tls_session;

enum tls_side { TLS_SIDE_SERVER, TLS_SIDE_CLIENT };

/* host: what was dialled (client). expected_role: NODE_ROLE_NONE for any. */
EV_MUST_CHECK enum ev_err tls_session_new(struct tls_credentials *credentials, enum tls_side side, int fd,
                                          const char *host, enum node_role expected_role,
                                          struct tls_session **ret_session);
void tls_session_free(struct tls_session *session);

/* EV_OK done; EV_ERR_AGAIN (then tls_session_wants_write); EV_ERR_AUTH, EV_ERR_TLS, EV_ERR_CLOSED with words.
 */
EV_MUST_CHECK enum ev_err tls_session_handshake(struct tls_session *session, struct failure *ret_failure);
/* As read(2) and write(2); EV_ERR_CLOSED at the peer's orderly end. */
EV_MUST_CHECK enum ev_err tls_session_read(struct tls_session *session, void *buffer, size_t size,
                                           size_t *ret_len, struct failure *ret_failure);
EV_MUST_CHECK enum ev_err tls_session_write(struct tls_session *session, const void *bytes, size_t len,
                                            size_t *ret_len, struct failure *ret_failure);
/* Sends close_notify; does not wait for the peer's. */
EV_MUST_CHECK enum ev_err tls_session_bye(struct tls_session *session);
bool tls_session_wants_write(const struct tls_session *session);
bool tls_session_has_pending(const struct tls_session *session);
const struct peer_identity *tls_session_peer(const struct tls_session *session);
const char *tls_session_root_pem(const struct tls_session *session); /* pinned only, else NULL */

#endif
