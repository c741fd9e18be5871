#include "central/central_run.h"

#include "central/accounts.h"
#include "central/api.h"
#include "central/control_port.h"
#include "central/dispatch.h"
#include "central/events.h"
#include "central/kafka_link.h"
#include "central/key_ring.h"
#include "central/outbox.h"
#include "central/registry_feed.h"
#include "central/request_ingest.h"
#include "central/telemetry_ingest.h"
#include "common/runtime/console.h"
#include "common/runtime/failure.h"
#include "common/runtime/http_client.h"
#include "common/runtime/identity.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/state_dir.h"
#include "common/wire/json.h"
#include "common/wire/seal.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_MS 3000
#define PREPARE_MS 60000
#define DROP_WAIT_MS 5000
#define WEATHER_STALE_MS 15000

struct run {
    struct central central;
    struct state_dir *state_dir;
    struct console *console;
    char hosts[4096]; /* identity_config.extra_members */
    pid_t gui;
    int exit_code;
};

/* -- loading -- */

static void load(struct central *central, struct fleet_event *event)
{
    (void)dispatch_step(central, event, NULL);
}

static void on_charge_point(void *user, const struct store_charge_point *row)
{
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_LOAD_CHARGE_POINT);
    event.of.load_charge_point = row;
    load(user, &event);
}

static void on_node(void *user, const struct store_node *row)
{
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_LOAD_NODE);
    event.of.load_node = row;
    load(user, &event);
}

static void on_session(void *user, const struct store_session *row)
{
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_LOAD_SESSION);
    event.of.load_session = row;
    load(user, &event);
}

static void on_weather(void *user, const char *city, double temperature_c, bool alert, int64_t observed_at_ms,
                       const char *source)
{
    struct fleet_event event;

    dispatch_event_init(&event, FLEET_LOAD_WEATHER);
    (void)snprintf(event.of.weather.city, sizeof event.of.weather.city, "%s", city);
    (void)snprintf(event.of.weather.source, sizeof event.of.weather.source, "%s", source);
    event.of.weather.temperature_c = temperature_c;
    event.of.weather.alert = alert;
    event.of.weather.observed_at_ms = observed_at_ms;
    load(user, &event);
}

static void on_key(void *user, const struct store_key *row)
{
    struct central *central = user;

    if (key_ring_load(central->key_ring, row) != EV_OK) {
        log_error("key.not_loaded", log_str("owner", row->owner), log_uint("epoch", row->epoch));
    }
}

static enum ev_err load_all(struct central *central)
{
    enum ev_err err = store_load_weather(central->store, on_weather, central);

    if (err == EV_OK) {
        err = store_load_nodes(central->store, on_node, central);
    }
    if (err == EV_OK) {
        err = store_load_charge_points(central->store, on_charge_point, central);
    }
    if (err == EV_OK) {
        err = store_load_open_sessions(central->store, on_session, central);
    }
    return err == EV_OK ? store_load_keys(central->store, on_key, central) : err;
}

/* -- certificate -- */

static void fail(struct run *run, const char *text)
{
    (void)fprintf(stderr, "ev_central: %s\n", text);
    run->exit_code = 1;
    loop_stop(run->central.loop);
}

static void set_certificate_health(struct central *central, bool ok, const char *text)
{
    central->health.certificate = ok;
    (void)snprintf(central->health.certificate_text, sizeof central->health.certificate_text, "%s", text);
}

/* The first one, and each renewal: the credentials of the control port are reloaded in place by identity. */
static void on_certificate(void *user, bool renewed)
{
    struct run *run = user;
    struct central *central = &run->central;
    struct failure failure = {.text = ""};

    log_info(renewed ? "certificate.renewed" : "certificate.ready",
             log_int("expires_at_ms", identity_expires_at_ms(central->identity)));
    set_certificate_health(central, true, "ok");
    if (central->control_port == NULL &&
        control_port_new(central, &central->control_port, &failure) != EV_OK) {
        fail(run, failure.text);
        return;
    }
    api_on_certificate(central->api);
    registry_feed_poll(central->registry_feed);
}

static void on_problem(void *user, const char *text, bool final)
{
    struct run *run = user;

    log_warn("certificate.waiting", log_str("reason", text), log_bool("final", final));
    if (!identity_is_enrolled(run->central.identity)) {
        set_certificate_health(&run->central, false, text);
    }
}

/* `"hosts":[..]` for the certificate request: what nodes and browsers reach this Central by. */
static enum ev_err make_hosts(struct run *run)
{
    struct json_writer writer;
    char names[2048];
    char *rest = NULL;
    size_t length = 0;

    (void)snprintf(names, sizeof names, "%s", run->central.options.public_host);
    json_writer_init(&writer, run->hosts, sizeof run->hosts - 1);
    json_write_array_begin(&writer, "hosts");
    json_write_text(&writer, NULL, "localhost");
    json_write_text(&writer, NULL, "127.0.0.1");
    json_write_text(&writer, NULL, "::1");
    for (char *name = strtok_r(names, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (strcmp(name, "localhost") != 0 && strcmp(name, "127.0.0.1") != 0 && strcmp(name, "::1") != 0) {
            json_write_text(&writer, NULL, name);
        }
    }
    json_write_array_end(&writer);
    return json_writer_finish(&writer, &length);
}

static enum ev_err open_identity(struct run *run)
{
    struct central *central = &run->central;
    struct failure failure = {.text = "--public-host cannot be read"};
    struct identity_config config = {.loop = central->loop,
                                     .http_client = central->http_client,
                                     .directory = central->options.state_dir,
                                     .role = NODE_ROLE_CENTRAL,
                                     .id = "central",
                                     .registry_url = central->options.registry,
                                     .invitation = central->options.invitation,
                                     .extra_members = run->hosts,
                                     .on_certificate = on_certificate,
                                     .on_problem = on_problem,
                                     .user = run};
    enum ev_err err = make_hosts(run);

    if (err == EV_OK) {
        err = identity_open(&config, &central->identity, &failure);
    }
    if (err != EV_OK) {
        (void)fprintf(stderr, "ev_central: %s\n", failure.text);
    }
    return err;
}

/* -- building -- */

static enum ev_err open_state(struct run *run)
{
    struct central *central = &run->central;
    struct failure failure = {.text = ""};
    enum ev_err err = loop_new(&central->loop); /* first: it blocks the signals for all threads to come */

    if (err == EV_OK && (err = seal_init()) == EV_OK) {
        err = state_dir_open(central->options.state_dir, STATE_DIR_SERVICE, &run->state_dir, &failure);
        if (err != EV_OK) {
            (void)fprintf(stderr, "ev_central: %s\n", failure.text);
            return err;
        }
        err = store_open(central->loop, central->options.state_dir, &central->store);
    }
    if (err == EV_OK) {
        store_set_keep_days(central->store, (int)central->options.keep_days);
        err = accounts_open(central, &central->accounts);
    }
    return err;
}

static enum ev_err build_core(struct run *run)
{
    struct central *central = &run->central;
    struct fleet_config config = {.settle_ms = central->options.settle_seconds * 1000,
                                  .rotate_ms = central->options.telemetry_key_seconds * 1000,
                                  .prepare_ms = PREPARE_MS,
                                  .drop_wait_ms = DROP_WAIT_MS,
                                  .stale_ms = WEATHER_STALE_MS};
    enum ev_err err = fleet_new(&config, &central->fleet);

    if (err == EV_OK) {
        err = dispatch_new(central, &central->dispatch);
    }
    if (err == EV_OK) {
        err = load_all(central);
    }
    if (err == EV_OK) {
        err = http_client_new(central->loop, &central->http_client);
    }
    if (err == EV_OK) {
        err = open_identity(run);
    }
    return err == EV_OK ? outbox_new(central, &central->outbox) : err;
}

static enum ev_err build_edges(struct run *run)
{
    struct central *central = &run->central;
    enum ev_err err = events_new(central, &central->events);

    if (err == EV_OK) {
        err = api_new(central, &central->api);
    }
    if (err == EV_OK) {
        err = registry_feed_new(central, &central->registry_feed);
    }
    if (err == EV_OK) {
        err = telemetry_ingest_new(central, &central->telemetry_ingest);
    }
    if (err == EV_OK) {
        err = request_ingest_new(central, &central->request_ingest);
    }
    return err == EV_OK ? kafka_link_new(central, &central->kafka_link) : err;
}

/* Thousands of charge points are thousands of descriptors. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_debug("descriptors.as_they_are", log_uint("soft", limit.rlim_cur));
        }
    }
}

/* -- the window -- */

extern char **environ;

/* The same directory as this program; signals are not blocked in it. */
static void start_gui(struct run *run)
{
    char path[4096];
    char url[320];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
    char *slash = NULL;
    posix_spawnattr_t attributes;
    sigset_t none;
    char *const arguments[] = {path, (char[]){"--central"}, url, NULL};

    if (length <= 0) {
        return;
    }
    path[length] = '\0';
    slash = strrchr(path, '/');
    (void)snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "ev_central_gui");
    (void)snprintf(url, sizeof url, "http://%s", run->central.options.http);
    (void)sigemptyset(&none);
    if (posix_spawnattr_init(&attributes) != 0) {
        return;
    }
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (access(path, X_OK) != 0 || posix_spawn(&run->gui, path, NULL, &attributes, arguments, environ) != 0) {
        run->gui = 0;
        log_warn("gui.missing", log_str("path", path), log_str("action", "Central runs without its window"));
    }
    (void)posix_spawnattr_destroy(&attributes);
}

static void stop_gui(struct run *run)
{
    if (run->gui > 0) {
        (void)kill(run->gui, SIGTERM);
        (void)waitpid(run->gui, NULL, 0);
    }
}

/* -- the end -- */

/* What was decided is committed and said before those who wait for it are freed. */
static void drain(struct run *run)
{
    struct central *central = &run->central;
    int64_t deadline_ms = monotonic_now_ms() + DRAIN_MS;

    while (central->store != NULL && store_backlog(central->store) > 0 && monotonic_now_ms() < deadline_ms) {
        if (loop_run_once(central->loop, 20) != EV_OK) {
            break;
        }
    }
}

static void take_apart(struct run *run)
{
    struct central *central = &run->central;

    console_free(run->console);
    stop_gui(run);
    if (central->dispatch != NULL) {
        dispatch_stop(central->dispatch);
    }
    kafka_link_free(central->kafka_link);
    central->kafka_link = NULL;
    request_ingest_free(central->request_ingest);
    telemetry_ingest_free(central->telemetry_ingest);
    registry_feed_free(central->registry_feed);
    central->registry_feed = NULL;
    if (central->dispatch != NULL) {
        dispatch_flush(central);
        drain(run);
    }
    control_port_free(central->control_port);
    central->control_port = NULL;
    api_free(central->api);
    events_free(central->events);
    central->api = NULL;
    central->events = NULL;
    outbox_free(central->outbox);
    central->outbox = NULL;
    identity_free(central->identity);
    http_client_free(central->http_client);
    accounts_close(central->accounts);
    store_close(central->store);
    dispatch_free(central->dispatch);
    key_ring_free(central->key_ring);
    fleet_free(central->fleet);
    state_dir_free(run->state_dir);
    loop_free(central->loop);
}

static void on_help(void)
{
    (void)puts("status | stop CP|all | resume CP|all | rotate-key CP | drop-key CP | revoke CP | price CP "
               "CENTS | help");
}

static void start(struct run *run)
{
    struct central *central = &run->central;
    bool enrolled = identity_is_enrolled(central->identity);

    set_certificate_health(
        central, enrolled,
        enrolled ? "ok" : "no certificate yet: give an invitation of role central (--invitation)");
    if (!enrolled) {
        log_warn("certificate.waiting", log_str("reason", central->health.certificate_text));
    }
    identity_start(central->identity);
    if (enrolled && central->control_port == NULL) {
        on_certificate(run, false);
    }
    dispatch_audit(central, NULL, "central.start", "", "ok", "version " EV_VERSION);
    dispatch_start(central->dispatch);
    if (central->options.gui) {
        start_gui(run);
    }
}

int central_run(const struct central_options *options)
{
    struct run *run = calloc(1, sizeof *run);
    int exit_code = 1;

    if (run == NULL) {
        return 1;
    }
    run->central.options = *options;
    run->central.started_wall_ms = wall_now_ms();
    raise_descriptor_limit();
    if (open_state(run) != EV_OK || build_core(run) != EV_OK || build_edges(run) != EV_OK ||
        central_console_new(&run->central, on_help, &run->console) != EV_OK) {
        goto out; /* said where it happened */
    }
    start(run);
    if (run->exit_code == 0 && loop_run(run->central.loop) == EV_OK) {
        dispatch_audit(&run->central, NULL, "central.stop", "", "ok", "orderly stop");
    }
    exit_code = run->exit_code;
out:
    take_apart(run);
    free(run);
    return exit_code;
}
