/* requests_journal.c - what must survive a crash, as JSON. */
#include "driver/requests_internal.h"

#include "common/rules/energy.h"
#include "common/wire/json.h"

#include <string.h>

#define JOURNAL_VERSION 1

static void write_entry(struct json_writer *writer, const struct requests_entry *entry)
{
    json_write_object_begin(writer, NULL);
    json_write_text(writer, "request_id", entry->request.request_id.text);
    json_write_text(writer, "cp_id", entry->request.cp_id.text);
    json_write_integer(writer, "target_wh", entry->request.target_wh);
    json_write_integer(writer, "at_ms", entry->request.at_ms);
    json_write_text_or_null(writer, "session_id", entry->session_id.text);
    json_write_integer(writer, "line", entry->line);
    json_write_integer(writer, "asked", entry->asked);
    json_write_bool(writer, "of_service", entry->of_service);
    json_write_bool(writer, "passed", entry->passed);
    json_write_bool(writer, "stop_wanted", entry->stop_wanted);
    json_write_object_end(writer);
}

enum ev_err requests_encode(const struct requests *requests, char *buf, size_t cap, size_t *ret_len)
{
    const struct requests_services *services = &requests->services;
    struct json_writer writer;

    json_writer_init(&writer, buf, cap);
    json_write_object_begin(&writer, NULL);
    json_write_integer(&writer, "version", JOURNAL_VERSION);
    json_write_array_begin(&writer, "requests");
    for (size_t i = 0; i < requests->entry_count; i++) {
        write_entry(&writer, &requests->entries[i]);
    }
    json_write_array_end(&writer);
    if (!services->active) {
        json_write_null(&writer, "services");
    } else {
        json_write_object_begin(&writer, "services");
        json_write_text(&writer, "path", services->path);
        json_write_text(&writer, "hash", services->hash);
        json_write_integer(&writer, "count", (int64_t)services->count);
        json_write_integer(&writer, "index", (int64_t)services->index);
        json_write_integer(&writer, "finished", (int64_t)services->finished);
        json_write_integer(&writer, "failed", (int64_t)services->failed);
        json_write_integer(&writer, "energy_wh", (int64_t)services->energy_wh);
        json_write_integer(&writer, "cost_cents", (int64_t)services->cost_cents);
        json_write_object_end(&writer);
    }
    json_write_object_end(&writer);
    return json_writer_finish(&writer, ret_len);
}

static enum ev_err read_number(const cJSON *object, const char *name, int64_t max, enum ev_err err,
                               int64_t *ret_value)
{
    return err != EV_OK ? err : json_get_integer(object, name, 0, max, ret_value);
}

static enum ev_err read_entry(const cJSON *object, struct requests_entry *ret_entry)
{
    struct requests_entry entry = {.saved = true, .sent_ms = -1};
    int64_t target = 0;
    int64_t line = 0;
    int64_t asked = 0;
    enum ev_err err = json_get_request_id(object, "request_id", &entry.request.request_id);

    if (err == EV_OK) {
        err = json_get_cp_id(object, "cp_id", &entry.request.cp_id);
    }
    err = read_number(object, "target_wh", (int64_t)ENERGY_WH_MAX, err, &target);
    err = read_number(object, "at_ms", JSON_INTEGER_MAX, err, &entry.request.at_ms);
    err = read_number(object, "line", UINT32_MAX, err, &line);
    err = read_number(object, "asked", REQUESTS_ASKED_MAX, err, &asked);
    if (err == EV_OK && !json_is_null(object, "session_id")) {
        err = json_get_session_id(object, "session_id", &entry.session_id);
    }
    if (err == EV_OK) {
        err = json_get_bool(object, "of_service", &entry.of_service);
    }
    if (err == EV_OK) {
        err = json_get_bool(object, "passed", &entry.passed);
    }
    if (err == EV_OK) {
        err = json_get_bool(object, "stop_wanted", &entry.stop_wanted);
    }
    if (err != EV_OK) {
        return err;
    }
    entry.request.target_wh = (uint32_t)target;
    entry.line = (uint32_t)line;
    entry.asked = (uint32_t)asked;
    *ret_entry = entry;
    return EV_OK;
}

static enum ev_err read_services(const cJSON *object, struct requests_services *ret_services)
{
    struct requests_services *services = ret_services;
    int64_t count = 0;
    int64_t index = 0;
    int64_t finished = 0;
    int64_t failed = 0;
    int64_t energy = 0;
    int64_t cost = 0;
    enum ev_err err = json_get_text(object, "path", services->path, sizeof services->path);

    if (err == EV_OK) {
        err = json_get_text(object, "hash", services->hash, sizeof services->hash);
    }
    err = read_number(object, "count", SERVICES_MAX, err, &count);
    err = read_number(object, "index", count, err, &index);
    err = read_number(object, "finished", JSON_INTEGER_MAX, err, &finished);
    err = read_number(object, "failed", JSON_INTEGER_MAX, err, &failed);
    err = read_number(object, "energy_wh", JSON_INTEGER_MAX, err, &energy);
    err = read_number(object, "cost_cents", JSON_INTEGER_MAX, err, &cost);
    if (err != EV_OK) {
        return err;
    }
    services->active = true;
    services->count = (size_t)count;
    services->index = (size_t)index;
    services->finished = (uint64_t)finished;
    services->failed = (uint64_t)failed;
    services->energy_wh = (uint64_t)energy;
    services->cost_cents = (uint64_t)cost;
    return EV_OK;
}

static enum ev_err read_journal(const cJSON *tree, struct requests *requests)
{
    const cJSON *list = json_member(tree, "requests");
    const cJSON *item = NULL;
    int64_t version = 0;
    enum ev_err err = json_get_integer(tree, "version", JOURNAL_VERSION, JOURNAL_VERSION, &version);

    if (err != EV_OK || !cJSON_IsArray(list)) {
        return err != EV_OK ? err : EV_ERR_PARSE;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (requests->entry_count == REQUESTS_OPEN_MAX) {
            return EV_ERR_TOO_LARGE;
        }
        err = read_entry(item, &requests->entries[requests->entry_count]);
        if (err != EV_OK) {
            return err;
        }
        requests->entry_count++;
    }
    if (json_is_null(tree, "services")) {
        return EV_OK;
    }
    return read_services(json_member(tree, "services"), &requests->services);
}

enum ev_err requests_decode(struct requests *requests, const char *bytes, size_t len)
{
    struct requests read = *requests;
    cJSON *tree = NULL;
    enum ev_err err = json_parse(bytes, len, REQUESTS_JOURNAL_MAX, &tree);

    if (err == EV_OK) {
        err = read_journal(tree, &read);
    }
    cJSON_Delete(tree);
    if (err == EV_OK) {
        *requests = read;
    }
    return err;
}
