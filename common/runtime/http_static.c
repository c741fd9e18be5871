/* http_static.c - the files of a directory, served from memory. Nothing outside it can be named: only what
 * was read at the start exists. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/runtime/http_internal.h"

#define DEPTH_MAX 8
#define ETAG_BYTES 12

struct static_file {
    char *path; /* "/js/main.js" */
    unsigned char *bytes;
    size_t len;
    char etag[2 * ETAG_BYTES + 3];
};

struct http_static {
    struct static_file *files;
    size_t count, capacity, total;
};

static const char *content_type(const char *path)
{
    static const struct {
        const char *ending, *type;
    } TYPES[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain; charset=utf-8"},
    };
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        size_t ending = strlen(TYPES[i].ending);
        if (length > ending && strcmp(path + length - ending, TYPES[i].ending) == 0)
            return TYPES[i].type;
    }
    return "application/octet-stream";
}

static enum ev_err read_file(struct http_static *files, int fd, size_t len, const char *path)
{
    unsigned char hash[ETAG_BYTES + 4];
    struct static_file file = {.len = len};
    if (len > HTTP_STATIC_BYTES_MAX - files->total)
        return EV_ERR_TOO_LARGE;
    if (files->count == files->capacity) {
        size_t capacity = files->capacity == 0 ? 32 : files->capacity * 2;
        struct static_file *grown = realloc(files->files, capacity * sizeof *grown);
        EV_ASSERT(grown != NULL);
        files->files = grown;
        files->capacity = capacity;
    }
    file.bytes = malloc(len + 1);
    file.path = strdup(path);
    EV_ASSERT(file.bytes != NULL && file.path != NULL);
    for (size_t done = 0; done < len;) {
        ssize_t got = read(fd, file.bytes + done, len - done);
        if (got <= 0) {
            free(file.bytes);
            free(file.path);
            return EV_ERR_IO;
        }
        done += (size_t)got;
    }
    (void)crypto_generichash(hash, sizeof hash, file.bytes, len, NULL, 0);
    file.etag[0] = '"';
    (void)sodium_bin2hex(file.etag + 1, sizeof file.etag - 1, hash, ETAG_BYTES);
    file.etag[1 + 2 * ETAG_BYTES] = '"';
    file.etag[2 + 2 * ETAG_BYTES] = '\0';
    files->total += len;
    files->files[files->count++] = file;
    return EV_OK;
}

static enum ev_err read_directory(struct http_static *files, int directory_fd, const char *prefix, int depth)
{
    DIR *directory = fdopendir(directory_fd);
    enum ev_err err = EV_OK;
    struct dirent *entry;
    if (directory == NULL) {
        (void)close(directory_fd);
        return EV_ERR_IO;
    }
    while (err == EV_OK && (entry = readdir(directory)) != NULL) {
        char path[1024];
        struct stat status;
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "node_modules") == 0)
            continue;
        int fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue; /* a link */
        (void)snprintf(path, sizeof path, "%s/%s", prefix, entry->d_name);
        if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) && depth < DEPTH_MAX) {
            err = read_directory(files, fd, path, depth + 1);
            continue; /* closed there */
        }
        if (S_ISREG(status.st_mode))
            err = read_file(files, fd, (size_t)status.st_size, path);
        (void)close(fd);
    }
    (void)closedir(directory);
    return err;
}

enum ev_err http_static_new(const char *directory, struct http_static **ret_static,
                            struct failure *ret_failure)
{
    struct http_static *files = calloc(1, sizeof *files);
    EV_ASSERT(files != NULL);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ev_err err = EV_ERR_NOT_FOUND;
    if (fd >= 0)
        err = read_directory(files, fd, "", 0);
    if (err != EV_OK) {
        http_static_free(files);
        return failure_set(ret_failure, err, "cannot read the web files in %s: %s", directory,
                           err == EV_ERR_NOT_FOUND ? strerror(errno) : ev_err_text(err));
    }
    *ret_static = files;
    return EV_OK;
}

void http_static_free(struct http_static *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        free(files->files[i].bytes);
    }
    free(files->files);
    free(files);
}

bool http_static_serve(const struct http_static *files, struct http_exchange *exchange)
{
    const char *path = strcmp(http_path(exchange), "/") == 0 ? "/index.html" : http_path(exchange);
    if (strcmp(http_method(exchange), "GET") != 0 && strcmp(http_method(exchange), "HEAD") != 0)
        return false;
    for (size_t i = 0; i < files->count; i++) {
        const struct static_file *file = &files->files[i];
        if (strcmp(file->path, path) != 0)
            continue;
        const char *known = http_header(exchange, "If-None-Match");
        http_reply_header(exchange, "ETag", file->etag);
        http_reply_header(exchange, "Cache-Control", "no-cache");
        if (known != NULL && strstr(known, file->etag) != NULL)
            http_reply(exchange, 304, NULL, "", 0);
        else
            http_reply(exchange, 200, content_type(path), file->bytes, file->len);
        return true;
    }
    return false;
}
