/* guesses.h - how often an address came with an invitation that does not hold. Pure, fixed size. An honest
 * node with a good invitation is never kept waiting by it, whoever else is behind the same address. */
#ifndef EV_REGISTRY_GUESSES_H
#define EV_REGISTRY_GUESSES_H

#include <stdbool.h>
#include <stdint.h>

#define GUESSES_ADDRESSES_MAX 256 /* the one that was quiet for longest is forgotten */
#define GUESSES_MAX 20            /* bad ones of one address within a window; then 429 */
#define GUESSES_WINDOW_MS 60000

struct guesses {
    struct {
        char address[64];
        int64_t from_ms; /* start of its window */
        unsigned count;
    } of[GUESSES_ADDRESSES_MAX];
};

/* Counts one bad invitation. True: too many; *ret_retry_s says when the window ends (1 .. 60). */
bool guesses_add(struct guesses *guesses, const char *address, int64_t now_ms, int *ret_retry_s);

#endif
