#include "common/wire/base32.h"

#include <stdbool.h>
#include <string.h>

void base32_encode(const uint8_t *bytes, size_t len, char *ret_text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t bits = 0;
    unsigned count = 0;
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        count += 8;
        while (count >= 5) {
            count -= 5;
            ret_text[out++] = alphabet[bits >> count & 31];
        }
        bits &= (1U << count) - 1;
    }
    if (count > 0)
        ret_text[out++] = alphabet[bits << (5 - count) & 31];
    ret_text[out] = '\0';
}

static int character_value(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a';
    if (character >= '2' && character <= '7')
        return character - '2' + 26;
    return -1;
}

/* One pass over the text; with ret_bytes NULL it only checks. */
static bool decode(const char *text, size_t length, uint8_t *ret_bytes)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t out = 0;
    for (size_t i = 0; i < length; i++) {
        const int value = character_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 5 | (uint32_t)value;
        count += 5;
        if (count >= 8) {
            count -= 8;
            if (ret_bytes != NULL)
                ret_bytes[out++] = (uint8_t)(bits >> count);
        }
        bits &= (1U << count) - 1;
    }
    return bits == 0;
}

enum ev_err base32_decode(const char *text, uint8_t *ret_bytes, size_t len)
{
    const size_t length = BASE32_LENGTH(len);
    if (text == NULL || strlen(text) != length || !decode(text, length, NULL))
        return EV_ERR_PARSE;
    (void)decode(text, length, ret_bytes);
    return EV_OK;
}
