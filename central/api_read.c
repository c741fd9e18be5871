/* api_read.c - what GET answers: from the fleet's memory, or the store's short queries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_internal.h"
#include "central/store_internal.h"
#include "common/runtime/loop.h"
#include "common/wire/time_text.h"

/* ---- charge points ---- */

struct cp_object {
    struct fleet_cp_view view;
    const struct api_viewer *viewer;
};

static void write_cp(struct json_writer *writer, void *arg)
{
    const struct cp_object *object = arg;
    api_write_charge_point(writer, NULL, &object->view, object->viewer);
}

static void end_list(struct api_text *text, const char *cursor)
{
    api_text_add_string(text, "],\"next\":");
    if (cursor == NULL || cursor[0] == '\0') {
        api_text_add_string(text, "null}");
        return;
    }
    api_text_add_string(text, "\""); /* ids and ULIDs need no escaping */
    api_text_add_string(text, cursor);
    api_text_add_string(text, "\"}");
}

void api_list_charge_points(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_caller caller;
    struct api_text text = {0};
    struct cp_object object = {.viewer = &caller.viewer};
    enum cp_state state = CP_STATE_COUNT;
    size_t limit = 0, count = 0;
    const char *state_text = http_query(exchange, "state"), *city = http_query(exchange, "city");
    const char *after = http_query(exchange, "after");
    if (!api_limit(exchange, &limit))
        return;
    if (state_text != NULL && cp_state_parse(state_text, &state) != EV_OK) {
        http_reply_problem(
            exchange, 400,
            "state must be Offline, Faulted, Charging, Unavailable, Finishing, Preparing or Available");
        return;
    }
    api_find_caller(api, exchange, &caller);
    char last[33] = "";
    bool more = false;
    api_text_add_string(&text, "{\"items\":[");
    for (const struct fleet_cp *cp = fleet_next_cp(api->central->fleet, after == NULL ? "" : after);
         cp != NULL; cp = fleet_next_cp(api->central->fleet, fleet_cp_id(cp)->text)) {
        fleet_view_cp(api->central->fleet, cp, &object.view);
        if ((state != CP_STATE_COUNT && object.view.state != state) ||
            (city != NULL && strcmp(city, object.view.city) != 0))
            continue;
        if (count == limit) {
            more = true;
            break;
        }
        if (count++ > 0)
            api_text_add_string(&text, ",");
        api_text_add_object(&text, write_cp, &object);
        (void)snprintf(last, sizeof last, "%s", object.view.id.text);
    }
    end_list(&text, more ? last : NULL);
    api_reply_text(exchange, 200, &text);
}

void api_reply_charge_point(struct api *api, struct http_exchange *exchange, const char *id_text,
                            const struct api_viewer *viewer)
{
    struct cp_id id;
    struct api_text text = {0};
    struct cp_object object = {.viewer = viewer};
    const struct fleet_cp *cp =
        cp_id_parse(id_text, &id) == EV_OK ? fleet_find_cp(api->central->fleet, &id) : NULL;
    if (cp == NULL) {
        http_reply_problem(exchange, 404, "there is no such charge point");
        return;
    }
    fleet_view_cp(api->central->fleet, cp, &object.view);
    api_text_add_object(&text, write_cp, &object);
    api_reply_text(exchange, 200, &text);
}

void api_get_charge_point(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_caller caller;
    api_find_caller(api, exchange, &caller);
    api_reply_charge_point(api, exchange, http_path_part(exchange, 0), &caller.viewer);
}

/* ---- sessions ---- */

static void write_session(struct json_writer *writer, void *arg)
{
    api_write_session(writer, NULL, arg);
}

bool api_find_session(struct api *api, const char *id_text, struct store_session *ret_row)
{
    struct session_id id;
    if (session_id_parse(id_text, &id) != EV_OK)
        return false;
    const struct fleet_session *session = fleet_find_session(api->central->fleet, &id);
    if (session != NULL) {
        fleet_session_row(session, ret_row);
        return true;
    }
    return store_find_session(api->central->store, &id, ret_row) == EV_OK;
}

/* Admins and drivers; else answers and is false. */
static bool may_see_sessions(struct api *api, struct http_exchange *exchange, const struct api_caller *caller)
{
    struct fleet_actor actor;
    if (caller->viewer.admin || caller->viewer.driver_id != NULL)
        return true;
    if (http_peer(exchange) != NULL)
        return api_require_node(api, exchange, FLEET_ROLE_DRIVER,
                                &actor); /* says why this certificate does not do */
    http_reply_header(exchange, "WWW-Authenticate", "Bearer");
    http_reply_problem(exchange, 401, "sign in as an admin, or present a driver's certificate over HTTPS");
    return false;
}

struct session_list {
    struct api *api;
    struct api_text text;
    size_t count, limit;
    bool more;
    char last[27];
};

static void add_session(void *user, const struct store_session *stored)
{
    struct session_list *list = user;
    struct store_session row = *stored;
    if (list->count == list->limit) {
        list->more = true;
        return;
    }
    /* An open session's figures are newer in memory. */
    const struct fleet_session *live = fleet_find_session(list->api->central->fleet, &stored->id);
    if (live != NULL)
        fleet_session_row(live, &row);
    if (list->count++ > 0)
        api_text_add_string(&list->text, ",");
    api_text_add_object(&list->text, write_session, &row);
    (void)snprintf(list->last, sizeof list->last, "%s", row.id.text);
}

/* Answers 400 and is false where a filter does not parse. */
static bool session_filters(struct http_exchange *exchange, struct store_session_query *query)
{
    enum session_state state;
    const char *state_text = http_query(exchange, "state"), *from = http_query(exchange, "from");
    const char *to = http_query(exchange, "to"), *after = http_query(exchange, "after");
    query->state = -1;
    query->from_ms = query->to_ms = -1;
    query->driver = http_query(exchange, "driver");
    query->cp = http_query(exchange, "cp");
    if (!api_limit(exchange, &query->limit))
        return false;
    if (state_text != NULL) {
        if (session_state_parse(state_text, &state) != EV_OK) {
            http_reply_problem(exchange, 400,
                               "state must be one of requested, preparing, charging, settling, finished, "
                               "rejected, expired, cancelled");
            return false;
        }
        query->state = (int)state;
    }
    if ((from != NULL && time_text_parse(from, &query->from_ms) != EV_OK) ||
        (to != NULL && time_text_parse(to, &query->to_ms) != EV_OK)) {
        http_reply_problem(exchange, 400, "from and to are RFC 3339 times like 2026-01-31T12:00:00.000Z");
        return false;
    }
    if (after != NULL)
        (void)snprintf(query->after, sizeof query->after, "%s", after);
    return true;
}

void api_list_sessions(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_caller caller;
    struct store_session_query query = {0};
    struct session_list list = {.api = api};
    api_find_caller(api, exchange, &caller);
    if (!may_see_sessions(api, exchange, &caller))
        return;
    if (!session_filters(exchange, &query))
        return;
    if (!caller.viewer.admin)
        query.driver = caller.viewer.driver_id;
    list.limit = query.limit++; /* one more tells whether there is a next page */
    api_text_add_string(&list.text, "{\"items\":[");
    if (store_list_sessions(api->central->store, &query, add_session, &list) != EV_OK) {
        free(list.text.bytes);
        http_reply_problem(exchange, 503, "the database cannot be read: try again");
        return;
    }
    end_list(&list.text, list.more ? list.last : NULL);
    api_reply_text(exchange, 200, &list.text);
}

/* The row, if the caller may see it; else the answer is given. */
static bool visible_session(struct api *api, struct http_exchange *exchange, struct store_session *ret_row)
{
    struct api_caller caller;
    api_find_caller(api, exchange, &caller);
    if (!may_see_sessions(api, exchange, &caller))
        return false;
    if (!api_find_session(api, http_path_part(exchange, 0), ret_row) ||
        (!caller.viewer.admin && strcmp(ret_row->driver_id.text, caller.driver) != 0)) {
        http_reply_problem(exchange, 404, "there is no such session");
        return false;
    }
    return true;
}

void api_get_session(struct http_exchange *exchange, void *user)
{
    struct store_session row;
    struct api_text text = {0};
    if (!visible_session(user, exchange, &row))
        return;
    api_text_add_object(&text, write_session, &row);
    api_reply_text(exchange, 200, &text);
}

static void write_curve_point(struct json_writer *writer, void *arg)
{
    sqlite3_stmt *st = arg;
    json_write_object_begin(writer, NULL);
    json_write_time(writer, "at", sqlite3_column_int64(st, 0));
    json_write_integer(writer, "power_w", sqlite3_column_int64(st, 1));
    json_write_integer(writer, "energy_wh", sqlite3_column_int64(st, 2) / 3600000);
    json_write_real(writer, "soc_percent", (double)sqlite3_column_int64(st, 3) / 10.0);
    json_write_object_end(writer);
}

void api_get_curve(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct store_session row;
    struct api_text text = {0};
    sqlite3_stmt *st = NULL;
    if (!visible_session(api, exchange, &row))
        return;
    if (sqlite3_prepare_v2(store_reader(api->central->store),
                           "SELECT at_ms, power_w, energy_wms, soc_permille FROM curve WHERE session_id = ?1 "
                           "ORDER BY at_ms LIMIT 20000",
                           -1, &st, NULL) != SQLITE_OK) {
        http_reply_problem(exchange, 503, "the database cannot be read: try again");
        return;
    }
    store_bind_text(st, 1, row.id.text);
    api_text_add_string(&text, "{\"items\":[");
    for (size_t count = 0; sqlite3_step(st) == SQLITE_ROW; count++) {
        if (count > 0)
            api_text_add_string(&text, ",");
        api_text_add_object(&text, write_curve_point, st);
    }
    sqlite3_finalize(st);
    end_list(&text, NULL);
    api_reply_text(exchange, 200, &text);
}

/* ---- audit ---- */

struct audit_list {
    const struct api_viewer *viewer;
    struct api_text text;
    size_t count, limit;
    int64_t last;
    bool more;
};

struct audit_object {
    const struct store_audit_row *row;
    const struct api_viewer *viewer;
};

static void write_audit(struct json_writer *writer, void *arg)
{
    const struct audit_object *object = arg;
    api_write_audit(writer, NULL, object->row, object->viewer);
}

static void add_audit(void *user, const struct store_audit_row *row)
{
    struct audit_list *list = user;
    struct audit_object object = {.row = row, .viewer = list->viewer};
    if (list->count == list->limit) {
        list->more = true;
        return;
    }
    if (list->count++ > 0)
        api_text_add_string(&list->text, ",");
    api_text_add_object(&list->text, write_audit, &object);
    list->last = row->seq;
}

void api_list_audit(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_caller caller;
    struct audit_list list = {.viewer = &caller.viewer};
    int64_t before = 0;
    char next[32];
    const char *before_text = http_query(exchange, "before");
    api_find_caller(api, exchange, &caller);
    if (api->central->options.private_audit && !caller.viewer.admin) {
        http_reply_header(exchange, "WWW-Authenticate", "Bearer");
        http_reply_problem(exchange, 401, "the audit trail is for admins here: sign in first");
        return;
    }
    if (!api_limit(exchange, &list.limit))
        return;
    if (before_text != NULL && options_parse_integer(before_text, 1, INT64_MAX, &before) != EV_OK) {
        http_reply_problem(exchange, 400, "before must be the seq of an entry");
        return;
    }
    api_text_add_string(&list.text, "{\"items\":[");
    if (store_list_audit(api->central->store, before, http_query(exchange, "action"), list.limit + 1,
                         add_audit, &list) != EV_OK) {
        free(list.text.bytes);
        http_reply_problem(exchange, 503, "the database cannot be read: try again");
        return;
    }
    if (list.more)
        (void)snprintf(next, sizeof next, "],\"next\":%lld}", (long long)list.last);
    else
        (void)snprintf(next, sizeof next, "],\"next\":null}");
    api_text_add_string(&list.text, next);
    api_reply_text(exchange, 200, &list.text);
}

/* ---- weather, summary, events ---- */

static void write_weather(struct json_writer *writer, void *arg)
{
    api_write_weather(writer, NULL, arg);
}

void api_list_weather(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_text text = {0};
    struct fleet_weather_view view = {.city = ""};
    int64_t now_ms = loop_now_ms(api->central->loop);
    size_t count = 0;
    api_text_add_string(&text, "{\"items\":[");
    while (fleet_next_weather(api->central->fleet, view.city, now_ms, &view)) {
        if (count++ > 0)
            api_text_add_string(&text, ",");
        api_text_add_object(&text, write_weather, &view);
    }
    end_list(&text, NULL);
    api_reply_text(exchange, 200, &text);
}

struct summary_object {
    const struct central *central;
    struct api_today today;
};

static void write_summary(struct json_writer *writer, void *arg)
{
    const struct summary_object *object = arg;
    api_write_summary(writer, object->central, &object->today, loop_now_ms(object->central->loop),
                      wall_now_ms());
}

void api_get_summary(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct summary_object object = {.central = api->central};
    struct api_text text = {0};
    events_today(api->central->events, &object.today);
    api_text_add_object(&text, write_summary, &object);
    api_reply_text(exchange, 200, &text);
}

void api_stream_events(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_caller caller;
    api_find_caller(api, exchange, &caller);
    events_serve(api->central->events, exchange, &caller.viewer);
}
