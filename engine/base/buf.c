/* buf.c - growable bytes, bounded at birth. */
#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include <stdio.h>
#include <string.h>

enum { FIRST_BYTES = 64 };

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes < SIZE_MAX / 4 ? max_bytes : SIZE_MAX / 4};
}

void buf_fini(struct buf *b)
{
    mem_free(b->bytes);
    *b = (struct buf){.max_bytes = b->max_bytes};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->bytes)
        b->bytes[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->overflow || len > b->max_bytes - b->len) {
        b->overflow = true;
        return NULL;
    }
    size_t need = b->len + len + 1; /* cap counts the NUL */
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : FIRST_BYTES;
        if (cap < need)
            cap = need;
        if (cap > b->max_bytes + 1)
            cap = b->max_bytes + 1;
        b->bytes = mem_resize(b->bytes, cap, 1);
        b->cap = cap;
    }
    b->bytes[b->len + len] = '\0';
    return b->bytes + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *room = buf_reserve(b, len);
    if (!room || len == 0)
        return;
    memcpy(room, bytes, len);
    b->len += len;
}

void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *room = len < 0 ? NULL : buf_reserve(b, (size_t)len);
    if (room) {
        (void)vsnprintf(room, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}
