#include "central/registry_feed.h"

#include "central/central.h"
#include "central/control_port.h"
#include "central/dispatch.h"
#include "common/runtime/backoff.h"
#include "common/runtime/http_client.h"
#include "common/runtime/identity.h"
#include "common/runtime/log.h"
#include "common/wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 1000
#define PAGE 500
#define RESPONSE_MAX (1024U * 1024U)
#define SEQ_MAX JSON_INTEGER_MAX

struct registry_feed {
    struct central *central;
    struct loop_timer *timer;
    struct http_call *call;
    struct backoff backoff;
    int64_t seq; /* to ask from */
    bool again;  /* asked for while a call was running */
};

static void set_health(struct registry_feed *feed, bool ok, const char *text)
{
    struct central_health *health = &feed->central->health;

    if (health->registry != ok || strcmp(health->registry_text, text) != 0) {
        if (ok) {
            log_info("registry.up", log_int("seq", feed->seq));
        } else {
            log_warn("registry.down", log_str("reason", text));
        }
    }
    health->registry = ok;
    (void)snprintf(health->registry_text, sizeof health->registry_text, "%s", text);
}

/* -- one change -- */

static enum fleet_event_type type_of(const char *kind)
{
    if (strcmp(kind, "registered") == 0) {
        return FLEET_REGISTERED;
    }
    if (strcmp(kind, "deregistered") == 0) {
        return FLEET_DEREGISTERED;
    }
    /* A renewal changes neither key nor place. */
    return strcmp(kind, "revoked") == 0 ? FLEET_REVOKED : FLEET_TICK;
}

static bool role_of(const char *text, enum fleet_role *ret_role)
{
    if (strcmp(text, "cp") == 0) {
        *ret_role = FLEET_ROLE_CP;
    } else if (strcmp(text, "driver") == 0) {
        *ret_role = FLEET_ROLE_DRIVER;
    } else if (strcmp(text, "weather") == 0) {
        *ret_role = FLEET_ROLE_WEATHER;
    } else {
        return false;
    }
    return true;
}

static enum ev_err read_place(const cJSON *item, struct fleet_node *node)
{
    int64_t price = 0;
    enum ev_err err = json_get_text(item, "city", node->city, sizeof node->city);

    if (err == EV_OK) {
        err = json_get_real(item, "lat", -90, 90, &node->lat);
    }
    if (err == EV_OK) {
        err = json_get_real(item, "lon", -180, 180, &node->lon);
    }
    if (err == EV_OK) {
        err = json_get_integer(item, "price_cents_per_kwh", 0, PRICE_CENTS_PER_KWH_MAX, &price);
    }
    node->price_cents_per_kwh = (uint32_t)price;
    return err;
}

static enum ev_err apply_item(struct registry_feed *feed, const cJSON *item)
{
    static const struct fleet_actor actor = {.who = "registry"};
    struct fleet_event event;
    char kind[24] = "";
    char role[16] = "";
    enum ev_err err = json_get_text(item, "kind", kind, sizeof kind);

    if (err != EV_OK || (err = json_get_text(item, "role", role, sizeof role)) != EV_OK) {
        return err;
    }
    dispatch_event_init(&event, type_of(kind));
    event.actor = &actor;
    if (event.type == FLEET_TICK || !role_of(role, &event.of.node.role)) {
        return EV_OK;
    }
    err = json_get_text(item, "id", event.of.node.id, sizeof event.of.node.id);
    if (err == EV_OK && event.type != FLEET_DEREGISTERED && !json_is_null(item, "key_sha256") &&
        json_has(item, "key_sha256")) {
        err = json_get_text(item, "key_sha256", event.of.node.key_sha256, sizeof event.of.node.key_sha256);
    }
    if (err == EV_OK && event.type == FLEET_REGISTERED && event.of.node.role == FLEET_ROLE_CP) {
        err = read_place(item, &event.of.node);
    }
    if (err == EV_OK) {
        (void)dispatch_step(feed->central, &event, NULL);
    }
    return err;
}

static void save_seq(struct registry_feed *feed)
{
    struct store_change change = {.kind = STORE_SAVE_SETTING};

    (void)snprintf(change.of.setting.name, sizeof change.of.setting.name, "registry_seq");
    (void)snprintf(change.of.setting.value, sizeof change.of.setting.value, "%" PRId64, feed->seq);
    if (store_add(feed->central->store, &change) != EV_OK) {
        log_error("registry.seq_not_saved", log_int("seq", feed->seq));
    }
}

/* How many items the page held; an item that cannot be read is told and passed over, so that it stops nobody
 * else. */
static size_t apply_page(struct registry_feed *feed, const struct http_response *response)
{
    cJSON *tree = NULL;
    const cJSON *items = NULL;
    const cJSON *item = NULL;
    size_t count = 0;
    int64_t next = 0;

    if (json_parse(response->body, response->body_len, RESPONSE_MAX, &tree) != EV_OK ||
        !cJSON_IsArray(items = json_member(tree, "items")) ||
        json_get_integer(tree, "next", 0, SEQ_MAX, &next) != EV_OK) {
        set_health(feed, false, "its answer cannot be read");
        cJSON_Delete(tree);
        return 0;
    }
    cJSON_ArrayForEach(item, items)
    {
        if (apply_item(feed, item) != EV_OK) {
            log_warn("registry.bad_change", log_int("seq", feed->seq), log_uint("index", count));
        }
        count++;
    }
    cJSON_Delete(tree);
    if (next != feed->seq) {
        feed->seq = next;
        save_seq(feed);
    }
    set_health(feed, true, "ok");
    return count;
}

static void on_answer(void *user, const struct http_response *response)
{
    struct registry_feed *feed = user;
    int64_t wait_ms = POLL_MS;
    size_t count = 0;

    feed->call = NULL;
    if (response->err == EV_OK && response->status == 200) {
        backoff_reset(&feed->backoff);
        count = apply_page(feed, response);
        if (feed->central->control_port != NULL) {
            control_port_retry_held(feed->central->control_port);
        }
        wait_ms = count >= PAGE || feed->again ? 0 : POLL_MS;
    } else {
        struct failure failure;

        http_problem_text(response, &failure);
        set_health(feed, false, failure.text);
        wait_ms = backoff_next_ms(&feed->backoff);
    }
    feed->again = false;
    loop_timer_start(feed->timer, wait_ms);
}

static void ask(void *user)
{
    struct registry_feed *feed = user;
    struct central *central = feed->central;
    struct http_request request = {.timeout_ms = 5000, .response_max = RESPONSE_MAX};
    char url[512];

    if (feed->call != NULL) {
        feed->again = true;
        return;
    }
    if (central->identity == NULL || !identity_is_enrolled(central->identity)) {
        set_health(feed, false, "waiting for Central's certificate");
        loop_timer_start(feed->timer, POLL_MS);
        return;
    }
    (void)snprintf(url, sizeof url, "%s/changes?since=%" PRId64 "&limit=%d", central->options.registry,
                   feed->seq, PAGE);
    request.url = url;
    identity_fill_request(central->identity, &request);
    if (http_client_send(central->http_client, &request, on_answer, feed, &feed->call) != EV_OK) {
        loop_timer_start(feed->timer, POLL_MS);
    }
}

void registry_feed_poll(struct registry_feed *feed)
{
    ask(feed);
}

enum ev_err registry_feed_new(struct central *central, struct registry_feed **ret_feed)
{
    struct registry_feed *feed = calloc(1, sizeof *feed);
    char value[64] = "";
    enum ev_err err = EV_OK;

    if (feed == NULL) {
        return EV_ERR_NOMEM;
    }
    feed->central = central;
    backoff_init(&feed->backoff, 1000, 10000);
    err = store_load_setting(central->store, "registry_seq", value, sizeof value);
    if (err == EV_OK) {
        feed->seq = strtoll(value, NULL, 10);
    }
    if (err == EV_OK || err == EV_ERR_NOT_FOUND) {
        err = loop_timer_new(central->loop, ask, feed, &feed->timer);
    }
    if (err != EV_OK) {
        registry_feed_free(feed);
        return err;
    }
    set_health(feed, false, "not asked yet");
    loop_timer_start(feed->timer, 0);
    *ret_feed = feed;
    return EV_OK;
}

void registry_feed_free(struct registry_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    if (feed->call != NULL) {
        http_client_cancel(feed->call);
    }
    loop_timer_free(feed->timer);
    free(feed);
}
