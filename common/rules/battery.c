#include "common/rules/battery.h"

#define PERMILLE 1000U
#define TAPER_SPAN ((uint64_t)(PERMILLE - BATTERY_TAPER_PERMILLE))

/* The most that one step multiplies: power x (day in ms x speed) fits 64 bits, so nothing below overflows. */
_Static_assert((uint64_t)ENERGY_POWER_W_MAX *ENERGY_SPEED_MAX <= UINT64_MAX / BATTERY_STEP_MS_MAX,
               "a step's energy fits 64 bits");

enum ev_err battery_init(struct battery *battery, uint32_t capacity_wh, uint32_t soc_permille,
                         uint32_t max_power_w)
{
    if (capacity_wh == 0 || capacity_wh > BATTERY_CAPACITY_WH_MAX || soc_permille > PERMILLE ||
        max_power_w == 0 || max_power_w > ENERGY_POWER_W_MAX) {
        return EV_ERR_RANGE;
    }
    battery->capacity_wms = (uint64_t)capacity_wh * ENERGY_WMS_PER_WH;
    /* 1 Wh is a multiple of 1000 W ms, so every permille is exact. */
    battery->stored_wms = battery->capacity_wms / PERMILLE * soc_permille;
    battery->max_power_w = max_power_w;
    return EV_OK;
}

uint32_t battery_soc_permille(const struct battery *battery)
{
    return (uint32_t)(battery->stored_wms / (battery->capacity_wms / PERMILLE));
}

uint32_t battery_power_w(const struct battery *battery)
{
    uint64_t soc = battery_soc_permille(battery);
    uint64_t power = 0;

    if (soc >= PERMILLE) {
        return 0;
    }
    if (soc <= BATTERY_TAPER_PERMILLE) {
        return battery->max_power_w;
    }
    /* max x (1 - 0.9 x share of the taper), in integers. */
    power = (uint64_t)battery->max_power_w * (10 * TAPER_SPAN - 9 * (soc - BATTERY_TAPER_PERMILLE)) /
            (10 * TAPER_SPAN);
    return power > 0 ? (uint32_t)power : 1;
}

/* Up to which stored energy the present power holds: the end of the full-power part, or of this permille. */
static uint64_t next_edge(const struct battery *battery)
{
    uint64_t cell = battery->capacity_wms / PERMILLE;
    uint32_t soc = battery_soc_permille(battery);

    return cell * (soc <= BATTERY_TAPER_PERMILLE ? BATTERY_TAPER_PERMILLE + 1 : soc + 1);
}

enum ev_err battery_step(struct battery *battery, uint64_t elapsed_ms, uint32_t speed, uint64_t limit_wms,
                         struct battery_output *ret_output)
{
    uint64_t total_ms = 0;
    uint64_t left_ms = 0;
    uint64_t delivered = 0;
    uint32_t power = battery_power_w(battery);

    if (elapsed_ms > BATTERY_STEP_MS_MAX || speed == 0 || speed > ENERGY_SPEED_MAX) {
        return EV_ERR_RANGE;
    }
    total_ms =
        elapsed_ms * speed; /* battery's time: at most 200 rounds, one for each permille of the taper */
    left_ms = total_ms;
    while (left_ms > 0 && power > 0 && delivered < limit_wms) {
        uint64_t room = next_edge(battery) - battery->stored_wms;
        uint64_t chunk = power * left_ms;

        if (room > limit_wms - delivered) {
            room = limit_wms - delivered;
        }
        if (chunk > room) {
            chunk = room;
        }
        battery->stored_wms += chunk;
        delivered += chunk;
        /* Part of a millisecond counts as a whole one: never more energy than time allows. */
        left_ms -= (chunk + power - 1) / power;
        power = battery_power_w(battery);
    }
    ret_output->delivered_wms = delivered;
    ret_output->power_w = total_ms > 0 ? (uint32_t)(delivered / total_ms) : power;
    ret_output->full = battery->stored_wms == battery->capacity_wms;
    ret_output->at_limit = delivered == limit_wms;
    return EV_OK;
}
