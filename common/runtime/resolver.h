/* resolver.h - from host and port to addresses, without ever blocking the loop.
 * Numeric addresses are answered at once; names by getaddrinfo on at most RESOLVER_THREADS threads of the
 * process. */
#ifndef EV_RUNTIME_RESOLVER_H
#define EV_RUNTIME_RESOLVER_H

#include "common/rules/ev_err.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"

#include <netdb.h>

struct resolver_lookup;

/* addresses: NULL on failure (text says why), else the receiver's, to be freed with freeaddrinfo. */
typedef void (*resolver_on_done)(void *user, struct addrinfo *addresses, const char *text);

/* Errors: EV_ERR_NOT_FOUND (it is a name: use resolver_start), EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err resolver_numeric(const struct host_port *address, struct addrinfo **ret_addresses);

EV_MUST_CHECK enum ev_err resolver_start(struct loop *loop, const struct host_port *address,
                                         resolver_on_done on_done, void *user,
                                         struct resolver_lookup **ret_lookup);

/* on_done will not be called; NULL is fine. Not after on_done. */
void resolver_cancel(struct resolver_lookup *lookup);

#endif
