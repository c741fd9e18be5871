#include "common/wire/sample.h"

#include "common/wire/bytes.h"
#include "common/wire/time_text.h"
#include "common/wire/ulid.h"

#include <string.h>

enum offset {
    AT_VERSION = 0,
    AT_KIND = 1,
    AT_STOP_REASON = 2,
    AT_RESERVED_1 = 3,
    AT_SOC = 4,
    AT_RESERVED_2 = 6,
    AT_SESSION = 8,
    AT_TIME = 24,
    AT_ENERGY = 32,
    AT_POWER = 40
};

/* The byte is "0 none, else 1 + index in the contract's list": the enum's own order. */
_Static_assert(STOP_NONE == 0 && STOP_UNPLUGGED == 1 && STOP_ENGINE_LOST == 13, "stop reasons on the wire");

static enum ev_err check(const struct telemetry_sample *sample)
{
    if (sample->soc_permille > 1000 || sample->at_ms <= 0 || sample->at_ms > TIME_MS_MAX ||
        sample->energy_wms > ENERGY_WMS_MAX || sample->power_w > ENERGY_POWER_W_MAX)
        return EV_ERR_RANGE;
    return EV_OK;
}

enum ev_err sample_encode(const struct telemetry_sample *sample, uint8_t ret_bytes[SAMPLE_SIZE])
{
    const bool final = sample->kind == SAMPLE_FINAL;
    if (check(sample) != EV_OK || !session_id_is_set(&sample->session_id) ||
        (!final && sample->kind != SAMPLE_LIVE) || sample->stop_reason >= STOP_REASON_COUNT ||
        final != (sample->stop_reason != STOP_NONE))
        return EV_ERR_RANGE;
    memset(ret_bytes, 0, SAMPLE_SIZE);
    ret_bytes[AT_VERSION] = SAMPLE_VERSION;
    ret_bytes[AT_KIND] = (uint8_t)sample->kind;
    ret_bytes[AT_STOP_REASON] = (uint8_t)sample->stop_reason;
    bytes_put_u16(ret_bytes + AT_SOC, (uint16_t)sample->soc_permille);
    ulid_session_id_to_bytes(&sample->session_id, ret_bytes + AT_SESSION);
    bytes_put_u64(ret_bytes + AT_TIME, (uint64_t)sample->at_ms);
    bytes_put_u64(ret_bytes + AT_ENERGY, sample->energy_wms);
    bytes_put_u32(ret_bytes + AT_POWER, sample->power_w);
    return EV_OK;
}

enum ev_err sample_decode(const void *bytes, size_t len, struct telemetry_sample *ret_sample)
{
    const uint8_t *at = bytes;
    if (at == NULL || len != SAMPLE_SIZE || at[AT_VERSION] != SAMPLE_VERSION || at[AT_KIND] > SAMPLE_FINAL ||
        at[AT_STOP_REASON] >= STOP_REASON_COUNT || at[AT_RESERVED_1] != 0 ||
        bytes_get_u16(at + AT_RESERVED_2) != 0)
        return EV_ERR_PARSE;
    if ((at[AT_KIND] == SAMPLE_FINAL) != (at[AT_STOP_REASON] != STOP_NONE))
        return EV_ERR_PARSE;
    const uint64_t at_ms = bytes_get_u64(at + AT_TIME);
    if (at_ms > (uint64_t)TIME_MS_MAX)
        return EV_ERR_RANGE;
    struct telemetry_sample sample = {
        .kind = (enum sample_kind)at[AT_KIND],
        .stop_reason = (enum stop_reason)at[AT_STOP_REASON],
        .soc_permille = bytes_get_u16(at + AT_SOC),
        .at_ms = (int64_t)at_ms,
        .energy_wms = bytes_get_u64(at + AT_ENERGY),
        .power_w = bytes_get_u32(at + AT_POWER),
    };
    enum ev_err err = ulid_session_id_from_bytes(at + AT_SESSION, &sample.session_id);
    if (err == EV_OK)
        err = check(&sample);
    if (err == EV_OK)
        *ret_sample = sample;
    return err;
}
