#include "common/runtime/log.h"

#include "common/rules/ev_err.h"
#include "common/runtime/limits.h"
#include "common/runtime/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Written by log_init before other threads start, then only read. */
static struct {
    const char *program;
    enum log_format format;
    enum log_level level;
    bool colour;
} config = {.program = "", .format = LOG_FORMAT_TEXT, .level = LOG_LEVEL_INFO, .colour = false};

/* A line in the making; what does not fit is cut. */
struct line {
    char bytes[LOG_LINE_MAX];
    size_t used;
    size_t limit; /* room is kept behind it for the end of the line */
    bool cut;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};

#define LINE_END_ROOM 24 /* `..."`, colour off, `}` and the newline */

void log_init(const char *program, enum log_format format, enum log_level level)
{
    const char *no_colour = getenv("NO_COLOR");
    config.program = program;
    config.format = format;
    config.level = level;
    config.colour = format == LOG_FORMAT_TEXT && isatty(STDERR_FILENO) == 1 &&
                    (no_colour == NULL || no_colour[0] == '\0');
}

bool log_is_enabled(enum log_level level)
{
    return level >= config.level;
}

static void line_add_n(struct line *line, const char *bytes, size_t len)
{
    if (line->cut || len > line->limit - line->used) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->used, bytes, len);
    line->used += len;
}

static void line_add(struct line *line, const char *text)
{
    line_add_n(line, text, strlen(text));
}

/* How many bytes the UTF-8 character at text has; 0 if it is none, or is a C1 control or a line separator. */
static size_t utf8_length(const unsigned char *text)
{
    size_t len = 0;
    uint32_t code = 0;
    if (text[0] < 0x80) {
        return 1;
    }
    if (text[0] >= 0xc2 && text[0] <= 0xdf) {
        len = 2;
        code = text[0] & 0x1fU;
    } else if ((text[0] & 0xf0) == 0xe0) {
        len = 3;
        code = text[0] & 0x0fU;
    } else if (text[0] >= 0xf0 && text[0] <= 0xf4) {
        len = 4;
        code = text[0] & 0x07U;
    } else {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) { /* also at the terminator */
            return 0;
        }
        code = (code << 6) | (text[i] & 0x3fU);
    }
    bool overlong = (len == 3 && code < 0x800) || (len == 4 && code < 0x10000);
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    bool control = code < 0xa0 || code == 0x2028 || code == 0x2029;
    /* Bidirectional overrides would let a peer's text rearrange the line it is shown in. */
    bool bidi = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return overlong || surrogate || control || bidi || code > 0x10ffff ? 0 : len;
}

static void line_add_escaped(struct line *line, const char *text, bool json)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0' && !line->cut) {
        size_t len = utf8_length(at);
        char escape[8] = "";
        if (*at == '"' || *at == '\\') {
            snprintf(escape, sizeof escape, "\\%c", *at);
        } else if (*at == '\n' || *at == '\r' || *at == '\t') {
            snprintf(escape, sizeof escape, "\\%c", *at == '\n' ? 'n' : *at == '\r' ? 'r' : 't');
        } else if (len == 0 || *at < 0x20 || *at == 0x7f) {
            /* JSON has no escape for a byte, so a byte that is no text shows as the character of its number.
             */
            snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", *at);
            len = 1;
        }
        if (escape[0] != '\0') {
            line_add(line, escape);
        } else {
            line_add_n(line, (const char *)at, len);
        }
        at += len;
    }
}

static bool needs_quotes(const char *text)
{
    if (text[0] == '\0') {
        return true;
    }
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        size_t len = utf8_length(at);
        if (len == 0 || *at <= ' ' || *at == 0x7f || *at == '"' || *at == '\\' || *at == '=') {
            return true;
        }
        at += len;
    }
    return false;
}

static void line_add_value(struct line *line, const struct log_field *field, bool json)
{
    char number[40] = "";
    switch (field->kind) {
    case LOG_FIELD_TEXT: {
        const char *text = field->value.text != NULL ? field->value.text : "";
        bool quoted = json || needs_quotes(text);
        line_add(line, quoted ? "\"" : "");
        line_add_escaped(line, text, json);
        if (line->cut) {
            line->limit = sizeof line->bytes - LINE_END_ROOM + 5;
            line->cut = false;
            line_add(line, "...");
            line_add(line, quoted ? "\"" : "");
            line->cut = true; /* what follows is left out */
            return;
        }
        line_add(line, quoted ? "\"" : "");
        return;
    }
    case LOG_FIELD_INT:
        snprintf(number, sizeof number, "%" PRId64, field->value.integer);
        break;
    case LOG_FIELD_UINT:
        snprintf(number, sizeof number, "%" PRIu64, field->value.natural);
        break;
    case LOG_FIELD_REAL:
        if (isfinite(field->value.real)) {
            snprintf(number, sizeof number, "%.6g", field->value.real);
        } else {
            snprintf(number, sizeof number, "%s", json ? "null" : isnan(field->value.real) ? "nan" : "inf");
        }
        break;
    case LOG_FIELD_BOOL:
        snprintf(number, sizeof number, "%s", field->value.boolean ? "true" : "false");
        break;
    case LOG_FIELD_END:
        break;
    }
    line_add(line, number);
}

static void line_add_time(struct line *line)
{
    int64_t now_ms = wall_now_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc = {0};
    char text[40] = "";
    gmtime_r(&seconds, &utc);
    size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, sizeof text - used, ".%03dZ", (int)(now_ms % 1000));
    line_add(line, text);
}

static void line_add_head(struct line *line, enum log_level level, const char *event, bool json)
{
    if (json) {
        line_add(line, "{\"time\":\"");
        line_add_time(line);
        line_add(line, "\",\"level\":\"");
        line_add(line, level_names[level]);
        line_add(line, "\",\"program\":\"");
        line_add_escaped(line, config.program, true);
        line_add(line, "\",\"event\":\"");
        line_add_escaped(line, event, true);
        line_add(line, "\"");
        return;
    }
    char padded[8] = "";
    snprintf(padded, sizeof padded, "%-5s", level_names[level]);
    line_add(line, config.colour ? "\033[2m" : "");
    line_add_time(line);
    line_add(line, config.colour ? "\033[0m " : " ");
    line_add(line, config.colour ? level_colours[level] : "");
    line_add(line, padded);
    line_add(line, config.colour ? "\033[0m \033[1m" : " ");
    line_add(line, event);
    line_add(line, config.colour ? "\033[0m" : "");
}

/* The line is one write, so that lines of several threads and processes do not mix; the rest of a short write
 * (a full pipe) follows as it can. */
static void write_line(const struct line *line)
{
    size_t written = 0;
    while (written < line->used) {
        ssize_t n = write(STDERR_FILENO, line->bytes + written, line->used - written);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* nobody reads; there is no better place to say so */
        }
        written += (size_t)n;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    bool json = config.format == LOG_FORMAT_JSON;
    struct line line = {.used = 0, .cut = false};
    line.limit = sizeof line.bytes - LINE_END_ROOM;
    EV_ASSERT((size_t)level < sizeof level_names / sizeof level_names[0] && event != NULL);
    int saved_errno = errno;
    line_add_head(&line, level, event, json);
    for (const struct log_field *field = fields; field->kind != LOG_FIELD_END && !line.cut; field++) {
        size_t before = line.used;
        line_add(&line, json ? ",\"" : " ");
        line_add(&line, field->name);
        line_add(&line, json ? "\":" : "=");
        if (line.cut ||
            line.limit - line.used < 48) { /* a number or an empty text fits, or the field is left out */
            line.used = before;
            break;
        }
        line_add_value(&line, field, json);
    }
    line.limit = sizeof line.bytes;
    line.cut = false;
    line_add(&line, json ? "}\n" : "\n");
    write_line(&line);
    errno = saved_errno;
}
