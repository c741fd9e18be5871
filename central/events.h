/* events.h - Server-Sent Events: what changed, to everybody who listens, as far as they may see it.
 * Changes are collected and sent every EVENTS_FLUSH_MS, one event for each object that changed, with the
 * object that GET would give. A ring of the last events lets a client resume by Last-Event-ID; one that is
 * too far behind, or comes from before a restart, gets `reset` and loads again. Slow clients are closed at a
 * bound and resume. */
#ifndef EV_CENTRAL_EVENTS_H
#define EV_CENTRAL_EVENTS_H

#include "central/api_json.h"
#include "common/rules/ev_err.h"
#include "common/runtime/http_server.h"

struct central;
struct events;

#define EVENTS_FLUSH_MS 200
#define EVENTS_SUMMARY_MS 1000
#define EVENTS_COMMENT_MS 5000 /* a comment for each client, which also finds those that left */
#define EVENTS_KEPT 8192       /* of the ring; and at most */
#define EVENTS_KEPT_BYTES ((size_t)8 * 1024 * 1024)
#define EVENTS_CLIENTS_MAX 1000

EV_MUST_CHECK enum ev_err events_new(struct central *central, struct events **ret_events);
void events_free(struct events *events);

/* Answers the exchange with the stream, or with a problem at the cap. The viewer's texts are copied. */
void events_serve(struct events *events, struct http_exchange *exchange, const struct api_viewer *viewer);

/* The sums of today, from the store, at most a second old; for GET /summary too. */
void events_today(struct events *events, struct api_today *ret_today);

#endif
