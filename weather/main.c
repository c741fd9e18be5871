/* ev_weather: watches the weather of the cities that have charge points, and reports it to Central. */
#include "common/runtime/console.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "common/runtime/state_dir.h"
#include "weather/station.h"

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
     .help = "Name in its certificate."},
    {.name = "provider",
     .kind = OPTION_CHOICE,
     .choices = "openweather|open-meteo|scripted",
     .default_text = "scripted",
     .help = "Who says the temperatures. openweather needs a key; scripted reads a file and serves without a "
             "network."},
    {.name = "api-key-file",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .help = "openweather: the key, in the first line."},
    {.name = "api-url", .kind = OPTION_STRING, .metavar = "URL", .help = "Another address of the provider."},
    {.name = "temperatures-file",
     .kind = OPTION_STRING,
     .metavar = "FILE",
     .help = "scripted: CITY=DEGREES a line; read again when it changes."},
    {.name = "poll-seconds",
     .kind = OPTION_REAL,
     .metavar = "SECONDS",
     .default_text = "4",
     .min = 0.2,
     .max = 3600,
     .help = "How often it reports. A provider is asked for one city at most each 60 s (openweather) or 300 "
             "s (open-meteo)."},
    {.name = "city",
     .kind = OPTION_STRINGS,
     .metavar = "NAME",
     .help = "Only these cities; without it every city that has a charge point."},
    {.name = NULL},
};

static const struct options_text_pair commands_table[] = {
    {"add CITY", "watch this city too"},
    {"remove CITY", "watch it no longer; Central forgets its weather and lifts its hold"},
    {"force CITY DEGREES", "report this temperature until `auto`"},
    {"auto CITY", "follow the provider again"},
    {"list", "the cities, and what is reported of them"},
    {"status", "whether Central is reached, and the list"},
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_text_pair example_table[] = {
    {"ev_weather --invitation CODE --temperatures-file services/temperatures.txt",
     "temperatures from a file"},
    {"ev_weather --provider open-meteo", "real ones, without a key"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_weather",
    .summary = "Watches the weather of the charge points' cities; below 0 degrees Central halts them.",
    .options = option_table,
    .commands = commands_table,
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
    if (count == 0)
        return;
    if (strcmp(words[0], "help") == 0)
        options_print_commands(context->options);
    else if (!station_command(context->station, words, count))
        (void)printf("There is no command %s; `help` lists them.\n", words[0]);
    (void)fflush(stdout);
}

static enum provider_kind provider_of(const struct options *options)
{
    const char *text = options_text(options, "provider");
    if (strcmp(text, "openweather") == 0)
        return PROVIDER_OPENWEATHER;
    return strcmp(text, "open-meteo") == 0 ? PROVIDER_OPEN_METEO : PROVIDER_SCRIPTED;
}

static int run(const struct options *options)
{
    struct failure failure = {.text = "out of memory"};
    struct state_dir *dir = NULL;
    struct loop *loop = NULL;
    struct console *console = NULL;
    struct context context = {.options = options};
    int code = 1;
    enum ev_err err = state_dir_open(options_text(options, "state-dir"), STATE_DIR_SERVICE, &dir, &failure);
    if (err == EV_OK)
        err = loop_new(&loop);
    struct station_config config = {.loop = loop,
                                    .state_dir = options_text(options, "state-dir"),
                                    .id = options_text(options, "id"),
                                    .central = options_text(options, "central"),
                                    .registry = options_text(options, "registry"),
                                    .invitation = options_text(options, "invitation"),
                                    .provider = provider_of(options),
                                    .api_key_file = options_text(options, "api-key-file"),
                                    .api_url = options_text(options, "api-url"),
                                    .temperatures_file = options_text(options, "temperatures-file"),
                                    .cities = options_items(options, "city"),
                                    .city_count = options_count(options, "city"),
                                    .poll_ms = (int64_t)(options_real(options, "poll-seconds") * 1000)};
    if (err == EV_OK)
        err = station_new(&config, &context.station, &failure);
    if (err == EV_OK)
        err = console_new(loop, on_line, &context, &console);
    if (err == EV_OK) {
        log_info("weather.start", log_str("provider", options_text(options, "provider")),
                 log_str("central", config.central));
        code = loop_run(loop) == EV_OK ? 0 : 1;
    } else {
        (void)fprintf(stderr, "ev_weather: %s\n", failure.text);
        code = err == EV_ERR_USAGE ? 2 : 1;
    }
    console_free(console);
    station_free(context.station);
    loop_free(loop);
    state_dir_free(dir);
    return code;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    int code = 0;
    if (options_parse(&program, argc, argv, &options, &code) != EV_OK)
        return code;
    code = run(options);
    options_free(options);
    return code;
}
