#include "common/runtime/options_internal.h"

#include <stdio.h>
#include <string.h>

#define HELP_WIDTH 100
#define HELP_INDENT 30 /* where the explanations begin */

static const char *option_metavar(const struct option_spec *spec)
{
    if (spec->metavar != NULL) {
        return spec->metavar;
    }
    switch (spec->kind) {
    case OPTION_INTEGER:
    case OPTION_REAL:
        return "N";
    case OPTION_CHOICE:
        return spec->choices;
    case OPTION_HOST_PORT:
        return "HOST:PORT";
    case OPTION_HOST_PORTS:
        return "HOST:PORT[,HOST:PORT]";
    case OPTION_NAMES:
        return "NAME[,NAME]";
    case OPTION_PROPERTIES:
        return "KEY=VALUE";
    case OPTION_SECONDS_OR_OFF:
        return "SECONDS|off";
    case OPTION_SWITCH:
        return "";
    default:
        return "TEXT";
    }
}

static void describe_range(const struct option_spec *spec, const char *noun, char *ret_text, size_t size)
{
    if (spec->min != 0.0 || spec->max != 0.0) {
        snprintf(ret_text, size, "%s from %.10g to %.10g", noun, spec->min, spec->max);
    } else {
        snprintf(ret_text, size, "%s", noun);
    }
}

void option_describe_accepted(const struct option_spec *spec, char *ret_text, size_t size)
{
    switch (spec->kind) {
    case OPTION_INTEGER:
        describe_range(spec, "a whole number", ret_text, size);
        break;
    case OPTION_REAL:
        describe_range(spec, "a number", ret_text, size);
        break;
    case OPTION_SECONDS_OR_OFF:
        describe_range(spec, "\"off\" or a number of seconds", ret_text, size);
        break;
    case OPTION_CHOICE: {
        size_t used = (size_t)snprintf(ret_text, size, "one of ");
        for (const char *at = spec->choices; *at != '\0' && used + 3 < size; at++) {
            used += (size_t)snprintf(ret_text + used, size - used, *at == '|' ? ", " : "%c", *at);
        }
        break;
    }
    case OPTION_HOST_PORT:
        snprintf(ret_text, size, "an address HOST:PORT, such as 127.0.0.1:7001 or [::1]:7001");
        break;
    case OPTION_HOST_PORTS:
        snprintf(ret_text, size, "a list of addresses HOST:PORT[,HOST:PORT]");
        break;
    case OPTION_NAMES:
        snprintf(ret_text, size, "a list %s without empty entries", option_metavar(spec));
        break;
    case OPTION_PROPERTIES:
        snprintf(ret_text, size, "of the form KEY=VALUE");
        break;
    case OPTION_SWITCH:
        snprintf(ret_text, size, "one of 1, true, yes, on, 0, false, no, off");
        break;
    default:
        snprintf(ret_text, size, "a text (%s)", option_metavar(spec));
        break;
    }
}

/* --- unknown options --- */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance; texts beyond 40 characters are far from everything. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t row[42] = {0};
    size_t b_len = strlen(b);
    if (a_len > 40 || b_len > 40) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

void options_print_unknown(const struct options *options, const char *given)
{
    const char *name = given + strspn(given, "-");
    size_t len = strcspn(name, "=");
    const struct option_spec *nearest = NULL;
    size_t nearest_distance = 3; /* two slips are a typing error, more are another word */
    char flag[OPTION_ENV_MAX] = "";
    char names[1000] = "";
    size_t used = 0;
    for (size_t i = 0; i < options->value_count; i++) {
        const struct option_spec *spec = options->values[i].spec;
        bool begins = len >= 2 && strncmp(spec->name, name, len) == 0;
        size_t d = begins ? 1 : distance(name, len, spec->name);
        if (d < nearest_distance && len > 1) {
            nearest = spec;
            nearest_distance = d;
        }
        int n = snprintf(names + used, sizeof names - used, " %s", option_flag_name(spec, flag));
        used += n > 0 && (size_t)n < sizeof names - used ? (size_t)n : 0;
    }
    if (nearest != NULL) {
        options_usage_error(options, "unknown option \"%.100s\"; did you mean %s?", given,
                            option_flag_name(nearest, flag));
    } else {
        options_usage_error(options, "unknown option \"%.100s\"; accepted:%s", given, names);
    }
}

/* --- help --- */

/* Prints text from column `at` on, wrapped, later lines indented. */
static void print_wrapped(const char *text, size_t at, size_t indent)
{
    size_t column = at;
    const char *word = text;
    while (*word != '\0') {
        size_t len = strcspn(word, " ");
        if (word != text && column + 1 + len > HELP_WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (word != text) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)len, word);
        column += len;
        word += len;
        word += strspn(word, " ");
    }
    putchar('\n');
}

static void print_pair(const char *left, const char *right)
{
    size_t column = 2 + strlen(left);
    printf("  %s", left);
    if (column + 2 > HELP_INDENT) {
        printf("\n%*s", HELP_INDENT, "");
    } else {
        printf("%*s", (int)(HELP_INDENT - column), "");
    }
    print_wrapped(right, HELP_INDENT, HELP_INDENT);
}

static void print_pairs(const char *title, const struct options_text_pair *pairs)
{
    if (pairs == NULL || pairs->left == NULL) {
        return;
    }
    printf("\n%s:\n", title);
    for (; pairs->left != NULL; pairs++) {
        print_pair(pairs->left, pairs->right);
    }
}

static void print_option(const struct options *options, const struct option_spec *spec)
{
    char flag[OPTION_ENV_MAX] = "";
    char env[OPTION_ENV_MAX] = "";
    char left[200] = "";
    char right[1200] = "";
    char range[80] = "";
    const char *metavar = option_metavar(spec);
    const char *default_text = spec->default_text;
    char state_dir[200] = "";
    option_env_name(spec, env);
    snprintf(left, sizeof left, "%s%s%s", option_flag_name(spec, flag), metavar[0] != '\0' ? " " : "",
             metavar);
    bool number =
        spec->kind == OPTION_INTEGER || spec->kind == OPTION_REAL || spec->kind == OPTION_SECONDS_OR_OFF;
    if (number && (spec->min != 0.0 || spec->max != 0.0)) {
        snprintf(range, sizeof range, " From %.10g to %.10g.", spec->min, spec->max);
    }
    if (strcmp(spec->name, "state-dir") == 0) {
        snprintf(state_dir, sizeof state_dir, "./state/%s%s", options->program->name,
                 options->program->state_dir_id != NULL ? "/ID" : "");
        default_text = state_dir;
    }
    bool repeatable = spec->kind == OPTION_STRINGS || spec->kind == OPTION_PROPERTIES;
    snprintf(right, sizeof right, "%s%s%s%s%s%s%s%s%s", spec->help != NULL ? spec->help : "", range,
             repeatable ? " May be repeated." : "", default_text != NULL ? " [default: " : "",
             default_text != NULL ? default_text : "", default_text != NULL ? "]" : "",
             env[0] != '\0' ? " [" : "", env, env[0] != '\0' ? "]" : "");
    print_pair(left, right);
}

static void print_options(const struct options *options, const char *title, const char *command,
                          bool standard)
{
    bool titled = false;
    for (size_t i = 0; i < options->value_count; i++) {
        const struct option_spec *spec = options->values[i].spec;
        bool same = command == NULL ? spec->command == NULL
                                    : spec->command != NULL && strcmp(spec->command, command) == 0;
        bool is_standard = false;
        for (const struct option_spec *at = options_standard; at->name != NULL; at++) {
            is_standard = is_standard || at == spec;
        }
        if (!same || is_standard != standard) {
            continue;
        }
        if (!titled) {
            printf("\n%s%s:\n", title, command != NULL ? command : "");
            titled = true;
        }
        print_option(options, spec);
    }
}

void options_print_help(const struct options *options)
{
    const struct options_program *program = options->program;
    printf("%s - ", program->name);
    print_wrapped(program->summary, strlen(program->name) + 3, 0);
    printf("\nUsage: %s [OPTIONS]%s%s\n", program->name, program->arguments != NULL ? " " : "",
           program->arguments != NULL ? program->arguments : "");
    print_pairs("Instead of the service", program->subcommands);
    print_options(options, "Options", NULL, false);
    for (const struct options_text_pair *at = program->subcommands; at != NULL && at->left != NULL; at++) {
        char command[64] = "";
        snprintf(command, sizeof command, "%.*s", (int)strcspn(at->left, " "), at->left);
        print_options(options, "Options of ", command, false);
    }
    print_options(options, "Options of every program", NULL, true);
    print_pairs("Commands, a line each on standard input", program->commands);
    print_pairs("Examples", program->examples);
    printf("\nA flag beats the environment variable in brackets, which beats the default.\n"
           "Exit codes: 0 orderly end, 1 could not start or went wrong, 2 bad usage.\n");
}

void options_print_commands(const struct options *options)
{
    const struct options_text_pair *pairs = options->program->commands;
    for (; pairs != NULL && pairs->left != NULL; pairs++) {
        print_pair(pairs->left, pairs->right);
    }
    fflush(stdout);
}
