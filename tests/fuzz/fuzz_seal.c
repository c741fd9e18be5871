/* Records from strangers never open; what we seal does, and its sample decodes strictly. */
#include "common/wire/sample.h"
#include "common/wire/seal.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

static const struct seal_key key = {{1, 2, 3}};

static void open_as_it_is(const uint8_t *data, size_t size)
{
    static uint8_t plain[SEAL_PLAIN_MAX];
    size_t len = 0;
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    MUST(seal_open(&key, SEAL_TOPIC_TELEMETRY, "MAD", 3, data, size, plain, sizeof(plain), &len, &epoch,
                   &sequence) != EV_OK);
}

static void seal_and_open(const uint8_t *data, size_t size)
{
    static uint8_t record[SEAL_RECORD_MAX];
    static uint8_t plain[SEAL_PLAIN_MAX];
    size_t record_len = 0;
    size_t len = 0;
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    if (seal_record(&key, SEAL_TOPIC_TELEMETRY, "MAD", 3, 7, 9, data, size, record, sizeof(record),
                    &record_len) != EV_OK)
        return;
    MUST(seal_open(&key, SEAL_TOPIC_TELEMETRY, "MAD", 3, record, record_len, plain, sizeof(plain), &len,
                   &epoch, &sequence) == EV_OK);
    MUST(len == size && memcmp(plain, data, size) == 0 && epoch == 7 && sequence == 9);
    record[size % record_len] ^= 1;
    MUST(seal_open(&key, SEAL_TOPIC_TELEMETRY, "MAD", 3, record, record_len, plain, sizeof(plain), &len,
                   &epoch, &sequence) != EV_OK);
}

static void decode_sample(const uint8_t *data, size_t size)
{
    struct telemetry_sample sample;
    uint8_t again[SAMPLE_SIZE];
    if (sample_decode(data, size, &sample) != EV_OK)
        return;
    MUST(sample_encode(&sample, again) == EV_OK && memcmp(again, data, SAMPLE_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MUST(seal_init() == EV_OK);
    open_as_it_is(data, size);
    seal_and_open(data, size);
    decode_sample(data, size);
    return 0;
}
