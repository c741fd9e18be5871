/* central_run.h - builds one Central from its options, runs it, takes it apart. Used by main.c. */
#ifndef EV_CENTRAL_CENTRAL_RUN_H
#define EV_CENTRAL_CENTRAL_RUN_H

#include "central/central.h"

/* Returns the exit code: 0 after an orderly stop, 1 when the start cannot work (said in one line). */
int central_run(const struct central_options *options);

/* The commands of standard input. */
struct console;
EV_MUST_CHECK enum ev_err central_console_new(struct central *central, void (*print_help)(void),
                                              struct console **ret_console);

#endif
