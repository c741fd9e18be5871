#include "common/rules/ev_err.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const texts[EV_ERR_COUNT] = {
    [EV_OK] = "ok",
    [EV_ERR_RANGE] = "a value is out of range",
    [EV_ERR_STATE] = "not possible in the present state",
    [EV_ERR_FULL] = "full",
    [EV_ERR_PARSE] = "not of the expected form",
    [EV_ERR_TOO_LARGE] = "too large",
    [EV_ERR_AUTH] = "not allowed",
    [EV_ERR_REPLAY] = "a replay",
    [EV_ERR_UNKNOWN_KEY] = "unknown key",
    [EV_ERR_IO] = "input or output failed",
    [EV_ERR_CLOSED] = "closed",
    [EV_ERR_TIMEOUT] = "timed out",
    [EV_ERR_NOT_FOUND] = "not found",
    [EV_ERR_EXISTS] = "exists already",
    [EV_ERR_NOMEM] = "out of memory",
    [EV_ERR_UNSUPPORTED] = "not supported",
    [EV_ERR_USAGE] = "wrong usage",
    [EV_ERR_AGAIN] = "not ready yet",
    [EV_ERR_CRYPTO] = "cryptography failed",
    [EV_ERR_TLS] = "TLS failed",
    [EV_ERR_DB] = "the database failed",
};

const char *ev_err_text(enum ev_err err)
{
    /* Negative values are large here, so one comparison does. */
    return (unsigned)err < EV_ERR_COUNT ? texts[err] : "unknown error";
}

_Noreturn void ev_assert_failed(const char *condition, const char *file, int line)
{
    /* The one line that common/rules ever prints: the process ends with it. */
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
