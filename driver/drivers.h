/* drivers.h - the drivers of this process (one, or --count), what they share, and who a record is for. */
#ifndef EV_DRIVER_DRIVERS_H
#define EV_DRIVER_DRIVERS_H

#include "driver/driver.h"

/* --count: state directories and identities are held open, and each charging driver is a request every 10 s.
 */
#define DRIVERS_MAX 5000

struct drivers_config {
    const char *id;        /* ID, or the begin of ID-0001, ID-0002 .. */
    size_t count;          /* 0: one, under ID itself */
    const char *state_dir; /* of the one driver; of N: below it */
    const char *central_url;
    const char *registry_url;
    const char *invitation; /* NULL none */
    int64_t pause_ms;
    bool passive;
    const char *kafka; /* NULL: what Central says */
    const char *const *properties;
    size_t property_count;
};

struct drivers {
    struct driver_shared shared;
    struct driver **items; /* sorted by id */
    size_t count;
    bool kafka_told;
    bool kafka_up;
};

/* In place; drivers must not move afterwards. Errors in words; then nothing is left to free. */
EV_MUST_CHECK enum ev_err drivers_init(struct drivers *drivers, struct loop *loop,
                                       const struct drivers_config *config,
                                       const struct driver_callbacks *callbacks, struct failure *ret_failure);
void drivers_fini(struct drivers *drivers);
void drivers_start(struct drivers *drivers);

#endif
