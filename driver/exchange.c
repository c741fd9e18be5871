#include "driver/exchange.h"

#include "common/runtime/log.h"
#include "common/wire/seal.h"

#include <stdlib.h>
#include <string.h>

#define EXCHANGE_FLUSH_MS 1000

struct exchange {
    struct loop *loop;
    struct exchange_config config;
    char *brokers; /* in use; NULL none */
    struct kafka_producer *producer;
    struct kafka_consumer *consumer;
};

/* What a delivery report is about. */
struct parcel {
    struct driver_id driver_id;
    struct request_id request_id;
};

static void on_delivery(void *user, void *opaque, enum ev_err err, const char *text)
{
    struct exchange *exchange = user;
    struct parcel *parcel = opaque;

    exchange->config.on_delivery(exchange->config.user, &parcel->driver_id, &parcel->request_id, err == EV_OK,
                                 text);
    free(parcel);
}

static void on_record(void *user, const struct kafka_record *record)
{
    struct exchange *exchange = user;
    struct driver_id id;

    if (record->key == NULL || record->value == NULL ||
        driver_id_parse_n((const char *)record->key, record->key_len, &id) != EV_OK) {
        return;
    }
    exchange->config.on_record(exchange->config.user, &id, record->value, record->len);
}

static void on_producer_state(void *user, bool up, const char *text)
{
    struct exchange *exchange = user;

    exchange->config.on_state(exchange->config.user, up, text);
}

static void on_error(void *user, enum ev_err err, const char *text)
{
    (void)user;
    log_warn("driver.notices_error", log_str("error", ev_err_text(err)), log_str("text", text));
}

static void close_client(struct exchange *exchange)
{
    struct kafka_producer *producer = exchange->producer;

    kafka_consumer_free(exchange->consumer);
    exchange->consumer = NULL;
    exchange->producer = NULL;
    if (producer != NULL) {
        kafka_producer_free(producer, EXCHANGE_FLUSH_MS);
    }
    free(exchange->brokers);
    exchange->brokers = NULL;
}

static enum ev_err open_consumer(struct exchange *exchange, const struct kafka_config *common,
                                 struct failure *ret_failure)
{
    const struct kafka_consumer_config config = {
        .common = *common, .on_record = on_record, .on_error = on_error, .user = exchange};
    struct kafka_partition partitions[EXCHANGE_NOTICE_PARTITIONS];
    enum ev_err err = kafka_consumer_new(exchange->loop, &config, &exchange->consumer, ret_failure);

    if (err != EV_OK) {
        return err;
    }
    /* From the end: what was said before is read from Central's sessions. */
    for (int i = 0; i < EXCHANGE_NOTICE_PARTITIONS; i++) {
        partitions[i] =
            (struct kafka_partition){.topic = SEAL_TOPIC_NOTICES, .partition = i, .offset = KAFKA_OFFSET_END};
    }
    err = kafka_consumer_assign(exchange->consumer, partitions, EXCHANGE_NOTICE_PARTITIONS);
    return err == EV_OK
               ? EV_OK
               : failure_set(ret_failure, err, "cannot read %s: %s", SEAL_TOPIC_NOTICES, ev_err_text(err));
}

enum ev_err exchange_use(struct exchange *exchange, const char *brokers, struct failure *ret_failure)
{
    struct kafka_config common = {.client_id = exchange->config.client_id,
                                  .properties = exchange->config.properties,
                                  .property_count = exchange->config.property_count};
    enum ev_err err = EV_OK;

    if (exchange->config.brokers != NULL) {
        brokers = exchange->config.brokers;
    }
    if (exchange->brokers != NULL && strcmp(exchange->brokers, brokers) == 0) {
        return EV_OK;
    }
    close_client(exchange);
    common.brokers = brokers;
    struct kafka_producer_config config = {.common = common,
                                           .message_timeout_ms = EXCHANGE_MESSAGE_TIMEOUT_MS,
                                           .on_delivery = on_delivery,
                                           .on_state = on_producer_state,
                                           .user = exchange};
    err = kafka_producer_new(exchange->loop, &config, &exchange->producer, ret_failure);
    if (err == EV_OK) {
        err = open_consumer(exchange, &common, ret_failure);
    }
    if (err == EV_OK) {
        exchange->brokers = strdup(brokers);
        err = exchange->brokers != NULL ? EV_OK : EV_ERR_NOMEM;
    }
    if (err != EV_OK) {
        close_client(exchange);
    }
    return err;
}

enum ev_err exchange_new(struct loop *loop, const struct exchange_config *config,
                         struct exchange **ret_exchange, struct failure *ret_failure)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    enum ev_err err = EV_OK;

    if (exchange == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    exchange->loop = loop;
    exchange->config = *config;
    if (config->brokers != NULL) {
        err = exchange_use(exchange, config->brokers, ret_failure);
    }
    if (err != EV_OK) {
        exchange_free(exchange);
        return err;
    }
    *ret_exchange = exchange;
    return EV_OK;
}

void exchange_free(struct exchange *exchange)
{
    if (exchange != NULL) {
        close_client(exchange);
        free(exchange);
    }
}

enum ev_err exchange_send(struct exchange *exchange, const struct driver_id *driver_id,
                          const struct request_id *request_id, const uint8_t *record, size_t len)
{
    struct parcel *parcel = NULL;
    enum ev_err err = EV_ERR_NOMEM;

    if (exchange->producer == NULL) {
        return EV_ERR_STATE;
    }
    parcel = malloc(sizeof *parcel);
    if (parcel == NULL) {
        return EV_ERR_NOMEM;
    }
    *parcel = (struct parcel){.driver_id = *driver_id, .request_id = *request_id};
    err = kafka_producer_send(exchange->producer, SEAL_TOPIC_REQUESTS, driver_id->text,
                              strlen(driver_id->text), record, len, parcel);
    if (err != EV_OK) {
        free(parcel);
    }
    return err;
}

bool exchange_is_up(const struct exchange *exchange)
{
    return exchange->producer != NULL && kafka_producer_is_up(exchange->producer);
}

const char *exchange_brokers(const struct exchange *exchange)
{
    return exchange->brokers != NULL ? exchange->brokers : "";
}
