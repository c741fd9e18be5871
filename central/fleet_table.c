#include "central/fleet_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where `name` is, or would be, in an array of pointers to structures ordered by a text at offset `at`. */
static size_t order_index(void *const *items, size_t count, size_t at, const char *name)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp((const char *)items[middle] + at, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool order_insert(void ***items, size_t *count, size_t *capacity, size_t at, void *item)
{
    size_t index = 0;

    if (*count == *capacity) {
        size_t next = *capacity == 0 ? 64 : *capacity * 2;
        void **grown = realloc(*items, next * sizeof *grown);

        if (grown == NULL) {
            return false;
        }
        *items = grown;
        *capacity = next;
    }
    index = order_index(*items, *count, at, (const char *)item + at);
    memmove(*items + index + 1, *items + index, (*count - index) * sizeof **items);
    (*items)[index] = item;
    (*count)++;
    return true;
}

size_t fleet_cp_index(const struct fleet *fleet, const char *id)
{
    return order_index(fleet->cp_order, fleet->cp_count, offsetof(struct fleet_cp, id), id);
}

size_t fleet_city_index(const struct fleet *fleet, const char *name)
{
    return order_index(fleet->city_order, fleet->city_count, offsetof(struct fleet_city, name), name);
}

struct fleet_cp *fleet_cp_any(const struct fleet *fleet, const struct cp_id *id)
{
    return map_find(&fleet->cps, id->text);
}

struct fleet_cp *fleet_cp_make(struct fleet *fleet, const struct cp_id *id)
{
    struct fleet_cp *cp = fleet_cp_any(fleet, id);

    if (cp != NULL || fleet->cp_count >= FLEET_CPS_MAX) {
        return cp;
    }
    cp = calloc(1, sizeof *cp);
    if (cp == NULL) {
        return NULL;
    }
    cp->id = *id;
    cp->speed = 1;
    cp->since_ms = fleet->event->wall_ms;
    cp->away_mono_ms = fleet->event->mono_ms;
    charge_point_init(&cp->facts, 0);
    if (map_put(&fleet->cps, cp->id.text, cp) != EV_OK) {
        free(cp);
        return NULL;
    }
    if (!order_insert(&fleet->cp_order, &fleet->cp_count, &fleet->cp_capacity, offsetof(struct fleet_cp, id),
                      cp)) {
        (void)map_remove(&fleet->cps, cp->id.text);
        free(cp);
        return NULL;
    }
    return cp;
}

struct fleet_city *fleet_city_find(const struct fleet *fleet, const char *name)
{
    return map_find(&fleet->cities, name);
}

struct fleet_city *fleet_city_make(struct fleet *fleet, const char *name)
{
    struct fleet_city *city = fleet_city_find(fleet, name);

    if (city != NULL || fleet->city_count >= FLEET_CITIES_MAX) {
        return city;
    }
    city = calloc(1, sizeof *city);
    if (city == NULL) {
        return NULL;
    }
    fleet_copy(city->name, sizeof city->name, name);
    if (map_put(&fleet->cities, city->name, city) != EV_OK) {
        free(city);
        return NULL;
    }
    if (!order_insert(&fleet->city_order, &fleet->city_count, &fleet->city_capacity,
                      offsetof(struct fleet_city, name), city)) {
        (void)map_remove(&fleet->cities, city->name);
        free(city);
        return NULL;
    }
    return city;
}

static void node_key(enum fleet_role role, const char *id, char ret_key[40])
{
    (void)snprintf(ret_key, 40, "%u:%.32s", (unsigned)role, id);
}

struct fleet_driver *fleet_node_find(const struct fleet *fleet, enum fleet_role role, const char *id)
{
    char key[40];

    node_key(role, id, key);
    return map_find(&fleet->nodes, key);
}

struct fleet_driver *fleet_node_make(struct fleet *fleet, enum fleet_role role, const char *id)
{
    struct fleet_driver *node = fleet_node_find(fleet, role, id);

    if (node != NULL || fleet->nodes.count >= FLEET_NODES_MAX) {
        return node;
    }
    node = calloc(1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->role = role;
    node_key(role, id, node->key);
    fleet_copy(node->id, sizeof node->id, id);
    if (map_put(&fleet->nodes, node->key, node) != EV_OK) {
        free(node);
        return NULL;
    }
    return node;
}

/* -- sessions -- */

static void request_key(const struct driver_id *driver, const struct request_id *request, char *ret_key)
{
    (void)snprintf(ret_key, sizeof((struct fleet_session *)0)->request_key, "%s/%s", driver->text,
                   request->text);
}

struct fleet_session *fleet_session_any(const struct fleet *fleet, const struct session_id *id)
{
    return map_find(&fleet->sessions, id->text);
}

const struct fleet_session *fleet_find_session(const struct fleet *fleet, const struct session_id *id)
{
    return fleet_session_any(fleet, id);
}

const struct fleet_session *fleet_find_request(const struct fleet *fleet, const struct driver_id *driver,
                                               const struct request_id *request)
{
    char key[sizeof((struct fleet_session *)0)->request_key];

    request_key(driver, request, key);
    return map_find(&fleet->requests, key);
}

int64_t fleet_session_now(const struct fleet *fleet, const struct fleet_session *session)
{
    return session->base_wall_ms + (fleet->event->mono_ms - session->base_mono_ms);
}

static void session_forget(struct fleet *fleet, struct fleet_session *session)
{
    (void)map_remove(&fleet->sessions, session->s.id.text);
    if (map_find(&fleet->requests, session->request_key) == session) {
        (void)map_remove(&fleet->requests, session->request_key);
    }
    free(session);
}

static void count_state(struct fleet *fleet, enum session_state state, size_t by)
{
    if (state == SESSION_REQUESTED || state == SESSION_PREPARING) {
        fleet->open_requests += by;
    } else if (state == SESSION_CHARGING) {
        fleet->charging += by;
    } else if (state == SESSION_SETTLING) {
        fleet->settling += by;
    }
}

struct fleet_session *fleet_session_add(struct fleet *fleet, const struct session *session)
{
    struct fleet_session *added = NULL;
    int64_t latest = fleet->event->wall_ms;

    if (fleet->active_count >= FLEET_SESSIONS_MAX || fleet_session_any(fleet, &session->id) != NULL) {
        return NULL;
    }
    added = calloc(1, sizeof *added);
    if (added == NULL) {
        return NULL;
    }
    added->s = *session;
    added->cp = fleet_cp_any(fleet, &session->cp_id);
    added->driver = fleet_node_find(fleet, FLEET_ROLE_DRIVER, session->driver_id.text);
    /* A wall clock that was set back meanwhile must not put the present before the session's past. */
    latest = session->requested_ms > latest ? session->requested_ms : latest;
    latest = session->started_ms > latest ? session->started_ms : latest;
    latest = session->settling_ms > latest ? session->settling_ms : latest;
    added->base_wall_ms = latest;
    added->base_mono_ms = fleet->event->mono_ms;
    added->heard_mono_ms = fleet->event->mono_ms;
    added->live_mono_ms = INT64_MIN / 2;
    added->complaint_mono_ms = INT64_MIN / 2;
    request_key(&session->driver_id, &session->request_id, added->request_key);
    if (map_put(&fleet->sessions, added->s.id.text, added) != EV_OK) {
        free(added);
        return NULL;
    }
    if (map_put(&fleet->requests, added->request_key, added) != EV_OK) {
        (void)map_remove(&fleet->sessions, added->s.id.text);
        free(added);
        return NULL;
    }
    added->active = true;
    added->next = fleet->active;
    if (fleet->active != NULL) {
        fleet->active->previous = added;
    }
    fleet->active = added;
    fleet->active_count++;
    count_state(fleet, added->s.state, 1);
    return added;
}

static void retire(struct fleet *fleet, struct fleet_session *session)
{
    if (session->previous != NULL) {
        session->previous->next = session->next;
    } else {
        fleet->active = session->next;
    }
    if (session->next != NULL) {
        session->next->previous = session->previous;
    }
    session->active = false;
    session->next = session->previous = NULL;
    fleet->active_count--;
    if (fleet->recent_last != NULL) {
        fleet->recent_last->next = session;
    } else {
        fleet->recent_first = session;
    }
    fleet->recent_last = session;
    fleet->recent_count++;
    if (fleet->recent_count > FLEET_RECENT_MAX) {
        struct fleet_session *oldest = fleet->recent_first;

        fleet->recent_first = oldest->next;
        fleet->recent_count--;
        session_forget(fleet, oldest);
    }
}

void fleet_session_moved(struct fleet *fleet, struct fleet_session *session, enum session_state before)
{
    count_state(fleet, before, SIZE_MAX); /* minus one */
    count_state(fleet, session->s.state, 1);
    if (session->s.state == SESSION_PREPARING || session->s.state == SESSION_CHARGING) {
        if (session->cp != NULL) {
            session->cp->current = session;
        }
        if (session->driver != NULL) {
            session->driver->current = session;
        }
    } else if (session->s.state != SESSION_REQUESTED) {
        if (session->cp != NULL && session->cp->current == session) {
            session->cp->current = NULL;
        }
        if (session->driver != NULL && session->driver->current == session) {
            session->driver->current = NULL;
        }
    }
    if (session_is_ended(&session->s) && session->active) {
        retire(fleet, session);
    }
}

static void free_values(struct map *map)
{
    size_t cursor = 0;
    void *value = NULL;

    while ((value = map_next(map, &cursor)) != NULL) {
        free(value);
    }
    map_fini(map);
}

void fleet_free(struct fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    map_fini(&fleet->requests);
    free_values(&fleet->sessions);
    free_values(&fleet->nodes);
    free_values(&fleet->cps);
    free_values(&fleet->cities);
    free(fleet->cp_order);
    free(fleet->city_order);
    free(fleet);
}
