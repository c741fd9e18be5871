/* base32.h - RFC 4648 base 32 without padding, upper case: the form of invitation codes. */
#ifndef EV_WIRE_BASE32_H
#define EV_WIRE_BASE32_H

#include "common/rules/ev_err.h"

#include <stddef.h>
#include <stdint.h>

#define BASE32_LENGTH(len) (((len)*8 + 4) / 5)
#define BASE32_SIZE(len) (BASE32_LENGTH(len) + 1) /* with the terminator */

/* ret_text: BASE32_SIZE(len) bytes. */
void base32_encode(const uint8_t *bytes, size_t len, char *ret_text);

/* Exactly `len` bytes from exactly BASE32_LENGTH(len) characters, then the terminator. Lower case is taken
 * too, since people type codes. Errors: EV_ERR_PARSE (also for bits beyond the last byte that are not zero;
 * output untouched). */
EV_MUST_CHECK enum ev_err base32_decode(const char *text, uint8_t *ret_bytes, size_t len);

#endif
