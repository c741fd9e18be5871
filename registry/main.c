#include "common/runtime/console.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/state_dir.h"
#include "registry/authority.h"
#include "registry/invite.h"
#include "registry/registry.h"
#include "registry/store.h"

#include <math.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HOUR_MS 3600000.0

static const struct option_spec option_table[] = {
    {.name = "https",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:8444",
     .help = "Where nodes register, over HTTPS."},
    {.name = "public-host",
     .kind = OPTION_NAMES,
     .metavar = "NAME[,NAME]",
     .help = "Names and addresses it is reached by; they go into its certificate and are accepted as Host. "
             "localhost, 127.0.0.1 and ::1 always are."},
    {.name = "certificate-hours",
     .kind = OPTION_REAL,
     .metavar = "HOURS",
     .default_text = "168",
     .min = 0.0005,
     .max = 87600,
     .help = "How long the certificates are valid that it issues. Nodes renew theirs from half-life."},
    {.name = "role",
     .kind = OPTION_CHOICE,
     .choices = "cp|driver|weather|central",
     .default_text = "cp",
     .help = "What the invitation is for.",
     .command = "invite"},
    {.name = "uses",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "1",
     .min = 1,
     .max = 1000000,
     .help = "How many nodes may register with it.",
     .command = "invite"},
    {.name = "hours",
     .kind = OPTION_REAL,
     .metavar = "N",
     .default_text = "24",
     .min = 0.0005,
     .max = 87600,
     .help = "How long it may be used.",
     .command = "invite"},
    {.name = NULL},
};

static const struct options_text_pair subcommand_table[] = {
    {"invite", "prints one invitation code; works before the first start and beside a running Registry"},
    {NULL, NULL},
};

static const struct options_text_pair command_table[] = {
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_text_pair example_table[] = {
    {"ev_registry --https 0.0.0.0:8444 --public-host lab1,192.168.1.10", "for other machines"},
    {"ev_registry invite --role cp --uses 10", "one code for ten charge points"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_registry",
    .summary = "The network's certification authority: registers nodes and issues their certificates.",
    .options = option_table,
    .arguments = "[invite]",
    .arguments_max = 1,
    .subcommands = subcommand_table,
    .commands = command_table,
    .examples = example_table,
};

static int64_t hours(const struct options *options, const char *name)
{
    return (int64_t)llround(options_real(options, name) * HOUR_MS);
}

static enum ev_err invite(const struct options *options, struct failure *ret_failure)
{
    char code[INVITATION_TEXT_SIZE];
    enum node_role role = NODE_ROLE_NONE;
    enum ev_err err = node_role_parse(options_text(options, "role"), &role);
    if (err == EV_OK)
        err = invite_make(options_text(options, "state-dir"), role, options_integer(options, "uses"),
                          hours(options, "hours"), code, ret_failure);
    if (err != EV_OK)
        return err;
    if (printf("%s\n", code) < 0 || fflush(stdout) != 0)
        return failure_set(ret_failure, EV_ERR_IO, "cannot print the invitation");
    return EV_OK;
}

static void on_line(void *user, char *line)
{
    if (strcmp(line, "help") == 0)
        options_print_commands(user);
    else
        printf("`%s` is not understood here; `help` lists the commands.\n", line);
    (void)fflush(stdout);
}

static enum ev_err serve(struct options *options, struct registry *registry, struct failure *ret_failure)
{
    struct console *console = NULL;
    enum ev_err err = authority_open(registry->dir, &registry->authority, ret_failure);
    if (err == EV_OK) {
        err = store_open(registry->dir, &registry->store);
        if (err != EV_OK)
            (void)failure_set(ret_failure, err, "cannot open %s/registry.db", state_dir_path(registry->dir));
    }
    if (err == EV_OK)
        err = registry_start(registry, ret_failure);
    if (err == EV_OK)
        err = console_new(registry->loop, on_line, options, &console);
    if (err == EV_OK)
        err = loop_run(registry->loop);
    if (err == EV_OK)
        log_info("registry.stopped");
    console_free(console);
    registry_stop(registry);
    store_close(registry->store);
    authority_free(registry->authority);
    return err;
}

static enum ev_err run(struct options *options, struct failure *ret_failure)
{
    static struct registry registry; /* zero; its table of guesses is large */
    struct state_dir *dir = NULL;
    enum ev_err err = loop_new(&registry.loop);
    if (err != EV_OK)
        return failure_set(ret_failure, err, "cannot make an event loop");
    options_host_port(options, "https", 0, &registry.https);
    registry.hosts = options_items(options, "public-host");
    registry.host_count = options_count(options, "public-host");
    registry.certificate_ms = hours(options, "certificate-hours");
    err = state_dir_open(options_text(options, "state-dir"), STATE_DIR_SERVICE, &dir, ret_failure);
    if (err == EV_OK) {
        registry.dir = dir;
        err = serve(options, &registry, ret_failure);
    }
    state_dir_free(dir);
    loop_free(registry.loop);
    return err;
}

/* A name that cannot be in a certificate is bad usage, not a failed start. */
static int check_hosts(const struct options *options)
{
    const char *const *hosts = options_items(options, "public-host");
    size_t count = options_count(options, "public-host");
    if (count > AUTHORITY_HOSTS_MAX - 4)
        return options_usage_error(options, "--public-host takes at most %d names", AUTHORITY_HOSTS_MAX - 4);
    for (size_t i = 0; i < count; i++) {
        if (!authority_host_is_good(hosts[i]))
            return options_usage_error(options, "--public-host: `%s` is neither a DNS name nor an IP address",
                                       hosts[i]);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct failure failure = {{0}};
    int exit_code = 1;
    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK)
        return exit_code;
    exit_code = check_hosts(options);
    if (exit_code != 0)
        goto out;
    enum ev_err err = EV_ERR_CRYPTO;
    if (sodium_init() < 0)
        (void)failure_set(&failure, err, "libsodium does not start");
    else
        err = options_argument(options, 0) != NULL ? invite(options, &failure) : run(options, &failure);
    if (err != EV_OK) {
        (void)fprintf(stderr, "ev_registry: %s\n", failure.text[0] != '\0' ? failure.text : ev_err_text(err));
        exit_code = 1;
    }
out:
    options_free(options);
    return exit_code;
}
