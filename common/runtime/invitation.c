/* invitation.c - see invitation.h. */
#include "common/runtime/invitation.h"

#include <string.h>

#include "common/wire/base32.h"

void invitation_format(const struct invitation *invitation, char ret_text[INVITATION_TEXT_SIZE])
{
    uint8_t bytes[INVITATION_SECRET_SIZE + INVITATION_PIN_SIZE];
    memcpy(bytes, invitation->secret, INVITATION_SECRET_SIZE);
    memcpy(bytes + INVITATION_SECRET_SIZE, invitation->pin, INVITATION_PIN_SIZE);
    base32_encode(bytes, sizeof bytes, ret_text);
}

enum ev_err invitation_parse(const char *text, struct invitation *ret_invitation)
{
    uint8_t bytes[INVITATION_SECRET_SIZE + INVITATION_PIN_SIZE];
    if (base32_decode(text, bytes, sizeof bytes) != EV_OK)
        return EV_ERR_PARSE;
    memcpy(ret_invitation->secret, bytes, INVITATION_SECRET_SIZE);
    memcpy(ret_invitation->pin, bytes + INVITATION_SECRET_SIZE, INVITATION_PIN_SIZE);
    return EV_OK;
}
