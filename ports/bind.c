/* bind.c - @source and @sink annotations made into sources and sinks (spec 10 section 8, 22 section 0).
 * bind_run.c moves the events. */
#include "ports/bind_in.h"
#include "ports/configure.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SCRATCH_BLOCK_BYTES = 16 * 1024, LISTS = 2 };

static const char *const strategies[] = {"roundRobin", "broadcast", "partitioned"};
struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit bytes_units[] = {{"", 1},         {"B", 1},           {"kB", 1000},
                                          {"MB", 1000000}, {"GB", 1000000000}, {NULL, 0}};
static const struct unit time_units[] = {
    {"", 1},           {"ms", 1},          {"millisecond", 1},  {"milliseconds", 1},
    {"sec", 1000},     {"second", 1000},   {"seconds", 1000},   {"min", 60000},
    {"minute", 60000}, {"minutes", 60000}, {"hour", 3600000},   {"hours", 3600000},
    {"day", 86400000}, {"days", 86400000}, {"week", 604800000}, {"weeks", 604800000},
    {NULL, 0}};
static const char *const on_errors[] = {"log", "wait", "stream", "store"};

/* Siddhi's connectors that we have not built: another word than for a misspelled one. */
static const char *const unbuilt[] = {"azuredatalake",
                                      "cdc",
                                      "coap",
                                      "email",
                                      "event-table",
                                      "fileeventlistener",
                                      "gcs",
                                      "googlepubsub",
                                      "grpc",
                                      "grpc-call",
                                      "grpc-call-response",
                                      "grpc-service",
                                      "grpc-service-response",
                                      "hl7",
                                      "http",
                                      "http-call",
                                      "http-call-response",
                                      "http-request",
                                      "http-response",
                                      "http-service",
                                      "http-service-response",
                                      "ibmmq",
                                      "jms",
                                      "kafka",
                                      "kafka-replay-request",
                                      "kafka-replay-response",
                                      "kafkaMultiDC",
                                      "nats",
                                      "opcua",
                                      "prometheus",
                                      "rabbitmq",
                                      "rest",
                                      "s3",
                                      "snmp",
                                      "snmp-trap",
                                      "sqs",
                                      "sse",
                                      "sse-server",
                                      "tcp",
                                      "twitter",
                                      "websocket",
                                      "websocket-server",
                                      "websubhub",
                                      "wso2event"};

struct making {
    struct bind *b;
    struct plan *plan;
    struct arena *arena;
    struct diags *diags;
    const struct ast_definition *definition;
    uint32_t stream;
    const struct schema *schema;
    int groups;
};

/* ---- the connector ---- */

static const struct port_type *unknown_type(struct making *mk, const char *word,
                                            const struct ast_element *type)
{
    for (size_t i = 0; i < sizeof(unbuilt) / sizeof(*unbuilt); i++) {
        if (strcasecmp(unbuilt[i], type->value) == 0) {
            diag_unsupported(mk->diags, type->span, arena_printf(mk->arena, "%s:%s", word, unbuilt[i]));
            return NULL;
        }
    }
    size_t count = 0;
    while (port_types[count])
        count++;
    const char **names = arena_array(mk->arena, count, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = port_types[i]->name;
    diag_error(mk->diags, type->span, "there is no %s '%s'", word, type->value);
    const char *near = diag_near(type->value, names, count);
    if (near)
        diag_hint(mk->diags, "did you mean '%s'?", near);
    return NULL;
}

static const struct port_type *find_type(struct making *mk, const struct ast_annotation *a, bool is_sink)
{
    const char *word = is_sink ? "sink" : "source";
    const struct ast_element *type = ast_find_element(a, "type"), *ref = ast_find_element(a, "ref");
    if (ref) {
        diag_unsupported(mk->diags, ref->span, arena_printf(mk->arena, "%s:ref", word));
        return NULL;
    }
    if (!type) {
        diag_error(mk->diags, a->span, "@%s needs a type", word);
        diag_hint(mk->diags, "@%s(type='mqtt', ..)", word);
        return NULL;
    }
    const struct port_type *found = port_type_find(type->value);
    if (!found)
        return unknown_type(mk, word, type);
    if (is_sink ? !found->can_sink : !found->can_source) {
        diag_error(mk->diags, type->span, "'%s' cannot be a %s", found->name, word);
        return NULL;
    }
    return found;
}

static const struct ast_annotation *find_once(struct making *mk, const struct ast_annotation *a,
                                              const char *name)
{
    const struct ast_annotation *found = NULL;
    for (const struct ast_annotation *n = a->nested; n; n = n->next) {
        if (strcasecmp(n->name.text, name) != 0)
            continue;
        if (found)
            diag_error(mk->diags, n->span, "@%s stands here for the second time", name);
        else
            found = n;
    }
    return found;
}

/* {{attribute}} options of a sink, as configure finds them. */
struct dynamics {
    struct making *mk;
    struct bind_sink *sink;
    bool failed;
};

static void add_dynamic(void *user, const struct option *option, const struct ast_element *element)
{
    struct dynamics *d = user;
    struct template *t =
        template_compile(d->mk->arena, d->mk->diags, element->span, element->value, d->mk->schema);
    if (!t) {
        d->failed = true;
        return;
    }
    d->sink->dynamic[d->sink->dynamic_count++] = (struct bind_dynamic){.name = option->name, .value = t};
}

static bool check_port(struct making *mk, const struct port_type *type, const struct options *options,
                       bool is_sink, const struct ast_element *const *lists, int list_count, struct span at)
{
    struct err e = {0};
    const char *which = NULL;
    if (!type->check || type->check(options, is_sink, &e, &which) == 0)
        return true;
    const struct ast_element *element = which ? configure_element(lists, list_count, which) : NULL;
    diag_error(mk->diags, element ? element->span : at, "%s", e.text);
    return false;
}

/* lists: a destination's elements, and the annotation's own. */
static bool configure_port(struct making *mk, const struct port_type *type, struct bind_sink *sink,
                           struct options *out, const struct ast_element *const *lists, int list_count,
                           struct span at)
{
    static const char *const reserved[] = {
        "type",         "ref", "on.error", "buffer.max.size", "buffer.max.age", "buffer.overflow",
        "dedupe.field", NULL};
    struct dynamics d = {.mk = mk, .sink = sink};
    struct configure c = {.arena = mk->arena,
                          .diags = mk->diags,
                          .what = arena_printf(mk->arena, "%s %s", sink ? "sink" : "source", type->name),
                          .at = at,
                          .table = type->options,
                          .table_count = type->option_count,
                          .is_sink = sink != NULL,
                          .reserved = reserved,
                          .dynamic = sink ? add_dynamic : NULL,
                          .user = &d};
    if (sink)
        sink->dynamic = arena_array(mk->arena, (size_t)type->option_count + 1, sizeof(*sink->dynamic));
    return configure(&c, lists, list_count, out) && !d.failed &&
           check_port(mk, type, out, sink != NULL, lists, list_count, at);
}

/* ---- one source ---- */

static void make_source(struct making *mk, const struct ast_annotation *a)
{
    struct bind_source *s = &mk->b->sources[mk->b->source_count];
    const struct port_type *type = find_type(mk, a, false);
    for (const struct ast_annotation *n = a->nested; n; n = n->next)
        if (strcasecmp(n->name.text, "map") != 0)
            diag_warn(mk->diags, n->span, "@%s has no meaning in @source and is ignored", n->name.text);
    const struct ast_annotation *map = find_once(mk, a, "map");
    if (!type)
        return;
    const struct ast_element *elements = a->elements;
    bool good = configure_port(mk, type, NULL, &s->options, &elements, 1, a->span);
    s->map = map_open(mk->arena, mk->diags, map, a->span, mk->schema, false, type);
    s->stream = mk->stream;
    s->type = type;
    s->number = mk->b->source_count;
    if (!good) {
        map_close(s->map);
        return;
    }
    if (s->map)
        mk->b->source_count++;
}

/* ---- one sink, or one for each destination ---- */

static const char *read_on_error(struct making *mk, const struct ast_annotation *a)
{
    const struct ast_element *e = ast_find_element(a, "on.error");
    if (!e)
        return on_errors[0];
    for (size_t i = 0; i < sizeof(on_errors) / sizeof(*on_errors); i++) {
        if (strcasecmp(on_errors[i], e->value) != 0)
            continue;
        const struct ast_annotation *policy = ast_find_annotation(mk->definition->annotations, "OnError");
        const struct ast_element *action = policy ? ast_find_element(policy, "action") : NULL;
        if (strcmp(on_errors[i], "stream") == 0 && !(action && strcasecmp(action->value, "stream") == 0))
            diag_warn(mk->diags, e->span, "on.error='stream' wants @OnError(action='stream') at stream '%s'",
                      mk->schema->id);
        return on_errors[i];
    }
    diag_error(mk->diags, e->span, "on.error is 'log', 'wait', 'stream' or 'store', not '%s'", e->value);
    return NULL;
}

/* "10 MB", "7 days", "500": a whole number and a unit of the table. */
static bool read_amount(struct making *mk, const struct ast_element *e, const struct unit *units,
                        uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(e->value, &end, 10);
    bool good = end != e->value && errno == 0 && e->value[0] != '-';
    while (*end == ' ')
        end++;
    for (; good && units->name; units++)
        if (strcasecmp(units->name, end) == 0 && n <= INT64_MAX / units->factor) {
            *out = n * units->factor;
            return true;
        }
    diag_error(mk->diags, e->span, "'%s' is no amount such as '10 MB' or '7 days'", e->value);
    return false;
}

static void read_buffer(struct making *mk, const struct ast_annotation *a, struct bind_buffer *b)
{
    static const char *const overflows[] = {"block", "drop.oldest", "drop.newest"};
    const struct ast_element *size = ast_find_element(a, "buffer.max.size"),
                             *age = ast_find_element(a, "buffer.max.age"),
                             *overflow = ast_find_element(a, "buffer.overflow"),
                             *field = ast_find_element(a, "dedupe.field");
    uint64_t age_ms = 0;
    if (size)
        read_amount(mk, size, bytes_units, &b->most_bytes);
    if (age && read_amount(mk, age, time_units, &age_ms))
        b->most_age_ms = (int64_t)age_ms;
    b->dedupe_field = field && *field->value ? field->value : NULL;
    int which = overflow ? -1 : 0;
    for (int i = 0; overflow && i < 3; i++)
        if (strcasecmp(overflows[i], overflow->value) == 0)
            which = i;
    if (which < 0)
        diag_error(mk->diags, overflow->span,
                   "buffer.overflow is 'block', 'drop.oldest' or 'drop.newest', not '%s'", overflow->value);
    b->overflow = which < 0 ? BUFFER_BLOCK : (enum buffer_overflow)which;
}

/* The first character of what the map makes of a row; 0: it depends on the row, or there is none. */
static char first_of(const struct mapper *m)
{
    const struct template *t = m->payload;
    const struct template_part *p = t && t->count ? &t->parts[0] : NULL;
    size_t blanks = p && p->text ? strspn(p->text, " \t\r\n") : 0;
    return p && p->text && blanks < p->len ? p->text[blanks] : 0;
}

/* Where the key goes is agent/dedupe.h's; here: has a message of this sink a place for it? */
static void check_dedupe(struct making *mk, const struct ast_annotation *a, const struct port_type *type,
                         const struct mapper *m)
{
    const struct ast_element *field = ast_find_element(a, "dedupe.field");
    if (!field || !m)
        return;
    char first = first_of(m);
    bool is_xml = strcmp(m->type->name, "xml") == 0;
    bool carries = is_xml || strcmp(m->type->name, "json") == 0 ||
                   (strcmp(m->type->name, "text") == 0 && m->payload && first);
    const char *why = NULL;
    if (!*field->value)
        why = "dedupe.field is the name of a field";
    else if (type->in_process)
        why = arena_printf(mk->arena, "sink %s hands its events on in memory: no message carries a key",
                           type->name);
    else if (!carries || (first && !strchr("{[<", first)))
        why = arena_printf(mk->arena,
                           "messages of this @map(type='%s') have no place for a key: json and xml have, and "
                           "text that is one",
                           m->type->name);
    else if ((is_xml || first == '<') && strpbrk(field->value, " \t\r\n\"'<>/=&"))
        why = arena_printf(mk->arena, "'%s' is no name of an XML attribute", field->value);
    if (why)
        diag_error(mk->diags, field->span, "%s", why);
}

static int count_destinations(const struct ast_annotation *distribution)
{
    int count = 0;
    for (const struct ast_annotation *n = distribution->nested; n; n = n->next)
        count += strcasecmp(n->name.text, "destination") == 0;
    return count;
}

/* @distribution(strategy='..', [partitionKey='attribute'], @destination(..), ..) */
static bool read_distribution(struct making *mk, const struct ast_annotation *d, int *strategy, int *key)
{
    const struct ast_element *name = ast_find_element(d, "strategy"),
                             *by = ast_find_element(d, "partitionKey");
    *strategy = -1;
    for (int i = 0; name && i < 3; i++)
        if (strcmp(strategies[i], name->value) == 0)
            *strategy = i;
    if (*strategy < 0) {
        diag_error(mk->diags, name ? name->span : d->span,
                   "@distribution wants strategy='roundRobin', 'broadcast' or 'partitioned'");
        return false;
    }
    if (count_destinations(d) == 0) {
        diag_error(mk->diags, d->span, "@distribution has no @destination");
        return false;
    }
    if (*strategy != 2)
        return true;
    *key = by ? schema_find(mk->schema, by->value) : -1;
    if (*key < 0) {
        diag_error(mk->diags, by ? by->span : d->span,
                   "strategy 'partitioned' wants partitionKey to be an attribute of '%s'", mk->schema->id);
        return false;
    }
    return true;
}

static void make_sinks(struct making *mk, const struct ast_annotation *a)
{
    int errors = mk->diags->errors + mk->diags->unsupported, strategy = 0, key = -1;
    const struct port_type *type = find_type(mk, a, true);
    const struct ast_annotation *map = find_once(mk, a, "map"),
                                *distribution = find_once(mk, a, "distribution");
    const char *on_error = read_on_error(mk, a);
    struct bind_buffer buffer = {0};
    read_buffer(mk, a, &buffer);
    for (const struct ast_annotation *n = a->nested; n; n = n->next)
        if (strcasecmp(n->name.text, "map") != 0 && strcasecmp(n->name.text, "distribution") != 0)
            diag_warn(mk->diags, n->span, "@%s has no meaning in @sink and is ignored", n->name.text);
    if (!type || (distribution && !read_distribution(mk, distribution, &strategy, &key)))
        return;
    struct mapper *m = map_open(mk->arena, mk->diags, map, a->span, mk->schema, true, type);
    check_dedupe(mk, a, type, m);
    const struct ast_element *lists[LISTS] = {a->elements, a->elements}; /* the sink's own count more */
    int first = mk->b->sink_count, group = distribution ? mk->groups++ : -1;
    for (const struct ast_annotation *n = distribution ? distribution->nested : a; n; n = n->next) {
        if (distribution && strcasecmp(n->name.text, "destination") != 0)
            continue;
        struct bind_sink *s = &mk->b->sinks[mk->b->sink_count];
        *s = (struct bind_sink){.stream = mk->stream,
                                .type = type,
                                .map = m,
                                .on_error = on_error,
                                .buffer = buffer,
                                .destination_group = group,
                                .strategy = strategy,
                                .partition_key = key,
                                .number = mk->b->sink_count};
        if (distribution)
            lists[0] = n->elements;
        configure_port(mk, type, s, &s->options, lists, distribution ? LISTS : 1, n->span);
        mk->b->sink_count++;
        if (!distribution)
            break;
    }
    if (!m || mk->diags->errors + mk->diags->unsupported > errors) {
        mk->b->sink_count = first;
        map_close(m);
    }
}

/* ---- all of them ---- */

static bool is_for_ports(const struct making *mk, const struct ast_definition *d)
{
    int stream = d->kind == DEFINE_STREAM ? plan_find_stream(mk->plan, d->id.text) : -1;
    return stream >= 0 && plan_stream_definition(mk->plan, (uint32_t)stream) == d;
}

static void count_annotations(const struct ast_app *app, size_t *sources, size_t *sinks)
{
    *sources = *sinks = 0;
    for (const struct ast_definition *d = app->definitions; d; d = d->next) {
        for (const struct ast_annotation *a = d->annotations; a; a = a->next) {
            if (strcasecmp(a->name.text, "source") == 0)
                ++*sources;
            if (strcasecmp(a->name.text, "sink") != 0)
                continue;
            ++*sinks;
            for (const struct ast_annotation *n = a->nested; n; n = n->next)
                *sinks += (size_t)count_destinations(n);
        }
    }
}

static void make_definition(struct making *mk, const struct ast_definition *d)
{
    bool ports = is_for_ports(mk, d);
    if (ports) {
        mk->definition = d;
        mk->stream = (uint32_t)plan_find_stream(mk->plan, d->id.text);
        mk->schema = plan_stream(mk->plan, mk->stream);
    }
    for (const struct ast_annotation *a = d->annotations; a; a = a->next) {
        bool is_source = strcasecmp(a->name.text, "source") == 0;
        if (!is_source && strcasecmp(a->name.text, "sink") != 0)
            continue;
        if (!ports && d->kind != DEFINE_STREAM)
            diag_warn(mk->diags, a->span, "@%s has a meaning at a stream only and is ignored", a->name.text);
        else if (ports && is_source)
            make_source(mk, a);
        else if (ports)
            make_sinks(mk, a);
    }
}

struct bind *bind_new(struct plan *plan, struct diags *diags)
{
    const struct ast_app *ast = plan_ast(plan);
    struct arena *arena = plan_arena(plan);
    struct bind_all *all = arena_alloc(arena, sizeof(*all));
    struct bind *b = &all->bind;
    size_t sources, sinks;
    int errors = diags->errors + diags->unsupported;
    count_annotations(ast, &sources, &sinks);
    b->sources = arena_array(arena, sources, sizeof(*b->sources));
    b->sinks = arena_array(arena, sinks, sizeof(*b->sinks));
    all->subscriptions = arena_array(arena, sources, sizeof(*all->subscriptions));
    arena_init(&all->scratch, SCRATCH_BLOCK_BYTES);
    struct making mk = {.b = b, .plan = plan, .arena = arena, .diags = diags};
    for (const struct ast_definition *d = ast->definitions; d; d = d->next)
        make_definition(&mk, d);
    if (diags->errors + diags->unsupported > errors) {
        bind_free(b);
        return NULL;
    }
    return b;
}
