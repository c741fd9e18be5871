/* The grammar of RFC 8259, checked before cJSON sees a text: cJSON itself lets pass leading zeros, raw
 * control characters, broken UTF-8 and a \u0000 that cuts a string short. */
#include "common/wire/json.h"

#include "common/wire/json_check.h"

#include <string.h>

#define NUMBER_LENGTH_MAX 63 /* cJSON's limit */

struct scanner {
    const unsigned char *at;
    const unsigned char *end;
};

static bool scan_value(struct scanner *scanner, unsigned depth_left);

/* Length of one valid UTF-8 sequence other than NUL, 0 if there is none. */
static size_t utf8_length(const unsigned char *at, const unsigned char *end)
{
    const unsigned char lead = at[0];
    if (lead == 0)
        return 0;
    if (lead < 0x80)
        return 1;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || (size_t)(end - at) < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    /* overlong forms, surrogates, above U+10FFFF */
    if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) || (lead == 0xF0 && at[1] < 0x90) ||
        (lead == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

bool json_is_utf8(const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + len;
    while (at < end) {
        const size_t length = utf8_length(at, end);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

static void skip_space(struct scanner *scanner)
{
    while (scanner->at < scanner->end &&
           (*scanner->at == ' ' || *scanner->at == '\t' || *scanner->at == '\n' || *scanner->at == '\r'))
        scanner->at++;
}

static bool take(struct scanner *scanner, unsigned char expected)
{
    if (scanner->at == scanner->end || *scanner->at != expected)
        return false;
    scanner->at++;
    return true;
}

static bool take_word(struct scanner *scanner, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(scanner->end - scanner->at) < length || memcmp(scanner->at, word, length) != 0)
        return false;
    scanner->at += length;
    return true;
}

static bool is_digit(const struct scanner *scanner)
{
    return scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9';
}

static bool scan_digits(struct scanner *scanner)
{
    if (!is_digit(scanner))
        return false;
    while (is_digit(scanner))
        scanner->at++;
    return true;
}

static bool scan_number(struct scanner *scanner)
{
    const unsigned char *start = scanner->at;
    (void)take(scanner, '-');
    if (!take(scanner, '0') && !scan_digits(scanner))
        return false;
    if (take(scanner, '.') && !scan_digits(scanner))
        return false;
    if (take(scanner, 'e') || take(scanner, 'E')) {
        if (!take(scanner, '+'))
            (void)take(scanner, '-');
        if (!scan_digits(scanner))
            return false;
    }
    return scanner->at - start <= NUMBER_LENGTH_MAX;
}

/* Four hexadecimal digits behind a `\u`. */
static bool scan_code_unit(struct scanner *scanner, unsigned *ret_unit)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        if (scanner->at == scanner->end)
            return false;
        const unsigned char digit = *scanner->at++;
        unsigned value = 0;
        if (digit >= '0' && digit <= '9')
            value = digit - (unsigned)'0';
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            value = (digit | 0x20U) - 'a' + 10U;
        else
            return false;
        unit = unit * 16 + value;
    }
    *ret_unit = unit;
    return true;
}

static bool scan_unicode_escape(struct scanner *scanner)
{
    unsigned unit = 0;
    if (!scan_code_unit(scanner, &unit) || unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return false;
    if (unit < 0xD800 || unit > 0xDBFF)
        return true;
    unsigned low = 0; /* a high surrogate must have its low one */
    return take(scanner, '\\') && take(scanner, 'u') && scan_code_unit(scanner, &low) && low >= 0xDC00 &&
           low <= 0xDFFF;
}

static bool scan_escape(struct scanner *scanner)
{
    if (scanner->at == scanner->end)
        return false;
    const unsigned char kind = *scanner->at++;
    return kind == 'u' ? scan_unicode_escape(scanner) : kind != 0 && strchr("\"\\/bfnrt", kind) != NULL;
}

static bool scan_string(struct scanner *scanner)
{
    if (!take(scanner, '"'))
        return false;
    while (scanner->at < scanner->end) {
        const unsigned char character = *scanner->at;
        if (character < 0x20)
            return false;
        if (character == '"') {
            scanner->at++;
            return true;
        }
        if (character == '\\') {
            scanner->at++;
            if (!scan_escape(scanner))
                return false;
            continue;
        }
        const size_t length = utf8_length(scanner->at, scanner->end);
        if (length == 0)
            return false;
        scanner->at += length;
    }
    return false;
}

static bool scan_member(struct scanner *scanner, unsigned depth_left)
{
    skip_space(scanner);
    if (!scan_string(scanner))
        return false;
    skip_space(scanner);
    return take(scanner, ':') && scan_value(scanner, depth_left);
}

/* An array or object; its opening character is taken. */
static bool scan_container(struct scanner *scanner, unsigned depth_left, bool object)
{
    const unsigned char closing = object ? '}' : ']';
    if (depth_left == 0)
        return false;
    skip_space(scanner);
    if (take(scanner, closing))
        return true;
    for (;;) {
        if (!(object ? scan_member(scanner, depth_left - 1) : scan_value(scanner, depth_left - 1)))
            return false;
        if (take(scanner, closing))
            return true;
        if (!take(scanner, ','))
            return false;
    }
}

/* One value and the white space around it. */
static bool scan_value(struct scanner *scanner, unsigned depth_left)
{
    bool good = false;
    skip_space(scanner);
    if (scanner->at == scanner->end)
        return false;
    if (*scanner->at == '"')
        good = scan_string(scanner);
    else if (take(scanner, '{'))
        good = scan_container(scanner, depth_left, true);
    else if (take(scanner, '['))
        good = scan_container(scanner, depth_left, false);
    else if (*scanner->at == '-' || is_digit(scanner))
        good = scan_number(scanner);
    else
        good = take_word(scanner, "true") || take_word(scanner, "false") || take_word(scanner, "null");
    skip_space(scanner);
    return good;
}

bool json_check(const char *bytes, size_t len)
{
    struct scanner scanner = {(const unsigned char *)bytes, (const unsigned char *)bytes + len};
    return scan_value(&scanner, JSON_DEPTH_MAX) && scanner.at == scanner.end;
}
