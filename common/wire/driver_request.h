/* driver_request.h - what a driver asks for: the plain text of `ev.requests` (docs/protocol.md, section 3).
 * driver/requests writes it, central/request_ingest reads it. Who asks is the record's Kafka key. */
#ifndef EV_WIRE_DRIVER_REQUEST_H
#define EV_WIRE_DRIVER_REQUEST_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"

#include <stddef.h>
#include <stdint.h>

#define DRIVER_REQUEST_SIZE 256 /* room for every encoded request */

struct driver_request {
    struct request_id request_id; /* set */
    struct cp_id cp_id;           /* set; may name no charge point that exists */
    uint32_t target_wh;           /* 0: none; up to ENERGY_WH_MAX, so that the rules can answer bad_target */
    int64_t at_ms;                /* by the driver's clock: for display, never trusted */
};

/* Errors: EV_ERR_RANGE (a member), EV_ERR_TOO_LARGE (cap). */
EV_MUST_CHECK enum ev_err driver_request_encode(const struct driver_request *request, char *buf, size_t cap,
                                                size_t *ret_len);

/* Errors: EV_ERR_TOO_LARGE, EV_ERR_PARSE, EV_ERR_RANGE, EV_ERR_UNSUPPORTED (another type), EV_ERR_NOMEM;
 * output untouched. */
EV_MUST_CHECK enum ev_err driver_request_decode(const char *bytes, size_t len,
                                                struct driver_request *ret_request);

#endif
