#include "cp_monitor/enrolment.h"

#include "common/runtime/identity.h"
#include "common/runtime/log.h"
#include "common/wire/json.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS_SIZE 1024

struct enrolment {
    struct identity *identity;
    struct enrolment_callbacks callbacks;
    void *user;
    bool has_city;
};

static void on_certificate(void *user, bool renewed)
{
    struct enrolment *enrolment = user;

    enrolment->callbacks.on_certificate(enrolment->user, renewed);
}

static void on_problem(void *user, const char *text, bool final)
{
    struct enrolment *enrolment = user;

    enrolment->callbacks.on_problem(enrolment->user, text, final);
}

static void on_deregistered(void *user, bool ok, const char *text)
{
    struct enrolment *enrolment = user;

    enrolment->callbacks.on_deregistered(enrolment->user, ok, text);
}

/* The members of a registration, without the braces around them. */
static enum ev_err format_members(const struct enrolment_place *place, char *buf, size_t cap)
{
    struct json_writer writer;
    size_t len = 0;

    json_writer_init(&writer, buf, cap);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "city", place->city);
    json_write_real(&writer, "lat", place->lat);
    json_write_real(&writer, "lon", place->lon);
    json_write_integer(&writer, "price_cents_per_kwh", place->price_cents);
    json_write_object_end(&writer);
    enum ev_err err = json_writer_finish(&writer, &len);
    if (err == EV_OK) {
        memmove(buf, buf + 1, len - 2);
        buf[len - 2] = '\0';
    }
    return err;
}

enum ev_err enrolment_new(struct loop *loop, struct http_client *http_client, const struct cp_id *cp_id,
                          const char *directory, const struct enrolment_place *place,
                          const struct enrolment_callbacks *callbacks, void *user,
                          struct enrolment **ret_enrolment, struct failure *ret_failure)
{
    char members[MEMBERS_SIZE] = "";
    struct enrolment *enrolment = calloc(1, sizeof *enrolment);

    if (enrolment == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    enrolment->callbacks = *callbacks;
    enrolment->user = user;
    enrolment->has_city = place->city != NULL;
    if (enrolment->has_city && format_members(place, members, sizeof members) != EV_OK) {
        free(enrolment);
        return failure_set(ret_failure, EV_ERR_RANGE, "--city is too long, or no UTF-8");
    }
    const struct identity_config config = {.loop = loop,
                                           .http_client = http_client,
                                           .directory = directory,
                                           .role = NODE_ROLE_CP,
                                           .id = cp_id->text,
                                           .registry_url = place->registry_url,
                                           .invitation = place->invitation,
                                           .extra_members = enrolment->has_city ? members : NULL,
                                           .on_certificate = on_certificate,
                                           .on_problem = on_problem,
                                           .user = enrolment};
    enum ev_err err = identity_open(&config, &enrolment->identity, ret_failure);
    if (err != EV_OK) {
        free(enrolment);
        return err;
    }
    *ret_enrolment = enrolment;
    return EV_OK;
}

void enrolment_free(struct enrolment *enrolment)
{
    if (enrolment != NULL) {
        identity_free(enrolment->identity);
        free(enrolment);
    }
}

bool enrolment_start(struct enrolment *enrolment)
{
    if (!identity_can_start(enrolment->identity)) {
        return false;
    }
    identity_start(enrolment->identity);
    return true;
}

void enrolment_register(struct enrolment *enrolment, const char *code, bool new_key)
{
    struct failure failure = {{0}};

    if (!enrolment->has_city) {
        on_problem(enrolment, "a registration needs --city (and --lat, --lon, --price-cents)", true);
        return;
    }
    if (identity_enrol(enrolment->identity, code[0] != '\0' ? code : NULL, new_key, &failure) != EV_OK) {
        on_problem(enrolment, failure.text, true);
    }
}

void enrolment_deregister(struct enrolment *enrolment)
{
    if (identity_deregister(enrolment->identity, on_deregistered, enrolment) != EV_OK) {
        on_deregistered(enrolment, false, "there is no certificate to ask with");
    }
}

bool enrolment_is_enrolled(const struct enrolment *enrolment)
{
    return identity_is_enrolled(enrolment->identity);
}

int64_t enrolment_expires_at_ms(const struct enrolment *enrolment)
{
    return identity_expires_at_ms(enrolment->identity);
}

struct tls_credentials *enrolment_credentials(struct enrolment *enrolment)
{
    struct tls_credentials *credentials = NULL;
    struct failure failure = {{0}};

    if (identity_credentials(enrolment->identity, &credentials, &failure) != EV_OK) {
        log_error("certificate.unusable", log_str("reason", failure.text));
        return NULL;
    }
    return credentials;
}
