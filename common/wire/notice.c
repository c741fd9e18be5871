#include "common/wire/notice.h"

#include "common/wire/seal.h"

#include <string.h>

static bool live_is_good(const struct notice_live *live)
{
    return session_id_is_set(&live->session_id) && cp_id_is_set(&live->cp_id) &&
           live->power_w <= ENERGY_POWER_W_MAX && live->energy_wh <= ENERGY_WH_MAX &&
           live->cost_cents <= (uint64_t)JSON_INTEGER_MAX && live->soc_percent <= 100 && live->at_ms >= 0 &&
           live->at_ms <= TIME_MS_MAX;
}

static void write_live(const struct notice_live *live, struct json_writer *writer)
{
    json_write_text(writer, "session_id", live->session_id.text);
    json_write_text(writer, "cp_id", live->cp_id.text);
    json_write_integer(writer, "power_w", live->power_w);
    json_write_integer(writer, "energy_wh", (int64_t)live->energy_wh);
    json_write_integer(writer, "cost_cents", (int64_t)live->cost_cents);
    json_write_integer(writer, "soc_percent", live->soc_percent);
    json_write_integer(writer, "at_ms", live->at_ms);
}

enum ev_err notice_encode(const struct notice *notice, char *buf, size_t cap, size_t *ret_len)
{
    struct json_writer writer;
    json_writer_init(&writer, buf, cap);
    json_write_object_begin(&writer, NULL);
    switch (notice->type) {
    case NOTICE_SESSION:
        json_write_text(&writer, "type", "session");
        session_view_write(&notice->session, &writer, "session");
        break;
    case NOTICE_LIVE:
        if (!live_is_good(&notice->live))
            return EV_ERR_RANGE;
        json_write_text(&writer, "type", "live");
        write_live(&notice->live, &writer);
        break;
    default:
        return EV_ERR_RANGE;
    }
    json_write_object_end(&writer);
    return json_writer_finish(&writer, ret_len);
}

static enum ev_err decode_live(const cJSON *tree, struct notice_live *live)
{
    int64_t power_w = 0;
    int64_t energy_wh = 0;
    int64_t cost_cents = 0;
    int64_t soc_percent = 0;
    enum ev_err err = json_get_session_id(tree, "session_id", &live->session_id);
    if (err == EV_OK)
        err = json_get_cp_id(tree, "cp_id", &live->cp_id);
    if (err == EV_OK)
        err = json_get_integer(tree, "power_w", 0, ENERGY_POWER_W_MAX, &power_w);
    if (err == EV_OK)
        err = json_get_integer(tree, "energy_wh", 0, (int64_t)ENERGY_WH_MAX, &energy_wh);
    if (err == EV_OK)
        err = json_get_integer(tree, "cost_cents", 0, JSON_INTEGER_MAX, &cost_cents);
    if (err == EV_OK)
        err = json_get_integer(tree, "soc_percent", 0, 100, &soc_percent);
    if (err == EV_OK)
        err = json_get_integer(tree, "at_ms", 0, TIME_MS_MAX, &live->at_ms);
    live->power_w = (uint32_t)power_w;
    live->energy_wh = (uint64_t)energy_wh;
    live->cost_cents = (uint64_t)cost_cents;
    live->soc_percent = (uint32_t)soc_percent;
    return err;
}

enum ev_err notice_decode(const char *bytes, size_t len, struct notice *ret_notice)
{
    struct notice notice;
    cJSON *tree = NULL;
    char type[16];
    memset(&notice, 0, sizeof(notice));
    enum ev_err err = json_parse(bytes, len, SEAL_PLAIN_MAX, &tree);
    if (err != EV_OK)
        return err;
    err = json_get_text(tree, "type", type, sizeof(type));
    if (err == EV_OK && strcmp(type, "session") == 0) {
        notice.type = NOTICE_SESSION;
        err = session_view_from_json(json_member(tree, "session"), &notice.session);
    } else if (err == EV_OK && strcmp(type, "live") == 0) {
        notice.type = NOTICE_LIVE;
        err = decode_live(tree, &notice.live);
    } else if (err != EV_ERR_PARSE) {
        err = EV_ERR_UNSUPPORTED;
    }
    if (err == EV_OK)
        *ret_notice = notice;
    cJSON_Delete(tree);
    return err;
}
