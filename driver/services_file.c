#include "driver/services_file.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512

struct parse {
    struct services_file file;
    size_t capacity;
    services_file_on_problem on_problem;
    void *user;
    uint32_t line;
    size_t problems;
};

static void tell(struct parse *parse, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct parse *parse, const char *format, ...)
{
    char text[SERVICES_PROBLEM_SIZE];
    va_list arguments;
    int len = 0;

    if (parse->on_problem == NULL || parse->problems++ >= SERVICES_PROBLEMS_MAX) {
        return;
    }
    len = snprintf(text, sizeof text, "line %u: ", (unsigned)parse->line);
    va_start(arguments, format);
    (void)vsnprintf(text + len, sizeof text - (size_t)len, format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f) {
            *at = '?';
        }
    }
    parse->on_problem(parse->user, parse->line, text);
}

enum ev_err services_file_parse_kwh(const char *text, uint32_t *ret_wh)
{
    uint64_t wh = 0;
    int decimals = -1; /* -1: no point yet */
    bool digits = false;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '.' && decimals < 0 && digits) {
            decimals = 0;
            continue;
        }
        if (*at < '0' || *at > '9' || decimals == 3) {
            return EV_ERR_PARSE;
        }
        digits = true;
        if (wh > SERVICES_TARGET_WH_MAX) {
            return EV_ERR_RANGE;
        }
        wh = wh * 10 + (uint64_t)(*at - '0');
        decimals += decimals >= 0;
    }
    if (!digits || decimals == 0) {
        return EV_ERR_PARSE;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 3; i++) {
        wh *= 10;
    }
    if (wh == 0 || wh > SERVICES_TARGET_WH_MAX) {
        return EV_ERR_RANGE;
    }
    *ret_wh = (uint32_t)wh;
    return EV_OK;
}

static enum ev_err add(struct parse *parse, const struct service *service)
{
    struct services_file *file = &parse->file;

    if (file->count == SERVICES_MAX) {
        return EV_ERR_TOO_LARGE;
    }
    if (file->count == parse->capacity) {
        size_t capacity = parse->capacity == 0 ? 16 : parse->capacity * 2;
        struct service *items = realloc(file->items, capacity * sizeof *items);
        if (items == NULL) {
            return EV_ERR_NOMEM;
        }
        file->items = items;
        parse->capacity = capacity;
    }
    file->items[file->count++] = *service;
    return EV_OK;
}

static enum ev_err parse_words(struct parse *parse, char *text)
{
    static const char blanks[] = " \t\r\v\f";
    struct service service = {.line = parse->line};
    char *rest = NULL;
    char *word = strtok_r(text, blanks, &rest);
    bool has_target = false;

    if (word == NULL) {
        return EV_OK;
    }
    if (cp_id_parse(word, &service.cp_id) != EV_OK) {
        tell(parse, "\"%.40s\" is no charge point's id (1 to 32 of A-Z a-z 0-9 - _)", word);
        return EV_OK;
    }
    for (word = strtok_r(NULL, blanks, &rest); word != NULL; word = strtok_r(NULL, blanks, &rest)) {
        if (strncmp(word, "kwh=", 4) != 0 || has_target) {
            tell(parse, "\"%.40s\" is not understood; a line is CP [kwh=N]", word);
            return EV_OK;
        }
        has_target = true;
        if (services_file_parse_kwh(word + 4, &service.target_wh) != EV_OK) {
            tell(parse, "\"%.40s\" is no amount; accepted is kwh=0.001 to kwh=1000", word);
            return EV_OK;
        }
    }
    return add(parse, &service);
}

static enum ev_err parse_line(struct parse *parse, const char *line, size_t len)
{
    char text[LINE_MAX_BYTES];
    const char *comment = memchr(line, '#', len);

    if (comment != NULL) {
        len = (size_t)(comment - line);
    }
    if (len >= sizeof text) {
        tell(parse, "longer than %d characters", LINE_MAX_BYTES - 1);
        return EV_OK;
    }
    if (memchr(line, '\0', len) != NULL) {
        tell(parse, "a zero byte: this is no text file");
        return EV_OK;
    }
    memcpy(text, line, len);
    text[len] = '\0';
    return parse_words(parse, text);
}

enum ev_err services_file_parse(const char *bytes, size_t len, services_file_on_problem on_problem,
                                void *user, struct services_file *ret_file)
{
    struct parse parse = {.on_problem = on_problem, .user = user};
    enum ev_err err = EV_OK;
    size_t at = len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */

    while (err == EV_OK && at < len) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t line_len = end != NULL ? (size_t)(end - (bytes + at)) : len - at;

        parse.line++;
        err = parse_line(&parse, bytes + at, line_len);
        at += line_len + 1;
    }
    if (err != EV_OK) {
        services_file_fini(&parse.file);
        return err;
    }
    *ret_file = parse.file;
    return EV_OK;
}

void services_file_fini(struct services_file *file)
{
    free(file->items);
    *file = (struct services_file){.items = NULL};
}
