/* notices.h - opens what Central tells this driver over Kafka: sealed for it alone, in order, as hints.
 * Pure. Used by driver.c. */
#ifndef EV_DRIVER_NOTICES_H
#define EV_DRIVER_NOTICES_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/wire/notice.h"
#include "driver/keys.h"

#include <stddef.h>
#include <stdint.h>

/* Opens and decodes a record of ev.notices whose Kafka key is this driver's id. Its sequence counts as seen.
 * Errors: EV_ERR_UNKNOWN_KEY (an epoch that is not ours), EV_ERR_REPLAY, EV_ERR_AUTH, EV_ERR_PARSE,
 * EV_ERR_RANGE, EV_ERR_TOO_LARGE, EV_ERR_UNSUPPORTED, EV_ERR_NOMEM; output untouched. */
EV_MUST_CHECK enum ev_err notices_open(struct keys *keys, const struct driver_id *driver_id,
                                       const uint8_t *record, size_t len, struct notice *ret_notice);

#endif
