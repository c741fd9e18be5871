/* A request that decodes encodes again to one that decodes alike. */
#include "common/wire/driver_request.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct driver_request first; /* static: padding is zero, so whole objects compare */
    static struct driver_request second;
    char text[DRIVER_REQUEST_SIZE];
    size_t len = 0;
    if (driver_request_decode((const char *)data, size, &first) != EV_OK)
        return 0;
    MUST(driver_request_encode(&first, text, sizeof(text), &len) == EV_OK);
    MUST(driver_request_decode(text, len, &second) == EV_OK);
    MUST(memcmp(&first, &second, sizeof(first)) == 0);
    return 0;
}
