/* ev_weather: watches the weather of the charge points' cities, and reports it to Central. */
#include "common/runtime/console.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/state_dir.h"
#include "common/wire/seal.h"
#include "weather/central_client.h"
#include "weather/open_meteo.h"
#include "weather/openweather.h"
#include "weather/station.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct option_spec option_table[] = {
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
     .help = "To register with, once: `ev_registry invite --role weather` prints it."},
    {.name = "id",
     .kind = OPTION_STRING,
     .metavar = "ID",
     .default_text = "weather",
     .help = "Under which name it registers."},
    {.name = "provider",
     .kind = OPTION_CHOICE,
     .choices = "openweather|open-meteo|scripted",
     .default_text = "scripted",
     .help = "Where temperatures come from. scripted needs neither a key nor a network."},
    {.name = "api-key-file",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .help = "The key for openweather: the first line of this file."},
    {.name = "api-url",
     .kind = OPTION_STRING,
     .metavar = "URL",
     .help = "The provider's address, where it is not its usual one."},
    {.name = "temperatures-file",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .help = "For scripted: CITY=DEGREES a line, # starts a comment; read again when it changes. What is not "
             "in it has no reading until `force`."},
    {.name = "poll-seconds",
     .kind = OPTION_REAL,
     .metavar = "SECONDS",
     .default_text = "4",
     .min = 0.1,
     .max = 3600,
     .help =
         "How often Central is told. A provider is asked for one city at most every 60 s (openweather) or "
         "300 s (open-meteo)."},
    {.name = "max-age-seconds",
     .kind = OPTION_REAL,
     .metavar = "SECONDS",
     .default_text = "1800",
     .min = 1,
     .max = 86400,
     .help = "How long a provider's last value serves while it does not answer; then nothing is reported."},
    {.name = "city",
     .kind = OPTION_STRINGS,
     .metavar = "NAME",
     .help = "Watches this city; without any, every city that has a charge point."},
    {.name = NULL},
};

static const struct options_text_pair command_table[] = {
    {"add CITY", "watch a city"},
    {"remove CITY", "watch it no more; Central lifts its hold"},
    {"force CITY DEGREES", "report this temperature until `auto CITY`"},
    {"auto CITY", "follow the provider again"},
    {"list", "the watched cities"},
    {"status", "how Registry, Central and the provider are"},
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_text_pair example_table[] = {
    {"ev_weather --provider open-meteo --invitation CODE", "every city that has a charge point"},
    {"ev_weather --provider openweather --api-key-file key.txt --city Madrid --city \"Ulan Bator\"",
     "two cities"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_weather",
    .summary = "Watches the weather of the charge points' cities and reports it to Central.",
    .options = option_table,
    .commands = command_table,
    .examples = example_table,
};

struct context {
    const struct options *options;
    struct station *station;
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
    } else if (!station_command(context->station, words, count)) {
        printf("\"%s\" is not understood; `help` lists the commands.\n", words[0]);
    }
    (void)fflush(stdout);
}

static enum provider_kind provider_of(const struct options *options)
{
    const char *name = options_text(options, "provider");

    if (strcmp(name, "openweather") == 0) {
        return PROVIDER_OPENWEATHER;
    }
    return strcmp(name, "open-meteo") == 0 ? PROVIDER_OPEN_METEO : PROVIDER_SCRIPTED;
}

struct texts {
    char central[CENTRAL_CLIENT_URL_MAX];
    char api_url[PROVIDER_URL_MAX];
    char api_key[PROVIDER_KEY_MAX];
};

/* What the table cannot say. 0: good. */
static int check_usage(const struct options *options, struct texts *ret_texts)
{
    enum provider_kind provider = provider_of(options);
    const char *usual = provider == PROVIDER_OPENWEATHER ? OPENWEATHER_URL : OPEN_METEO_URL;
    const char *api_url = options_given(options, "api-url") ? options_text(options, "api-url") : usual;
    struct driver_id id;

    if (driver_id_parse(options_text(options, "id"), &id) != EV_OK) {
        return options_usage_error(options, "--id: accepted is 1 to 32 of A-Z a-z 0-9 - _");
    }
    if (central_client_parse_base(options_text(options, "central"), ret_texts->central) != EV_OK) {
        return options_usage_error(options, "--central: accepted is https://HOST:PORT");
    }
    if (provider_parse_url(api_url, ret_texts->api_url) != EV_OK) {
        return options_usage_error(options, "--api-url: accepted is https://HOST[:PORT] or http://..");
    }
    if (provider == PROVIDER_OPENWEATHER && !options_given(options, "api-key-file")) {
        return options_usage_error(options, "--provider openweather needs --api-key-file FILE");
    }
    for (size_t i = 0; i < options_count(options, "city"); i++) {
        char name[CITY_NAME_SIZE];
        const char *city = options_item(options, "city", i);
        if (city_name_normalise(city, strlen(city), name) != EV_OK) {
            return options_usage_error(options, "--city: accepted is a name of 1 to 64 bytes of UTF-8");
        }
    }
    return 0;
}

static enum ev_err read_key(const struct options *options, struct texts *texts, struct failure *ret_failure)
{
    const char *path = options_text(options, "api-key-file");
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (provider_of(options) != PROVIDER_OPENWEATHER) {
        return EV_OK;
    }
    enum ev_err err = state_file_read(path, &bytes, &len, ret_failure);
    if (err == EV_OK && openweather_parse_key((const char *)bytes, len, texts->api_key) != EV_OK) {
        err = failure_set(ret_failure, EV_ERR_PARSE,
                          "%s: its first line is no API key (letters, digits, - and _)", path);
    }
    state_dir_bytes_free(bytes, len);
    return err;
}

static enum ev_err run(struct context *context, struct loop *loop, const struct texts *texts,
                       struct failure *ret_failure)
{
    const struct options *options = context->options;
    enum provider_kind provider = provider_of(options);
    const struct station_config config = {
        .id = options_text(options, "id"),
        .state_dir = options_text(options, "state-dir"),
        .central_url = texts->central,
        .registry_url = options_text(options, "registry"),
        .invitation = options_text(options, "invitation"),
        .provider = provider,
        .api_url = texts->api_url,
        .api_key = texts->api_key,
        .temperatures_file = options_text(options, "temperatures-file"),
        .watch = {.poll_ms = llround(options_real(options, "poll-seconds") * 1000),
                  .ask_interval_ms = provider == PROVIDER_OPENWEATHER  ? OPENWEATHER_INTERVAL_MS
                                     : provider == PROVIDER_OPEN_METEO ? OPEN_METEO_INTERVAL_MS
                                                                       : 0,
                  .max_age_ms = llround(options_real(options, "max-age-seconds") * 1000),
                  .all_cities = options_count(options, "city") == 0},
    };
    struct console *console = NULL;
    enum ev_err err = station_new(loop, &config, &context->station, ret_failure);

    for (size_t i = 0; err == EV_OK && i < options_count(options, "city"); i++) {
        err = station_add_city(context->station, options_item(options, "city", i), ret_failure);
    }
    if (err == EV_OK) {
        err = console_new(loop, on_line, context, &console);
    }
    if (err == EV_OK) {
        station_start(context->station);
        err = loop_run(loop);
        log_info("weather.stopped");
    }
    console_free(console);
    station_free(context->station);
    return err;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct loop *loop = NULL;
    struct state_dir *dir = NULL;
    struct failure failure = {{0}};
    struct texts texts = {.api_key = ""};
    struct context context = {.station = NULL};
    int exit_code = 1;

    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK) {
        return exit_code;
    }
    context.options = options;
    exit_code = check_usage(options, &texts);
    if (exit_code != 0) {
        goto out;
    }
    exit_code = 1;
    if (seal_init() != EV_OK || loop_new(&loop) != EV_OK) {
        (void)failure_set(&failure, EV_ERR_CRYPTO, "cannot start libsodium or the event loop");
    } else if (read_key(options, &texts, &failure) == EV_OK &&
               state_dir_open(options_text(options, "state-dir"), STATE_DIR_SERVICE, &dir, &failure) ==
                   EV_OK &&
               run(&context, loop, &texts, &failure) == EV_OK) {
        exit_code = 0;
    }
out:
    if (failure.text[0] != '\0') {
        (void)fprintf(stderr, "ev_weather: %s\n", failure.text);
    }
    memset(&texts, 0, sizeof texts);
    state_dir_free(dir);
    loop_free(loop);
    options_free(options);
    return exit_code;
}
