/* explain.c - a plan as text (weir explain): what there is, then each query with its operators, keys, state
 * and what bounds it, timers. */
#include "engine/expr/script.h"
#include "engine/plan/plan.h"
#include "engine/run/aggregate.h"
#include "engine/run/filter.h"
#include "engine/run/join.h"
#include "engine/run/partition.h"
#include "engine/run/select.h"
#include "engine/run/table.h"
#include <inttypes.h>

static void explain_schema(const struct schema *s, struct buf *out)
{
    buf_printf(out, "%s (", s->id);
    for (uint32_t i = 0; i < s->count; i++)
        buf_printf(out, "%s%s %s", i ? ", " : "", s->attributes[i].name, type_name(s->attributes[i].type));
    buf_add_str(out, ")\n");
}

/* The author's own words for an expression. */
static void explain_text(const struct plan *p, struct span at, struct buf *out)
{
    buf_add(out, p->text + at.at, at.len);
}

/* What a window's rows take, and all of them where there is a number. */
static void explain_bytes(const struct op_plan *op, struct buf *out)
{
    char size[AMOUNT_TEXT];
    const size_t place = sizeof(struct row *);
    if (strncmp(op->type->name, "window.", 7) != 0 || !op->in)
        return;
    uint64_t bytes = op->held_bytes ? op->held_bytes : row_bytes(op->in->count) + place;
    bool has_texts = op->held_bytes && op->holds_texts;
    for (uint32_t i = 0; !op->held_bytes && i < op->in->count; i++)
        has_texts |= type_is_counted(op->in->attributes[i].type);
    buf_printf(out, "; a row takes %" PRIu64 " bytes%s", bytes, has_texts ? " and its texts" : "");
    if (op->most_rows)
        buf_printf(out, ", all together %s%s", amount_print(size, op->most_rows * bytes),
                   has_texts ? " and their texts" : "");
}

/* How each 'in' of e finds its rows. */
static void explain_in(const struct expr *e, struct buf *out)
{
    if (!e)
        return;
    if (e->eval == table_eval_in) {
        const struct table_query *q = e->config;
        buf_printf(out, ", lookup in %s by %s", q->table->schema->id, q->how);
        explain_in(q->on, out);
        return;
    }
    explain_in(e->left, out);
    explain_in(e->right, out);
    for (int i = 0; i < e->arg_count; i++) {
        if (e->args[i] != e->left && e->args[i] != e->right)
            explain_in(e->args[i], out);
    }
}

/* q NULL: of a named window. */
static void explain_op(const struct plan *p, const struct plan_query *q, const struct op_plan *op,
                       struct buf *out)
{
    const char *bound = plan_bound(q, op);
    buf_printf(out, "    %s", op->type->name);
    if (op->type->explain)
        op->type->explain(op, out);
    if (op->type == &op_filter) {
        buf_add_char(out, ' ');
        explain_text(p, ((const struct filter_plan *)op)->condition->span, out);
        explain_in(((const struct filter_plan *)op)->condition, out);
    }
    if (op->type == &op_join_side && ((const struct join_side_plan *)op)->own_key) {
        const struct join_side_plan *side = (const struct join_side_plan *)op;
        buf_add_char(out, ' ');
        explain_text(p, side->own_key->span, out);
        buf_add_str(out, " == ");
        explain_text(p, side->other_key->span, out);
    }
    if (op->type == &op_select) {
        const struct select_plan *s = (const struct select_plan *)op;
        for (int i = 0; i < s->key_count; i++) {
            buf_add_str(out, i ? ", " : ": ");
            explain_text(p, s->keys[i]->span, out);
        }
        for (int i = 0; i < s->count; i++)
            explain_in(s->attrs[i], out);
        explain_in(s->having, out);
    }
    if (op->type->due)
        buf_add_str(out, " [timer]");
    if (bound) {
        buf_printf(out, " [state%s%s", *bound ? ": " : "", bound);
        explain_bytes(op, out);
        buf_add_char(out, ']');
    }
    buf_add_char(out, '\n');
}

static void explain_query(const struct plan *p, const struct plan_query *q, struct buf *out)
{
    buf_printf(out, "query %s%s%s\n", q->name, q->partition ? " in " : "",
               q->partition ? q->partition->name : "");
    for (int i = 0; i < q->input_count; i++) {
        buf_printf(out, "  from %s\n", q->inputs[i].element->schema->id);
        for (const struct op_plan *op = q->inputs[i].entry; op; op = op->next) {
            bool is_shared = i > 0 && op == q->select;
            if (is_shared)
                buf_add_str(out, "    select as above\n");
            if (is_shared)
                break;
            explain_op(p, q, op, out);
        }
    }
}

static void explain_partition(const struct plan *plan, const struct plan_partition *p, struct buf *out)
{
    bool is_free = false;
    buf_printf(out, "partition %s\n", p->name);
    for (int i = 0; i < p->input_count; i++) {
        const struct partition_input *in = &p->inputs[i];
        buf_printf(out, "  %s by ", in->element->schema->id);
        if (in->range_count)
            buf_printf(out, "%d ranges", in->range_count);
        else if (in->is_keyed)
            explain_text(plan, in->value->span, out);
        else
            buf_add_str(out, "nothing: to every key");
        buf_add_char(out, '\n');
        is_free = is_free || (in->is_keyed && !in->range_count);
    }
    if (p->purges)
        buf_printf(out, "  a key ends after %" PRId64 " ms of silence, looked at every %" PRId64 " ms\n",
                   p->idle_ms, p->interval_ms);
    else if (is_free)
        buf_add_str(out, "  state: a copy of the queries for every key ever seen\n");
    for (int i = 0; i < p->query_count; i++)
        explain_query(plan, p->queries[i], out);
}

static void explain_table(const struct plan_element *e, struct buf *out)
{
    const struct table_plan *t = e->config;
    buf_add_str(out, "table ");
    explain_schema(e->schema, out);
    buf_printf(out, "  kept in %s, ", t->type->name);
    buf_add_str(out, t->primary.count ? t->primary.label : "no primary key");
    for (int i = 0; i < t->index_count; i++)
        buf_printf(out, ", %s", t->indexes[i].label);
    buf_printf(out, " [state: %s]\n",
               t->primary.count ? "a row for every key, until deleted" : "rows until deleted");
}

/* Those of aggregations are told with them. */
static bool is_of_aggregation(const struct plan *p, const struct plan_element *table)
{
    for (int i = 0; i < p->aggregation_count; i++) {
        const struct aggregate_plan *a = p->aggregations[i]->config;
        for (int k = 0; k < a->unit_count; k++) {
            if (a->units[k].table == table)
                return true;
        }
    }
    return false;
}

static void explain_window(const struct plan *p, const struct plan_element *e, struct buf *out)
{
    buf_add_str(out, "window ");
    explain_schema(e->schema, out);
    explain_op(p, NULL, e->window, out);
    if (!e->publishes_current || !e->publishes_expired)
        buf_printf(out, "  its readers get only %s events\n", e->publishes_current ? "current" : "expired");
}

static void explain_aggregation(const struct plan_element *e, struct buf *out)
{
    const struct aggregate_plan *p = e->config;
    const struct bucket_layout *l = &p->layout;
    buf_add_str(out, "aggregation ");
    explain_schema(e->schema, out);
    buf_printf(out, "  from %s%s%s", p->source->schema->id,
               p->by ? ", each event at its own time " : ", each event at the clock's time",
               p->by ? p->by->name : "");
    buf_add_str(out, p->loses_all ? "; none arrives\n" : "\n");
    buf_add_str(out, "  a row for each");
    for (int i = l->event_start >= 0 ? l->event_start : l->first_key; i < l->first_key + l->key_count; i++)
        buf_printf(out, " %s", l->schema->attributes[i].name);
    buf_printf(out, "%s bucket, %zu bytes [timer] [state]\n",
               l->key_count || l->event_start >= 0 ? " and" : "", row_bytes(l->schema->count));
    const struct table_plan *rows = p->units[0].table->config;
    if (rows->type == &table_stored)
        buf_printf(out, "  its rows are kept in %s, those of open buckets in memory\n", rows->type->name);
    for (int i = 0; i < p->unit_count; i++) {
        const struct aggregate_unit *u = &p->units[i];
        buf_printf(out, "    %s in %s", unit_name(u->unit), u->table->schema->id);
        if (p->purges && u->retention_ms != RETAIN_ALL && p->unit_count > 1)
            buf_printf(out, ", forgotten after %lld ms%s", (long long)u->retention_ms,
                       i + 1 == p->unit_count ? " when finer ones are" : "");
        buf_add_str(out, "\n");
    }
    if (p->purges)
        buf_printf(out, "  looked through every %lld ms [timer]\n", (long long)p->interval_ms);
}

static void explain_definitions(const struct plan *p, struct buf *out)
{
    for (const struct script_function *f = p->functions; f; f = f->next)
        buf_printf(out, "function %s returns %s: javascript\n", f->name, type_name(f->returns));
    for (const struct plan_trigger *t = p->triggers; t; t = t->next) {
        if (t->definition->at)
            buf_printf(out, "trigger %s at '%s'\n", t->stream->schema->id, t->definition->at);
        else
            buf_printf(out, "trigger %s every %" PRId64 " ms\n", t->stream->schema->id,
                       t->definition->every_ms);
    }
    for (int i = 0; i < p->table_count; i++) {
        if (!is_of_aggregation(p, p->tables[i]))
            explain_table(p->tables[i], out);
    }
    for (int i = 0; i < p->window_count; i++)
        explain_window(p, p->windows[i], out);
    for (int i = 0; i < p->aggregation_count; i++)
        explain_aggregation(p->aggregations[i], out);
}

void plan_explain(const struct plan *p, struct buf *out)
{
    buf_printf(out, "app %s (%s clock)\n", p->name ? p->name : "(no name)",
               p->playback ? "playback" : "live");
    if (p->idle_ms > 0)
        buf_printf(out, "  after %" PRId64 " ms without an event the clock goes on by %" PRId64 " ms\n",
                   p->idle_ms, p->increment_ms);
    for (int i = 0; i < p->stream_count; i++) {
        buf_add_str(out, "stream ");
        explain_schema(p->streams[i]->schema, out);
    }
    explain_definitions(p, out);
    for (const struct plan_item *i = p->items; i; i = i->next) {
        if (i->query)
            explain_query(p, i->query, out);
        if (i->partition)
            explain_partition(p, i->partition, out);
    }
}
