/* map.h - mappers: bytes to rows and rows to bytes (spec 21). They see no sockets. On the app's worker.
 *
 * A mapper is made once for each @source or @sink when the app is compiled (map_open also is the check) and
 * used for every message. What it emits may come back to it before emit returns (an inMemory topic read by
 * the same app): both doors can be entered again from there. */
#ifndef WEIR_PORTS_MAP_H
#define WEIR_PORTS_MAP_H

#include "engine/data/batch.h"
#include "engine/data/schema.h"
#include "engine/lang/ast.h"
#include "ports/port.h"
#include "ports/template.h"

enum payload_kind { PAYLOAD_TEXT, PAYLOAD_BYTES, PAYLOAD_EVENTS, PAYLOAD_ROW, PAYLOAD_MAP };
struct payload {
    enum payload_kind kind;
    const char *bytes; /* TEXT, BYTES */
    size_t len;
    const struct batch *events; /* EVENTS: rows of the sender's schema; is_batch: an array */
    struct object *map;         /* MAP */
};

struct mapper;
struct writer; /* engine/data/codec.h */
struct reader;
/* A source map hands on one chunk: rows with refs 1 that the receiver takes over (unrefs). at_ms of each row
 * is already set. */
typedef void (*map_rows_fn)(void *user, struct row **rows, uint32_t count, bool is_batch);
/* A sink map hands on one payload, borrowed. */
typedef void (*map_payload_fn)(void *user, const struct payload *p);

struct map_type {
    const char *name;
    const struct option *options;
    int option_count;
    bool can_source, can_sink;
    bool in_process; /* carries events or maps, not bytes */
    size_t size;
    /* Does open read the text of @payload itself, as another language than template.h's? NULL: no. */
    bool (*own_payload)(const struct mapper *m);
    /* Checks annotations and options, prepares self. Reports to diags with places and returns -1. */
    int (*open)(struct mapper *m, struct diags *diags, const struct ast_annotation *map);
    /* One message to any number of chunks. now_ms stamps rows. A message or a part of it that doesn't fit: e
     * is filled (why, with position), the good parts are handed on as the spec says, ERR_INVALID is returned.
     * properties are the trp: values. */
    int (*read)(struct mapper *m, const struct payload *in, const struct property *properties,
                int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e);
    /* One chunk (or one event) to any number of payloads. */
    int (*write)(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e);
    void (*close)(struct mapper *m);
    /* What one message leaves behind for the next ones, as part of the app's state; NULL: nothing. load wants
     * a mapper just opened and returns 0, or ERR_STATE. */
    void (*save)(const struct mapper *m, struct writer *w);
    int (*load)(struct mapper *m, struct reader *r);
};
struct mapper {
    const struct map_type *type;
    const struct schema *schema;
    struct options options;
    bool is_sink;
    struct arena *arena;  /* of the app: configuration */
    struct arena scratch; /* reset after each read or write */
    struct buf out;       /* sink: the text being made; source: room for unescaping */
    struct map_field
        *fields; /* @attributes: one for each attribute of the schema, or NULL (default mapping) */
    struct template *payload; /* unnamed @payload, or NULL */
    struct map_named *named;  /* named @payload elements, in the order of the text */
    int named_count;
    struct value *transport; /* trp: values of the message being read, converted; one for each attribute, or
                                NULL: none mapped */
    bool fail_on_missing;    /* source: false makes a missing value null */
    int entered;             /* calls of map_read and map_write that are open */
    int64_t began;           /* of the read that runs: mem_held before it */
    bool took_over;          /* its rows alone need more than the app's share: it makes none */
    /* Which events of a message didn't fit, by their place in it, from 0; none: the message as a whole.
     * failing is of the read that runs, failed of the one that ended last. */
    struct map_failed {
        uint32_t *at; /* owned */
        uint32_t count, cap;
    } failing, failed;
    void *self;
};
struct map_field {        /* from @attributes */
    const char *expr;     /* mapper's expression */
    const char *property; /* trp:NAME without the prefix, or NULL */
    struct span span;
};
struct map_named {
    const char *key;
    struct template *value;
    struct span span;
};

/* map NULL: no @map, so passThrough. transport is the port's type: its in_process must fit. NULL after
 * reporting. */
struct mapper *map_open(struct arena *a, struct diags *diags, const struct ast_annotation *map,
                        struct span at, const struct schema *schema, bool is_sink,
                        const struct port_type *transport);
/* A message whose events would take more than its app's bound (mem.h, law 2) is refused as a whole. */
int map_read(struct mapper *m, const struct payload *in, const struct property *properties,
             int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e);
int map_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e);
void map_close(struct mapper *m);
const struct map_type *map_type_find(const char *name);

/* Scalar from text by the rules of spec 21 section 0. false: does not fit. The result is owned. */
bool map_scalar(enum type type, const char *s, size_t len, struct value *out);

#endif
