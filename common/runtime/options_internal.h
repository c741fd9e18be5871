/* options_internal.h - what options.c (parsing) and options_help.c (words for people) share. */
#ifndef EV_RUNTIME_OPTIONS_INTERNAL_H
#define EV_RUNTIME_OPTIONS_INTERNAL_H

#include "common/runtime/options.h"

#define OPTION_SPECS_MAX 64
#define OPTION_ENV_MAX 64

enum option_source { OPTION_UNSET, OPTION_FROM_DEFAULT, OPTION_FROM_ENVIRONMENT, OPTION_FROM_FLAG };

struct option_value {
    const struct option_spec *spec;
    enum option_source source;
    char *text;         /* as given; owned */
    const char **items; /* list kinds; each owned */
    size_t count;
    int64_t integer;
    double real;
};

struct options {
    const struct options_program *program;
    struct option_value values[OPTION_SPECS_MAX];
    size_t value_count;
    const char **arguments; /* of argv */
    size_t argument_count;
    const char *const *items_none; /* an empty list */
};

/* Of the table first, then the standard ones. */
extern const struct option_spec options_standard[];

/* "EV_SOME_NAME"; "" for one-letter options, which have none. */
void option_env_name(const struct option_spec *spec, char ret_name[OPTION_ENV_MAX]);

/* "-X" or "--some-name" */
const char *option_flag_name(const struct option_spec *spec, char ret_name[OPTION_ENV_MAX]);

bool option_is_list(enum option_kind kind);

/* To standard output. */
void options_print_help(const struct options *options);

/* The one line for an option that does not exist. */
void options_print_unknown(const struct options *options, const char *given);

/* "a whole number from 0 to 100": what an option accepts, for errors. */
void option_describe_accepted(const struct option_spec *spec, char *ret_text, size_t size);

#endif
