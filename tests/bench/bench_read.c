/* bench_read: what a bare consumer reads from ev.telemetry: COUNT records from the beginning, nothing done
 * with them. Prints the seconds from the first record to the last, and the CPU seconds of this process. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PARTITIONS 16

static double seconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char *argv[])
{
    char text[256];
    if (argc != 3) {
        (void)fputs("bench_read BROKERS COUNT\n", stderr);
        return 2;
    }
    unsigned long count = strtoul(argv[2], NULL, 10), got = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof text);
    (void)rd_kafka_conf_set(conf, "group.id", "bench", text, sizeof text);
    (void)rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text);
    (void)rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    (void)rd_kafka_conf_set(conf, "fetch.wait.max.ms", "5", text, sizeof text);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (consumer == NULL)
        return 1;
    (void)rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int partition = 0; partition < PARTITIONS; partition++)
        rd_kafka_topic_partition_list_add(list, "ev.telemetry", partition)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    (void)rd_kafka_assign(consumer, list);
    double first = 0, deadline = seconds(CLOCK_MONOTONIC) + 120;
    while (got < count && seconds(CLOCK_MONOTONIC) < deadline) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && ++got == 1)
            first = seconds(CLOCK_MONOTONIC);
        rd_kafka_message_destroy(message);
    }
    (void)printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - first, seconds(CLOCK_PROCESS_CPUTIME_ID));
    rd_kafka_topic_partition_list_destroy(list);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return got == count ? 0 : 1;
}
