/* mock_cluster.h - librdkafka's mock cluster, on an address of our choice.
 * Used by tools/ev_broker.c alone. Owns one librdkafka handle and its threads.
 * Invariant: one broker; the address that it listens on is the one that it tells clients. */
#ifndef EV_TOOLS_MOCK_CLUSTER_H
#define EV_TOOLS_MOCK_CLUSTER_H

#include <stddef.h>

struct mock_cluster;

struct mock_topic {
    const char *name;
    int partitions; /* 1 .. 1000 */
};

/* Starts the broker and creates the topics.
 *   host      a numeric IPv4 address of this machine, not a wildcard: it is also what clients are told
 *   port      1 .. 65535; checked first, because librdkafka aborts on a port that is taken
 *   ret_why   on failure: one line for people, without a newline
 * Returns NULL on failure. Block signals before: librdkafka's threads inherit the mask. */
struct mock_cluster *mock_cluster_new(const char *host, int port, const struct mock_topic *topics,
                                      size_t topic_count, char *ret_why, size_t why_size);

/* "HOST:PORT", as clients are told. Lives as long as the cluster. */
const char *mock_cluster_bootstrap(const struct mock_cluster *cluster);

/* Closes every connection and forgets every record. NULL is accepted. */
void mock_cluster_free(struct mock_cluster *cluster);

#endif
