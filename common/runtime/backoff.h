/* backoff.h - when to try again: exponential, with jitter, so that thousands do not return at once.
 * The n-th wait is uniform in [d/2, d], d = min(max, first x 2^n). In place; no memory. */
#ifndef EV_RUNTIME_BACKOFF_H
#define EV_RUNTIME_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t max_ms;
    int64_t next_ms; /* the upper bound of the next wait */
};

/* 1 <= first_ms <= max_ms, else assertion. */
void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t max_ms);
/* After a success. */
void backoff_reset(struct backoff *backoff);
/* How long to wait now; the next answer is longer. */
int64_t backoff_next_ms(struct backoff *backoff);

#endif
