/* words.h - sessions, energy and money in words for the person at the driver. Pure. */
#ifndef EV_DRIVER_WORDS_H
#define EV_DRIVER_WORDS_H

#include "common/wire/notice.h"
#include "common/wire/session_view.h"

#include <stddef.h>
#include <stdint.h>

#define WORDS_NUMBER_SIZE 40
#define WORDS_SIZE 400

/* "12.34 EUR" */
const char *words_money(uint64_t cents, char ret_text[WORDS_NUMBER_SIZE]);
/* "3.21 kWh" */
const char *words_energy(uint64_t wh, char ret_text[WORDS_NUMBER_SIZE]);
/* "the target is reached"; "" for STOP_NONE. */
const char *words_stop_reason(enum stop_reason reason);
/* What the session's state means for its driver, a sentence or two. */
void words_session(const struct session_view *view, char ret_text[WORDS_SIZE]);
/* "7.36 kW, 3.21 kWh, 1.73 EUR, battery 54 %" */
void words_live(const struct notice_live *live, char ret_text[WORDS_SIZE]);
/* Copies text for a terminal: control characters become '?'. */
const char *words_printable(const char *text, char *ret_text, size_t size);

#endif
