/* enrolment.h - registration of one charge point at Registry: what it says of itself, and its certificate.
 * The work is common/runtime/identity's; this adds the charge point's members and turns answers into
 * callbacks. */
#ifndef EV_CP_MONITOR_ENROLMENT_H
#define EV_CP_MONITOR_ENROLMENT_H

#include "common/rules/ev_err.h"
#include "common/rules/ids.h"
#include "common/runtime/failure.h"
#include "common/runtime/http_client.h"
#include "common/runtime/loop.h"
#include "common/runtime/tls.h"

#include <stdbool.h>
#include <stdint.h>

/* What counts at registration only; afterwards Central's price rules. */
struct enrolment_place {
    const char *registry_url;
    const char *invitation; /* NULL: none */
    const char *city;       /* NULL: cannot register */
    double lat;
    double lon;
    uint32_t price_cents;
};

struct enrolment_callbacks {
    void (*on_certificate)(void *user, bool renewed);
    void (*on_problem)(void *user, const char *text, bool final);
    void (*on_deregistered)(void *user, bool ok, const char *text);
};

struct enrolment;

/*   directory  of this charge point's state; exists */
EV_MUST_CHECK enum ev_err enrolment_new(struct loop *loop, struct http_client *http_client,
                                        const struct cp_id *cp_id, const char *directory,
                                        const struct enrolment_place *place,
                                        const struct enrolment_callbacks *callbacks, void *user,
                                        struct enrolment **ret_enrolment, struct failure *ret_failure);
void enrolment_free(struct enrolment *enrolment);

/* Registers if there is an invitation and no certificate, and keeps the certificate renewed.
 * False: there is neither. */
bool enrolment_start(struct enrolment *enrolment);

/*   code  "": the configured one. Failures that are known at once come by on_problem too. */
void enrolment_register(struct enrolment *enrolment, const char *code, bool new_key);
void enrolment_deregister(struct enrolment *enrolment);

bool enrolment_is_enrolled(const struct enrolment *enrolment);
int64_t enrolment_expires_at_ms(const struct enrolment *enrolment);

/* For the control connection; the caller's own reference, NULL where there is no certificate. */
struct tls_credentials *enrolment_credentials(struct enrolment *enrolment);

#endif
