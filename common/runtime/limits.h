/* limits.h - every cap of the running programs, in one place, each with its reason and what happens there.
 * Caps of formats live with their format: FRAME_PAYLOAD_MAX (common/wire/frame.h), the record limit
 * (common/wire/seal.h), ids (common/rules/ids.h). */
#ifndef EV_RUNTIME_LIMITS_H
#define EV_RUNTIME_LIMITS_H

/* --- log, options, console ---------------------------------------------------------------------------- */

/* One log line. Longer ones are cut and end in "...": a peer's text must not fill a terminal. */
#define LOG_LINE_MAX 4096
/* One line of standard input. A longer one is refused whole, with a message. */
#define CONSOLE_LINE_MAX 1024
/* Words of one command. */
#define CONSOLE_WORDS_MAX 16
/* Values of one repeated option (--city, -X, a list of brokers or names). More is a usage error. */
#define OPTIONS_ITEMS_MAX 1024

/* --- loop --------------------------------------------------------------------------------------------- */

/* Events taken per epoll_wait: bounds the time between two looks at the timers. */
#define LOOP_EVENTS_PER_WAKE 256
/* Timers fired per wake, for the same reason in the other direction. */
#define LOOP_TIMERS_PER_WAKE 4096
/* Posted functions waiting for the loop. Only workers post, and each has a bounded queue itself, so this
 * says that something is broken: loop_post asserts. */
#define LOOP_POSTS_MAX 1000000
/* Jobs waiting for one worker pool; worker_submit answers EV_ERR_FULL beyond. */
#define WORKER_JOBS_MAX 4096

/* --- connections -------------------------------------------------------------------------------------- */

/* Bytes of one connection that the peer has not taken yet. A charge point needs a few kilobytes a minute, so
 * a peer this far behind does not read: connection_send answers EV_ERR_FULL, its owner closes. */
#define CONNECTION_QUEUE_BYTES_MAX (256 * 1024)
/* The link of an engine and a monitor that carry N charge points (--count): all of them at once after a
 * reconnect. Set with connection_set_queue_max. */
#define CONNECTION_QUEUE_BYTES_PAIR_MAX (64 * 1024 * 1024)
/* Bytes taken from one connection per wake, so that a fast peer cannot keep the others waiting. */
#define CONNECTION_READ_BYTES_PER_WAKE (128 * 1024)
/* A frame that has begun must end within this time: a half frame holds memory. */
#define CONNECTION_HALF_FRAME_MS 10000
/* From accept to the end of the TLS handshake. 800 handshakes a second and core were measured, so thousands
 * that return at once need several seconds; and an attacker's half handshake costs 12 kB for as long. */
#define CONNECTION_HANDSHAKE_MS 10000
/* From connect() to the end of the handshake, for those who dial. */
#define CONNECTION_CONNECT_MS 15000
/* How long an orderly close waits for the peer to take what is queued. */
#define CONNECTION_CLOSE_MS 3000
/* Accepted connections of one listener, where its owner says nothing else. Descriptors are the real limit
 * (raise it with `ulimit -n`); at the cap the listener stops accepting and the kernel's backlog waits. */
#define LISTENER_CONNECTIONS_MAX 30000
/* Accepts per wake of one listener. */
#define LISTENER_ACCEPTS_PER_WAKE 64
/* Retry of accept after EMFILE, ENFILE, ENOBUFS, ENOMEM, or at the cap. */
#define LISTENER_PAUSE_MS 200
/* Certificates that a peer may present: root, authority, leaf, one to spare. */
#define TLS_CHAIN_MAX 4
/* Names that are being looked up at once; more wait their turn. */
#define RESOLVER_THREADS 2

/* --- Kafka -------------------------------------------------------------------------------------------- */

/* Records that wait for the broker in one producer, unless its owner says otherwise: at one sample a second
 * and charge point, 100 charge points for 15 minutes; about 40 MB at most. Beyond: EV_ERR_FULL, and the owner
 * thins or refuses visibly. */
#define KAFKA_PRODUCER_QUEUE_MAX 100000
#define KAFKA_PRODUCER_QUEUE_KBYTES_MAX (64 * 1024)
/* Fetched records waiting in the client, over all partitions; librdkafka's own default is 64 MB. */
#define KAFKA_CONSUMER_QUEUE_KBYTES_MAX (32 * 1024)
/* Records handed over per wake: at about 1 us each the loop is never away for more than a few ms. */
#define KAFKA_RECORDS_PER_WAKE 2048
/* Partitions that one consumer may be assigned. */
#define KAFKA_PARTITIONS_MAX 1024
/* A file of the state directory that is read whole (keys, certificates, passwords, pairing files). */
#define STATE_FILE_MAX (1024 * 1024)

/* --- HTTP ----------------------------------------------------------------------------------------------- */

/* Calls that one client runs at once: a fleet of monitors enrolling together must not flood Registry. */
#define HTTP_CLIENT_PARALLEL_MAX 32
/* Calls running and queued; http_client_send answers EV_ERR_FULL beyond. */
#define HTTP_CLIENT_CALLS_MAX 50000
#define HTTP_CLIENT_TIMEOUT_MS 15000
#define HTTP_CLIENT_CONNECT_MS 5000
#define HTTP_CLIENT_RESPONSE_MAX ((size_t)1024 * 1024)
/* Body of a request: the largest honest ones are lists of 1000 ids. 413 beyond. */
#define HTTP_BODY_MAX ((size_t)64 * 1024)
/* Connections of one listener, and of one address; the kernel's backlog waits beyond. */
#define HTTP_CONNECTIONS_MAX 4096
#define HTTP_CONNECTIONS_PER_ADDRESS_MAX 2048
/* A connection without a byte for so long is closed (streams send comments more often). */
#define HTTP_IDLE_SECONDS 60
/* Bytes that a slow reader of a stream may be behind. */
#define HTTP_STREAM_BYTES_MAX ((size_t)1024 * 1024)
/* All files of the dashboard together. */
#define HTTP_STATIC_BYTES_MAX ((size_t)64 * 1024 * 1024)
/* Segments {x} of one route. */
#define HTTP_PATH_PARTS_MAX 4
#define HTTP_PATH_MAX 2048

/* --- Central: store, sign-ins, API ---------------------------------------------------------------------- */

/* Changes of one transaction. Ingestion pauses far below (STORE_BACKLOG_MAX); beyond, store_add refuses. */
#define STORE_BATCH_MAX 1000000
/* Changes waiting for a commit above which Kafka's consumers are paused: about a second of the disk's work.
 */
#define STORE_BACKLOG_MAX 50000
/* Live sign-ins; the oldest ends when one more comes. */
#define ACCOUNTS_TOKENS_MAX 1000
/* How long a sign-in lasts without being renewed. */
#define ACCOUNTS_TOKEN_MS (12LL * 60 * 60 * 1000)
/* Failed sign-ins of one address within ACCOUNTS_WINDOW_MS before it has to wait (429). */
#define ACCOUNTS_FAILURES_MAX 8
#define ACCOUNTS_WINDOW_MS 60000
/* Addresses whose failures are remembered; the table is small and the oldest is forgotten. */
#define ACCOUNTS_ADDRESSES_MAX 1024
/* Passwords being checked at once, each 64 MiB for about 90 ms; more answer 429. */
#define ACCOUNTS_CHECKS_MAX 4

#endif
