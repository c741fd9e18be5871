/* api_health.c - liveness, readiness and metrics. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/api_internal.h"
#include "common/runtime/loop.h"

void api_healthz(struct http_exchange *exchange, void *user)
{
    (void)user;
    http_reply(exchange, 200, "application/json", "{\"status\":\"ok\"}", 15);
}

struct readiness {
    const char *reasons[4];
    size_t count;
};

static void write_readiness(struct json_writer *writer, void *arg)
{
    const struct readiness *ready = arg;
    json_write_object_begin(writer, NULL);
    json_write_text(writer, "status", ready->count == 0 ? "ready" : "waiting");
    json_write_array_begin(writer, "reasons");
    for (size_t i = 0; i < ready->count; i++)
        json_write_text(writer, NULL, ready->reasons[i]);
    json_write_array_end(writer);
    json_write_object_end(writer);
}

void api_readyz(struct http_exchange *exchange, void *user)
{
    const struct central *central = ((struct api *)user)->central;
    struct readiness ready = {.count = 0};
    struct api_text text = {0};
    if (!central->health.certificate)
        ready.reasons[ready.count++] = central->health.certificate_text;
    if (!store_is_healthy(central->store))
        ready.reasons[ready.count++] = "the database does not take changes: is the disk full?";
    if (!central->health.kafka)
        ready.reasons[ready.count++] = central->health.kafka_text;
    api_text_add_object(&text, write_readiness, &ready);
    api_reply_text(exchange, ready.count == 0 ? 200 : 503, &text);
}

static void add_metric(struct api_text *text, const char *name, const char *type, const char *help,
                       const char *labels, uint64_t value)
{
    char line[400];
    if (help != NULL)
        (void)snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s %s\n%s%s %" PRIu64 "\n", name, help, name,
                       type, name, labels, value);
    else
        (void)snprintf(line, sizeof line, "%s%s %" PRIu64 "\n", name, labels, value);
    api_text_add_string(text, line);
}

static void add_counters(struct api_text *text, const struct central_counters *counters)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } all[] = {
        {"ev_telemetry_records_applied_total", "Telemetry records applied.", counters->records_applied},
        {"ev_telemetry_records_lost_total", "Gaps in the sequences of telemetry records.",
         counters->records_lost},
        {"ev_telemetry_samples_refused_total", "Samples opened, but not believed.",
         counters->samples_refused},
        {"ev_requests_applied_total", "Requests of drivers applied.", counters->requests_applied},
        {"ev_requests_refused_total", "Requests of drivers dropped unread.", counters->requests_refused},
        {"ev_control_connections_accepted_total", "Control connections that said hello and were welcome.",
         counters->control_accepted},
        {"ev_control_connections_refused_total", "Control connections refused in the handshake or at hello.",
         counters->control_refused},
        {"ev_control_connections_dropped_total", "Control connections lost.", counters->control_dropped},
        {"ev_notices_sent_total", "Notices to drivers.", counters->notices_sent},
        {"ev_notices_dropped_total", "Notices for drivers without a key, or beyond the buffer.",
         counters->notices_dropped},
        {"ev_status_sent_total", "Clear status records.", counters->status_sent},
        {"ev_sessions_finished_total", "Tickets issued.", counters->sessions_finished},
        {"ev_energy_billed_watt_hours_total", "Energy of tickets.", counters->energy_wh_billed},
        {"ev_cost_billed_cents_total", "Money of tickets.", counters->cost_cents_billed},
        {"ev_keys_issued_total", "Symmetric keys issued.", counters->keys_issued},
        {"ev_audit_suppressed_total", "Audit entries folded into one of their burst.",
         counters->audit_suppressed},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        add_metric(text, all[i].name, "counter", all[i].help, "", all[i].value);
    static const char DROPPED[] = "ev_telemetry_records_dropped_total";
    add_metric(text, DROPPED, "counter", "Telemetry records dropped.", "{reason=\"malformed\"}",
               counters->records_malformed);
    add_metric(text, DROPPED, NULL, NULL, "{reason=\"unknown_key\"}", counters->records_unknown_key);
    add_metric(text, DROPPED, NULL, NULL, "{reason=\"bad_seal\"}", counters->records_bad_seal);
    add_metric(text, DROPPED, NULL, NULL, "{reason=\"replayed\"}", counters->records_replayed);
    add_metric(text, DROPPED, NULL, NULL, "{reason=\"beyond\"}", counters->records_beyond);
}

void api_metrics(struct http_exchange *exchange, void *user)
{
    const struct central *central = ((struct api *)user)->central;
    struct fleet_summary summary;
    struct api_text text = {0};
    char label[48];
    fleet_summarise(central->fleet, loop_now_ms(central->loop), &summary);
    add_counters(&text, &central->counters);
    for (int state = 0; state < CP_STATE_COUNT; state++) {
        (void)snprintf(label, sizeof label, "{state=\"%s\"}", cp_state_text((enum cp_state)state));
        add_metric(&text, "ev_charge_points", "gauge", state == 0 ? "Charge points by state." : NULL, label,
                   summary.states[state]);
    }
    add_metric(&text, "ev_power_watts", "gauge", "Power that flows.", "", summary.power_w);
    add_metric(&text, "ev_open_requests", "gauge", "Sessions requested or preparing.", "",
               summary.open_requests);
    add_metric(&text, "ev_store_backlog", "gauge", "Changes that wait for their commit.", "",
               store_backlog(central->store));
    add_metric(&text, "ev_kafka_up", "gauge", "Whether Kafka answers.", "", central->health.kafka ? 1 : 0);
    add_metric(&text, "ev_registry_up", "gauge", "Whether Registry answers.", "",
               central->health.registry ? 1 : 0);
    http_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", text.bytes, text.len);
    free(text.bytes);
}
