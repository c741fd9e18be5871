/* events.c - collects changes, writes each once, and sends to every client what it may see. */
#include "central/events.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_internal.h"
#include "central/map.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/wire/time_text.h"

/* One event as it is sent. For everybody (`open`), and what admins get instead where that differs (`full`).
 */
struct entry {
    uint64_t seq;
    char *open;      /* NULL: not for the public */
    char *full;      /* NULL: as `open` */
    char driver[33]; /* a session event: its driver gets `full`, "" otherwise */
    size_t bytes;
};

struct client {
    struct events *events;
    struct client *next, *previous;
    struct http_stream *stream;
    bool admin;
    char driver[33];
    uint64_t sent; /* seq of the last entry looked at */
};

/* What changed since the last flush: a name once, in the order of the first change. */
struct dirty {
    char (*names)[65];
    size_t count, capacity;
};

struct events {
    struct central *central;
    char boot[17]; /* ids of an earlier life do not fit */
    struct entry ring[EVENTS_KEPT];
    uint64_t next_seq;  /* 1 .. */
    uint64_t first_seq; /* oldest kept */
    size_t kept_bytes;
    struct client *clients;
    size_t client_count;
    struct dirty charge_points, sessions, cities;
    struct loop_timer *flush, *summary, *comment;
    struct api_today today;
    int64_t today_read_ms;
    char last_summary[API_OBJECT_MAX];
};

static const struct api_viewer PUBLIC_VIEWER = {.admin = false};
static const struct api_viewer ADMIN_VIEWER = {.admin = true};

/* ---- the ring ---- */

static void drop_oldest(struct events *events)
{
    struct entry *entry = &events->ring[events->first_seq % EVENTS_KEPT];
    events->kept_bytes -= entry->bytes;
    free(entry->open);
    free(entry->full);
    memset(entry, 0, sizeof *entry);
    events->first_seq++;
}

/* "id: BOOT-SEQ\nevent: NAME\ndata: JSON\n\n"; JSON has no line breaks. */
static char *format_event(const struct events *events, uint64_t seq, const char *name, const char *json)
{
    size_t capacity = strlen(json) + strlen(name) + 80;
    char *text = malloc(capacity);
    EV_ASSERT(text != NULL);
    (void)snprintf(text, capacity, "id: %s-%" PRIu64 "\nevent: %s\ndata: %s\n\n", events->boot, seq, name,
                   json);
    return text;
}

/* open NULL: for admins and that driver alone; full NULL: the same for all. */
static void add_entry(struct events *events, const char *name, const char *open, const char *full,
                      const char *driver)
{
    uint64_t seq = events->next_seq++;
    while (seq - events->first_seq >= EVENTS_KEPT ||
           (events->kept_bytes > EVENTS_KEPT_BYTES && events->first_seq < seq))
        drop_oldest(events);
    struct entry *entry = &events->ring[seq % EVENTS_KEPT];
    entry->seq = seq;
    entry->open = open == NULL ? NULL : format_event(events, seq, name, open);
    entry->full = full == NULL ? NULL : format_event(events, seq, name, full);
    (void)snprintf(entry->driver, sizeof entry->driver, "%s", driver);
    entry->bytes =
        (entry->open == NULL ? 0 : strlen(entry->open)) + (entry->full == NULL ? 0 : strlen(entry->full));
    events->kept_bytes += entry->bytes;
}

static const char *entry_for(const struct entry *entry, const struct client *client)
{
    bool entitled = client->admin || (entry->driver[0] != '\0' && strcmp(entry->driver, client->driver) == 0);
    if (entitled && entry->full != NULL)
        return entry->full;
    return entry->open;
}

/* ---- clients ---- */

static void free_client(struct client *client)
{
    struct events *events = client->events;
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        events->clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    events->client_count--;
    free(client);
}

static void on_client_closed(void *user)
{
    free_client(user);
}

static void close_client(struct client *client)
{
    http_stream_close(client->stream);
    free_client(client);
}

/* False: the client was closed, being too slow; it resumes by its last id. */
static bool send_text(struct client *client, const char *bytes, size_t len)
{
    if (len == 0 || http_stream_send(client->stream, bytes, len) == EV_OK)
        return true;
    close_client(client);
    return false;
}

static void send_news(struct client *client)
{
    struct events *events = client->events;
    struct api_text text = {0};
    for (uint64_t seq = client->sent + 1; seq < events->next_seq; seq++) {
        const char *piece = entry_for(&events->ring[seq % EVENTS_KEPT], client);
        if (piece != NULL)
            api_text_add_string(&text, piece);
    }
    client->sent = events->next_seq - 1;
    if (text.len > 0)
        (void)send_text(client, text.bytes, text.len);
    free(text.bytes);
}

/* Where to go on after Last-Event-ID; false: it is not known any more. */
static bool find_position(const struct events *events, const char *last_id, uint64_t *ret_seq)
{
    size_t boot = strlen(events->boot);
    int64_t seq = 0;
    if (strlen(last_id) <= boot + 1 || strncmp(last_id, events->boot, boot) != 0 || last_id[boot] != '-' ||
        options_parse_integer(last_id + boot + 1, 0, INT64_MAX, &seq) != EV_OK)
        return false;
    if ((uint64_t)seq + 1 < events->first_seq || (uint64_t)seq >= events->next_seq)
        return false;
    *ret_seq = (uint64_t)seq;
    return true;
}

void events_serve(struct events *events, struct http_exchange *exchange, const struct api_viewer *viewer)
{
    const char *last_id = http_header(exchange, "Last-Event-ID");
    uint64_t position = events->next_seq - 1;
    char hello[128];
    if (events->client_count >= EVENTS_CLIENTS_MAX) {
        http_reply_header(exchange, "Retry-After", "5");
        http_reply_problem(exchange, 503, "too many listeners: try again later");
        return;
    }
    bool known = last_id == NULL || last_id[0] == '\0' || find_position(events, last_id, &position);
    struct client *client = calloc(1, sizeof *client);
    EV_ASSERT(client != NULL);
    client->events = events;
    client->admin = viewer->admin;
    client->sent = position;
    if (viewer->driver_id != NULL)
        (void)snprintf(client->driver, sizeof client->driver, "%s", viewer->driver_id);
    http_reply_header(exchange, "Cache-Control", "no-store");
    if (http_stream_begin(exchange, "text/event-stream", on_client_closed, client, &client->stream) !=
        EV_OK) {
        free(client);
        http_reply_problem(exchange, 503, "no stream can be opened now: try again");
        return;
    }
    client->next = events->clients;
    if (client->next != NULL)
        client->next->previous = client;
    events->clients = client;
    events->client_count++;
    (void)snprintf(hello, sizeof hello, "retry: 1000\nid: %s-%" PRIu64 "\n%s\n", events->boot, position,
                   known ? ": welcome\n" : "event: reset\ndata: {}\n");
    if (send_text(client, hello, strlen(hello)))
        send_news(client);
}

/* ---- what changed ---- */

static void mark(struct dirty *dirty, const char *name)
{
    /* A flush has few names; the newest are looked at first since changes of one object come together. */
    for (size_t i = dirty->count; i > 0 && dirty->count - i < 64; i--) {
        if (strcmp(dirty->names[i - 1], name) == 0)
            return;
    }
    if (dirty->count == dirty->capacity) {
        size_t capacity = dirty->capacity == 0 ? 64 : dirty->capacity * 2;
        void *grown = realloc(dirty->names, capacity * sizeof dirty->names[0]);
        EV_ASSERT(grown != NULL);
        dirty->names = grown;
        dirty->capacity = capacity;
    }
    (void)snprintf(dirty->names[dirty->count++], sizeof dirty->names[0], "%s", name);
}

static void schedule_flush(struct events *events)
{
    if (!loop_timer_is_running(events->flush))
        loop_timer_start(events->flush, EVENTS_FLUSH_MS);
}

static void on_announce(void *user, const struct fleet_effect *effect)
{
    struct events *events = user;
    switch (effect->of.announce.what) {
    case FLEET_ANNOUNCE_CHARGE_POINT:
        mark(&events->charge_points, effect->of.announce.cp_id.text);
        break;
    case FLEET_ANNOUNCE_SESSION:
        mark(&events->sessions, effect->of.announce.session_id.text);
        break;
    case FLEET_ANNOUNCE_WEATHER:
        mark(&events->cities, effect->of.announce.city);
        break;
    }
    schedule_flush(events);
}

/* ---- writing what changed ---- */

static const char *finish(struct json_writer *writer, char *buffer)
{
    size_t len = 0;
    enum ev_err err = json_writer_finish(writer, &len);
    EV_ASSERT(err == EV_OK && len < API_OBJECT_MAX);
    buffer[len] = '\0';
    return buffer;
}

static void write_removed(char *buffer, const char *member, const char *name)
{
    struct json_writer writer;
    json_writer_init(&writer, buffer, API_OBJECT_MAX);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, member, name);
    json_write_bool(&writer, "removed", true);
    json_write_object_end(&writer);
    (void)finish(&writer, buffer);
}

static void add_charge_point(struct events *events, const char *name)
{
    char open[API_OBJECT_MAX], full[API_OBJECT_MAX];
    struct cp_id id;
    struct json_writer writer;
    struct fleet_cp_view view;
    const struct fleet_cp *cp =
        cp_id_parse(name, &id) == EV_OK ? fleet_find_cp(events->central->fleet, &id) : NULL;
    if (cp == NULL) {
        write_removed(open, "id", name);
        add_entry(events, "charge-point", open, NULL, "");
        return;
    }
    fleet_view_cp(events->central->fleet, cp, &view);
    json_writer_init(&writer, open, sizeof open);
    api_write_charge_point(&writer, NULL, &view, &PUBLIC_VIEWER);
    (void)finish(&writer, open);
    json_writer_init(&writer, full, sizeof full);
    api_write_charge_point(&writer, NULL, &view, &ADMIN_VIEWER);
    (void)finish(&writer, full);
    add_entry(events, "charge-point", open, view.has_session ? full : NULL, "");
}

static void add_session(struct events *events, const char *name)
{
    char full[API_OBJECT_MAX];
    struct session_id id;
    struct json_writer writer;
    struct store_session row;
    if (session_id_parse(name, &id) != EV_OK)
        return;
    const struct fleet_session *session = fleet_find_session(events->central->fleet, &id);
    if (session != NULL)
        fleet_session_row(session, &row);
    else if (store_find_session(events->central->store, &id, &row) != EV_OK)
        return;
    json_writer_init(&writer, full, sizeof full);
    api_write_session(&writer, NULL, &row);
    add_entry(events, "session", NULL, finish(&writer, full), row.driver_id.text);
}

static void add_city(struct events *events, const char *name)
{
    char open[API_OBJECT_MAX];
    struct json_writer writer;
    struct fleet_weather_view view = {.city = ""};
    int64_t now_ms = loop_now_ms(events->central->loop);
    bool found = false;
    while (!found && fleet_next_weather(events->central->fleet, view.city, now_ms, &view))
        found = strcmp(view.city, name) == 0;
    if (!found) {
        write_removed(open, "city", name);
        add_entry(events, "weather", open, NULL, "");
        return;
    }
    json_writer_init(&writer, open, sizeof open);
    api_write_weather(&writer, NULL, &view);
    add_entry(events, "weather", finish(&writer, open), NULL, "");
}

static void flush_dirty(struct events *events, struct dirty *dirty,
                        void (*add)(struct events *, const char *))
{
    for (size_t i = 0; i < dirty->count; i++)
        add(events, dirty->names[i]);
    dirty->count = 0;
}

static void send_to_all(struct events *events)
{
    for (struct client *client = events->clients, *next = NULL; client != NULL; client = next) {
        next = client->next;
        send_news(client);
    }
}

static void on_flush(void *user)
{
    struct events *events = user;
    flush_dirty(events, &events->charge_points, add_charge_point);
    flush_dirty(events, &events->sessions, add_session);
    flush_dirty(events, &events->cities, add_city);
    send_to_all(events);
}

static void on_audit_row(void *user, const struct store_audit_row *row)
{
    struct events *events = user;
    char open[API_OBJECT_MAX], full[API_OBJECT_MAX];
    struct json_writer writer;
    json_writer_init(&writer, open, sizeof open);
    api_write_audit(&writer, NULL, row, &PUBLIC_VIEWER);
    (void)finish(&writer, open);
    json_writer_init(&writer, full, sizeof full);
    api_write_audit(&writer, NULL, row, &ADMIN_VIEWER);
    (void)finish(&writer, full);
    add_entry(events, "audit", events->central->options.private_audit ? NULL : open, full, "");
    schedule_flush(events);
}

/* ---- summary and comments ---- */

void events_today(struct events *events, struct api_today *ret_today)
{
    int64_t now_ms = loop_now_ms(events->central->loop);
    if (events->today_read_ms == 0 || now_ms - events->today_read_ms >= EVENTS_SUMMARY_MS) {
        struct api_today today = {0};
        if (store_sum_tickets(events->central->store, time_text_day_start(wall_now_ms()), &today.energy_wh,
                              &today.cost_cents) == EV_OK)
            events->today = today;
        events->today_read_ms = now_ms;
    }
    *ret_today = events->today;
}

static void on_summary(void *user)
{
    struct events *events = user;
    char text[API_OBJECT_MAX];
    struct json_writer writer;
    struct api_today today;
    if (events->clients == NULL)
        return;
    events_today(events, &today);
    json_writer_init(&writer, text, sizeof text);
    api_write_summary(&writer, events->central, &today, loop_now_ms(events->central->loop), wall_now_ms());
    (void)finish(&writer, text);
    if (strcmp(text, events->last_summary) == 0)
        return;
    (void)snprintf(events->last_summary, sizeof events->last_summary, "%s", text);
    add_entry(events, "summary", text, NULL, "");
    send_to_all(events);
}

static void on_comment(void *user)
{
    struct events *events = user;
    for (struct client *client = events->clients, *next = NULL; client != NULL; client = next) {
        next = client->next;
        (void)send_text(client, ": still here\n\n", 14);
    }
}

/* ---- life ---- */

enum ev_err events_new(struct central *central, struct events **ret_events)
{
    unsigned char boot[8];
    struct events *events = calloc(1, sizeof *events);
    EV_ASSERT(events != NULL);
    events->central = central;
    events->next_seq = events->first_seq = 1;
    randombytes_buf(boot, sizeof boot);
    (void)sodium_bin2hex(events->boot, sizeof events->boot, boot, sizeof boot);
    if (loop_timer_new(central->loop, on_flush, events, &events->flush) != EV_OK ||
        loop_timer_new(central->loop, on_summary, events, &events->summary) != EV_OK ||
        loop_timer_new(central->loop, on_comment, events, &events->comment) != EV_OK) {
        events_free(events);
        return EV_ERR_NOMEM;
    }
    loop_timer_repeat(events->summary, EVENTS_SUMMARY_MS);
    loop_timer_repeat(events->comment, EVENTS_COMMENT_MS);
    dispatch_on_announce(central->dispatch, on_announce, events);
    store_on_audit(central->store, on_audit_row, events);
    *ret_events = events;
    return EV_OK;
}

void events_free(struct events *events)
{
    if (events == NULL)
        return;
    for (struct client *client = events->clients, *next = NULL; client != NULL; client = next) {
        next = client->next;
        close_client(client);
    }
    while (events->first_seq < events->next_seq)
        drop_oldest(events);
    free(events->charge_points.names);
    free(events->sessions.names);
    free(events->cities.names);
    if (events->flush != NULL)
        loop_timer_free(events->flush);
    if (events->summary != NULL)
        loop_timer_free(events->summary);
    if (events->comment != NULL)
        loop_timer_free(events->comment);
    free(events);
}
