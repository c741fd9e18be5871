/* fuzz_head.h - what libFuzzer calls, and an assertion of our own that stops it. */
#ifndef EV_TESTS_FUZZ_HEAD_H
#define EV_TESTS_FUZZ_HEAD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#endif
