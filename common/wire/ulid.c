#include "common/wire/ulid.h"

#include "common/wire/bytes.h"

#include <sodium.h>
#include <string.h>

#define ULID_MS_MAX ((UINT64_C(1) << 48) - 1)

static _Thread_local struct ulid_source thread_source;

static void draw_random(struct ulid_source *source)
{
    randombytes_buf(source->last_random, sizeof(source->last_random));
    source->last_random[0] &= 0x7F; /* room to count up within the millisecond */
}

/* False: all bits were set. */
static bool count_up(uint8_t bytes[10])
{
    for (size_t i = 10; i > 0; i--) {
        if (++bytes[i - 1] != 0)
            return true;
    }
    return false;
}

void ulid_next(struct ulid_source *source, int64_t now_ms, uint8_t ret_bytes[ULID_BYTES])
{
    uint64_t now = now_ms < 0 ? 0 : (uint64_t)now_ms;
    if (now > ULID_MS_MAX)
        now = ULID_MS_MAX;
    if (!source->started || now > source->last_ms) {
        source->started = true;
        source->last_ms = now;
        draw_random(source);
    } else if (!count_up(source->last_random)) {
        source->last_ms++;
        draw_random(source);
    }
    bytes_put_u16(ret_bytes, (uint16_t)(source->last_ms >> 32));
    bytes_put_u32(ret_bytes + 2, (uint32_t)source->last_ms);
    memcpy(ret_bytes + 6, source->last_random, sizeof(source->last_random));
}

void ulid_generate_session_id(int64_t now_ms, struct session_id *ret_id)
{
    uint8_t bytes[ULID_BYTES];
    ulid_next(&thread_source, now_ms, bytes);
    memset(ret_id, 0, sizeof(*ret_id));
    ulid_encode_text(bytes, ret_id->text);
}

void ulid_generate_request_id(int64_t now_ms, struct request_id *ret_id)
{
    uint8_t bytes[ULID_BYTES];
    ulid_next(&thread_source, now_ms, bytes);
    memset(ret_id, 0, sizeof(*ret_id));
    ulid_encode_text(bytes, ret_id->text);
}

void ulid_session_id_to_bytes(const struct session_id *id, uint8_t ret_bytes[ULID_BYTES])
{
    if (!session_id_is_set(id)) {
        memset(ret_bytes, 0, ULID_BYTES);
        return;
    }
    const enum ev_err err = ulid_decode_text(id->text, ret_bytes);
    EV_ASSERT(err == EV_OK); /* an id that is set was parsed or generated */
}

enum ev_err ulid_session_id_from_bytes(const uint8_t bytes[ULID_BYTES], struct session_id *ret_id)
{
    if (sodium_is_zero(bytes, ULID_BYTES))
        return EV_ERR_PARSE;
    memset(ret_id, 0, sizeof(*ret_id));
    ulid_encode_text(bytes, ret_id->text);
    return EV_OK;
}

int64_t ulid_session_id_time_ms(const struct session_id *id)
{
    uint8_t bytes[ULID_BYTES];
    ulid_session_id_to_bytes(id, bytes);
    return (int64_t)((uint64_t)bytes_get_u16(bytes) << 32 | bytes_get_u32(bytes + 2));
}
