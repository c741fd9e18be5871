/* A stream cut anywhere gives the same frames as the whole: the first byte says how it is cut. */
#include "common/wire/frame.h"
#include "tests/fuzz/fuzz_head.h"

#include <string.h>

struct seen {
    size_t count;
    uint64_t sum;
};

static enum ev_err on_payload(void *user, const uint8_t *payload, size_t len)
{
    struct seen *seen = user;
    seen->count++;
    for (size_t i = 0; i < len; i++)
        seen->sum = seen->sum * 31 + payload[i];
    return EV_OK;
}

static enum ev_err feed_in_pieces(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    struct frame_decoder decoder;
    enum ev_err err = EV_OK;
    frame_decoder_init(&decoder);
    while (size > 0 && err == EV_OK) {
        const size_t taken = size < piece ? size : piece;
        err = frame_decoder_feed(&decoder, data, taken, on_payload, seen);
        MUST(decoder.capacity <= FRAME_PAYLOAD_MAX);
        data += taken;
        size -= taken;
    }
    frame_decoder_fini(&decoder);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0, 0};
    struct seen pieces = {0, 0};
    if (size == 0)
        return 0;
    const size_t piece = 1 + data[0] % 16;
    const enum ev_err err = feed_in_pieces(data + 1, size - 1, size, &whole);
    MUST(feed_in_pieces(data + 1, size - 1, piece, &pieces) == err);
    MUST(whole.count == pieces.count && whole.sum == pieces.sum);
    return 0;
}
