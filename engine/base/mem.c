/* mem.c - the only file that calls malloc.
 *
 * Pools: a thread takes blocks from its own list without a lock. An empty list is refilled from what ended
 * threads left behind, else from a fresh chunk. Chunks are never given back: they are chained for the life of
 * the process. */
#include "engine/base/mem.h"
#include "engine/base/err.h"
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

enum {
    HUGE_PAGE = 2 * 1024 * 1024,
    CHUNK_BYTES = 16 * 1024,
    CHUNK_BLOCKS = 64,
    ARENA_BLOCK_MIN = 256,
    BALLAST_LEAST = 8
};

_Thread_local struct mem_block *mem_pools[MEM_POOL_MAX / 8 + 1];
_Thread_local struct mem_account *mem_account;

/* ---- the system ---- */

static _Atomic(void *) ballast; /* never touched, so that it costs address space only until it is needed */
static size_t ballast_bytes;
static atomic_bool is_short;

void mem_ballast_take(size_t bytes)
{
    free(atomic_exchange(&ballast, NULL));
    ballast_bytes = bytes;
    atomic_store(&is_short, false);
    if (bytes)
        atomic_store(&ballast, malloc(bytes));
}

bool mem_is_short(void)
{
    return atomic_load_explicit(&is_short, memory_order_relaxed);
}

bool mem_ballast_mend(void)
{
    void *none = NULL, *fresh = NULL;
    if (!mem_is_short())
        return true;
#ifdef __GLIBC__
    (void)malloc_trim(0); /* what was freed may lie between what wasn't */
#endif
    /* Freed pool blocks stay here: the system may never have as much again, and less will do. */
    for (size_t bytes = ballast_bytes; !fresh && bytes >= ballast_bytes / BALLAST_LEAST; bytes /= 2)
        fresh = malloc(bytes);
    if (!fresh)
        return false;
    if (!atomic_compare_exchange_strong(&ballast, &none, fresh))
        free(fresh); /* another thread was first */
    atomic_store(&is_short, false);
    return true;
}

bool mem_ballast_give(void)
{
    void *p = atomic_exchange(&ballast, NULL);
    if (!p)
        return false;
    atomic_store(&is_short, true);
    free(p);
    return true;
}

#ifdef WEIR_DEBUG
static _Atomic uint64_t calls, refuse_from, refuse_to;

uint64_t mem_refuse(uint64_t nth, uint64_t more)
{
    atomic_store(&refuse_from, nth);
    atomic_store(&refuse_to, nth + more);
    return atomic_exchange(&calls, 0);
}

static bool is_refused(void)
{
    uint64_t n = atomic_fetch_add(&calls, 1) + 1, from = atomic_load(&refuse_from);
    return from && n >= from && n <= atomic_load(&refuse_to);
}
#else
static inline bool is_refused(void)
{
    return false;
}
#endif

static void *ask_system(void *old, size_t bytes, bool zeroed)
{
    if (is_refused())
        return NULL;
    return old ? realloc(old, bytes) : zeroed ? calloc(1, bytes) : malloc(bytes);
}

/* malloc(0) may be NULL; one byte may not. */
static void *heap_take(void *old, size_t bytes, bool zeroed)
{
    size_t size = bytes ? bytes : 1;
    void *p = ask_system(old, size, zeroed);
    while (UNLIKELY(p == NULL)) {
        if (!mem_ballast_give()) {
            p = ask_system(old, size, zeroed); /* another thread may have given it back meanwhile */
            if (p)
                break;
            err_assert_failed("out of memory: the system gives no more, and the ballast is used up; "
                              "\"memory.bytes\" is more than there is",
                              __FILE__, __LINE__);
        }
        p = ask_system(old, size, zeroed);
    }
    return p;
}

static void *heap_new(size_t bytes, bool zeroed)
{
    return heap_take(NULL, bytes, zeroed);
}

/* A big table is looked into at random: with huge pages where the system has them that costs no walk through
 * its page tables. Fresh memory of this size is not touched yet. */
static void prefer_huge(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    if (UNLIKELY(bytes >= 2 * HUGE_PAGE)) {
        uintptr_t from = ((uintptr_t)p + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
        uintptr_t to = ((uintptr_t)p + bytes) & ~(uintptr_t)(HUGE_PAGE - 1);
        if (from < to)
            (void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* a wish: it may fail */
    }
#else
    (void)p;
    (void)bytes;
#endif
}

static void count_block(void *p, int sign)
{
    if (mem_account && p)
        mem_count(sign * (int64_t)malloc_usable_size(p));
}

static size_t product(size_t count, size_t size)
{
    size_t bytes;
    ASSERT(!__builtin_mul_overflow(count, size, &bytes));
    return bytes;
}

void *mem_alloc(size_t bytes)
{
    void *p = heap_new(bytes, true);
    prefer_huge(p, bytes);
    count_block(p, 1);
    return p;
}

void *mem_array(size_t count, size_t size)
{
    return mem_alloc(product(count, size));
}

void *mem_resize(void *p, size_t count, size_t size)
{
    size_t bytes = product(count, size);
    count_block(p, -1);
    void *q = heap_take(p, bytes, false);
    count_block(q, 1);
    return q;
}

void mem_free(void *p)
{
    count_block(p, -1);
    free(p);
}

char *mem_strdup(const char *s)
{
    size_t bytes = strlen(s) + 1;
    return memcpy(mem_alloc(bytes), s, bytes);
}

/* ---- slabs ---- */

#ifdef WEIR_DEBUG

void *mem_slab_new(void)
{
    return memset(mem_resize(NULL, 1, MEM_SLAB_BYTES), MEM_POISON, MEM_SLAB_BYTES);
}

void mem_slab_free(void *p)
{
    mem_free(p);
}

#else

/* NULL: the system gives no more. */
static void *map_slab(void)
{
    const size_t span = 2 * (size_t)MEM_SLAB_BYTES; /* wherever it lies, a slab is in it */
    char *p = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)p & (MEM_SLAB_BYTES - 1);
    if (before)
        (void)munmap(p, before);
    (void)munmap(p + before + MEM_SLAB_BYTES, MEM_SLAB_BYTES - before);
#ifdef MADV_HUGEPAGE
    (void)madvise(p + before, MEM_SLAB_BYTES, MADV_HUGEPAGE); /* a wish: it may fail */
#endif
    return p + before;
}

void *mem_slab_new(void)
{
    void *p = map_slab();
    if (UNLIKELY(p == NULL)) {
        mem_free(mem_resize(NULL, 2, MEM_SLAB_BYTES)); /* that gets what there is, or ends the process */
        p = map_slab();
    }
    if (UNLIKELY(p == NULL))
        err_assert_failed("out of memory", __FILE__, __LINE__);
    mem_count(MEM_SLAB_BYTES);
    return p;
}

void mem_slab_free(void *p)
{
    mem_count(-MEM_SLAB_BYTES);
    (void)munmap(p, MEM_SLAB_BYTES);
}

#endif

/* ---- pools ---- */

void mem_pool_free_big(void *p)
{
    free(p);
}

#ifdef WEIR_DEBUG

void *mem_pool_refill(size_t class)
{
    return heap_new(class * 8, false);
}

void mem_pool_drain(void)
{
}

void *mem_pool_alloc(size_t bytes)
{
    mem_count((int64_t)((bytes + 7) / 8 * 8));
    return memset(heap_new(bytes, false), MEM_POISON, bytes);
}

void mem_pool_free(void *p, size_t bytes)
{
    mem_count(-(int64_t)((bytes + 7) / 8 * 8));
    free(p);
}

#else

static pthread_mutex_t left_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mem_block *chunks;                     /* under left_lock; every chunk begins with its link */
static struct mem_block *left[MEM_POOL_MAX / 8 + 1]; /* under left_lock; free blocks of ended threads */

/* Cuts a new chunk into a list of blocks. The chunk's first 16 bytes are its link. */
static struct mem_block *chunk_cut(size_t class)
{
    size_t block_bytes = class ? class * 8 : 8;
    size_t count = CHUNK_BYTES / block_bytes < CHUNK_BLOCKS ? CHUNK_BYTES / block_bytes : CHUNK_BLOCKS;
    char *chunk = heap_new(16 + count * block_bytes, false);
    pthread_mutex_lock(&left_lock);
    ((struct mem_block *)(void *)chunk)->next = chunks;
    chunks = (struct mem_block *)(void *)chunk;
    pthread_mutex_unlock(&left_lock);

    struct mem_block *list = NULL;
    for (size_t i = count; i-- > 0;) {
        struct mem_block *b = (struct mem_block *)(void *)(chunk + 16 + i * block_bytes);
        b->next = list;
        list = b;
    }
    return list;
}

void *mem_pool_refill(size_t class)
{
    if (class > MEM_POOL_MAX / 8)
        return heap_new(class * 8, false);
    pthread_mutex_lock(&left_lock);
    struct mem_block *list = left[class];
    left[class] = NULL;
    pthread_mutex_unlock(&left_lock);
    if (!list)
        list = chunk_cut(class);
    mem_pools[class] = list->next;
    return list;
}

void mem_pool_drain(void)
{
    pthread_mutex_lock(&left_lock);
    for (size_t i = 0; i <= MEM_POOL_MAX / 8; i++) {
        struct mem_block *last = mem_pools[i];
        if (!last)
            continue;
        while (last->next)
            last = last->next;
        last->next = left[i];
        left[i] = mem_pools[i];
        mem_pools[i] = NULL;
    }
    pthread_mutex_unlock(&left_lock);
}

#endif

/* ---- arenas ---- */

struct arena_block {
    struct arena_block *older;
    char *end;
    char bytes[];
};

/* Bytes that nobody may touch until arena_open. */
static void arena_shut(char *p, size_t bytes)
{
#ifdef WEIR_DEBUG
    arena_open(p, bytes);
    memset(p, MEM_POISON, bytes);
#ifdef __SANITIZE_ADDRESS__
    ASAN_POISON_MEMORY_REGION(p, bytes);
#endif
#else
    (void)p;
    (void)bytes;
#endif
}

void arena_open(void *p, size_t bytes)
{
#if defined(WEIR_DEBUG) && defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
#else
    (void)p;
    (void)bytes;
#endif
}

void arena_init(struct arena *a, size_t block_bytes)
{
    *a = (struct arena){.block_bytes = block_bytes < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : block_bytes};
}

static void block_free(struct arena_block *b)
{
    if (b)
        arena_open(b->bytes, (size_t)(b->end - b->bytes));
    mem_free(b);
}

void arena_fini(struct arena *a)
{
    while (a->block) {
        struct arena_block *older = a->block->older;
        block_free(a->block);
        a->block = older;
    }
    block_free(a->spare);
    *a = (struct arena){.block_bytes = a->block_bytes};
}

void *arena_grow(struct arena *a, size_t bytes)
{
    size_t room = (bytes + 7) & ~(size_t)7;
    ASSERT(room >= bytes && room < SIZE_MAX / 2);
    struct arena_block *b = a->spare;
    if (b && (size_t)(b->end - b->bytes) >= room) {
        a->spare = NULL;
    } else {
        size_t size = room > a->block_bytes ? room : (a->block_bytes + 7) & ~(size_t)7;
        b = mem_resize(NULL, sizeof(*b) + size, 1);
        b->end = b->bytes + size;
        arena_shut(b->bytes, size);
    }
    b->older = a->block;
    a->block = b;
    a->at = b->bytes + room;
    a->end = b->end;
    arena_open(b->bytes, bytes);
    return b->bytes;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    return memset(arena_raw(a, bytes), 0, bytes);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    return arena_alloc(a, product(count, size));
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_raw(a, len + 1);
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    ASSERT(len >= 0);
    char *text = arena_raw(a, (size_t)len + 1);
    (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->block, a->at};
}

/* The newest block that is let go and not larger than usual becomes the spare, so that pushes which need the
 * same room again and again do not go to the heap. */
void arena_reset_slow(struct arena *a, struct arena_mark mark)
{
    while (a->block != mark.block) {
        ASSERT(a->block != NULL); /* a mark of this arena, and not older than an earlier reset */
        struct arena_block *b = a->block;
        a->block = b->older;
        size_t size = (size_t)(b->end - b->bytes);
        if (a->spare || size > a->block_bytes + 7) {
            block_free(b);
        } else {
            arena_shut(b->bytes, size);
            a->spare = b;
        }
    }
    a->at = mark.at;
    a->end = a->block ? a->block->end : NULL;
    if (a->block)
        arena_shut(a->at, (size_t)(a->end - a->at));
}
