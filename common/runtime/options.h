/* options.h - command lines and environment, from one table per program.
 * `--name value` and `--name=value`; EV_NAME in the environment beats the default, a flag beats the
 * environment. Abbreviations are refused. Added to every program: --help --version --state-dir --log-format
 * --log-level. A switch takes no value (`--gui`), in the environment 1|0|true|false|yes|no|on|off.
 * Bad usage is one line on standard error: what is wrong and what is accepted; exit 2. */
#ifndef EV_RUNTIME_OPTIONS_H
#define EV_RUNTIME_OPTIONS_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_STRING,
    OPTION_INTEGER,    /* whole number within min .. max */
    OPTION_REAL,       /* decimal number within min .. max */
    OPTION_SWITCH,     /* no value */
    OPTION_CHOICE,     /* one of `choices` */
    OPTION_HOST_PORT,  /* HOST:PORT, [V6]:PORT */
    OPTION_HOST_PORTS, /* a comma list of them */
    OPTION_NAMES,      /* a comma list of strings; may also be repeated */
    OPTION_STRINGS,    /* repeated; in the environment a comma list */
    OPTION_PROPERTIES, /* repeated KEY=VALUE; the name is one letter ("X": -X KEY=VALUE), no environment */
    OPTION_SECONDS_OR_OFF, /* a decimal number within min .. max, or "off"; options_real is -1 for off */
};

struct option_spec {
    const char *name; /* without dashes; NULL ends the table */
    enum option_kind kind;
    const char *metavar;      /* "SECONDS"; NULL: made from the kind */
    const char *default_text; /* NULL: none (options_given is false, options_text NULL) */
    double min, max;          /* numbers; both 0: no bounds but the type's */
    const char *choices;      /* "text|json" */
    const char *help;         /* one or more sentences; wrapped for display */
    const char *command;      /* NULL: always; else only together with this first argument ("invite") */
};

struct options_text_pair {
    const char *left; /* NULL ends the list */
    const char *right;
};

struct options_program {
    const char *name;    /* "ev_central" */
    const char *summary; /* one sentence */
    const struct option_spec *options;
    const char
        *arguments; /* as shown in the usage: "[charge CP | list | history]"; NULL: none are accepted */
    size_t arguments_max;
    const struct options_text_pair *subcommands; /* {"invite", "prints one invitation code"}; may be NULL.
                                                    When there are, the first argument must be one of them */
    const struct options_text_pair *commands;    /* lines of standard input; may be NULL */
    const struct options_text_pair *examples;    /* {"ev_central --gui", "with its window"}; may be NULL */
    const char *state_dir_id; /* the option whose value is put below the default state directory
                                 ("id"); NULL: none */
};

struct host_port {
    char host[256]; /* name, IPv4, or IPv6 without brackets */
    uint16_t port;
};

struct options;

/* Parses. When the program is to end (bad usage, --help, --version) everything is printed already: the
 * return is EV_ERR_USAGE with *ret_exit_code 2 (bad usage) or 0 (help, version).
 * On EV_OK also calls log_init with the log options. */
EV_MUST_CHECK enum ev_err options_parse(const struct options_program *program, int argc, char *const argv[],
                                        struct options **ret_options, int *ret_exit_code);
void options_free(struct options *options);

/* All getters take names of the table (else assertion) and return what holds after flag, environment,
 * default. Returned text lives as long as the options. */
const char *options_text(const struct options *options, const char *name); /* NULL: not given, no default */
int64_t options_integer(const struct options *options, const char *name);  /* 0 without value */
double options_real(const struct options *options, const char *name);      /* OFF: -1; 0 without value */
bool options_switch(const struct options *options, const char *name);
bool options_given(const struct options *options, const char *name);   /* by flag or environment */
size_t options_count(const struct options *options, const char *name); /* items of list kinds, else 0 or 1 */
const char *options_item(const struct options *options, const char *name, size_t index);
void options_host_port(const struct options *options, const char *name, size_t index,
                       struct host_port *ret_address);

/* The array behind a list kind, for kafka_config.properties: "key=value" each. */
const char *const *options_items(const struct options *options, const char *name);

/* Positional arguments; NULL beyond the last. */
const char *options_argument(const struct options *options, size_t index);
size_t options_argument_count(const struct options *options);

/* For checks that the table cannot express (two options that exclude each other): prints
 * "PROGRAM: text" and the hint to --help, returns 2. */
int options_usage_error(const struct options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The lines of `commands`, for the command `help`. To standard output. */
void options_print_commands(const struct options *options);

/* Strict numbers: the whole text, no spaces. Errors: EV_ERR_PARSE; EV_ERR_RANGE. Outputs untouched. */
EV_MUST_CHECK enum ev_err options_parse_integer(const char *text, int64_t min, int64_t max,
                                                int64_t *ret_value);
EV_MUST_CHECK enum ev_err options_parse_real(const char *text, double min, double max, double *ret_value);

/* "HOST:PORT" with port 0 .. 65535 (0: any free one, listeners only). Errors: EV_ERR_PARSE. */
EV_MUST_CHECK enum ev_err host_port_parse(const char *text, struct host_port *ret_address);
/* "127.0.0.1:7001", "[::1]:7001" */
#define HOST_PORT_TEXT_MAX 272
const char *host_port_format(const struct host_port *address, char ret_text[HOST_PORT_TEXT_MAX]);

#endif
