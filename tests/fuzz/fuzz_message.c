/* What decodes encodes again, and that decodes to what encodes alike. */
#include "common/wire/message.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    char first[MESSAGE_SIZE];
    char second[MESSAGE_SIZE];
    size_t first_len = 0;
    size_t second_len = 0;
    const enum ev_err err = message_decode((const char *)data, size, &message);
    MUST(err != EV_ERR_NOMEM); /* it would mean: our grammar takes what cJSON does not */
    if (err != EV_OK)
        return 0;
    MUST(message_encode(&message, first, sizeof(first), &first_len) == EV_OK);
    MUST(message_decode(first, first_len, &message) == EV_OK);
    MUST(message_encode(&message, second, sizeof(second), &second_len) == EV_OK);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0);
    return 0;
}
