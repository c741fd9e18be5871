/* Connections over real sockets: TLS with both certificates, keys of a pairing, pins, frames, limits, ends.
 */
#include "common/runtime/connection.h"
#include "common/runtime/limits.h"
#include "common/wire/frame.h"
#include "tests/runtime/tls_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* One side of a connection and what it has seen. */
struct side {
    struct connection *connection;
    struct peer_identity peer;
    char root_pem[64];
    bool ready;
    bool closed;
    enum ev_err err;
    char text[256];
    size_t frames;
    size_t bytes;
    char last[64];
    bool echo;
    bool close_on_frame;
    bool free_on_frame;
};

struct scene {
    struct loop *loop;
    struct support_authority authority;
    struct listener *listener;
    struct side server; /* the last accepted */
    struct side client;
    unsigned accepted;
    unsigned refused;
    enum ev_err refused_err;
    char refused_text[256];
    char refused_address[64];
    bool drop_accepted; /* free inside on_accept */
};

static void on_ready(struct connection *connection, void *user)
{
    struct side *side = user;
    const char *root = connection_peer_root_pem(connection);
    side->ready = true;
    side->peer = *connection_peer(connection);
    if (root != NULL) {
        snprintf(side->root_pem, sizeof side->root_pem, "%.60s", root);
    }
}

static void on_frame(struct connection *connection, const uint8_t *bytes, size_t len, void *user)
{
    struct side *side = user;
    assert_ptr_equal(connection, side->connection);
    side->frames++;
    side->bytes += len;
    snprintf(side->last, sizeof side->last, "%.*s", (int)(len < 60 ? len : 60), (const char *)bytes);
    if (side->echo) {
        assert_int_equal(connection_send(connection, bytes, len), EV_OK);
    }
    if (side->close_on_frame) {
        connection_close(connection);
    }
    if (side->free_on_frame) {
        connection_free(connection);
        side->connection = NULL;
    }
}

static void on_closed(struct connection *connection, enum ev_err err, const char *text, void *user)
{
    struct side *side = user;
    assert_ptr_equal(connection, side->connection);
    assert_false(side->closed);
    assert_true(text[0] != '\0');
    side->closed = true;
    side->connection = NULL;
    side->err = err;
    snprintf(side->text, sizeof side->text, "%s", text);
}

static const struct connection_callbacks callbacks = {on_ready, on_frame, on_closed};

static void on_accept(struct connection *connection, void *user)
{
    struct scene *scene = user;
    scene->accepted++;
    if (scene->drop_accepted) {
        connection_free(connection);
        return;
    }
    scene->server.connection = connection;
    scene->server.ready = true;
    scene->server.peer = *connection_peer(connection);
    connection_set_callbacks(connection, &callbacks, &scene->server);
}

static void on_refused(const char *address, enum ev_err err, const char *reason, void *user)
{
    struct scene *scene = user;
    scene->refused++;
    scene->refused_err = err;
    snprintf(scene->refused_text, sizeof scene->refused_text, "%s", reason);
    snprintf(scene->refused_address, sizeof scene->refused_address, "%s", address);
}

static int scene_setup(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_int_equal(loop_new_plain(&scene->loop), EV_OK);
    support_authority_init(&scene->authority, "Test authority");
    *state = scene;
    return 0;
}

static int scene_teardown(void **state)
{
    struct scene *scene = *state;
    connection_free(scene->client.connection);
    connection_free(scene->server.connection);
    listener_free(scene->listener);
    support_authority_fini(&scene->authority);
    loop_free(scene->loop);
    free(scene);
    return 0;
}

static void listen_with(struct scene *scene, struct tls_credentials *credentials,
                        struct listener_config extra)
{
    struct failure failure = {.text = ""};
    struct listener_config config = extra;
    snprintf(config.address.host, sizeof config.address.host, "127.0.0.1");
    config.credentials = credentials;
    config.on_accept = on_accept;
    config.on_refused = on_refused;
    config.user = scene;
    assert_int_equal(listener_new(scene->loop, &config, &scene->listener, &failure), EV_OK);
    assert_true(listener_port(scene->listener) > 0);
    tls_credentials_free(credentials);
}

static void dial_with(struct scene *scene, struct tls_credentials *credentials, enum node_role expected_role)
{
    struct connection_target target = {.credentials = credentials, .expected_role = expected_role};
    snprintf(target.address.host, sizeof target.address.host, "127.0.0.1");
    target.address.port = listener_port(scene->listener);
    assert_int_equal(
        connection_connect(scene->loop, &target, &callbacks, &scene->client, &scene->client.connection),
        EV_OK);
    tls_credentials_free(credentials);
}

static bool both_ready(void *user)
{
    struct scene *scene = user;
    return scene->client.ready && scene->server.ready;
}

static bool client_closed(void *user)
{
    return ((struct scene *)user)->client.closed;
}

static bool server_closed(void *user)
{
    return ((struct scene *)user)->server.closed;
}

static bool both_closed(void *user)
{
    return client_closed(user) && server_closed(user);
}

static bool was_refused(void *user)
{
    return ((struct scene *)user)->refused > 0;
}

static bool refused_and_closed(void *user)
{
    return was_refused(user) && client_closed(user);
}

static struct tls_credentials *central(struct scene *scene)
{
    return support_credentials(&scene->authority, "urn:ev:central:central", "127.0.0.1");
}

static struct tls_credentials *charge_point(struct scene *scene)
{
    return support_credentials(&scene->authority, "urn:ev:cp:MAD-01", NULL);
}

static void connect_mutual(struct scene *scene)
{
    listen_with(scene, central(scene), (struct listener_config){.expected_role = NODE_ROLE_CP});
    dial_with(scene, charge_point(scene), NODE_ROLE_CENTRAL);
    assert_true(support_run_until(scene->loop, both_ready, scene, 10000));
}

static void connect_clear(struct scene *scene)
{
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    dial_with(scene, NULL, NODE_ROLE_NONE);
    assert_true(support_run_until(scene->loop, both_ready, scene, 10000));
}

/* A socket without any of our code behind it. */
static int dial_raw(const struct scene *scene)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(listener_port(scene->listener))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* --- TLS --- */

static bool one_echoed(void *user)
{
    return ((struct scene *)user)->client.frames == 1;
}

static void both_sides_learn_who_the_other_is(void **state)
{
    struct scene *scene = *state;
    connect_mutual(scene);
    assert_int_equal(scene->server.peer.role, NODE_ROLE_CP);
    assert_string_equal(scene->server.peer.id, "MAD-01");
    assert_int_equal(strlen(scene->server.peer.key_sha256), 64);
    assert_int_equal(strlen(scene->server.peer.serial), 32);
    assert_true(scene->server.peer.expires_at_ms > wall_now_ms());
    assert_int_equal(scene->client.peer.role, NODE_ROLE_CENTRAL);
    assert_null(strchr(connection_peer_address(scene->server.connection), '['));
    scene->server.echo = true;
    assert_int_equal(connection_send(scene->client.connection, "hello", 5), EV_OK);
    assert_true(support_run_until(scene->loop, one_echoed, scene, 5000));
    assert_string_equal(scene->client.last, "hello");
}

static void expect_refused(struct scene *scene, struct tls_credentials *client, const char *server_says,
                           const char *client_says)
{
    listen_with(scene, central(scene), (struct listener_config){.expected_role = NODE_ROLE_CP});
    dial_with(scene, client, NODE_ROLE_CENTRAL);
    assert_true(support_run_until(scene->loop, refused_and_closed, scene, 10000));
    assert_int_equal(scene->accepted, 0);
    assert_int_equal(scene->refused_err, EV_ERR_AUTH);
    assert_string_equal(scene->refused_text, server_says);
    assert_non_null(strstr(scene->refused_address, "127.0.0.1:"));
    assert_int_equal(scene->client.err, EV_ERR_AUTH);
    assert_string_equal(scene->client.text, client_says);
}

static void a_certificate_of_another_authority_is_refused(void **state)
{
    struct scene *scene = *state;
    struct support_authority other;
    support_authority_init(&other, "Test authority"); /* the same name does not help */
    struct support_node node;
    struct tls_credentials *credentials = NULL;
    support_node_init(&node, &other,
                      &(struct support_node_spec){.uri = "urn:ev:cp:MAD-01", .from_s = -60, .until_s = 60});
    /* It knows our authority, but was not issued by it. */
    assert_int_equal(
        tls_credentials_new(node.certificate_pem, node.key_pem, scene->authority.pem, &credentials, NULL),
        EV_OK);
    support_node_fini(&node);
    support_authority_fini(&other);
    expect_refused(scene, credentials, "the peer's certificate does not verify",
                   "the peer refuses our certificate");
}

static void a_self_made_certificate_is_refused(void **state)
{
    struct scene *scene = *state;
    struct support_authority other;
    support_authority_init(&other, "Somebody else");
    struct support_node node;
    struct tls_credentials *credentials = NULL;
    support_node_init(&node, &other,
                      &(struct support_node_spec){.uri = "urn:ev:cp:MAD-01", .from_s = -60, .until_s = 60});
    assert_int_equal(
        tls_credentials_new(node.certificate_pem, node.key_pem, scene->authority.pem, &credentials, NULL),
        EV_OK);
    support_node_fini(&node);
    support_authority_fini(&other);
    expect_refused(scene, credentials, "the peer's certificate was not issued by our authority",
                   "the peer refuses our certificate: issued by another authority");
}

static struct tls_credentials *credentials_of(struct scene *scene, struct support_node_spec spec)
{
    struct support_node node;
    struct tls_credentials *credentials = NULL;
    support_node_init(&node, &scene->authority, &spec);
    assert_int_equal(
        tls_credentials_new(node.certificate_pem, node.key_pem, scene->authority.pem, &credentials, NULL),
        EV_OK);
    support_node_fini(&node);
    return credentials;
}

static void an_expired_certificate_is_refused(void **state)
{
    struct scene *scene = *state;
    struct support_node_spec spec = {.uri = "urn:ev:cp:MAD-01", .from_s = -3600, .until_s = -60};
    expect_refused(scene, credentials_of(scene, spec), "the peer's certificate has expired",
                   "the peer refuses our certificate: expired");
}

static void a_certificate_of_the_future_is_refused(void **state)
{
    struct scene *scene = *state;
    struct support_node_spec spec = {.uri = "urn:ev:cp:MAD-01", .from_s = 3600, .until_s = 7200};
    expect_refused(scene, credentials_of(scene, spec),
                   "the peer's certificate is not valid yet (do the clocks agree?)",
                   "the peer refuses our certificate");
}

static void another_role_is_refused(void **state)
{
    struct scene *scene = *state;
    struct support_node_spec spec = {.uri = "urn:ev:driver:ANA", .from_s = -60, .until_s = 60};
    expect_refused(scene, credentials_of(scene, spec), "the peer is a driver (ANA), expected is a cp",
                   "the peer refuses our role");
}

static void a_certificate_without_a_name_of_ours_is_refused(void **state)
{
    struct scene *scene = *state;
    struct support_node_spec spec = {.dns = "example.org", .name = "MAD-01", .from_s = -60, .until_s = 60};
    expect_refused(scene, credentials_of(scene, spec), "the peer's certificate names no node of ours",
                   "the peer refuses our certificate");
}

static void a_client_without_certificate_is_refused(void **state)
{
    struct scene *scene = *state;
    struct tls_credentials *pinned = NULL;
    assert_int_equal(tls_credentials_new_pinned(scene->authority.sha256, &pinned, NULL), EV_OK);
    listen_with(scene, central(scene), (struct listener_config){.expected_role = NODE_ROLE_CP});
    dial_with(scene, pinned, NODE_ROLE_CENTRAL);
    assert_true(support_run_until(scene->loop, refused_and_closed, scene, 10000));
    assert_int_equal(scene->refused_err, EV_ERR_AUTH);
    assert_string_equal(scene->refused_text, "the peer has no certificate");
    assert_string_equal(scene->client.text, "the peer requires a certificate");
    assert_non_null(strstr(scene->client.root_pem, "BEGIN CERTIFICATE"));
}

static void a_pin_of_another_root_is_refused_before_anything_is_sent(void **state)
{
    struct scene *scene = *state;
    struct tls_credentials *pinned = NULL;
    uint8_t pin[TLS_PIN_SIZE] = {1, 2, 3};
    assert_int_equal(tls_credentials_new_pinned(pin, &pinned, NULL), EV_OK);
    listen_with(scene, central(scene), (struct listener_config){.expected_role = NODE_ROLE_CP});
    dial_with(scene, pinned, NODE_ROLE_NONE);
    assert_true(support_run_until(scene->loop, client_closed, scene, 10000));
    assert_false(scene->client.ready);
    assert_int_equal(scene->client.err, EV_ERR_AUTH);
    assert_string_equal(scene->client.text, "the peer's authority is not the one that the invitation names");
}

static void a_server_of_another_host_or_role_is_refused(void **state)
{
    struct scene *scene = *state;
    /* A charge point's certificate whose id is a host's name: neither the role nor the common name passes. */
    struct support_node_spec spec = {.uri = "urn:ev:central:central",
                                     .dns = "central.example",
                                     .name = "127.0.0.1",
                                     .from_s = -60,
                                     .until_s = 60};
    listen_with(scene, credentials_of(scene, spec),
                (struct listener_config){.expected_role = NODE_ROLE_NONE});
    dial_with(scene, charge_point(scene), NODE_ROLE_CENTRAL);
    assert_true(support_run_until(scene->loop, client_closed, scene, 10000));
    assert_int_equal(scene->client.err, EV_ERR_AUTH);
    assert_string_equal(scene->client.text, "the peer's certificate is not for 127.0.0.1");
}

static void a_reloaded_certificate_serves_the_next_handshake(void **state)
{
    struct scene *scene = *state;
    struct tls_credentials *credentials = central(scene);
    struct support_node node;
    (void)tls_credentials_ref(credentials);
    listen_with(scene, credentials, (struct listener_config){.expected_role = NODE_ROLE_CP});
    support_node_init(&node, &scene->authority,
                      &(struct support_node_spec){
                          .uri = "urn:ev:central:renewed", .ip = "127.0.0.1", .from_s = -60, .until_s = 60});
    assert_int_not_equal(
        tls_credentials_reload(credentials, node.certificate_pem, "no key", scene->authority.pem, NULL),
        EV_OK);
    assert_int_equal(
        tls_credentials_reload(credentials, node.certificate_pem, node.key_pem, scene->authority.pem, NULL),
        EV_OK);
    support_node_fini(&node);
    tls_credentials_free(credentials);
    dial_with(scene, charge_point(scene), NODE_ROLE_CENTRAL);
    assert_true(support_run_until(scene->loop, both_ready, scene, 10000));
    assert_string_equal(scene->client.peer.id, "renewed");
}

static struct tls_credentials *paired(uint8_t first, const char *identity)
{
    struct tls_credentials *credentials = NULL;
    uint8_t key[TLS_PSK_SIZE] = {first};
    assert_int_equal(tls_credentials_new_psk(identity, key, &credentials, NULL), EV_OK);
    return credentials;
}

static void engine_and_monitor_meet_with_one_key(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, paired(1, "pairing"), (struct listener_config){.expected_role = NODE_ROLE_NONE});
    dial_with(scene, paired(1, "pairing"), NODE_ROLE_NONE);
    assert_true(support_run_until(scene->loop, both_ready, scene, 10000));
    assert_int_equal(scene->server.peer.role, NODE_ROLE_NONE);
    scene->server.echo = true;
    assert_int_equal(connection_send(scene->client.connection, "over psk", 8), EV_OK);
    assert_true(support_run_until(scene->loop, one_echoed, scene, 5000));
    assert_string_equal(scene->client.last, "over psk");
}

static void another_pairing_key_is_refused(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, paired(1, "pairing"), (struct listener_config){.expected_role = NODE_ROLE_NONE});
    dial_with(scene, paired(2, "pairing"), NODE_ROLE_NONE);
    assert_true(support_run_until(scene->loop, refused_and_closed, scene, 10000));
    assert_int_equal(scene->refused_err, EV_ERR_AUTH);
    assert_string_equal(scene->refused_text, "the peer does not share our key");
    assert_int_equal(scene->client.err, EV_ERR_AUTH);
    assert_string_equal(scene->client.text, "the peer does not share our key");
    assert_int_equal(scene->accepted, 0);
}

static void another_pairing_identity_is_refused(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, paired(1, "pairing"), (struct listener_config){.expected_role = NODE_ROLE_NONE});
    dial_with(scene, paired(1, "other"), NODE_ROLE_NONE);
    assert_true(support_run_until(scene->loop, refused_and_closed, scene, 10000));
    assert_int_equal(scene->accepted, 0);
    assert_false(scene->client.ready);
}

static void clear_text_at_a_tls_port_is_refused(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, central(scene), (struct listener_config){.expected_role = NODE_ROLE_CP});
    int fd = dial_raw(scene);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_true(support_run_until(scene->loop, was_refused, scene, 5000));
    assert_int_equal(scene->refused_err, EV_ERR_TLS);
    close(fd);
}

static void a_handshake_that_never_comes_times_out(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, central(scene),
                (struct listener_config){.expected_role = NODE_ROLE_CP, .handshake_timeout_ms = 100});
    int fd = dial_raw(scene);
    assert_true(support_run_until(scene->loop, was_refused, scene, 5000));
    assert_int_equal(scene->refused_err, EV_ERR_TIMEOUT);
    assert_int_equal(listener_connection_count(scene->listener), 0);
    close(fd);
}

/* --- frames --- */

static bool server_has_three(void *user)
{
    return ((struct scene *)user)->server.frames == 3;
}

static void frames_in_any_pieces_arrive_whole(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    int fd = dial_raw(scene);
    static const char bytes[] = "\0\0\0\3one\0\0\0\3two\0\0\0\5three";
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_int_equal(write(fd, bytes + i, 1), 1);
        assert_int_equal(loop_run_once(scene->loop, 10), EV_OK);
    }
    assert_true(support_run_until(scene->loop, server_has_three, scene, 5000));
    assert_string_equal(scene->server.last, "three");
    assert_int_equal(scene->server.bytes, 11);
    close(fd);
    assert_true(support_run_until(scene->loop, server_closed, scene, 5000));
    assert_int_equal(scene->server.err, EV_ERR_CLOSED);
}

static bool server_has_largest(void *user)
{
    return ((struct scene *)user)->server.bytes == 3 * (size_t)FRAME_PAYLOAD_MAX;
}

static void the_largest_frames_pass_through_tls(void **state)
{
    struct scene *scene = *state;
    connect_mutual(scene);
    char *bytes = malloc(FRAME_PAYLOAD_MAX);
    memset(bytes, 'x', FRAME_PAYLOAD_MAX);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(connection_send(scene->client.connection, bytes, FRAME_PAYLOAD_MAX), EV_OK);
    }
    assert_int_equal(connection_send(scene->client.connection, bytes, FRAME_PAYLOAD_MAX + 1), EV_ERR_RANGE);
    assert_int_equal(connection_send(scene->client.connection, bytes, 0), EV_ERR_RANGE);
    assert_true(support_run_until(scene->loop, server_has_largest, scene, 5000));
    assert_int_equal(scene->server.frames, 3);
    assert_int_equal(connection_queued_bytes(scene->client.connection), 0);
    free(bytes);
}

static void expect_closed_by_bytes(struct scene *scene, const void *bytes, size_t len, enum ev_err err)
{
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    int fd = dial_raw(scene);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_true(support_run_until(scene->loop, server_closed, scene, 5000));
    assert_int_equal(scene->server.err, err);
    assert_int_equal(listener_connection_count(scene->listener), 0);
    close(fd);
}

static void a_frame_beyond_the_limit_ends_the_connection(void **state)
{
    expect_closed_by_bytes(*state, "\0\1\0\1", 4, EV_ERR_TOO_LARGE);
}

static void an_empty_frame_ends_the_connection(void **state)
{
    expect_closed_by_bytes(*state, "\0\0\0\0", 4, EV_ERR_PARSE);
}

static bool server_ready(void *user)
{
    return ((struct scene *)user)->server.ready;
}

static void silence_ends_the_connection_where_it_was_asked(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    int fd = dial_raw(scene);
    assert_true(support_run_until(scene->loop, server_ready, scene, 5000));
    connection_set_idle_timeout(scene->server.connection, 150);
    int64_t began_ms = monotonic_now_ms();
    for (int i = 0; i < 3; i++) { /* frames keep it alive beyond its time */
        int64_t until_ms = monotonic_now_ms() + 80;
        assert_int_equal(write(fd, "\0\0\0\1a", 5), 5);
        while (monotonic_now_ms() < until_ms) {
            assert_int_equal(loop_run_once(scene->loop, 10), EV_OK);
        }
    }
    assert_false(scene->server.closed);
    assert_true(support_run_until(scene->loop, server_closed, scene, 5000));
    assert_true(monotonic_now_ms() - began_ms >= 300);
    assert_int_equal(scene->server.err, EV_ERR_TIMEOUT);
    close(fd);
}

static void a_peer_that_does_not_read_fills_the_queue(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    int fd = dial_raw(scene);
    char bytes[8192] = "";
    assert_true(support_run_until(scene->loop, server_ready, scene, 5000));
    connection_set_queue_max(scene->server.connection, 64 * 1024);
    enum ev_err err = EV_OK;
    for (int i = 0; i < 100000 && err == EV_OK; i++) {
        err = connection_send(scene->server.connection, bytes, sizeof bytes);
        assert_int_equal(loop_run_once(scene->loop, 0), EV_OK);
    }
    assert_int_equal(err, EV_ERR_FULL);
    assert_true(connection_queued_bytes(scene->server.connection) <= 64 * 1024);
    assert_false(scene->server.closed); /* its owner decides */
    connection_free(scene->server.connection);
    scene->server.connection = NULL;
    assert_int_equal(listener_connection_count(scene->listener), 0);
    close(fd);
}

/* --- ends --- */

static void an_orderly_close_delivers_what_was_queued(void **state)
{
    struct scene *scene = *state;
    connect_mutual(scene);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(connection_send(scene->client.connection, "last words", 10), EV_OK);
    }
    /* The server sends at the same time, which must not reset the client's words away. */
    assert_int_equal(connection_send(scene->server.connection, "unheard", 7), EV_OK);
    connection_close(scene->client.connection);
    assert_false(scene->client.closed); /* never from inside the call */
    assert_int_equal(connection_send(scene->client.connection, "x", 1), EV_ERR_CLOSED);
    assert_true(support_run_until(scene->loop, both_closed, scene, 5000));
    assert_int_equal(scene->client.err, EV_OK);
    assert_int_equal(scene->server.frames, 3);
    assert_int_equal(scene->server.err, EV_ERR_CLOSED);
    assert_string_equal(scene->server.text, "closed by the peer");
    assert_int_equal(scene->client.frames, 0);
}

static void closing_inside_on_frame_ends_after_that_frame(void **state)
{
    struct scene *scene = *state;
    connect_clear(scene);
    scene->server.close_on_frame = true;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connection_send(scene->client.connection, "frame", 5), EV_OK);
    }
    assert_true(support_run_until(scene->loop, both_closed, scene, 5000));
    assert_int_equal(scene->server.frames, 1);
    assert_int_equal(scene->server.err, EV_OK);
}

static bool client_closed_by_free(void *user)
{
    struct scene *scene = user;
    return scene->client.closed && scene->server.connection == NULL;
}

static void freeing_inside_on_frame_calls_nothing_more(void **state)
{
    struct scene *scene = *state;
    connect_mutual(scene);
    scene->server.free_on_frame = true;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connection_send(scene->client.connection, "frame", 5), EV_OK);
    }
    assert_true(support_run_until(scene->loop, client_closed_by_free, scene, 5000));
    assert_int_equal(scene->server.frames, 1);
    assert_false(scene->server.closed);
}

static void a_connection_freed_in_on_accept_is_gone(void **state)
{
    struct scene *scene = *state;
    scene->drop_accepted = true;
    listen_with(scene, central(scene), (struct listener_config){.expected_role = NODE_ROLE_CP});
    dial_with(scene, charge_point(scene), NODE_ROLE_CENTRAL);
    assert_true(support_run_until(scene->loop, client_closed, scene, 5000));
    assert_int_equal(scene->accepted, 1);
    assert_int_equal(listener_connection_count(scene->listener), 0);
}

static void a_refused_connection_is_told_in_words(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    struct connection_target target = {.address = {.port = listener_port(scene->listener)}};
    snprintf(target.address.host, sizeof target.address.host, "127.0.0.1");
    listener_free(scene->listener);
    scene->listener = NULL;
    assert_int_equal(
        connection_connect(scene->loop, &target, &callbacks, &scene->client, &scene->client.connection),
        EV_OK);
    assert_false(scene->client.closed);
    assert_true(support_run_until(scene->loop, client_closed, scene, 5000));
    assert_int_equal(scene->client.err, EV_ERR_IO);
    assert_string_equal(scene->client.text, "connection refused");
}

static void a_name_is_looked_up_on_a_thread(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    struct connection_target target = {
        .address = {.host = "localhost", .port = listener_port(scene->listener)}};
    assert_int_equal(
        connection_connect(scene->loop, &target, &callbacks, &scene->client, &scene->client.connection),
        EV_OK);
    assert_string_equal(connection_peer_address(scene->client.connection) != NULL ? "named" : "", "named");
    assert_true(support_run_until(scene->loop, both_ready, scene, 10000));
    assert_non_null(strstr(connection_peer_address(scene->client.connection), "127.0.0.1:"));
}

static void a_name_that_is_none_is_told_and_a_lookup_may_be_dropped(void **state)
{
    struct scene *scene = *state;
    struct connection *dropped = NULL;
    struct connection_target target = {.address = {.host = "no-such-host.invalid", .port = 1},
                                       .timeout_ms = 20000};
    assert_int_equal(connection_connect(scene->loop, &target, &callbacks, &scene->client, &dropped), EV_OK);
    connection_free(dropped); /* while the thread is at it */
    assert_int_equal(
        connection_connect(scene->loop, &target, &callbacks, &scene->client, &scene->client.connection),
        EV_OK);
    assert_true(support_run_until(scene->loop, client_closed, scene, 25000));
    assert_true(scene->client.err == EV_ERR_NOT_FOUND || scene->client.err == EV_ERR_TIMEOUT);
}

static void a_full_listener_waits_and_goes_on(void **state)
{
    struct scene *scene = *state;
    listen_with(scene, NULL, (struct listener_config){.max_connections = 1});
    int first = dial_raw(scene);
    int second = dial_raw(scene);
    assert_true(support_run_until(scene->loop, server_ready, scene, 5000));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(loop_run_once(scene->loop, 20), EV_OK);
    }
    assert_int_equal(scene->accepted, 1);
    assert_int_equal(listener_connection_count(scene->listener), 1);
    close(first);
    assert_true(support_run_until(scene->loop, server_closed, scene, 5000));
    scene->server = (struct side){.connection = NULL};
    assert_true(support_run_until(scene->loop, server_ready, scene, 5000));
    assert_int_equal(scene->accepted, 2);
    close(second);
}

static void a_taken_port_is_told_in_one_line(void **state)
{
    struct scene *scene = *state;
    struct listener *second = NULL;
    struct failure failure = {.text = ""};
    char expected[120] = "";
    listen_with(scene, NULL, (struct listener_config){.expected_role = NODE_ROLE_NONE});
    struct listener_config config = {.address = {.host = "127.0.0.1", .port = listener_port(scene->listener)},
                                     .on_accept = on_accept};
    assert_int_equal(listener_new(scene->loop, &config, &second, &failure), EV_ERR_IO);
    snprintf(expected, sizeof expected, "cannot listen on 127.0.0.1:%u: address already in use",
             (unsigned)listener_port(scene->listener));
    assert_string_equal(failure.text, expected);
}

static void an_expired_leaf_passes_only_with_grace(void **state)
{
    struct scene *scene = *state;
    struct support_node node;
    struct tls_trust *trust = NULL;
    gnutls_x509_crt_t leaf = NULL;
    gnutls_datum_t der = {0};
    struct peer_identity peer = {.role = NODE_ROLE_NONE};
    support_node_init(
        &node, &scene->authority,
        &(struct support_node_spec){.uri = "urn:ev:cp:MAD-01", .from_s = -7200, .until_s = -3600});
    assert_int_equal(tls_trust_new(scene->authority.pem, &trust, NULL), EV_OK);
    gnutls_datum_t pem = {.data = (unsigned char *)node.certificate_pem,
                          .size = (unsigned)strlen(node.certificate_pem)};
    assert_true(gnutls_x509_crt_init(&leaf) >= 0);
    assert_true(gnutls_x509_crt_import(leaf, &pem, GNUTLS_X509_FMT_PEM) >= 0);
    assert_true(gnutls_x509_crt_export2(leaf, GNUTLS_X509_FMT_DER, &der) >= 0);
    assert_int_equal(tls_verify_chain(trust, &der, 1, TLS_PURPOSE_CLIENT, NULL, 0, &peer, NULL), EV_ERR_AUTH);
    assert_int_equal(tls_verify_chain(trust, &der, 1, TLS_PURPOSE_CLIENT, NULL, 3000 * 1000, &peer, NULL),
                     EV_ERR_AUTH);
    assert_int_equal(tls_verify_chain(trust, &der, 1, TLS_PURPOSE_CLIENT, NULL, 4000 * 1000, &peer, NULL),
                     EV_OK);
    assert_string_equal(peer.id, "MAD-01");
    assert_int_equal(tls_verify_chain(trust, NULL, 0, TLS_PURPOSE_CLIENT, NULL, 0, &peer, NULL), EV_ERR_AUTH);
    gnutls_free(der.data);
    gnutls_x509_crt_deinit(leaf);
    tls_trust_free(trust);
    support_node_fini(&node);
}

static void names_of_other_forms_are_no_identity(void **state)
{
    struct scene *scene = *state;
    static const char *const bad[] = {"urn:ev:cp:",       "urn:ev:cp",
                                      "urn:ev:boss:X",    "urn:ev:cp:a b",
                                      "urn:ev:cp:MAD:01", "urn:other:cp:MAD-01",
                                      "urn:ev::MAD",      "urn:ev:cp:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct support_node node;
        struct peer_identity peer = {.role = NODE_ROLE_NONE};
        support_node_init(&node, &scene->authority,
                          &(struct support_node_spec){.uri = bad[i], .from_s = -60, .until_s = 60});
        assert_int_equal(tls_parse_identity_pem(node.certificate_pem, &peer), EV_ERR_PARSE);
        support_node_fini(&node);
    }
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(both_sides_learn_who_the_other_is),
        SCENE(a_certificate_of_another_authority_is_refused),
        SCENE(a_self_made_certificate_is_refused),
        SCENE(an_expired_certificate_is_refused),
        SCENE(a_certificate_of_the_future_is_refused),
        SCENE(another_role_is_refused),
        SCENE(a_certificate_without_a_name_of_ours_is_refused),
        SCENE(a_client_without_certificate_is_refused),
        SCENE(a_pin_of_another_root_is_refused_before_anything_is_sent),
        SCENE(a_server_of_another_host_or_role_is_refused),
        SCENE(a_reloaded_certificate_serves_the_next_handshake),
        SCENE(engine_and_monitor_meet_with_one_key),
        SCENE(another_pairing_key_is_refused),
        SCENE(another_pairing_identity_is_refused),
        SCENE(clear_text_at_a_tls_port_is_refused),
        SCENE(a_handshake_that_never_comes_times_out),
        SCENE(frames_in_any_pieces_arrive_whole),
        SCENE(the_largest_frames_pass_through_tls),
        SCENE(a_frame_beyond_the_limit_ends_the_connection),
        SCENE(an_empty_frame_ends_the_connection),
        SCENE(silence_ends_the_connection_where_it_was_asked),
        SCENE(a_peer_that_does_not_read_fills_the_queue),
        SCENE(an_orderly_close_delivers_what_was_queued),
        SCENE(closing_inside_on_frame_ends_after_that_frame),
        SCENE(freeing_inside_on_frame_calls_nothing_more),
        SCENE(a_connection_freed_in_on_accept_is_gone),
        SCENE(a_refused_connection_is_told_in_words),
        SCENE(a_name_is_looked_up_on_a_thread),
        SCENE(a_name_that_is_none_is_told_and_a_lookup_may_be_dropped),
        SCENE(a_full_listener_waits_and_goes_on),
        SCENE(a_taken_port_is_told_in_one_line),
        SCENE(an_expired_leaf_passes_only_with_grace),
        SCENE(names_of_other_forms_are_no_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
