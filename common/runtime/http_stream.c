/* http_stream.c - answers that go on. A client's connection is suspended while there is nothing for it and
 * resumed when there is; what it does not take is bounded. */
#include <stdlib.h>
#include <string.h>

#include "common/runtime/http_internal.h"

#define STREAM_BLOCK ((size_t)16 * 1024)

struct http_stream {
    struct http_exchange *exchange; /* NULL once completed */
    char *bytes;
    size_t start, end, capacity; /* what waits is bytes[start, end) */
    bool suspended, closing;
    void (*on_closed)(void *user);
    void *user;
    int references; /* the response's and the exchange's */
};

static void release(struct http_stream *stream)
{
    if (--stream->references > 0)
        return;
    free(stream->bytes);
    free(stream);
}

static void on_response_free(void *user)
{
    release(user);
}

static ssize_t on_read(void *user, uint64_t position, char *buffer, size_t size)
{
    struct http_stream *stream = user;
    size_t waiting = stream->end - stream->start;
    (void)position;
    if (waiting == 0) {
        if (stream->closing || stream->exchange == NULL || stream->exchange->server->stopping)
            return MHD_CONTENT_READER_END_OF_STREAM;
        stream->suspended = true;
        MHD_suspend_connection(stream->exchange->connection);
        return 0;
    }
    size_t len = waiting < size ? waiting : size;
    memcpy(buffer, stream->bytes + stream->start, len);
    stream->start += len;
    if (stream->start == stream->end) {
        stream->start = stream->end = 0;
        if (stream->capacity > STREAM_BLOCK) { /* an idle client holds no memory */
            free(stream->bytes);
            stream->bytes = NULL;
            stream->capacity = 0;
        }
    }
    return (ssize_t)len;
}

static void resume(struct http_stream *stream)
{
    if (!stream->suspended || stream->exchange == NULL)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->exchange->connection);
}

enum ev_err http_stream_begin(struct http_exchange *exchange, const char *content_type,
                              void (*on_closed)(void *user), void *user, struct http_stream **ret_stream)
{
    if (exchange->connection == NULL) { /* the client has gone meanwhile */
        http_reply(exchange, 503, NULL, NULL, 0);
        return EV_ERR_CLOSED;
    }
    struct http_stream *stream = calloc(1, sizeof *stream);
    EV_ASSERT(stream != NULL);
    stream->exchange = exchange;
    stream->on_closed = on_closed;
    stream->user = user;
    stream->references = 2;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read, stream, on_response_free);
    if (response == NULL) {
        free(stream);
        return EV_ERR_NOMEM;
    }
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    (void)MHD_add_response_header(response, "X-Accel-Buffering", "no");
    exchange->stream = stream;
    *ret_stream = stream;
    http_exchange_answer(exchange, 200, response);
    return EV_OK;
}

enum ev_err http_stream_send(struct http_stream *stream, const void *bytes, size_t len)
{
    size_t waiting = stream->end - stream->start;
    if (stream->exchange == NULL)
        return EV_ERR_CLOSED;
    if (len > HTTP_STREAM_BYTES_MAX - waiting)
        return EV_ERR_FULL;
    if (stream->end + len > stream->capacity && stream->start > 0) {
        memmove(stream->bytes, stream->bytes + stream->start, waiting);
        stream->start = 0;
        stream->end = waiting;
    }
    if (stream->end + len > stream->capacity) {
        size_t capacity = (stream->end + len) * 2;
        char *grown = realloc(stream->bytes, capacity);
        if (grown == NULL)
            return EV_ERR_NOMEM;
        stream->bytes = grown;
        stream->capacity = capacity;
    }
    memcpy(stream->bytes + stream->end, bytes, len);
    stream->end += len;
    resume(stream);
    return EV_OK;
}

size_t http_stream_backlog(const struct http_stream *stream)
{
    return stream->end - stream->start;
}

void http_stream_close(struct http_stream *stream)
{
    stream->closing = true;
    stream->on_closed = NULL;
    stream->start = stream->end = 0;
    resume(stream);
}

void http_stream_on_completed(struct http_stream *stream)
{
    stream->exchange = NULL;
    if (stream->on_closed != NULL)
        stream->on_closed(stream->user);
    release(stream);
}
