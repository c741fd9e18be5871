/* invitation.c - see invitation.h. */
#include "common/runtime/invitation.h"

#include <ctype.h>
#include <string.h>

#include "common/wire/base32.h"

void invitation_format(const struct invitation *invitation, char ret_text[INVITATION_TEXT_SIZE])
{
    uint8_t bytes[INVITATION_SECRET_SIZE + INVITATION_PIN_SIZE];
    memcpy(bytes, invitation->secret, INVITATION_SECRET_SIZE);
    memcpy(bytes + INVITATION_SECRET_SIZE, invitation->pin, INVITATION_PIN_SIZE);
    size_t length = 0;
    enum ev_err err = base32_encode(bytes, sizeof bytes, ret_text, INVITATION_TEXT_SIZE, &length);
    EV_ASSERT(err == EV_OK && length == INVITATION_TEXT_SIZE - 1);
}

enum ev_err invitation_parse(const char *text, struct invitation *ret_invitation)
{
    char upper[INVITATION_TEXT_SIZE];
    uint8_t bytes[INVITATION_SECRET_SIZE + INVITATION_PIN_SIZE];
    size_t length = 0;
    if (strlen(text) != INVITATION_TEXT_SIZE - 1)
        return EV_ERR_PARSE;
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)text[i]);
    if (base32_decode(upper, strlen(upper), bytes, sizeof bytes, &length) != EV_OK || length != sizeof bytes)
        return EV_ERR_PARSE;
    memcpy(ret_invitation->secret, bytes, INVITATION_SECRET_SIZE);
    memcpy(ret_invitation->pin, bytes + INVITATION_SECRET_SIZE, INVITATION_PIN_SIZE);
    return EV_OK;
}
