#include "central/central_run.h"

#include "central/control_port.h"
#include "central/dispatch.h"
#include "central/outbox.h"
#include "common/runtime/console.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONSOLE_WORDS_USED 4

/* Standard input has one owner, and so has the console; this says who prints its help. */
struct commands {
    struct central *central;
    void (*print_help)(void);
};

static struct commands commands; /* lives as long as standard input does */

static void print_status(const struct central *central)
{
    struct fleet_summary summary;
    const struct fleet_cp *cp = NULL;
    const char *after = "";

    fleet_summarise(central->fleet, loop_now_ms(central->loop), &summary);
    (void)printf("charge points %zu, open requests %zu, charging %zu, settling %zu, power %" PRIu64 " W\n",
                 summary.charge_points, summary.open_requests, summary.charging, summary.settling,
                 summary.power_w);
    (void)printf("kafka: %s; registry: %s; certificate: %s\n", central->health.kafka_text,
                 central->health.registry_text, central->health.certificate_text);
    (void)printf("records applied %" PRIu64 ", dropped %" PRIu64 ", lost %" PRIu64
                 "; outbox %zu; connections %zu\n",
                 central->counters.records_applied, central->counters.records_dropped,
                 central->counters.records_lost, outbox_waiting(central->outbox),
                 central->control_port != NULL ? control_port_connections(central->control_port) : 0);
    while ((cp = fleet_next_cp(central->fleet, after)) != NULL) {
        struct fleet_cp_view view;

        fleet_view_cp(central->fleet, cp, &view);
        (void)printf("  %-32s %-12s %s\n", view.id.text, cp_state_text(view.state), view.city);
        after = fleet_cp_id(cp)->text;
    }
}

static const struct {
    const char *name;
    enum fleet_event_type type;
    bool takes_all;
} orders[] = {
    {"stop", FLEET_ORDER_STOP, true},
    {"resume", FLEET_ORDER_RESUME, true},
    {"rotate-key", FLEET_ORDER_ROTATE_KEY, false},
    {"drop-key", FLEET_ORDER_DROP_KEY, false},
    {"revoke", FLEET_ORDER_REVOKE, false},
    {"price", FLEET_ORDER_PRICE, false},
};

static void order_one(struct central *central, enum fleet_event_type type, const struct cp_id *id,
                      uint32_t price)
{
    static const struct fleet_actor actor = {.who = "console"};
    struct fleet_event event;
    struct fleet_answer answer;

    dispatch_event_init(&event, type);
    event.actor = &actor;
    event.cp_id = *id;
    if (type == FLEET_ORDER_PRICE) {
        event.of.price_cents_per_kwh = price;
    }
    (void)dispatch_step(central, &event, &answer);
    (void)printf("%s: %s\n", id->text, answer.code == FLEET_ANSWER_OK ? "ok" : answer.detail);
}

static void order_all(struct central *central, enum fleet_event_type type)
{
    const struct fleet_cp *cp = NULL;
    struct cp_id id = {.text = ""};

    while ((cp = fleet_next_cp(central->fleet, id.text)) != NULL) {
        id = *fleet_cp_id(cp);
        order_one(central, type, &id, 0);
    }
}

static bool run_order(struct central *central, char *words[], size_t count)
{
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct cp_id id;
        int64_t price = 0;

        if (strcmp(words[0], orders[i].name) != 0) {
            continue;
        }
        if (orders[i].takes_all && count == 2 && strcmp(words[1], "all") == 0) {
            order_all(central, orders[i].type);
        } else if (count < 2 || cp_id_parse(words[1], &id) != EV_OK ||
                   (orders[i].type == FLEET_ORDER_PRICE &&
                    (count != 3 ||
                     options_parse_integer(words[2], 0, PRICE_CENTS_PER_KWH_MAX, &price) != EV_OK))) {
            (void)printf("usage: %s CP%s\n", words[0], orders[i].type == FLEET_ORDER_PRICE ? " CENTS" : "");
        } else {
            order_one(central, orders[i].type, &id, (uint32_t)price);
        }
        return true;
    }
    return false;
}

static void on_line(void *user, char *line)
{
    const struct commands *self = user;
    char *words[CONSOLE_WORDS_USED];
    size_t count = console_split(line, words, CONSOLE_WORDS_USED);

    if (count == 0) {
        return;
    }
    if (strcmp(words[0], "status") == 0) {
        print_status(self->central);
    } else if (strcmp(words[0], "help") == 0) {
        self->print_help();
    } else if (!run_order(self->central, words, count)) {
        (void)printf("unknown command \"%s\"; try help\n", words[0]);
    }
    (void)fflush(stdout);
}

enum ev_err central_console_new(struct central *central, void (*print_help)(void),
                                struct console **ret_console)
{
    commands = (struct commands){.central = central, .print_help = print_help};
    return console_new(central->loop, on_line, &commands, ret_console);
}
