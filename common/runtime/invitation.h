/* invitation.h - the code with which a node may register: base32(16 random bytes | first 16 bytes of SHA-256
 * of the authority's DER certificate), RFC 4648 without padding. docs/protocol.md, section 4. Pure. */
#ifndef EV_RUNTIME_INVITATION_H
#define EV_RUNTIME_INVITATION_H

#include <stdint.h>

#include "common/rules/ev_err.h"

#define INVITATION_SECRET_SIZE 16
#define INVITATION_PIN_SIZE 16
#define INVITATION_TEXT_SIZE 53 /* 52 characters and NUL */

struct invitation {
    uint8_t secret[INVITATION_SECRET_SIZE];
    uint8_t pin[INVITATION_PIN_SIZE];
};

void invitation_format(const struct invitation *invitation, char ret_text[INVITATION_TEXT_SIZE]);

/* Lower case is accepted. Errors: EV_ERR_PARSE. */
EV_MUST_CHECK enum ev_err invitation_parse(const char *text, struct invitation *ret_invitation);

#endif
