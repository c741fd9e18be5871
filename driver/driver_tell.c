/* driver_tell.c - what happens, said to the person at the driver: events in the log, results on standard
 * output, and one line of live figures. */
#include "driver/driver_internal.h"

#include "common/runtime/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *driver_begin_print(const struct driver *driver, char ret_prefix[WORDS_NUMBER_SIZE])
{
    if (driver->shared->live_line) {
        (void)fputs("\033[K", stderr);
    }
    ret_prefix[0] = '\0';
    if (driver->shared->many) {
        (void)snprintf(ret_prefix, WORDS_NUMBER_SIZE, "%s: ", driver->id.text);
    }
    return ret_prefix;
}

void driver_tell_live(struct driver *driver)
{
    char text[WORDS_SIZE];

    words_live(&driver->live, text);
    if (driver->shared->live_line) {
        /* The cursor returns to the line's begin, so that whatever comes next writes over it. */
        (void)fprintf(stderr, "%s: %s\033[K\r", driver->live.cp_id.text, text);
        (void)fflush(stderr);
        return;
    }
    log_info("driver.charging", log_str("driver", driver->id.text), log_str("cp", driver->live.cp_id.text),
             log_str("session", driver->live.session_id.text), log_str("text", text));
}

static void tell_session(struct driver *driver, const struct session_view *view)
{
    char text[WORDS_SIZE];

    words_session(view, text);
    if (requests_view_is_ended(view) && session_id_equal(&driver->live.session_id, &view->id)) {
        driver->live = (struct notice_live){.power_w = 0};
    }
    log_info("driver.session", log_str("driver", driver->id.text), log_str("cp", view->cp_id.text),
             log_str("session", view->id.text), log_str("state", session_state_text(view->state)),
             log_str("reason", view->reason != REASON_NONE ? session_reason_text(view->reason)
                                                           : stop_reason_text(view->stop_reason)),
             log_str("text", text));
}

static void tell_service(const struct driver *driver, const struct requests_effect *effect)
{
    char energy[WORDS_NUMBER_SIZE] = "until the battery is full";

    if (effect->entry.request.target_wh != 0) {
        (void)words_energy(effect->entry.request.target_wh, energy);
    }
    log_info("driver.service", log_str("driver", driver->id.text), log_uint("number", effect->number),
             log_uint("of", driver->requests.services.count), log_str("cp", effect->entry.request.cp_id.text),
             log_str("wanted", energy), log_str("request", effect->entry.request.request_id.text));
}

static void tell_result(const struct driver *driver, const struct requests_effect *effect)
{
    char prefix[WORDS_NUMBER_SIZE];
    char text[WORDS_SIZE];

    words_session(&effect->view, text);
    (void)driver_begin_print(driver, prefix);
    if (effect->number != 0) {
        printf("%sservice %zu of %zu (line %u): %s\n", prefix, effect->number,
               driver->requests.services.count, (unsigned)effect->entry.line, text);
    } else {
        printf("%sthe ticket of line %u: %s\n", prefix, (unsigned)effect->entry.line, text);
    }
    (void)fflush(stdout);
}

static void tell_summary(const struct driver *driver)
{
    const struct requests_services *services = &driver->requests.services;
    size_t pending = requests_services_pending(&driver->requests);
    char prefix[WORDS_NUMBER_SIZE];
    char waits[2 * WORDS_NUMBER_SIZE] = "";
    char energy[WORDS_NUMBER_SIZE];
    char money[WORDS_NUMBER_SIZE];
    char text[WORDS_SIZE];

    if (pending > 0) {
        (void)snprintf(waits, sizeof waits, ", %zu waiting for a ticket", pending);
    }
    (void)snprintf(text, sizeof text, "%zu services: %" PRIu64 " charged, %" PRIu64 " failed%s; %s for %s",
                   services->count, services->finished, services->failed, waits,
                   words_energy(services->energy_wh, energy), words_money(services->cost_cents, money));
    log_info("driver.services_end", log_str("driver", driver->id.text), log_str("file", services->path),
             log_uint("charged", services->finished), log_uint("failed", services->failed),
             log_uint("pending", pending), log_uint("energy_wh", services->energy_wh),
             log_uint("cost_cents", services->cost_cents));
    printf("%s%s\n", driver_begin_print(driver, prefix), text);
    (void)fflush(stdout);
}

static void tell_request(const struct driver *driver, const char *event, const struct requests_entry *entry,
                         const char *text)
{
    log_info(event, log_str("driver", driver->id.text), log_str("cp", entry->request.cp_id.text),
             log_str("request", entry->request.request_id.text), log_str("text", text));
}

void driver_tell(struct driver *driver, const struct requests_effect *effect)
{
    switch (effect->type) {
    case REQUESTS_TELL_SESSION:
        tell_session(driver, &effect->view);
        break;
    case REQUESTS_TELL_SERVICE:
        tell_service(driver, effect);
        break;
    case REQUESTS_TELL_RESULT:
        tell_result(driver, effect);
        break;
    case REQUESTS_TELL_ASK_AGAIN:
        tell_request(driver, "driver.asks_again", &effect->entry,
                     "the request was too old for Central: asked for again under a new id");
        break;
    case REQUESTS_TELL_REPEAT:
        tell_request(driver, "driver.request_repeated", &effect->entry,
                     exchange_is_up(driver->shared->exchange)
                         ? "Central has not answered: sent once more, under the same id"
                         : "Kafka cannot be reached: the request waits");
        break;
    case REQUESTS_TELL_LOST:
        tell_request(driver, "driver.session_lost", &effect->entry,
                     "Central does not know this session any more: given up");
        break;
    case REQUESTS_TELL_SUMMARY:
        tell_summary(driver);
        break;
    case REQUESTS_SAVE:
    case REQUESTS_SEND:
    case REQUESTS_RECONCILE:
    case REQUESTS_STOP:
        EV_ASSERT(false);
    }
}
