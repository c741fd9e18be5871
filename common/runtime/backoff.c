#include "common/runtime/backoff.h"

#include "common/rules/ev_err.h"

#include <sodium.h>

void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t max_ms)
{
    EV_ASSERT(first_ms >= 1 && first_ms <= max_ms && max_ms <= UINT32_MAX);
    *backoff = (struct backoff){.first_ms = first_ms, .max_ms = max_ms, .next_ms = first_ms};
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = backoff->first_ms;
}

int64_t backoff_next_ms(struct backoff *backoff)
{
    int64_t bound = backoff->next_ms;
    backoff->next_ms = bound > backoff->max_ms / 2 ? backoff->max_ms : bound * 2;
    int64_t half = bound / 2;
    return bound - (int64_t)randombytes_uniform((uint32_t)half + 1);
}
