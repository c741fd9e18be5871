#include "driver/notices.h"

#include <string.h>

enum ev_err notices_open(struct keys *keys, const struct driver_id *driver_id, const uint8_t *record,
                         size_t len, struct notice *ret_notice)
{
    uint8_t plain[SEAL_PLAIN_MAX];
    struct keys_epoch *key = NULL;
    struct notice notice;
    uint32_t epoch = 0;
    uint64_t sequence = 0;
    size_t plain_len = 0;
    enum ev_err err = seal_parse_header(record, len, &epoch, &sequence);

    if (err != EV_OK) {
        return err;
    }
    key = keys_find(keys, epoch);
    if (key == NULL) {
        return EV_ERR_UNKNOWN_KEY;
    }
    err = seal_open(&key->key, SEAL_TOPIC_NOTICES, driver_id->text, strlen(driver_id->text), record, len,
                    plain, sizeof plain, &plain_len, &epoch, &sequence);
    if (err != EV_OK) {
        return err;
    }
    if (sequence <= key->received) {
        return EV_ERR_REPLAY;
    }
    key->received = sequence;
    err = notice_decode((const char *)plain, plain_len, &notice);
    if (err != EV_OK) {
        return err;
    }
    if (notice.type == NOTICE_SESSION && !driver_id_equal(&notice.session.driver_id, driver_id)) {
        return EV_ERR_AUTH;
    }
    *ret_notice = notice;
    return EV_OK;
}
