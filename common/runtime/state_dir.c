#include "common/runtime/state_dir.h"

#include "common/runtime/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct state_dir {
    char path[PATH_MAX];
    int lock_fd; /* -1: beside a service */
};

enum ev_err state_make_directories(const char *path, struct failure *ret_failure)
{
    char part[PATH_MAX] = "";
    size_t len = strlen(path);
    struct stat status;
    if (len == 0 || len >= sizeof part) {
        return failure_set(ret_failure, EV_ERR_IO, "\"%.100s\" is no usable path", path);
    }
    for (size_t end = 1; end <= len; end++) {
        if (end < len && path[end] != '/') {
            continue;
        }
        memcpy(part, path, end);
        part[end] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return failure_set(ret_failure, EV_ERR_IO, "cannot create directory %s: %s", part,
                               strerror(errno));
        }
    }
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return failure_set(ret_failure, EV_ERR_IO, "%s is not a directory", path);
    }
    return EV_OK;
}

/* The lock belongs to the open file: it goes with the process, however that ends. The pid inside is for the
 * message only. */
static enum ev_err state_dir_lock(struct state_dir *dir, struct failure *ret_failure)
{
    char path[PATH_MAX + 8] = "";
    char pid[32] = "";
    snprintf(path, sizeof path, "%s/.lock", dir->path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return failure_set(ret_failure, EV_ERR_IO, "cannot write in %s: %s", dir->path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = errno == EWOULDBLOCK ? pread(fd, pid, sizeof pid - 1, 0) : -1;
        int error = errno;
        close(fd);
        if (got < 0) {
            return failure_set(ret_failure, EV_ERR_IO, "cannot lock %s: %s", path, strerror(error));
        }
        return failure_set(ret_failure, EV_ERR_EXISTS, "state directory %s is already in use by pid %ld",
                           dir->path, strtol(pid, NULL, 10));
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        int error = errno;
        close(fd);
        return failure_set(ret_failure, EV_ERR_IO, "cannot write %s: %s", path, strerror(error));
    }
    dir->lock_fd = fd;
    return EV_OK;
}

enum ev_err state_dir_open(const char *path, enum state_dir_use use, struct state_dir **ret_dir,
                           struct failure *ret_failure)
{
    struct state_dir *dir = calloc(1, sizeof *dir);
    enum ev_err err = EV_OK;
    if (dir == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    dir->lock_fd = -1;
    err = state_make_directories(path, ret_failure);
    if (err != EV_OK) {
        goto out;
    }
    memcpy(dir->path, path, strlen(path) + 1); /* shorter than PATH_MAX, or the directories were refused */
    if (use == STATE_DIR_SERVICE) {
        err = state_dir_lock(dir, ret_failure);
    } else if (access(path, W_OK | X_OK) != 0) {
        err = failure_set(ret_failure, EV_ERR_IO, "cannot write in %s: %s", path, strerror(errno));
    }
    if (err != EV_OK) {
        goto out;
    }
    *ret_dir = dir;
    dir = NULL;
out:
    state_dir_free(dir);
    return err;
}

void state_dir_free(struct state_dir *dir)
{
    if (dir == NULL) {
        return;
    }
    if (dir->lock_fd >= 0) {
        close(dir->lock_fd);
    }
    free(dir);
}

const char *state_dir_path(const struct state_dir *dir)
{
    return dir->path;
}

enum ev_err state_dir_file_path(const struct state_dir *dir, const char *name, char *ret_path,
                                size_t path_size)
{
    char path[2 * PATH_MAX] = "";
    int len = snprintf(path, sizeof path, "%s/%s", dir->path, name);
    if (len < 0 || (size_t)len >= sizeof path || (size_t)len >= path_size) {
        return EV_ERR_TOO_LARGE;
    }
    memcpy(ret_path, path, (size_t)len + 1);
    return EV_OK;
}

/* --- files --- */

static bool write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t written = write(fd, at, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        at += written;
        len -= (size_t)written;
    }
    return true;
}

/* A name in a directory is durable only when the directory is. */
static bool sync_directory_of(const char *path)
{
    char directory[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        memcpy(directory, path, len);
        directory[len] = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

/* Writes a new file beside path, durable; its name is in ret_temporary. */
static enum ev_err write_temporary(const char *path, const void *bytes, size_t len, mode_t mode,
                                   char ret_temporary[PATH_MAX], struct failure *ret_failure)
{
    int n = snprintf(ret_temporary, PATH_MAX, "%s.%08x.tmp", path, (unsigned)randombytes_random());
    if (n < 0 || n >= PATH_MAX) {
        return failure_set(ret_failure, EV_ERR_IO, "the path %.100s... is too long", path);
    }
    int fd = open(ret_temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return failure_set(ret_failure, EV_ERR_IO, "cannot create %s: %s", path, strerror(errno));
    }
    /* fchmod, since the umask must neither widen nor narrow what was asked. */
    bool good = fchmod(fd, mode) == 0 && write_all(fd, bytes, len) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && good) {
        good = false;
        error = errno;
    }
    if (!good) {
        unlink(ret_temporary);
        return failure_set(ret_failure, EV_ERR_IO, "cannot write %s: %s", path, strerror(error));
    }
    return EV_OK;
}

enum ev_err state_file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode,
                                    struct failure *ret_failure)
{
    char temporary[PATH_MAX] = "";
    enum ev_err err = write_temporary(path, bytes, len, mode, temporary, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    if (rename(temporary, path) != 0 || !sync_directory_of(path)) {
        err = failure_set(ret_failure, EV_ERR_IO, "cannot write %s: %s", path, strerror(errno));
        unlink(temporary);
    }
    return err;
}

enum ev_err state_file_create_exclusive(const char *path, const void *bytes, size_t len, mode_t mode,
                                        struct failure *ret_failure)
{
    char temporary[PATH_MAX] = "";
    enum ev_err err = write_temporary(path, bytes, len, mode, temporary, ret_failure);
    if (err != EV_OK) {
        return err;
    }
    /* link fails where the name exists, and shows the whole file at once where it does not. */
    if (link(temporary, path) != 0) {
        err = errno == EEXIST
                  ? failure_set(ret_failure, EV_ERR_EXISTS, "%s exists already", path)
                  : failure_set(ret_failure, EV_ERR_IO, "cannot create %s: %s", path, strerror(errno));
    }
    unlink(temporary);
    if (err == EV_OK && !sync_directory_of(path)) {
        err = failure_set(ret_failure, EV_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    return err;
}

static enum ev_err read_open_file(int fd, const char *path, uint8_t **ret_bytes, size_t *ret_len,
                                  struct failure *ret_failure)
{
    size_t used = 0;
    size_t size = 4096;
    uint8_t *bytes = malloc(size);
    enum ev_err err = EV_OK;
    while (bytes != NULL) {
        ssize_t got = read(fd, bytes + used, size - 1 - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            err = failure_set(ret_failure, EV_ERR_IO, "cannot read %s: %s", path, strerror(errno));
        }
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
        if (used > STATE_FILE_MAX) {
            err = failure_set(ret_failure, EV_ERR_TOO_LARGE, "%s is larger than %d bytes", path,
                              STATE_FILE_MAX);
            break;
        }
        if (used == size - 1) {
            uint8_t *larger = malloc(size * 2); /* not realloc: what is moved would leave a copy unwiped */
            if (larger != NULL) {
                memcpy(larger, bytes, used);
            }
            state_dir_bytes_free(bytes, used);
            bytes = larger;
            size *= 2;
        }
    }
    if (bytes == NULL) {
        return failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
    }
    if (err != EV_OK) {
        state_dir_bytes_free(bytes, used);
        return err;
    }
    bytes[used] = 0;
    *ret_bytes = bytes;
    *ret_len = used;
    return EV_OK;
}

enum ev_err state_file_read(const char *path, uint8_t **ret_bytes, size_t *ret_len,
                            struct failure *ret_failure)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not for ever on a pipe */
    if (fd < 0) {
        enum ev_err err = errno == ENOENT ? EV_ERR_NOT_FOUND : EV_ERR_IO;
        return failure_set(ret_failure, err, "cannot read %s: %s", path, strerror(errno));
    }
    enum ev_err err = EV_OK;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        err = failure_set(ret_failure, EV_ERR_IO, "%s is not a regular file", path);
    } else {
        err = read_open_file(fd, path, ret_bytes, ret_len, ret_failure);
    }
    close(fd);
    return err;
}

void state_dir_bytes_free(uint8_t *bytes, size_t len)
{
    if (bytes != NULL) {
        sodium_memzero(bytes, len);
        free(bytes);
    }
}

static enum ev_err path_in(const struct state_dir *dir, const char *name, char ret_path[PATH_MAX],
                           struct failure *ret_failure)
{
    if (state_dir_file_path(dir, name, ret_path, PATH_MAX) != EV_OK) {
        return failure_set(ret_failure, EV_ERR_IO, "the path of %s in %.100s... is too long", name,
                           dir->path);
    }
    return EV_OK;
}

enum ev_err state_dir_write_atomic(const struct state_dir *dir, const char *name, const void *bytes,
                                   size_t len, mode_t mode, struct failure *ret_failure)
{
    char path[PATH_MAX] = "";
    enum ev_err err = path_in(dir, name, path, ret_failure);
    return err != EV_OK ? err : state_file_write_atomic(path, bytes, len, mode, ret_failure);
}

enum ev_err state_dir_read(const struct state_dir *dir, const char *name, uint8_t **ret_bytes,
                           size_t *ret_len, struct failure *ret_failure)
{
    char path[PATH_MAX] = "";
    enum ev_err err = path_in(dir, name, path, ret_failure);
    return err != EV_OK ? err : state_file_read(path, ret_bytes, ret_len, ret_failure);
}

enum ev_err state_dir_create_exclusive(const struct state_dir *dir, const char *name, const void *bytes,
                                       size_t len, mode_t mode, struct failure *ret_failure)
{
    char path[PATH_MAX] = "";
    enum ev_err err = path_in(dir, name, path, ret_failure);
    return err != EV_OK ? err : state_file_create_exclusive(path, bytes, len, mode, ret_failure);
}
