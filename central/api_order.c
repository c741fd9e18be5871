/* api_order.c - what changes something: each order goes to the fleet and is answered after the commit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_internal.h"
#include "common/runtime/limits.h"
#include "common/runtime/loop.h"

/* One order, or several of one kind, whose answers are collected. */
struct order {
    struct api *api;
    struct http_exchange *exchange;
    enum fleet_event_type type;
    struct fleet_actor actor;
    bool many;
    size_t waiting, count;
    struct order_item {
        struct order *order;
        struct cp_id id;
        struct fleet_answer answer;
    } items[];
};

struct done_object {
    const struct order_item *item;
};

static void write_done(struct json_writer *writer, void *arg)
{
    const struct order_item *item = ((struct done_object *)arg)->item;
    json_write_object_begin(writer, NULL);
    json_write_text(writer, "id", item->id.text);
    api_write_holds(writer, "holds", item->answer.holds);
    json_write_bool(writer, "done", item->answer.done);
    json_write_object_end(writer);
}

static void reply_order(struct order *order)
{
    struct api_text text = {0};
    if (!order->many && order->items[0].answer.code != FLEET_ANSWER_OK) {
        api_reply_answer(order->exchange, &order->items[0].answer);
        return;
    }
    api_text_add_string(&text, "{\"items\":[");
    for (size_t i = 0; i < order->count; i++) {
        struct done_object object = {.item = &order->items[i]};
        if (i > 0)
            api_text_add_string(&text, ",");
        api_text_add_object(&text, write_done, &object);
    }
    api_text_add_string(&text, "]}");
    api_reply_text(order->exchange, 202, &text);
}

static void on_item_done(void *user, const struct fleet_answer *answer)
{
    struct order_item *item = user;
    struct order *order = item->order;
    item->answer = *answer;
    if (--order->waiting > 0)
        return;
    reply_order(order);
    free(order);
}

static struct order *order_new(struct api *api, struct http_exchange *exchange, enum fleet_event_type type,
                               size_t capacity)
{
    struct order *order = calloc(1, sizeof *order + capacity * sizeof order->items[0]);
    EV_ASSERT(order != NULL);
    order->api = api;
    order->exchange = exchange;
    order->type = type;
    return order;
}

static void order_add(struct order *order, const struct cp_id *id)
{
    struct order_item *item = &order->items[order->count++];
    item->order = order;
    item->id = *id;
}

/* Takes the order: answered, and freed, when the last commit is through. */
static void order_run(struct order *order)
{
    if (order->count == 0) {
        reply_order(order);
        free(order);
        return;
    }
    size_t count = order->count; /* the last answer frees the order, but never from inside dispatch_call */
    order->waiting = count;
    for (size_t i = 0; i < count; i++) {
        struct fleet_event event;
        dispatch_event_init(&event, order->type);
        event.cp_id = order->items[i].id;
        event.actor = &order->actor;
        dispatch_call(order->api->central, &event, on_item_done, &order->items[i]);
    }
}

static void run_one(struct http_exchange *exchange, struct api *api, enum fleet_event_type type)
{
    struct fleet_actor actor;
    struct cp_id id;
    if (!api_require_admin(api, exchange, &actor))
        return;
    if (cp_id_parse(http_path_part(exchange, 0), &id) != EV_OK ||
        fleet_find_cp(api->central->fleet, &id) == NULL) {
        http_reply_problem(exchange, 404, "there is no such charge point");
        return;
    }
    struct order *order = order_new(api, exchange, type, 1);
    order->actor = actor;
    order_add(order, &id);
    order_run(order);
}

void api_stop_one(struct http_exchange *exchange, void *user)
{
    run_one(exchange, user, FLEET_ORDER_STOP);
}

void api_resume_one(struct http_exchange *exchange, void *user)
{
    run_one(exchange, user, FLEET_ORDER_RESUME);
}

void api_rotate_key(struct http_exchange *exchange, void *user)
{
    run_one(exchange, user, FLEET_ORDER_ROTATE_KEY);
}

void api_drop_key(struct http_exchange *exchange, void *user)
{
    run_one(exchange, user, FLEET_ORDER_DROP_KEY);
}

void api_revoke(struct http_exchange *exchange, void *user)
{
    run_one(exchange, user, FLEET_ORDER_REVOKE);
}

/* All charge points; for resume those that an admin holds. */
static struct order *order_of_all(struct api *api, struct http_exchange *exchange, enum fleet_event_type type)
{
    const struct fleet *fleet = api->central->fleet;
    struct fleet_summary summary;
    struct fleet_cp_view view;
    fleet_summarise(fleet, loop_now_ms(api->central->loop), &summary);
    struct order *order = order_new(api, exchange, type, summary.charge_points + 1);
    for (const struct fleet_cp *cp = fleet_next_cp(fleet, "");
         cp != NULL && order->count < summary.charge_points;
         cp = fleet_next_cp(fleet, fleet_cp_id(cp)->text)) {
        fleet_view_cp(fleet, cp, &view);
        if (type != FLEET_ORDER_RESUME || (view.holds & HOLD_ADMIN) != 0)
            order_add(order, fleet_cp_id(cp));
    }
    return order;
}

/* Those of {"ids": [...]}; NULL, and answered, where one is unknown. */
static struct order *order_of_ids(struct api *api, struct http_exchange *exchange, enum fleet_event_type type)
{
    cJSON *body = api_body(exchange);
    if (body == NULL)
        return NULL;
    const cJSON *ids = json_member(body, "ids");
    int count = cJSON_IsArray(ids) ? cJSON_GetArraySize(ids) : -1;
    if (count < 0 || count > API_LIMIT_MAX) {
        cJSON_Delete(body);
        http_reply_problem(exchange, 400,
                           "ids must be a list of at most 1000 ids; without a body all are meant");
        return NULL;
    }
    struct order *order = order_new(api, exchange, type, (size_t)count + 1);
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, ids)
    {
        struct cp_id id;
        if (!cJSON_IsString(item) || cp_id_parse(item->valuestring, &id) != EV_OK ||
            fleet_find_cp(api->central->fleet, &id) == NULL) {
            free(order);
            cJSON_Delete(body);
            http_reply_problem(exchange, 404, "one of the ids is no charge point; nothing was done");
            return NULL;
        }
        order_add(order, &id);
    }
    cJSON_Delete(body);
    return order;
}

static void run_many(struct http_exchange *exchange, struct api *api, enum fleet_event_type type)
{
    struct fleet_actor actor;
    size_t len = 0;
    if (!api_require_admin(api, exchange, &actor))
        return;
    (void)http_body(exchange, &len);
    struct order *order = len == 0 ? order_of_all(api, exchange, type) : order_of_ids(api, exchange, type);
    if (order == NULL)
        return;
    order->many = true;
    order->actor = actor;
    order_run(order);
}

void api_stop_many(struct http_exchange *exchange, void *user)
{
    run_many(exchange, user, FLEET_ORDER_STOP);
}

void api_resume_many(struct http_exchange *exchange, void *user)
{
    run_many(exchange, user, FLEET_ORDER_RESUME);
}

/* ---- price, session, weather: one event each ---- */

struct single {
    struct api *api;
    struct http_exchange *exchange;
    char name[65]; /* charge point, session or city */
};

static struct single *single_new(struct api *api, struct http_exchange *exchange, const char *name)
{
    struct single *single = calloc(1, sizeof *single);
    EV_ASSERT(single != NULL);
    single->api = api;
    single->exchange = exchange;
    (void)snprintf(single->name, sizeof single->name, "%s", name);
    return single;
}

static void on_price_set(void *user, const struct fleet_answer *answer)
{
    static const struct api_viewer ADMIN = {.admin = true};
    struct single *single = user;
    if (answer->code != FLEET_ANSWER_OK)
        api_reply_answer(single->exchange, answer);
    else
        api_reply_charge_point(single->api, single->exchange, single->name, &ADMIN);
    free(single);
}

void api_set_price(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct fleet_actor actor;
    struct fleet_event event;
    int64_t price = 0;
    if (!api_require_admin(api, exchange, &actor))
        return;
    dispatch_event_init(&event, FLEET_ORDER_PRICE);
    if (cp_id_parse(http_path_part(exchange, 0), &event.cp_id) != EV_OK ||
        fleet_find_cp(api->central->fleet, &event.cp_id) == NULL) {
        http_reply_problem(exchange, 404, "there is no such charge point");
        return;
    }
    cJSON *body = api_body(exchange);
    if (body == NULL)
        return;
    enum ev_err err = json_get_integer(body, "price_cents_per_kwh", 0, 1000, &price);
    cJSON_Delete(body);
    if (err != EV_OK) {
        http_reply_problem(exchange, 422, "price_cents_per_kwh must be a whole number from 0 to 1000");
        return;
    }
    event.actor = &actor;
    event.of.price_cents_per_kwh = (uint32_t)price;
    dispatch_call(api->central, &event, on_price_set, single_new(api, exchange, event.cp_id.text));
}

static void write_row(struct json_writer *writer, void *arg)
{
    api_write_session(writer, NULL, arg);
}

static void on_session_stopped(void *user, const struct fleet_answer *answer)
{
    struct single *single = user;
    struct store_session row;
    struct api_text text = {0};
    if (answer->code != FLEET_ANSWER_OK) {
        api_reply_answer(single->exchange, answer);
    } else if (!api_find_session(single->api, single->name, &row)) {
        http_reply_problem(single->exchange, 404, "there is no such session");
    } else {
        api_text_add_object(&text, write_row, &row);
        api_reply_text(single->exchange, 202, &text);
    }
    free(single);
}

void api_stop_session(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct api_caller caller;
    struct fleet_actor actor = {.who = ""};
    struct fleet_event event;
    struct store_session row;
    api_find_caller(api, exchange, &caller);
    dispatch_event_init(&event, FLEET_ORDER_STOP_SESSION);
    if (!caller.viewer.admin && caller.viewer.driver_id != NULL) {
        (void)snprintf(actor.who, sizeof actor.who, "driver:%s", caller.driver);
        (void)snprintf(actor.address, sizeof actor.address, "%s", http_peer_address(exchange));
        (void)!driver_id_parse(caller.driver, &event.of.stop_session.driver_id);
    } else if (!api_require_admin(api, exchange, &actor)) {
        return;
    }
    if (!api_find_session(api, http_path_part(exchange, 0), &row) ||
        (!caller.viewer.admin && strcmp(row.driver_id.text, caller.driver) != 0)) {
        http_reply_problem(exchange, 404, "there is no such session");
        return;
    }
    event.actor = &actor;
    event.cp_id = row.cp_id;
    event.known = &row;
    event.of.stop_session.session_id = row.id;
    event.of.stop_session.by_admin = caller.viewer.admin;
    dispatch_call(api->central, &event, on_session_stopped, single_new(api, exchange, row.id.text));
}

static void write_weather(struct json_writer *writer, void *arg)
{
    api_write_weather(writer, NULL, arg);
}

static void on_weather(void *user, const struct fleet_answer *answer)
{
    struct single *single = user;
    struct fleet_weather_view view = {.city = ""};
    struct api_text text = {0};
    int64_t now_ms = loop_now_ms(single->api->central->loop);
    if (answer->code != FLEET_ANSWER_OK) {
        api_reply_answer(single->exchange, answer);
        free(single);
        return;
    }
    bool found = false;
    while (!found && fleet_next_weather(single->api->central->fleet, view.city, now_ms, &view))
        found = strcmp(view.city, single->name) == 0;
    if (found)
        api_text_add_object(&text, write_weather, &view);
    else
        api_text_add_string(&text, "{}"); /* forgotten */
    api_reply_text(single->exchange, 200, &text);
    free(single);
}

/* Reads a report's body into the event; answers and is false where it does not hold. */
static bool read_report(struct http_exchange *exchange, const char *id, struct fleet_weather *weather)
{
    cJSON *body = api_body(exchange);
    if (body == NULL)
        return false;
    weather->observed_at_ms = wall_now_ms();
    (void)snprintf(weather->source, sizeof weather->source, "%s", id);
    bool good = json_get_real(body, "temperature_c", -90.0, 60.0, &weather->temperature_c) == EV_OK &&
                (!json_has(body, "observed_at") ||
                 json_get_time(body, "observed_at", &weather->observed_at_ms) == EV_OK) &&
                (!json_has(body, "source") ||
                 json_get_text(body, "source", weather->source, sizeof weather->source) == EV_OK);
    cJSON_Delete(body);
    if (!good)
        http_reply_problem(exchange, 422,
                           "temperature_c is a number from -90 to 60, observed_at an RFC 3339 time, source "
                           "at most 32 bytes");
    return good;
}

static void run_weather(struct http_exchange *exchange, struct api *api, enum fleet_event_type type)
{
    struct fleet_actor actor;
    struct fleet_event event;
    const char *city = http_path_part(exchange, 0);
    if (!api_require_node(api, exchange, FLEET_ROLE_WEATHER, &actor))
        return;
    if (city[0] == '\0' || strlen(city) > 64) {
        http_reply_problem(exchange, 422, "a city's name has 1 to 64 bytes");
        return;
    }
    dispatch_event_init(&event, type);
    memset(&event.of.weather, 0, sizeof event.of.weather);
    if (type == FLEET_WEATHER_REPORT && !read_report(exchange, http_peer(exchange)->id, &event.of.weather))
        return;
    (void)snprintf(event.of.weather.city, sizeof event.of.weather.city, "%s", city);
    event.actor = &actor;
    dispatch_call(api->central, &event, on_weather, single_new(api, exchange, city));
}

void api_put_weather(struct http_exchange *exchange, void *user)
{
    run_weather(exchange, user, FLEET_WEATHER_REPORT);
}

void api_delete_weather(struct http_exchange *exchange, void *user)
{
    run_weather(exchange, user, FLEET_WEATHER_DELETE);
}
