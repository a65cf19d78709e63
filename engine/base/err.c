/* err.c - how failure is told. */
#include "engine/base/err.h"
#include "engine/base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int(err_set)(struct err *e, int code, const char *format, ...)
{
    if (!e)
        return code;
    e->code = code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(e->text, sizeof(e->text), format, args);
    va_end(args);
    return code;
}

void err_assert_failed(const char *what, const char *file, int line)
{
    log_write(LOG_ERROR, "assert", "%s:%d: %s", file, line, what);
    abort();
}
