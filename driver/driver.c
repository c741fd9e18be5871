#include "driver/driver.h"

#include "common/runtime/log.h"
#include "common/wire/json.h"
#include "common/wire/ulid.h"
#include "driver/driver_internal.h"
#include "driver/notices.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct requests_time driver_time(const struct driver *driver)
{
    struct requests_time time = {.now_ms = loop_now_ms(driver->shared->loop), .wall_ms = wall_now_ms()};

    ulid_generate_request_id(time.wall_ms, &time.fresh_id);
    return time;
}

const struct driver_id *driver_id_of(const struct driver *driver)
{
    return &driver->id;
}

const struct requests *driver_requests(const struct driver *driver)
{
    return &driver->requests;
}

/* --- effects --- */

static bool save(struct driver *driver)
{
    struct failure failure = {{0}};
    char *text = malloc(REQUESTS_JOURNAL_MAX);
    size_t len = 0;
    enum ev_err err = text != NULL ? EV_OK : EV_ERR_NOMEM;

    if (err == EV_OK) {
        err = requests_encode(&driver->requests, text, REQUESTS_JOURNAL_MAX, &len);
    }
    if (err != EV_OK) {
        (void)failure_set(&failure, err, "%s", ev_err_text(err));
    } else {
        err = state_dir_write_atomic(driver->dir, DRIVER_JOURNAL_FILE, text, len, 0600, &failure);
    }
    free(text);
    if (err == EV_OK) {
        driver->save_problem[0] = '\0';
        return true;
    }
    if (strcmp(driver->save_problem, failure.text) != 0) {
        memcpy(driver->save_problem, failure.text, sizeof driver->save_problem);
        log_error("driver.journal_not_written", log_str("driver", driver->id.text),
                  log_str("text", "nothing is asked for until the journal can be written"),
                  log_str("error", failure.text));
    }
    return false;
}

static void send_request(struct driver *driver, const struct requests_entry *entry)
{
    uint8_t record[KEYS_RECORD_SIZE];
    struct requests_effects effects;
    size_t len = 0;
    enum ev_err err = keys_seal_request(&driver->keys, &driver->id, &entry->request, record, &len);

    if (err == EV_OK) {
        err = exchange_send(driver->shared->exchange, &driver->id, &entry->request.request_id, record, len);
    }
    if (err == EV_OK) {
        log_debug("driver.request_sent", log_str("driver", driver->id.text),
                  log_str("request", entry->request.request_id.text),
                  log_uint("epoch", driver->keys.current.epoch),
                  log_uint("sequence", driver->keys.current.sent));
        return;
    }
    log_debug("driver.request_not_sent", log_str("request", entry->request.request_id.text),
              log_str("error", ev_err_text(err)));
    struct requests_time time = driver_time(driver);
    requests_on_delivered(&driver->requests, &time, &entry->request.request_id, false, &effects);
    driver_carry_out(driver, &effects);
}

static void on_repeat(struct driver *driver, const struct requests_entry *entry)
{
    /* Delivered, and never answered: maybe Central has lost our key. */
    if (entry->sends % 3 == 0 &&
        loop_now_ms(driver->shared->loop) - driver->key_asked_ms >= DRIVER_KEY_PAUSE_MS) {
        driver_fetch_key(driver);
    }
}

static void arm_timer(struct driver *driver)
{
    int64_t next = requests_next_ms(&driver->requests);
    int64_t now = loop_now_ms(driver->shared->loop);

    if (next == REQUESTS_NEVER) {
        loop_timer_stop(driver->timer);
    } else {
        loop_timer_start(driver->timer, next > now ? next - now : 0);
    }
}

static void carry_out_one(struct driver *driver, const struct requests_effect *effect, bool *saved,
                          bool *save_failed)
{
    switch (effect->type) {
    case REQUESTS_SAVE:
        *saved = save(driver);
        *save_failed = !*saved;
        break;
    case REQUESTS_SEND:
        send_request(driver, &effect->entry);
        break;
    case REQUESTS_RECONCILE:
        driver_fetch_sessions(driver);
        break;
    case REQUESTS_STOP:
        driver_send_stop(driver, &effect->view);
        break;
    case REQUESTS_TELL_REPEAT:
        on_repeat(driver, &effect->entry);
        driver_tell(driver, effect);
        break;
    case REQUESTS_TELL_SESSION:
        driver_tell(driver, effect);
        if (driver->callbacks.on_session != NULL) {
            driver->callbacks.on_session(driver->callbacks.user, driver, &effect->view);
        }
        break;
    case REQUESTS_TELL_SERVICE:
    case REQUESTS_TELL_RESULT:
    case REQUESTS_TELL_ASK_AGAIN:
    case REQUESTS_TELL_LOST:
    case REQUESTS_TELL_SUMMARY:
        driver_tell(driver, effect);
        break;
    }
}

void driver_carry_out(struct driver *driver, const struct requests_effects *effects)
{
    bool saved = false;
    bool save_failed = false;

    for (size_t i = 0; i < effects->count; i++) {
        carry_out_one(driver, &effects->items[i], &saved, &save_failed);
    }
    if (save_failed) {
        struct requests_time time = driver_time(driver);
        requests_on_save_failed(&driver->requests, &time);
    }
    if (saved) {
        struct requests_effects more;
        struct requests_time time = driver_time(driver);
        requests_on_saved(&driver->requests, &time, &more);
        driver_carry_out(driver, &more);
    }
    if (requests_services_are_done(&driver->requests) && !driver->services_done_told) {
        driver->services_done_told = true;
        if (driver->callbacks.on_services_done != NULL) {
            driver->callbacks.on_services_done(driver->callbacks.user, driver);
        }
    }
    arm_timer(driver);
}

static void on_timer(void *user)
{
    struct driver *driver = user;
    struct requests_effects effects;
    struct requests_time time = driver_time(driver);

    requests_on_tick(&driver->requests, &time, &effects);
    driver_carry_out(driver, &effects);
}

/* --- registration --- */

static void on_certificate(void *user, bool renewed)
{
    struct driver *driver = user;

    driver->registry_problem[0] = '\0';
    log_info(renewed ? "driver.renewed" : "driver.registered", log_str("driver", driver->id.text));
    if (!driver->enrolled) {
        driver->enrolled = true;
        driver_central_start(driver);
    }
}

static void on_problem(void *user, const char *text, bool final)
{
    struct driver *driver = user;

    if (strncmp(driver->registry_problem, text, sizeof driver->registry_problem - 1) != 0) {
        (void)words_printable(text, driver->registry_problem, sizeof driver->registry_problem);
        if (final) {
            log_error("driver.registration_refused", log_str("driver", driver->id.text),
                      log_str("text", text));
        } else {
            log_warn("driver.registration_waits", log_str("driver", driver->id.text), log_str("text", text));
        }
    }
    if (final && !driver->enrolled && driver->callbacks.on_refused != NULL) {
        driver->callbacks.on_refused(driver->callbacks.user, driver, text);
    }
}

void driver_start(struct driver *driver)
{
    static const char nothing[] = "this driver is not registered: start it with --invitation CODE";

    if (identity_is_enrolled(driver->identity)) {
        driver->enrolled = true;
        if (!driver->passive) {
            identity_start(driver->identity);
        }
        driver_central_start(driver);
    } else if (identity_can_start(driver->identity)) {
        identity_start(driver->identity);
    } else {
        on_problem(driver, nothing, true);
    }
}

/* --- life --- */

static enum ev_err load_journal(struct driver *driver, struct failure *ret_failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct failure failure = {{0}};
    enum ev_err err = state_dir_read(driver->dir, DRIVER_JOURNAL_FILE, &bytes, &len, &failure);

    if (err == EV_ERR_NOT_FOUND) {
        return EV_OK;
    }
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "%s", failure.text);
    } else {
        err = requests_decode(&driver->requests, (const char *)bytes, len);
        if (err != EV_OK) {
            (void)failure_set(ret_failure, err, "the journal %s/%s cannot be read: %s",
                              state_dir_path(driver->dir), DRIVER_JOURNAL_FILE, ev_err_text(err));
        }
    }
    state_dir_bytes_free(bytes, len);
    if (err == EV_OK && driver->requests.entry_count > 0) {
        log_info("driver.resumed", log_str("driver", driver->id.text),
                 log_uint("open_requests", driver->requests.entry_count));
    }
    return err;
}

static enum ev_err open_identity(struct driver *driver, const char *directory, struct failure *ret_failure)
{
    const struct identity_config config = {
        .loop = driver->shared->loop,
        .http_client = driver->shared->http_client,
        .directory = directory,
        .role = NODE_ROLE_DRIVER,
        .id = driver->id.text,
        .registry_url = driver->shared->registry_url,
        .invitation = driver->shared->invitation,
        .on_certificate = on_certificate,
        .on_problem = on_problem,
        .user = driver,
    };

    return identity_open(&config, &driver->identity, ret_failure);
}

enum ev_err driver_new(struct driver_shared *shared, const char *id, const char *directory, bool passive,
                       const struct driver_callbacks *callbacks, struct driver **ret_driver,
                       struct failure *ret_failure)
{
    struct driver *driver = calloc(1, sizeof *driver);
    enum ev_err err = EV_OK;

    if (driver == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    driver->shared = shared;
    driver->callbacks = *callbacks;
    driver->passive = passive;
    requests_init(&driver->requests, shared->pause_ms);
    if (driver_id_parse(id, &driver->id) != EV_OK) {
        err = failure_set(ret_failure, EV_ERR_USAGE,
                          "\"%s\" is no driver's id; accepted: 1 to 32 of A-Z a-z 0-9 - _", id);
        goto out;
    }
    err =
        state_dir_open(directory, passive ? STATE_DIR_BESIDE : STATE_DIR_SERVICE, &driver->dir, ret_failure);
    if (err == EV_OK) {
        err = load_journal(driver, ret_failure);
    }
    if (err == EV_OK) {
        err = open_identity(driver, directory, ret_failure);
    }
    if (err == EV_OK) {
        err = loop_timer_new(shared->loop, on_timer, driver, &driver->timer);
    }
    if (err == EV_OK) {
        err = driver_central_init(driver);
    }
out:
    if (err != EV_OK) {
        driver_free(driver);
        return err;
    }
    *ret_driver = driver;
    return EV_OK;
}

void driver_free(struct driver *driver)
{
    if (driver == NULL) {
        return;
    }
    driver_tables_free(driver);
    driver_central_free(driver);
    loop_timer_free(driver->timer);
    identity_free(driver->identity);
    state_dir_free(driver->dir);
    services_file_fini(&driver->services);
    keys_wipe(&driver->keys);
    free(driver);
}

/* --- what people want --- */

/* Started once more by a script, after it gave up: the same wish is one request. */
static bool find_open_wish(const struct driver *driver, const struct cp_id *cp_id, uint32_t target_wh,
                           struct request_id *ret_request_id)
{
    for (size_t i = 0; i < driver->requests.entry_count; i++) {
        const struct requests_entry *entry = &driver->requests.entries[i];

        if (!entry->of_service && !session_id_is_set(&entry->session_id) && entry->sends == 0 &&
            entry->saved && cp_id_equal(&entry->request.cp_id, cp_id) &&
            entry->request.target_wh == target_wh) {
            *ret_request_id = entry->request.request_id;
            return true;
        }
    }
    return false;
}

enum ev_err driver_charge(struct driver *driver, const char *cp, const char *kwh,
                          struct request_id *ret_request_id, struct failure *ret_failure)
{
    struct requests_effects effects;
    struct requests_time time = driver_time(driver);
    struct cp_id cp_id;
    uint32_t target_wh = 0;
    enum ev_err err = EV_OK;

    if (cp_id_parse(cp, &cp_id) != EV_OK) {
        return failure_set(ret_failure, EV_ERR_PARSE,
                           "\"%.40s\" is no charge point's id (1 to 32 of A-Z a-z 0-9 - _)", cp);
    }
    if (kwh != NULL && services_file_parse_kwh(kwh, &target_wh) != EV_OK) {
        return failure_set(ret_failure, EV_ERR_PARSE, "\"%.40s\" is no amount of kWh (0.001 to 1000)", kwh);
    }
    if (find_open_wish(driver, &cp_id, target_wh, ret_request_id)) {
        return EV_OK;
    }
    err = requests_charge(&driver->requests, &time, &cp_id, target_wh, &effects);
    if (err != EV_OK) {
        return failure_set(ret_failure, err, "%d requests of this driver are open already",
                           REQUESTS_OPEN_MAX);
    }
    *ret_request_id = time.fresh_id;
    driver_carry_out(driver, &effects);
    return EV_OK;
}

size_t driver_stop(struct driver *driver)
{
    struct requests_effects effects;
    struct requests_time time = driver_time(driver);
    size_t stopped = requests_stop(&driver->requests, &time, &effects);

    driver_carry_out(driver, &effects);
    return stopped;
}

static void on_services_problem(void *user, uint32_t line, const char *text)
{
    struct driver *driver = user;

    (void)line;
    log_warn("driver.services_line_skipped", log_str("driver", driver->id.text), log_str("text", text));
}

static void hash_of(const uint8_t *bytes, size_t len, char ret_hash[REQUESTS_HASH_SIZE])
{
    uint8_t hash[(REQUESTS_HASH_SIZE - 1) / 2];

    (void)crypto_generichash(hash, sizeof hash, bytes, len, NULL, 0);
    (void)sodium_bin2hex(ret_hash, REQUESTS_HASH_SIZE, hash, sizeof hash);
}

static void log_begin(const struct driver *driver, enum requests_begin begin)
{
    const struct requests_services *services = &driver->requests.services;
    static const char *const words[] = {
        [REQUESTS_BEGIN_NEW] = "from its beginning",
        [REQUESTS_BEGIN_CONTINUED] = "goes on where it stopped",
        [REQUESTS_BEGIN_DONE_BEFORE] =
            "was served to its end before; the command `services FILE` serves it again",
    };

    log_info("driver.services", log_str("driver", driver->id.text), log_str("file", services->path),
             log_uint("services", services->count), log_uint("next", services->index + 1),
             log_str("text", words[begin]));
}

enum ev_err driver_serve(struct driver *driver, const char *path, bool again, struct failure *ret_failure)
{
    struct services_file file = {.items = NULL};
    struct requests_effects effects;
    struct requests_time time = driver_time(driver);
    char hash[REQUESTS_HASH_SIZE];
    char whole_path[PATH_MAX];
    enum requests_begin begin = REQUESTS_BEGIN_NEW;
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum ev_err err = EV_OK;

    if (driver->requests.services.attached && !requests_services_are_done(&driver->requests)) {
        return failure_set(ret_failure, EV_ERR_STATE, "%s is being served: %zu of %zu",
                           driver->requests.services.path, driver->requests.services.index + 1,
                           driver->requests.services.count);
    }
    err = state_file_read(path, &bytes, &len, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    hash_of(bytes, len, hash);
    err = services_file_parse((const char *)bytes, len, on_services_problem, driver, &file);
    state_dir_bytes_free(bytes, len);
    if (err != EV_OK) {
        return failure_set(ret_failure, err, "%s: %s (at most %d services)", path, ev_err_text(err),
                           SERVICES_MAX);
    }
    if (realpath(path, whole_path) == NULL || strlen(whole_path) >= REQUESTS_PATH_MAX ||
        !json_is_utf8(whole_path, strlen(whole_path))) {
        services_file_fini(&file);
        return failure_set(ret_failure, EV_ERR_RANGE, "%s: this path is too long, or no UTF-8", path);
    }
    err = requests_begin_services(&driver->requests, &time, whole_path, hash, &file, again, &begin, &effects);
    EV_ASSERT(err == EV_OK); /* looked at above */
    services_file_fini(&driver->services);
    driver->services = file;
    driver->services_done_told = false;
    log_begin(driver, begin);
    driver_carry_out(driver, &effects);
    return EV_OK;
}

void driver_close_services(struct driver *driver)
{
    struct requests_effects effects;
    struct requests_time time = driver_time(driver);

    if (!driver->passive && requests_services_are_done(&driver->requests)) {
        requests_end_services(&driver->requests, &time, &effects);
        driver_carry_out(driver, &effects);
    }
}

/* --- from Kafka --- */

void driver_on_record(struct driver *driver, const uint8_t *record, size_t len)
{
    struct notice notice;
    struct requests_effects effects;
    enum ev_err err = notices_open(&driver->keys, &driver->id, record, len, &notice);

    if (err == EV_ERR_UNKNOWN_KEY && driver->keys.current.epoch != 0 &&
        loop_now_ms(driver->shared->loop) - driver->key_asked_ms >= DRIVER_KEY_PAUSE_MS) {
        log_info("driver.key_stale", log_str("driver", driver->id.text),
                 log_str("text", "a notice came under a key that is not ours: asking for a new one"));
        driver_fetch_key(driver);
    }
    if (err != EV_OK) {
        log_debug("driver.notice_ignored", log_str("driver", driver->id.text),
                  log_str("error", ev_err_text(err)));
        return;
    }
    if (notice.type == NOTICE_LIVE) {
        driver->live = notice.live;
        driver_tell_live(driver);
        return;
    }
    struct requests_time time = driver_time(driver);
    requests_on_notice(&driver->requests, &time, &notice.session, &effects);
    driver_carry_out(driver, &effects);
}

void driver_on_delivery(struct driver *driver, const struct request_id *request_id, bool delivered,
                        const char *text)
{
    struct requests_effects effects;
    struct requests_time time = driver_time(driver);

    if (!delivered) {
        log_debug("driver.request_not_delivered", log_str("driver", driver->id.text),
                  log_str("request", request_id->text), log_str("text", text));
    }
    requests_on_delivered(&driver->requests, &time, request_id, delivered, &effects);
    driver_carry_out(driver, &effects);
}
