/* The journal on a real file: what survives a crash, a torn tail, a full disk, and growth. */
#include "tests/rules/cmocka_all.h"

#include "common/wire/seal.h"
#include "cp_engine/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STARTED INT64_C(1800000000000)

struct place {
    char dir[64];
    char file[96];
};

static int place_make(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    assert_non_null(place);
    (void)snprintf(place->dir, sizeof place->dir, "/tmp/test_journal.XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->file, sizeof place->file, "%s/" JOURNAL_FILE, place->dir);
    *state = place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;
    char path[128];

    (void)unlink(place->file);
    (void)snprintf(path, sizeof path, "%s/journal.new", place->dir);
    (void)unlink(path);
    (void)rmdir(place->dir);
    free(place);
    return 0;
}

static struct session_id session_number(unsigned number)
{
    char text[ULID_LENGTH + 1];
    struct session_id id;

    (void)snprintf(text, sizeof text, "01HZ%022u", number);
    assert_int_equal(session_id_parse(text, &id), EV_OK);
    return id;
}

static void append(struct journal *journal, unsigned number, enum supply_journal_kind kind,
                   uint64_t energy_wms)
{
    struct cp_id cp_id;
    const struct supply_journal_record record = {.kind = kind,
                                                 .session_id = session_number(number),
                                                 .started_at_ms = STARTED,
                                                 .at_ms = STARTED + (int64_t)energy_wms / 1000,
                                                 .energy_wms = energy_wms,
                                                 .stop_reason =
                                                     kind == SUPPLY_JOURNAL_END ? STOP_UNPLUGGED : STOP_NONE};

    assert_int_equal(cp_id_parse("MAD", &cp_id), EV_OK);
    journal_append(journal, &cp_id, &record);
}

static struct journal *open_journal(const struct place *place, struct journal_found *ret_found)
{
    struct journal *journal = NULL;

    assert_int_equal(journal_open(place->dir, &journal, ret_found), EV_OK);
    return journal;
}

static const struct journal_session *session_find(const struct journal *journal, unsigned number)
{
    struct session_id id = session_number(number);

    for (size_t i = 0; i < journal_count(journal); i++) {
        if (session_id_equal(&journal_at(journal, i)->session_id, &id)) {
            return journal_at(journal, i);
        }
    }
    return NULL;
}

static void a_crash_ends_open_sessions_on_their_last_meter(void **state)
{
    struct journal_found found = {0};
    struct journal *journal = open_journal(*state, &found);

    assert_int_equal(found.unsettled, 0);
    append(journal, 1, SUPPLY_JOURNAL_OPEN, 0);
    append(journal, 1, SUPPLY_JOURNAL_METER, 5000000);
    append(journal, 2, SUPPLY_JOURNAL_OPEN, 0);
    append(journal, 2, SUPPLY_JOURNAL_END, 7000000);
    append(journal, 3, SUPPLY_JOURNAL_OPEN, 0);
    append(journal, 3, SUPPLY_JOURNAL_END, 9000000);
    append(journal, 3, SUPPLY_JOURNAL_SETTLED, 0);
    assert_int_equal(journal_commit(journal), EV_OK);
    append(journal, 1, SUPPLY_JOURNAL_METER, 99000000); /* not committed: never was */
    journal_free(journal);

    journal = open_journal(*state, &found);
    assert_int_equal(found.engine_lost, 1);
    assert_int_equal(found.unsettled, 2);
    assert_int_equal(found.torn_bytes, 0);
    const struct journal_session *session = session_find(journal, 1);
    assert_int_equal(session->stop_reason, STOP_ENGINE_LOST);
    assert_int_equal(session->energy_wms, 5000000);
    assert_int_equal(session->started_at_ms, STARTED);
    assert_int_equal(session->ended_at_ms, STARTED + 5000);
    session = session_find(journal, 2);
    assert_int_equal(session->stop_reason, STOP_UNPLUGGED);
    assert_int_equal(session->energy_wms, 7000000);
    assert_false(session->settled);
    assert_true(session_find(journal, 3)->settled);
    journal_free(journal);

    journal = open_journal(*state, &found); /* once only */
    assert_int_equal(found.engine_lost, 0);
    assert_int_equal(found.unsettled, 2);
    journal_free(journal);
}

static off_t file_size(const struct place *place)
{
    struct stat st;

    assert_int_equal(stat(place->file, &st), 0);
    return st.st_size;
}

/* Cut at every byte of the last record: the one before it always stands. */
static void a_torn_tail_costs_only_the_torn_record(void **state)
{
    const struct place *place = *state;
    struct journal_found found;

    for (off_t cut = 1; cut <= JOURNAL_RECORD_SIZE; cut++) {
        (void)unlink(place->file);
        struct journal *journal = open_journal(place, &found);
        append(journal, 1, SUPPLY_JOURNAL_OPEN, 0);
        append(journal, 1, SUPPLY_JOURNAL_METER, 1000);
        append(journal, 1, SUPPLY_JOURNAL_METER, 2000);
        assert_int_equal(journal_commit(journal), EV_OK);
        journal_free(journal);
        assert_int_equal(truncate(place->file, file_size(place) - cut), 0);
        journal = open_journal(place, &found);
        assert_int_equal(found.torn_bytes, JOURNAL_RECORD_SIZE - cut);
        assert_int_equal(session_find(journal, 1)->energy_wms, 1000);
        journal_free(journal);
    }
}

static void a_flipped_bit_is_not_believed(void **state)
{
    const struct place *place = *state;
    struct journal_found found;

    for (off_t at = 0; at < JOURNAL_RECORD_SIZE; at++) {
        unsigned char byte = 0;

        (void)unlink(place->file);
        struct journal *journal = open_journal(place, &found);
        append(journal, 1, SUPPLY_JOURNAL_OPEN, 0);
        append(journal, 1, SUPPLY_JOURNAL_METER, 2000);
        assert_int_equal(journal_commit(journal), EV_OK);
        journal_free(journal);
        off_t offset = file_size(place) - JOURNAL_RECORD_SIZE + at;
        int fd = open(place->file, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &byte, 1, offset), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
        (void)close(fd);
        journal = open_journal(place, &found);
        assert_int_equal(found.torn_bytes, JOURNAL_RECORD_SIZE);
        assert_int_equal(session_find(journal, 1)->energy_wms, 0);
        journal_free(journal);
    }
}

static void another_file_is_not_taken_for_a_journal(void **state)
{
    const struct place *place = *state;
    struct journal *journal = NULL;
    struct journal_found found;
    FILE *file = fopen(place->file, "w");

    assert_non_null(file);
    (void)fputs("something else that is long enough", file);
    (void)fclose(file);
    assert_int_equal(journal_open(place->dir, &journal, &found), EV_ERR_PARSE);
    assert_null(journal);
    assert_int_equal(file_size(place), 34); /* untouched */
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit on the size of files stands for the full disk: the write stops in the middle of a record. */
static void a_full_disk_keeps_what_was_durable_and_recovers(void **state)
{
    const struct place *place = *state;
    struct journal_found found;
    struct journal *journal = open_journal(place, &found);

    (void)signal(SIGXFSZ, SIG_IGN);
    append(journal, 1, SUPPLY_JOURNAL_OPEN, 0);
    append(journal, 1, SUPPLY_JOURNAL_METER, 1000);
    assert_int_equal(journal_commit(journal), EV_OK);
    off_t durable = file_size(place);
    limit_file_size((rlim_t)durable + JOURNAL_RECORD_SIZE / 2);
    append(journal, 1, SUPPLY_JOURNAL_METER, 2000);
    assert_int_equal(journal_commit(journal), EV_ERR_IO);
    assert_string_not_equal(journal_error(journal), "");
    assert_int_equal(file_size(place), durable);
    assert_int_equal(session_find(journal, 1)->energy_wms, 1000);
    append(journal, 1, SUPPLY_JOURNAL_METER, 3000); /* dropped: it is broken */
    assert_false(journal_is_pending(journal));
    limit_file_size(10);
    assert_int_equal(journal_recover(journal), EV_ERR_IO);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(journal_recover(journal), EV_OK);
    append(journal, 1, SUPPLY_JOURNAL_END, 1000);
    assert_int_equal(journal_commit(journal), EV_OK);
    journal_free(journal);
    journal = open_journal(place, &found);
    assert_int_equal(found.torn_bytes, 0);
    assert_int_equal(found.engine_lost, 0);
    assert_int_equal(session_find(journal, 1)->energy_wms, 1000);
    journal_free(journal);
}

static void it_does_not_grow_for_ever(void **state)
{
    const struct place *place = *state;
    struct journal_found found;
    struct journal *journal = open_journal(place, &found);
    const unsigned sessions = JOURNAL_SETTLED_KEPT + 500;

    for (unsigned i = 1; i <= sessions; i++) {
        append(journal, i, SUPPLY_JOURNAL_OPEN, 0);
        for (unsigned n = 1; n <= 10; n++) {
            append(journal, i, SUPPLY_JOURNAL_METER, (uint64_t)n * 1000);
        }
        append(journal, i, SUPPLY_JOURNAL_END, 10000);
        if (i != 5) {
            append(journal, i, SUPPLY_JOURNAL_SETTLED, 0);
        }
        if (i % 100 == 0) {
            assert_int_equal(journal_commit(journal), EV_OK);
        }
    }
    assert_true(file_size(place) <= JOURNAL_COMPACT_SIZE + 100 * 14 * JOURNAL_RECORD_SIZE);
    journal_free(journal);
    journal = open_journal(place, &found);
    assert_int_equal(found.unsettled, 1);
    assert_non_null(session_find(journal, 5)); /* however old: it is not settled */
    assert_null(session_find(journal, 6));
    assert_non_null(session_find(journal, sessions));
    assert_int_equal(journal_count(journal), JOURNAL_SETTLED_KEPT + 1);
    journal_free(journal);
}

static void the_dump_is_one_json_object_a_line(void **state)
{
    const struct place *place = *state;
    struct journal_found found;
    struct journal *journal = open_journal(place, &found);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    append(journal, 1, SUPPLY_JOURNAL_OPEN, 0);
    append(journal, 1, SUPPLY_JOURNAL_END, 3600000);
    append(journal, 1, SUPPLY_JOURNAL_SETTLED, 0);
    append(journal, 2, SUPPLY_JOURNAL_OPEN, 0);
    assert_int_equal(journal_commit(journal), EV_OK);
    assert_int_equal(journal_dump(place->dir, out), EV_OK); /* beside the engine that has it open */
    (void)fclose(out);
    assert_string_equal(
        text, "{\"cp_id\":\"MAD\",\"session_id\":\"01HZ0000000000000000000001\",\"energy_wms\":3600000,"
              "\"stop_reason\":\"unplugged\",\"started_at\":\"2027-01-15T08:00:00.000Z\","
              "\"ended_at\":\"2027-01-15T08:00:03.600Z\",\"settled\":true}\n"
              "{\"cp_id\":\"MAD\",\"session_id\":\"01HZ0000000000000000000002\",\"energy_wms\":0,"
              "\"stop_reason\":null,\"started_at\":\"2027-01-15T08:00:00.000Z\","
              "\"ended_at\":null,\"settled\":false}\n");
    free(text);
    journal_free(journal);
    assert_int_equal(journal_dump("/tmp/test_journal.none", stdout), EV_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_crash_ends_open_sessions_on_their_last_meter, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(a_torn_tail_costs_only_the_torn_record, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_not_believed, place_make, place_remove),
        cmocka_unit_test_setup_teardown(another_file_is_not_taken_for_a_journal, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_full_disk_keeps_what_was_durable_and_recovers, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(it_does_not_grow_for_ever, place_make, place_remove),
        cmocka_unit_test_setup_teardown(the_dump_is_one_json_object_a_line, place_make, place_remove),
    };

    if (seal_init() != EV_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
