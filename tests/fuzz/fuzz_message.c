/* What decodes encodes again, and decodes to the same message. */
#include "common/wire/message.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message first;
    static struct message second;
    char text[MESSAGE_SIZE];
    size_t len = 0;
    if (message_decode((const char *)data, size, &first) != EV_OK)
        return 0;
    MUST(message_encode(&first, text, sizeof(text), &len) == EV_OK);
    MUST(message_decode(text, len, &second) == EV_OK);
    MUST(memcmp(&first, &second, sizeof(first)) == 0);
    return 0;
}
