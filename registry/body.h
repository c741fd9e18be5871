/* body.h - what a node may say of itself when it registers: strict reading of the request's JSON.
 * Cities are kept in NFC, so that comparing them byte for byte is comparing what people read. */
#ifndef EV_REGISTRY_BODY_H
#define EV_REGISTRY_BODY_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/tls.h"
#include "registry/authority.h"
#include "registry/store.h"

#include <cjson/cJSON.h>
#include <stddef.h>

#define BODY_INVITATION_SIZE 65

struct body {
    char invitation[BODY_INVITATION_SIZE];
    char csr[AUTHORITY_REQUEST_MAX];
    struct store_node node; /* role, id, and what a role adds: place, price, hosts */
};

/* role: what the path says; NODE_ROLE_NONE: /services, the body says `weather` or `central`.
 * Errors: EV_ERR_PARSE, EV_ERR_RANGE, with words that name the field. */
EV_MUST_CHECK enum ev_err body_parse_registration(const cJSON *tree, enum node_role role,
                                                  struct body *ret_body, struct failure *ret_failure);

/* {csr, hosts?}: hosts only where there are any; else those of `kept` stay. */
EV_MUST_CHECK enum ev_err body_parse_renewal(const cJSON *tree, char ret_csr[AUTHORITY_REQUEST_MAX],
                                             struct store_node *kept, struct failure *ret_failure);

/* 1 to 64 bytes of UTF-8 after NFC, without control characters and surrounding blanks. */
EV_MUST_CHECK enum ev_err body_normalise_city(const char *text, char ret_city[STORE_CITY_SIZE]);

/* Cuts "a,b" in place. Returns how many; ret_hosts has room for AUTHORITY_HOSTS_MAX. */
size_t body_split_hosts(char *hosts, const char **ret_hosts);

/* 1 to 32 of A-Z a-z 0-9 - _ */
bool body_id_is_good(const char *id);

#endif
