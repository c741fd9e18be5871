/* kafka_internal.h - what the three kafka_*.c files share; nobody else includes it. */
#ifndef EV_RUNTIME_KAFKA_INTERNAL_H
#define EV_RUNTIME_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>

#include "common/runtime/kafka.h"

#define KAFKA_TICK_MS 100 /* polls without a wake: an idle consumer that is never polled is expelled */

/* One librdkafka client on the loop. */
struct kafka_client {
    struct loop *loop;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct loop_watch *watch;
    struct loop_timer *tick;
    int event_fd;
    bool known, up, fatal;
    char text[256]; /* of the last error */
    kafka_on_state on_state;
    void *on_state_user;
    void (*serve)(void *owner); /* called on wakes and ticks */
    void *owner;
};

/* A configuration with what all clients share and then the caller's properties. The caller owns *ret_conf.
 * Errors: EV_ERR_USAGE, named in the failure. */
EV_MUST_CHECK enum ev_err kafka_conf_new(const struct kafka_config *config, rd_kafka_conf_t **ret_conf,
                                         struct failure *ret_failure);
/* Sets one of ours; asserts that librdkafka knows it. */
void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);
/* The caller's properties, which beat ours. */
EV_MUST_CHECK enum ev_err kafka_conf_set_properties(rd_kafka_conf_t *conf, const struct kafka_config *config,
                                                    struct failure *ret_failure);

/* Takes conf (also on failure); its opaque is the kafka_client. serve, owner, on_state are set before. */
EV_MUST_CHECK enum ev_err kafka_client_init(struct kafka_client *client, struct loop *loop,
                                            rd_kafka_type_t type, rd_kafka_conf_t *conf,
                                            struct failure *ret_failure);
void kafka_client_fini(struct kafka_client *client);
/* There is more to serve: wake again. */
void kafka_client_wake(struct kafka_client *client);

enum ev_err kafka_error_of(rd_kafka_resp_err_t err);

#endif
