/* supply_internal.h - how a step of supply says what is to be done: one function for each kind of effect. */
#ifndef EV_CP_ENGINE_SUPPLY_INTERNAL_H
#define EV_CP_ENGINE_SUPPLY_INTERNAL_H

#include "cp_engine/supply.h"

/* What one step works on. */
struct supply_run {
    struct supply *supply;
    const struct supply_event *event;
    struct supply_effects *effects;
};

struct message *supply_send_add(struct supply_run *run, enum message_type type);
void supply_send_status(struct supply_run *run, bool sync);
void supply_send_report(struct supply_run *run, const struct supply_report *report);
void supply_send_reservation_ended(struct supply_run *run, const struct session_id *session_id,
                                   enum message_reservation_end reason, const char *detail);

struct supply_journal_record *supply_journal_add(struct supply_run *run, enum supply_journal_kind kind,
                                                 const struct session_id *session_id, int64_t started_at_ms);
void supply_journal_end(struct supply_run *run, const struct supply_report *report);

/* A live sample of what runs, or the final one of `final`. */
void supply_publish(struct supply_run *run, const struct supply_report *final);

/* session_id: NULL for none. */
void supply_log_add(struct supply_run *run, const char *event, const struct session_id *session_id,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
