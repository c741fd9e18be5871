/* Frames: every way of cutting a stream gives the same payloads, and what is wrong ends it. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/frame.h"

#include <stdlib.h>
#include <string.h>

#define COLLECTED_MAX 8

struct collected {
    size_t count;
    size_t lengths[COLLECTED_MAX];
    uint8_t first_bytes[COLLECTED_MAX];
    uint8_t last_bytes[COLLECTED_MAX];
    uint64_t sum; /* of all payload bytes times their position */
    enum ev_err answer;
    struct frame_decoder *finish; /* the callback finishes this decoder */
};

static enum ev_err collect(void *user, const uint8_t *payload, size_t len)
{
    struct collected *collected = user;
    assert_true(collected->count < COLLECTED_MAX);
    collected->lengths[collected->count] = len;
    collected->first_bytes[collected->count] = payload[0];
    collected->last_bytes[collected->count] = payload[len - 1];
    collected->count++;
    for (size_t i = 0; i < len; i++)
        collected->sum += (i + 1) * payload[i];
    if (collected->finish != NULL) {
        frame_decoder_fini(collected->finish);
        assert_int_equal(payload[0], collected->first_bytes[0]); /* the payload outlives its decoder */
    }
    return collected->answer;
}

/* Appends one frame with payload bytes from, from + 1, ... */
static size_t append_frame(uint8_t *stream, size_t len, uint8_t from)
{
    assert_int_equal(frame_encode_header(len, stream), EV_OK);
    for (size_t i = 0; i < len; i++)
        stream[FRAME_HEADER_SIZE + i] = (uint8_t)(from + i);
    return FRAME_HEADER_SIZE + len;
}

static void header_is_big_endian_and_bounded(void **state)
{
    (void)state;
    uint8_t header[FRAME_HEADER_SIZE] = {9, 9, 9, 9};
    assert_int_equal(frame_encode_header(0, header), EV_ERR_RANGE);
    assert_int_equal(frame_encode_header(FRAME_PAYLOAD_MAX + 1, header), EV_ERR_RANGE);
    assert_int_equal(header[0], 9);
    assert_int_equal(frame_encode_header(0x0102, header), EV_OK);
    assert_memory_equal(header, "\x00\x00\x01\x02", 4);
    assert_int_equal(frame_encode_header(FRAME_PAYLOAD_MAX, header), EV_OK);
    assert_memory_equal(header, "\x00\x01\x00\x00", 4);
}

static void every_split_in_three_gives_the_same_frames(void **state)
{
    (void)state;
    uint8_t stream[128];
    size_t len = append_frame(stream, 1, 10);
    len += append_frame(stream + len, 30, 20);
    len += append_frame(stream + len, 7, 200);
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct frame_decoder decoder;
            struct collected collected = {0};
            frame_decoder_init(&decoder);
            assert_int_equal(frame_decoder_feed(&decoder, stream, first, collect, &collected), EV_OK);
            assert_int_equal(
                frame_decoder_feed(&decoder, stream + first, second - first, collect, &collected), EV_OK);
            assert_int_equal(frame_decoder_feed(&decoder, stream + second, len - second, collect, &collected),
                             EV_OK);
            assert_int_equal(collected.count, 3);
            assert_int_equal(collected.lengths[0], 1);
            assert_int_equal(collected.lengths[1], 30);
            assert_int_equal(collected.lengths[2], 7);
            assert_int_equal(collected.first_bytes[1], 20);
            assert_int_equal(collected.last_bytes[1], 49);
            assert_int_equal(collected.last_bytes[2], 206);
            assert_false(frame_decoder_is_pending(&decoder));
            assert_null(decoder.buffer);
            frame_decoder_fini(&decoder);
        }
    }
}

static void one_byte_at_a_time_carries_the_largest_frame(void **state)
{
    (void)state;
    uint8_t *stream = malloc(FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX);
    assert_non_null(stream);
    const size_t len = append_frame(stream, FRAME_PAYLOAD_MAX, 0);
    struct frame_decoder decoder;
    struct collected whole = {0};
    struct collected pieces = {0};
    frame_decoder_init(&decoder);
    assert_int_equal(frame_decoder_feed(&decoder, stream, len, collect, &whole), EV_OK);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(frame_decoder_feed(&decoder, stream + i, 1, collect, &pieces), EV_OK);
        assert_int_equal(frame_decoder_is_pending(&decoder), i + 1 < len);
    }
    assert_int_equal(pieces.count, 1);
    assert_int_equal(pieces.lengths[0], FRAME_PAYLOAD_MAX);
    assert_true(pieces.sum == whole.sum);
    frame_decoder_fini(&decoder);
    free(stream);
}

static void memory_follows_what_arrived_and_is_given_back(void **state)
{
    (void)state;
    uint8_t stream[FRAME_HEADER_SIZE + 1000];
    uint8_t header[FRAME_HEADER_SIZE];
    struct frame_decoder decoder;
    struct collected collected = {0};
    frame_decoder_init(&decoder);
    assert_int_equal(frame_encode_header(FRAME_PAYLOAD_MAX, header), EV_OK);
    assert_int_equal(frame_decoder_feed(&decoder, header, sizeof(header), collect, &collected), EV_OK);
    assert_int_equal(decoder.capacity, 0); /* a header alone reserves nothing */
    memset(stream, 7, sizeof(stream));
    assert_int_equal(frame_decoder_feed(&decoder, stream, 300, collect, &collected), EV_OK);
    assert_in_range(decoder.capacity, 300, 512);
    assert_true(frame_decoder_is_pending(&decoder));
    frame_decoder_fini(&decoder);
    assert_null(decoder.buffer);
    frame_decoder_fini(&decoder);

    const size_t len = append_frame(stream, 1000, 1);
    assert_int_equal(frame_decoder_feed(&decoder, stream, 900, collect, &collected), EV_OK);
    assert_true(decoder.capacity > 0);
    assert_int_equal(frame_decoder_feed(&decoder, stream + 900, len - 900, collect, &collected), EV_OK);
    assert_int_equal(collected.count, 1);
    assert_null(decoder.buffer);
    assert_int_equal(decoder.capacity, 0);
}

static void lengths_outside_the_limit_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t header[FRAME_HEADER_SIZE];
        enum ev_err err;
    } cases[] = {{{0, 0, 0, 0}, EV_ERR_PARSE},
                 {{0, 1, 0, 1}, EV_ERR_TOO_LARGE},
                 {{0xFF, 0xFF, 0xFF, 0xFF}, EV_ERR_TOO_LARGE},
                 {{'G', 'E', 'T', ' '}, EV_ERR_TOO_LARGE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame_decoder decoder;
        struct collected collected = {0};
        frame_decoder_init(&decoder);
        assert_int_equal(frame_decoder_feed(&decoder, cases[i].header, 3, collect, &collected), EV_OK);
        assert_int_equal(frame_decoder_feed(&decoder, cases[i].header + 3, 1, collect, &collected),
                         cases[i].err);
        assert_int_equal(collected.count, 0);
        frame_decoder_fini(&decoder);
    }
}

static void an_error_of_the_callback_ends_the_feed(void **state)
{
    (void)state;
    uint8_t stream[64];
    size_t len = append_frame(stream, 5, 1);
    len += append_frame(stream + len, 5, 2);
    for (size_t cut = 0; cut <= 9; cut++) {
        struct frame_decoder decoder;
        frame_decoder_init(&decoder);
        struct collected collected = {.answer = EV_ERR_STATE, .finish = &decoder};
        enum ev_err err = frame_decoder_feed(&decoder, stream, cut, collect, &collected);
        if (err == EV_OK)
            err = frame_decoder_feed(&decoder, stream + cut, len - cut, collect, &collected);
        assert_int_equal(err, EV_ERR_STATE);
        assert_int_equal(collected.count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_big_endian_and_bounded),
        cmocka_unit_test(every_split_in_three_gives_the_same_frames),
        cmocka_unit_test(one_byte_at_a_time_carries_the_largest_frame),
        cmocka_unit_test(memory_follows_what_arrived_and_is_given_back),
        cmocka_unit_test(lengths_outside_the_limit_are_refused),
        cmocka_unit_test(an_error_of_the_callback_ends_the_feed),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
