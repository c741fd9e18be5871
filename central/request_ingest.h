/* request_ingest.h - drivers' sealed requests from Kafka to the fleet. Requests that Kafka held from before
 * Central attached are answered `expired`, so that nobody's car starts charging hours later. A driver that
 * asks faster than any person could is not heard. */
#ifndef EV_CENTRAL_REQUEST_INGEST_H
#define EV_CENTRAL_REQUEST_INGEST_H

#include "common/runtime/kafka.h"

struct central;
struct request_ingest;

EV_MUST_CHECK enum ev_err request_ingest_new(struct central *central, struct request_ingest **ret_ingest);
/* NULL is accepted. */
void request_ingest_free(struct request_ingest *ingest);
void request_ingest_attach(struct request_ingest *ingest, const char *cluster_id,
                           const struct kafka_offsets *offsets, size_t count);

#endif
