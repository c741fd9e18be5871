#include "driver/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const stop_words[STOP_REASON_COUNT] = {
    [STOP_NONE] = "",
    [STOP_UNPLUGGED] = "the car was unplugged",
    [STOP_TARGET] = "the target is reached",
    [STOP_BATTERY_FULL] = "the battery is full",
    [STOP_DRIVER] = "you stopped it",
    [STOP_ADMIN] = "an administrator stopped the charge point",
    [STOP_WEATHER] = "the charge point was stopped for frost",
    [STOP_MAINTENANCE] = "the charge point went into maintenance",
    [STOP_FAULT] = "the charge point has a fault",
    [STOP_REVOKED] = "the charge point's certificate was revoked",
    [STOP_KEY_DROPPED] = "the charge point's key was dropped",
    [STOP_DEREGISTERED] = "the charge point was deregistered",
    [STOP_MONITOR_LOST] = "the charge point lost its monitor",
    [STOP_ENGINE_LOST] = "the charge point's engine failed",
};

const char *words_money(uint64_t cents, char ret_text[WORDS_NUMBER_SIZE])
{
    (void)snprintf(ret_text, WORDS_NUMBER_SIZE, "%" PRIu64 ".%02" PRIu64 " EUR", cents / 100, cents % 100);
    return ret_text;
}

const char *words_energy(uint64_t wh, char ret_text[WORDS_NUMBER_SIZE])
{
    (void)snprintf(ret_text, WORDS_NUMBER_SIZE, "%" PRIu64 ".%02" PRIu64 " kWh", wh / 1000, wh % 1000 / 10);
    return ret_text;
}

const char *words_stop_reason(enum stop_reason reason)
{
    return (unsigned)reason < STOP_REASON_COUNT ? stop_words[reason] : "";
}

void words_session(const struct session_view *view, char ret_text[WORDS_SIZE])
{
    char energy[WORDS_NUMBER_SIZE];
    char money[WORDS_NUMBER_SIZE];
    const char *cp = view->cp_id.text;
    const char *why = words_stop_reason(view->stop_reason);
    const char *sentence = session_reason_sentence(view->reason);

    (void)words_energy(view->energy_wh, energy);
    (void)words_money(view->cost_cents, money);
    switch (view->state) {
    case SESSION_REQUESTED:
        (void)snprintf(ret_text, WORDS_SIZE, "%s is asked for", cp);
        break;
    case SESSION_PREPARING:
        (void)snprintf(ret_text, WORDS_SIZE, "%s is reserved: the car has 60 s to be plugged in", cp);
        break;
    case SESSION_CHARGING:
        (void)snprintf(ret_text, WORDS_SIZE, "%s charges the car, at %s a kWh", cp,
                       words_money(view->price_cents_per_kwh, money));
        break;
    case SESSION_SETTLING:
        (void)snprintf(ret_text, WORDS_SIZE, "%s: supply has ended%s%s; %s so far, the ticket follows", cp,
                       why[0] != '\0' ? ", " : "", why, energy);
        break;
    case SESSION_FINISHED:
        (void)snprintf(ret_text, WORDS_SIZE, "%s: finished, %s for %s%s%s", cp, energy, money,
                       why[0] != '\0' ? ": " : "", why);
        break;
    case SESSION_REJECTED:
        (void)snprintf(ret_text, WORDS_SIZE, "%s: refused. %s", cp, sentence);
        break;
    case SESSION_EXPIRED:
        (void)snprintf(ret_text, WORDS_SIZE, "%s: expired. %s", cp, sentence);
        break;
    case SESSION_CANCELLED:
        (void)snprintf(ret_text, WORDS_SIZE, "%s: cancelled. %s", cp, sentence);
        break;
    case SESSION_STATE_COUNT:
        EV_ASSERT(false);
    }
}

void words_live(const struct notice_live *live, char ret_text[WORDS_SIZE])
{
    char energy[WORDS_NUMBER_SIZE];
    char money[WORDS_NUMBER_SIZE];

    (void)snprintf(ret_text, WORDS_SIZE, "%u.%02u kW, %s, %s, battery %u %%", (unsigned)live->power_w / 1000,
                   (unsigned)live->power_w % 1000 / 10, words_energy(live->energy_wh, energy),
                   words_money(live->cost_cents, money), (unsigned)live->soc_percent);
}

const char *words_printable(const char *text, char *ret_text, size_t size)
{
    size_t at = 0;

    for (; text[at] != '\0' && at + 1 < size; at++) {
        unsigned char c = (unsigned char)text[at];
        ret_text[at] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    /* Not half a character at the end. */
    while (text[at] != '\0' && at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) {
        at--;
    }
    ret_text[at] = '\0';
    return ret_text;
}
