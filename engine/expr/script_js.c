/* script_js.c - script functions in JavaScript, on Duktape (ECMAScript 5.1). The only file that knows
 * duktape.h.
 *
 * Why Duktape: of the engines Debian 12 has (it has no QuickJS), MuJS calls a small function in half the time
 * (0.27 against 0.48 µs) but runs loops five times slower, prints 0.1+0.2 as 0.30000000000000007 and sorts
 * the names of objects; Duktape is right in both. Both are about 0.3 MB, 0.1 MB of heap for one context,
 * under MIT-like licences; neither can be told to stop, so script_steps.c makes the text count.
 *
 * Laws: (1) nothing of Duktape is touched outside duk_safe_call, and every byte of its heap comes from
 * heap_alloc, which knows the bound: an error or a full heap is an answer, never an abort; (2) a heap that
 * met a limit is thrown away; (3) text is CESU-8 in Duktape and UTF-8 here.
 *
 * What isn't counted: the backtracking of a regular expression; Duktape ends it by itself, after many seconds
 * at worst. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/expr/fn.h"
#include "engine/expr/script.h"
#include "engine/expr/script_steps.h"
#include <duktape.h>
#include <math.h>
#include <strings.h>

enum { VALUE_DEPTH = 32 };

/* One function at work; made at its first call. */
struct engine {
    duk_context *duk;       /* the compiled function lies at its stack's bottom; NULL: not made yet */
    struct object *globals; /* loaded, for an engine that is not made yet; or NULL */
    struct expr_env *env;
    int64_t steps; /* left in this call */
    size_t bytes;  /* of its heap */
    bool is_over;  /* a limit was met in this call */
};
struct scripts {             /* expr_env.scripts */
    struct engine **engines; /* by number of the function */
    int count;
};

/* What every engine starts with. Nothing that evaluates text (the steps of that would not be counted), no
 * clock, no other chance than the env's; local time is UTC; the methods of arrays pay for the length they
 * walk. */
static const char prelude[] =
    "(function(g,step,now){'use strict';"
    "var "
    "R=Date,P=R.prototype,k=['Date','Day','FullYear','Hours','Minutes','Seconds','Milliseconds','Month'],i;"
    "function D(y,m,d,h,n,s,z){"
    "if(!(this instanceof D))return new R(now()).toUTCString();"
    "switch(arguments.length){case 0:return new R(now());case 1:return new R(y);}"
    "return new R(R.UTC(y,m,d===undefined?1:d,h||0,n||0,s||0,z||0));}"
    "D.prototype=P;P.constructor=D;D.now=now;D.UTC=R.UTC;"
    "D.parse=function(t){return "
    "/^[-+]?\\d+(-\\d\\d){0,2}(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[-+]\\d\\d:?\\d\\d)?)?$/"
    ".test(t)?R.parse(t):NaN;};"
    "for(i=0;i<k.length;i++){P['get'+k[i]]=P['getUTC'+k[i]];if(k[i]!=='Day')P['set'+k[i]]=P['setUTC'+k[i]];}"
    "P.getTimezoneOffset=function(){return 0;};P.toString=P.toLocaleString=P.toUTCString;"
    "P.toDateString=P.toLocaleDateString=function(){return this.toISOString().slice(0,10);};"
    "P.toTimeString=P.toLocaleTimeString=function(){return this.toISOString().slice(11,19);};"
    "g.Date=D;"
    "['join','reverse','shift','slice','sort','splice','unshift','indexOf','lastIndexOf','every','some','"
    "forEach','map',"
    "'filter','reduce','reduceRight','concat'].forEach(function(n){var f=Array.prototype[n];"
    "Object.defineProperty(Array.prototype,n,{configurable:true,writable:true,value:function(){"
    "if(this!==null&&this!==undefined&&this.length>16)step(this.length);return "
    "f.apply(this,arguments);}});});"
    "Object.defineProperty(Function.prototype,'constructor',{value:undefined});"
    "delete g.eval;delete g.Function;delete g.Duktape;delete g.performance;})";

/* ---- memory ---- */

static void heap_free(void *user, void *p)
{
    struct engine *e = user;
    if (!p)
        return;
    size_t *block = (size_t *)((char *)p - 8);
    e->bytes -= *block;
    mem_pool_free(block, *block + 8);
}

static void *heap_alloc(void *user, duk_size_t bytes)
{
    struct engine *e = user;
    if (bytes == 0)
        return NULL;
    if (bytes > LIMIT_SCRIPT_BYTES - e->bytes) {
        e->is_over = true;
        return NULL;
    }
    size_t *block = mem_pool_alloc(bytes + 8);
    *block = bytes;
    e->bytes += bytes;
    return (char *)block + 8;
}

static void *heap_resize(void *user, void *p, duk_size_t bytes)
{
    if (!p || bytes == 0) {
        heap_free(user, p);
        return heap_alloc(user, bytes);
    }
    size_t old = *(size_t *)((char *)p - 8);
    void *wider = heap_alloc(user, bytes);
    if (!wider)
        return NULL;
    memcpy(wider, p, old < bytes ? old : bytes);
    heap_free(user, p);
    return wider;
}

static void fatal(void *user, const char *words)
{
    (void)user;
    (void)words;
    ASSERT(!"an error left duk_safe_call");
}

/* ---- what scripts may ask ---- */

static struct engine *engine_of(duk_context *duk)
{
    duk_memory_functions f;
    duk_get_memory_functions(duk, &f);
    return f.udata;
}

/* Takes steps; throws when none are left, again at each later call. */
static void charge(duk_context *duk, double steps)
{
    struct engine *e = engine_of(duk);
    if (!(steps <= (double)e->steps)) {
        e->steps = 0;
        e->is_over = true;
        (void)duk_range_error(duk, "more than %d steps", LIMIT_SCRIPT_STEPS);
    }
    e->steps -= (int64_t)steps;
}

/* __weir_step(n): n */
static duk_ret_t js_step(duk_context *duk)
{
    double steps = duk_to_number(duk, 0);
    charge(duk, steps >= 0 ? steps : 0);
    duk_push_number(duk, steps);
    return 1;
}

/* __weir_all(object): the object, its names counted */
static duk_ret_t js_all(duk_context *duk)
{
    if (!duk_is_object(duk, 0))
        return 1;
    double count = 0;
    duk_enum(duk, 0, 0);
    for (; duk_next(duk, -1, 0); duk_pop(duk))
        count++;
    duk_pop(duk);
    charge(duk, count);
    return 1;
}

static duk_ret_t js_random(duk_context *duk)
{
    duk_push_number(duk, (double)(expr_random(engine_of(duk)->env) >> 11) * 0x1p-53);
    return 1;
}

static duk_ret_t js_now(duk_context *duk)
{
    duk_push_number(duk, (double)engine_of(duk)->env->now_ms);
    return 1;
}

/* ---- text: Duktape writes what is above U+FFFF as two surrogates of three bytes each ---- */

static void push_text(duk_context *duk, const char *s, size_t len)
{
    bool is_plain = true;
    for (size_t i = 0; i < len && is_plain; i++)
        is_plain = (unsigned char)s[i] < 0xF0;
    if (is_plain) {
        duk_push_lstring(duk, s, len);
        return;
    }
    char *bytes = duk_push_fixed_buffer(duk, len / 4 * 6 + len + 6);
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t taken = utf8_decode(s + i, len - i, &code);
        if (taken == 4) {
            uint32_t units[2] = {0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)};
            for (int u = 0; u < 2; u++) {
                bytes[n++] = (char)0xED;
                bytes[n++] = (char)(0x80 | ((units[u] >> 6) & 0x3F));
                bytes[n++] = (char)(0x80 | (units[u] & 0x3F));
            }
            i += 4;
        } else {
            bytes[n++] = s[i++];
        }
    }
    duk_push_lstring(duk, bytes, n);
    duk_remove(duk, -2);
}

/* The surrogate at s, or 0. */
static uint32_t surrogate_at(const unsigned char *s, size_t len)
{
    if (len < 3 || s[0] != 0xED || s[1] < 0xA0 || (s[2] & 0xC0) != 0x80)
        return 0;
    return 0xD000u | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
}

/* In scratch; half a pair becomes '?', as when Java writes UTF-8. */
static struct text *text_back(struct expr_env *env, const char *s, size_t len)
{
    if (utf8_valid(s, len))
        return text_scratch(env->scratch, s, len);
    struct text *t = text_scratch_raw(env->scratch, len);
    const unsigned char *from = (const unsigned char *)s;
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code, high = surrogate_at(from + i, len - i);
        uint32_t low = high ? surrogate_at(from + i + 3, len - i < 6 ? 0 : len - i - 3) : 0;
        size_t taken = utf8_decode(s + i, len - i, &code);
        if (high && high < 0xDC00 && low >= 0xDC00) {
            n += utf8_encode(t->bytes + n, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            i += 6;
        } else if (taken) {
            memcpy(t->bytes + n, s + i, taken);
            n += taken;
            i += taken;
        } else {
            t->bytes[n++] = '?';
            i += high ? 3 : 1;
        }
    }
    return text_scratch(env->scratch, t->bytes, n);
}

/* ---- values ---- */

static void push_value(duk_context *duk, struct value v, int depth);

static void push_object(duk_context *duk, const struct object *o, int depth)
{
    size_t at = 0;
    struct value key, v;
    if (depth > VALUE_DEPTH)
        (void)duk_range_error(duk, "an argument is nested too deeply");
    if (object_is_list(o)) {
        duk_push_array(duk);
        for (size_t i = 0; i < list_count(o); i++) {
            push_value(duk, list_get(o, i), depth + 1);
            duk_put_prop_index(duk, -2, (duk_uarridx_t)i);
        }
    } else if (object_is_set(o)) {
        duk_push_array(duk);
        for (duk_uarridx_t i = 0; object_next(o, &at, &v, NULL); i++) {
            push_value(duk, v, depth + 1);
            duk_put_prop_index(duk, -2, i);
        }
    } else if (object_is_map(o)) {
        duk_push_object(duk);
        while (object_next(o, &at, &key, &v)) {
            push_value(duk, key, depth + 1);
            push_value(duk, v, depth + 1);
            duk_put_prop(duk, -3);
        }
    } else if (object_is_failure(o)) {
        push_text(duk, failure_message(o), strlen(failure_message(o)));
    } else {
        (void)duk_type_error(duk, "an argument is an object that scripts don't know");
    }
}

static void push_value(duk_context *duk, struct value v, int depth)
{
    switch (v.type) {
    case TYPE_NULL:
        duk_push_null(duk);
        return;
    case TYPE_STRING:
        push_text(duk, v.as.s->bytes, v.as.s->len);
        return;
    case TYPE_BOOL:
        duk_push_boolean(duk, v.as.l != 0);
        return;
    case TYPE_OBJECT:
        push_object(duk, v.as.o, depth);
        return;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        duk_push_number(duk, value_to_double(v));
        return;
    }
}

/* A JavaScript value as it is: whole numbers of 32 bits are int. Its top stays on the stack. */
static struct value value_back(struct engine *e, duk_idx_t at, int depth)
{
    duk_context *duk = e->duk;
    double number;
    at = duk_normalize_index(duk, at);
    switch (duk_get_type(duk, at)) {
    case DUK_TYPE_UNDEFINED:
    case DUK_TYPE_NULL:
        return VALUE_NULL;
    case DUK_TYPE_BOOLEAN:
        return value_bool(duk_get_boolean(duk, at));
    case DUK_TYPE_NUMBER:
        number = duk_get_number(duk, at);
        return number >= INT32_MIN && number <= INT32_MAX && number == (double)(int32_t)number &&
                       (number != 0 || !signbit(number))
                   ? value_int((int32_t)number)
                   : value_double(number);
    case DUK_TYPE_STRING:
        if (!duk_is_symbol(duk, at)) {
            duk_size_t len;
            const char *s = duk_get_lstring(duk, at, &len);
            return value_text(text_back(e->env, s, len));
        }
        break;
    default:
        break;
    }
    if (!duk_is_object(duk, at) || duk_is_function(duk, at) || duk_is_buffer_data(duk, at))
        (void)duk_type_error(duk, "the result is no value of the language");
    if (depth > VALUE_DEPTH)
        (void)duk_range_error(duk, "the result is nested too deeply");
    struct object *o = duk_is_array(duk, at) ? list_new() : map_object_new();
    struct value result = expr_loose(e->env, o); /* released with the push, also when what follows throws */
    if (duk_is_array(duk, at)) {
        duk_size_t count = duk_get_length(duk, at);
        charge(duk, (double)count);
        for (duk_size_t i = 0; i < count; i++, duk_pop(duk)) {
            duk_get_prop_index(duk, at, (duk_uarridx_t)i);
            list_add(o, value_back(e, -1, depth + 1));
        }
        return result;
    }
    duk_enum(duk, at, DUK_ENUM_OWN_PROPERTIES_ONLY);
    for (; duk_next(duk, -1, 1); duk_pop_2(duk)) {
        struct value key = value_back(e, -2, depth + 1);
        charge(duk, 1);
        map_object_put(o, key, value_back(e, -1, depth + 1));
    }
    duk_pop(duk);
    return result;
}

/* The result on the top as the declared type: what convert() of the language makes of it (spec 02
 * section 7.1), and a text as JavaScript writes it. */
static struct value result_back(struct engine *e, enum type to)
{
    duk_context *duk = e->duk;
    struct value v;
    if (to == TYPE_STRING && !duk_is_null_or_undefined(duk, -1))
        duk_to_string(duk, -1);
    v = value_back(e, -1, 0);
    if (to == TYPE_OBJECT || is_null(v))
        return v;
    if (v.type == TYPE_OBJECT)
        (void)duk_type_error(duk, "the result is an object, not %s", type_name(to));
    return value_convert(e->env, v, to);
}

/* ---- an engine's life ---- */

static duk_ret_t safe_open(duk_context *duk, void *user)
{
    const struct script_function *f = user;
    duk_push_c_function(duk, js_step, 1);
    duk_put_global_string(duk, "__weir_step");
    duk_push_c_function(duk, js_all, 1);
    duk_put_global_string(duk, "__weir_all");
    duk_get_global_string(duk, "Math");
    duk_push_c_function(duk, js_random, 0);
    duk_put_prop_string(duk, -2, "random");
    duk_pop(duk);
    duk_eval_string(duk, prelude);
    duk_push_global_object(duk);
    duk_push_c_function(duk, js_step, 1);
    duk_push_c_function(duk, js_now, 0);
    duk_call(duk, 3);
    duk_pop(duk);
    duk_push_string(duk, f->name);
    duk_compile_lstring_filename(duk, DUK_COMPILE_FUNCTION, f->text, f->len);
    struct object *saved = engine_of(duk)->globals;
    size_t at = 0;
    struct value name, v;
    duk_push_global_object(duk);
    while (saved && object_next(saved, &at, &name, &v)) {
        push_value(duk, name, 0);
        push_value(duk, v, 0);
        duk_put_prop(duk, -3);
    }
    duk_pop(duk);
    return 1;
}

static void engine_close(struct engine *e)
{
    if (e->duk)
        duk_destroy_heap(e->duk);
    if (e->globals)
        value_drop(value_object(e->globals));
    e->duk = NULL;
    e->globals = NULL;
}

/* What went wrong, from the top of the stack; a thrown object may refuse to be text. */
static const char *words_of(duk_context *duk)
{
    const char *words = duk_safe_to_string(duk, -1);
    return words && *words ? words : "failed";
}

static bool engine_open(struct engine *e, const struct script_function *f)
{
    e->steps = LIMIT_SCRIPT_STEPS;
    e->is_over = false;
    e->duk = duk_create_heap(heap_alloc, heap_resize, heap_free, e, fatal);
    return e->duk && duk_safe_call(e->duk, safe_open, (void *)(uintptr_t)f, 0, 1) == DUK_EXEC_SUCCESS;
}

static struct engine *engine_at(struct expr_env *env, int number)
{
    struct scripts *s = env->scripts;
    if (!s)
        s = env->scripts = mem_alloc(sizeof *s);
    if (number >= s->count) {
        int wider = number + 1;
        s->engines = mem_resize(s->engines, (size_t)wider, sizeof *s->engines);
        for (int i = s->count; i < wider; i++)
            s->engines[i] = NULL;
        s->count = wider;
    }
    struct engine *e = s->engines[number];
    if (!e)
        e = s->engines[number] = mem_alloc(sizeof *e);
    e->env = env;
    return e;
}

static struct engine *engine_for(struct expr_env *env, const struct script_function *f)
{
    struct engine *e = engine_at(env, f->number);
    if (!e->duk && !engine_open(e, f)) {
        expr_fail(env, "script %s can't start: %s", f->name, e->duk ? words_of(e->duk) : "no memory left");
        engine_close(e);
        return NULL;
    }
    return e;
}

void script_fini(struct expr_env *env)
{
    struct scripts *s = env->scripts;
    for (int i = 0; s && i < s->count; i++) {
        if (s->engines[i])
            engine_close(s->engines[i]);
        mem_free(s->engines[i]);
    }
    if (s)
        mem_free(s->engines);
    mem_free(s);
    env->scripts = NULL;
}

/* ---- what a script keeps in its globals ---- */

/* [global, its names, name, value] of one global -> added to the map; throws when the value is none that is
 * saved. */
static duk_ret_t safe_keep(duk_context *duk, void *user)
{
    struct engine *e = engine_of(duk);
    if (!duk_is_undefined(duk, -1))
        map_object_put(user, value_back(e, -2, 0), value_back(e, -1, 0));
    return 0;
}

static duk_ret_t safe_globals(duk_context *duk, void *user)
{
    duk_push_global_object(duk);
    duk_enum(duk, -1, DUK_ENUM_OWN_PROPERTIES_ONLY);
    while (duk_next(duk, -1, 1)) {
        duk_safe_call(duk, safe_keep, user, 2, 1); /* takes name and value */
        duk_pop(duk);
    }
    return 0;
}

void script_save(struct expr_env *env, struct writer *w)
{
    struct scripts *s = env->scripts;
    write_count(w, s ? (size_t)s->count : 0);
    for (int i = 0; s && i < s->count; i++) {
        struct engine *e = s->engines[i];
        struct object *globals = map_object_new();
        if (e && e->duk) {
            e->steps = LIMIT_SCRIPT_STEPS;
            duk_safe_call(e->duk, safe_globals, globals, 0, 1);
            duk_pop(e->duk);
        } else if (e && e->globals) {
            globals->refs--;
            object_free(globals);
            globals = e->globals;
            globals->refs++;
        }
        write_value(w, value_object(globals));
        value_drop(value_object(globals));
    }
    expr_env_release(env);
}

int script_load(struct expr_env *env, struct reader *r)
{
    script_fini(env);
    int count = (int)read_count(r, INT32_MAX);
    for (int i = 0; i < count && !r->failed; i++) {
        struct value v = read_value(r);
        if (v.type == TYPE_OBJECT && object_is_map(v.as.o)) {
            engine_at(env, i)->globals = v.as.o;
        } else {
            value_drop(v);
            r->failed = true;
        }
    }
    return r->failed ? ERR_STATE : 0;
}

/* ---- calls ---- */

struct call {
    struct engine *engine;
    const struct value *args;
    int arg_count;
    enum type returns;
    struct value result;
};

static duk_ret_t safe_call(duk_context *duk, void *user)
{
    struct call *c = user;
    duk_dup(duk, 0);
    duk_push_array(duk);
    for (int i = 0; i < c->arg_count; i++) {
        push_value(duk, c->args[i], 0);
        duk_put_prop_index(duk, -2, (duk_uarridx_t)i);
    }
    duk_call(duk, 1);
    c->result = result_back(c->engine, c->returns);
    return 0;
}

static struct value eval_script(const struct expr *e, struct frame *f)
{
    const struct script_function *script = e->config;
    struct value args[16], *all = args;
    if (e->arg_count > 16)
        all = arena_array(f->env->scratch, (size_t)e->arg_count, sizeof *all);
    for (int i = 0; i < e->arg_count; i++)
        all[i] = arg(e, f, i);
    struct engine *engine = f->env->failed ? NULL : engine_for(f->env, script);
    if (!engine)
        return VALUE_NULL;
    struct call call = {.engine = engine, .args = all, .arg_count = e->arg_count, .returns = script->returns};
    engine->steps = LIMIT_SCRIPT_STEPS;
    engine->is_over = false;
    int rc = duk_safe_call(engine->duk, safe_call, &call, 0, 1);
    if (engine->is_over) {
        expr_fail(f->env, "script %s: %s", script->name,
                  engine->steps > 0 ? "needs too much memory" : "takes too many steps; it was stopped");
        engine_close(engine);
        return VALUE_NULL;
    }
    if (rc != DUK_EXEC_SUCCESS)
        expr_fail(f->env, "script %s: %s", script->name, words_of(engine->duk));
    duk_pop(engine->duk);
    return rc == DUK_EXEC_SUCCESS ? call.result : VALUE_NULL;
}

struct expr *script_call(struct arena *arena, const struct script_function *f, struct expr **args, int count)
{
    struct expr *e = expr_new(arena, eval_script, f->returns);
    e->config = f;
    e->name = f->name;
    e->args = args;
    e->arg_count = count;
    for (int i = 0; i < count; i++)
        e->flags |= args[i]->flags & EXPR_AGGREGATE;
    return e;
}

/* ---- definition ---- */

/* "... (line 3, end of input)": the words without the place; the place as a span of the body. */
static struct span error_place(const char *body, struct span body_at, char *words)
{
    char *line = strstr(words, " (line ");
    long n = line ? strtol(line + 7, NULL, 10) : 1;
    if (line)
        *line = '\0';
    uint32_t at = 0;
    for (; n > 1 && at < body_at.len; at++)
        n -= body[at] == '\n';
    while (at < body_at.len && (body[at] == ' ' || body[at] == '\t' || body[at] == '\r' || body[at] == '\n'))
        at++;
    uint32_t end = at;
    while (end < body_at.len && body[end] != '\n' && body[end] != '\r')
        end++;
    return (struct span){body_at.at + at, end > at ? end - at : 1};
}

/* "function name(data){body\n}". The name stands in no body, so that the line numbers are the body's. */
static void function_text(struct buf *out, const char *name, const char *body, size_t len, bool counts)
{
    buf_printf(out, "function %s(data){", name);
    if (counts)
        script_steps(body, len, out);
    else
        buf_add(out, body, len);
    buf_add_str(out, "\n}");
}

static duk_ret_t safe_compile(duk_context *duk, void *user)
{
    const struct buf *text = user;
    duk_push_string(duk, "script");
    duk_compile_lstring_filename(duk, DUK_COMPILE_FUNCTION, text->bytes, text->len);
    return 1;
}

/* Does it compile? words get the engine's. */
static bool compiles(struct buf *text, char *words, size_t words_len)
{
    struct engine e = {.steps = LIMIT_SCRIPT_STEPS};
    e.duk = duk_create_heap(heap_alloc, heap_resize, heap_free, &e, fatal);
    bool fine = e.duk && duk_safe_call(e.duk, safe_compile, text, 0, 1) == DUK_EXEC_SUCCESS;
    if (!fine)
        snprintf(words, words_len, "%s", e.duk ? words_of(e.duk) : "it needs too much memory");
    engine_close(&e);
    return fine;
}

int script_define(struct script_function *f, struct arena *arena, struct diags *diags, struct name language,
                  const char *body, struct span body_at)
{
    char words[200];
    struct buf plain, counting;
    if (strcasecmp(language.text, "javascript") != 0) {
        diag_error(diags, language.span, "there is no script language '%s'", language.text);
        diag_hint(diags, "javascript");
        return -1;
    }
    buf_init(&plain, LIMIT_APP_BYTES * 2);
    buf_init(&counting, LIMIT_APP_BYTES * 4);
    function_text(&plain, f->name, body, body_at.len, false);
    function_text(&counting, f->name, body, body_at.len, true);
    bool fine = compiles(&plain, words, sizeof words);
    if (!fine) {
        struct span at = error_place(body, body_at, words);
        diag_error(diags, at, "script '%s': %s", f->name, words);
        diag_hint(diags, "the language is ECMAScript 5.1: var and function, no let, no =>, no `...`");
    } else if (counting.overflow || !compiles(&counting, words, sizeof words)) {
        fine = false;
        diag_error(diags, body_at, "script '%s' is not understood when its steps are counted", f->name);
        diag_hint(diags, "put regular expressions in parentheses: (/a/)");
    } else {
        f->text = arena_strndup(arena, counting.bytes, counting.len);
        f->len = counting.len;
    }
    buf_fini(&plain);
    buf_fini(&counting);
    return fine ? 0 : -1;
}

const char *script_library_version(void)
{
    static char version[32];
    snprintf(version, sizeof version, "%ld.%ld.%ld", DUK_VERSION / 10000L, DUK_VERSION / 100L % 100,
             DUK_VERSION % 100L);
    return version;
}
