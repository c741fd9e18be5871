#include "common/wire/driver_request.h"

#include "common/rules/energy.h"
#include "common/wire/json.h"
#include "common/wire/seal.h"
#include "common/wire/time_text.h"

#include <string.h>

enum ev_err driver_request_encode(const struct driver_request *request, char *buf, size_t cap,
                                  size_t *ret_len)
{
    if (!request_id_is_set(&request->request_id) || !cp_id_is_set(&request->cp_id) ||
        request->target_wh > ENERGY_WH_MAX || request->at_ms < 0 || request->at_ms > TIME_MS_MAX)
        return EV_ERR_RANGE;
    struct json_writer writer;
    json_writer_init(&writer, buf, cap);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "type", "charge");
    json_write_text(&writer, "request_id", request->request_id.text);
    json_write_text(&writer, "cp_id", request->cp_id.text);
    json_write_integer(&writer, "target_wh", request->target_wh);
    json_write_integer(&writer, "at_ms", request->at_ms);
    json_write_object_end(&writer);
    return json_writer_finish(&writer, ret_len);
}

enum ev_err driver_request_decode(const char *bytes, size_t len, struct driver_request *ret_request)
{
    struct driver_request request;
    cJSON *tree = NULL;
    char type[16];
    int64_t target_wh = 0;
    memset(&request, 0, sizeof(request));
    enum ev_err err = json_parse(bytes, len, SEAL_PLAIN_MAX, &tree);
    if (err != EV_OK)
        return err;
    err = json_get_text(tree, "type", type, sizeof(type));
    if (err == EV_ERR_TOO_LARGE || (err == EV_OK && strcmp(type, "charge") != 0))
        err = EV_ERR_UNSUPPORTED;
    if (err == EV_OK)
        err = json_get_request_id(tree, "request_id", &request.request_id);
    if (err == EV_OK)
        err = json_get_cp_id(tree, "cp_id", &request.cp_id);
    if (err == EV_OK)
        err = json_get_integer(tree, "target_wh", 0, (int64_t)ENERGY_WH_MAX, &target_wh);
    if (err == EV_OK)
        err = json_get_integer(tree, "at_ms", 0, TIME_MS_MAX, &request.at_ms);
    if (err == EV_OK) {
        request.target_wh = (uint32_t)target_wh;
        *ret_request = request;
    }
    cJSON_Delete(tree);
    return err;
}
