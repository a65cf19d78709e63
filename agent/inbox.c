/* inbox.c - see inbox.h. A record is: struct arrival, the properties as NAME NUL VALUE NUL ..., the bytes,
 * NUL, padding to 8. */
#include "agent/inbox.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include <string.h>

enum {
    HALF_FIRST_BYTES = 4096,
    HALF_KEPT_BYTES =
        256 * 1024, /* a half that grew beyond this by a burst gives its memory back when it is empty */
};

void inbox_init(struct inbox *b, uint32_t most_messages, size_t most_bytes)
{
    *b = (struct inbox){.most_messages = most_messages, .most_bytes = most_bytes};
}

void inbox_fini(struct inbox *b)
{
    mem_free(b->filling.bytes);
    mem_free(b->draining.bytes);
}

static char *half_room(struct inbox_half *h, size_t size)
{
    if (h->cap - h->len < size) {
        size_t cap = h->cap ? h->cap * 2 : HALF_FIRST_BYTES;
        while (cap - h->len < size)
            cap *= 2;
        h->bytes = mem_resize(h->bytes, cap, 1);
        h->cap = cap;
    }
    return h->bytes + h->len;
}

static size_t properties_size(const struct property *properties, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += strlen(properties[i].name) + strlen(properties[i].value ? properties[i].value : "") + 2;
    return size;
}

static char *add_text(char *to, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(to, text, size);
    return to + size;
}

int inbox_put(struct inbox *b, const struct arrival *head, const char *bytes,
              const struct property *properties)
{
    size_t size = sizeof *head + properties_size(properties, head->property_count) + head->len + 1;
    size = (size + 7) & ~(size_t)7;
    if (size > 2 * (size_t)LIMIT_MESSAGE_BYTES)
        return ERR_TOO_BIG;
    if (b->waiting_messages &&
        (b->waiting_messages >= b->most_messages || b->waiting_bytes + size > b->most_bytes))
        return ERR_BUSY;
    struct inbox_half *h = &b->filling;
    char *to = half_room(h, size);
    struct arrival *a = (struct arrival *)(void *)to;
    *a = *head;
    a->size = (uint32_t)size;
    to += sizeof *a;
    for (uint32_t i = 0; i < head->property_count; i++)
        to = add_text(add_text(to, properties[i].name), properties[i].value ? properties[i].value : "");
    memcpy(to, bytes, head->len);
    to[head->len] = 0;
    h->len += size;
    h->count++;
    b->waiting_messages++;
    b->waiting_bytes += size;
    return 0;
}

bool inbox_swap(struct inbox *b)
{
    struct inbox_half *d = &b->draining;
    if (d->count)
        return true;
    if (!b->filling.count)
        return false;
    if (d->cap > HALF_KEPT_BYTES) {
        mem_free(d->bytes);
        *d = (struct inbox_half){0};
    }
    struct inbox_half empty = *d;
    empty.len = empty.at = 0;
    *d = b->filling;
    b->filling = empty;
    return true;
}

struct arrival *inbox_peek(const struct inbox *b)
{
    const struct inbox_half *d = &b->draining;
    return d->count ? (struct arrival *)(void *)(d->bytes + d->at) : NULL;
}

struct arrival *inbox_next(struct inbox *b)
{
    struct inbox_half *d = &b->draining;
    struct arrival *a = inbox_peek(b);
    if (!a)
        return NULL;
    d->at += a->size;
    d->count--;
    return a;
}

void inbox_settled(struct inbox *b, uint32_t messages, size_t bytes)
{
    b->waiting_messages -= messages;
    b->waiting_bytes -= bytes;
    struct inbox_half *d = &b->draining;
    if (!d->count && d->cap > HALF_KEPT_BYTES) {
        mem_free(d->bytes);
        *d = (struct inbox_half){0};
    }
}

bool inbox_has_room(const struct inbox *b)
{
    return b->waiting_messages <= b->most_messages / 2 && b->waiting_bytes <= b->most_bytes / 2;
}

const char *arrival_bytes(const struct arrival *a)
{
    const char *at = (const char *)(a + 1);
    for (uint32_t i = 0; i < a->property_count * 2; i++)
        at += strlen(at) + 1;
    return at;
}

void arrival_properties(const struct arrival *a, struct property *properties)
{
    const char *at = (const char *)(a + 1);
    for (uint32_t i = 0; i < a->property_count; i++) {
        properties[i].name = at;
        at += strlen(at) + 1;
        properties[i].value = at;
        at += strlen(at) + 1;
    }
}
