/* failure.h - why something did not work, as one line for a person.
 * Functions that can fail in ways a user must understand take a `struct failure *` (may be NULL) beside their
 * `enum ev_err`. The text has no newline and no full stop; it is set only on failure. */
#ifndef EV_RUNTIME_FAILURE_H
#define EV_RUNTIME_FAILURE_H

#include "common/rules/ev_err.h"

#define FAILURE_TEXT_MAX 400

struct failure {
    char text[FAILURE_TEXT_MAX];
};

/* Formats the text (cut at its limit, control characters become '?') and returns err, so that a function can
 * `return failure_set(ret_failure, EV_ERR_IO, "cannot read %s: %s", path, strerror(errno));` */
enum ev_err failure_set(struct failure *failure, enum ev_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
