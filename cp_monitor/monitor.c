#include "cp_monitor/monitor.h"

#include "common/runtime/log.h"
#include "common/runtime/state_dir.h"
#include "cp_monitor/monitor_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAINTENANCE_FILE "maintenance"
#define PATH_SIZE 4096

static void store_maintenance(const struct monitor_point *point, bool on)
{
    char path[PATH_SIZE];
    struct failure failure = {{0}};
    const char *text = on ? "on\n" : "off\n";

    (void)snprintf(path, sizeof path, "%s/" MAINTENANCE_FILE, point->directory);
    if (state_file_write_atomic(path, text, strlen(text), 0600, &failure) != EV_OK) {
        log_error("maintenance.not_kept", log_str("cp", point->controller.cp_id.text),
                  log_str("reason", failure.text), log_str("note", "a restart forgets it"));
    }
}

static bool load_maintenance(const struct monitor_point *point)
{
    char path[PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t len = 0;

    (void)snprintf(path, sizeof path, "%s/" MAINTENANCE_FILE, point->directory);
    if (state_file_read(path, &bytes, &len, NULL) != EV_OK) {
        return false;
    }
    bool on = len >= 2 && memcmp(bytes, "on", 2) == 0;
    state_dir_bytes_free(bytes, len);
    return on;
}

static void dial(struct monitor_point *point)
{
    struct tls_credentials *credentials = enrolment_credentials(point->enrolment);

    central_link_dial(point->central, credentials);
    tls_credentials_free(credentials);
}

static void carry_out(struct monitor_point *point, const struct controller_event *event,
                      const struct controller_effect *effect)
{
    const char *id = point->controller.cp_id.text;

    switch (effect->type) {
    case CONTROLLER_EFFECT_SEND_CENTRAL:
        central_link_send(point->central, &effect->message);
        break;
    case CONTROLLER_EFFECT_SEND_ENGINE:
        engine_link_send(point->monitor->engine, &effect->message);
        break;
    case CONTROLLER_EFFECT_DIAL:
        dial(point);
        break;
    case CONTROLLER_EFFECT_HANG_UP:
        central_link_hang_up(point->central);
        break;
    case CONTROLLER_EFFECT_RETRY_LATER:
        central_link_retry_later(point->central);
        break;
    case CONTROLLER_EFFECT_RETRY_RESET:
        central_link_retry_reset(point->central);
        break;
    case CONTROLLER_EFFECT_STORE_MAINTENANCE:
        store_maintenance(point, effect->flag);
        break;
    case CONTROLLER_EFFECT_ENROL:
        enrolment_register(point->enrolment, event->text, effect->flag);
        break;
    case CONTROLLER_EFFECT_DEREGISTER:
        enrolment_deregister(point->enrolment);
        break;
    case CONTROLLER_EFFECT_LOG:
        log_write(
            effect->flag ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, effect->log.event,
            (const struct log_field[]){log_str("cp", id), log_str("text", effect->log.text), log_end()});
        break;
    case CONTROLLER_EFFECT_PRINT:
        printf("%s%s%s\n", point->monitor->count > 1 ? id : "", point->monitor->count > 1 ? ": " : "",
               effect->log.text);
        (void)fflush(stdout);
        break;
    }
}

void monitor_step(struct monitor_point *point, struct controller_event *event)
{
    struct controller_effects effects;

    event->mono_ms = loop_now_ms(point->monitor->loop);
    if (event->text == NULL) {
        event->text = "";
    }
    controller_step(&point->controller, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        carry_out(point, event, &effects.items[i]);
    }
}

/* --- callbacks of one charge point --- */

static void on_certificate(void *user, bool renewed)
{
    monitor_step(user, &(struct controller_event){.type = CONTROLLER_EVENT_CERTIFICATE, .flag = renewed});
}

static void on_enrol_problem(void *user, const char *text, bool final)
{
    monitor_step(user, &(struct controller_event){
                           .type = CONTROLLER_EVENT_ENROL_PROBLEM, .flag = final, .text = text});
}

static void on_deregistered(void *user, bool ok, const char *text)
{
    monitor_step(user,
                 &(struct controller_event){.type = CONTROLLER_EVENT_DEREGISTERED, .flag = ok, .text = text});
}

static void on_central_up(void *user)
{
    monitor_step(user, &(struct controller_event){.type = CONTROLLER_EVENT_CONTROL_UP});
}

static void on_central_closed(void *user, const char *text)
{
    monitor_step(user, &(struct controller_event){.type = CONTROLLER_EVENT_CONTROL_CLOSED, .text = text});
}

static void on_central_message(void *user, const struct message *message)
{
    monitor_step(user, &(struct controller_event){.type = CONTROLLER_EVENT_CENTRAL, .message = message});
}

static void on_central_retry(void *user)
{
    monitor_step(user, &(struct controller_event){.type = CONTROLLER_EVENT_RETRY});
}

/* --- callbacks of the engine link --- */

static void on_engine_up(void *user, const struct message_identify *identify)
{
    struct monitor *monitor = user;

    if (identify->count < monitor->count) {
        log_warn("engine.too_small", log_uint("engine_count", identify->count),
                 log_uint("count", monitor->count), log_str("note", "start both with the same --count"));
    }
    for (size_t i = 0; i < monitor->count; i++) {
        monitor_step(&monitor->points[i], &(struct controller_event){.type = CONTROLLER_EVENT_ENGINE_UP});
    }
}

static void on_engine_closed(void *user)
{
    struct monitor *monitor = user;

    for (size_t i = 0; i < monitor->count; i++) {
        monitor_step(&monitor->points[i], &(struct controller_event){.type = CONTROLLER_EVENT_ENGINE_CLOSED});
    }
}

static void on_engine_message(void *user, const struct message *message)
{
    struct monitor *monitor = user;
    size_t at = cp_index_find(&monitor->index, &message->cp_id);

    if (at == CP_INDEX_NONE) {
        log_warn("engine.stranger", log_str("cp", message->cp_id.text));
        return;
    }
    monitor_step(&monitor->points[at],
                 &(struct controller_event){.type = CONTROLLER_EVENT_ENGINE, .message = message});
}

/* --- timers --- */

static void on_tick(void *user)
{
    struct monitor *monitor = user;

    for (size_t i = 0; i < monitor->count; i++) {
        monitor_step(&monitor->points[i], &(struct controller_event){.type = CONTROLLER_EVENT_TICK});
    }
}

/* One charge point after the other, so that many do not ask Registry and Central at once. */
static void on_start(void *user)
{
    struct monitor *monitor = user;
    struct monitor_point *point = &monitor->points[monitor->started++];

    if (!enrolment_start(point->enrolment)) {
        log_warn("certificate.missing", log_str("cp", point->controller.cp_id.text),
                 log_str("note", "not registered: start with --invitation CODE, or say `register CODE`"));
    }
    monitor_step(point, &(struct controller_event){.type = CONTROLLER_EVENT_RETRY});
    if (monitor->started < monitor->count) {
        loop_timer_start(monitor->start, MONITOR_START_MS + (int64_t)randombytes_uniform(MONITOR_START_MS));
    }
}

/* --- making --- */

static enum ev_err make_id(const struct monitor_config *config, size_t number, struct cp_id *ret_id,
                           struct failure *ret_failure)
{
    char text[2 * NODE_ID_LENGTH_MAX];
    int width = 4;

    if (config->count == 0) {
        *ret_id = config->id;
        return EV_OK;
    }
    for (size_t limit = 10000; limit <= config->count; limit *= 10) {
        width++;
    }
    (void)snprintf(text, sizeof text, "%s-%0*zu", config->id.text, width, number);
    if (cp_id_parse(text, ret_id) != EV_OK) {
        return failure_set(ret_failure, EV_ERR_USAGE,
                           "--id %s leaves no room for -%0*zu within %d characters", config->id.text, width,
                           number, NODE_ID_LENGTH_MAX);
    }
    return EV_OK;
}

static enum ev_err make_directory(const struct monitor_config *config, struct monitor_point *point,
                                  const struct cp_id *id, struct failure *ret_failure)
{
    char path[PATH_SIZE];
    int len = config->count == 0 ? snprintf(path, sizeof path, "%s", config->state_dir)
                                 : snprintf(path, sizeof path, "%s/%s", config->state_dir, id->text);

    if (len < 0 || (size_t)len + sizeof "/" MAINTENANCE_FILE > sizeof path) {
        return failure_set(ret_failure, EV_ERR_TOO_LARGE, "the state directory's path is too long");
    }
    point->directory = strdup(path);
    if (point->directory == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    return state_make_directories(path, ret_failure);
}

static enum ev_err make_point(struct monitor *monitor, const struct monitor_config *config, size_t at,
                              struct failure *ret_failure)
{
    static const struct central_link_callbacks central_callbacks = {.on_up = on_central_up,
                                                                    .on_closed = on_central_closed,
                                                                    .on_message = on_central_message,
                                                                    .on_retry = on_central_retry};
    static const struct enrolment_callbacks enrolment_callbacks = {
        .on_certificate = on_certificate, .on_problem = on_enrol_problem, .on_deregistered = on_deregistered};
    struct monitor_point *point = &monitor->points[at];
    struct cp_id id;

    point->monitor = monitor;
    monitor->made = at + 1;
    enum ev_err err = make_id(config, at + 1, &id, ret_failure);
    if (err == EV_OK) {
        err = make_directory(config, point, &id, ret_failure);
    }
    if (err == EV_OK) {
        err = enrolment_new(monitor->loop, monitor->http_client, &id, point->directory, &config->place,
                            &enrolment_callbacks, point, &point->enrolment, ret_failure);
    }
    if (err != EV_OK) {
        return err;
    }
    err = central_link_new(monitor->loop, &monitor->central, &central_callbacks, point, &point->central);
    if (err != EV_OK) {
        return failure_set(ret_failure, err, "out of memory for %zu charge points", monitor->count);
    }
    controller_init(&point->controller, &id, enrolment_is_enrolled(point->enrolment), load_maintenance(point),
                    loop_now_ms(monitor->loop), (int64_t)(at * 7 % CONTROLLER_HEALTH_MS));
    cp_index_add(&monitor->index, &id, at);
    monitor->count = at + 1;
    return EV_OK;
}

static enum ev_err make_shared(struct monitor *monitor, const struct monitor_config *config)
{
    static const struct engine_link_callbacks engine_callbacks = {
        .on_up = on_engine_up, .on_closed = on_engine_closed, .on_message = on_engine_message};

    enum ev_err err = engine_link_new(monitor->loop, &config->engine, config->pairing, &engine_callbacks,
                                      monitor, &monitor->engine);
    if (err == EV_OK) {
        err = loop_timer_new(monitor->loop, on_tick, monitor, &monitor->tick);
    }
    if (err == EV_OK) {
        err = loop_timer_new(monitor->loop, on_start, monitor, &monitor->start);
    }
    if (err == EV_OK) {
        loop_timer_repeat(monitor->tick, MONITOR_TICK_MS);
        loop_timer_start(monitor->start, 0);
    }
    return err;
}

enum ev_err monitor_new(struct loop *loop, const struct monitor_config *config, struct monitor **ret_monitor,
                        struct failure *ret_failure)
{
    size_t count = config->count == 0 ? 1 : config->count;
    struct monitor *monitor = calloc(1, sizeof *monitor);
    enum ev_err err = EV_ERR_NOMEM;

    if (monitor == NULL) {
        return failure_set(ret_failure, err, "out of memory");
    }
    monitor->loop = loop;
    monitor->central = config->central;
    monitor->points = calloc(count, sizeof *monitor->points);
    if (monitor->points == NULL || cp_index_init(&monitor->index, count) != EV_OK ||
        http_client_new(loop, &monitor->http_client) != EV_OK) {
        (void)failure_set(ret_failure, err, "out of memory for %zu charge points", count);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        err = make_point(monitor, config, i, ret_failure);
        if (err != EV_OK) {
            goto out;
        }
    }
    err = make_shared(monitor, config);
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot make the engine link: %s", ev_err_text(err));
        goto out;
    }
    *ret_monitor = monitor;
    monitor = NULL;
out:
    monitor_free(monitor);
    return err;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    loop_timer_free(monitor->tick);
    loop_timer_free(monitor->start);
    engine_link_free(monitor->engine);
    for (size_t i = 0; i < monitor->made; i++) {
        central_link_free(monitor->points[i].central);
        enrolment_free(monitor->points[i].enrolment);
        free(monitor->points[i].directory);
    }
    http_client_free(monitor->http_client);
    cp_index_fini(&monitor->index);
    free(monitor->points);
    free(monitor);
}
