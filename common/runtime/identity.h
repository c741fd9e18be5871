/* identity.h - a node's own credential: the key that never leaves it, its certificate, the authority it
 * trusts. Files in the node's state directory: key.pem (0600), certificate.pem, authority.pem. The keeper
 * enrols with an invitation (pinned handshake with Registry, docs/protocol.md section 4), renews from
 * half-life, and tries again with jittered backoff for ever; it tells its owner in words. Used by monitors,
 * drivers, Weather and Central alike; any number in one process. */
#ifndef EV_RUNTIME_IDENTITY_H
#define EV_RUNTIME_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/http_client.h"
#include "common/runtime/loop.h"
#include "common/runtime/tls.h"

struct identity;

struct identity_config {
    struct loop *loop;
    struct http_client *http_client; /* borrowed */
    const char *directory;           /* the node's state directory; exists */
    enum node_role role;
    const char *id;
    const char *registry_url; /* https://host:port */
    const char *invitation;   /* code, or NULL: only an existing certificate serves */
    /* JSON members besides invitation, csr, id (and role for services), e.g. `"city":"Madrid","lat":40.42`;
     * NULL none. Also sent with renewals of role central. */
    const char *extra_members;
    /* All may be NULL; on the loop thread. */
    void (*on_certificate)(void *user, bool renewed); /* first enrolment, and each renewal */
    void (*on_problem)(void *user, const char *text,
                       bool final); /* final: no more tries until identity_enrol */
    void *user;
};

/* Loads or makes the key, loads what certificate there is. Starts nothing. Text is copied. */
EV_MUST_CHECK enum ev_err identity_open(const struct identity_config *config, struct identity **ret_identity,
                                        struct failure *ret_failure);
/* NULL is accepted. */
void identity_free(struct identity *identity);

/* Enrols if there is no certificate (an invitation is needed), and keeps it renewed. May be repeated. */
void identity_start(struct identity *identity);

/* Registers anew with this invitation (NULL: the configured one). new_key: makes a fresh key first, as after
 * a revocation. The certificate that was there is forgotten. */
EV_MUST_CHECK enum ev_err identity_enrol(struct identity *identity, const char *invitation, bool new_key,
                                         struct failure *ret_failure);

/* DELETE at Registry with this certificate (charge points); done(user, ok, words). On success the certificate
 * is forgotten. Errors: EV_ERR_STATE (no certificate). */
EV_MUST_CHECK enum ev_err identity_deregister(struct identity *identity,
                                              void (*done)(void *user, bool ok, const char *text),
                                              void *user);

bool identity_is_enrolled(const struct identity *identity);
/* An invitation is at hand or a certificate is there: identity_start has something to do. */
bool identity_can_start(const struct identity *identity);
int64_t identity_expires_at_ms(const struct identity *identity); /* 0 none */
const char *identity_key_sha256(const struct identity *identity);

/* Paths for http_client and http_server; the files are there once enrolled. */
const char *identity_certificate_path(const struct identity *identity);
const char *identity_key_path(const struct identity *identity);
const char *identity_authority_path(const struct identity *identity);

/* Credentials for connection.h from the present certificate; a reference of the caller's own, to be freed by
 * tls_credentials_free. They are reloaded in place at renewal. Errors: EV_ERR_STATE (not enrolled),
 * EV_ERR_TLS. */
EV_MUST_CHECK enum ev_err identity_credentials(struct identity *identity,
                                               struct tls_credentials **ret_credentials,
                                               struct failure *ret_failure);

/* Fills authority, certificate and key of a request with this identity. */
void identity_fill_request(const struct identity *identity, struct http_request *request);

#endif
