/* bench_fill: seals COUNT telemetry samples of CPS charge points, round robin, and puts them on ev.telemetry.
 * Keys and ids follow from the number of the charge point alone, as run.py puts them into Central's database.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/wire/sample.h"
#include "common/wire/seal.h"

#define ENERGY_STEP_WMS UINT64_C(1000000)

static rd_kafka_t *new_producer(const char *brokers)
{
    static const char *const SETTINGS[][2] = {{"linger.ms", "20"},
                                              {"batch.size", "262144"},
                                              {"enable.idempotence", "true"},
                                              {"queue.buffering.max.messages", "1000000"}};
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) != RD_KAFKA_CONF_OK)
        return NULL;
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++)
        (void)rd_kafka_conf_set(conf, SETTINGS[i][0], SETTINGS[i][1], text, sizeof text);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
}

static size_t make_record(unsigned cp, uint64_t sequence, uint8_t record[SEAL_RECORD_MAX], char ret_id[16])
{
    struct seal_key key;
    struct telemetry_sample sample = {.kind = SAMPLE_LIVE, .soc_permille = 500, .power_w = 50000};
    uint8_t plain[SAMPLE_SIZE];
    size_t len = 0;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(ret_id, 16, "B-%05u", cp);
    memset(&key, (int)(cp % 251) + 1, sizeof key);
    (void)snprintf(sample.session_id.text, sizeof sample.session_id.text, "01ARZ3NDEKTSV4RRFFQ69%05u", cp);
    sample.at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    sample.energy_wms = sequence * ENERGY_STEP_WMS;
    if (sample_encode(&sample, plain) != EV_OK ||
        seal_record(&key, SEAL_TOPIC_TELEMETRY, ret_id, strlen(ret_id), 1, sequence, plain, sizeof plain,
                    record, SEAL_RECORD_MAX, &len) != EV_OK)
        return 0;
    return len;
}

int main(int argc, char *argv[])
{
    if (argc != 4) {
        (void)fputs("bench_fill BROKERS CPS COUNT\n", stderr);
        return 2;
    }
    unsigned cps = (unsigned)strtoul(argv[2], NULL, 10);
    unsigned long count = strtoul(argv[3], NULL, 10);
    rd_kafka_t *producer = new_producer(argv[1]);
    if (producer == NULL || seal_init() != EV_OK || cps == 0)
        return 1;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, SEAL_TOPIC_TELEMETRY, NULL);
    for (unsigned long i = 0; i < count; i++) {
        uint8_t record[SEAL_RECORD_MAX];
        char id[16];
        size_t len = make_record((unsigned)(i % cps), i / cps + 1, record, id);
        if (len == 0)
            return 1;
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, record, len, id,
                                strlen(id), NULL) != 0)
            (void)rd_kafka_poll(producer, 10); /* the queue is full: wait for the broker */
        (void)rd_kafka_poll(producer, 0);
    }
    rd_kafka_resp_err_t err = rd_kafka_flush(producer, 60000);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : 1;
}
