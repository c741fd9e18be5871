/* A notice that decodes encodes again to one that decodes alike. */
#include "common/wire/notice.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct notice first;
    static struct notice second;
    char text[NOTICE_SIZE];
    size_t len = 0;
    if (notice_decode((const char *)data, size, &first) != EV_OK)
        return 0;
    MUST(notice_encode(&first, text, sizeof(text), &len) == EV_OK);
    MUST(notice_decode(text, len, &second) == EV_OK);
    MUST(memcmp(&first, &second, sizeof(first)) == 0);
    return 0;
}
