#include "registry/guesses.h"

#include <stdio.h>
#include <string.h>

bool guesses_add(struct guesses *guesses, const char *address, int64_t now_ms, int *ret_retry_s)
{
    size_t at = 0;

    for (size_t i = 0; i < GUESSES_ADDRESSES_MAX; i++) {
        if (strcmp(guesses->of[i].address, address) == 0) {
            at = i;
            break;
        }
        if (guesses->of[i].count == 0 ||
            (guesses->of[at].count != 0 && guesses->of[i].from_ms < guesses->of[at].from_ms))
            at = i;
    }
    if (strcmp(guesses->of[at].address, address) != 0 ||
        now_ms - guesses->of[at].from_ms >= GUESSES_WINDOW_MS) {
        (void)snprintf(guesses->of[at].address, sizeof guesses->of[at].address, "%s", address);
        guesses->of[at].from_ms = now_ms;
        guesses->of[at].count = 0;
    }
    if (guesses->of[at].count < GUESSES_MAX) {
        guesses->of[at].count++;
        return false;
    }
    *ret_retry_s = (int)((guesses->of[at].from_ms + GUESSES_WINDOW_MS - now_ms + 999) / 1000);
    return true;
}
