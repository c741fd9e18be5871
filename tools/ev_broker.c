/* ev_broker.c - the embedded broker: a Kafka for one machine and one run, in memory, without Java.
 * A process of its own, so that Central can die alone. */
#include "common/rules/ev_err.h"
#include "common/runtime/console.h"
#include "common/runtime/failure.h"
#include "common/runtime/limits.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/options.h"
#include "tools/mock_cluster.h"

#include <stdio.h>
#include <string.h>

/* As the contract has them; Central could not create them here, since the mock knows no CreateTopics. */
static const struct mock_topic topic_table[] = {
    {"ev.telemetry", 16},
    {"ev.requests", 4},
    {"ev.notices", 4},
    {"ev.status", 4},
};
#define TOPIC_COUNT (sizeof(topic_table) / sizeof(topic_table[0]))

static const struct option_spec option_table[] = {
    {.name = "listen",
     .kind = OPTION_HOST_PORT,
     .default_text = "127.0.0.1:9092",
     .help =
         "One numeric IPv4 address of this machine; clients are told to use it. Anyone who reaches it may "
         "read and write: the broker knows neither TLS nor passwords."},
    {.name = NULL},
};

static const struct options_text_pair command_table[] = {
    {"status", "the address and the topics"},
    {"help", "this list"},
    {NULL, NULL},
};

static const struct options_text_pair example_table[] = {
    {"ev_broker", "on 127.0.0.1:9092, until SIGTERM or Ctrl-C"},
    {"ev_broker --listen 127.0.0.1:19092", "beside another broker"},
    {NULL, NULL},
};

static const struct options_program program = {
    .name = "ev_broker",
    .summary =
        "The embedded broker: speaks Kafka's protocol, keeps everything in memory, forgets it at its end. "
        "The state directory stays empty.",
    .options = option_table,
    .commands = command_table,
    .examples = example_table,
};

struct context {
    const struct options *options;
    const struct mock_cluster *cluster;
};

static void print_status(const struct mock_cluster *cluster)
{
    printf("listening on %s\n", mock_cluster_bootstrap(cluster));
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        printf("%s: %d partitions\n", topic_table[i].name, topic_table[i].partitions);
    }
}

static void on_line(void *user, char *line)
{
    const struct context *context = user;

    if (strcmp(line, "status") == 0) {
        print_status(context->cluster);
    } else if (strcmp(line, "help") == 0) {
        options_print_commands(context->options);
    } else {
        printf("`%s` is not understood here; `help` lists the commands.\n", line);
    }
    (void)fflush(stdout);
}

/* What a person who takes this for a real Kafka would otherwise find out the hard way. */
static void log_limits(void)
{
    log_warn("broker.limit",
             log_str("what", "in memory only: a restart loses every record and every offset, and "
                             "gives the cluster a new id"));
    log_warn("broker.limit",
             log_str("what", "keeps 5 MiB or 100000 batches a partition; older records vanish and "
                             "a reader that lags behind is moved on without a word"));
    log_warn("broker.limit",
             log_str("what", "no TLS, no passwords, no CreateTopics, no seek by time, no "
                             "replication; a topic that is asked for by name is created with 4 "
                             "partitions"));
    log_info("broker.hint", log_str("what", "for data that stays: evnet up --kafka native"));
}

static enum ev_err serve(struct loop *loop, const struct options *options, struct failure *ret_failure)
{
    struct mock_cluster *cluster = NULL;
    struct console *console = NULL;
    struct host_port listen;
    struct context context = {.options = options};
    char why[FAILURE_TEXT_MAX] = "";
    enum ev_err err = EV_OK;

    options_host_port(options, "listen", 0, &listen);
    cluster = mock_cluster_new(listen.host, listen.port, topic_table, TOPIC_COUNT, why, sizeof(why));
    if (cluster == NULL) {
        err = failure_set(ret_failure, EV_ERR_IO, "%s", why);
        goto out;
    }
    context.cluster = cluster;
    err = console_new(loop, on_line, &context, &console);
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot read commands: %s", ev_err_text(err));
        goto out;
    }
    log_limits();
    log_info("broker.listening", log_str("address", mock_cluster_bootstrap(cluster)));
    err = loop_run(loop);
    log_info("broker.stopped");
out:
    console_free(console);
    mock_cluster_free(cluster);
    return err;
}

int main(int argc, char *argv[])
{
    struct options *options = NULL;
    struct loop *loop = NULL;
    struct failure failure = {{0}};
    int exit_code = 1;

    if (options_parse(&program, argc, argv, &options, &exit_code) != EV_OK) {
        return exit_code;
    }
    exit_code = 1;
    /* before librdkafka starts threads: it blocks the signals */
    if (loop_new(&loop) != EV_OK) {
        (void)failure_set(&failure, EV_ERR_IO, "cannot make an event loop");
        goto out;
    }
    if (serve(loop, options, &failure) == EV_OK) {
        exit_code = 0;
    }
out:
    if (failure.text[0] != '\0') {
        (void)fprintf(stderr, "ev_broker: %s\n", failure.text);
    }
    loop_free(loop);
    options_free(options);
    return exit_code;
}
