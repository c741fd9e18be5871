/* dispatch.h - carries out what the fleet decides: changes into the open batch of the store at once,
 * everything that is said (control messages, keys, notices, status, answers, events) after the commit, in the
 * order of the decisions. The only caller of fleet_step. */
#ifndef EV_CENTRAL_DISPATCH_H
#define EV_CENTRAL_DISPATCH_H

#include "central/fleet.h"

struct central;
struct dispatch;

/* Errors: EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err dispatch_new(struct central *central, struct dispatch **ret_dispatch);
/* NULL is accepted. What was not said is not said: it is in the store, or nobody waits for it any more. */
void dispatch_free(struct dispatch *dispatch);

/* From now on (and until dispatch_stop) time passes for the fleet. */
void dispatch_start(struct dispatch *dispatch);
void dispatch_stop(struct dispatch *dispatch);

/* Fills type, clocks, and nothing else. */
void dispatch_event_init(struct fleet_event *event, enum fleet_event_type type);

/* Steps the fleet and carries out all effects. The answer (may be NULL) is the fleet's, known at once;
 * whoever sends it to a peer waits for the commit: dispatch_call. Returns the event's `refused`. */
enum ev_err dispatch_step(struct central *central, const struct fleet_event *event,
                          struct fleet_answer *ret_answer);

/* The same for an order of a client: done(user, answer) on the loop thread after the commit, exactly once,
 * never from inside this call. A handler whose client has gone keeps its own `user` alive until then. */
void dispatch_call(struct central *central, const struct fleet_event *event,
                   void (*done)(void *user, const struct fleet_answer *answer), void *user);

/* One audit entry into the open batch. `actor` NULL: central itself. Texts are cut at their fields' lengths.
 */
void dispatch_audit(struct central *central, const struct fleet_actor *actor, const char *action,
                    const char *target, const char *outcome, const char *detail);

/* The same for what a peer can provoke at will: at once for the first of a burst per (actor.who or address,
 * action, reason), then at most one each 10 s that says how many there were. */
void dispatch_audit_burst(struct central *central, const struct fleet_actor *actor, const char *action,
                          const char *target, const char *reason, const char *detail);

/* A fresh key for a driver (POST /keys); it is in the open batch: send it after store_after_commit.
 * Errors: EV_ERR_FULL. */
struct dispatch_driver_key {
    uint32_t epoch;
    uint8_t key[32];
    int64_t expires_at_ms;
};
EV_MUST_CHECK enum ev_err dispatch_issue_driver_key(struct central *central, const struct driver_id *driver,
                                                    struct dispatch_driver_key *ret_key);

/* Puts what was coalesced (meters, key sequences) into the open batch; ingestion calls it before its offsets.
 */
void dispatch_flush(struct central *central);

/* Every charge point's ev.status again: the broker's log is a new one. */
void dispatch_publish_all(struct central *central);

/* For central/events: after the commit of what changed, once for every change (live figures at most once per
 * commit and charge point). Read the present object from the fleet; a session that has ended may be in the
 * store alone. */
typedef void dispatch_announce_fn(void *user, const struct fleet_effect *effect);
void dispatch_on_announce(struct dispatch *dispatch, dispatch_announce_fn *fn, void *user);

#endif
