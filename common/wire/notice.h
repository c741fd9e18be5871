/* notice.h - what Central tells a driver: the plain text of `ev.notices` (docs/protocol.md, section 3).
 * Hints only: the driver reconciles with GET /sessions. central/outbox writes, driver/notices reads. */
#ifndef EV_WIRE_NOTICE_H
#define EV_WIRE_NOTICE_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/wire/session_view.h"

#include <stddef.h>
#include <stdint.h>

#define NOTICE_SIZE 704 /* room for every encoded notice */

enum notice_type {
    NOTICE_SESSION, /* the session changed */
    NOTICE_LIVE     /* once a second while energy flows */
};

/* Member names are those of the JSON. */
struct notice_live {
    struct session_id session_id;
    struct cp_id cp_id;
    uint32_t power_w;
    uint64_t energy_wh;
    uint64_t cost_cents;
    uint32_t soc_percent; /* 0 .. 100 */
    int64_t at_ms;
};

struct notice {
    enum notice_type type;
    union {
        struct session_view session;
        struct notice_live live;
    };
};

/* Errors: EV_ERR_RANGE (a member), EV_ERR_TOO_LARGE (cap). */
EV_MUST_CHECK enum ev_err notice_encode(const struct notice *notice, char *buf, size_t cap, size_t *ret_len);

/* Errors: EV_ERR_TOO_LARGE, EV_ERR_PARSE, EV_ERR_RANGE, EV_ERR_UNSUPPORTED (another type), EV_ERR_NOMEM;
 * output untouched. */
EV_MUST_CHECK enum ev_err notice_decode(const char *bytes, size_t len, struct notice *ret_notice);

#endif
