/* registry.h - what the parts of ev_registry share: one of it per process, passed by pointer. */
#ifndef EV_REGISTRY_REGISTRY_H
#define EV_REGISTRY_REGISTRY_H

#include "common/runtime/failure.h"
#include "common/runtime/http_server.h"
#include "common/runtime/loop.h"
#include "common/runtime/state_dir.h"
#include "registry/authority.h"
#include "registry/guesses.h"
#include "registry/store.h"

struct registry {
    struct loop *loop;           /* borrowed */
    const struct state_dir *dir; /* borrowed */
    struct authority *authority; /* borrowed */
    struct store *store;         /* borrowed */
    struct host_port https;      /* where it listens */
    const char *const *hosts;    /* names of --public-host, NULL-terminated; borrowed */
    size_t host_count;
    int64_t certificate_ms; /* validity of what it issues */
    struct http_server *server;
    struct loop_timer *renewal; /* of its own certificate */
    int64_t renew_at_ms;        /* wall clock: half-life */
    struct guesses guesses;     /* bad invitations, by address */
};

/* Listens. Errors: EV_ERR_IO (port taken), EV_ERR_CRYPTO. */
EV_MUST_CHECK enum ev_err registry_start(struct registry *registry, struct failure *ret_failure);
void registry_stop(struct registry *registry);

#endif
