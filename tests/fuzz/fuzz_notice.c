/* A notice that decodes encodes again, and that decodes to what encodes alike. */
#include "common/wire/notice.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notice notice;
    char first[NOTICE_SIZE];
    char second[NOTICE_SIZE];
    size_t first_len = 0;
    size_t second_len = 0;
    const enum ev_err err = notice_decode((const char *)data, size, &notice);
    MUST(err != EV_ERR_NOMEM); /* it would mean: our grammar takes what cJSON does not */
    if (err != EV_OK)
        return 0;
    MUST(notice_encode(&notice, first, sizeof(first), &first_len) == EV_OK);
    MUST(notice_decode(first, first_len, &notice) == EV_OK);
    MUST(notice_encode(&notice, second, sizeof(second), &second_len) == EV_OK);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0);
    return 0;
}
