#include "common/runtime/console.h"

#include "common/runtime/limits.h"
#include "common/runtime/log.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONSOLE_RETRY_MS 500 /* a terminal that belongs to another job at present */

struct console {
    struct loop *loop;
    int fd;
    console_on_line on_line;
    loop_callback on_end;
    void *user;
    void *on_end_user;
    struct loop_watch *watch; /* NULL where epoll refuses the descriptor: the timer reads */
    struct loop_timer *timer;
    bool ended;
    bool skipping;    /* inside a line that is too long */
    bool freed;       /* in a callback: free when it is back */
    unsigned running; /* depth of console_read */
    size_t used;
    char line[CONSOLE_LINE_MAX + 1];
};

static void console_destroy(struct console *console)
{
    loop_watch_free(console->watch);
    loop_timer_free(console->timer);
    free(console);
}

void console_free(struct console *console)
{
    if (console == NULL) {
        return;
    }
    if (console->running > 0) {
        console->freed = true;
        return;
    }
    console_destroy(console);
}

static void console_finish_line(struct console *console)
{
    if (console->skipping) {
        console->skipping = false;
        console->used = 0;
        return;
    }
    char *line = console->line;
    size_t len = console->used;
    while (len > 0 && isspace((unsigned char)line[len - 1])) {
        len--;
    }
    line[len] = '\0';
    while (isspace((unsigned char)*line)) {
        line++;
    }
    console->used = 0;
    if (*line != '\0') {
        console->on_line(console->user, line);
    }
}

static void console_take(struct console *console, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !console->freed; i++) {
        if (bytes[i] == '\n') {
            console_finish_line(console);
        } else if (console->skipping || bytes[i] == '\0') {
            continue; /* a zero byte would cut the line unseen */
        } else if (console->used == CONSOLE_LINE_MAX) {
            log_warn("console.line_refused", log_int("limit", CONSOLE_LINE_MAX),
                     log_str("detail", "the line is too long"));
            console->skipping = true;
        } else {
            console->line[console->used++] = bytes[i];
        }
    }
}

static void console_end(struct console *console)
{
    console->ended = true;
    loop_watch_free(console->watch);
    console->watch = NULL;
    loop_timer_stop(console->timer);
    if (console->used > 0) {
        console_finish_line(console); /* the last line may lack its newline */
    }
    if (!console->freed && console->on_end != NULL) {
        console->on_end(console->on_end_user);
    }
}

/* One read, which cannot block: the descriptor is ready, or it is a file. The descriptor itself stays
 * blocking, since it is shared with whoever started the program. */
static void console_read(struct console *console)
{
    char bytes[512];
    ssize_t got = read(console->fd, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    console->running++;
    if (got > 0) {
        console_take(console, bytes, (size_t)got);
    } else if (got < 0 && errno == EIO && isatty(console->fd) == 1 && console->watch != NULL) {
        /* Started in the background of a shell: not ours to read now, perhaps later. */
        loop_watch_free(console->watch);
        console->watch = NULL;
        loop_timer_start(console->timer, CONSOLE_RETRY_MS);
    } else {
        console_end(console);
    }
    console->running--;
    if (console->freed && console->running == 0) {
        console_destroy(console);
    }
}

static void on_ready(void *user, uint32_t events)
{
    (void)events;
    console_read(user);
}

static enum ev_err console_watch(struct console *console)
{
    enum ev_err err = loop_watch_new(console->loop, console->fd, EPOLLIN, on_ready, console, &console->watch);
    if (err == EV_ERR_UNSUPPORTED || (err == EV_ERR_IO && errno == EBADF)) {
        loop_timer_start(console->timer, 0); /* a file, /dev/null; a closed input reads as ended */
        err = EV_OK;
    }
    return err;
}

static void on_timer(void *user)
{
    struct console *console = user;
    if (console->ended || console->watch != NULL) {
        return;
    }
    if (isatty(console->fd) == 1) {
        if (console_watch(console) != EV_OK) {
            console->ended = true;
        }
        return;
    }
    loop_timer_start(console->timer, 0);
    console_read(console);
}

enum ev_err console_new_on(struct loop *loop, int fd, console_on_line on_line, void *user,
                           struct console **ret_console)
{
    struct console *console = calloc(1, sizeof *console);
    if (console == NULL) {
        return EV_ERR_NOMEM;
    }
    console->loop = loop;
    console->fd = fd;
    console->on_line = on_line;
    console->user = user;
    enum ev_err err = loop_timer_new(loop, on_timer, console, &console->timer);
    if (err == EV_OK) {
        err = console_watch(console);
    }
    if (err != EV_OK) {
        console_destroy(console);
        return err;
    }
    /* Reading from the background would otherwise stop the whole process. */
    sigaction(SIGTTIN, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    *ret_console = console;
    return EV_OK;
}

enum ev_err console_new(struct loop *loop, console_on_line on_line, void *user, struct console **ret_console)
{
    return console_new_on(loop, STDIN_FILENO, on_line, user, ret_console);
}

void console_on_end(struct console *console, loop_callback on_end, void *user)
{
    console->on_end = on_end;
    console->on_end_user = user;
}

size_t console_split(char *line, char *ret_words[], size_t words_max)
{
    size_t count = 0;
    char *at = line;
    for (;;) {
        while (isspace((unsigned char)*at)) {
            at++;
        }
        if (*at == '\0' || count == words_max) {
            return count;
        }
        if (count + 1 == words_max) {
            ret_words[count++] = at; /* the rest, as it is */
            return count;
        }
        bool quoted = *at == '"';
        at += quoted;
        ret_words[count++] = at;
        while (*at != '\0' && (quoted ? *at != '"' : !isspace((unsigned char)*at))) {
            at++;
        }
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
}
