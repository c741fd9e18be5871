/* central_client.h - Central's REST API as a driver uses it: addresses and answers, typed and bounded.
 * Pure: http_client carries them. */
#ifndef EV_DRIVER_CENTRAL_CLIENT_H
#define EV_DRIVER_CENTRAL_CLIENT_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/wire/seal.h"
#include "common/wire/session_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CENTRAL_URL_MAX 512
/* Sessions asked for when reconciling: a driver has one open session, so the newest few hold all that counts.
 */
#define CENTRAL_SESSIONS_MAX 200
#define CENTRAL_PAGE_MAX 500
#define CENTRAL_ANSWER_MAX (1024 * 1024)
#define CENTRAL_KAFKA_MAX 1024
#define CENTRAL_CITY_MAX 128

/* "https://host:port/": without the slash at the end. Errors: EV_ERR_PARSE (no https URL), EV_ERR_TOO_LARGE.
 */
EV_MUST_CHECK enum ev_err central_client_parse_base(const char *text, char ret_base[CENTRAL_URL_MAX]);

/* POST /keys */
struct central_key {
    uint32_t epoch;
    struct seal_key key;
    int64_t expires_at_ms;
    char kafka[CENTRAL_KAFKA_MAX];
};
EV_MUST_CHECK enum ev_err central_client_parse_key(const char *body, size_t len, struct central_key *ret_key);

/* GET /sessions: at most CENTRAL_SESSIONS_MAX views, newest first; complete: there is no next page. */
EV_MUST_CHECK enum ev_err central_client_parse_sessions(const char *body, size_t len,
                                                        struct session_view *ret_views, size_t *ret_count,
                                                        bool *ret_complete);

/* GET /charge-points: what a driver is shown of each. */
struct central_point {
    struct cp_id id;
    char city[CENTRAL_CITY_MAX];
    char state[24];
    uint32_t price_cents_per_kwh;
    uint32_t max_power_w;
};
/* Appends to *points (malloc'd; grown); next: "" at the end. */
EV_MUST_CHECK enum ev_err central_client_parse_points(const char *body, size_t len,
                                                      struct central_point **points, size_t *count,
                                                      struct cp_id *ret_next);

/* Available first, then the busy, then the rest; by id within. */
void central_client_sort_points(struct central_point *points, size_t count);

#endif
