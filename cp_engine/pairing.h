/* pairing.h - the secret that engine and monitor share: 64 hex digits and a newline in a file of mode 0600.
 * Whichever of the two starts first creates it. Used by both programs. */
#ifndef EV_CP_ENGINE_PAIRING_H
#define EV_CP_ENGINE_PAIRING_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"
#include "common/runtime/tls.h"

#define PAIRING_FILE_DEFAULT "./state/pairing"
#define PAIRING_WAIT_MS 5000 /* how long a file that is not whole yet is waited for */

/* Creates the file, or reads it where it is there already, and makes credentials of it. May block for
 * PAIRING_WAIT_MS: for the start of a program. Errors: EV_ERR_IO, EV_ERR_PARSE (not of this form),
 * EV_ERR_TLS. */
EV_MUST_CHECK enum ev_err pairing_open(const char *path, struct tls_credentials **ret_credentials,
                                       struct failure *ret_failure);

#endif
