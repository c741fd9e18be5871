/* audit.c - the chain itself: canonical lines, hashes, signatures, the mirror file. Verification:
 * audit_verify.c. */
#include "central/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "central/audit_internal.h"
#include "central/store_internal.h"
#include "common/runtime/log.h"
#include "common/wire/time_text.h"

static const char GENESIS_HASH[] = "0000000000000000000000000000000000000000000000000000000000000000";

void audit_chain_init(struct audit_chain *chain, int64_t seq, const char *hash, const char *key_path)
{
    memset(chain, 0, sizeof *chain);
    chain->seq = seq;
    chain->key_path = key_path;
    (void)snprintf(chain->hash, sizeof chain->hash, "%s", hash == NULL ? GENESIS_HASH : hash);
}

void audit_chain_fini(struct audit_chain *chain)
{
    if (chain->private_key != NULL)
        gnutls_privkey_deinit(chain->private_key);
    chain->private_key = NULL;
}

/* A writer over a fixed buffer; what does not fit is a programmer's error, since every field is bounded. */
struct line {
    char *bytes;
    size_t length, capacity;
};

static void line_put(struct line *line, const char *text)
{
    size_t length = strlen(text);
    EV_ASSERT(line->length + length < line->capacity);
    memcpy(line->bytes + line->length, text, length + 1);
    line->length += length;
}

static void line_put_string(struct line *line, const char *name, const char *value)
{
    line_put(line, ",\"");
    line_put(line, name);
    line_put(line, "\":\"");
    for (const char *p = value; *p != '\0'; p++) {
        char escaped[8];
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            (void)snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", c);
        else
            (void)snprintf(escaped, sizeof escaped, "%c", c);
        line_put(line, escaped);
    }
    line_put(line, "\"");
}

size_t audit_format_line(const struct store_audit_row *row, bool with_hash, char *ret_line, size_t capacity)
{
    char at[TIME_TEXT_SIZE];
    struct line line = {.bytes = ret_line, .capacity = capacity};
    EV_ASSERT(capacity > 0);
    ret_line[0] = '\0';
    line.length = (size_t)snprintf(ret_line, capacity, "{\"seq\":%" PRId64, row->seq);
    EV_ASSERT(line.length < capacity);
    time_text_format(row->entry.at_ms, at);
    line_put_string(&line, "at", at);
    line_put_string(&line, "who", row->entry.who);
    line_put_string(&line, "address", row->entry.address);
    line_put_string(&line, "action", row->entry.action);
    line_put_string(&line, "target", row->entry.target);
    line_put_string(&line, "outcome", row->entry.outcome);
    line_put_string(&line, "detail", row->entry.detail);
    if (with_hash)
        line_put_string(&line, "hash", row->hash);
    line_put(&line, "}");
    return line.length;
}

void audit_hash_row(const char *previous_hash, const struct store_audit_row *row, char ret_hash[65])
{
    char text[AUDIT_LINE_MAX];
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    size_t length = audit_format_line(row, false, text, sizeof text);
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)previous_hash, 64);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)"\n", 1);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)text, length);
    (void)crypto_hash_sha256_final(&state, digest);
    (void)sodium_bin2hex(ret_hash, 65, digest, sizeof digest);
}

void audit_chain_append(struct audit_chain *chain, struct store_audit_row *row)
{
    row->seq = ++chain->seq;
    audit_hash_row(chain->hash, row, row->hash);
    memcpy(chain->hash, row->hash, sizeof chain->hash);
}

/* What a head's signature covers. */
static gnutls_datum_t head_text(int64_t seq, const char *hash, char *buffer, size_t capacity)
{
    int length = snprintf(buffer, capacity, "evnet audit head %" PRId64 " %s", seq, hash);
    return (gnutls_datum_t){.data = (unsigned char *)buffer, .size = (unsigned)length};
}

enum ev_err audit_load_private_key(const char *path, gnutls_privkey_t *ret_key)
{
    gnutls_datum_t pem = {0};
    gnutls_privkey_t key = NULL;
    enum ev_err err = EV_ERR_CRYPTO;
    if (gnutls_load_file(path, &pem) < 0)
        return EV_ERR_NOT_FOUND;
    if (gnutls_privkey_init(&key) < 0 ||
        gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
        goto out;
    *ret_key = key;
    key = NULL;
    err = EV_OK;
out:
    if (key != NULL)
        gnutls_privkey_deinit(key);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return err;
}

enum ev_err audit_chain_sign(struct audit_chain *chain, char *ret_signature, size_t capacity)
{
    char buffer[160];
    gnutls_datum_t signature = {0};
    if (chain->private_key == NULL) {
        gnutls_privkey_t key = NULL;
        enum ev_err err = audit_load_private_key(chain->key_path, &key);
        if (err != EV_OK)
            return err;
        chain->private_key = key;
    }
    gnutls_datum_t text = head_text(chain->seq, chain->hash, buffer, sizeof buffer);
    if (gnutls_privkey_sign_data2(chain->private_key, GNUTLS_SIGN_ECDSA_SHA256, 0, &text, &signature) < 0)
        return EV_ERR_CRYPTO;
    EV_ASSERT((size_t)signature.size * 2 + 1 <= capacity);
    (void)sodium_bin2hex(ret_signature, capacity, signature.data, signature.size);
    gnutls_free(signature.data);
    return EV_OK;
}

bool audit_check_head(gnutls_pubkey_t key, int64_t seq, const char *hash, const char *signature_hex)
{
    char buffer[160];
    unsigned char bytes[AUDIT_SIGNATURE_TEXT / 2];
    size_t length = 0;
    if (sodium_hex2bin(bytes, sizeof bytes, signature_hex, strlen(signature_hex), NULL, &length, NULL) != 0)
        return false;
    gnutls_datum_t signature = {.data = bytes, .size = (unsigned)length};
    gnutls_datum_t text = head_text(seq, hash, buffer, sizeof buffer);
    return gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &text, &signature) >= 0;
}

/* ---- the mirror file ---- */

enum ev_err audit_file_append(int fd, const struct store_audit_row *row)
{
    char text[AUDIT_LINE_MAX + 1];
    size_t length = audit_format_line(row, true, text, sizeof text - 1);
    text[length++] = '\n';
    ssize_t written = write(fd, text, length);
    if (written == (ssize_t)length)
        return EV_OK;
    return EV_ERR_IO;
}

/* Finds the seq of the last whole line and cuts off a torn one. */
static enum ev_err find_last_line(int fd, int64_t *ret_last_seq)
{
    char tail[AUDIT_LINE_MAX * 2 + 1];
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        return EV_ERR_IO;
    size_t want = size > (off_t)sizeof tail - 1 ? sizeof tail - 1 : (size_t)size;
    off_t start = size - (off_t)want;
    if (pread(fd, tail, want, start) != (ssize_t)want)
        return EV_ERR_IO;
    tail[want] = '\0';
    size_t end = want;
    while (end > 0 && tail[end - 1] != '\n')
        end--;
    if (end < want && ftruncate(fd, start + (off_t)end) != 0)
        return EV_ERR_IO;
    size_t begin = end > 0 ? end - 1 : 0;
    while (begin > 0 && tail[begin - 1] != '\n')
        begin--;
    *ret_last_seq = 0;
    static const char PREFIX[] = "{\"seq\":";
    if (end > 0 && strncmp(tail + begin, PREFIX, sizeof PREFIX - 1) == 0)
        *ret_last_seq = strtoll(tail + begin + sizeof PREFIX - 1, NULL, 10);
    return EV_OK;
}

struct completion {
    int fd;
    enum ev_err err;
};

static void append_missing(void *user, const struct store_audit_row *row)
{
    struct completion *completion = user;
    if (completion->err == EV_OK)
        completion->err = audit_file_append(completion->fd, row);
}

enum ev_err audit_file_open(const char *state_dir, struct store *store, int *ret_fd)
{
    char path[4200];
    int64_t last_seq = 0;
    struct completion completion = {.err = EV_OK};
    (void)snprintf(path, sizeof path, "%s/system_audit.log", state_dir);
    completion.fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (completion.fd < 0) {
        log_error("audit.file_failed", log_str("path", path), log_str("error", strerror(errno)));
        return EV_ERR_IO;
    }
    enum ev_err err = find_last_line(completion.fd, &last_seq);
    if (err == EV_OK)
        err = audit_walk(store_reader(store), last_seq, append_missing, &completion);
    if (err == EV_OK)
        err = completion.err;
    if (err != EV_OK) {
        (void)close(completion.fd);
        return err;
    }
    *ret_fd = completion.fd;
    return EV_OK;
}
