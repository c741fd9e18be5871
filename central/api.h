/* api.h - Central's REST API and its web server: HTTP on loopback at once, HTTPS from the first certificate
 * on. Reads come from the fleet's memory or from short indexed queries; orders go through dispatch_call and
 * are answered after the commit. The routes are in API_ROUTES (api.c), which openapi.json is held against by
 * a test. */
#ifndef EV_CENTRAL_API_H
#define EV_CENTRAL_API_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"

struct api;
struct central;

/* Listens on --http. Errors: EV_ERR_IO (port taken), EV_ERR_NOT_FOUND (--web), both logged in words. */
EV_MUST_CHECK enum ev_err api_new(struct central *central, struct api **ret_api);

/* The first certificate, and each renewal: HTTPS listens, or takes the new one. */
void api_on_certificate(struct api *api);

/* Streams and late answers end. NULL is accepted. */
void api_free(struct api *api);

#endif
