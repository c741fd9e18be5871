#include "common/rules/energy.h"
#include "common/runtime/console.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/state_dir.h"
#include "common/wire/seal.h"
#include "cp_engine/pairing.h"
#include "cp_monitor/monitor.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec option_table[] = {
    {.name = "id",
     .kind = OPTION_STRING,
     .metavar = "ID",
     .help = "The charge point: 1 to 32 of A-Z a-z 0-9 - _."},
    {.name = "engine",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:7101",
     .help = "The engine's monitor port."},
    {.name = "pairing-file",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .default_text = PAIRING_FILE_DEFAULT,
     .help = "The secret shared with the engine; created by whichever of the two starts first."},
    {.name = "central",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:7001",
     .help = "Central's control port."},
    {.name = "registry",
     .kind = OPTION_STRING,
     .metavar = "URL",
     .default_text = "https://127.0.0.1:8444",
     .help = "Where to register."},
    {.name = "invitation",
     .kind = OPTION_STRING,
     .metavar = "CODE",
     .help = "For the registration; `ev_registry invite` prints one."},
    {.name = "city", .kind = OPTION_STRING, .metavar = "NAME", .help = "Told at registration only."},
    {.name = "lat",
     .kind = OPTION_REAL,
     .metavar = "DEG",
     .default_text = "0",
     .min = -90,
     .max = 90,
     .help = "Told at registration only."},
    {.name = "lon",
     .kind = OPTION_REAL,
     .metavar = "DEG",
     .default_text = "0",
     .min = -180,
     .max = 180,
     .help = "Told at registration only."},
    {.name = "price-cents",
     .kind = OPTION_INTEGER,
     .metavar = "CENTS",
     .default_text = "54",
     .min = 0,
     .max = PRICE_CENTS_PER_KWH_MAX,
     .help = "Cents per kWh, told at registration only; then Central's price rules."},
    {.name = "count",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .min = 1,
     .max = MONITOR_COUNT_MAX,
     .help =
         "That many charge points in this process: ID-0001, ID-0002 ..; the engine needs the same --count."},
    {.name = NULL},
};

static const struct options_text_pair command_table[] = {
    {"register [CODE]", "register at Registry, with the invitation given here or at the start"},
    {"deregister", "leave the network; a running supply is settled first"},
    {"connect", "connect to Central, also after it dropped the key"},
    {"disconnect", "stay away from Central until `connect`"},
    {"charge DRIVER [KWH]", "ask Central for a charge here"},
    {"maintenance on|off", "take the charge point out of service, or back"},
    {"status", "what is connected, and what runs"},
    {"CP COMMAND, all COMMAND", "with --count: for one charge point, or for all"},
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_cp_monitor",
    .summary = "The local controller of a charge point: watches its engine, speaks with Central.",
    .options = option_table,
    .commands = command_table,
    .state_dir_id = "id",
};

struct context {
    const struct options *options;
    struct monitor *monitor;
};

static void on_line(void *user, char *line)
{
    struct context *context = user;
    char *words[CONSOLE_WORDS_MAX];
    size_t count = console_split(line, words, CONSOLE_WORDS_MAX);

    if (count == 0) {
        return;
    }
    if (strcmp(words[0], "help") == 0) {
        options_print_commands(context->options);
    } else if (!monitor_command(context->monitor, words, count)) {
        printf("This is not understood here; `help` lists the commands.\n");
    }
    (void)fflush(stdout);
}

/* EV_OK, or bad usage, which is printed. */
static enum ev_err read_config(const struct options *options, struct monitor_config *ret_config)
{
    const char *id = options_text(options, "id");

    if (id == NULL || cp_id_parse(id, &ret_config->id) != EV_OK) {
        (void)options_usage_error(options, "%s",
                                  id == NULL ? "--id ID is needed: 1 to 32 of A-Z a-z 0-9 - _"
                                             : "--id takes 1 to 32 of A-Z a-z 0-9 - _");
        return EV_ERR_USAGE;
    }
    ret_config->place =
        (struct enrolment_place){.registry_url = options_text(options, "registry"),
                                 .invitation = options_text(options, "invitation"),
                                 .city = options_text(options, "city"),
                                 .lat = options_real(options, "lat"),
                                 .lon = options_real(options, "lon"),
                                 .price_cents = (uint32_t)options_integer(options, "price-cents")};
    if (ret_config->place.invitation != NULL && ret_config->place.city == NULL) {
        (void)options_usage_error(options,
                                  "--invitation needs --city NAME (and --lat, --lon, --price-cents)");
        return EV_ERR_USAGE;
    }
    ret_config->count = (size_t)options_integer(options, "count");
    ret_config->state_dir = options_text(options, "state-dir");
    options_host_port(options, "engine", 0, &ret_config->engine);
    options_host_port(options, "central", 0, &ret_config->central);
    return EV_OK;
}

static enum ev_err run(struct loop *loop, struct context *context, struct monitor_config *config,
                       struct failure *ret_failure)
{
    struct console *console = NULL;

    enum ev_err err =
        pairing_open(options_text(context->options, "pairing-file"), &config->pairing, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = monitor_new(loop, config, &context->monitor, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = console_new(loop, on_line, context, &console);
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot read commands: %s", ev_err_text(err));
        goto out;
    }
    err = loop_run(loop);
    log_info("monitor.stopped");
out:
    console_free(console);
    monitor_free(context->monitor);
    tls_credentials_free(config->pairing);
    return err;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct loop *loop = NULL;
    struct state_dir *dir = NULL;
    struct failure failure = {{0}};
    struct monitor_config config = {0};
    struct context context = {0};
    int exit_code = 1;

    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK) {
        return exit_code;
    }
    context.options = options;
    if (read_config(options, &config) != EV_OK) {
        exit_code = 2;
        goto out;
    }
    exit_code = 1;
    if (seal_init() != EV_OK || loop_new(&loop) != EV_OK) {
        (void)failure_set(&failure, EV_ERR_IO, "cannot make an event loop");
        goto out;
    }
    if (state_dir_open(config.state_dir, STATE_DIR_SERVICE, &dir, &failure) == EV_OK &&
        run(loop, &context, &config, &failure) == EV_OK) {
        exit_code = 0;
    }
out:
    if (failure.text[0] != '\0') {
        (void)fprintf(stderr, "ev_cp_monitor: %s\n", failure.text);
    }
    state_dir_free(dir);
    loop_free(loop);
    options_free(options);
    return exit_code;
}
