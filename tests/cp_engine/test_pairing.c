/* The pairing file: made once, read by the other, refused when it is something else. */
#include "tests/rules/cmocka_all.h"

#include "common/wire/seal.h"
#include "cp_engine/cp_index.h"
#include "cp_engine/pairing.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void whoever_starts_first_makes_it_and_the_other_reads_it(void **state)
{
    char dir[] = "/tmp/test_pairing.XXXXXX";
    char path[64];
    char first[128] = "";
    char again[128] = "";
    struct tls_credentials *credentials = NULL;
    struct failure failure;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/sub/pairing", dir);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pairing_open(path, &credentials, &failure), EV_OK);
        tls_credentials_free(credentials);
        credentials = NULL;
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fread(i == 0 ? first : again, 1, sizeof first - 1, file), 65);
        (void)fclose(file);
    }
    assert_string_equal(first, again);
    for (int i = 0; i < 64; i++) {
        assert_true(isxdigit((unsigned char)first[i]));
    }
    assert_int_equal(first[64], '\n');
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/sub", dir);
    (void)rmdir(path);
    (void)rmdir(dir);
}

static void ids_are_found_where_they_were_put(void **state)
{
    struct cp_index index;
    struct cp_id id;
    char text[16];

    (void)state;
    assert_int_equal(cp_index_init(&index, 1000), EV_OK);
    for (size_t i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof text, "CP-%04zu", i);
        assert_int_equal(cp_id_parse(text, &id), EV_OK);
        assert_true(cp_index_find(&index, &id) == CP_INDEX_NONE);
        cp_index_add(&index, &id, i);
    }
    for (size_t i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof text, "CP-%04zu", i);
        assert_int_equal(cp_id_parse(text, &id), EV_OK);
        assert_int_equal(cp_index_find(&index, &id), i);
    }
    cp_index_clear(&index);
    assert_true(cp_index_find(&index, &id) == CP_INDEX_NONE);
    cp_index_fini(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_starts_first_makes_it_and_the_other_reads_it),
        cmocka_unit_test(ids_are_found_where_they_were_put),
    };

    if (seal_init() != EV_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
