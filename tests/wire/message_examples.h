/* message_examples.h - one example of every message, as struct and as text written by hand from
 * docs/protocol.md. All values differ, so that mixed-up members show. */
#ifndef EV_TESTS_WIRE_MESSAGE_EXAMPLES_H
#define EV_TESTS_WIRE_MESSAGE_EXAMPLES_H

#include "common/wire/message.h"

struct message_example {
    struct message message;
    const char *text;
};

extern const struct message_example message_examples[MESSAGE_TYPE_COUNT]; /* index: the type */

#endif
