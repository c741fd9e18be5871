#include "common/runtime/failure.h"

#include <stdarg.h>
#include <stdio.h>

int failure_format(struct failure *failure, const char *format, ...)
{
    if (failure != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(failure->text, sizeof failure->text, format, arguments);
        va_end(arguments);
        for (char *at = failure->text; *at != '\0'; at++) {
            if ((unsigned char)*at < 0x20 || *at == 0x7f) {
                *at = '?';
            }
        }
    }
    return 0;
}
