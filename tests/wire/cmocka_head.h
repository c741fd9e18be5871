/* cmocka_head.h - cmocka wants these before itself. */
#ifndef EV_TESTS_WIRE_CMOCKA_HEAD_H
#define EV_TESTS_WIRE_CMOCKA_HEAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
