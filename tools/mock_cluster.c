/* mock_cluster.c - see mock_cluster.h.
 *
 * librdkafka's mock broker binds 127.0.0.1 with port 0 and has no option for another address. The
 * executable's own bind() is found before libc's, and exchanges the address of that one call. */
#include "tools/mock_cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct mock_cluster {
    rd_kafka_t *handle;            /* owned; carries the cluster's threads */
    rd_kafka_mock_cluster_t *mock; /* owned */
    const char *bootstrap;         /* of the mock cluster */
};

/* Read by bind() on whatever thread the library binds on; written before and after that, by the main thread.
 */
static struct sockaddr_in wanted_address;
static atomic_bool address_is_wanted;

static int bind_plain(int fd, const struct sockaddr *address, socklen_t length)
{
    return (int)syscall(SYS_bind, fd, address, length);
}

/* Takes the place of libc's bind() for librdkafka too. Only a call for "loopback, any port" is changed, and
 * only once. */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_in asked;
    int yes = 1;

    if (address->sa_family != AF_INET || length < sizeof(asked)) {
        return bind_plain(fd, address, length);
    }
    memcpy(&asked, address, sizeof(asked));
    if (asked.sin_port != 0 || asked.sin_addr.s_addr != htonl(INADDR_LOOPBACK) ||
        !atomic_exchange(&address_is_wanted, false)) {
        return bind_plain(fd, address, length);
    }
    /* a broker that comes back must not wait for its old connections' TIME_WAIT */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    return bind_plain(fd, (const struct sockaddr *)&wanted_address, sizeof(wanted_address));
}

static bool parse_address(const char *host, int port, struct sockaddr_in *ret_address, char *ret_why,
                          size_t why_size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    if (port < 1 || port > 65535) {
        (void)snprintf(ret_why, why_size, "port %d: 1 to 65535 expected", port);
        return false;
    }
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &address.sin_addr) != 1) {
        (void)snprintf(ret_why, why_size, "%s: a numeric IPv4 address expected", host);
        return false;
    }
    if (address.sin_addr.s_addr == htonl(INADDR_ANY)) {
        (void)snprintf(ret_why, why_size,
                       "%s: one address expected, since clients are told to come back to it", host);
        return false;
    }
    address.sin_port = htons((uint16_t)port);
    *ret_address = address;
    return true;
}

static bool check_free(const struct sockaddr_in *address, char *ret_why, size_t why_size)
{
    char text[INET_ADDRSTRLEN] = "";
    int yes = 1;
    bool good = false;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        good = bind_plain(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 && listen(fd, 1) == 0;
    }
    if (!good) {
        int error = errno;
        (void)inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
        (void)snprintf(ret_why, why_size, "cannot listen on %s:%d: %s", text, ntohs(address->sin_port),
                       strerror(error));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

static rd_kafka_t *new_handle(char *ret_why, size_t why_size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *handle = NULL;

    /* The handle never talks to a broker itself: the cluster only needs its threads and its log. */
    (void)rd_kafka_conf_set(conf, "client.id", "ev_broker", NULL, 0);
    (void)rd_kafka_conf_set(conf, "log_level", "4", NULL, 0);
    handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, ret_why, why_size);
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return handle;
}

struct mock_cluster *mock_cluster_new(const char *host, int port, const struct mock_topic *topics,
                                      size_t topic_count, char *ret_why, size_t why_size)
{
    struct mock_cluster *cluster = NULL;
    struct mock_cluster *result = NULL;
    struct sockaddr_in address;

    if (!parse_address(host, port, &address, ret_why, why_size) || !check_free(&address, ret_why, why_size)) {
        goto out;
    }
    cluster = calloc(1, sizeof(*cluster));
    if (cluster == NULL) {
        (void)snprintf(ret_why, why_size, "out of memory");
        goto out;
    }
    cluster->handle = new_handle(ret_why, why_size);
    if (cluster->handle == NULL) {
        goto out;
    }
    wanted_address = address;
    atomic_store(&address_is_wanted, true);
    cluster->mock = rd_kafka_mock_cluster_new(cluster->handle, 1);
    if (cluster->mock == NULL || atomic_exchange(&address_is_wanted, false)) {
        (void)snprintf(ret_why, why_size, "librdkafka %s did not start a broker on the address asked for",
                       rd_kafka_version_str());
        goto out;
    }
    cluster->bootstrap = rd_kafka_mock_cluster_bootstraps(cluster->mock);
    for (size_t i = 0; i < topic_count; i++) {
        rd_kafka_resp_err_t error =
            rd_kafka_mock_topic_create(cluster->mock, topics[i].name, topics[i].partitions, 1);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            (void)snprintf(ret_why, why_size, "cannot create topic %s: %s", topics[i].name,
                           rd_kafka_err2str(error));
            goto out;
        }
    }
    result = cluster;
    cluster = NULL;
out:
    mock_cluster_free(cluster);
    return result;
}

const char *mock_cluster_bootstrap(const struct mock_cluster *cluster)
{
    return cluster->bootstrap;
}

void mock_cluster_free(struct mock_cluster *cluster)
{
    if (cluster == NULL) {
        return;
    }
    if (cluster->mock != NULL) {
        rd_kafka_mock_cluster_destroy(cluster->mock);
    }
    if (cluster->handle != NULL) {
        rd_kafka_destroy(cluster->handle);
    }
    free(cluster);
}
