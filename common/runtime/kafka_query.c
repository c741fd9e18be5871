/* kafka_query.c - what may take seconds: each query has a thread and a client of its own and answers on the
 * loop. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/kafka_internal.h"
#include "common/runtime/limits.h"

enum query_kind { QUERY_CREATE_TOPICS, QUERY_CLUSTER_ID, QUERY_OFFSETS };

struct topic {
    char name[64];
    int partitions;
    bool compacted;
};

struct kafka_query {
    enum query_kind kind;
    struct loop_mailbox *mailbox;
    rd_kafka_conf_t *conf;
    int timeout_ms;
    struct topic *topics;
    size_t topic_count;
    bool cancelled; /* loop thread alone */
    kafka_on_done on_done;
    kafka_on_cluster_id on_cluster_id;
    kafka_on_offsets on_offsets;
    void *user;
    enum ev_err err;
    char text[300]; /* or the cluster's id */
    struct kafka_offsets *offsets;
    size_t offset_count;
};

static void query_free(struct kafka_query *query)
{
    if (query->mailbox != NULL)
        loop_mailbox_put(query->mailbox);
    if (query->conf != NULL)
        rd_kafka_conf_destroy(query->conf);
    free(query->topics);
    free(query->offsets);
    free(query);
}

void kafka_query_cancel(struct kafka_query *query)
{
    if (query != NULL)
        query->cancelled = true;
}

static void answer(void *arg)
{
    struct kafka_query *query = arg;
    if (!query->cancelled) {
        switch (query->kind) {
        case QUERY_CREATE_TOPICS:
            query->on_done(query->user, query->err, query->text);
            break;
        case QUERY_CLUSTER_ID:
            query->on_cluster_id(query->user, query->err, query->text);
            break;
        case QUERY_OFFSETS:
            query->on_offsets(query->user, query->err, query->text, query->offsets, query->offset_count);
            break;
        }
    }
    query_free(query);
}

/* The loop is gone: nobody waits for the answer. */
static void drop(void *arg)
{
    query_free(arg);
}

static void fail(struct kafka_query *query, rd_kafka_resp_err_t code)
{
    bool away = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    query->err = away ? EV_ERR_TIMEOUT : kafka_error_of(code);
    (void)snprintf(query->text, sizeof query->text, "%s", rd_kafka_err2str(code));
}

static const rd_kafka_metadata_topic_t *find_topic(const rd_kafka_metadata_t *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0 &&
            metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return &metadata->topics[i];
    }
    return NULL;
}

/* ---- creating topics ---- */

static rd_kafka_NewTopic_t *new_topic(const struct topic *topic)
{
    char text[256];
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic->name, topic->partitions, -1, text, sizeof text);
    if (made != NULL && topic->compacted)
        (void)rd_kafka_NewTopic_set_config(made, "cleanup.policy", "compact");
    return made;
}

static void read_created(struct kafka_query *query, rd_kafka_event_t *event)
{
    size_t count = 0;
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_resp_err_t code = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
        fail(query, code);
        if (code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
            query->err = EV_ERR_UNSUPPORTED;
        return;
    }
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            continue;
        fail(query, code);
        (void)snprintf(query->text, sizeof query->text, "topic %s: %s",
                       rd_kafka_topic_result_name(results[i]), rd_kafka_err2str(code));
    }
}

static void create_missing(struct kafka_query *query, rd_kafka_t *rk, const rd_kafka_metadata_t *metadata)
{
    rd_kafka_NewTopic_t *missing[64];
    size_t count = 0;
    for (size_t i = 0; i < query->topic_count && count < 64; i++) {
        if (find_topic(metadata, query->topics[i].name) == NULL) {
            rd_kafka_NewTopic_t *made = new_topic(&query->topics[i]);
            if (made != NULL)
                missing[count++] = made;
        }
    }
    if (count == 0)
        return;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, query->timeout_ms, NULL, 0);
    rd_kafka_CreateTopics(rk, missing, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, query->timeout_ms + 1000);
    read_created(query, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(missing, count);
}

/* ---- offsets ---- */

static void add_offsets(struct kafka_query *query, rd_kafka_t *rk, const struct topic *topic,
                        const rd_kafka_metadata_topic_t *found)
{
    struct kafka_offsets *grown =
        realloc(query->offsets, (query->offset_count + (size_t)found->partition_cnt) * sizeof *grown);
    EV_ASSERT(grown != NULL);
    query->offsets = grown;
    for (int partition = 0; partition < found->partition_cnt && query->err == EV_OK; partition++) {
        int64_t begin = 0, end = 0;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(rk, topic->name, partition, &begin, &end, query->timeout_ms);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fail(query, code);
            return;
        }
        query->offsets[query->offset_count++] =
            (struct kafka_offsets){.topic = topic->name, .partition = partition, .begin = begin, .end = end};
    }
}

static void read_offsets(struct kafka_query *query, rd_kafka_t *rk, const rd_kafka_metadata_t *metadata)
{
    for (size_t i = 0; i < query->topic_count && query->err == EV_OK; i++) {
        const rd_kafka_metadata_topic_t *found = find_topic(metadata, query->topics[i].name);
        if (found == NULL) {
            query->err = EV_ERR_NOT_FOUND;
            (void)snprintf(query->text, sizeof query->text, "there is no topic %s", query->topics[i].name);
        } else {
            add_offsets(query, rk, &query->topics[i], found);
        }
    }
    if (query->err != EV_OK)
        query->offset_count = 0;
}

/* ---- the thread ---- */

static void run_query(struct kafka_query *query, rd_kafka_t *rk)
{
    const rd_kafka_metadata_t *metadata = NULL;
    if (query->kind == QUERY_CLUSTER_ID) {
        char *id = rd_kafka_clusterid(rk, query->timeout_ms);
        if (id == NULL) {
            fail(query, RD_KAFKA_RESP_ERR__TIMED_OUT);
        } else {
            (void)snprintf(query->text, sizeof query->text, "%s", id);
            rd_kafka_mem_free(rk, id);
        }
        return;
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &metadata, query->timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(query, code);
        return;
    }
    if (query->kind == QUERY_CREATE_TOPICS)
        create_missing(query, rk, metadata);
    else
        read_offsets(query, rk, metadata);
    rd_kafka_metadata_destroy(metadata);
}

static void *query_thread(void *arg)
{
    struct kafka_query *query = arg;
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, query->conf, text, sizeof text);
    if (rk == NULL) {
        query->err = EV_ERR_USAGE;
        (void)snprintf(query->text, sizeof query->text, "%s", text);
    } else {
        query->conf = NULL; /* the client's now */
        run_query(query, rk);
        rd_kafka_destroy(rk);
    }
    loop_mailbox_post(query->mailbox, answer, drop, query);
    return NULL;
}

static struct kafka_query *query_new(struct loop *loop, const struct kafka_config *config,
                                     enum query_kind kind, size_t topic_count, int timeout_ms, void *user)
{
    struct kafka_query *query = calloc(1, sizeof *query);
    EV_ASSERT(query != NULL);
    query->kind = kind;
    query->timeout_ms = timeout_ms;
    query->user = user;
    query->mailbox = loop_mailbox_get(loop);
    query->topics = calloc(topic_count + 1, sizeof *query->topics);
    query->topic_count = topic_count;
    EV_ASSERT(query->topics != NULL);
    if (kafka_conf_new(config, &query->conf, NULL) == EV_OK) {
        rd_kafka_conf_set_error_cb(query->conf, NULL);
        rd_kafka_conf_set_stats_cb(query->conf, NULL);
        kafka_conf_set(query->conf, "statistics.interval.ms", "0");
        if (kafka_conf_set_properties(query->conf, config, NULL) == EV_OK)
            return query;
    }
    query_free(query);
    return NULL;
}

static enum ev_err query_start(struct kafka_query *query, struct kafka_query **ret_query)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, &attributes, query_thread, query);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (rc != 0) {
        query_free(query);
        return EV_ERR_NOMEM;
    }
    if (ret_query != NULL)
        *ret_query = query;
    return EV_OK;
}

static void copy_topic(struct topic *topic, const char *name)
{
    EV_ASSERT(strlen(name) < sizeof topic->name);
    (void)snprintf(topic->name, sizeof topic->name, "%s", name);
}

enum ev_err kafka_create_topics(struct loop *loop, const struct kafka_config *config,
                                const struct kafka_topic_spec *topics, size_t count, int timeout_ms,
                                kafka_on_done on_done, void *user, struct kafka_query **ret_query)
{
    struct kafka_query *query = query_new(loop, config, QUERY_CREATE_TOPICS, count, timeout_ms, user);
    if (query == NULL)
        return EV_ERR_USAGE;
    query->on_done = on_done;
    for (size_t i = 0; i < count; i++) {
        copy_topic(&query->topics[i], topics[i].topic);
        query->topics[i].partitions = topics[i].partitions;
        query->topics[i].compacted = topics[i].compacted;
    }
    return query_start(query, ret_query);
}

enum ev_err kafka_cluster_id(struct loop *loop, const struct kafka_config *config, int timeout_ms,
                             kafka_on_cluster_id on_cluster_id, void *user, struct kafka_query **ret_query)
{
    struct kafka_query *query = query_new(loop, config, QUERY_CLUSTER_ID, 0, timeout_ms, user);
    if (query == NULL)
        return EV_ERR_USAGE;
    query->on_cluster_id = on_cluster_id;
    return query_start(query, ret_query);
}

enum ev_err kafka_query_offsets(struct loop *loop, const struct kafka_config *config,
                                const char *const *topics, size_t topic_count, int timeout_ms,
                                kafka_on_offsets on_offsets, void *user, struct kafka_query **ret_query)
{
    struct kafka_query *query = query_new(loop, config, QUERY_OFFSETS, topic_count, timeout_ms, user);
    if (query == NULL)
        return EV_ERR_USAGE;
    query->on_offsets = on_offsets;
    for (size_t i = 0; i < topic_count; i++)
        copy_topic(&query->topics[i], topics[i]);
    return query_start(query, ret_query);
}
