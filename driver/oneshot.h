/* oneshot.h - `ev_driver ... charge CP [--kwh N]`, `list`, `history`: one thing, then the end with an exit
 * code. */
#ifndef EV_DRIVER_ONESHOT_H
#define EV_DRIVER_ONESHOT_H

#include "driver/drivers.h"

/* Without an answer for so long a one-shot charge gives up waiting: Central or Kafka is away, or nobody is
 * registered. Its request stays open in the journal, as Central may have it already. */
#define ONESHOT_ANSWER_MS 60000
/* The same for the two tables. */
#define ONESHOT_TABLE_MS 30000

enum oneshot_kind { ONESHOT_NONE, ONESHOT_CHARGE, ONESHOT_LIST, ONESHOT_HISTORY };

struct oneshot {
    struct drivers *drivers;
    struct loop_timer *timer;
    enum oneshot_kind kind;
    const char *cp;
    const char *kwh; /* NULL none */
    struct request_id request_id;
    bool asked;
    bool answered;
    int64_t deadline_ms;
    int exit_code; /* valid when the loop has ended */
};

/* Errors: EV_ERR_PARSE (not one of the words). */
EV_MUST_CHECK enum ev_err oneshot_parse(const char *word, enum oneshot_kind *ret_kind);

/* Before drivers_start. Errors in words. */
EV_MUST_CHECK enum ev_err oneshot_start(struct oneshot *oneshot, struct drivers *drivers,
                                        struct failure *ret_failure);
void oneshot_fini(struct oneshot *oneshot);

/* Of driver_callbacks; user is the oneshot. */
void oneshot_on_session(void *user, struct driver *driver, const struct session_view *view);
void oneshot_on_enrolled(void *user, struct driver *driver);
void oneshot_on_refused(void *user, struct driver *driver, const char *text);

#endif
