/* kafka_link.h - finds out which broker log this is before anything is read from it: cluster id, topics
 * (created when missing), partitions and their ends. Then attaches telemetry_ingest and request_ingest; again
 * when the broker comes back as another log. Kafka may be away at start and at any time. */
#ifndef EV_CENTRAL_KAFKA_LINK_H
#define EV_CENTRAL_KAFKA_LINK_H

#include "common/rules/ev_err.h"

#include <stdbool.h>

struct central;
struct kafka_link;

#define CENTRAL_TOPIC_TELEMETRY "ev.telemetry"
#define CENTRAL_TOPIC_REQUESTS "ev.requests"
#define CENTRAL_TOPIC_NOTICES "ev.notices"
#define CENTRAL_TOPIC_STATUS "ev.status"

/* Errors: EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err kafka_link_new(struct central *central, struct kafka_link **ret_link);
/* NULL is accepted. */
void kafka_link_free(struct kafka_link *link);

/* A consumer's connection came or went. */
void kafka_link_on_state(struct kafka_link *link, bool up, const char *text);

#endif
