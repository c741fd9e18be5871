/* registry_feed.h - what Registry has registered, renewed and revoked, in its order, asked for once a second
 * with Central's certificate. How far it was read is kept in the same transaction as what it changed.
 * Registry may be away: then nothing new is learnt, and the health says so in words. */
#ifndef EV_CENTRAL_REGISTRY_FEED_H
#define EV_CENTRAL_REGISTRY_FEED_H

#include "common/rules/ev_err.h"

struct central;
struct registry_feed;

/* Starts asking as soon as Central has its certificate. Errors: EV_ERR_NOMEM. */
EV_MUST_CHECK enum ev_err registry_feed_new(struct central *central, struct registry_feed **ret_feed);
/* NULL is accepted. */
void registry_feed_free(struct registry_feed *feed);

/* Asks at once: somebody is at the door whom nobody knows. */
void registry_feed_poll(struct registry_feed *feed);

#endif
