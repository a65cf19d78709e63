/* convert.c - one type to another (spec 02 section 7.1), and the conversions of numbers that operators need.
 */
#include "engine/base/num.h"
#include "engine/expr/fn.h"
#include <strings.h>

static int64_t wrap_int(int64_t v)
{
    return (int32_t)(uint32_t)(uint64_t)v;
}

bool number_convert(struct value *v, enum type to)
{
    if (!type_is_numeric(v->type))
        return false;
    bool real = v->type == TYPE_FLOAT || v->type == TYPE_DOUBLE;
    switch ((int)to) {
    case TYPE_INT:
        *v = value_int((int32_t)(real ? num_double_to_int(value_to_double(*v)) : wrap_int(v->as.l)));
        break;
    case TYPE_LONG:
        *v = value_long(real ? num_double_to_long(value_to_double(*v)) : v->as.l);
        break;
    case TYPE_FLOAT:
        if (v->type != TYPE_FLOAT) /* a long rounds once, not by way of double */
            *v = value_float(real ? (float)v->as.d : (float)v->as.l);
        break;
    default:
        *v = value_double(value_to_double(*v));
        break;
    }
    return true;
}

struct text *text_of(struct expr_env *env, struct value v)
{
    char number[NUM_TEXT_MAX];
    switch (v.type) {
    case TYPE_STRING:
        return v.as.s;
    case TYPE_INT:
    case TYPE_LONG:
        return text_scratch(env->scratch, number, num_print_long(number, v.as.l));
    case TYPE_FLOAT:
        return text_scratch(env->scratch, number, num_print_float(number, v.as.f));
    case TYPE_DOUBLE:
        return text_scratch(env->scratch, number, num_print_double(number, v.as.d));
    case TYPE_BOOL:
        return v.as.l ? text_scratch(env->scratch, "true", 4) : text_scratch(env->scratch, "false", 5);
    case TYPE_NULL:
        return text_scratch(env->scratch, "null", 4);
    case TYPE_OBJECT:
        break;
    }
    struct buf text;
    buf_init(&text, LIMIT_RESULT_BYTES);
    value_print(v, &text);
    struct text *s = text_scratch(env->scratch, text.bytes ? text.bytes : "", text.len);
    buf_fini(&text);
    return s;
}

static struct value parse(const struct text *s, enum type to)
{
    int32_t i;
    int64_t l;
    float f;
    double d;
    switch ((int)to) {
    case TYPE_INT:
        return num_parse_int(s->bytes, s->len, &i) ? value_int(i) : VALUE_NULL;
    case TYPE_LONG:
        return num_parse_long(s->bytes, s->len, &l) ? value_long(l) : VALUE_NULL;
    case TYPE_FLOAT:
        return num_parse_float(s->bytes, s->len, &f) ? value_float(f) : VALUE_NULL;
    case TYPE_DOUBLE:
        return num_parse_double(s->bytes, s->len, &d) ? value_double(d) : VALUE_NULL;
    default:
        return value_bool(s->len == 4 && strncasecmp(s->bytes, "true", 4) == 0);
    }
}

struct value value_convert(struct expr_env *env, struct value v, enum type to)
{
    if (v.type == to || is_null(v))
        return v;
    if (to == TYPE_STRING)
        return value_text(text_of(env, v));
    if (v.type == TYPE_OBJECT || to == TYPE_OBJECT)
        return VALUE_NULL;
    if (v.type == TYPE_STRING)
        return parse(v.as.s, to);
    if (to == TYPE_BOOL)
        return value_bool(value_to_double(v) == 1.0);
    if (v.type == TYPE_BOOL)
        v.type = TYPE_INT; /* 0 or 1 */
    number_convert(&v, to);
    return v;
}

struct expr *literal_as(struct arena *a, struct expr *e, enum type to)
{
    if (e->eval != eval_literal || e->type == to)
        return e;
    struct value v = e->literal;
    return number_convert(&v, to) ? expr_literal(a, v, to) : e;
}
