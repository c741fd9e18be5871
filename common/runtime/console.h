/* console.h - commands from standard input, a line each, from a terminal, pipe, file or /dev/null alike.
 * End of input is no event for a service: nothing is called, nothing stops. */
#ifndef EV_RUNTIME_CONSOLE_H
#define EV_RUNTIME_CONSOLE_H

#include "common/rules/ev_err.h"
#include "common/runtime/loop.h"

#include <stddef.h>

struct console;

/* line: without the newline, surrounding blanks removed, never empty, may be changed in place. */
typedef void (*console_on_line)(void *user, char *line);

EV_MUST_CHECK enum ev_err console_new(struct loop *loop, console_on_line on_line, void *user,
                                      struct console **ret_console);
/* The same on another descriptor, which the caller keeps. */
EV_MUST_CHECK enum ev_err console_new_on(struct loop *loop, int fd, console_on_line on_line, void *user,
                                         struct console **ret_console);
/* One-shot programs and tests: called once at end of input. */
void console_on_end(struct console *console, loop_callback on_end, void *user);
void console_free(struct console *console);

/* Splits in place at blanks; "quoted words" may contain them. Returns the number of words, at most
 * CONSOLE_WORDS_MAX (limits.h); what is beyond stays in the last one. */
size_t console_split(char *line, char *ret_words[], size_t words_max);

#endif
