#include "cp_engine/pairing.h"

#include "common/runtime/loop.h"
#include "common/runtime/state_dir.h"
#include "common/wire/seal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define IDENTITY "pairing"
#define RETRY_MS 50
#define PATH_SIZE 4096

_Static_assert(SEAL_KEY_SIZE == TLS_PSK_SIZE, "the file holds one key of 32 bytes");

static enum ev_err make_parent(const char *path, struct failure *ret_failure)
{
    char parent[PATH_SIZE];
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path) {
        return EV_OK;
    }
    if ((size_t)(slash - path) >= sizeof parent) {
        return failure_set(ret_failure, EV_ERR_TOO_LARGE, "the pairing file's path is too long");
    }
    (void)snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    return state_make_directories(parent, ret_failure);
}

static enum ev_err create(const char *path, struct failure *ret_failure)
{
    struct seal_key key;
    char text[SEAL_KEY_HEX_SIZE + 1];

    enum ev_err err = make_parent(path, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    seal_key_generate(&key);
    seal_key_format(&key, text);
    text[SEAL_KEY_HEX_SIZE - 1] = '\n';
    err = state_file_create_exclusive(path, text, SEAL_KEY_HEX_SIZE, 0600, ret_failure);
    memset(text, 0, sizeof text);
    seal_key_wipe(&key);
    return err;
}

static enum ev_err read_key(const char *path, struct seal_key *ret_key, struct failure *ret_failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    enum ev_err err = state_file_read(path, &bytes, &len, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    if (len > 0 && bytes[len - 1] == '\n') {
        bytes[len - 1] = '\0';
    }
    err = seal_key_parse((const char *)bytes, ret_key);
    if (err != EV_OK) {
        err = failure_set(ret_failure, EV_ERR_PARSE,
                          "the pairing file %s does not hold 64 hex digits; remove it and start engine and "
                          "monitor again",
                          path);
    }
    state_dir_bytes_free(bytes, len);
    return err;
}

enum ev_err pairing_open(const char *path, struct tls_credentials **ret_credentials,
                         struct failure *ret_failure)
{
    struct seal_key key;
    enum ev_err err = create(path, ret_failure);

    if (err != EV_OK && err != EV_ERR_EXISTS) {
        return err;
    }
    err = read_key(path, &key, ret_failure);
    for (int waited_ms = 0; err != EV_OK && waited_ms < PAIRING_WAIT_MS; waited_ms += RETRY_MS) {
        const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

        (void)nanosleep(&pause, NULL);
        err = read_key(path, &key, ret_failure);
    }
    if (err == EV_OK) {
        err = tls_credentials_new_psk(IDENTITY, key.bytes, ret_credentials, ret_failure);
        seal_key_wipe(&key);
    }
    return err;
}
