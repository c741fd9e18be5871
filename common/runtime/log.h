/* log.h - one event a line on standard error: UTC time with milliseconds, level, stable event name, fields.
 *   log_info("control.connected", log_str("cp", id), log_int("epoch", 3));
 *   2026-11-24T04:00:00.123Z info  control.connected cp=MAD-01 epoch=3
 * or, with --log-format json, {"time":..,"level":..,"program":..,"event":..,"cp":"MAD-01","epoch":3}.
 * Thread-safe; each line is one write(2). A line never contains a control character: they are escaped, and
 * so are bytes that are no UTF-8. Before log_init: text, level info. Colour only on a terminal and without
 * NO_COLOR. common/rules and common/wire never log; whoever decides logs, once. */
#ifndef EV_RUNTIME_LOG_H
#define EV_RUNTIME_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_field_kind {
    LOG_FIELD_END,
    LOG_FIELD_TEXT,
    LOG_FIELD_INT,
    LOG_FIELD_UINT,
    LOG_FIELD_REAL,
    LOG_FIELD_BOOL
};

struct log_field {
    const char *name; /* lower_case, a literal */
    enum log_field_kind kind;
    union {
        const char *text; /* NULL is logged as "" */
        int64_t integer;
        uint64_t natural;
        double real;
        bool boolean;
    } value;
};

/* program: a literal or otherwise everlasting. Call before other threads start. */
void log_init(const char *program, enum log_format format, enum log_level level);

bool log_is_enabled(enum log_level level);

/* Use the macros below. fields ends with log_end(). */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

static inline struct log_field log_str(const char *name, const char *text)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .value = {.text = text}};
}

static inline struct log_field log_int(const char *name, int64_t integer)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_INT, .value = {.integer = integer}};
}

static inline struct log_field log_uint(const char *name, uint64_t natural)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_UINT, .value = {.natural = natural}};
}

static inline struct log_field log_real(const char *name, double real)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_REAL, .value = {.real = real}};
}

static inline struct log_field log_bool(const char *name, bool boolean)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_BOOL, .value = {.boolean = boolean}};
}

static inline struct log_field log_end(void)
{
    return (struct log_field){.name = 0, .kind = LOG_FIELD_END, .value = {.integer = 0}};
}

/* log_info(event, field...): fields are evaluated only when the level is enabled. */
#define log_debug(...) LOG_WRITE_(LOG_LEVEL_DEBUG, __VA_ARGS__, log_end())
#define log_info(...) LOG_WRITE_(LOG_LEVEL_INFO, __VA_ARGS__, log_end())
#define log_warn(...) LOG_WRITE_(LOG_LEVEL_WARN, __VA_ARGS__, log_end())
#define log_error(...) LOG_WRITE_(LOG_LEVEL_ERROR, __VA_ARGS__, log_end())
#define LOG_WRITE_(level, event, ...)                                                                        \
    (log_is_enabled(level) ? log_write(level, event, (const struct log_field[]){__VA_ARGS__}) : (void)0)

#endif
