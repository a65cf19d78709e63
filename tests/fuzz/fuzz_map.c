/* fuzz_map.c - any bytes as a message for each kind of source map: mapped or rejected, never a crash. The first
 * byte says for which; what comes out goes through the sink's map of its kind. */
#include "engine/base/log.h"
#include "engine/engine.h"
#include "ports/bind.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ATTRIBUTES "(s string, i int, l long, f float, d double, b bool, o object)"
#define SOURCE(name, map)                                                                                 \
    "@source(type='mqtt', url='tcp://h:1', topic='" name "', " map ") define stream " name " " ATTRIBUTES \
    ";\n"
static const char text[] = SOURCE("A", "@map(type='json')") SOURCE(
    "B",
    "@map(type='json', enclosing.element='$.rows', fail.on.missing.attribute='false',"
    " @attributes(s='x.y', i='i', l='l[0]', f='f', d='d', b='b', o='o'))") SOURCE("C", "@map(type='xml')")
    SOURCE("D", "@map(type='xml', enclosing.element='//r', @attributes(s='s', i='@i', l='l/x', f='f', d='d', "
                "b='b', o='o'))") SOURCE("E", "@map(type='csv', delimiter=',', header='true')")
        SOURCE("F",
               "@map(type='csv', fail.on.unknown.attribute='false', @attributes(s='6', i='5', l='4', f='3', "
               "d='2', b='1', o='0'))") SOURCE("G", "@map(type='text', fail.on.missing.attribute='false')")
            SOURCE("H", "@map(type='text', fail.on.missing.attribute='false', regex.A='(\\w+)\\s([-0-9]+)',"
                        " @attributes(s='A[1]', i='A[2]', l='A[2]', f='A[2]', d='A[2]', b='A[1]', o='A[1]'))")
                SOURCE("I", "@map(type='binary')");

static struct compile made;
static struct bind *bind;
static struct app *app;

static bool begin(void)
{
    static const struct app_host host = {.seed = 1};
    struct err e = {0};
    log_set(LOG_ERROR + 1, false);
    engine_compile(&made, text, sizeof text - 1, NULL);
    bind = made.plan ? bind_new(made.plan, &made.diags) : NULL;
    for (const struct diag *d = made.diags.first; d; d = d->next)
        fprintf(stderr, "%u: %s\n", d->span.at, d->message);
    if (!bind)
        return false;
    app = app_new(made.plan, &host);
    made.plan = NULL;
    bind_attach(bind, app, NULL);
    return app_start(app, 1000, false, &e) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (!len)
        return 0;
    if (!app && !begin())
        abort();
    char *own = malloc(len); /* its end is watched */
    memcpy(own, bytes + 1, len - 1);
    own[len - 1] = 0;
    struct payload p = {.kind = PAYLOAD_TEXT, .bytes = own, .len = len - 1};
    struct property topic = {"topic", "t"};
    struct bind_source *s = &bind->sources[*bytes % (unsigned)bind->source_count];
    if (!strcmp(s->map->type->name, "binary"))
        p.kind = PAYLOAD_BYTES;
    (void)bind_receive(bind, s, &p, &topic, 1);
    free(own);
    return 0;
}
