#include "driver/central_client.h"

#include "common/rules/energy.h"
#include "common/wire/json.h"

#include <stdlib.h>
#include <string.h>

/* Charge points shown; beyond, the list is cut: nobody reads more. */
#define POINTS_MAX 100000

enum ev_err central_client_parse_base(const char *text, char ret_base[CENTRAL_URL_MAX])
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '/') {
        len--;
    }
    if (strncmp(text, "https://", 8) != 0 || len <= 8) {
        return EV_ERR_PARSE;
    }
    if (len >= CENTRAL_URL_MAX / 2) {
        return EV_ERR_TOO_LARGE;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f) {
            return EV_ERR_PARSE;
        }
    }
    memcpy(ret_base, text, len);
    ret_base[len] = '\0';
    return EV_OK;
}

enum ev_err central_client_parse_key(const char *body, size_t len, struct central_key *ret_key)
{
    struct central_key key = {.epoch = 0};
    char hex[SEAL_KEY_HEX_SIZE];
    cJSON *tree = NULL;
    int64_t epoch = 0;
    enum ev_err err = json_parse(body, len, CENTRAL_ANSWER_MAX, &tree);

    if (err == EV_OK) {
        err = json_get_integer(tree, "epoch", 1, UINT32_MAX, &epoch);
    }
    if (err == EV_OK) {
        err = json_get_text(tree, "key", hex, sizeof hex);
    }
    if (err == EV_OK) {
        err = seal_key_parse(hex, &key.key);
    }
    if (err == EV_OK) {
        err = json_get_time(tree, "expires_at", &key.expires_at_ms);
    }
    if (err == EV_OK) {
        err = json_get_text(tree, "kafka", key.kafka, sizeof key.kafka);
    }
    cJSON_Delete(tree);
    memset(hex, 0, sizeof hex);
    if (err == EV_OK) {
        key.epoch = (uint32_t)epoch;
        *ret_key = key;
    }
    seal_key_wipe(&key.key);
    return err;
}

static enum ev_err parse_list(const char *body, size_t len, cJSON **ret_tree, const cJSON **ret_items)
{
    cJSON *tree = NULL;
    enum ev_err err = json_parse(body, len, CENTRAL_ANSWER_MAX, &tree);

    if (err != EV_OK) {
        return err;
    }
    if (!cJSON_IsArray(json_member(tree, "items")) || !json_has(tree, "next")) {
        cJSON_Delete(tree);
        return EV_ERR_PARSE;
    }
    *ret_tree = tree;
    *ret_items = json_member(tree, "items");
    return EV_OK;
}

enum ev_err central_client_parse_sessions(const char *body, size_t len, struct session_view *ret_views,
                                          size_t *ret_count, bool *ret_complete)
{
    cJSON *tree = NULL;
    const cJSON *items = NULL;
    const cJSON *item = NULL;
    size_t count = 0;
    enum ev_err err = parse_list(body, len, &tree, &items);

    if (err != EV_OK) {
        return err;
    }
    cJSON_ArrayForEach(item, items)
    {
        if (count == CENTRAL_SESSIONS_MAX) {
            err = EV_ERR_TOO_LARGE;
            break;
        }
        err = session_view_from_json(item, &ret_views[count]);
        if (err != EV_OK) {
            break;
        }
        count++;
    }
    if (err == EV_OK) {
        *ret_count = count;
        *ret_complete = json_is_null(tree, "next");
    }
    cJSON_Delete(tree);
    return err;
}

static enum ev_err parse_point(const cJSON *item, struct central_point *ret_point)
{
    struct central_point point = {.price_cents_per_kwh = 0};
    int64_t price = 0;
    int64_t power = 0;
    enum ev_err err = json_get_cp_id(item, "id", &point.id);

    if (err == EV_OK) {
        err = json_get_text(item, "city", point.city, sizeof point.city);
    }
    if (err == EV_OK) {
        err = json_get_text(item, "state", point.state, sizeof point.state);
    }
    if (err == EV_OK) {
        err = json_get_integer(item, "price_cents_per_kwh", 0, PRICE_CENTS_PER_KWH_MAX, &price);
    }
    if (err == EV_OK) {
        err = json_get_integer(item, "max_power_w", 0, UINT32_MAX, &power);
    }
    if (err != EV_OK) {
        return err;
    }
    point.price_cents_per_kwh = (uint32_t)price;
    point.max_power_w = (uint32_t)power;
    *ret_point = point;
    return EV_OK;
}

static enum ev_err append_points(const cJSON *items, struct central_point **points, size_t *count)
{
    const cJSON *item = NULL;
    size_t more = (size_t)cJSON_GetArraySize(items);
    struct central_point *grown = NULL;

    if (more > POINTS_MAX - *count) {
        return EV_ERR_TOO_LARGE;
    }
    grown = realloc(*points, (*count + more + 1) * sizeof *grown);
    if (grown == NULL) {
        return EV_ERR_NOMEM;
    }
    *points = grown;
    cJSON_ArrayForEach(item, items)
    {
        enum ev_err err = parse_point(item, &grown[*count]);
        if (err != EV_OK) {
            return err;
        }
        (*count)++;
    }
    return EV_OK;
}

enum ev_err central_client_parse_points(const char *body, size_t len, struct central_point **points,
                                        size_t *count, struct cp_id *ret_next)
{
    cJSON *tree = NULL;
    const cJSON *items = NULL;
    struct cp_id next = {.text = ""};
    enum ev_err err = parse_list(body, len, &tree, &items);

    if (err != EV_OK) {
        return err;
    }
    err = append_points(items, points, count);
    if (err == EV_OK && !json_is_null(tree, "next")) {
        err = json_get_cp_id(tree, "next", &next);
    }
    if (err == EV_OK) {
        *ret_next = next;
    }
    cJSON_Delete(tree);
    return err;
}

static int rank_of(const struct central_point *point)
{
    static const char *const order[] = {"Available",   "Finishing", "Preparing", "Charging",
                                        "Unavailable", "Faulted",   "Offline"};

    for (int i = 0; i < (int)(sizeof order / sizeof order[0]); i++) {
        if (strcmp(point->state, order[i]) == 0) {
            return i;
        }
    }
    return 99;
}

static int compare(const void *a, const void *b)
{
    const struct central_point *left = a;
    const struct central_point *right = b;
    int by_rank = rank_of(left) - rank_of(right);

    return by_rank != 0 ? by_rank : strcmp(left->id.text, right->id.text);
}

void central_client_sort_points(struct central_point *points, size_t count)
{
    if (count > 1) {
        qsort(points, count, sizeof *points, compare);
    }
}
