/* admin_tools.c - the subcommands that work beside a running Central. */
#include "central/admin_tools.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "central/accounts.h"
#include "central/audit.h"

/* A line from a terminal without echo, or from a pipe. False at the end of input. */
static bool read_password(const char *prompt, char *ret_password, size_t capacity)
{
    struct termios before, silent;
    bool terminal = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        (void)fputs(prompt, stderr);
        silent = before;
        silent.c_lflag &= (tcflag_t)~ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &silent);
    }
    bool good = fgets(ret_password, (int)capacity, stdin) != NULL;
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
        (void)fputs("\n", stderr);
    }
    if (good)
        ret_password[strcspn(ret_password, "\r\n")] = '\0';
    return good;
}

int central_admin_password(const char *state_dir)
{
    char password[ACCOUNTS_PASSWORD_MAX + 2] = "", again[ACCOUNTS_PASSWORD_MAX + 2] = "";
    struct failure failure;
    bool given = read_password("New password for admin (empty: a random one): ", password, sizeof password) &&
                 password[0] != '\0';
    if (given && isatty(STDIN_FILENO) == 1 &&
        (!read_password("Again: ", again, sizeof again) || strcmp(password, again) != 0)) {
        (void)fputs("ev_central: the two passwords differ; nothing was changed\n", stderr);
        return 1;
    }
    enum ev_err err = accounts_set_password(state_dir, given ? password : NULL, &failure);
    sodium_memzero(password, sizeof password);
    sodium_memzero(again, sizeof again);
    if (err != EV_OK) {
        (void)fprintf(stderr, "ev_central: %s; nothing was changed\n", failure.text);
        return 1;
    }
    (void)printf("The password of admin is set and kept in %s/admin-password; all sign-ins have ended.\n",
                 state_dir);
    return 0;
}

int central_audit_verify(const char *state_dir)
{
    return audit_verify(state_dir);
}
