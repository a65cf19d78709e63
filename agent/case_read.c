#include "agent/case.h"

static bool step_is_right(const struct jnode *step, struct err *e)
{
    int64_t at;
    const struct jnode *send = jnode_get(step, "send"), *batch = jnode_get(step, "batch");
    if (jnode_get(step, "advance"))
        return jnode_long(jnode_get(step, "advance"), &at) ||
               err_set(e, ERR_INVALID, "'advance' is no time") == 0;
    if (batch) {
        if (batch->kind != JNODE_ARRAY)
            return err_set(e, ERR_INVALID, "'batch' is no array") == 0;
        for (const struct jnode *b = batch->first; b; b = b->next)
            if (!jnode_long(jnode_get(b, "at"), &at) || !jnode_get(b, "data"))
                return err_set(e, ERR_INVALID, "an event of a batch lacks 'at' or 'data'") == 0;
    } else if (!jnode_long(jnode_get(step, "at"), &at)) {
        return err_set(e, ERR_INVALID, "a step lacks 'at'") == 0;
    }
    if (send && (batch || jnode_get(step, "data")))
        return true;
    if (jnode_get(step, "query"))
        return true;
    if (jnode_get(step, "receive") && (jnode_get(step, "payload") || jnode_get(step, "payload_base64")))
        return true;
    return err_set(e, ERR_INVALID, "a step is neither send, advance, query nor receive") == 0;
}

bool case_read(struct arena *a, const struct jnode *root, struct test_case *out, struct err *e)
{
    const struct jnode *app = jnode_get(root, "app");
    *out = (struct test_case){.root = root};
    out->name = jnode_text(a, jnode_get(root, "name"));
    if (!out->name)
        out->name = "(unnamed)";
    out->app = jnode_text(a, app);
    if (!out->app)
        return err_set(e, ERR_INVALID, "the case has no 'app'") == 0;
    out->app_len = app->len;
    out->steps = jnode_get(root, "steps");
    if (!out->steps || out->steps->kind != JNODE_ARRAY)
        return err_set(e, ERR_INVALID, "the case has no 'steps'") == 0;
    for (const struct jnode *s = out->steps->first; s; s = s->next)
        if (!step_is_right(s, e))
            return false;
    out->expect = jnode_get(root, "expect");
    out->topics = jnode_get(root, "topics");
    return true;
}
