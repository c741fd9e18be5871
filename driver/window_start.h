/* window_start.h - `ev_driver --gui` becomes ev_driver_gui, so that the command line links no GTK. */
#ifndef EV_DRIVER_WINDOW_START_H
#define EV_DRIVER_WINDOW_START_H

#include "common/runtime/failure.h"

/* Executes ev_driver_gui of the own directory, else of PATH, with the same arguments but --gui. Returns only
 * where that fails, with words. */
void window_start(int argc, char *const argv[], struct failure *ret_failure);

#endif
