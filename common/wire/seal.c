#include "common/wire/seal.h"

#include "common/wire/bytes.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(SEAL_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce size");
_Static_assert(SEAL_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");

#define AD_MAX (SEAL_TOPIC_MAX + 1 + SEAL_KAFKA_KEY_MAX + 1 + SEAL_HEADER_SIZE)

enum ev_err seal_init(void)
{
    return sodium_init() < 0 ? EV_ERR_CRYPTO : EV_OK; /* 1: it was done before */
}

void seal_key_generate(struct seal_key *ret_key)
{
    randombytes_buf(ret_key->bytes, sizeof(ret_key->bytes));
}

void seal_key_wipe(struct seal_key *key)
{
    if (key != NULL)
        sodium_memzero(key, sizeof(*key));
}

void seal_key_format(const struct seal_key *key, char ret_text[SEAL_KEY_HEX_SIZE])
{
    hex_encode(key->bytes, sizeof(key->bytes), ret_text);
}

enum ev_err seal_key_parse(const char *text, struct seal_key *ret_key)
{
    return hex_decode(text, ret_key->bytes, sizeof(ret_key->bytes));
}

/* `topic 00 kafka-key 00 header`. Neither name may hold a zero byte: two pairs could read the same. */
static enum ev_err make_ad(const char *topic, const void *kafka_key, size_t kafka_key_len,
                           const uint8_t header[SEAL_HEADER_SIZE], uint8_t ret_ad[AD_MAX], size_t *ret_len)
{
    const size_t topic_len = strnlen(topic, SEAL_TOPIC_MAX + 1);
    if (topic_len == 0 || topic_len > SEAL_TOPIC_MAX || kafka_key == NULL || kafka_key_len == 0 ||
        kafka_key_len > SEAL_KAFKA_KEY_MAX || memchr(kafka_key, 0, kafka_key_len) != NULL)
        return EV_ERR_RANGE;
    uint8_t *end = ret_ad;
    memcpy(end, topic, topic_len + 1);
    end += topic_len + 1;
    memcpy(end, kafka_key, kafka_key_len);
    end += kafka_key_len;
    *end++ = 0;
    memcpy(end, header, SEAL_HEADER_SIZE);
    end += SEAL_HEADER_SIZE;
    *ret_len = (size_t)(end - ret_ad);
    return EV_OK;
}

enum ev_err seal_record(const struct seal_key *key, const char *topic, const void *kafka_key,
                        size_t kafka_key_len, uint32_t epoch, uint64_t sequence, const void *plain,
                        size_t plain_len, uint8_t *out, size_t cap, size_t *ret_len)
{
    if (epoch == 0 || sequence == 0 || plain_len == 0)
        return EV_ERR_RANGE;
    if (plain_len > SEAL_PLAIN_MAX || cap < plain_len + SEAL_OVERHEAD)
        return EV_ERR_TOO_LARGE;
    uint8_t header[SEAL_HEADER_SIZE] = {SEAL_VERSION};
    bytes_put_u32(header + 1, epoch);
    bytes_put_u64(header + 5, sequence);
    uint8_t ad[AD_MAX];
    size_t ad_len = 0;
    const enum ev_err err = make_ad(topic, kafka_key, kafka_key_len, header, ad, &ad_len);
    if (err != EV_OK)
        return err;
    memcpy(out, header, SEAL_HEADER_SIZE);
    uint8_t *nonce = out + SEAL_HEADER_SIZE;
    randombytes_buf(nonce, SEAL_NONCE_SIZE);
    if (crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + SEAL_NONCE_SIZE, NULL, plain, plain_len, ad,
                                                   ad_len, NULL, nonce, key->bytes) != 0)
        return EV_ERR_CRYPTO;
    *ret_len = plain_len + SEAL_OVERHEAD;
    return EV_OK;
}

enum ev_err seal_parse_header(const void *record, size_t len, uint32_t *ret_epoch, uint64_t *ret_sequence)
{
    if (len > SEAL_RECORD_MAX)
        return EV_ERR_TOO_LARGE;
    const uint8_t *bytes = record;
    if (bytes == NULL || len <= SEAL_OVERHEAD || bytes[0] != SEAL_VERSION)
        return EV_ERR_PARSE;
    const uint32_t epoch = bytes_get_u32(bytes + 1);
    const uint64_t sequence = bytes_get_u64(bytes + 5);
    if (epoch == 0 || sequence == 0)
        return EV_ERR_PARSE;
    *ret_epoch = epoch;
    *ret_sequence = sequence;
    return EV_OK;
}

enum ev_err seal_open(const struct seal_key *key, const char *topic, const void *kafka_key,
                      size_t kafka_key_len, const void *record, size_t len, void *out, size_t cap,
                      size_t *ret_len, uint32_t *ret_epoch, uint64_t *ret_sequence)
{
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    enum ev_err err = seal_parse_header(record, len, &epoch, &sequence);
    if (err != EV_OK)
        return err;
    if (cap < len - SEAL_OVERHEAD)
        return EV_ERR_TOO_LARGE;
    const uint8_t *bytes = record;
    uint8_t ad[AD_MAX];
    size_t ad_len = 0;
    err = make_ad(topic, kafka_key, kafka_key_len, bytes, ad, &ad_len);
    if (err != EV_OK)
        return err;
    const uint8_t *nonce = bytes + SEAL_HEADER_SIZE;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, nonce + SEAL_NONCE_SIZE,
                                                   len - SEAL_HEADER_SIZE - SEAL_NONCE_SIZE, ad, ad_len,
                                                   nonce, key->bytes) != 0)
        return EV_ERR_AUTH;
    *ret_len = len - SEAL_OVERHEAD;
    *ret_epoch = epoch;
    *ret_sequence = sequence;
    return EV_OK;
}
