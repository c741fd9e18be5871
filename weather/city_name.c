#include "weather/city_name.h"

#include "common/wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

enum ev_err city_name_normalise(const char *text, size_t len, char ret_name[CITY_NAME_SIZE])
{
    uint8_t *normal = NULL;
    size_t normal_len = 0;
    enum ev_err err = EV_OK;

    while (len > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    if (len > 4 * (size_t)CITY_NAME_SIZE) {
        return EV_ERR_TOO_LARGE;
    }
    if (len == 0 || !json_is_utf8(text, len)) {
        return EV_ERR_PARSE;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return EV_ERR_PARSE;
        }
    }
    normal = u8_normalize(UNINORM_NFC, (const uint8_t *)text, len, NULL, &normal_len);
    if (normal == NULL) {
        return EV_ERR_NOMEM;
    }
    if (normal_len >= CITY_NAME_SIZE) {
        err = EV_ERR_TOO_LARGE;
    } else {
        memcpy(ret_name, normal, normal_len);
        ret_name[normal_len] = '\0';
    }
    free(normal);
    return err;
}

void city_name_encode(const char name[CITY_NAME_SIZE], char ret_text[CITY_NAME_ENCODED_SIZE])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t at = 0;

    for (; *name != '\0'; name++) {
        if (strchr(plain, *name) != NULL) {
            ret_text[at++] = *name;
        } else {
            (void)snprintf(ret_text + at, 4, "%%%02X", (unsigned)(unsigned char)*name);
            at += 3;
        }
    }
    ret_text[at] = '\0';
}
