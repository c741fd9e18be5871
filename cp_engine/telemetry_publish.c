#include "cp_engine/telemetry_publish.h"

#include "common/runtime/kafka.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above half of the queue every tenth live sample goes out; above nine tenths none: the rest is for finals.
 */
#define THIN_ABOVE (KAFKA_PRODUCER_QUEUE_MAX / 2)
#define THIN_KEEP_ONE_IN 10
#define LIVE_NONE_ABOVE ((size_t)KAFKA_PRODUCER_QUEUE_MAX / 10 * 9)
#define FLUSH_MS 2000 /* at an orderly end */

struct telemetry_publish {
    struct loop *loop;
    char kafka[MESSAGE_KAFKA_SIZE]; /* "": not known yet */
    bool fixed;                     /* by --kafka */
    const char *const *properties;
    size_t property_count;
    struct kafka_producer *producer; /* NULL until the address is known */
    bool thinning;
    struct telemetry_counts counts;
};

void telemetry_key_wipe(struct telemetry_key *key)
{
    seal_key_wipe(&key->key);
    memset(key, 0, sizeof *key);
}

void telemetry_key_replace(struct telemetry_key *current, const struct message_key *next,
                           struct message_key_ack *ret_ack)
{
    *ret_ack = (struct message_key_ack){.epoch = next->epoch, .old_last_sequence = -1};
    if (current->epoch == next->epoch) {
        return;
    }
    if (current->epoch != 0) {
        ret_ack->old_epoch = current->epoch;
        ret_ack->old_last_sequence = (int64_t)current->last_sequence;
    }
    telemetry_key_wipe(current);
    current->key = next->key;
    current->epoch = next->epoch;
}

static void on_delivery(void *user, void *opaque, enum ev_err err, const char *text)
{
    struct telemetry_publish *publish = user;

    (void)opaque;
    if (err == EV_OK) {
        return;
    }
    publish->counts.lost++;
    if (publish->counts.lost % 1000 == 1) {
        log_warn("telemetry.lost", log_uint("records", publish->counts.lost), log_str("reason", text));
    }
}

static void on_state(void *user, bool up, const char *text)
{
    struct telemetry_publish *publish = user;

    if (up) {
        log_info("kafka.up", log_str("kafka", publish->kafka),
                 log_uint("waiting", kafka_producer_queued(publish->producer)));
    } else {
        log_warn("kafka.down", log_str("kafka", publish->kafka), log_str("reason", text),
                 log_str("note", "telemetry is kept and sent later; supply and control are not affected"));
    }
}

static void producer_make(struct telemetry_publish *publish)
{
    struct failure failure = {{0}};
    const struct kafka_producer_config config = {.common = {.brokers = publish->kafka,
                                                            .client_id = "ev_cp_engine",
                                                            .properties = publish->properties,
                                                            .property_count = publish->property_count},
                                                 .on_delivery = on_delivery,
                                                 .on_state = on_state,
                                                 .user = publish};

    if (kafka_producer_new(publish->loop, &config, &publish->producer, &failure) != EV_OK) {
        publish->producer = NULL;
        log_error("kafka.unusable", log_str("kafka", publish->kafka), log_str("reason", failure.text));
    }
}

enum ev_err telemetry_publish_new(struct loop *loop, const char *kafka, const char *const *properties,
                                  size_t property_count, struct telemetry_publish **ret_publish,
                                  struct failure *ret_failure)
{
    struct telemetry_publish *publish = calloc(1, sizeof *publish);

    if (publish == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    publish->loop = loop;
    publish->properties = properties;
    publish->property_count = property_count;
    if (kafka != NULL) {
        if (strlen(kafka) >= sizeof publish->kafka) {
            free(publish);
            return failure_set(ret_failure, EV_ERR_TOO_LARGE, "--kafka is longer than %d characters",
                               MESSAGE_KAFKA_SIZE - 1);
        }
        publish->fixed = true;
        (void)snprintf(publish->kafka, sizeof publish->kafka, "%s", kafka);
        producer_make(publish);
        if (publish->producer == NULL) {
            free(publish);
            return failure_set(ret_failure, EV_ERR_USAGE, "the Kafka client refuses its properties (-X)");
        }
    }
    *ret_publish = publish;
    return EV_OK;
}

void telemetry_publish_free(struct telemetry_publish *publish)
{
    if (publish == NULL) {
        return;
    }
    if (publish->producer != NULL) {
        kafka_producer_free(publish->producer, kafka_producer_is_up(publish->producer) ? FLUSH_MS : 0);
    }
    free(publish);
}

void telemetry_publish_set_kafka(struct telemetry_publish *publish, const char *kafka)
{
    if (publish->fixed || kafka[0] == '\0' || strcmp(publish->kafka, kafka) == 0) {
        return;
    }
    if (publish->producer != NULL) {
        log_warn("kafka.moved", log_str("from", publish->kafka), log_str("to", kafka),
                 log_uint("given_up", kafka_producer_queued(publish->producer)));
        kafka_producer_free(publish->producer, 0);
        publish->producer = NULL;
    }
    (void)snprintf(publish->kafka, sizeof publish->kafka, "%s", kafka);
    producer_make(publish);
}

/* May this live sample go out, as full as the queue is? */
static bool take_live(struct telemetry_publish *publish, struct telemetry_key *key)
{
    size_t queued = kafka_producer_queued(publish->producer);

    if (queued < THIN_ABOVE) {
        if (publish->thinning) {
            publish->thinning = false;
            log_info("telemetry.full_rate", log_uint("left_out", publish->counts.thinned));
        }
        return true;
    }
    if (!publish->thinning) {
        publish->thinning = true;
        log_warn("telemetry.thinned", log_uint("waiting", queued),
                 log_str("note",
                         "live samples are left out until Kafka takes records again; meters are journalled"));
    }
    if (queued < LIVE_NONE_ABOVE && key->thinned_run + 1 >= THIN_KEEP_ONE_IN) {
        return true;
    }
    key->thinned_run++;
    publish->counts.thinned++;
    return false;
}

void telemetry_publish_sample(struct telemetry_publish *publish, struct telemetry_key *key,
                              const struct cp_id *cp_id, const struct telemetry_sample *sample)
{
    uint8_t plain[SAMPLE_SIZE];
    uint8_t record[SAMPLE_SIZE + SEAL_OVERHEAD];
    size_t len = 0;
    size_t cp_id_len = strlen(cp_id->text);

    if (key->epoch == 0 || publish->producer == NULL) {
        publish->counts.keyless++;
        return;
    }
    if (sample->kind == SAMPLE_LIVE && !take_live(publish, key)) {
        return;
    }
    enum ev_err err = sample_encode(sample, plain);
    if (err == EV_OK) {
        err = seal_record(&key->key, SEAL_TOPIC_TELEMETRY, cp_id->text, cp_id_len, key->epoch,
                          key->last_sequence + 1, plain, sizeof plain, record, sizeof record, &len);
    }
    if (err != EV_OK) {
        log_error("telemetry.unsealed", log_str("cp", cp_id->text), log_str("reason", ev_err_text(err)));
        return;
    }
    err = kafka_producer_send(publish->producer, SEAL_TOPIC_TELEMETRY, cp_id->text, cp_id_len, record, len,
                              NULL);
    if (err != EV_OK) {
        publish->counts.thinned++;
        return; /* the sequence is not used up: no gap */
    }
    key->last_sequence++;
    key->thinned_run = 0;
    publish->counts.sent++;
}

void telemetry_publish_count(const struct telemetry_publish *publish, struct telemetry_counts *ret_counts)
{
    *ret_counts = publish->counts;
    ret_counts->up = publish->producer != NULL && kafka_producer_is_up(publish->producer);
    ret_counts->queued = publish->producer != NULL ? kafka_producer_queued(publish->producer) : 0;
}
