/* input.h - recorded events: a file parsed once into rows of a stream's schema. CSV with a header, or JSON
 * lines: an object a line, of attributes, or as `weir replay` prints it ({"stream":..,"at":..,"data":{..}}).
 *
 * Attributes the file doesn't have are null; columns the stream doesn't have are passed over. */
#ifndef WEIR_AGENT_INPUT_H
#define WEIR_AGENT_INPUT_H

#include "agent/textfile.h"
#include "engine/engine.h"

struct input {
    uint32_t stream;
    const struct schema *schema;
    struct row **rows; /* owned */
    uint32_t count, cap;
    bool has_times; /* every row's at_ms came from the file (JSON lines with "at") */
    uint32_t at;    /* the reader's: the next row */
};

/* spec: STREAM=FILE. Words in e, with the file and line. */
int input_open(struct input *in, const struct plan *plan, const char *spec, struct err *e);
void input_close(struct input *in);

#endif
