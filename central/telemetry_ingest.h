/* telemetry_ingest.h - sealed samples from Kafka to the fleet: header, key, replay check, seal, sample,
 * fleet_step; offsets in the same transaction. Starts without Kafka; kafka_link attaches it. */
#ifndef EV_CENTRAL_TELEMETRY_INGEST_H
#define EV_CENTRAL_TELEMETRY_INGEST_H

#include "common/runtime/kafka.h"

struct central;
struct telemetry_ingest;

EV_MUST_CHECK enum ev_err telemetry_ingest_new(struct central *central, struct telemetry_ingest **ret_ingest);
/* NULL is accepted. */
void telemetry_ingest_free(struct telemetry_ingest *ingest);
void telemetry_ingest_attach(struct telemetry_ingest *ingest, const char *cluster_id,
                             const struct kafka_offsets *offsets, size_t count);

#endif
