/* services_file.h - the route of a driver: a charge point's id a line, optionally `kwh=N`; `#` starts a
 * comment. Pure. A bad line is told with its number and skipped. Used by driver.c; the fuzzer parses rubbish
 * with it. */
#ifndef EV_DRIVER_SERVICES_FILE_H
#define EV_DRIVER_SERVICES_FILE_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"

#include <stddef.h>
#include <stdint.h>

/* Lines that are served; far more than a day has room for, and a wrong file (a log, say) fills no memory. */
#define SERVICES_MAX 10000
/* Bad lines that are told one by one. */
#define SERVICES_PROBLEMS_MAX 100
#define SERVICES_TARGET_WH_MAX 1000000 /* 1000 kWh, as the rules allow */
#define SERVICES_PROBLEM_SIZE 200

struct service {
    struct cp_id cp_id;
    uint32_t target_wh; /* 0: none */
    uint32_t line;      /* from 1 */
};

struct services_file {
    struct service *items; /* owned */
    size_t count;
};

/* text: "line 6: ...", in words, of printable characters. */
typedef void (*services_file_on_problem)(void *user, uint32_t line, const char *text);

/*   bytes       need no terminator
 *   on_problem  may be NULL
 * Errors: EV_ERR_TOO_LARGE (more than SERVICES_MAX services), EV_ERR_NOMEM; output untouched. */
EV_MUST_CHECK enum ev_err services_file_parse(const char *bytes, size_t len,
                                              services_file_on_problem on_problem, void *user,
                                              struct services_file *ret_file);
void services_file_fini(struct services_file *file);

/* "7" or "2.5" kWh -> Wh, 1 .. SERVICES_TARGET_WH_MAX; at most three decimals. Errors: EV_ERR_PARSE,
 * EV_ERR_RANGE. */
EV_MUST_CHECK enum ev_err services_file_parse_kwh(const char *text, uint32_t *ret_wh);

#endif
