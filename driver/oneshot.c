#include "driver/oneshot.h"

#include "driver/words.h"

#include <stdio.h>
#include <string.h>

#define CHECK_MS 500

enum ev_err oneshot_parse(const char *word, enum oneshot_kind *ret_kind)
{
    static const char *const words[] = {
        [ONESHOT_CHARGE] = "charge", [ONESHOT_LIST] = "list", [ONESHOT_HISTORY] = "history"};

    for (int i = ONESHOT_CHARGE; i <= ONESHOT_HISTORY; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret_kind = (enum oneshot_kind)i;
            return EV_OK;
        }
    }
    return EV_ERR_PARSE;
}

static void end(struct oneshot *oneshot, int exit_code)
{
    (void)fflush(stdout);
    oneshot->exit_code = exit_code;
    loop_stop(oneshot->drivers->shared.loop);
}

static void give_up(struct oneshot *oneshot)
{
    const struct requests_entry *entry =
        requests_find(driver_requests(oneshot->drivers->items[0]), &oneshot->request_id);

    if (oneshot->kind != ONESHOT_CHARGE) {
        printf("No answer from %s within %d s.\n", oneshot->drivers->shared.central_url,
               ONESHOT_TABLE_MS / 1000);
    } else if (oneshot->asked && entry == NULL) {
        printf("%s: Central does not know this session any more.\n", oneshot->cp);
    } else {
        printf("%s: no answer within %d s. The request stays open: start the driver again to see what "
               "became of it.\n",
               oneshot->cp, ONESHOT_ANSWER_MS / 1000);
    }
    end(oneshot, 1);
}

static void on_timer(void *user)
{
    struct oneshot *oneshot = user;
    bool lost = oneshot->asked &&
                requests_find(driver_requests(oneshot->drivers->items[0]), &oneshot->request_id) == NULL;

    if (lost || (!oneshot->answered && loop_now_ms(oneshot->drivers->shared.loop) >= oneshot->deadline_ms)) {
        give_up(oneshot);
        return;
    }
    loop_timer_start(oneshot->timer, CHECK_MS);
}

enum ev_err oneshot_start(struct oneshot *oneshot, struct drivers *drivers, struct failure *ret_failure)
{
    int64_t patience_ms = oneshot->kind == ONESHOT_CHARGE ? ONESHOT_ANSWER_MS : ONESHOT_TABLE_MS;
    enum ev_err err = loop_timer_new(drivers->shared.loop, on_timer, oneshot, &oneshot->timer);

    if (err != EV_OK) {
        return failure_set(ret_failure, err, "%s", ev_err_text(err));
    }
    oneshot->drivers = drivers;
    oneshot->deadline_ms = monotonic_now_ms() + patience_ms;
    if (oneshot->kind == ONESHOT_CHARGE) {
        err = driver_charge(drivers->items[0], oneshot->cp, oneshot->kwh, &oneshot->request_id, ret_failure);
        oneshot->asked = err == EV_OK;
    }
    if (err == EV_OK) {
        loop_timer_start(oneshot->timer, CHECK_MS);
    }
    return err;
}

void oneshot_fini(struct oneshot *oneshot)
{
    loop_timer_free(oneshot->timer);
    oneshot->timer = NULL;
}

void oneshot_on_session(void *user, struct driver *driver, const struct session_view *view)
{
    struct oneshot *oneshot = user;
    char text[WORDS_SIZE];

    (void)driver;
    if (!oneshot->asked || !request_id_equal(&view->request_id, &oneshot->request_id)) {
        return;
    }
    oneshot->answered = true;
    if (requests_view_is_ended(view)) {
        words_session(view, text);
        printf("%s\n", text);
        oneshot->asked = false;
        end(oneshot, view->state == SESSION_FINISHED ? 0 : 1);
    }
}

static void on_printed(void *user, bool ok)
{
    end(user, ok ? 0 : 1);
}

void oneshot_on_enrolled(void *user, struct driver *driver)
{
    struct oneshot *oneshot = user;

    if (oneshot->kind == ONESHOT_LIST) {
        driver_print_points(driver, on_printed, oneshot);
    } else if (oneshot->kind == ONESHOT_HISTORY) {
        driver_print_history(driver, on_printed, oneshot);
    }
}

void oneshot_on_refused(void *user, struct driver *driver, const char *text)
{
    struct oneshot *oneshot = user;

    printf("%s: %s\n", driver_id_of(driver)->text, text);
    end(oneshot, 1);
}
