/* commands.h - what a person types into a running driver. With --count a line is for all drivers of the
 * process. */
#ifndef EV_DRIVER_COMMANDS_H
#define EV_DRIVER_COMMANDS_H

#include "common/runtime/options.h"
#include "driver/drivers.h"

extern const struct options_text_pair commands_table[];

/* line: one command; changed in place. Answers on standard output. */
void commands_run(struct drivers *drivers, const struct options *options, char *line);

#endif
