/* tls_support.h - authorities and certificates made in the test, and a loop that is run until something
 * holds. */
#ifndef EV_TESTS_RUNTIME_TLS_SUPPORT_H
#define EV_TESTS_RUNTIME_TLS_SUPPORT_H

#include "common/runtime/loop.h"
#include "common/runtime/tls.h"

#include <gnutls/x509.h>
#include <stdbool.h>

struct support_authority {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    char *pem;
    uint8_t sha256[32];
};

struct support_node {
    char *certificate_pem; /* leaf, then root */
    char *key_pem;
};

struct support_node_spec {
    const char *uri;  /* "urn:ev:cp:MAD-01"; NULL: none */
    const char *dns;  /* NULL: none */
    const char *ip;   /* "127.0.0.1"; NULL: none */
    const char *name; /* common name; NULL: none */
    int from_s;       /* from now */
    int until_s;
};

void support_authority_init(struct support_authority *authority, const char *name);
void support_authority_fini(struct support_authority *authority);
void support_node_init(struct support_node *node, const struct support_authority *authority,
                       const struct support_node_spec *spec);
void support_node_fini(struct support_node *node);

/* Good for an hour. */
struct tls_credentials *support_credentials(const struct support_authority *authority, const char *uri,
                                            const char *ip);

/* Runs the loop until done(user) or the time is over; returns done(user). */
bool support_run_until(struct loop *loop, bool (*done)(void *user), void *user, int timeout_ms);

#endif
