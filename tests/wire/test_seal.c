/* Sealed records: vectors made with python3-nacl, and everything that must not open. */
#include "tests/wire/cmocka_head.h"

#include "common/wire/sample.h"
#include "common/wire/seal.h"

#include <string.h>

/* Made with python3-nacl 1.5.0: key 00..1f, nonce 40..57, additional data by hand from docs/protocol.md. */
#define VECTOR_KEY_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TELEMETRY_RECORD                                                                                     \
    "01000000070102030405060708404142434445464748494a4b4c4d4e4f5051525354555657d5380870d38979168e6722794e6e" \
    "659390b9a9c1155e5b656a31fcdfbf93cbeb16f902640d619e81ffb2e8a4771a57c9679808cfb4e754c31f78e9fc"
#define TELEMETRY_PLAIN                                                                                      \
    "01010d00036900000193a5c7e1f2000102030405060708ff0000019ab697e87b0000000a58f31a9100001ce8"
#define REQUEST_RECORD                                                                                       \
    "01ffffffff0000000000000001404142434445464748494a4b4c4d4e4f5051525354555657af1b7109a0855b2cad97efdfddfb" \
    "00b0be98dfa1622c36e91e6e94212b3e01a027b3472402d4d656b582c47c3eeae2c0ab5f4dba5cc2fcc6ecde24d670c2133d3e" \
    "09c25059f201eaa921c49eae1ef99ba9b06e0912085447608f25f5b13a5e56044f86fe8ed15b86ed9152aa7625faf6cf15fcf2" \
    "e329dbb282c2316ac07d0b71"
#define REQUEST_PLAIN                                                                                        \
    "{\"type\":\"charge\",\"request_id\":\"01JEJWFRFJ0004081040R3GHZZ\",\"cp_id\":\"MAD\","                  \
    "\"target_wh\":5000,\"at_ms\":1764000000123}"

struct opened {
    enum ev_err err;
    uint8_t plain[SEAL_PLAIN_MAX];
    size_t len;
    uint32_t epoch;
    uint64_t sequence;
};

static struct seal_key vector_key(void)
{
    struct seal_key key;
    assert_int_equal(seal_key_parse(VECTOR_KEY_TEXT, &key), EV_OK);
    return key;
}

static size_t from_hex(const char *text, uint8_t *bytes)
{
    const size_t len = strlen(text) / 2;
    assert_int_equal(hex_decode(text, bytes, len), EV_OK);
    return len;
}

static struct opened open_record(const struct seal_key *key, const char *topic, const char *kafka_key,
                                 const uint8_t *record, size_t len)
{
    struct opened opened;
    memset(&opened, 0, sizeof(opened));
    opened.len = 12345;
    opened.epoch = 54321;
    opened.sequence = 99999;
    opened.err = seal_open(key, topic, kafka_key, strlen(kafka_key), record, len, opened.plain,
                           sizeof(opened.plain), &opened.len, &opened.epoch, &opened.sequence);
    return opened;
}

static void assert_refused(const struct opened *opened, enum ev_err err)
{
    assert_int_equal(opened->err, err);
    assert_int_equal(opened->len, 12345);
    assert_int_equal(opened->epoch, 54321);
    assert_int_equal(opened->sequence, 99999);
}

static void vectors_of_another_implementation_open(void **state)
{
    (void)state;
    const struct seal_key key = vector_key();
    uint8_t record[SEAL_RECORD_MAX];
    uint8_t plain[SAMPLE_SIZE];
    size_t len = from_hex(TELEMETRY_RECORD, record);
    struct opened opened = open_record(&key, "ev.telemetry", "MAD-01", record, len);
    assert_int_equal(opened.err, EV_OK);
    assert_int_equal(opened.epoch, 7);
    assert_true(opened.sequence == UINT64_C(0x0102030405060708));
    assert_int_equal(opened.len, from_hex(TELEMETRY_PLAIN, plain));
    assert_memory_equal(opened.plain, plain, SAMPLE_SIZE);

    len = from_hex(REQUEST_RECORD, record);
    opened = open_record(&key, "ev.requests", "driver_9", record, len);
    assert_int_equal(opened.err, EV_OK);
    assert_true(opened.epoch == UINT32_MAX);
    assert_int_equal(opened.sequence, 1);
    assert_int_equal(opened.len, strlen(REQUEST_PLAIN));
    assert_memory_equal(opened.plain, REQUEST_PLAIN, opened.len);
}

static void what_is_sealed_opens_and_never_repeats(void **state)
{
    (void)state;
    struct seal_key key;
    uint8_t record[SEAL_RECORD_MAX];
    uint8_t again[SEAL_RECORD_MAX];
    size_t len = 0;
    seal_key_generate(&key);
    assert_int_equal(seal_record(&key, "ev.notices", "d1", 2, 3, 4, "hello", 5, record, sizeof(record), &len),
                     EV_OK);
    assert_int_equal(len, 5 + SEAL_OVERHEAD);
    assert_memory_equal(record, "\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x04", SEAL_HEADER_SIZE);
    const struct opened opened = open_record(&key, "ev.notices", "d1", record, len);
    assert_int_equal(opened.err, EV_OK);
    assert_int_equal(opened.len, 5);
    assert_memory_equal(opened.plain, "hello", 5);
    assert_int_equal(seal_record(&key, "ev.notices", "d1", 2, 3, 4, "hello", 5, again, sizeof(again), &len),
                     EV_OK);
    assert_memory_not_equal(record + SEAL_HEADER_SIZE, again + SEAL_HEADER_SIZE, SEAL_NONCE_SIZE);
    for (size_t i = 0; i + 5 <= len; i++)
        assert_memory_not_equal(record + i, "hello", 5); /* it is not in clear text */
}

static void a_change_of_any_byte_is_refused(void **state)
{
    (void)state;
    const struct seal_key key = vector_key();
    uint8_t record[SEAL_RECORD_MAX];
    const size_t len = from_hex(TELEMETRY_RECORD, record);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            record[i] ^= (uint8_t)(1U << bit);
            const struct opened opened = open_record(&key, "ev.telemetry", "MAD-01", record, len);
            assert_refused(&opened, i == 0 ? EV_ERR_PARSE : EV_ERR_AUTH);
            record[i] ^= (uint8_t)(1U << bit);
        }
    }
}

static void every_truncation_and_extension_is_refused(void **state)
{
    (void)state;
    const struct seal_key key = vector_key();
    uint8_t record[SEAL_RECORD_MAX + 1] = {0};
    const size_t len = from_hex(TELEMETRY_RECORD, record);
    for (size_t cut = 0; cut <= sizeof(record); cut++) {
        if (cut == len)
            continue;
        const struct opened opened = open_record(&key, "ev.telemetry", "MAD-01", record, cut);
        if (cut <= SEAL_OVERHEAD)
            assert_refused(&opened, EV_ERR_PARSE);
        else
            assert_refused(&opened, cut > SEAL_RECORD_MAX ? EV_ERR_TOO_LARGE : EV_ERR_AUTH);
    }
}

static void another_topic_key_or_node_is_refused(void **state)
{
    (void)state;
    struct seal_key key = vector_key();
    uint8_t record[SEAL_RECORD_MAX];
    const size_t len = from_hex(TELEMETRY_RECORD, record);
    static const struct {
        const char *topic;
        const char *kafka_key;
    } others[] = {{"ev.requests", "MAD-01"},  {"ev.telemetry", "MAD-02"}, {"ev.telemetry", "MAD-0"},
                  {"ev.telemetr", "yMAD-01"}, {"ev.telemetry", "mad-01"}, {"ev.status", "MAD-01"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct opened opened = open_record(&key, others[i].topic, others[i].kafka_key, record, len);
        assert_refused(&opened, EV_ERR_AUTH);
        for (size_t j = 0; j < len - SEAL_OVERHEAD; j++)
            assert_int_equal(opened.plain[j], 0); /* nothing of the plain text leaks */
    }
    key.bytes[31] ^= 1;
    const struct opened opened = open_record(&key, "ev.telemetry", "MAD-01", record, len);
    assert_refused(&opened, EV_ERR_AUTH);
}

static void header_names_the_key_before_anything_is_opened(void **state)
{
    (void)state;
    uint8_t record[SEAL_RECORD_MAX];
    const size_t len = from_hex(TELEMETRY_RECORD, record);
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    assert_int_equal(seal_parse_header(record, len, &epoch, &sequence), EV_OK);
    assert_int_equal(epoch, 7);
    assert_true(sequence == UINT64_C(0x0102030405060708));
    assert_int_equal(
        seal_parse_header("{\"clear\":\"text\",\"of\":\"a charge point that does not encrypt at all\"}", 63,
                          &epoch, &sequence),
        EV_ERR_PARSE);
    assert_int_equal(seal_parse_header(NULL, 0, &epoch, &sequence), EV_ERR_PARSE);
    memset(record + 1, 0, 4);
    assert_int_equal(seal_parse_header(record, len, &epoch, &sequence), EV_ERR_PARSE); /* epoch 0 */
    record[4] = 7;
    memset(record + 5, 0, 8);
    assert_int_equal(seal_parse_header(record, len, &epoch, &sequence), EV_ERR_PARSE); /* sequence 0 */
    assert_int_equal(epoch, 7);
}

static void arguments_outside_their_bounds_are_refused(void **state)
{
    (void)state;
    const struct seal_key key = vector_key();
    static uint8_t plain[SEAL_PLAIN_MAX + 1];
    static uint8_t out[SEAL_RECORD_MAX + 1];
    char name[SEAL_TOPIC_MAX + 2];
    size_t len = 77;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(seal_record(&key, "t", "k", 1, 0, 1, "p", 1, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, "t", "k", 1, 1, 0, "p", 1, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, "t", "k", 1, 1, 1, "p", 0, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, "", "k", 1, 1, 1, "p", 1, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, name, "k", 1, 1, 1, "p", 1, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, "t", "k", 0, 1, 1, "p", 1, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, "t", "k\0k", 3, 1, 1, "p", 1, out, sizeof(out), &len), EV_ERR_RANGE);
    assert_int_equal(
        seal_record(&key, "t", name, SEAL_KAFKA_KEY_MAX + 1, 1, 1, "p", 1, out, sizeof(out), &len),
        EV_ERR_RANGE);
    assert_int_equal(seal_record(&key, "t", "k", 1, 1, 1, plain, SEAL_PLAIN_MAX + 1, out, sizeof(out), &len),
                     EV_ERR_TOO_LARGE);
    assert_int_equal(seal_record(&key, "t", "k", 1, 1, 1, "p", 1, out, SEAL_OVERHEAD, &len),
                     EV_ERR_TOO_LARGE);
    assert_int_equal(len, 77);
    assert_int_equal(seal_record(&key, "t", "k", 1, 1, 1, plain, SEAL_PLAIN_MAX, out, SEAL_RECORD_MAX, &len),
                     EV_OK);
    assert_int_equal(len, SEAL_RECORD_MAX);
    struct opened opened = open_record(&key, "t", "k", out, len);
    assert_int_equal(opened.err, EV_OK);
    assert_int_equal(opened.len, SEAL_PLAIN_MAX);
    opened.err = seal_open(&key, "t", "k", 1, out, len, opened.plain, SEAL_PLAIN_MAX - 1, &opened.len,
                           &opened.epoch, &opened.sequence);
    assert_int_equal(opened.err, EV_ERR_TOO_LARGE);
    assert_int_equal(seal_open(&key, "t", "", 0, out, len, opened.plain, sizeof(opened.plain), &opened.len,
                               &opened.epoch, &opened.sequence),
                     EV_ERR_RANGE);
}

static void keys_are_random_and_wiped_and_parse_strictly(void **state)
{
    (void)state;
    struct seal_key a;
    struct seal_key b;
    char text[SEAL_KEY_HEX_SIZE];
    const struct seal_key zero = {{0}};
    seal_key_generate(&a);
    seal_key_generate(&b);
    assert_memory_not_equal(&a, &b, sizeof(a));
    seal_key_format(&a, text);
    assert_int_equal(strlen(text), 64);
    assert_int_equal(seal_key_parse(text, &b), EV_OK);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(seal_key_parse(VECTOR_KEY_TEXT "0", &b), EV_ERR_PARSE);
    assert_int_equal(seal_key_parse(VECTOR_KEY_TEXT "\n", &b), EV_ERR_PARSE);
    assert_int_equal(seal_key_parse(&VECTOR_KEY_TEXT[1], &b), EV_ERR_PARSE);
    assert_int_equal(seal_key_parse("", &b), EV_ERR_PARSE);
    text[5] = 'g';
    assert_int_equal(seal_key_parse(text, &b), EV_ERR_PARSE);
    assert_memory_equal(&a, &b, sizeof(a));
    seal_key_wipe(&a);
    seal_key_wipe(NULL);
    assert_memory_equal(&a, &zero, sizeof(a));
}

static int set_up(void **state)
{
    (void)state;
    const enum ev_err first = seal_init();
    const enum ev_err again = seal_init(); /* may be repeated */
    return first == EV_OK && again == EV_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_another_implementation_open),
        cmocka_unit_test(what_is_sealed_opens_and_never_repeats),
        cmocka_unit_test(a_change_of_any_byte_is_refused),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(another_topic_key_or_node_is_refused),
        cmocka_unit_test(header_names_the_key_before_anything_is_opened),
        cmocka_unit_test(arguments_outside_their_bounds_are_refused),
        cmocka_unit_test(keys_are_random_and_wiped_and_parse_strictly),
    };
    return cmocka_run_group_tests_name("seal", tests, set_up, NULL);
}
