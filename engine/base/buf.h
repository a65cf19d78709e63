/* buf.h - growable bytes, bounded at birth. Always NUL-terminated behind len. A write past max_bytes sets
 * overflow and is dropped whole, and so is every later one until buf_clear: what is there is a true beginning
 * of what was written. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *bytes; /* owned; NULL until the first byte */
    size_t len, cap, max_bytes;
    bool overflow;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Room for len bytes at the end; NULL on overflow; then add to b->len. Who adds less than len puts the NUL
 * itself. */
char *buf_reserve(struct buf *b, size_t len);

#endif
