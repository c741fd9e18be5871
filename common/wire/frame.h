/* frame.h - length-prefixed frames of the control port and the engine link (docs/protocol.md, section 1).
 * Used by common/runtime/connection; no I/O here. A frame is `length 4 bytes big-endian | payload`.
 * Invariant: a decoder holds memory only between the first and the last byte of a frame that arrived in
 * pieces, and never more than it has received, rounded up to a power of two; idle it holds none. */
#ifndef EV_WIRE_FRAME_H
#define EV_WIRE_FRAME_H

#include "common/rules/ev_err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 4
#define FRAME_PAYLOAD_MAX 65536

/* Fills the header of a payload of len bytes. Errors: EV_ERR_RANGE (len 0 or above FRAME_PAYLOAD_MAX). */
EV_MUST_CHECK enum ev_err frame_encode_header(size_t len, uint8_t ret_header[FRAME_HEADER_SIZE]);

struct frame_decoder {
    uint8_t *buffer;    /* owned; NULL unless a payload is incomplete */
    size_t capacity;    /* of buffer */
    size_t payload_len; /* announced by the header, 0 until that is complete */
    size_t used;        /* bytes of the payload in buffer */
    uint8_t header[FRAME_HEADER_SIZE];
    uint8_t header_used;
};

/* Takes one whole payload. It is not terminated and is valid only during the call.
 * Anything but EV_OK ends frame_decoder_feed at once with that value. */
typedef enum ev_err (*frame_on_payload)(void *user, const uint8_t *payload, size_t len);

void frame_decoder_init(struct frame_decoder *decoder);

/* Frees what it holds; may be repeated; also good for an all-zero decoder. */
void frame_decoder_fini(struct frame_decoder *decoder);

/* Takes bytes as they came from the peer, in whatever pieces, and calls on_payload for every complete frame.
 * After on_payload has returned an error the decoder is not touched again, so the callback may have finished
 * it and freed what it is part of. After any error the stream cannot be continued: close the connection.
 * Errors: EV_ERR_TOO_LARGE (announced length above FRAME_PAYLOAD_MAX), EV_ERR_PARSE (length 0), EV_ERR_NOMEM,
 * or what on_payload returned. */
EV_MUST_CHECK enum ev_err frame_decoder_feed(struct frame_decoder *decoder, const uint8_t *bytes, size_t len,
                                             frame_on_payload on_payload, void *user);

/* True in the middle of a frame: where the connection's owner puts a deadline on half frames. */
bool frame_decoder_is_pending(const struct frame_decoder *decoder);

#endif
