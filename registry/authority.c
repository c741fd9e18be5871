/* authority.c - the root: made once, loaded afterwards. What it issues is in certificate.c. */
#include "registry/authority.h"

#include "common/runtime/identity_key.h"
#include "common/runtime/log.h"
#include "registry/authority_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define CERTIFICATE_FILE "authority.pem"
#define KEY_FILE "authority-key.pem"
#define LOCK_FILE ".authority-lock"
#define ROOT_YEARS 10
#define PATH_SIZE 4300

static enum ev_err import_root(struct authority *authority, const char *path, const uint8_t *bytes,
                               size_t len, struct failure *ret_failure)
{
    gnutls_datum_t pem = {.data = (unsigned char *)(uintptr_t)bytes, .size = (unsigned)len};
    uint8_t digest[32];
    size_t size = sizeof digest;
    if (gnutls_x509_crt_init(&authority->certificate) < 0 ||
        gnutls_x509_crt_import(authority->certificate, &pem, GNUTLS_X509_FMT_PEM) < 0 ||
        gnutls_x509_crt_get_fingerprint(authority->certificate, GNUTLS_DIG_SHA256, digest, &size) < 0 ||
        size != sizeof digest)
        return failure_set(ret_failure, EV_ERR_CRYPTO, "%s is not a usable certificate", path);
    memcpy(authority->pin, digest, TLS_PIN_SIZE);
    return certificate_export(authority->certificate, &authority->pem);
}

/* A certificate without its own key is no authority. */
static enum ev_err check_pair(const struct authority *authority, const char *path,
                              struct failure *ret_failure)
{
    gnutls_pubkey_t key = NULL;
    char of_certificate[TLS_SHA256_HEX] = "", of_key[TLS_SHA256_HEX] = "-";
    enum ev_err err = EV_ERR_CRYPTO;
    if (gnutls_pubkey_init(&key) >= 0 && gnutls_pubkey_import_x509(key, authority->certificate, 0) >= 0 &&
        tls_key_sha256(key, of_certificate) == EV_OK && identity_key_hash(authority->key, of_key) == EV_OK &&
        strcmp(of_certificate, of_key) == 0)
        err = EV_OK;
    if (key != NULL)
        gnutls_pubkey_deinit(key);
    if (err != EV_OK)
        (void)failure_set(ret_failure, err, "%s does not belong to %s", path, KEY_FILE);
    return err;
}

static enum ev_err sign_root(struct authority *authority, gnutls_x509_crt_t certificate)
{
    static const char NAME[] = "evnet authority";
    time_t now = time(NULL);
    /* Ten years of 365.25 days, and a day back for clocks that are behind. */
    time_t until = now + (time_t)ROOT_YEARS * 31557600;
    if (gnutls_x509_crt_set_version(certificate, 3) < 0 ||
        gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, NAME, sizeof NAME - 1) <
            0 ||
        gnutls_x509_crt_set_key(certificate, authority->key) < 0 ||
        gnutls_x509_crt_set_activation_time(certificate, now - 86400) < 0 ||
        gnutls_x509_crt_set_expiration_time(certificate, until) < 0 ||
        gnutls_x509_crt_set_basic_constraints(certificate, 1, 0) < 0 ||
        gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN) < 0 ||
        certificate_set_serial(certificate) != EV_OK ||
        certificate_set_key_ids(certificate, certificate) != EV_OK ||
        gnutls_x509_crt_sign2(certificate, certificate, authority->key, GNUTLS_DIG_SHA256, 0) < 0)
        return EV_ERR_CRYPTO;
    return EV_OK;
}

static enum ev_err make_root(const struct state_dir *dir, struct authority *authority,
                             struct failure *ret_failure)
{
    gnutls_x509_crt_t certificate = NULL;
    char *pem = NULL;
    enum ev_err err = EV_ERR_CRYPTO;
    if (gnutls_x509_crt_init(&certificate) >= 0)
        err = sign_root(authority, certificate);
    if (err == EV_OK)
        err = certificate_export(certificate, &pem);
    if (err == EV_OK)
        err = state_dir_write_atomic(dir, CERTIFICATE_FILE, pem, strlen(pem), 0644, ret_failure);
    else
        (void)failure_set(ret_failure, err, "cannot make the authority's certificate");
    if (err == EV_OK)
        log_info("authority.made", log_str("file", CERTIFICATE_FILE), log_int("years", ROOT_YEARS));
    if (certificate != NULL)
        gnutls_x509_crt_deinit(certificate);
    free(pem);
    return err;
}

/* Under the lock: the key first, then the certificate; a crash in between is mended by the next start. */
static enum ev_err load_or_make(const struct state_dir *dir, struct authority *authority,
                                struct failure *ret_failure)
{
    char key_path[PATH_SIZE], path[PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum ev_err err = state_dir_file_path(dir, KEY_FILE, key_path, sizeof key_path);
    if (err == EV_OK)
        err = state_dir_file_path(dir, CERTIFICATE_FILE, path, sizeof path);
    if (err == EV_OK && access(key_path, F_OK) != 0) {
        if (access(path, F_OK) == 0)
            return failure_set(ret_failure, EV_ERR_CRYPTO, "%s is there, but its key %s is missing", path,
                               KEY_FILE);
        err = identity_key_generate(key_path, ret_failure);
    }
    if (err == EV_OK)
        err = identity_key_load(key_path, &authority->key, ret_failure);
    if (err == EV_OK && access(path, F_OK) != 0)
        err = make_root(dir, authority, ret_failure);
    if (err == EV_OK)
        err = state_dir_read(dir, CERTIFICATE_FILE, &bytes, &len, ret_failure);
    if (err == EV_OK)
        err = import_root(authority, path, bytes, len, ret_failure);
    if (err == EV_OK)
        err = check_pair(authority, path, ret_failure);
    state_dir_bytes_free(bytes, len);
    return err;
}

enum ev_err authority_open(const struct state_dir *dir, struct authority **ret_authority,
                           struct failure *ret_failure)
{
    char path[PATH_SIZE];
    struct authority *authority = calloc(1, sizeof *authority);
    enum ev_err err =
        authority == NULL ? EV_ERR_NOMEM : state_dir_file_path(dir, LOCK_FILE, path, sizeof path);
    int fd = -1;
    if (err != EV_OK) {
        (void)failure_set(ret_failure, err, "cannot open the authority: %s", ev_err_text(err));
        goto out;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        err = failure_set(ret_failure, EV_ERR_IO, "cannot lock %s: %s", path, strerror(errno));
        goto out;
    }
    err = load_or_make(dir, authority, ret_failure);
    if (err == EV_OK) {
        *ret_authority = authority;
        authority = NULL;
    }
out:
    if (fd >= 0)
        (void)close(fd);
    authority_free(authority);
    return err;
}

void authority_free(struct authority *authority)
{
    if (authority == NULL)
        return;
    if (authority->certificate != NULL)
        gnutls_x509_crt_deinit(authority->certificate);
    if (authority->key != NULL)
        gnutls_x509_privkey_deinit(authority->key);
    free(authority->pem);
    free(authority);
}

const char *authority_pem(const struct authority *authority)
{
    return authority->pem;
}

void authority_pin(const struct authority *authority, uint8_t ret_pin[TLS_PIN_SIZE])
{
    memcpy(ret_pin, authority->pin, TLS_PIN_SIZE);
}
