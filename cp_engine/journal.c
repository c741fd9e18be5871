#include "cp_engine/journal.h"

#include "common/wire/json.h"
#include "common/wire/time_text.h"
#include "cp_engine/journal_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_FILE_NEW "journal.new"
#define MAGIC "EVCPJRN1" /* the first bytes of the file, without terminator */
#define MAGIC_SIZE 8
#define READ_RECORDS 512
#define ERROR_SIZE 128
#define DUMP_LINE_SIZE 512

struct journal {
    int dir_fd;
    int fd;               /* -1 after a failure */
    off_t size;           /* of what is durable */
    size_t snapshot_size; /* of the last rewrite */
    struct journal_table table;
    uint8_t *batch; /* encoded records */
    size_t batch_len;
    size_t batch_cap;
    bool batch_broken; /* out of memory while it grew */
    char error[ERROR_SIZE];
};

static enum ev_err write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return EV_ERR_IO;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return EV_OK;
}

/* As many bytes as there are, up to len. */
static enum ev_err read_up_to(int fd, uint8_t *buf, size_t len, size_t *ret_len)
{
    size_t used = 0;

    while (used < len) {
        ssize_t n = read(fd, buf + used, len - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return EV_ERR_IO;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    *ret_len = used;
    return EV_OK;
}

/* Reads records up to the first that does not hold; what is behind it is torn. */
static enum ev_err replay(int fd, struct journal_table *table, size_t *ret_torn_bytes)
{
    uint8_t buf[READ_RECORDS * JOURNAL_RECORD_SIZE];
    size_t len = 0;
    off_t good = 0;
    enum ev_err err = read_up_to(fd, buf, MAGIC_SIZE, &len);

    if (err != EV_OK) {
        return err;
    }
    /* A crash at the very first start may leave a part of the magic. */
    if (memcmp(buf, MAGIC, len) != 0) {
        return EV_ERR_PARSE;
    }
    good = (off_t)len;
    bool torn = false;
    while (!torn) {
        err = read_up_to(fd, buf, sizeof buf, &len);
        if (err != EV_OK || len == 0) {
            break;
        }
        for (size_t at = 0; at < len && !torn; at += JOURNAL_RECORD_SIZE) {
            struct supply_journal_record record;
            struct cp_id cp_id;

            torn =
                len - at < JOURNAL_RECORD_SIZE || journal_record_decode(buf + at, &cp_id, &record) != EV_OK;
            if (!torn) {
                err = journal_table_apply(table, &cp_id, &record);
                if (err != EV_OK) {
                    return err;
                }
                good += JOURNAL_RECORD_SIZE;
            }
        }
    }
    struct stat st;
    if (err == EV_OK && fstat(fd, &st) == 0 && st.st_size > good) {
        *ret_torn_bytes = (size_t)(st.st_size - good);
    }
    return err;
}

static void note_error(struct journal *journal, const char *what)
{
    char reason[ERROR_SIZE / 2] = "";

    (void)strerror_r(errno, reason, sizeof reason);
    (void)snprintf(journal->error, sizeof journal->error, "%s: %s", what, reason);
}

/* The records that stand for one session in a rewrite: at most two. */
static size_t encode_session(const struct journal_session *session, uint8_t *bytes)
{
    struct supply_journal_record record = {.kind = session->stop_reason == STOP_NONE ? SUPPLY_JOURNAL_METER
                                                                                     : SUPPLY_JOURNAL_END,
                                           .session_id = session->session_id,
                                           .started_at_ms = session->started_at_ms,
                                           .at_ms = session->ended_at_ms,
                                           .energy_wms = session->energy_wms,
                                           .stop_reason = session->stop_reason};

    journal_record_encode(&session->cp_id, &record, bytes);
    if (!session->settled) {
        return JOURNAL_RECORD_SIZE;
    }
    record.kind = SUPPLY_JOURNAL_SETTLED;
    record.stop_reason = STOP_NONE;
    journal_record_encode(&session->cp_id, &record, bytes + JOURNAL_RECORD_SIZE);
    return (size_t)2 * JOURNAL_RECORD_SIZE;
}

/* Writes all of the table into a new file and puts it in the place of the old. */
static enum ev_err rewrite(struct journal *journal)
{
    enum ev_err err = EV_ERR_IO;
    uint8_t *bytes = NULL;
    size_t len = MAGIC_SIZE;
    int fd = -1;

    journal_table_trim(&journal->table, JOURNAL_SETTLED_KEPT);
    bytes = malloc(MAGIC_SIZE + journal->table.count * 2 * JOURNAL_RECORD_SIZE);
    if (bytes == NULL) {
        errno = ENOMEM;
        goto out;
    }
    memcpy(bytes, MAGIC, MAGIC_SIZE);
    for (size_t i = 0; i < journal->table.count; i++) {
        len += encode_session(&journal->table.sessions[i], bytes + len);
    }
    fd = openat(journal->dir_fd, JOURNAL_FILE_NEW, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, bytes, len) != EV_OK || fsync(fd) != 0 ||
        renameat(journal->dir_fd, JOURNAL_FILE_NEW, journal->dir_fd, JOURNAL_FILE) != 0 ||
        fsync(journal->dir_fd) != 0) {
        goto out;
    }
    if (journal->fd >= 0) {
        (void)close(journal->fd);
    }
    journal->fd = fd;
    fd = -1;
    journal->size = (off_t)len;
    journal->snapshot_size = len;
    err = EV_OK;
out:
    if (err != EV_OK) {
        note_error(journal, "the journal cannot be rewritten");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(bytes);
    return err;
}

static void close_open_sessions(struct journal *journal, struct journal_found *found)
{
    for (size_t i = 0; i < journal->table.count; i++) {
        struct journal_session *session = &journal->table.sessions[i];

        if (session->stop_reason == STOP_NONE) {
            session->stop_reason = STOP_ENGINE_LOST;
            found->engine_lost++;
        }
        found->unsettled += session->settled ? 0 : 1;
    }
}

enum ev_err journal_open(const char *state_dir, struct journal **ret_journal, struct journal_found *ret_found)
{
    enum ev_err err = EV_ERR_IO;
    struct journal_found found = {0};
    struct journal *journal = calloc(1, sizeof *journal);

    if (journal == NULL) {
        return EV_ERR_NOMEM;
    }
    journal->fd = -1;
    journal->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->dir_fd < 0) {
        goto out;
    }
    journal->fd = openat(journal->dir_fd, JOURNAL_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->fd < 0) {
        goto out;
    }
    err = replay(journal->fd, &journal->table, &found.torn_bytes);
    if (err != EV_OK) {
        goto out;
    }
    close_open_sessions(journal, &found);
    err = rewrite(journal);
    if (err != EV_OK) {
        goto out;
    }
    *ret_journal = journal;
    *ret_found = found;
    journal = NULL;
out:
    journal_free(journal);
    return err;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    int saved_errno = errno;
    if (journal->fd >= 0) {
        (void)close(journal->fd);
    }
    if (journal->dir_fd >= 0) {
        (void)close(journal->dir_fd);
    }
    journal_table_fini(&journal->table);
    free(journal->batch);
    free(journal);
    errno = saved_errno;
}

void journal_append(struct journal *journal, const struct cp_id *cp_id,
                    const struct supply_journal_record *record)
{
    if (journal->fd < 0) {
        return;
    }
    if (journal->batch_len + JOURNAL_RECORD_SIZE > journal->batch_cap) {
        size_t cap = journal->batch_cap == 0 ? (size_t)64 * JOURNAL_RECORD_SIZE : journal->batch_cap * 2;
        uint8_t *batch = realloc(journal->batch, cap);
        if (batch == NULL) {
            journal->batch_broken = true;
            return;
        }
        journal->batch = batch;
        journal->batch_cap = cap;
    }
    journal_record_encode(cp_id, record, journal->batch + journal->batch_len);
    journal->batch_len += JOURNAL_RECORD_SIZE;
}

bool journal_is_pending(const struct journal *journal)
{
    return journal->batch_len > 0 || journal->batch_broken;
}

static enum ev_err batch_apply(struct journal *journal)
{
    for (size_t at = 0; at < journal->batch_len; at += JOURNAL_RECORD_SIZE) {
        struct supply_journal_record record;
        struct cp_id cp_id;

        enum ev_err err = journal_record_decode(journal->batch + at, &cp_id, &record);
        EV_ASSERT(err == EV_OK);
        err = journal_table_apply(&journal->table, &cp_id, &record);
        if (err != EV_OK) {
            errno = ENOMEM;
            return err;
        }
    }
    return EV_OK;
}

enum ev_err journal_commit(struct journal *journal)
{
    enum ev_err err = EV_ERR_IO;

    errno = ENOMEM;
    if (journal->fd < 0) {
        err = EV_ERR_IO;
    } else if (!journal->batch_broken &&
               write_all(journal->fd, journal->batch, journal->batch_len) == EV_OK &&
               fdatasync(journal->fd) == 0 && batch_apply(journal) == EV_OK) {
        journal->size += (off_t)journal->batch_len;
        err = EV_OK;
    } else {
        note_error(journal, "the journal cannot be written");
        /* A part of the batch may stand there: cut it off, so that the file is what was durable. */
        (void)!ftruncate(journal->fd, journal->size);
        (void)close(journal->fd);
        journal->fd = -1;
    }
    journal->batch_len = 0;
    journal->batch_broken = false;
    if (err == EV_OK && journal->size > JOURNAL_COMPACT_SIZE &&
        (size_t)journal->size > 4 * journal->snapshot_size) {
        /* Where it fails the old file goes on growing, and the next commit tries again. */
        (void)!rewrite(journal);
    }
    return err;
}

enum ev_err journal_recover(struct journal *journal)
{
    if (journal->fd >= 0) {
        return EV_OK;
    }
    return rewrite(journal);
}

const char *journal_error(const struct journal *journal)
{
    return journal->error;
}

size_t journal_count(const struct journal *journal)
{
    return journal->table.count;
}

const struct journal_session *journal_at(const struct journal *journal, size_t index)
{
    return &journal->table.sessions[index];
}

static enum ev_err dump_session(const struct journal_session *session, FILE *out)
{
    struct json_writer writer;
    char line[DUMP_LINE_SIZE];
    size_t len = 0;
    bool open = session->stop_reason == STOP_NONE;

    json_writer_init(&writer, line, sizeof line);
    json_write_object_begin(&writer, NULL);
    json_write_text(&writer, "cp_id", session->cp_id.text);
    json_write_text(&writer, "session_id", session->session_id.text);
    json_write_integer(&writer, "energy_wms", (int64_t)session->energy_wms);
    json_write_text_or_null(&writer, "stop_reason", stop_reason_text(session->stop_reason));
    json_write_time(&writer, "started_at", session->started_at_ms);
    json_write_time(&writer, "ended_at", open ? TIME_NONE : session->ended_at_ms);
    json_write_bool(&writer, "settled", session->settled);
    json_write_object_end(&writer);
    enum ev_err err = json_writer_finish(&writer, &len);
    if (err != EV_OK) {
        return err;
    }
    return fprintf(out, "%.*s\n", (int)len, line) < 0 ? EV_ERR_IO : EV_OK;
}

enum ev_err journal_dump(const char *state_dir, FILE *out)
{
    enum ev_err err = EV_ERR_IO;
    struct journal_table table = {0};
    size_t torn_bytes = 0;
    int fd = -1;
    int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd >= 0) {
        fd = openat(dir_fd, JOURNAL_FILE, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) {
        err = errno == ENOENT ? EV_ERR_NOT_FOUND : EV_ERR_IO;
        goto out;
    }
    err = replay(fd, &table, &torn_bytes);
    for (size_t i = 0; err == EV_OK && i < table.count; i++) {
        err = dump_session(&table.sessions[i], out);
    }
out:
    journal_table_fini(&table);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
    return err;
}
