#include "agent/texttable.h"
#include "engine/base/mem.h"
#include <string.h>

void texttable_init(struct texttable *t)
{
    *t = (struct texttable){0};
    buf_init(&t->cells, SIZE_MAX);
}

void texttable_fini(struct texttable *t)
{
    mem_free(t->columns);
    buf_fini(&t->cells);
}

static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void texttable_cell(struct texttable *t, const char *text, size_t len)
{
    struct texttable_column *c = &t->columns[t->cell_count++ % t->column_count];
    size_t from = t->cells.len;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '\n' || byte == '\t' || byte == '\r')
            buf_printf(&t->cells, "\\%c", byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r');
        else if (byte < 0x20 || byte == 0x7F)
            buf_printf(&t->cells, "\\x%02x", (unsigned)byte);
        else if (byte == 0xC2 && i + 1 < len && (unsigned char)text[i + 1] < 0xA0) /* U+0080 to U+009F */
            buf_printf(&t->cells, "\\x%02x", (unsigned)(unsigned char)text[++i]);
        else
            buf_add_char(&t->cells, (char)byte);
    }
    buf_add_char(&t->cells, 0);
    size_t width = width_of(t->cells.bytes + from);
    if (width > c->width)
        c->width = width;
}

void texttable_column(struct texttable *t, const char *name, bool is_number)
{
    t->columns = mem_resize(t->columns, t->column_count + 1, sizeof *t->columns);
    t->columns[t->column_count++] = (struct texttable_column){.is_number = is_number};
    t->cell_count = t->column_count - 1;
    texttable_cell(t, name, strlen(name));
}

static void fill(size_t count, char c, FILE *out)
{
    while (count-- > 0)
        fputc(c, out);
}

static void print_dashes(const struct texttable *t, FILE *out)
{
    for (size_t i = 0; i < t->column_count; i++) {
        fputs(i ? "  " : "", out);
        fill(t->columns[i].width, '-', out);
    }
    fputc('\n', out);
}

void texttable_print(const struct texttable *t, FILE *out)
{
    const char *cell = t->cells.bytes;
    for (size_t i = 0; i < t->cell_count; i++, cell += strlen(cell) + 1) {
        const struct texttable_column *c = &t->columns[i % t->column_count];
        bool is_first = i % t->column_count == 0, is_last = (i + 1) % t->column_count == 0;
        size_t room = c->width - width_of(cell);
        fputs(is_first ? "" : "  ", out);
        if (c->is_number)
            fill(room, ' ', out);
        fputs(cell, out);
        if (!c->is_number && !is_last)
            fill(room, ' ', out);
        if (is_last)
            fputc('\n', out);
        if (i + 1 == t->column_count)
            print_dashes(t, out);
    }
}
