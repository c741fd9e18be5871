/* api.h - what the Registry answers over HTTPS: docs/protocol.md, section 4. */
#ifndef EV_REGISTRY_API_H
#define EV_REGISTRY_API_H

#include "registry/registry.h"

/* user: struct registry. */
void api_on_request(struct http_exchange *exchange, void *user);

/* --- for api_register.c and api.c --- */

void api_post_charge_points(struct http_exchange *exchange, void *user);
void api_post_drivers(struct http_exchange *exchange, void *user);
void api_post_services(struct http_exchange *exchange, void *user);
void api_post_renew(struct http_exchange *exchange, void *user);

/* The body as JSON; NULL: answered already (415, 400). The caller deletes it. */
cJSON *api_read_json(struct http_exchange *exchange);

/* Who asks, if its certificate counts now: verified, unexpired unless expired_too, registered, with the
 * registered key. NULL: answered already (401, 403). ret_node: what is known of it. */
const struct peer_identity *api_authenticate(struct registry *registry, struct http_exchange *exchange,
                                             bool expired_too, struct store_node *ret_node);

/* 201 {certificate, authority, expires_at} */
void api_reply_certificate(const struct registry *registry, struct http_exchange *exchange,
                           const struct authority_certificate *certificate);

/* 503: the database does not work (already logged). */
void api_reply_no_database(struct http_exchange *exchange);

#endif
