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

/* Formats the text (cut at its limit, control characters become '?') and gives err, so that a function can
 * `return failure_set(ret_failure, EV_ERR_IO, "cannot read %s: %s", path, strerror(errno));`
 * A macro, so that compilers and analysers see that the result is err. */
#define failure_set(failure, err, ...) failure_result_((err), failure_format((failure), __VA_ARGS__))

/* Use failure_set. Always 0. */
int failure_format(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline enum ev_err failure_result_(enum ev_err err, int formatted)
{
    (void)formatted;
    return err;
}

#endif
