#include "agent/base64.h"
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t len, struct buf *out)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i += 3) {
        size_t rest = len - i;
        uint32_t v = (uint32_t)p[i] << 16 | (rest > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (rest > 2 ? (uint32_t)p[i + 2] : 0);
        buf_add_char(out, digits[v >> 18]);
        buf_add_char(out, digits[v >> 12 & 63]);
        buf_add_char(out, rest > 1 ? digits[v >> 6 & 63] : '=');
        buf_add_char(out, rest > 2 ? digits[v & 63] : '=');
    }
}

bool base64_decode(const char *text, size_t len, struct buf *out)
{
    if (len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        bool is_last = i + 4 == len;
        size_t pad = is_last ? (size_t)(text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=') : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = k >= 4 - pad ? 'A' : text[i + k];
            const char *digit = c ? strchr(digits, c) : NULL;
            if (!digit)
                return false;
            v = v << 6 | (uint32_t)(digit - digits);
        }
        const char three[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        buf_add(out, three, 3 - pad);
    }
    return true;
}
