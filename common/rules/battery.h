/* battery.h - the simulated car's battery: how much power it takes, and what that adds.
 * Pure integer arithmetic, so equal inputs give equal outputs everywhere. Used by cp_engine/supply.
 * Curve: the charger's full power up to 80 %, then a linear taper to 10 % of it at 100 %, in steps of one
 * permille of charge. Speed scales the battery alone; power stays real.
 * Invariants: stored energy never falls and never exceeds the capacity; delivered never exceeds the limit. */
#ifndef EV_RULES_BATTERY_H
#define EV_RULES_BATTERY_H

#include "common/rules/energy.h"
#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stdint.h>

#define BATTERY_CAPACITY_WH_MAX UINT32_C(10000000)
#define BATTERY_TAPER_PERMILLE 800
#define BATTERY_STEP_MS_MAX UINT64_C(86400000) /* one day */
#define BATTERY_NO_LIMIT UINT64_MAX

struct battery {
    uint64_t capacity_wms;
    uint64_t stored_wms;
    uint32_t max_power_w; /* of the charger */
};

struct battery_output {
    uint64_t delivered_wms; /* added to the battery in this step, to be added to the session's meter */
    uint32_t power_w; /* mean of the step, in real watts; at elapsed 0 what the battery would take now */
    bool full;
    bool at_limit; /* the whole limit was delivered */
};

/*   capacity_wh   1 .. BATTERY_CAPACITY_WH_MAX;  soc_permille  0 .. 1000
 *   max_power_w   1 .. ENERGY_POWER_W_MAX
 * Errors: EV_ERR_RANGE. */
EV_MUST_CHECK enum ev_err battery_init(struct battery *battery, uint32_t capacity_wh, uint32_t soc_permille,
                                       uint32_t max_power_w);

/* Charges for elapsed_ms of real time.
 *   elapsed_ms  0 .. BATTERY_STEP_MS_MAX;  speed  1 .. ENERGY_SPEED_MAX
 *   limit_wms   what may be delivered at most in this step (target minus meter), or BATTERY_NO_LIMIT
 * Errors: EV_ERR_RANGE. */
EV_MUST_CHECK enum ev_err battery_step(struct battery *battery, uint64_t elapsed_ms, uint32_t speed,
                                       uint64_t limit_wms, struct battery_output *ret_output);

/* What it takes at its present charge, W; 0 when full. */
uint32_t battery_power_w(const struct battery *battery);

/* 0 .. 1000, rounded down: 1000 only when full. */
uint32_t battery_soc_permille(const struct battery *battery);

#endif
