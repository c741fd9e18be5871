#include "common/rules/ids.h"

#include <string.h>

static const char ulid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static bool is_node_id_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The value of one Crockford digit, or -1. Lower case and the look-alikes I L O are refused: one id, one
 * text. */
static int ulid_digit(char c)
{
    for (int value = 0; value < 32; value++) {
        if (ulid_digits[value] == c) {
            return value;
        }
    }
    return -1;
}

static enum ev_err node_id_parse(const char *text, size_t length, char ret_text[NODE_ID_LENGTH_MAX + 1])
{
    if (text == NULL || length == 0 || length > NODE_ID_LENGTH_MAX) {
        return EV_ERR_PARSE;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_node_id_char(text[i])) {
            return EV_ERR_PARSE;
        }
    }
    memset(ret_text, 0, NODE_ID_LENGTH_MAX + 1);
    memcpy(ret_text, text, length);
    return EV_OK;
}

static enum ev_err ulid_check(const char *text, size_t length)
{
    if (text == NULL || length != ULID_LENGTH || text[0] < '0' || text[0] > '7') {
        return EV_ERR_PARSE;
    }
    for (size_t i = 1; i < length; i++) {
        if (ulid_digit(text[i]) < 0) {
            return EV_ERR_PARSE;
        }
    }
    return EV_OK;
}

static enum ev_err ulid_parse(const char *text, size_t length, char ret_text[ULID_LENGTH + 1])
{
    enum ev_err err = ulid_check(text, length);

    if (err == EV_OK) {
        memcpy(ret_text, text, ULID_LENGTH);
        ret_text[ULID_LENGTH] = '\0';
    }
    return err;
}

static size_t length_of(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

enum ev_err cp_id_parse_n(const char *text, size_t length, struct cp_id *ret_id)
{
    return node_id_parse(text, length, ret_id->text);
}

enum ev_err driver_id_parse_n(const char *text, size_t length, struct driver_id *ret_id)
{
    return node_id_parse(text, length, ret_id->text);
}

enum ev_err session_id_parse_n(const char *text, size_t length, struct session_id *ret_id)
{
    return ulid_parse(text, length, ret_id->text);
}

enum ev_err request_id_parse_n(const char *text, size_t length, struct request_id *ret_id)
{
    return ulid_parse(text, length, ret_id->text);
}

enum ev_err cp_id_parse(const char *text, struct cp_id *ret_id)
{
    return cp_id_parse_n(text, length_of(text), ret_id);
}

enum ev_err driver_id_parse(const char *text, struct driver_id *ret_id)
{
    return driver_id_parse_n(text, length_of(text), ret_id);
}

enum ev_err session_id_parse(const char *text, struct session_id *ret_id)
{
    return session_id_parse_n(text, length_of(text), ret_id);
}

enum ev_err request_id_parse(const char *text, struct request_id *ret_id)
{
    return request_id_parse_n(text, length_of(text), ret_id);
}

const char *cp_id_format(const struct cp_id *id)
{
    return id->text;
}

const char *driver_id_format(const struct driver_id *id)
{
    return id->text;
}

const char *session_id_format(const struct session_id *id)
{
    return id->text;
}

const char *request_id_format(const struct request_id *id)
{
    return id->text;
}

bool cp_id_equal(const struct cp_id *a, const struct cp_id *b)
{
    return strcmp(a->text, b->text) == 0;
}

bool driver_id_equal(const struct driver_id *a, const struct driver_id *b)
{
    return strcmp(a->text, b->text) == 0;
}

bool session_id_equal(const struct session_id *a, const struct session_id *b)
{
    return strcmp(a->text, b->text) == 0;
}

bool request_id_equal(const struct request_id *a, const struct request_id *b)
{
    return strcmp(a->text, b->text) == 0;
}

bool cp_id_is_set(const struct cp_id *id)
{
    return id->text[0] != '\0';
}

bool driver_id_is_set(const struct driver_id *id)
{
    return id->text[0] != '\0';
}

bool session_id_is_set(const struct session_id *id)
{
    return id->text[0] != '\0';
}

bool request_id_is_set(const struct request_id *id)
{
    return id->text[0] != '\0';
}

/* 26 digits of 5 bits are 130 bits: the first digit holds only the top 3 of the 128. */
void ulid_encode_text(const uint8_t bytes[ULID_BYTES], char ret_text[ULID_LENGTH + 1])
{
    unsigned window = 0;
    unsigned bits = 2;
    size_t next = 0;

    for (size_t i = 0; i < ULID_LENGTH; i++) {
        if (bits < 5) {
            window = (window << 8) | bytes[next++];
            bits += 8;
        }
        bits -= 5;
        ret_text[i] = ulid_digits[(window >> bits) & 0x1FU];
        window &= (1U << bits) - 1U;
    }
    ret_text[ULID_LENGTH] = '\0';
}

enum ev_err ulid_decode_text(const char *text, uint8_t ret_bytes[ULID_BYTES])
{
    unsigned window = 0;
    unsigned bits = 0;
    size_t next = 0;

    if (ulid_check(text, length_of(text)) != EV_OK) {
        return EV_ERR_PARSE;
    }
    for (size_t i = 0; i < ULID_LENGTH; i++) {
        window = (window << 5) | (unsigned)ulid_digit(text[i]);
        bits += i == 0 ? 3 : 5;
        if (bits >= 8) {
            bits -= 8;
            ret_bytes[next++] = (uint8_t)(window >> bits);
            window &= (1U << bits) - 1U;
        }
    }
    return EV_OK;
}
