#include "common/wire/session_view.h"

#include <string.h>

#define STATE_SIZE 32 /* longer than every state and reason */

void session_view_from_session(const struct session *session, struct session_view *ret_view)
{
    *ret_view = (struct session_view){
        .id = session->id,
        .request_id = session->request_id,
        .cp_id = session->cp_id,
        .driver_id = session->driver_id,
        .state = session->state,
        .reason = session->reason,
        .stop_reason = session->stop_reason,
        .requested_at = session->requested_ms,
        .started_at = session->started_ms,
        .ended_at = session->ended_ms,
        .energy_wh = session_energy_wh(session),
        .cost_cents = session_cost_now(session),
        .price_cents_per_kwh = session->price_cents_per_kwh,
    };
}

static bool time_is_good(int64_t ms)
{
    return ms <= TIME_MS_MAX;
}

static bool view_is_good(const struct session_view *view)
{
    return session_id_is_set(&view->id) && request_id_is_set(&view->request_id) &&
           cp_id_is_set(&view->cp_id) && driver_id_is_set(&view->driver_id) &&
           view->state < SESSION_STATE_COUNT && view->reason < SESSION_REASON_COUNT &&
           view->stop_reason < STOP_REASON_COUNT && view->requested_at > 0 &&
           time_is_good(view->requested_at) && time_is_good(view->started_at) &&
           time_is_good(view->ended_at) && view->energy_wh <= ENERGY_WH_MAX &&
           view->cost_cents <= (uint64_t)JSON_INTEGER_MAX &&
           view->price_cents_per_kwh <= PRICE_CENTS_PER_KWH_MAX;
}

void session_view_write(const struct session_view *view, struct json_writer *writer, const char *name)
{
    if (!view_is_good(view)) {
        json_write_fail(writer, EV_ERR_RANGE);
        return;
    }
    json_write_object_begin(writer, name);
    json_write_text(writer, "id", view->id.text);
    json_write_text(writer, "request_id", view->request_id.text);
    json_write_text(writer, "cp_id", view->cp_id.text);
    json_write_text(writer, "driver_id", view->driver_id.text);
    json_write_text(writer, "state", session_state_text(view->state));
    json_write_text_or_null(writer, "reason", session_reason_text(view->reason));
    json_write_text_or_null(writer, "stop_reason", stop_reason_text(view->stop_reason));
    json_write_time(writer, "requested_at", view->requested_at);
    json_write_time(writer, "started_at", view->started_at);
    json_write_time(writer, "ended_at", view->ended_at);
    json_write_integer(writer, "energy_wh", (int64_t)view->energy_wh);
    json_write_integer(writer, "cost_cents", (int64_t)view->cost_cents);
    json_write_integer(writer, "price_cents_per_kwh", view->price_cents_per_kwh);
    json_write_object_end(writer);
}

cJSON *session_view_to_json(const struct session_view *view)
{
    char text[SESSION_VIEW_SIZE];
    size_t len = 0;
    struct json_writer writer;
    json_writer_init(&writer, text, sizeof(text));
    session_view_write(view, &writer, NULL);
    if (json_writer_finish(&writer, &len) != EV_OK)
        return NULL;
    return cJSON_ParseWithLength(text, len);
}

static enum ev_err get_state(const cJSON *object, enum session_state *ret)
{
    char text[STATE_SIZE];
    const enum ev_err err = json_get_text(object, "state", text, sizeof(text));
    return err != EV_OK ? err : session_state_parse(text, ret);
}

/* null is the NONE value, and the empty text is not. */
static enum ev_err get_text_or_null(const cJSON *object, const char *name, char *buf, size_t cap)
{
    buf[0] = '\0';
    if (json_is_null(object, name))
        return EV_OK;
    const enum ev_err err = json_get_text(object, name, buf, cap);
    return err == EV_OK && buf[0] == '\0' ? EV_ERR_PARSE : err;
}

static enum ev_err get_reasons(const cJSON *object, struct session_view *view)
{
    char text[STATE_SIZE];
    enum ev_err err = get_text_or_null(object, "reason", text, sizeof(text));
    if (err == EV_OK)
        err = session_reason_parse(text, &view->reason);
    if (err == EV_OK)
        err = get_text_or_null(object, "stop_reason", text, sizeof(text));
    if (err == EV_OK)
        err = stop_reason_parse(text, &view->stop_reason);
    return err;
}

static enum ev_err get_ids(const cJSON *object, struct session_view *view)
{
    enum ev_err err = json_get_session_id(object, "id", &view->id);
    if (err == EV_OK)
        err = json_get_request_id(object, "request_id", &view->request_id);
    if (err == EV_OK)
        err = json_get_cp_id(object, "cp_id", &view->cp_id);
    if (err == EV_OK)
        err = json_get_driver_id(object, "driver_id", &view->driver_id);
    return err;
}

static enum ev_err get_figures(const cJSON *object, struct session_view *view)
{
    int64_t energy_wh = 0;
    int64_t cost_cents = 0;
    int64_t price = 0;
    enum ev_err err = json_get_time(object, "requested_at", &view->requested_at);
    if (err == EV_OK)
        err = json_get_time_or_null(object, "started_at", &view->started_at);
    if (err == EV_OK)
        err = json_get_time_or_null(object, "ended_at", &view->ended_at);
    if (err == EV_OK)
        err = json_get_integer(object, "energy_wh", 0, (int64_t)ENERGY_WH_MAX, &energy_wh);
    if (err == EV_OK)
        err = json_get_integer(object, "cost_cents", 0, JSON_INTEGER_MAX, &cost_cents);
    if (err == EV_OK)
        err = json_get_integer(object, "price_cents_per_kwh", 0, PRICE_CENTS_PER_KWH_MAX, &price);
    view->energy_wh = (uint64_t)energy_wh;
    view->cost_cents = (uint64_t)cost_cents;
    view->price_cents_per_kwh = (uint32_t)price;
    return err;
}

enum ev_err session_view_from_json(const cJSON *object, struct session_view *ret_view)
{
    struct session_view view;
    memset(&view, 0, sizeof(view));
    enum ev_err err = get_ids(object, &view);
    if (err == EV_OK)
        err = get_state(object, &view.state);
    if (err == EV_OK)
        err = get_reasons(object, &view);
    if (err == EV_OK)
        err = get_figures(object, &view);
    if (err == EV_OK && !view_is_good(&view))
        err = EV_ERR_RANGE;
    if (err == EV_OK)
        *ret_view = view;
    return err;
}
