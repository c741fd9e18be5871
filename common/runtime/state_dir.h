/* state_dir.h - a program's own directory: one service at a time in it, files replaced whole.
 * Invariant: a file that was written with state_dir_write_atomic is after a crash either the old or the new
 * one, whole. Directories are 0700. */
#ifndef EV_RUNTIME_STATE_DIR_H
#define EV_RUNTIME_STATE_DIR_H

#include "common/rules/ev_err.h"
#include "common/runtime/failure.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum state_dir_use {
    STATE_DIR_SERVICE, /* alone: holds an exclusive lock on DIR/.lock until state_dir_free or death */
    STATE_DIR_BESIDE   /* a tool beside a running service (invite, admin-password, audit-verify): no lock */
};

struct state_dir;

/* Creates what is missing of the path (0700) and checks that it can be written.
 * Errors: EV_ERR_EXISTS ("... is already in use by pid 123"), EV_ERR_IO. */
EV_MUST_CHECK enum ev_err state_dir_open(const char *path, enum state_dir_use use, struct state_dir **ret_dir,
                                         struct failure *ret_failure);
void state_dir_free(struct state_dir *dir);

const char *state_dir_path(const struct state_dir *dir);

/* "DIR/name" into ret_path. Errors: EV_ERR_TOO_LARGE. */
EV_MUST_CHECK enum ev_err state_dir_file_path(const struct state_dir *dir, const char *name, char *ret_path,
                                              size_t path_size);

/* Temporary file, fsync, rename, fsync of the directory. */
EV_MUST_CHECK enum ev_err state_dir_write_atomic(const struct state_dir *dir, const char *name,
                                                 const void *bytes, size_t len, mode_t mode,
                                                 struct failure *ret_failure);

/* The whole file, with a zero byte behind it that *ret_len does not count; free with state_dir_bytes_free.
 * Errors: EV_ERR_NOT_FOUND, EV_ERR_TOO_LARGE (STATE_FILE_MAX), EV_ERR_IO. */
EV_MUST_CHECK enum ev_err state_dir_read(const struct state_dir *dir, const char *name, uint8_t **ret_bytes,
                                         size_t *ret_len, struct failure *ret_failure);

/* Wipes, then frees; NULL is fine. */
void state_dir_bytes_free(uint8_t *bytes, size_t len);

/* Creates the file unless it exists, whole or not at all, durable on return.
 * Errors: EV_ERR_EXISTS (another was first: read it), EV_ERR_IO. */
EV_MUST_CHECK enum ev_err state_dir_create_exclusive(const struct state_dir *dir, const char *name,
                                                     const void *bytes, size_t len, mode_t mode,
                                                     struct failure *ret_failure);

/* The same three for a path outside any state directory (pairing files, services files). */
EV_MUST_CHECK enum ev_err state_file_write_atomic(const char *path, const void *bytes, size_t len,
                                                  mode_t mode, struct failure *ret_failure);
EV_MUST_CHECK enum ev_err state_file_read(const char *path, uint8_t **ret_bytes, size_t *ret_len,
                                          struct failure *ret_failure);
EV_MUST_CHECK enum ev_err state_file_create_exclusive(const char *path, const void *bytes, size_t len,
                                                      mode_t mode, struct failure *ret_failure);

/* mkdir -p with 0700 for what is new. */
EV_MUST_CHECK enum ev_err state_make_directories(const char *path, struct failure *ret_failure);

#endif
