#include "driver/window_start.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_PROGRAM "ev_driver_gui"

static void execute_beside(char *const argv[])
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - sizeof WINDOW_PROGRAM);
    char *slash = NULL;

    if (len <= 0) {
        return;
    }
    path[len] = '\0';
    slash = strrchr(path, '/');
    if (slash != NULL) {
        memcpy(slash + 1, WINDOW_PROGRAM, sizeof WINDOW_PROGRAM);
        (void)execv(path, argv);
    }
}

void window_start(int argc, char *const argv[], struct failure *ret_failure)
{
    char **arguments = calloc((size_t)argc + 1, sizeof(char *));
    static char name[] = WINDOW_PROGRAM;
    int count = 1;

    if (arguments == NULL) {
        (void)failure_set(ret_failure, EV_ERR_NOMEM, "out of memory");
        return;
    }
    arguments[0] = name;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--gui") != 0) {
            arguments[count++] = argv[i];
        }
    }
    execute_beside(arguments);
    if (errno == ENOENT) {
        (void)execvp(WINDOW_PROGRAM, arguments);
    }
    (void)failure_set(ret_failure, EV_ERR_IO, "cannot start the window %s: %s", WINDOW_PROGRAM,
                      errno == ENOENT ? "it is not installed beside this program nor in PATH"
                                      : strerror(errno));
    free((void *)arguments);
}
