#include "driver/commands.h"

#include "common/runtime/console.h"
#include "common/runtime/limits.h"

#include <stdio.h>
#include <string.h>

const struct options_text_pair commands_table[] = {
    {"charge CP [KWH]", "ask for a charge, until KWH are in the car or its battery is full"},
    {"stop", "stop what charges, or what is asked for"},
    {"list", "all charge points, the available ones first"},
    {"history", "this driver's sessions, newest first"},
    {"services FILE", "serve a services file: a charge point's id a line, optionally kwh=N"},
    {"status", "what this driver is doing"},
    {"help", "this list"},
    {NULL, NULL},
};

typedef void (*command_function)(struct driver *driver, char *const words[], size_t count);

static void say(const struct driver *driver, const char *text)
{
    printf("%s: %s\n", driver_id_of(driver)->text, text);
}

static void do_charge(struct driver *driver, char *const words[], size_t count)
{
    struct failure failure = {{0}};
    struct request_id id;
    char text[FAILURE_TEXT_MAX];

    if (driver_charge(driver, words[1], count > 2 ? words[2] : NULL, &id, &failure) != EV_OK) {
        say(driver, failure.text);
        return;
    }
    (void)snprintf(text, sizeof text, "%s is asked for (request %s)", words[1], id.text);
    say(driver, text);
}

static void do_stop(struct driver *driver, char *const words[], size_t count)
{
    char text[64];
    size_t stopped = driver_stop(driver);

    (void)words;
    (void)count;
    (void)snprintf(text, sizeof text, "%zu to be stopped", stopped);
    say(driver, stopped == 0 ? "there is nothing to stop" : text);
}

static void do_list(struct driver *driver, char *const words[], size_t count)
{
    (void)words;
    (void)count;
    driver_print_points(driver, NULL, NULL);
}

static void do_history(struct driver *driver, char *const words[], size_t count)
{
    (void)words;
    (void)count;
    driver_print_history(driver, NULL, NULL);
}

static void do_services(struct driver *driver, char *const words[], size_t count)
{
    struct failure failure = {{0}};

    (void)count;
    if (driver_serve(driver, words[1], true, &failure) != EV_OK) {
        say(driver, failure.text);
    }
}

static void do_status(struct driver *driver, char *const words[], size_t count)
{
    (void)words;
    (void)count;
    driver_print_status(driver);
}

static const struct command {
    const char *name;
    size_t words_min, words_max;
    bool once; /* one driver's answer is good for all */
    command_function run;
    const char *usage;
} commands[] = {
    {"charge", 2, 3, false, do_charge, "charge CP [KWH]"},
    {"stop", 1, 1, false, do_stop, "stop"},
    {"list", 1, 1, true, do_list, "list"},
    {"history", 1, 1, false, do_history, "history"},
    {"services", 2, 2, false, do_services, "services FILE"},
    {"status", 1, 1, false, do_status, "status"},
};

void commands_run(struct drivers *drivers, const struct options *options, char *line)
{
    char *words[CONSOLE_WORDS_MAX];
    size_t count = console_split(line, words, CONSOLE_WORDS_MAX);
    const struct command *command = NULL;

    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            command = &commands[i];
        }
    }
    if (strcmp(words[0], "help") == 0) {
        options_print_commands(options);
    } else if (command == NULL) {
        printf("\"%s\" is not understood; `help` lists the commands.\n", words[0]);
    } else if (count < command->words_min || count > command->words_max) {
        printf("Usage: %s\n", command->usage);
    } else {
        for (size_t i = 0; i < (command->once ? 1 : drivers->count); i++) {
            command->run(drivers->items[i], words, count);
        }
    }
    (void)fflush(stdout);
}
