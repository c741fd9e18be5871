/* rng.h - seeded pseudo-random numbers for the property tests, and the seeds they run with.
 * A failing run is repeated with EV_TEST_SEED=N. */
#ifndef TESTS_RULES_RNG_H
#define TESTS_RULES_RNG_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RNG_FIXED_SEEDS 40U

struct rng {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. bound - 1 */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return rng_next(rng) % bound;
}

/* Runs `property` with fixed seeds, so that results are comparable, and with one of its own each time; or
 * with EV_TEST_SEED alone. The seed is printed first, so that it is the last line when an assertion ends the
 * run. */
static inline void rng_run_seeds(const char *name, void (*property)(struct rng *rng))
{
    const char *text = getenv("EV_TEST_SEED");
    uint64_t own = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    uint64_t fixed = text != NULL ? 0 : RNG_FIXED_SEEDS;

    for (uint64_t seed = 1; seed <= fixed; seed++) {
        struct rng rng = {.state = seed};

        printf("%s: EV_TEST_SEED=%llu\n", name, (unsigned long long)seed);
        property(&rng);
    }
    {
        struct rng rng = {.state = own};

        printf("%s: EV_TEST_SEED=%llu\n", name, (unsigned long long)own);
        property(&rng);
    }
}

#endif
