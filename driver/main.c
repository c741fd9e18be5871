/* ev_driver: asks for charges by hand or along a services file. */
#include "common/runtime/console.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/wire/seal.h"
#include "driver/central_client.h"
#include "driver/commands.h"
#include "driver/drivers.h"
#include "driver/oneshot.h"
#include "driver/window_start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec option_table[] = {
    {.name = "id",
     .kind = OPTION_STRING,
     .metavar = "ID",
     .help = "Who this driver is: 1 to 32 of A-Z a-z 0-9 - _."},
    {.name = "central",
     .kind = OPTION_STRING,
     .metavar = "URL",
     .default_text = "https://127.0.0.1:8443",
     .help = "Central's HTTPS address."},
    {.name = "registry",
     .kind = OPTION_STRING,
     .metavar = "URL",
     .default_text = "https://127.0.0.1:8444",
     .help = "Registry's HTTPS address."},
    {.name = "invitation",
     .kind = OPTION_STRING,
     .metavar = "CODE",
     .help = "To register with, once: `ev_registry invite --role driver` prints it."},
    {.name = "services",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .help = "Serves this file: a charge point's id a line, optionally kwh=N; # starts a comment. After a "
             "crash it goes on where it stopped."},
    {.name = "pause",
     .kind = OPTION_REAL,
     .metavar = "SECONDS",
     .default_text = "4",
     .max = 86400,
     .help = "Wait after each service."},
    {.name = "exit-when-done", .kind = OPTION_SWITCH, .help = "Ends when the services file is served."},
    {.name = "gui", .kind = OPTION_SWITCH, .help = "The window in place of the command line."},
    {.name = "count",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .min = 1,
     .max = DRIVERS_MAX,
     .help = "N drivers in this process, ID-0001, ID-0002 .., each with the same services file."},
    {.name = "kafka",
     .kind = OPTION_HOST_PORTS,
     .help = "The broker, in place of the address that Central gives."},
    {.name = "X", .kind = OPTION_PROPERTIES, .help = "A property for the Kafka client (librdkafka)."},
    {.name = "kwh",
     .kind = OPTION_STRING,
     .metavar = "N",
     .command = "charge",
     .help = "How much to charge; without it until the battery is full."},
    {.name = NULL},
};

static const struct options_text_pair subcommand_table[] = {
    {"charge CP", "asks for one charge and waits for its end; exit code 0 when it is finished, 1 when not"},
    {"list", "prints the charge points"},
    {"history", "prints this driver's sessions"},
    {NULL, NULL},
};

static const struct options_text_pair example_table[] = {
    {"ev_driver --id ana --invitation CODE", "registers and waits for commands"},
    {"ev_driver --id ana --services services/driver-1.txt", "drives a route of charges"},
    {"ev_driver --id ana charge MAD --kwh 12", "one charge, for scripts"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_driver",
    .summary = "A driver: asks for charges by hand, or for a route of charges from a services file.",
    .options = option_table,
    .arguments = "[charge CP | list | history]",
    .arguments_max = 2,
    .subcommands = subcommand_table,
    .commands = commands_table,
    .examples = example_table,
    .state_dir_id = "id",
};

struct context {
    const struct options *options;
    struct drivers drivers;
    struct oneshot oneshot;
    size_t done; /* drivers whose services file is served */
};

static void on_line(void *user, char *line)
{
    struct context *context = user;

    commands_run(&context->drivers, context->options, line);
}

static void on_session(void *user, struct driver *driver, const struct session_view *view)
{
    struct context *context = user;

    if (context->oneshot.kind != ONESHOT_NONE) {
        oneshot_on_session(&context->oneshot, driver, view);
    }
}

static void on_enrolled(void *user, struct driver *driver)
{
    struct context *context = user;

    if (context->oneshot.kind != ONESHOT_NONE) {
        oneshot_on_enrolled(&context->oneshot, driver);
    }
}

static void on_refused(void *user, struct driver *driver, const char *text)
{
    struct context *context = user;

    if (context->oneshot.kind != ONESHOT_NONE) {
        oneshot_on_refused(&context->oneshot, driver, text);
    }
}

static void on_services_done(void *user, struct driver *driver)
{
    struct context *context = user;

    (void)driver;
    context->done++;
    if (context->done >= context->drivers.count && options_switch(context->options, "exit-when-done")) {
        loop_stop(context->drivers.shared.loop);
    }
}

static int check_oneshot(const struct options *options, struct oneshot *oneshot)
{
    const char *word = options_argument(options, 0);
    const char *more = options_argument(options, 1);
    struct cp_id cp_id;
    uint32_t wh = 0;

    EV_ASSERT(oneshot_parse(word, &oneshot->kind) == EV_OK); /* options looked */
    if ((more != NULL) != (oneshot->kind == ONESHOT_CHARGE)) {
        return options_usage_error(options,
                                   oneshot->kind == ONESHOT_CHARGE
                                       ? "%s: which charge point? accepted: charge CP [--kwh N]"
                                       : "%s takes no argument",
                                   word);
    }
    if (options_given(options, "count") || options_given(options, "services")) {
        return options_usage_error(options, "%s goes without --count and --services", word);
    }
    oneshot->cp = more;
    oneshot->kwh = options_given(options, "kwh") ? options_text(options, "kwh") : NULL;
    if (more != NULL && cp_id_parse(more, &cp_id) != EV_OK) {
        return options_usage_error(options,
                                   "charge: \"%.40s\" is no charge point's id; accepted: 1 to 32 of "
                                   "A-Z a-z 0-9 - _",
                                   more);
    }
    if (oneshot->kwh != NULL && services_file_parse_kwh(oneshot->kwh, &wh) != EV_OK) {
        return options_usage_error(options, "--kwh: accepted is a number from 0.001 to 1000");
    }
    return 0;
}

/* What the table cannot say. 0: good. */
static int check_usage(const struct options *options, struct oneshot *oneshot, char *ret_central)
{
    struct driver_id id;

    if (!options_given(options, "id")) {
        return options_usage_error(options, "--id ID is needed");
    }
    if (driver_id_parse(options_text(options, "id"), &id) != EV_OK) {
        return options_usage_error(options, "--id: accepted is 1 to 32 of A-Z a-z 0-9 - _");
    }
    if (central_client_parse_base(options_text(options, "central"), ret_central) != EV_OK) {
        return options_usage_error(options, "--central: accepted is https://HOST:PORT");
    }
    if (options_switch(options, "exit-when-done") && !options_given(options, "services")) {
        return options_usage_error(options, "--exit-when-done belongs to --services FILE");
    }
    return options_argument(options, 0) != NULL ? check_oneshot(options, oneshot) : 0;
}

static enum ev_err begin(struct context *context, struct console **ret_console, struct failure *ret_failure)
{
    struct drivers *drivers = &context->drivers;
    const char *services = options_text(context->options, "services");
    enum ev_err err = EV_OK;

    if (context->oneshot.kind != ONESHOT_NONE) {
        err = oneshot_start(&context->oneshot, drivers, ret_failure);
    } else {
        err = console_new(drivers->shared.loop, on_line, context, ret_console);
    }
    for (size_t i = 0; services != NULL && err == EV_OK && i < drivers->count; i++) {
        err = driver_serve(drivers->items[i], services, false, ret_failure);
    }
    if (err == EV_OK) {
        drivers_start(drivers);
    }
    return err;
}

static enum ev_err run(struct context *context, struct loop *loop, const char *central,
                       struct failure *ret_failure)
{
    const struct options *options = context->options;
    const struct drivers_config config = {
        .id = options_text(options, "id"),
        .count = options_given(options, "count") ? (size_t)options_integer(options, "count") : 0,
        .state_dir = options_text(options, "state-dir"),
        .central_url = central,
        .registry_url = options_text(options, "registry"),
        .invitation = options_text(options, "invitation"),
        .pause_ms = llround(options_real(options, "pause") * 1000),
        .passive = context->oneshot.kind == ONESHOT_LIST || context->oneshot.kind == ONESHOT_HISTORY,
        .kafka = options_text(options, "kafka"),
        .properties = options_items(options, "X"),
        .property_count = options_count(options, "X"),
    };
    const struct driver_callbacks callbacks = {.on_session = on_session,
                                               .on_enrolled = on_enrolled,
                                               .on_refused = on_refused,
                                               .on_services_done = on_services_done,
                                               .user = context};
    struct console *console = NULL;
    enum ev_err err = drivers_init(&context->drivers, loop, &config, &callbacks, ret_failure);

    if (err != EV_OK) {
        return err;
    }
    err = begin(context, &console, ret_failure);
    if (err == EV_OK && !loop_is_stopping(loop)) {
        err = loop_run(loop);
    }
    for (size_t i = 0; err == EV_OK && i < context->drivers.count; i++) {
        driver_close_services(context->drivers.items[i]);
    }
    console_free(console);
    oneshot_fini(&context->oneshot);
    drivers_fini(&context->drivers);
    return err;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct loop *loop = NULL;
    struct failure failure = {{0}};
    struct context context = {.done = 0};
    char central[CENTRAL_URL_MAX];
    int exit_code = 1;

    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK) {
        return exit_code;
    }
    context.options = options;
    exit_code = check_usage(options, &context.oneshot, central);
    if (exit_code != 0) {
        goto out;
    }
    exit_code = 1;
    if (options_switch(options, "gui")) {
        window_start(argc, argv, &failure);
    } else if (seal_init() != EV_OK || loop_new(&loop) != EV_OK) {
        (void)failure_set(&failure, EV_ERR_CRYPTO, "cannot start libsodium or the event loop");
    } else if (run(&context, loop, central, &failure) == EV_OK) {
        exit_code = context.oneshot.exit_code;
    }
out:
    if (failure.text[0] != '\0') {
        (void)fprintf(stderr, "ev_driver: %s\n", failure.text);
    }
    loop_free(loop);
    options_free(options);
    return exit_code;
}
