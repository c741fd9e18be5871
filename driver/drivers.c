#include "driver/drivers.h"

#include "common/runtime/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DIRECTORY_SIZE 4096
#define DESCRIPTORS_PER_DRIVER 2
#define DESCRIPTORS_SPARE 256

static int compare_id(const void *key, const void *item)
{
    const struct driver_id *id = key;
    const struct driver *const *driver = item;

    return strcmp(id->text, driver_id_of(*driver)->text);
}

static struct driver *find(const struct drivers *drivers, const struct driver_id *id)
{
    struct driver **found = bsearch(id, drivers->items, drivers->count, sizeof *drivers->items, compare_id);

    return found != NULL ? *found : NULL;
}

static void on_record(void *user, const struct driver_id *id, const uint8_t *record, size_t len)
{
    struct drivers *drivers = user;
    struct driver *driver = find(drivers, id);

    if (driver != NULL && !drivers->shared.closing) {
        driver_on_record(driver, record, len);
    }
}

static void on_delivery(void *user, const struct driver_id *id, const struct request_id *request_id,
                        bool delivered, const char *text)
{
    struct drivers *drivers = user;
    struct driver *driver = find(drivers, id);

    if (driver != NULL && !drivers->shared.closing) {
        driver_on_delivery(driver, request_id, delivered, text);
    }
}

static void on_state(void *user, bool up, const char *text)
{
    struct drivers *drivers = user;

    if (drivers->kafka_told && drivers->kafka_up == up) {
        return;
    }
    drivers->kafka_told = true;
    drivers->kafka_up = up;
    if (up) {
        log_info("driver.kafka_reached", log_str("text", text));
    } else {
        log_warn("driver.kafka_unreachable",
                 log_str("text", "Kafka cannot be reached: requests wait, sessions are asked for at Central"),
                 log_str("error", text));
    }
}

static void raise_descriptor_limit(size_t count)
{
    struct rlimit limit;
    rlim_t wanted = DESCRIPTORS_SPARE + (rlim_t)count * DESCRIPTORS_PER_DRIVER;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum ev_err add(struct drivers *drivers, const struct drivers_config *config, size_t number,
                       const struct driver_callbacks *callbacks, struct failure *ret_failure)
{
    char id[2 * NODE_ID_LENGTH_MAX];
    char directory[DIRECTORY_SIZE];
    int width = snprintf(NULL, 0, "%zu", config->count);
    int id_len = 0;
    int len = 0;

    if (config->count == 0) {
        id_len = snprintf(id, sizeof id, "%s", config->id);
        len = snprintf(directory, sizeof directory, "%s", config->state_dir);
    } else {
        id_len = snprintf(id, sizeof id, "%s-%0*zu", config->id, width > 4 ? width : 4, number);
        len = snprintf(directory, sizeof directory, "%s/%s", config->state_dir, id);
    }
    if (id_len < 0 || (size_t)id_len > NODE_ID_LENGTH_MAX) {
        return failure_set(ret_failure, EV_ERR_USAGE, "the id \"%.64s\" is longer than %d characters", id,
                           NODE_ID_LENGTH_MAX);
    }
    if (len < 0 || (size_t)len >= sizeof directory) {
        return failure_set(ret_failure, EV_ERR_TOO_LARGE, "the state directory's path is too long");
    }
    enum ev_err err = driver_new(&drivers->shared, id, directory, config->passive, callbacks,
                                 &drivers->items[drivers->count], ret_failure);
    drivers->count += err == EV_OK;
    return err;
}

static enum ev_err open_shared(struct drivers *drivers, const struct drivers_config *config,
                               struct failure *ret_failure)
{
    const struct exchange_config exchange = {
        .brokers = config->kafka,
        .properties = config->properties,
        .property_count = config->property_count,
        .client_id = config->id,
        .on_record = on_record,
        .on_delivery = on_delivery,
        .on_state = on_state,
        .user = drivers,
    };
    enum ev_err err = http_client_new(drivers->shared.loop, &drivers->shared.http_client);

    if (err != EV_OK) {
        return failure_set(ret_failure, err, "cannot start the HTTP client: %s", ev_err_text(err));
    }
    return exchange_new(drivers->shared.loop, &exchange, &drivers->shared.exchange, ret_failure);
}

enum ev_err drivers_init(struct drivers *drivers, struct loop *loop, const struct drivers_config *config,
                         const struct driver_callbacks *callbacks, struct failure *ret_failure)
{
    size_t count = config->count > 0 ? config->count : 1;
    enum ev_err err = EV_OK;

    *drivers = (struct drivers){
        .shared = {.loop = loop,
                   .central_url = config->central_url,
                   .registry_url = config->registry_url,
                   .invitation = config->invitation,
                   .pause_ms = config->pause_ms,
                   .many = config->count > 0,
                   .live_line = config->count == 0 && isatty(STDERR_FILENO) == 1},
    };
    raise_descriptor_limit(count);
    drivers->items = calloc(count, sizeof(struct driver *));
    err = drivers->items != NULL ? open_shared(drivers, config, ret_failure)
                                 : failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    for (size_t i = 1; err == EV_OK && i <= count; i++) {
        err = add(drivers, config, i, callbacks, ret_failure);
    }
    if (err != EV_OK) {
        drivers_fini(drivers);
    }
    return err;
}

void drivers_start(struct drivers *drivers)
{
    for (size_t i = 0; i < drivers->count; i++) {
        driver_start(drivers->items[i]);
    }
}

void drivers_fini(struct drivers *drivers)
{
    drivers->shared.closing = true;
    exchange_free(drivers->shared.exchange);
    drivers->shared.exchange = NULL;
    for (size_t i = 0; drivers->items != NULL && i < drivers->count; i++) {
        driver_free(drivers->items[i]);
    }
    free(drivers->items);
    http_client_free(drivers->shared.http_client);
    *drivers = (struct drivers){.count = 0};
}
