/* json_check.h - is this text JSON as RFC 8259 has it? Private to common/wire; used by json_parse. */
#ifndef EV_WIRE_JSON_CHECK_H
#define EV_WIRE_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* One JSON text, whole, in UTF-8, without NUL (raw or escaped), at most JSON_DEPTH_MAX containers deep. */
bool json_check(const char *bytes, size_t len);

#endif
