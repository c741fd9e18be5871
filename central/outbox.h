/* outbox.h - what leaves Central because of a commit, until it has arrived: notices to drivers, ev.status,
 * revocations told to Registry. Rows are made with what caused them, released after the commit, dropped when
 * acknowledged; what was left over is sent at the next start. Owns the Kafka producer. */
#ifndef EV_CENTRAL_OUTBOX_H
#define EV_CENTRAL_OUTBOX_H

#include "central/fleet.h"

struct central;
struct outbox;

/* Loads the rows of the store. Without Kafka it only keeps them. Errors: EV_ERR_NOMEM, EV_ERR_DB,
 * EV_ERR_USAGE (a Kafka property, said in the log). */
EV_MUST_CHECK enum ev_err outbox_new(struct central *central, struct outbox **ret_outbox);
/* Waits at most a second for the broker to take what is on its way. NULL is accepted. */
void outbox_free(struct outbox *outbox);

/* One row into the open batch; returns its sequence for outbox_release, 0 when it was refused at the cap
 * (counted). key   driver id, charge point id, or "role:id"; body  text ("" with STORE_OUTBOX_STATUS: a
 * tombstone) */
int64_t outbox_add(struct outbox *outbox, enum store_outbox_kind kind, const char *key, const char *body);

/* After the commit: may be sent. Sequences come in the order in which they were given. */
void outbox_release(struct outbox *outbox, int64_t sequence);

/* Live figures: said now or never. */
void outbox_send_live(struct outbox *outbox, const struct driver_id *driver, const char *body, size_t length);

/* About 4 a second: tries what waits. */
void outbox_tick(struct outbox *outbox);

bool outbox_kafka_is_up(const struct outbox *outbox);
size_t outbox_waiting(const struct outbox *outbox);

#endif
