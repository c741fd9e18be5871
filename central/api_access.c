/* api_access.c - signing in and out, and the keys of drivers. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_internal.h"
#include "common/runtime/limits.h"
#include "common/runtime/loop.h"

struct sign_in {
    struct api *api;
    struct http_exchange *exchange;
    struct fleet_actor actor;
};

static void set_cookie(struct http_exchange *exchange, const char *token, long max_age_s)
{
    char cookie[200];
    if (http_is_tls(exchange))
        (void)snprintf(cookie, sizeof cookie,
                       "__Host-ev_session=%s; Path=/; Max-Age=%ld; HttpOnly; Secure; SameSite=Strict", token,
                       max_age_s);
    else
        (void)snprintf(cookie, sizeof cookie, "ev_session=%s; Path=/; Max-Age=%ld; HttpOnly; SameSite=Strict",
                       token, max_age_s);
    http_reply_header(exchange, "Set-Cookie", cookie);
    sodium_memzero(cookie, sizeof cookie);
}

struct signed_in_object {
    const struct accounts_sign_in *result;
};

static void write_signed_in(struct json_writer *writer, void *arg)
{
    const struct accounts_sign_in *result = ((struct signed_in_object *)arg)->result;
    json_write_object_begin(writer, NULL);
    json_write_text(writer, "token", result->token);
    json_write_time(writer, "expires_at", result->expires_at_ms);
    json_write_object_end(writer);
}

static void on_checked(void *user, const struct accounts_sign_in *result)
{
    struct sign_in *sign_in = user;
    struct http_exchange *exchange = sign_in->exchange;
    struct central *central = sign_in->api->central;
    char seconds[16];
    struct api_text text = {0};
    struct signed_in_object object = {.result = result};
    switch (result->verdict) {
    case ACCOUNTS_OK:
        (void)snprintf(sign_in->actor.who, sizeof sign_in->actor.who, "%s", result->name);
        dispatch_audit(central, &sign_in->actor, "auth.login", "api", "ok", "signed in");
        if (!http_is_abandoned(exchange))
            set_cookie(exchange, result->token, ACCOUNTS_TOKEN_MS / 1000);
        api_text_add_object(&text, write_signed_in, &object);
        api_reply_text(exchange, 200, &text);
        break;
    case ACCOUNTS_DENIED:
        dispatch_audit_burst(central, &sign_in->actor, "auth.failed", "api", "password",
                             "wrong name or password");
        http_reply_problem(exchange, 401, "wrong name or password");
        break;
    case ACCOUNTS_LIMITED:
        dispatch_audit_burst(central, &sign_in->actor, "auth.limited", "api", "limited",
                             "too many attempts to sign in");
        (void)snprintf(seconds, sizeof seconds, "%d", result->retry_after_s);
        http_reply_header(exchange, "Retry-After", seconds);
        http_reply_problem(exchange, 429, "too many attempts: wait as long as the header Retry-After says");
        break;
    }
    free(sign_in);
}

void api_login(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    char name[ACCOUNTS_NAME_MAX + 1], password[ACCOUNTS_PASSWORD_MAX + 1];
    cJSON *body = api_body(exchange);
    if (body == NULL)
        return;
    bool good = json_get_text(body, "name", name, sizeof name) == EV_OK &&
                json_get_text(body, "password", password, sizeof password) == EV_OK;
    cJSON_Delete(body);
    if (!good) {
        http_reply_problem(exchange, 400, "name and password are needed, as texts");
        return;
    }
    struct sign_in *sign_in = calloc(1, sizeof *sign_in);
    EV_ASSERT(sign_in != NULL);
    sign_in->api = api;
    sign_in->exchange = exchange;
    (void)snprintf(sign_in->actor.who, sizeof sign_in->actor.who, "unknown");
    (void)snprintf(sign_in->actor.address, sizeof sign_in->actor.address, "%s", http_peer_address(exchange));
    accounts_check_password(api->central->accounts, name, password, sign_in->actor.address, on_checked,
                            sign_in);
    sodium_memzero(password, sizeof password);
}

void api_logout(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct fleet_actor actor;
    char token[ACCOUNTS_TOKEN_TEXT];
    if (!api_require_admin(api, exchange, &actor))
        return;
    if (api_find_token(exchange, token))
        (void)accounts_sign_out(api->central->accounts, token);
    dispatch_audit(api->central, &actor, "auth.logout", "api", "ok", "signed out");
    set_cookie(exchange, "", 0);
    http_reply(exchange, 200, "application/json", "{}", 2);
}

static void write_caller(struct json_writer *writer, void *arg)
{
    const struct api_caller *caller = arg;
    json_write_object_begin(writer, NULL);
    json_write_text(writer, "name", caller->viewer.admin ? caller->name : caller->driver);
    json_write_text(writer, "role", caller->viewer.admin ? "admin" : "driver");
    json_write_object_end(writer);
}

void api_who_am_i(struct http_exchange *exchange, void *user)
{
    struct api_caller caller;
    struct api_text text = {0};
    api_find_caller(user, exchange, &caller);
    if (!caller.viewer.admin && caller.viewer.driver_id == NULL) {
        http_reply_problem(exchange, 401, "nobody is signed in");
        return;
    }
    api_text_add_object(&text, write_caller, &caller);
    api_reply_text(exchange, 200, &text);
}

/* ---- a driver's key ---- */

struct key_answer {
    struct api *api;
    struct http_exchange *exchange;
    struct dispatch_driver_key key;
};

static void write_key(struct json_writer *writer, void *arg)
{
    const struct key_answer *answer = arg;
    const char *kafka = answer->api->central->options.kafka_public;
    char hex[65];
    (void)sodium_bin2hex(hex, sizeof hex, answer->key.key, sizeof answer->key.key);
    json_write_object_begin(writer, NULL);
    json_write_integer(writer, "epoch", answer->key.epoch);
    json_write_text(writer, "key", hex);
    json_write_time(writer, "expires_at", answer->key.expires_at_ms);
    json_write_text(writer, "kafka", kafka == NULL ? "" : kafka);
    json_write_object_end(writer);
    sodium_memzero(hex, sizeof hex);
}

static void on_key_committed(void *arg)
{
    struct key_answer *answer = arg;
    struct api_text text = {0};
    api_text_add_object(&text, write_key, answer);
    api_reply_text(answer->exchange, 200, &text);
    sodium_memzero(answer, sizeof *answer);
    free(answer);
}

void api_issue_key(struct http_exchange *exchange, void *user)
{
    struct api *api = user;
    struct fleet_actor actor;
    struct driver_id driver;
    if (!api_require_node(api, exchange, FLEET_ROLE_DRIVER, &actor))
        return;
    struct key_answer *answer = calloc(1, sizeof *answer);
    EV_ASSERT(answer != NULL);
    answer->api = api;
    answer->exchange = exchange;
    if (driver_id_parse(http_peer(exchange)->id, &driver) != EV_OK ||
        dispatch_issue_driver_key(api->central, &driver, &answer->key) != EV_OK) {
        free(answer);
        http_reply_problem(exchange, 503, "no key can be issued now: try again");
        return;
    }
    if (store_after_commit(api->central->store, on_key_committed, answer) != EV_OK) {
        free(answer);
        http_reply_problem(exchange, 503, "no key can be issued now: try again");
    }
}
