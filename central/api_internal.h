/* api_internal.h - what the files of the API share; nobody else includes it. */
#ifndef EV_CENTRAL_API_INTERNAL_H
#define EV_CENTRAL_API_INTERNAL_H

#include "central/accounts.h"
#include "central/api.h"
#include "central/api_json.h"
#include "central/central.h"
#include "central/dispatch.h"
#include "central/events.h"
#include "common/runtime/http_server.h"

#define API_BASE "/api/v1"
#define API_LIMIT_DEFAULT 100
#define API_LIMIT_MAX 1000

extern const char API_OPENAPI[];
extern const unsigned API_OPENAPI_size;

struct api {
    struct central *central;
    struct http_server *http, *https;
    struct http_static *files;
    char *host_texts;      /* --public-host, split */
    const char *hosts[66]; /* NULL-terminated */
};

/* A growing text; lists are made of many small written objects. */
struct api_text {
    char *bytes;
    size_t len, capacity;
};
void api_text_add(struct api_text *text, const char *bytes, size_t len);
void api_text_add_string(struct api_text *text, const char *string);
/* Adds one object: write() fills the writer. */
void api_text_add_object(struct api_text *text, void (*write)(struct json_writer *writer, void *arg),
                         void *arg);
/* Answers 200 with it and frees it. */
void api_reply_text(struct http_exchange *exchange, int status, struct api_text *text);

/* Who asks. `name` gets the admin's, `driver` the driver's id. */
struct api_caller {
    struct api_viewer viewer;
    char name[ACCOUNTS_NAME_MAX + 1];
    char driver[33];
};
void api_find_caller(struct api *api, struct http_exchange *exchange, struct api_caller *ret_caller);
/* Answers 401 and is false unless an admin asks. Fills the actor for the audit. */
bool api_require_admin(struct api *api, struct http_exchange *exchange, struct fleet_actor *ret_actor);
/* Answers 401 or 403 and is false unless a node of this role asks, known and with the registered key. */
bool api_require_node(struct api *api, struct http_exchange *exchange, enum fleet_role role,
                      struct fleet_actor *ret_actor);
/* The token of the header or the cookie; false if there is none. */
bool api_find_token(const struct http_exchange *exchange, char ret_token[ACCOUNTS_TOKEN_TEXT]);

/* ?limit=; answers 400 and is false if it is no number from 1 to 1000. */
bool api_limit(struct http_exchange *exchange, size_t *ret_limit);
/* Parses the body as a JSON object; answers 400 or 415 and returns NULL if it is none. */
cJSON *api_body(struct http_exchange *exchange);
/* The status of an answer that is not OK. */
void api_reply_answer(struct http_exchange *exchange, const struct fleet_answer *answer);

/* Handlers, api_read.c */
void api_list_charge_points(struct http_exchange *exchange, void *user);
void api_get_charge_point(struct http_exchange *exchange, void *user);
void api_list_sessions(struct http_exchange *exchange, void *user);
void api_get_session(struct http_exchange *exchange, void *user);
void api_get_curve(struct http_exchange *exchange, void *user);
void api_list_audit(struct http_exchange *exchange, void *user);
void api_list_weather(struct http_exchange *exchange, void *user);
void api_get_summary(struct http_exchange *exchange, void *user);
void api_stream_events(struct http_exchange *exchange, void *user);
/* One session's row, from the fleet or the store. */
bool api_find_session(struct api *api, const char *id_text, struct store_session *ret_row);
void api_reply_charge_point(struct api *api, struct http_exchange *exchange, const char *id_text,
                            const struct api_viewer *viewer);

/* api_order.c */
void api_stop_one(struct http_exchange *exchange, void *user);
void api_resume_one(struct http_exchange *exchange, void *user);
void api_rotate_key(struct http_exchange *exchange, void *user);
void api_drop_key(struct http_exchange *exchange, void *user);
void api_revoke(struct http_exchange *exchange, void *user);
void api_stop_many(struct http_exchange *exchange, void *user);
void api_resume_many(struct http_exchange *exchange, void *user);
void api_set_price(struct http_exchange *exchange, void *user);
void api_stop_session(struct http_exchange *exchange, void *user);
void api_put_weather(struct http_exchange *exchange, void *user);
void api_delete_weather(struct http_exchange *exchange, void *user);

/* api_access.c */
void api_login(struct http_exchange *exchange, void *user);
void api_logout(struct http_exchange *exchange, void *user);
void api_who_am_i(struct http_exchange *exchange, void *user);
void api_issue_key(struct http_exchange *exchange, void *user);

/* api_health.c */
void api_healthz(struct http_exchange *exchange, void *user);
void api_readyz(struct http_exchange *exchange, void *user);
void api_metrics(struct http_exchange *exchange, void *user);

#endif
