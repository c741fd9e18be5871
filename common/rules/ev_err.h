/* ev_err.h - how operations of common/ say that they failed, and the assertion that stays in release.
 * An operating error or a peer's bad input is an `enum ev_err`; a programmer's error is EV_ASSERT. */
#ifndef EV_RULES_EV_ERR_H
#define EV_RULES_EV_ERR_H

enum ev_err {
    EV_OK = 0,
    EV_ERR_RANGE,       /* a value outside its documented bounds */
    EV_ERR_STATE,       /* not possible in the present state */
    EV_ERR_FULL,        /* a queue or table is at its cap */
    EV_ERR_PARSE,       /* not of the expected form */
    EV_ERR_TOO_LARGE,   /* longer than its limit */
    EV_ERR_AUTH,        /* not allowed, or not who it claims to be */
    EV_ERR_REPLAY,      /* a sequence that was applied before */
    EV_ERR_UNKNOWN_KEY, /* no such key epoch */
    EV_ERR_IO,
    EV_ERR_CLOSED,
    EV_ERR_TIMEOUT,
    EV_ERR_NOT_FOUND,
    EV_ERR_EXISTS,
    EV_ERR_NOMEM,
    EV_ERR_UNSUPPORTED,
    EV_ERR_USAGE, /* a command line or command that makes no sense */
    EV_ERR_AGAIN, /* nothing now; ask again when ready */
    EV_ERR_CRYPTO,
    EV_ERR_TLS,
    EV_ERR_DB,
    EV_ERR_COUNT /* not an error: how many there are */
};

#define EV_MUST_CHECK __attribute__((warn_unused_result))

/* A short lower-case sentence without a full stop; never NULL, also for values that are no ev_err. */
const char *ev_err_text(enum ev_err err);

/* Checks what only a programmer can get wrong; stays in release. Never for a peer's input. */
#define EV_ASSERT(condition) ((condition) ? (void)0 : ev_assert_failed(#condition, __FILE__, __LINE__))

/* A place that only a programmer's error can reach. */
#define EV_UNREACHABLE(why) ev_assert_failed(why, __FILE__, __LINE__)

_Noreturn void ev_assert_failed(const char *condition, const char *file, int line);

#endif
