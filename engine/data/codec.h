/* codec.h - state as bytes: what operators save and load. Little-endian, varints for counts, each part tagged
 * by its writer.
 *
 * A reader is hostile until checked: reads past the end or wrong tags set failed and give zeros/NULL; the
 * caller checks once. A writer's out is the caller's (buf_init, buf_fini); out.overflow tells that the state
 * met out.max_bytes, and must not be saved. Of an object that nests deeper than LIMIT_PARSE_DEPTH what lies
 * deeper is null there: so the rest of a state is not lost for one value. */
#ifndef WEIR_DATA_CODEC_H
#define WEIR_DATA_CODEC_H

#include "engine/data/row.h"

struct state; /* state.h */
struct share; /* segments.h */
/* What a thing that can be saved lies in, counted by saving it: nothing is written then. A row or text that
 * others hold too counts by parts; whatever else is saved is taken to lie in eight bytes a number, a block a
 * text or list. So it is exact for rows, and an estimate for what is around them. */
struct tally {
    uint64_t bytes;
};
struct writer {
    struct buf out;
    struct state *state; /* NULL: everything goes to out */
    struct tally *tally; /* not NULL: state is NULL, and out stays empty */
    /* not NULL: no checkpoint, but between two of them; only what stands in segments is written, and what goes
     * to out is worth nothing */
    const struct share *ahead;
    bool is_lean; /* one of many of a kind: tags are left out */
};
struct reader {
    const uint8_t *at, *end;
    bool failed;
    struct state *state; /* as in the writer that wrote it */
    bool is_lean;        /* likewise */
};

void write_u8(struct writer *w, uint8_t v);
void write_u32(struct writer *w, uint32_t v);
void write_i64(struct writer *w, int64_t v);
void write_double(struct writer *w, double v);
void write_varint(struct writer *w, uint64_t v);
void write_count(struct writer *w, size_t n); /* a varint: so many things, or bytes, follow */
void write_bytes(struct writer *w, const void *p, size_t len); /* with its length */
void write_value(struct writer *w, struct value v);
void write_row(struct writer *w, const struct row *r);          /* r may be NULL */
void write_step(struct writer *w, uint64_t v, uint64_t before); /* few bytes when v is near before */
void write_tag(struct writer *w, const char *tag);
/* Has something that lies in so many bytes, and what is in it, which saving it doesn't tell. Nothing without
 * a tally. */
static inline void write_held(struct writer *w, size_t bytes)
{
    if (w->tally)
        w->tally->bytes += bytes;
}
uint64_t tally_row(const struct row *r); /* with its texts, by parts */
uint64_t tally_value(struct value v);    /* what hangs on it: 0 for numbers */
/* Of many things alike some are looked at: every step-th; then what they added since `before` is taken for
 * all. */
enum { TALLY_LOOKS = 1024 };
static inline void tally_scale(struct tally *t, uint64_t before, size_t count, size_t step)
{
    size_t looks = (count + step - 1) / step;
    if (step > 1)
        t->bytes = before + (uint64_t)((double)(t->bytes - before) / (double)looks * (double)count);
}
/* Eight bytes, of which those that are 0 at both ends are left out: a count, a sum. Nine at most. */
void write_sparse(struct writer *w, uint64_t v);
/* As write_row, r not NULL, in fewer bytes when rows of one schema stand one after another: before is the row
 * written last, or NULL. */
void write_row_behind(struct writer *w, const struct row *r, const struct row *before);
/* In fewer still, where rows are written again and again: numbers lean on those of the row before, and the
 * text of one attribute (known; SIZE_MAX: of none) is left out, for the reader has it. */
void write_row_near(struct writer *w, const struct row *r, const struct row *before, size_t known);

uint8_t read_u8(struct reader *r);
uint32_t read_u32(struct reader *r);
int64_t read_i64(struct reader *r);
uint64_t read_sparse(struct reader *r);
double read_double(struct reader *r);
size_t read_count(struct reader *r, size_t max); /* more than max, or than bytes left: failed, 0 */
uint64_t read_varint(struct reader *r); /* what write_count wrote, when it is no size of what follows */
uint64_t read_step(struct reader *r, uint64_t before);
const void *read_bytes(struct reader *r, size_t *len); /* borrowed from the input */
struct value read_value(struct reader *r);             /* owned by the caller */
struct row *read_row(struct reader *r);                /* refs 1, or NULL */
struct row *read_row_behind(struct reader *r, const struct row *before);
/* text: what stands in the attribute known; the row has a reference of its own. */
struct row *read_row_near(struct reader *r, const struct row *before, size_t known, struct text *text);
bool read_tag(struct reader *r, const char *tag); /* false and failed when another stands there */

#endif
