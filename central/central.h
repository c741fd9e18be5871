/* central.h - the parts of one Central and its options; made in main.c and passed around, so that nothing is
 * global. Every part is owned by struct central; NULL means "not there (yet)". */
#ifndef EV_CENTRAL_CENTRAL_H
#define EV_CENTRAL_CENTRAL_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct accounts;
struct api;
struct control_port;
struct dispatch;
struct events;
struct fleet;
struct http_client;
struct identity;
struct kafka_link;
struct key_ring;
struct loop;
struct outbox;
struct registry_feed;
struct request_ingest;
struct store;
struct telemetry_ingest;

#define CENTRAL_KAFKA_PROPERTIES_MAX 32

struct central_options {
    const char *state_dir;
    const char *invitation; /* NULL none */
    const char *control;    /* host:port */
    const char *http;
    const char *https;
    const char *registry;     /* URL */
    const char *kafka;        /* host:port[,host:port], NULL none */
    const char *kafka_public; /* what nodes are told; = kafka where it was not given */
    const char *public_host;  /* comma separated, "" none; localhost, 127.0.0.1 and ::1 always count */
    const char *web_dir;
    const char *kafka_properties[CENTRAL_KAFKA_PROPERTIES_MAX]; /* "property=value" */
    size_t kafka_property_count;
    int64_t telemetry_key_seconds, heartbeat_seconds, settle_seconds, keep_days;
    bool private_audit;
    bool gui;
};

/* Read by /metrics, /summary and the command `status`; written by the loop thread alone. */
struct central_counters {
    uint64_t records_applied; /* telemetry */
    uint64_t records_dropped; /* sum of the next five */
    uint64_t records_malformed, records_unknown_key, records_bad_seal, records_replayed, records_beyond;
    uint64_t records_lost;    /* gaps in sequences */
    uint64_t samples_refused; /* meters beyond belief, sessions of others */
    uint64_t requests_applied, requests_refused;
    uint64_t control_accepted, control_refused, control_dropped;
    uint64_t notices_sent, notices_dropped, status_sent;
    uint64_t sessions_finished, energy_wh_billed, cost_cents_billed;
    uint64_t keys_issued;
    uint64_t audit_suppressed; /* repeats within a burst */
};

/* Health in words, for /summary, /readyz and the log; "ok" when all is well. */
struct central_health {
    bool certificate, kafka, registry;
    char certificate_text[120];
    char kafka_text[120];
    char registry_text[120];
};

struct central {
    struct loop *loop;
    struct store *store;
    struct fleet *fleet;
    struct key_ring *key_ring;
    struct dispatch *dispatch;
    struct outbox *outbox;
    struct identity *identity;       /* Central's own certificate and key */
    struct http_client *http_client; /* to Registry */
    struct registry_feed *registry_feed;
    struct control_port *control_port;
    struct kafka_link *kafka_link;
    struct telemetry_ingest *telemetry_ingest;
    struct request_ingest *request_ingest;
    struct accounts *accounts; /* the admin and sign-ins */
    struct api *api;           /* HTTP at once, HTTPS from the first certificate on */
    struct events *events;     /* Server-Sent Events */
    struct central_options options;
    struct central_counters counters;
    struct central_health health;
    int64_t started_wall_ms;
};

#endif
