/* A request that decodes encodes again, and that decodes to what encodes alike. */
#include "common/wire/driver_request.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct driver_request driver_request;
    char first[DRIVER_REQUEST_SIZE];
    char second[DRIVER_REQUEST_SIZE];
    size_t first_len = 0;
    size_t second_len = 0;
    const enum ev_err err = driver_request_decode((const char *)data, size, &driver_request);
    MUST(err != EV_ERR_NOMEM); /* it would mean: our grammar takes what cJSON does not */
    if (err != EV_OK)
        return 0;
    MUST(driver_request_encode(&driver_request, first, sizeof(first), &first_len) == EV_OK);
    MUST(driver_request_decode(first, first_len, &driver_request) == EV_OK);
    MUST(driver_request_encode(&driver_request, second, sizeof(second), &second_len) == EV_OK);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0);
    return 0;
}
