/* explain.c - a plan as text: queries, operators, state, timers, streams (weir explain). */
#include "engine/plan/plan.h"
#include "engine/run/aggregate.h"
#include "engine/run/partition.h"

static void explain_schema(const struct schema *s, struct buf *out)
{
    buf_printf(out, "%s (", s->id);
    for (uint32_t i = 0; i < s->count; i++)
        buf_printf(out, "%s%s %s", i ? ", " : "", s->attributes[i].name, type_name(s->attributes[i].type));
    buf_add_str(out, ")\n");
}

static void explain_chain(const struct op_plan *op, struct buf *out)
{
    for (; op; op = op->next) {
        buf_printf(out, "    %s", op->type->name);
        if (op->type->explain)
            op->type->explain(op, out);
        if (op->type->due)
            buf_add_str(out, " [timer]");
        if (op->type->save)
            buf_add_str(out, " [state]");
        buf_add_char(out, '\n');
    }
}

static void explain_query(const struct plan_query *q, struct buf *out)
{
    buf_printf(out, "query %s%s%s\n", q->name, q->partition ? " in " : "", q->partition ? q->partition->name : "");
    for (int i = 0; i < q->input_count; i++) {
        buf_printf(out, "  from %s\n", q->inputs[i].element->schema->id);
        explain_chain(q->inputs[i].entry, out);
    }
}

static void explain_partition(const struct plan_partition *p, struct buf *out)
{
    buf_printf(out, "partition %s\n", p->name);
    for (int i = 0; i < p->input_count; i++) {
        const struct partition_input *in = &p->inputs[i];
        buf_printf(out, "  %s by ", in->element->schema->id);
        if (in->range_count)
            buf_printf(out, "%d ranges\n", in->range_count);
        else
            buf_printf(out, "%s\n", in->is_keyed ? "value" : "nothing: to every key");
    }
    if (p->purges)
        buf_printf(out, "  a key ends after %lld ms of silence, looked at every %lld ms\n", (long long)p->idle_ms, (long long)p->interval_ms);
    for (int i = 0; i < p->query_count; i++)
        explain_query(p->queries[i], out);
}

static void explain_aggregation(const struct plan_element *e, struct buf *out)
{
    const struct aggregate_plan *p = e->config;
    const struct bucket_layout *l = &p->layout;
    buf_add_str(out, "aggregation ");
    explain_schema(e->schema, out);
    buf_printf(out, "  from %s%s%s", p->source->schema->id, p->by ? ", each event at its own time " : ", each event at the clock's time",
               p->by ? p->by->name : "");
    buf_add_str(out, p->loses_all ? "; none arrives\n" : "\n");
    buf_add_str(out, "  a row for each");
    for (int i = l->event_start >= 0 ? l->event_start : l->first_key; i < l->first_key + l->key_count; i++)
        buf_printf(out, " %s", l->schema->attributes[i].name);
    buf_printf(out, "%s bucket, %zu bytes [timer] [state]\n", l->key_count || l->event_start >= 0 ? " and" : "", row_bytes(l->schema->count));
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

void plan_explain(const struct plan *p, struct buf *out)
{
    buf_printf(out, "app %s (%s clock)\n", p->name ? p->name : "(no name)", p->playback ? "playback" : "live");
    for (int i = 0; i < p->stream_count; i++) {
        buf_add_str(out, "stream ");
        explain_schema(p->streams[i]->schema, out);
    }
    for (int i = 0; i < p->aggregation_count; i++)
        explain_aggregation(p->aggregations[i], out);
    for (const struct plan_item *i = p->items; i; i = i->next) {
        if (i->query)
            explain_query(i->query, out);
        if (i->partition)
            explain_partition(i->partition, out);
    }
}
