#include "weather/scripted.h"

#include "common/runtime/log.h"
#include "common/runtime/options.h"
#include "common/runtime/state_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 512
#define PROBLEM_SIZE 200

struct scripted {
    char *path;
    struct scripted_table table;
    struct stat seen; /* as it was when it was read */
    char problem[FAILURE_TEXT_MAX];
};

struct parse {
    struct scripted_table table;
    size_t capacity;
    scripted_on_problem on_problem;
    void *user;
    unsigned line;
};

static void tell(const struct parse *parse, const char *what)
{
    char text[PROBLEM_SIZE];

    if (parse->on_problem != NULL) {
        (void)snprintf(text, sizeof text, "line %u: %s; a line is CITY=DEGREES", parse->line, what);
        parse->on_problem(parse->user, parse->line, text);
    }
}

static enum ev_err put(struct parse *parse, const struct scripted_city *city)
{
    struct scripted_table *table = &parse->table;

    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->items[i].name, city->name) == 0) {
            table->items[i] = *city;
            return EV_OK;
        }
    }
    if (table->count == SCRIPTED_CITIES_MAX) {
        return EV_ERR_TOO_LARGE;
    }
    if (table->count == parse->capacity) {
        size_t capacity = parse->capacity == 0 ? 16 : 2 * parse->capacity;
        struct scripted_city *items = realloc(table->items, capacity * sizeof *items);
        if (items == NULL) {
            return EV_ERR_NOMEM;
        }
        table->items = items;
        parse->capacity = capacity;
    }
    table->items[table->count++] = *city;
    return EV_OK;
}

static char *trim(char *text)
{
    size_t len = 0;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL) {
        text[--len] = '\0';
    }
    return text;
}

static enum ev_err parse_line(struct parse *parse, const char *line, size_t len)
{
    char buf[LINE_MAX_BYTES];
    struct scripted_city city;
    struct failure failure;
    char *text = NULL;
    char *equals = NULL;
    const char *comment = memchr(line, '#', len);

    len = comment != NULL ? (size_t)(comment - line) : len;
    if (len >= sizeof buf || memchr(line, '\0', len) != NULL) {
        tell(parse, "too long, or no text");
        return EV_OK;
    }
    memcpy(buf, line, len);
    buf[len] = '\0';
    text = trim(buf);
    if (text[0] == '\0') {
        return EV_OK;
    }
    equals = strrchr(text, '=');
    if (equals == NULL) {
        tell(parse, "no \"=\"");
        return EV_OK;
    }
    *equals = '\0';
    if (city_name_normalise(text, strlen(text), city.name) != EV_OK) {
        tell(parse, "this is no city's name (1 to 64 bytes of UTF-8)");
    } else if (options_parse_real(trim(equals + 1), -1000, 1000, &city.temperature_c) != EV_OK ||
               provider_check_temperature(city.temperature_c, &failure) != EV_OK) {
        tell(parse, "this is no temperature (-90 to 60)");
    } else {
        return put(parse, &city);
    }
    return EV_OK;
}

enum ev_err scripted_parse(const char *bytes, size_t len, scripted_on_problem on_problem, void *user,
                           struct scripted_table *ret_table)
{
    struct parse parse = {.on_problem = on_problem, .user = user};
    enum ev_err err = EV_OK;

    for (size_t at = len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; err == EV_OK && at < len;) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t line_len = end != NULL ? (size_t)(end - (bytes + at)) : len - at;

        parse.line++;
        err = parse_line(&parse, bytes + at, line_len);
        at += line_len + 1;
    }
    if (err != EV_OK) {
        scripted_table_fini(&parse.table);
        return err;
    }
    *ret_table = parse.table;
    return EV_OK;
}

void scripted_table_fini(struct scripted_table *table)
{
    free(table->items);
    *table = (struct scripted_table){.items = NULL};
}

enum ev_err scripted_find(const struct scripted_table *table, const char *name, double *ret_temperature_c)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->items[i].name, name) == 0) {
            *ret_temperature_c = table->items[i].temperature_c;
            return EV_OK;
        }
    }
    return EV_ERR_NOT_FOUND;
}

/* --- the file --- */

enum ev_err scripted_new(const char *path, struct scripted **ret_scripted)
{
    struct scripted *scripted = calloc(1, sizeof *scripted);

    if (scripted == NULL) {
        return EV_ERR_NOMEM;
    }
    if (path != NULL) {
        scripted->path = strdup(path);
        if (scripted->path == NULL) {
            free(scripted);
            return EV_ERR_NOMEM;
        }
    }
    *ret_scripted = scripted;
    return EV_OK;
}

void scripted_free(struct scripted *scripted)
{
    if (scripted != NULL) {
        scripted_table_fini(&scripted->table);
        free(scripted->path);
        free(scripted);
    }
}

const struct scripted_table *scripted_table_of(const struct scripted *scripted)
{
    return &scripted->table;
}

static bool has_changed(const struct stat *before, const struct stat *now)
{
    return before->st_ino != now->st_ino || before->st_dev != now->st_dev ||
           before->st_size != now->st_size || before->st_mtim.tv_sec != now->st_mtim.tv_sec ||
           before->st_mtim.tv_nsec != now->st_mtim.tv_nsec;
}

static void on_line_problem(void *user, unsigned line, const char *text)
{
    const struct scripted *scripted = user;

    (void)line;
    log_warn("weather.temperatures_line_skipped", log_str("file", scripted->path), log_str("text", text));
}

static void note(struct scripted *scripted, const char *text)
{
    if (strcmp(scripted->problem, text) != 0) {
        (void)snprintf(scripted->problem, sizeof scripted->problem, "%s", text);
        log_warn("weather.temperatures_unreadable", log_str("file", scripted->path), log_str("text", text));
    }
}

void scripted_refresh(struct scripted *scripted)
{
    struct scripted_table table = {.items = NULL};
    struct failure failure = {{0}};
    struct stat now = {.st_ino = 0};
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (scripted->path == NULL) {
        return;
    }
    if (stat(scripted->path, &now) == 0 && !has_changed(&scripted->seen, &now)) {
        return;
    }
    memset(&scripted->seen, 0, sizeof scripted->seen);
    scripted_table_fini(&scripted->table);
    if (state_file_read(scripted->path, &bytes, &len, &failure) != EV_OK) {
        note(scripted, failure.text);
        return;
    }
    scripted->seen = now; /* taken before reading: a change meanwhile is seen next time */
    if (scripted_parse((const char *)bytes, len, on_line_problem, scripted, &table) != EV_OK) {
        note(scripted, "more cities than can be watched");
    } else {
        scripted->problem[0] = '\0';
        scripted->table = table;
        log_info("weather.temperatures", log_str("file", scripted->path), log_uint("cities", table.count));
    }
    state_dir_bytes_free(bytes, len);
}
