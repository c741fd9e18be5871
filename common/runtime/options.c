#include "common/runtime/options_internal.h"

#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option_spec options_standard[] = {
    {.name = "state-dir",
     .kind = OPTION_STRING,
     .metavar = "DIR",
     .help = "Directory of everything that is kept; created where it is missing (0700)."},
    {.name = "log-format",
     .kind = OPTION_CHOICE,
     .choices = "text|json",
     .default_text = "text",
     .help = "Form of the log on standard error."},
    {.name = "log-level",
     .kind = OPTION_CHOICE,
     .choices = "debug|info|warn|error",
     .default_text = "info",
     .help = "What is logged: this level and those after it."},
    {.name = "help", .kind = OPTION_SWITCH, .help = "Prints this and exits."},
    {.name = "version", .kind = OPTION_SWITCH, .help = "Prints the version and exits."},
    {.name = NULL},
};

/* --- numbers and addresses --- */

enum ev_err options_parse_integer(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end = NULL;
    if (text == NULL || (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+') ||
        !isdigit((unsigned char)text[strlen(text) - 1])) {
        return EV_ERR_PARSE;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end != '\0') {
        return EV_ERR_PARSE;
    }
    if (errno == ERANGE || value < min || value > max) {
        return EV_ERR_RANGE;
    }
    *ret_value = value;
    return EV_OK;
}

enum ev_err options_parse_real(const char *text, double min, double max, double *ret_value)
{
    char *end = NULL;
    /* No hexadecimal, no "inf", no "nan": what remains is what people write. */
    if (text == NULL || text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0') {
        return EV_ERR_PARSE;
    }
    double value = strtod(text, &end);
    if (end == text || *end != '\0') {
        return EV_ERR_PARSE;
    }
    if (!isfinite(value) || value < min || value > max) {
        return EV_ERR_RANGE;
    }
    *ret_value = value;
    return EV_OK;
}

static bool is_host(const char *host, size_t len, bool bracketed)
{
    if (len == 0 || len >= sizeof((struct host_port *)0)->host) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (!isalnum(c) && strchr(bracketed ? ":.%" : ".-_", c) == NULL) {
            return false;
        }
    }
    return true;
}

enum ev_err host_port_parse(const char *text, struct host_port *ret_address)
{
    struct host_port address = {.port = 0};
    int64_t port = 0;
    const char *colon = text == NULL ? NULL : strrchr(text, ':');
    if (colon == NULL || !isdigit((unsigned char)colon[1]) || strlen(colon + 1) > 5 ||
        options_parse_integer(colon + 1, 0, 65535, &port) != EV_OK) {
        return EV_ERR_PARSE;
    }
    const char *host = text;
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && host[0] == '[' && host[len - 1] == ']';
    if (bracketed) {
        host++;
        len -= 2;
    }
    if (!is_host(host, len, bracketed)) {
        return EV_ERR_PARSE;
    }
    memcpy(address.host, host, len);
    address.port = (uint16_t)port;
    *ret_address = address;
    return EV_OK;
}

const char *host_port_format(const struct host_port *address, char ret_text[HOST_PORT_TEXT_MAX])
{
    bool bracketed = strchr(address->host, ':') != NULL;
    snprintf(ret_text, HOST_PORT_TEXT_MAX, bracketed ? "[%s]:%u" : "%s:%u", address->host,
             (unsigned)address->port);
    return ret_text;
}

/* --- one option --- */

bool option_is_list(enum option_kind kind)
{
    return kind == OPTION_HOST_PORTS || kind == OPTION_NAMES || kind == OPTION_STRINGS ||
           kind == OPTION_PROPERTIES;
}

void option_env_name(const struct option_spec *spec, char ret_name[OPTION_ENV_MAX])
{
    ret_name[0] = '\0';
    if (strlen(spec->name) < 2 || strcmp(spec->name, "help") == 0 || strcmp(spec->name, "version") == 0) {
        return;
    }
    int len = snprintf(ret_name, OPTION_ENV_MAX, "EV_%s", spec->name);
    EV_ASSERT(len > 0 && len < OPTION_ENV_MAX);
    for (char *at = ret_name; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    }
}

const char *option_flag_name(const struct option_spec *spec, char ret_name[OPTION_ENV_MAX])
{
    int len = snprintf(ret_name, OPTION_ENV_MAX, "%s%s", strlen(spec->name) < 2 ? "-" : "--", spec->name);
    EV_ASSERT(len > 0 && len < OPTION_ENV_MAX);
    return ret_name;
}

static void option_value_fini(struct option_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        free((void *)value->items[i]);
    }
    free((void *)value->items);
    free(value->text);
    *value = (struct option_value){.spec = value->spec};
}

static char *copy_n(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    EV_ASSERT(copy != NULL); /* at start, before anything is at stake */
    return copy;
}

static bool option_add_item(struct option_value *value, const char *text, size_t len)
{
    if (value->count == OPTIONS_ITEMS_MAX) {
        return false;
    }
    const char **items = realloc((void *)value->items, (value->count + 1) * sizeof(char *));
    EV_ASSERT(items != NULL);
    value->items = items;
    value->items[value->count++] = copy_n(text, len);
    return true;
}

static bool item_is_good(enum option_kind kind, const char *item, size_t len)
{
    char text[512] = "";
    struct host_port address = {.port = 0};
    if (len == 0) {
        return false;
    }
    if (kind == OPTION_PROPERTIES) {
        const char *equals = memchr(item, '=', len);
        return equals != NULL && equals != item;
    }
    if (kind == OPTION_HOST_PORTS) {
        if (len >= sizeof text) {
            return false;
        }
        memcpy(text, item, len);
        return host_port_parse(text, &address) == EV_OK;
    }
    return true;
}

static bool option_set_list(struct option_value *value, const char *text, bool split)
{
    for (const char *at = text;;) {
        size_t len = split ? strcspn(at, ",") : strlen(at);
        if (!item_is_good(value->spec->kind, at, len) || !option_add_item(value, at, len)) {
            return false;
        }
        if (at[len] == '\0') {
            return true;
        }
        at += len + 1;
    }
}

static bool choice_is_good(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = choices; *at != '\0';) {
        size_t choice_len = strcspn(at, "|");
        if (choice_len == len && memcmp(at, text, len) == 0) {
            return true;
        }
        at += choice_len + (at[choice_len] == '|');
    }
    return false;
}

static bool switch_parse(const char *text, int64_t *ret_on)
{
    if (choice_is_good("1|true|yes|on", text)) {
        *ret_on = 1;
        return true;
    }
    if (choice_is_good("0|false|no|off", text)) {
        *ret_on = 0;
        return true;
    }
    return false;
}

static bool option_set_scalar(struct option_value *value, const char *text)
{
    const struct option_spec *spec = value->spec;
    bool bounded = spec->min != 0.0 || spec->max != 0.0;
    struct host_port address = {.port = 0};
    switch (spec->kind) {
    case OPTION_STRING:
        return text[0] != '\0';
    case OPTION_INTEGER: {
        int64_t min = bounded ? (int64_t)spec->min : INT64_MIN;
        int64_t max = bounded ? (int64_t)spec->max : INT64_MAX;
        return options_parse_integer(text, min, max, &value->integer) == EV_OK;
    }
    case OPTION_SECONDS_OR_OFF:
        if (strcmp(text, "off") == 0) {
            value->real = -1.0;
            return true;
        }
        return options_parse_real(text, bounded ? spec->min : 0.0, bounded ? spec->max : 1e9, &value->real) ==
               EV_OK;
    case OPTION_REAL:
        return options_parse_real(text, bounded ? spec->min : -HUGE_VAL, bounded ? spec->max : HUGE_VAL,
                                  &value->real) == EV_OK;
    case OPTION_SWITCH:
        return switch_parse(text, &value->integer);
    case OPTION_CHOICE:
        return choice_is_good(spec->choices, text);
    case OPTION_HOST_PORT:
        return host_port_parse(text, &address) == EV_OK;
    default:
        return false;
    }
}

/* Takes one value. A higher source replaces what a lower one gave; flags of repeatable options add up.
 * False, with the error printed, when the text is not accepted. `where` names flag or variable. */
static bool option_set(struct options *options, struct option_value *value, const char *text,
                       enum option_source source, const char *where)
{
    enum option_kind kind = value->spec->kind;
    bool adds = source == value->source &&
                (kind == OPTION_NAMES || kind == OPTION_STRINGS || kind == OPTION_PROPERTIES);
    if (!adds) {
        option_value_fini(value);
    }
    bool split = kind == OPTION_HOST_PORTS || kind == OPTION_NAMES ||
                 (kind == OPTION_STRINGS && source != OPTION_FROM_FLAG);
    value->source = source;
    free(value->text);
    value->text = copy_n(text, strlen(text));
    bool good = option_is_list(kind) ? option_set_list(value, text, split) : option_set_scalar(value, text);
    if (!good) {
        char accepted[400] = "";
        option_describe_accepted(value->spec, accepted, sizeof accepted);
        if (text[0] == '\0') {
            options_usage_error(options, "%s is empty; accepted: %s", where, accepted);
        } else {
            options_usage_error(options, "%s: \"%.100s\" is not %s", where, text, accepted);
        }
    }
    return good;
}

static struct option_value *options_find_n(struct options *options, const char *name, size_t len)
{
    for (size_t i = 0; i < options->value_count; i++) {
        const char *candidate = options->values[i].spec->name;
        if (strlen(candidate) == len && memcmp(candidate, name, len) == 0) {
            return &options->values[i];
        }
    }
    return NULL;
}

/* --- the command line --- */

/* One flag at argv[*index], with its value there or in the next one. */
static bool options_take_flag(struct options *options, int argc, char *const argv[], int *index)
{
    const char *given = strcmp(argv[*index], "-h") == 0 ? "--help" : argv[*index];
    bool is_long = given[1] == '-';
    const char *name = given + (is_long ? 2 : 1);
    size_t len = is_long ? strcspn(name, "=") : 1;
    struct option_value *value = is_long == (len > 1) ? options_find_n(options, name, len) : NULL;
    const char *text = NULL;
    char flag[OPTION_ENV_MAX] = "";
    if (value == NULL) {
        options_print_unknown(options, given);
        return false;
    }
    option_flag_name(value->spec, flag);
    if (is_long && name[len] == '=') {
        text = name + len + 1;
    } else if (!is_long && name[1] != '\0') {
        text = name + 1;
    }
    if (value->spec->kind == OPTION_SWITCH) {
        if (text != NULL) {
            options_usage_error(options, "%s takes no value", flag);
            return false;
        }
        return option_set(options, value, "on", OPTION_FROM_FLAG, flag);
    }
    if (text == NULL) {
        const char *next = *index + 1 < argc ? argv[*index + 1] : NULL;
        if (next == NULL || (next[0] == '-' && next[1] == '-')) {
            char accepted[400] = "";
            option_describe_accepted(value->spec, accepted, sizeof accepted);
            options_usage_error(options, "%s needs a value: %s", flag, accepted);
            return false;
        }
        text = next;
        (*index)++;
    }
    return option_set(options, value, text, OPTION_FROM_FLAG, flag);
}

static bool options_take_argument(struct options *options, const char *argument)
{
    const struct options_program *program = options->program;
    if (program->arguments == NULL || options->argument_count == program->arguments_max) {
        options_usage_error(options, "unexpected argument \"%.100s\"%s%s", argument,
                            program->arguments != NULL ? "; accepted: " : "; only options are accepted",
                            program->arguments != NULL ? program->arguments : "");
        return false;
    }
    options->arguments[options->argument_count++] = argument;
    return true;
}

static bool options_is_set(struct options *options, const char *name)
{
    return options_find_n(options, name, strlen(name))->source != OPTION_UNSET;
}

/* *ret_asked: --help or --version came, and what follows does not matter. */
static bool options_take_command_line(struct options *options, int argc, char *const argv[], bool *ret_asked)
{
    bool only_arguments = false;
    for (int i = 1; i < argc; i++) {
        const char *given = argv[i];
        bool is_flag = !only_arguments && given[0] == '-' && given[1] != '\0' &&
                       !isdigit((unsigned char)given[1]) && given[1] != '.';
        if (is_flag && strcmp(given, "--") == 0) {
            only_arguments = true;
            continue;
        }
        bool good =
            is_flag ? options_take_flag(options, argc, argv, &i) : options_take_argument(options, given);
        if (!good) {
            return false;
        }
        if (options_is_set(options, "help") || options_is_set(options, "version")) {
            *ret_asked = true;
            return true;
        }
    }
    return true;
}

static bool options_take_environment(struct options *options)
{
    for (size_t i = 0; i < options->value_count; i++) {
        struct option_value *value = &options->values[i];
        char name[OPTION_ENV_MAX] = "";
        option_env_name(value->spec, name);
        const char *text = name[0] != '\0' ? getenv(name) : NULL;
        if (value->source != OPTION_FROM_FLAG && text != NULL && text[0] != '\0' &&
            !option_set(options, value, text, OPTION_FROM_ENVIRONMENT, name)) {
            return false;
        }
    }
    return true;
}

static void options_take_defaults(struct options *options)
{
    for (size_t i = 0; i < options->value_count; i++) {
        struct option_value *value = &options->values[i];
        if (value->source == OPTION_UNSET && value->spec->default_text != NULL) {
            bool good = option_set(options, value, value->spec->default_text, OPTION_FROM_DEFAULT, "default");
            EV_ASSERT(good); /* the table contradicts itself */
        }
    }
    struct option_value *state = options_find_n(options, "state-dir", strlen("state-dir"));
    if (state->source == OPTION_UNSET) {
        const char *id_option = options->program->state_dir_id;
        const char *id = id_option != NULL ? options_text(options, id_option) : NULL;
        char path[600] = "";
        snprintf(path, sizeof path, "./state/%s%s%s", options->program->name, id != NULL ? "/" : "",
                 id != NULL ? id : "");
        state->text = copy_n(path, strlen(path));
        state->source = OPTION_FROM_DEFAULT;
    }
}

static bool options_check_subcommand(struct options *options)
{
    const struct options_text_pair *known = options->program->subcommands;
    const char *command = options_argument(options, 0);
    char names[400] = "";
    size_t used = 0;
    bool found = command == NULL || known == NULL;
    for (; known != NULL && known->left != NULL && !found; known++) {
        size_t len = strcspn(known->left, " "); /* "charge CP": the word before its arguments */
        found = strlen(command) == len && memcmp(command, known->left, len) == 0;
        int n = snprintf(names + used, sizeof names - used, "%s%.*s", used > 0 ? ", " : "", (int)len,
                         known->left);
        used += n > 0 && (size_t)n < sizeof names - used ? (size_t)n : 0;
    }
    if (!found) {
        options_usage_error(options, "unknown command \"%.100s\"; accepted: %s", command, names);
        return false;
    }
    for (size_t i = 0; i < options->value_count; i++) {
        const struct option_value *value = &options->values[i];
        const char *wanted = value->spec->command;
        if (value->source == OPTION_FROM_FLAG && wanted != NULL &&
            (command == NULL || strcmp(wanted, command) != 0)) {
            char flag[OPTION_ENV_MAX] = "";
            options_usage_error(options, "%s belongs to the command \"%s\"",
                                option_flag_name(value->spec, flag), wanted);
            return false;
        }
    }
    return true;
}

static void options_start_log(struct options *options)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *level = options_text(options, "log-level");
    bool json = strcmp(options_text(options, "log-format"), "json") == 0;
    for (int i = 0; i < 4; i++) {
        if (strcmp(level, levels[i]) == 0) {
            log_init(options->program->name, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, (enum log_level)i);
        }
    }
}

static void options_add_specs(struct options *options, const struct option_spec *specs)
{
    for (; specs != NULL && specs->name != NULL; specs++) {
        EV_ASSERT(options->value_count < OPTION_SPECS_MAX);
        options->values[options->value_count++].spec = specs;
    }
}

enum ev_err options_parse(const struct options_program *program, int argc, char *const argv[],
                          struct options **ret_options, int *ret_exit_code)
{
    enum ev_err err = EV_ERR_USAGE;
    bool asked = false;
    struct options *options = calloc(1, sizeof *options);
    EV_ASSERT(options != NULL);
    options->program = program;
    options->arguments = calloc(program->arguments_max + 1, sizeof(char *));
    EV_ASSERT(options->arguments != NULL);
    options_add_specs(options, program->options);
    options_add_specs(options, options_standard);
    *ret_exit_code = 2;
    if (!options_take_command_line(options, argc, argv, &asked)) {
        goto out;
    }
    if (asked) {
        *ret_exit_code = 0;
        if (options_is_set(options, "help")) {
            options_print_help(options);
        } else {
            printf("%s %s\n", program->name, EV_VERSION);
        }
        goto out;
    }
    if (!options_take_environment(options) || !options_check_subcommand(options)) {
        goto out;
    }
    options_take_defaults(options);
    options_start_log(options);
    *ret_exit_code = 0;
    *ret_options = options;
    options = NULL;
    err = EV_OK;
out:
    options_free(options);
    return err;
}

void options_free(struct options *options)
{
    if (options == NULL) {
        return;
    }
    for (size_t i = 0; i < options->value_count; i++) {
        option_value_fini(&options->values[i]);
    }
    free((void *)options->arguments);
    free(options);
}

int options_usage_error(const struct options *options, const char *format, ...)
{
    char text[1200] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = '?'; /* one line, whatever was typed */
        }
    }
    fprintf(stderr, "%s: %s (see %s --help)\n", options->program->name, text, options->program->name);
    return 2;
}

/* --- getters --- */

static const struct option_value *options_get(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->value_count; i++) {
        if (strcmp(options->values[i].spec->name, name) == 0) {
            return &options->values[i];
        }
    }
    ev_assert_failed(name, __FILE__, __LINE__); /* not in the table */
}

const char *options_text(const struct options *options, const char *name)
{
    return options_get(options, name)->text;
}

int64_t options_integer(const struct options *options, const char *name)
{
    return options_get(options, name)->integer;
}

double options_real(const struct options *options, const char *name)
{
    return options_get(options, name)->real;
}

bool options_switch(const struct options *options, const char *name)
{
    return options_get(options, name)->integer != 0;
}

bool options_given(const struct options *options, const char *name)
{
    return options_get(options, name)->source >= OPTION_FROM_ENVIRONMENT;
}

size_t options_count(const struct options *options, const char *name)
{
    const struct option_value *value = options_get(options, name);
    return option_is_list(value->spec->kind) ? value->count : value->text != NULL;
}

const char *options_item(const struct options *options, const char *name, size_t index)
{
    const struct option_value *value = options_get(options, name);
    EV_ASSERT(index < options_count(options, name));
    return option_is_list(value->spec->kind) ? value->items[index] : value->text;
}

void options_host_port(const struct options *options, const char *name, size_t index,
                       struct host_port *ret_address)
{
    enum ev_err err = host_port_parse(options_item(options, name, index), ret_address);
    EV_ASSERT(err == EV_OK); /* was checked when it was set */
}

const char *const *options_items(const struct options *options, const char *name)
{
    return options_get(options, name)->items;
}

const char *options_argument(const struct options *options, size_t index)
{
    return index < options->argument_count ? options->arguments[index] : NULL;
}

size_t options_argument_count(const struct options *options)
{
    return options->argument_count;
}
