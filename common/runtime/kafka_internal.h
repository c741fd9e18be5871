/* kafka_internal.h - what producer, consumer and queries share: making a handle, waking the loop, up or down.
 */
#ifndef EV_RUNTIME_KAFKA_INTERNAL_H
#define EV_RUNTIME_KAFKA_INTERNAL_H

#include "common/runtime/kafka.h"

#include <librdkafka/rdkafka.h>

/* A copy of a kafka_config. */
struct kafka_settings {
    char *brokers;
    char *client_id;
    char **properties;
    size_t property_count;
};

EV_MUST_CHECK enum ev_err kafka_settings_copy(const struct kafka_config *config,
                                              struct kafka_settings *ret_settings);
void kafka_settings_fini(struct kafka_settings *settings);

struct kafka_default {
    const char *key; /* NULL ends a list */
    const char *value;
};

/* One librdkafka handle on the loop. */
struct kafka_client {
    struct loop *loop;
    struct kafka_settings settings;
    rd_kafka_t *handle;
    rd_kafka_queue_t *main_queue;
    int eventfd;
    struct loop_watch *watch;
    struct loop_timer *tick;
    loop_callback on_wake; /* serves what is there */
    kafka_on_state on_state;
    void *user;      /* of on_state */
    void *wake_user; /* of on_wake */
    bool up;
    bool told;        /* on_state was called at least once */
    bool fatal;       /* librdkafka gave this handle up: make another */
    int silent_stats; /* statistics in a row without a broker that answers */
    char down_text[300];
};

/* conf is the caller's to fill further and goes to kafka_client_start. Errors: EV_ERR_USAGE. */
EV_MUST_CHECK enum ev_err kafka_conf_new(const struct kafka_settings *settings,
                                         const struct kafka_default *defaults, rd_kafka_conf_t **ret_conf,
                                         struct failure *ret_failure);

/* Fills loop, settings, eventfd, timer; no handle yet. kafka_client_fini also after a failure. */
EV_MUST_CHECK enum ev_err kafka_client_init(struct kafka_client *client, struct loop *loop,
                                            const struct kafka_config *config, loop_callback on_wake,
                                            void *wake_user);
/* Takes conf in any case. */
EV_MUST_CHECK enum ev_err kafka_client_start(struct kafka_client *client, rd_kafka_type_t type,
                                             rd_kafka_conf_t *conf, struct failure *ret_failure);
/* Destroys the handle alone. */
void kafka_client_end(struct kafka_client *client);
void kafka_client_fini(struct kafka_client *client);

/* Makes the loop come back to on_wake. */
void kafka_client_wake(struct kafka_client *client);

/* librdkafka's code in ours. */
enum ev_err kafka_err(rd_kafka_resp_err_t code);

/* log_cb of every handle; any thread. */
void kafka_on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text);

#endif
