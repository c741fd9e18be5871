#include "common/rules/energy.h"

uint64_t energy_wh_from_wms(uint64_t energy_wms)
{
    return energy_wms / ENERGY_WMS_PER_WH;
}

enum ev_err energy_wms_from_wh(uint64_t energy_wh, uint64_t *ret_wms)
{
    if (energy_wh > ENERGY_WH_MAX) {
        return EV_ERR_RANGE;
    }
    *ret_wms = energy_wh * ENERGY_WMS_PER_WH;
    return EV_OK;
}

uint64_t energy_wms_of_power(uint32_t power_w, uint32_t speed, uint64_t elapsed_ms)
{
    /* Two 32-bit factors cannot overflow; the third is checked by division. */
    uint64_t rate = (uint64_t)power_w * speed;

    if (rate == 0 || elapsed_ms == 0) {
        return 0;
    }
    if (elapsed_ms > ENERGY_WMS_MAX / rate) {
        return ENERGY_WMS_MAX;
    }
    return rate * elapsed_ms;
}

enum ev_err energy_cost_cents(uint64_t energy_wh, uint32_t price_cents_per_kwh, uint64_t *ret_cents)
{
    if (energy_wh > ENERGY_WH_MAX || price_cents_per_kwh > PRICE_CENTS_PER_KWH_MAX) {
        return EV_ERR_RANGE;
    }
    *ret_cents = (energy_wh * price_cents_per_kwh + 500) / 1000;
    return EV_OK;
}
