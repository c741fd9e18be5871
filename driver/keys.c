#include "driver/keys.h"

#include <string.h>

static void wipe(struct keys_epoch *epoch)
{
    seal_key_wipe(&epoch->key);
    *epoch = (struct keys_epoch){.epoch = 0};
}

void keys_take(struct keys *keys, uint32_t epoch, const struct seal_key *key)
{
    if (epoch == keys->current.epoch) {
        return;
    }
    if (keys->current.epoch != 0) {
        wipe(&keys->previous);
        keys->previous = keys->current;
    }
    keys->current = (struct keys_epoch){.epoch = epoch, .key = *key};
}

void keys_wipe(struct keys *keys)
{
    wipe(&keys->current);
    wipe(&keys->previous);
}

struct keys_epoch *keys_find(struct keys *keys, uint32_t epoch)
{
    if (epoch == 0) {
        return NULL;
    }
    if (keys->current.epoch == epoch) {
        return &keys->current;
    }
    return keys->previous.epoch == epoch ? &keys->previous : NULL;
}

enum ev_err keys_seal_request(struct keys *keys, const struct driver_id *driver_id,
                              const struct driver_request *request, uint8_t ret_record[KEYS_RECORD_SIZE],
                              size_t *ret_len)
{
    char plain[DRIVER_REQUEST_SIZE];
    size_t len = 0;
    enum ev_err err = EV_OK;

    if (keys->current.epoch == 0) {
        return EV_ERR_STATE;
    }
    err = driver_request_encode(request, plain, sizeof plain, &len);
    if (err != EV_OK) {
        return err;
    }
    /* The sequence is spent even where what follows fails: it must never be used twice. */
    return seal_record(&keys->current.key, SEAL_TOPIC_REQUESTS, driver_id->text, strlen(driver_id->text),
                       keys->current.epoch, ++keys->current.sent, plain, len, ret_record, KEYS_RECORD_SIZE,
                       ret_len);
}
