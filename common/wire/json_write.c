#include "common/wire/json.h"

#include "common/wire/time_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void json_writer_init(struct json_writer *writer, char *buf, size_t cap)
{
    *writer = (struct json_writer){.buf = buf, .cap = cap};
}

void json_write_fail(struct json_writer *writer, enum ev_err err)
{
    if (writer->err == EV_OK)
        writer->err = err;
}

static void put(struct json_writer *writer, const char *bytes, size_t len)
{
    if (writer->err != EV_OK)
        return;
    if (writer->cap - writer->len < len) {
        json_write_fail(writer, EV_ERR_TOO_LARGE);
        return;
    }
    memcpy(writer->buf + writer->len, bytes, len);
    writer->len += len;
}

static void put_escaped(struct json_writer *writer, unsigned char character)
{
    static const char short_from[] = "\"\\\b\f\n\r\t";
    static const char short_to[] = "\"\\bfnrt";
    const char *known = memchr(short_from, character, sizeof(short_from) - 1);
    if (known != NULL) {
        const char escape[2] = {'\\', short_to[known - short_from]};
        put(writer, escape, sizeof(escape));
        return;
    }
    char escape[8];
    (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)character);
    put(writer, escape, 6);
}

static void put_quoted(struct json_writer *writer, const char *text)
{
    const size_t len = strlen(text);
    if (!json_is_utf8(text, len)) {
        json_write_fail(writer, EV_ERR_RANGE);
        return;
    }
    put(writer, "\"", 1);
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char character = (unsigned char)text[i];
        if (character >= 0x20 && character != '"' && character != '\\')
            continue;
        put(writer, text + start, i - start);
        put_escaped(writer, character);
        start = i + 1;
    }
    put(writer, text + start, len - start);
    put(writer, "\"", 1);
}

/* What stands before a value: a comma if needed, and the member's name. */
static void put_prefix(struct json_writer *writer, const char *name)
{
    if (writer->comma)
        put(writer, ",", 1);
    writer->comma = true;
    if (name == NULL)
        return;
    put_quoted(writer, name);
    put(writer, ":", 1);
}

static void begin(struct json_writer *writer, const char *name, const char *opening)
{
    put_prefix(writer, name);
    put(writer, opening, 1);
    writer->comma = false;
}

static void end(struct json_writer *writer, const char *closing)
{
    put(writer, closing, 1);
    writer->comma = true;
}

void json_write_object_begin(struct json_writer *writer, const char *name)
{
    begin(writer, name, "{");
}

void json_write_object_end(struct json_writer *writer)
{
    end(writer, "}");
}

void json_write_array_begin(struct json_writer *writer, const char *name)
{
    begin(writer, name, "[");
}

void json_write_array_end(struct json_writer *writer)
{
    end(writer, "]");
}

void json_write_text(struct json_writer *writer, const char *name, const char *text)
{
    put_prefix(writer, name);
    put_quoted(writer, text);
}

void json_write_text_or_null(struct json_writer *writer, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        json_write_null(writer, name);
    else
        json_write_text(writer, name, text);
}

void json_write_integer(struct json_writer *writer, const char *name, int64_t value)
{
    char digits[24];
    const int len = snprintf(digits, sizeof(digits), "%lld", (long long)value);
    put_prefix(writer, name);
    put(writer, digits, (size_t)len);
}

void json_write_real(struct json_writer *writer, const char *name, double value)
{
    if (!isfinite(value)) {
        json_write_fail(writer, EV_ERR_RANGE);
        return;
    }
    char digits[32];
    const int len = snprintf(digits, sizeof(digits), "%.15g", value);
    for (int i = 0; i < len; i++) { /* a window's locale may write a comma */
        if (strchr("0123456789+-eE", digits[i]) == NULL)
            digits[i] = '.';
    }
    put_prefix(writer, name);
    put(writer, digits, (size_t)len);
}

void json_write_bool(struct json_writer *writer, const char *name, bool value)
{
    put_prefix(writer, name);
    put(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_write_null(struct json_writer *writer, const char *name)
{
    put_prefix(writer, name);
    put(writer, "null", 4);
}

void json_write_time(struct json_writer *writer, const char *name, int64_t ms)
{
    if (ms <= 0) {
        json_write_null(writer, name);
        return;
    }
    char text[TIME_TEXT_SIZE];
    time_text_format(ms, text);
    json_write_text(writer, name, text);
}

enum ev_err json_writer_finish(struct json_writer *writer, size_t *ret_len)
{
    if (writer->err != EV_OK)
        return writer->err;
    if (writer->len < writer->cap)
        writer->buf[writer->len] = '\0';
    *ret_len = writer->len;
    return EV_OK;
}
