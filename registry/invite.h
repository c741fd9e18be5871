/* invite.h - making an invitation code, beside a running Registry or before its first start. */
#ifndef EV_REGISTRY_INVITE_H
#define EV_REGISTRY_INVITE_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/invitation.h"
#include "common/runtime/tls.h"

#include <stdint.h>

/* Makes the authority if there is none yet.
 * Errors: EV_ERR_IO, EV_ERR_DB, EV_ERR_CRYPTO with words. */
EV_MUST_CHECK enum ev_err invite_make(const char *state_dir, enum node_role role, int64_t uses,
                                      int64_t valid_ms, char ret_code[INVITATION_TEXT_SIZE],
                                      struct failure *ret_failure);

#endif
