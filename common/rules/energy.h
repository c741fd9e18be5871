/* energy.h - energy and money in integers.
 * Inside, energy is watt-milliseconds ("wms"); at every interface it is whole Wh, rounded down.
 * Pure: no I/O, no clock. */
#ifndef EV_RULES_ENERGY_H
#define EV_RULES_ENERGY_H

#include "common/rules/ev_err.h"

#include <stdint.h>

#define ENERGY_WMS_PER_WH UINT64_C(3600000)
#define ENERGY_WH_MAX UINT64_C(1000000000) /* 1 TWh: above every meter here, far below overflow */
#define ENERGY_WMS_MAX (ENERGY_WH_MAX * ENERGY_WMS_PER_WH)
#define ENERGY_POWER_W_MAX UINT32_C(1000000)
#define ENERGY_SPEED_MAX UINT32_C(100000) /* of --speed; 1 is real time */
#define PRICE_CENTS_PER_KWH_MAX UINT32_C(1000000)

/* Whole Wh, rounded down. */
uint64_t energy_wh_from_wms(uint64_t energy_wms);

/* Errors: EV_ERR_RANGE above ENERGY_WH_MAX. */
EV_MUST_CHECK enum ev_err energy_wms_from_wh(uint64_t energy_wh, uint64_t *ret_wms);

/* power_w x speed for elapsed_ms, in wms; ENERGY_WMS_MAX where it would be more. */
uint64_t energy_wms_of_power(uint32_t power_w, uint32_t speed, uint64_t elapsed_ms);

/* cost_cents = (energy_wh * price_cents_per_kwh + 500) / 1000: rounded once, half up.
 * Errors: EV_ERR_RANGE above ENERGY_WH_MAX or PRICE_CENTS_PER_KWH_MAX. */
EV_MUST_CHECK enum ev_err energy_cost_cents(uint64_t energy_wh, uint32_t price_cents_per_kwh,
                                            uint64_t *ret_cents);

#endif
