#include "common/runtime/console.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/state_dir.h"
#include "common/wire/seal.h"
#include "cp_engine/engine.h"
#include "cp_engine/journal.h"
#include "cp_engine/pairing.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec option_table[] = {
    {.name = "listen",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:7101",
     .help = "Where the monitor connects."},
    {.name = "pairing-file",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .default_text = PAIRING_FILE_DEFAULT,
     .help = "The secret shared with the monitor; created by whichever of the two starts first."},
    {.name = "battery-kwh",
     .kind = OPTION_REAL,
     .default_text = "60",
     .min = 0.1,
     .max = 10000,
     .help = "Capacity of each car's battery."},
    {.name = "soc",
     .kind = OPTION_REAL,
     .metavar = "PERCENT",
     .default_text = "20",
     .max = 100,
     .help = "State of charge of each car that is plugged in."},
    {.name = "max-kw",
     .kind = OPTION_REAL,
     .default_text = "22",
     .min = 0.1,
     .max = 1000,
     .help = "The charge point's full power."},
    {.name = "auto-plug",
     .kind = OPTION_SECONDS_OR_OFF,
     .default_text = "off",
     .max = 86400,
     .help = "Plug a car in so long after an authorisation."},
    {.name = "auto-unplug",
     .kind = OPTION_SECONDS_OR_OFF,
     .default_text = "off",
     .max = 86400,
     .help = "Unplug the car so long after supply has ended."},
    {.name = "speed",
     .kind = OPTION_INTEGER,
     .metavar = "FACTOR",
     .default_text = "1",
     .min = 1,
     .max = ENERGY_SPEED_MAX,
     .help = "How many times faster than real time the battery charges; nothing else is faster."},
    {.name = "count",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "1",
     .min = 1,
     .max = MESSAGE_ENGINE_COUNT_MAX,
     .help = "Charge points in this process; the monitor names them."},
    {.name = "kafka",
     .kind = OPTION_HOST_PORTS,
     .help = "The broker, in place of the address that Central gives."},
    {.name = "X", .kind = OPTION_PROPERTIES, .help = "A property for the Kafka client (librdkafka)."},
    {.name = NULL},
};

static const struct options_text_pair command_table[] = {
    {"plug [CP|all]", "plug a car in"},
    {"unplug [CP|all]", "unplug the car; ends a running supply"},
    {"fault [CP|all]", "break the charge point; ends a running supply"},
    {"repair [CP|all]", "mend it"},
    {"status", "what every charge point does"},
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_text_pair subcommand_table[] = {
    {"journal", "prints the sessions of the journal, a JSON object a line"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_cp_engine",
    .summary = "Simulates the hardware of a charge point, and the battery that it charges.",
    .options = option_table,
    .arguments = "[journal]",
    .arguments_max = 1,
    .subcommands = subcommand_table,
    .commands = command_table,
};

struct context {
    const struct options *options;
    struct engine *engine;
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
    } else if (!engine_command(context->engine, words, count)) {
        printf("`%s` is not understood here; `help` lists the commands.\n", words[0]);
    }
    (void)fflush(stdout);
}

static int64_t seconds_or_off(const struct options *options, const char *name)
{
    double seconds = options_real(options, name);

    return seconds < 0 ? SUPPLY_OFF : llround(seconds * 1000);
}

static void read_config(const struct options *options, struct engine_config *ret_config)
{
    ret_config->supply = (struct supply_config){
        .battery_wh = (uint32_t)llround(options_real(options, "battery-kwh") * 1000),
        .soc_permille = (uint32_t)llround(options_real(options, "soc") * 10),
        .max_power_w = (uint32_t)llround(options_real(options, "max-kw") * 1000),
        .speed = (uint32_t)options_integer(options, "speed"),
        .auto_plug_ms = seconds_or_off(options, "auto-plug"),
        .auto_unplug_ms = seconds_or_off(options, "auto-unplug"),
    };
    ret_config->count = (size_t)options_integer(options, "count");
    ret_config->kafka = options_given(options, "kafka") ? options_text(options, "kafka") : NULL;
    ret_config->properties = options_items(options, "X");
    ret_config->property_count = options_count(options, "X");
    options_host_port(options, "listen", 0, &ret_config->listen);
}

static int print_journal(const char *path)
{
    enum ev_err err = journal_dump(path, stdout);

    if (err != EV_OK) {
        (void)fprintf(stderr, "ev_cp_engine: cannot read the journal in %s: %s\n", path, ev_err_text(err));
        return 1;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static enum ev_err run(struct loop *loop, struct context *context, struct engine_config *config,
                       struct failure *ret_failure)
{
    struct console *console = NULL;

    enum ev_err err =
        pairing_open(options_text(context->options, "pairing-file"), &config->credentials, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = engine_new(loop, config, &context->engine, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    err = console_new(loop, on_line, context, &console);
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot read commands: %s", ev_err_text(err));
        goto out;
    }
    err = loop_run(loop);
    log_info("engine.stopped");
out:
    console_free(console);
    engine_free(context->engine);
    tls_credentials_free(config->credentials);
    return err;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct loop *loop = NULL;
    struct state_dir *dir = NULL;
    struct failure failure = {{0}};
    struct engine_config config = {0};
    struct context context = {0};
    int exit_code = 1;

    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK) {
        return exit_code;
    }
    exit_code = 1;
    context.options = options;
    const char *path = options_text(options, "state-dir");
    if (seal_init() != EV_OK) {
        (void)failure_set(&failure, EV_ERR_CRYPTO, "libsodium does not start");
        goto out;
    }
    if (options_argument(options, 0) != NULL) {
        exit_code = print_journal(path);
        goto out;
    }
    (void)signal(SIGXFSZ, SIG_IGN); /* a file size limit is a full disk, not our end */
    if (loop_new(&loop) != EV_OK) {
        (void)failure_set(&failure, EV_ERR_IO, "cannot make an event loop");
        goto out;
    }
    read_config(options, &config);
    config.state_dir = path;
    if (state_dir_open(path, STATE_DIR_SERVICE, &dir, &failure) == EV_OK &&
        run(loop, &context, &config, &failure) == EV_OK) {
        exit_code = 0;
    }
out:
    if (failure.text[0] != '\0') {
        (void)fprintf(stderr, "ev_cp_engine: %s\n", failure.text);
    }
    state_dir_free(dir);
    loop_free(loop);
    options_free(options);
    return exit_code;
}
