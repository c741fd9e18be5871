/* exchange.h - this process' one Kafka client: sealed requests out, sealed notices in, for all its drivers.
 * The broker's address is Central's to tell (or --kafka): it may change while this runs. All callbacks on the
 * loop's thread. */
#ifndef EV_DRIVER_EXCHANGE_H
#define EV_DRIVER_EXCHANGE_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/runtime/failure.h"
#include "common/runtime/kafka.h"
#include "common/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_NOTICE_PARTITIONS 4 /* contract.md, Kafka */
/* How long a request waits for the broker; then it is sealed afresh, since its key may have gone. */
#define EXCHANGE_MESSAGE_TIMEOUT_MS 30000

struct exchange;

struct exchange_config {
    const char *brokers; /* --kafka: beats what Central says; NULL none */
    const char *const *properties;
    size_t property_count;
    const char *client_id;
    void (*on_record)(void *user, const struct driver_id *driver_id, const uint8_t *record, size_t len);
    void (*on_delivery)(void *user, const struct driver_id *driver_id, const struct request_id *request_id,
                        bool delivered, const char *text);
    void (*on_state)(void *user, bool up, const char *text);
    void *user;
};

EV_MUST_CHECK enum ev_err exchange_new(struct loop *loop, const struct exchange_config *config,
                                       struct exchange **ret_exchange, struct failure *ret_failure);
void exchange_free(struct exchange *exchange);

/* What Central says; the same again changes nothing. Errors: those of the Kafka client. */
EV_MUST_CHECK enum ev_err exchange_use(struct exchange *exchange, const char *brokers,
                                       struct failure *ret_failure);

/* on_delivery comes exactly once, later. Errors: EV_ERR_STATE (no broker is known yet), EV_ERR_FULL,
 * EV_ERR_TOO_LARGE, EV_ERR_NOT_FOUND, EV_ERR_IO, EV_ERR_NOMEM; then it does not come. */
EV_MUST_CHECK enum ev_err exchange_send(struct exchange *exchange, const struct driver_id *driver_id,
                                        const struct request_id *request_id, const uint8_t *record,
                                        size_t len);

bool exchange_is_up(const struct exchange *exchange);
const char *exchange_brokers(const struct exchange *exchange); /* "" before any is known */

#endif
