#include "common/runtime/kafka_internal.h"

#include "common/runtime/limits.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct topic_wanted {
    char *topic;
    int partitions;
    bool compacted;
    bool exists;
    int found_partitions;
};

struct kafka_query {
    struct loop_mailbox *mailbox;
    struct kafka_settings settings;
    void (*work)(struct kafka_query *query, rd_kafka_t *handle); /* on the thread */
    struct topic_wanted *topics;
    size_t topic_count;
    int timeout_ms;
    /* the answer */
    enum ev_err err;
    struct failure failure;
    char *cluster_id;
    struct kafka_offsets *offsets;
    size_t offset_count;
    /* the loop's thread only; all NULL: cancelled */
    kafka_on_done on_done;
    kafka_on_cluster_id on_cluster_id;
    kafka_on_offsets on_offsets;
    void *user;
};

static void query_free(void *arg)
{
    struct kafka_query *query = arg;
    for (size_t i = 0; i < query->topic_count; i++) {
        free(query->topics[i].topic);
    }
    free(query->topics);
    free(query->cluster_id);
    free(query->offsets);
    kafka_settings_fini(&query->settings);
    loop_mailbox_put(query->mailbox);
    free(query);
}

/* On the loop. */
static void query_finish(void *arg)
{
    struct kafka_query *query = arg;
    const char *text = query->failure.text;
    if (query->on_done != NULL) {
        query->on_done(query->user, query->err, text);
    } else if (query->on_cluster_id != NULL) {
        query->on_cluster_id(query->user, query->err, query->err == EV_OK ? query->cluster_id : text);
    } else if (query->on_offsets != NULL) {
        bool good = query->err == EV_OK;
        query->on_offsets(query->user, query->err, text, good ? query->offsets : NULL,
                          good ? query->offset_count : 0);
    }
    query_free(query);
}

static void *query_main(void *arg)
{
    struct kafka_query *query = arg;
    rd_kafka_conf_t *conf = NULL;
    char error[256] = "";
    query->err = kafka_conf_new(&query->settings, NULL, &conf, &query->failure);
    if (query->err == EV_OK) {
        rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
        if (handle == NULL) {
            rd_kafka_conf_destroy(conf);
            query->err = failure_set(&query->failure, EV_ERR_USAGE, "Kafka: %s", error);
        } else {
            query->work(query, handle);
            rd_kafka_destroy(handle);
        }
    }
    loop_mailbox_post(query->mailbox, query_finish, query_free, query);
    return NULL;
}

static void query_fail(struct kafka_query *query, rd_kafka_resp_err_t code, const char *what)
{
    enum ev_err err = kafka_err(code);
    query->err =
        err == EV_ERR_TIMEOUT
            ? failure_set(&query->failure, err, "Kafka at %s cannot be reached", query->settings.brokers)
            : failure_set(&query->failure, err, "%s: %s", what, rd_kafka_err2str(code));
}

static enum ev_err query_new(struct loop *loop, const struct kafka_config *config, int timeout_ms,
                             size_t topic_count, struct kafka_query **ret_query)
{
    struct kafka_query *query = calloc(1, sizeof *query);
    if (query == NULL) {
        return EV_ERR_NOMEM;
    }
    query->mailbox = loop_mailbox_get(loop);
    query->timeout_ms = timeout_ms;
    query->topics = calloc(topic_count + 1, sizeof *query->topics);
    if (query->topics == NULL || kafka_settings_copy(config, &query->settings) != EV_OK) {
        query_free(query);
        return EV_ERR_NOMEM;
    }
    *ret_query = query;
    return EV_OK;
}

static bool query_add_topic(struct kafka_query *query, const char *topic, int partitions, bool compacted)
{
    struct topic_wanted *wanted = &query->topics[query->topic_count];
    *wanted = (struct topic_wanted){.topic = strdup(topic), .partitions = partitions, .compacted = compacted};
    query->topic_count += wanted->topic != NULL;
    return wanted->topic != NULL;
}

static enum ev_err query_start(struct kafka_query *query, struct kafka_query **ret_query)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread, &attributes, query_main, query);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) {
        query_free(query);
        return EV_ERR_NOMEM;
    }
    *ret_query = query;
    return EV_OK;
}

void kafka_query_cancel(struct kafka_query *query)
{
    if (query != NULL) {
        query->on_done = NULL;
        query->on_cluster_id = NULL;
        query->on_offsets = NULL;
    }
}

/* --- what exists --- */

/* Asks for all topics: to ask for one by name may create it. */
static bool query_look_up_topics(struct kafka_query *query, rd_kafka_t *handle)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 1, NULL, &metadata, query->timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        query_fail(query, code, "metadata");
        return false;
    }
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *found = &metadata->topics[i];
        for (size_t j = 0; j < query->topic_count; j++) {
            struct topic_wanted *wanted = &query->topics[j];
            if (strcmp(wanted->topic, found->topic) == 0 && found->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                wanted->exists = true;
                wanted->found_partitions = found->partition_cnt;
            }
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* --- creating topics --- */

static rd_kafka_NewTopic_t *new_topic(const struct topic_wanted *wanted)
{
    char error[256] = "";
    /* Replication as the broker is configured: 1 on one broker, more in a cluster. */
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(wanted->topic, wanted->partitions, -1, error, sizeof error);
    EV_ASSERT(topic != NULL); /* names and counts are ours */
    if (wanted->compacted) {
        rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
    }
    return topic;
}

static void query_read_created(struct kafka_query *query, rd_kafka_event_t *event)
{
    size_t count = 0;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        query_fail(query, code, "the topics cannot be created");
        return;
    }
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
    for (size_t i = 0; i < count; i++) {
        code = rd_kafka_topic_result_error(topics[i]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            const char *text = rd_kafka_topic_result_error_string(topics[i]);
            query->err = failure_set(&query->failure, kafka_err(code), "topic %s cannot be created: %s",
                                     rd_kafka_topic_result_name(topics[i]),
                                     text != NULL ? text : rd_kafka_err2str(code));
            return;
        }
    }
}

static void work_create_topics(struct kafka_query *query, rd_kafka_t *handle)
{
    rd_kafka_NewTopic_t *missing[64] = {NULL};
    size_t count = 0;
    if (!query_look_up_topics(query, handle)) {
        return;
    }
    for (size_t i = 0; i < query->topic_count; i++) {
        if (!query->topics[i].exists) {
            missing[count++] = new_topic(&query->topics[i]);
        }
    }
    if (count == 0) {
        return;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char error[256] = "";
    rd_kafka_AdminOptions_set_request_timeout(options, query->timeout_ms, error, sizeof error);
    rd_kafka_CreateTopics(handle, missing, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, query->timeout_ms + 1000);
    if (event == NULL) {
        query_fail(query, RD_KAFKA_RESP_ERR__TIMED_OUT, "");
    } else {
        query_read_created(query, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(missing, count);
}

enum ev_err kafka_create_topics(struct loop *loop, const struct kafka_config *config,
                                const struct kafka_topic_spec *topics, size_t count, int timeout_ms,
                                kafka_on_done on_done, void *user, struct kafka_query **ret_query)
{
    struct kafka_query *query = NULL;
    EV_ASSERT(count <= 64);
    enum ev_err err = query_new(loop, config, timeout_ms, count, &query);
    if (err != EV_OK) {
        return err;
    }
    query->work = work_create_topics;
    query->on_done = on_done;
    query->user = user;
    for (size_t i = 0; i < count; i++) {
        if (!query_add_topic(query, topics[i].topic, topics[i].partitions, topics[i].compacted)) {
            query_free(query);
            return EV_ERR_NOMEM;
        }
    }
    return query_start(query, ret_query);
}

/* --- cluster id --- */

static void work_cluster_id(struct kafka_query *query, rd_kafka_t *handle)
{
    char *cluster_id = rd_kafka_clusterid(handle, query->timeout_ms);
    if (cluster_id == NULL) {
        query_fail(query, RD_KAFKA_RESP_ERR__TIMED_OUT, "");
        return;
    }
    query->cluster_id = strdup(cluster_id);
    rd_kafka_mem_free(handle, cluster_id);
    query->err = query->cluster_id != NULL ? EV_OK : EV_ERR_NOMEM;
}

enum ev_err kafka_cluster_id(struct loop *loop, const struct kafka_config *config, int timeout_ms,
                             kafka_on_cluster_id on_cluster_id, void *user, struct kafka_query **ret_query)
{
    struct kafka_query *query = NULL;
    enum ev_err err = query_new(loop, config, timeout_ms, 0, &query);
    if (err != EV_OK) {
        return err;
    }
    query->work = work_cluster_id;
    query->on_cluster_id = on_cluster_id;
    query->user = user;
    return query_start(query, ret_query);
}

/* --- offsets --- */

static bool query_topic_offsets(struct kafka_query *query, rd_kafka_t *handle,
                                const struct topic_wanted *wanted)
{
    for (int32_t partition = 0; partition < wanted->found_partitions; partition++) {
        struct kafka_offsets *offsets = &query->offsets[query->offset_count];
        offsets->topic = wanted->topic;
        offsets->partition = partition;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            handle, wanted->topic, partition, &offsets->begin, &offsets->end, query->timeout_ms);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            query_fail(query, code, wanted->topic);
            return false;
        }
        query->offset_count++;
    }
    return true;
}

static void work_offsets(struct kafka_query *query, rd_kafka_t *handle)
{
    size_t total = 0;
    if (!query_look_up_topics(query, handle)) {
        return;
    }
    for (size_t i = 0; i < query->topic_count; i++) {
        if (!query->topics[i].exists) {
            query->err = failure_set(&query->failure, EV_ERR_NOT_FOUND, "topic %s does not exist",
                                     query->topics[i].topic);
            return;
        }
        total += (size_t)query->topics[i].found_partitions;
    }
    query->offsets = calloc(total + 1, sizeof *query->offsets);
    if (query->offsets == NULL) {
        query->err = failure_set(&query->failure, EV_ERR_NOMEM, "out of memory");
        return;
    }
    for (size_t i = 0; i < query->topic_count; i++) {
        if (!query_topic_offsets(query, handle, &query->topics[i])) {
            return;
        }
    }
}

enum ev_err kafka_query_offsets(struct loop *loop, const struct kafka_config *config,
                                const char *const *topics, size_t topic_count, int timeout_ms,
                                kafka_on_offsets on_offsets, void *user, struct kafka_query **ret_query)
{
    struct kafka_query *query = NULL;
    enum ev_err err = query_new(loop, config, timeout_ms, topic_count, &query);
    if (err != EV_OK) {
        return err;
    }
    query->work = work_offsets;
    query->on_offsets = on_offsets;
    query->user = user;
    for (size_t i = 0; i < topic_count; i++) {
        if (!query_add_topic(query, topics[i], 0, false)) {
            query_free(query);
            return EV_ERR_NOMEM;
        }
    }
    return query_start(query, ret_query);
}
