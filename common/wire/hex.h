/* hex.h - bytes as lower-case hexadecimal digits. */
#ifndef EV_WIRE_HEX_H
#define EV_WIRE_HEX_H

#include "common/rules/ev_err.h"

#include <stddef.h>
#include <stdint.h>

#define HEX_SIZE(len) (2 * (len) + 1) /* with the terminator */

/* ret_text: HEX_SIZE(len) bytes. */
void hex_encode(const uint8_t *bytes, size_t len, char *ret_text);

/* Exactly `len` bytes from exactly 2 * len digits of either case, then the terminator.
 * Errors: EV_ERR_PARSE (output untouched). */
EV_MUST_CHECK enum ev_err hex_decode(const char *text, uint8_t *ret_bytes, size_t len);

#endif
