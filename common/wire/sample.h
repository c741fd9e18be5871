/* sample.h - one telemetry sample: 44 bytes, the plain text of `ev.telemetry` (docs/protocol.md, section 3).
 * cp_engine/telemetry_publish writes it, central/telemetry_ingest reads it. */
#ifndef EV_WIRE_SAMPLE_H
#define EV_WIRE_SAMPLE_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/rules/session.h"

#include <stddef.h>
#include <stdint.h>

#define SAMPLE_SIZE 44
#define SAMPLE_VERSION 1

enum sample_kind {
    SAMPLE_LIVE = 0,
    SAMPLE_FINAL = 1 /* supply has ended: settles the session if it arrives first */
};

struct telemetry_sample {
    enum sample_kind kind;
    enum stop_reason stop_reason; /* SAMPLE_FINAL: not STOP_NONE; SAMPLE_LIVE: STOP_NONE */
    uint32_t soc_permille;        /* 0 .. 1000 */
    struct session_id session_id; /* set */
    int64_t at_ms;                /* 1 .. TIME_MS_MAX */
    uint64_t energy_wms;          /* cumulative meter of this session, 0 .. ENERGY_WMS_MAX */
    uint32_t power_w;             /* 0 .. ENERGY_POWER_W_MAX */
};

/* Errors: EV_ERR_RANGE (a member outside its bounds; output untouched). */
EV_MUST_CHECK enum ev_err sample_encode(const struct telemetry_sample *sample,
                                        uint8_t ret_bytes[SAMPLE_SIZE]);

/* Errors: EV_ERR_PARSE (length, version, kind, a reserved byte that is not zero, a live sample with a stop
 * reason or a final one without), EV_ERR_RANGE (a value); output untouched. */
EV_MUST_CHECK enum ev_err sample_decode(const void *bytes, size_t len, struct telemetry_sample *ret_sample);

#endif
