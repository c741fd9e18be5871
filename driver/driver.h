/* driver.h - one driver: its identity, its key, its requests, its services file. Carries out what requests.c
 * decides, and tells the person in words. Any number in one process (--count); they share a loop, an HTTP
 * client and a Kafka client through driver_shared. */
#ifndef EV_DRIVER_DRIVER_H
#define EV_DRIVER_DRIVER_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/runtime/failure.h"
#include "common/runtime/http_client.h"
#include "common/runtime/loop.h"
#include "driver/exchange.h"
#include "driver/requests.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct driver;

/* Owned by whoever makes the drivers; outlives them. */
struct driver_shared {
    struct loop *loop;
    struct http_client *http_client;
    struct exchange *exchange;
    const char *central_url; /* as of central_client_parse_base */
    const char *registry_url;
    const char *invitation; /* NULL none */
    int64_t pause_ms;
    bool many;         /* more than one driver: what is printed begins with the id */
    bool live_line;    /* standard error is a terminal: one rewritten line while charging */
    bool closing;      /* callbacks on the way out change nothing any more */
    bool central_told; /* whether Central's state was said, */
    bool central_up;   /* and what */
};

struct driver_callbacks {
    /* All may be NULL. Each change of a session's state. */
    void (*on_session)(void *user, struct driver *driver, const struct session_view *view);
    /* Registered: Central can be asked. Also at start, where it was registered before. */
    void (*on_enrolled)(void *user, struct driver *driver);
    /* It will not be registered without a person's help, in words. */
    void (*on_refused)(void *user, struct driver *driver, const char *text);
    /* The services file is at its end, tickets included. */
    void (*on_services_done)(void *user, struct driver *driver);
    void *user;
};

/* Opens its state directory and reads the journal.
 *   passive  only to read Central's tables, also beside a running driver of this id: no key, no requests
 * Errors: EV_ERR_EXISTS (in use), EV_ERR_PARSE (a journal that is not ours to read), EV_ERR_IO, .. in words.
 */
EV_MUST_CHECK enum ev_err driver_new(struct driver_shared *shared, const char *id, const char *directory,
                                     bool passive, const struct driver_callbacks *callbacks,
                                     struct driver **ret_driver, struct failure *ret_failure);
void driver_free(struct driver *driver);

/* Registers where needed, and begins to ask Central. */
void driver_start(struct driver *driver);

const struct driver_id *driver_id_of(const struct driver *driver);

/* Asks for a charge, or, where the same is asked for already and has no answer yet, stays with that.
 * Errors: EV_ERR_PARSE (id or amount), EV_ERR_FULL; in words. */
EV_MUST_CHECK enum ev_err driver_charge(struct driver *driver, const char *cp, const char *kwh,
                                        struct request_id *ret_request_id, struct failure *ret_failure);
/* How many sessions and open requests it stops. */
size_t driver_stop(struct driver *driver);

/* Reads and serves a services file. again: from its beginning even if it was served to its end before. */
EV_MUST_CHECK enum ev_err driver_serve(struct driver *driver, const char *path, bool again,
                                       struct failure *ret_failure);
/* An orderly end: a file that is served to its end is forgotten, so that the next start serves it anew. */
void driver_close_services(struct driver *driver);

/* Tables on standard output; done (may be NULL) comes later, once. */
typedef void (*driver_on_printed)(void *user, bool ok);
void driver_print_points(struct driver *driver, driver_on_printed done, void *user);
void driver_print_history(struct driver *driver, driver_on_printed done, void *user);
void driver_print_status(const struct driver *driver);

const struct requests *driver_requests(const struct driver *driver);

/* From the exchange, by driver id. */
void driver_on_record(struct driver *driver, const uint8_t *record, size_t len);
void driver_on_delivery(struct driver *driver, const struct request_id *request_id, bool delivered,
                        const char *text);

#endif
