/* bus.c - topics inside the process: who subscribed is called at once, in the order of subscription.
 *
 * A subscriber may publish again (an app that reads what it wrote), subscribe and unsubscribe while it is
 * served: an entry that goes is only emptied, and swept when nobody is being served. A circle of topics ends
 * at LIMIT_SEND_DEPTH: the message is not taken then. */
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "ports/bind.h"
#include <string.h>

struct subscriber {
    char *topic; /* owned */
    bus_fn fn;   /* NULL: gone */
    void *user;
};
struct bus {
    struct subscriber *subscribers;
    uint32_t count, cap;
    int depth;
    bool dirty;
};

struct bus *bus_new(void)
{
    return mem_alloc(sizeof(struct bus));
}

void bus_free(struct bus *bus)
{
    if (!bus)
        return;
    for (uint32_t i = 0; i < bus->count; i++)
        mem_free(bus->subscribers[i].topic);
    mem_free(bus->subscribers);
    mem_free(bus);
}

static void sweep(struct bus *bus)
{
    if (bus->depth > 0 || !bus->dirty)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bus->count; i++) {
        if (bus->subscribers[i].fn)
            bus->subscribers[kept++] = bus->subscribers[i];
        else
            mem_free(bus->subscribers[i].topic);
    }
    bus->count = kept;
    bus->dirty = false;
}

void bus_subscribe(struct bus *bus, const char *topic, bus_fn fn, void *user)
{
    if (bus->count == bus->cap) {
        bus->cap = bus->cap ? bus->cap * 2 : 8;
        bus->subscribers = mem_resize(bus->subscribers, bus->cap, sizeof(*bus->subscribers));
    }
    bus->subscribers[bus->count++] = (struct subscriber){mem_strdup(topic), fn, user};
}

void bus_unsubscribe(struct bus *bus, bus_fn fn, void *user)
{
    for (uint32_t i = 0; i < bus->count; i++) {
        if (bus->subscribers[i].fn == fn && bus->subscribers[i].user == user) {
            bus->subscribers[i].fn = NULL;
            bus->dirty = true;
        }
    }
    sweep(bus);
}

int bus_publish(struct bus *bus, const char *topic, const struct payload *p)
{
    if (bus->depth >= LIMIT_SEND_DEPTH) {
        log_write(LOG_ERROR, "inMemory", "topic '%s': sinks and sources feed each other without end", topic);
        return 0;
    }
    int served = 0;
    uint32_t count = bus->count; /* who subscribes meanwhile doesn't get this one */
    bus->depth++;
    for (uint32_t i = 0; i < count; i++) {
        struct subscriber s = bus->subscribers[i];
        if (!s.fn || strcmp(s.topic, topic) != 0)
            continue;
        served++;
        s.fn(s.user, topic, p);
    }
    bus->depth--;
    sweep(bus);
    return served;
}
