/* ev_central - the brain of the charging network: options, subcommands, and off it goes. */
#include "central/admin_tools.h"
#include "central/central_run.h"
#include "common/runtime/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec option_table[] = {
    {.name = "invitation",
     .kind = OPTION_STRING,
     .metavar = "CODE",
     .help = "Invitation of role central, needed once for Central's own certificate."},
    {.name = "control",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:7001",
     .help = "Where charge points' monitors connect (TLS)."},
    {.name = "http",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:8080",
     .help = "Dashboard and API without TLS; on loopback only, refused elsewhere."},
    {.name = "https",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:8443",
     .help = "Dashboard and API with Central's certificate."},
    {.name = "registry",
     .kind = OPTION_STRING,
     .metavar = "URL",
     .default_text = "https://127.0.0.1:8444",
     .help = "The certification authority."},
    {.name = "kafka",
     .kind = OPTION_HOST_PORTS,
     .default_text = "127.0.0.1:9092",
     .help = "The broker, or several."},
    {.name = "X",
     .kind = OPTION_PROPERTIES,
     .help = "A property of librdkafka, as of kcat's -X; may be repeated."},
    {.name = "kafka-public",
     .kind = OPTION_STRING,
     .metavar = "HOST:PORT",
     .help = "The broker's address that nodes are told, where it differs from --kafka."},
    {.name = "public-host",
     .kind = OPTION_STRING,
     .metavar = "NAME[,NAME]",
     .help = "Names and addresses that this Central is reached by, besides localhost; they are put in its "
             "certificate and accepted as Host."},
    {.name = "telemetry-key-seconds",
     .kind = OPTION_INTEGER,
     .default_text = "300",
     .min = 1,
     .max = 86400,
     .help = "How often a charge point's telemetry key is rotated."},
    {.name = "heartbeat-seconds",
     .kind = OPTION_INTEGER,
     .default_text = "5",
     .min = 1,
     .max = 3600,
     .help = "Interval of heartbeats; after three without a frame a charge point is Offline."},
    {.name = "settle-seconds",
     .kind = OPTION_INTEGER,
     .default_text = "900",
     .min = 1,
     .max = 604800,
     .help = "How long a session waits for its final meter before its ticket counts the last one that came."},
    {.name = "keep-days",
     .kind = OPTION_INTEGER,
     .default_text = "30",
     .min = 1,
     .max = 3650,
     .help = "How long the curves of sessions are kept."},
    {.name = "private-audit", .kind = OPTION_SWITCH, .help = "The audit trail is for admins alone."},
    {.name = "web",
     .kind = OPTION_STRING,
     .metavar = "DIR",
     .help = "The dashboard's files; default web/, here or "
             "beside the program."},
    {.name = "gui", .kind = OPTION_SWITCH, .help = "Starts ev_central_gui too."},
    {.name = NULL},
};

static const struct options_text_pair subcommand_table[] = {
    {"admin-password", "sets the admin's password (from standard input; a random one for an empty line)"},
    {"audit-verify", "checks the audit trail's hash chain; exit 0 or 1"},
    {NULL, NULL},
};

static const struct options_text_pair command_table[] = {
    {"status", "charge points, health, counters"},
    {"stop CP|all", "out of order, until resumed"},
    {"resume CP|all", "lifts the hold of stop"},
    {"rotate-key CP", "a fresh telemetry key now"},
    {"drop-key CP", "out of service until its monitor connects by command"},
    {"revoke CP", "bars its certificate"},
    {"price CP CENTS", "per kWh, from the next session on"},
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_text_pair example_table[] = {
    {"ev_central --invitation CODE", "the first start"},
    {"ev_central --gui", "with its window"},
    {"ev_central audit-verify", "is the trail whole?"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_central",
    .summary = "The brain of the charging network: charge points, sessions, tickets, audit trail, REST API.",
    .options = option_table,
    .arguments = "[admin-password | audit-verify]",
    .arguments_max = 1,
    .subcommands = subcommand_table,
    .commands = command_table,
    .examples = example_table,
};

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

/* --web, or web/ here, or beside the program, or one or two directories up (a build tree). */
static const char *find_web(const struct options *options, char *path, size_t capacity)
{
    static const char *const places[] = {"/web", "/../web", "/../share/evnet/web", "/../../web",
                                         "/../../../web"};
    char exe[4096];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash = NULL;

    if (options_text(options, "web") != NULL) {
        return options_text(options, "web");
    }
    if (access("web/index.html", R_OK) == 0 || length <= 0) {
        return "web";
    }
    exe[length] = '\0';
    slash = strrchr(exe, '/');
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char index[4200];

        (void)snprintf(index, sizeof index, "%s%s/index.html", exe, places[i]);
        if (access(index, R_OK) == 0) {
            (void)snprintf(path, capacity, "%s%s", exe, places[i]);
            return path;
        }
    }
    return "web";
}

static int fill(const struct options *options, struct central_options *ret_options, char *web,
                size_t web_capacity)
{
    struct host_port http;

    options_host_port(options, "http", 0, &http);
    if (!is_loopback(http.host)) {
        return options_usage_error(
            options,
            "--http %s: clear HTTP is served on loopback only (127.0.0.1, ::1, localhost); "
            "use --https for other machines",
            options_text(options, "http"));
    }
    *ret_options = (struct central_options){
        .state_dir = options_text(options, "state-dir"),
        .invitation = options_text(options, "invitation"),
        .control = options_text(options, "control"),
        .http = options_text(options, "http"),
        .https = options_text(options, "https"),
        .registry = options_text(options, "registry"),
        .kafka = options_text(options, "kafka"),
        .public_host = options_given(options, "public-host") ? options_text(options, "public-host") : "",
        .web_dir = find_web(options, web, web_capacity),
        .telemetry_key_seconds = options_integer(options, "telemetry-key-seconds"),
        .heartbeat_seconds = options_integer(options, "heartbeat-seconds"),
        .settle_seconds = options_integer(options, "settle-seconds"),
        .keep_days = options_integer(options, "keep-days"),
        .private_audit = options_switch(options, "private-audit"),
        .gui = options_switch(options, "gui"),
        .kafka_property_count = options_count(options, "X"),
    };
    ret_options->kafka_public =
        options_given(options, "kafka-public") ? options_text(options, "kafka-public") : ret_options->kafka;
    if (ret_options->kafka_property_count > CENTRAL_KAFKA_PROPERTIES_MAX) {
        return options_usage_error(options, "-X: at most %d properties", CENTRAL_KAFKA_PROPERTIES_MAX);
    }
    for (size_t i = 0; i < ret_options->kafka_property_count; i++) {
        ret_options->kafka_properties[i] = options_item(options, "X", i);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct central_options central_options;
    char web[4200];
    const char *subcommand = NULL;
    int exit_code = 0;

    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK) {
        return exit_code;
    }
    subcommand = options_argument(options, 0);
    if (subcommand != NULL && strcmp(subcommand, "admin-password") == 0) {
        exit_code = central_admin_password(options_text(options, "state-dir"));
    } else if (subcommand != NULL) {
        exit_code = central_audit_verify(options_text(options, "state-dir"));
    } else {
        exit_code = fill(options, &central_options, web, sizeof web);
        if (exit_code == 0) {
            exit_code = central_run(&central_options);
        }
    }
    options_free(options);
    return exit_code;
}
