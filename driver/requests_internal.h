/* requests_internal.h - what the files of the pure core share. */
#ifndef EV_DRIVER_REQUESTS_INTERNAL_H
#define EV_DRIVER_REQUESTS_INTERNAL_H

#include "driver/requests.h"

/* False where there is no room (for telling: also where the rest is kept for what must be done). */
bool requests_emit(struct requests_effects *effects, enum requests_effect_type type,
                   const struct requests_entry *entry, const struct session_view *view, size_t number);

/* The end of every step: the journal first, then what may be sent. */
void requests_finish_step(struct requests *requests, const struct requests_time *time,
                          struct requests_effects *effects);

/* A new entry under the step's fresh id; NULL: no room. */
struct requests_entry *requests_add(struct requests *requests, const struct requests_time *time,
                                    const struct cp_id *cp_id, uint32_t target_wh);
void requests_remove(struct requests *requests, struct requests_entry *entry);

/* The service of this entry has its end (NULL view: its session is lost), or goes on without its ticket. The
 * entry is the caller's to remove, unless it was asked for again. */
enum requests_service_end { REQUESTS_SERVICE_ENDED, REQUESTS_SERVICE_ASKED_AGAIN };
enum requests_service_end requests_end_service(struct requests *requests, const struct requests_time *time,
                                               struct requests_entry *entry, const struct session_view *view,
                                               struct requests_effects *effects);
void requests_pass_service(struct requests *requests, const struct requests_time *time,
                           struct requests_entry *entry);

/* Asks for the next service when it is time. */
void requests_step_services(struct requests *requests, const struct requests_time *time,
                            struct requests_effects *effects);
/* When the next service may be asked for, as far as time decides; REQUESTS_NEVER. */
int64_t requests_services_next_ms(const struct requests *requests);

#endif
