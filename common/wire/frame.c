#include "common/wire/frame.h"

#include "common/wire/bytes.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_MIN 256

enum ev_err frame_encode_header(size_t len, uint8_t ret_header[FRAME_HEADER_SIZE])
{
    if (len == 0 || len > FRAME_PAYLOAD_MAX)
        return EV_ERR_RANGE;
    bytes_put_u32(ret_header, (uint32_t)len);
    return EV_OK;
}

void frame_decoder_init(struct frame_decoder *decoder)
{
    memset(decoder, 0, sizeof(*decoder));
}

void frame_decoder_fini(struct frame_decoder *decoder)
{
    free(decoder->buffer);
    frame_decoder_init(decoder);
}

bool frame_decoder_is_pending(const struct frame_decoder *decoder)
{
    return decoder->header_used > 0;
}

/* Takes what belongs to the header; once that is complete payload_len is set. */
static enum ev_err take_header(struct frame_decoder *decoder, const uint8_t *bytes, size_t len,
                               size_t *ret_taken)
{
    size_t taken = 0;
    while (taken < len && decoder->header_used < FRAME_HEADER_SIZE)
        decoder->header[decoder->header_used++] = bytes[taken++];
    *ret_taken = taken;
    if (decoder->header_used < FRAME_HEADER_SIZE)
        return EV_OK;
    const uint32_t announced = bytes_get_u32(decoder->header);
    if (announced == 0)
        return EV_ERR_PARSE;
    if (announced > FRAME_PAYLOAD_MAX)
        return EV_ERR_TOO_LARGE;
    decoder->payload_len = announced;
    return EV_OK;
}

/* Grows by what arrived, not by what was announced: a header alone must not reserve 64 kB. */
static enum ev_err reserve(struct frame_decoder *decoder, size_t needed)
{
    if (needed <= decoder->capacity)
        return EV_OK;
    size_t capacity = decoder->capacity > 0 ? decoder->capacity : BUFFER_MIN;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *grown = realloc(decoder->buffer, capacity);
    if (grown == NULL)
        return EV_ERR_NOMEM;
    decoder->buffer = grown;
    decoder->capacity = capacity;
    return EV_OK;
}

/* Collects the piece of a payload that arrived; delivers when it was the last one. */
static enum ev_err take_payload(struct frame_decoder *decoder, const uint8_t *bytes, size_t len,
                                size_t *ret_taken, frame_on_payload on_payload, void *user)
{
    const size_t missing = decoder->payload_len - decoder->used;
    const size_t taken = len < missing ? len : missing;
    const enum ev_err err = reserve(decoder, decoder->used + taken);
    if (err != EV_OK)
        return err;
    memcpy(decoder->buffer + decoder->used, bytes, taken);
    decoder->used += taken;
    *ret_taken = taken;
    if (decoder->used < decoder->payload_len)
        return EV_OK;
    /* The buffer leaves the decoder before the call, so that the callback may finish the decoder. */
    uint8_t *payload = decoder->buffer;
    const size_t payload_len = decoder->payload_len;
    frame_decoder_init(decoder);
    const enum ev_err result = on_payload(user, payload, payload_len);
    free(payload);
    return result;
}

enum ev_err frame_decoder_feed(struct frame_decoder *decoder, const uint8_t *bytes, size_t len,
                               frame_on_payload on_payload, void *user)
{
    enum ev_err err = EV_OK;
    while (len > 0 && err == EV_OK) {
        size_t taken = 0;
        if (decoder->payload_len == 0) {
            err = take_header(decoder, bytes, len, &taken);
        } else if (decoder->used == 0 && len >= decoder->payload_len) {
            taken = decoder->payload_len; /* whole in the input: no copy */
            frame_decoder_init(decoder);
            err = on_payload(user, bytes, taken);
        } else {
            err = take_payload(decoder, bytes, len, &taken, on_payload, user);
        }
        bytes += taken;
        len -= taken;
    }
    return err;
}
