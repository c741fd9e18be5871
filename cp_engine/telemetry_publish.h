/* telemetry_publish.h - seals the samples of all charge points of a process and produces them to Kafka.
 * Mirrors central/telemetry_ingest. One producer; every charge point has a key of its own. Samples without a
 * key are counted and dropped, never sent in clear: the journal and the control connection carry the meter
 * too. While the broker is away records wait in a bounded queue; near its cap live samples are thinned and
 * counted, final ones are kept. */
#ifndef EV_CP_ENGINE_TELEMETRY_PUBLISH_H
#define EV_CP_ENGINE_TELEMETRY_PUBLISH_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/runtime/failure.h"
#include "common/runtime/loop.h"
#include "common/wire/message.h"
#include "common/wire/sample.h"
#include "common/wire/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The key of one charge point and where its sequence stands. All zero: none. */
struct telemetry_key {
    struct seal_key key;
    uint32_t epoch;         /* 0: none */
    uint32_t thinned_run;   /* live samples left out since the last one sent */
    uint64_t last_sequence; /* of this epoch; the first is 1 */
};

/* Pure: takes a new key over the old one, which is wiped, and says what the old one's last sequence was.
 * The same epoch again changes nothing. */
void telemetry_key_replace(struct telemetry_key *current, const struct message_key *next,
                           struct message_key_ack *ret_ack);
void telemetry_key_wipe(struct telemetry_key *key);

struct telemetry_publish;

struct telemetry_counts {
    uint64_t sent;    /* handed to the producer */
    uint64_t thinned; /* live samples left out because the queue was full */
    uint64_t keyless; /* samples without a key */
    uint64_t lost;    /* given up by the producer */
    size_t queued;    /* waiting for the broker */
    bool up;          /* the broker answers */
};

/*   kafka       the program's own --kafka, or NULL: the address comes with the keys
 *   properties  of -X; outlive it */
EV_MUST_CHECK enum ev_err telemetry_publish_new(struct loop *loop, const char *kafka,
                                                const char *const *properties, size_t property_count,
                                                struct telemetry_publish **ret_publish,
                                                struct failure *ret_failure);
/* Waits a moment for what is queued. */
void telemetry_publish_free(struct telemetry_publish *publish);

/* The broker's address as Central gives it; ignored where the program has its own. */
void telemetry_publish_set_kafka(struct telemetry_publish *publish, const char *kafka);

void telemetry_publish_sample(struct telemetry_publish *publish, struct telemetry_key *key,
                              const struct cp_id *cp_id, const struct telemetry_sample *sample);

void telemetry_publish_count(const struct telemetry_publish *publish, struct telemetry_counts *ret_counts);

#endif
