#include "agent/textfile.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int textfile_read(const char *path, size_t max_bytes, struct buf *out, struct err *e)
{
    enum { CHUNK = 64 * 1024 };
    buf_init(out, max_bytes);
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file)
        return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    static char chunk[CHUNK];
    size_t got;
    errno = 0;
    while ((got = fread(chunk, 1, CHUNK, file)) > 0 && !out->overflow)
        buf_add(out, chunk, got);
    int failed = ferror(file) ? errno : 0;
    if (!is_stdin)
        fclose(file);
    if (failed)
        return err_set(e, ERR_IO, "%s: %s", path, strerror(failed));
    if (out->overflow)
        return err_set(e, ERR_TOO_BIG, "%s: more than %zu bytes", path, max_bytes);
    buf_add(out, "", 0);
    if (!out->bytes) {
        buf_add_char(out, ' ');
        buf_clear(out);
    }
    return 0;
}
