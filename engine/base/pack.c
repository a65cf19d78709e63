/* pack.c - see pack.h: liblz4, with its work memory here and not on the heap. */
#include "engine/base/pack.h"
#include "engine/base/err.h"
#include <limits.h>
#include <lz4.h>

void pack_bytes(struct buf *out, const void *bytes, size_t len)
{
    ASSERT(len <= LZ4_MAX_INPUT_SIZE);
    const int most = LZ4_compressBound((int)len);
    char *to = buf_reserve(out, (size_t)most);
    ASSERT(to);
    const int packed = LZ4_compress_default(bytes, to, (int)len, most);
    ASSERT(packed > 0);
    to[packed] = 0;
    out->len += (size_t)packed;
}

bool unpack_bytes(struct buf *out, const void *packed, size_t len, size_t want)
{
    if (len > INT_MAX || want > LZ4_MAX_INPUT_SIZE)
        return false;
    char *to = buf_reserve(out, want);
    if (!to)
        return false;
    const int came = LZ4_decompress_safe(packed, to, (int)len, (int)want);
    if (came < 0 || (size_t)came != want) {
        to[0] = 0;
        return false;
    }
    to[want] = 0;
    out->len += want;
    return true;
}
