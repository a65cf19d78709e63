/* mem.h - all memory. Heap (never fails), pools for small blocks of known size, arenas for things that end
 * together.
 *
 * Pools keep freed blocks per thread, by size class of 8 bytes up to MEM_POOL_MAX; a block goes back to the
 * thread that frees it. mem_account, when set by the worker for the app whose turn it is, counts pool and
 * heap bytes of that app.
 *
 * Laws
 * (1) An account is exact: what is allocated under it, less what is freed under it, in the bytes that
 *     blocks take (pools: rounded up to 8; heap: as the allocator has them). What freed pool blocks lie
 *     in stays with the process for the next ones of their size.
 * (2) An account's bound is asked where work multiplies what one event brought (mem_is_over); it stops no
 *     allocation, so that nothing is left half done.
 * (3) When the system refuses an allocation, the ballast is given back to it and the allocation is made
 *     again: so what is under way is finished, and mem_is_short tells who gives out new work to wait.
 *     mem_ballast_mend ends that. Without a ballast, or when it was not enough, the process ends with
 *     words; the journal is what brings durable apps back.
 * (4) Only what allocates through this file has that promise: the whole engine, the agent, maps and
 *     ports. Libraries allocate by themselves and answer with errors, which are worked off where they are
 *     called; who sees one of that kind gives the ballast back for it.
 *
 * WEIR_DEBUG (for the whole program or not at all): pool blocks come one by one from the heap, so that ASan
 * sees their misuse, and what an arena gave back is filled with MEM_POISON and forbidden to touch. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEM_POOL_MAX = 512, MEM_SLAB_BYTES = 2 * 1024 * 1024, MEM_POISON = 0xDD };

void *mem_alloc(size_t bytes);                        /* zeroed */
void *mem_array(size_t count, size_t size);           /* zeroed, product checked */
void *mem_resize(void *p, size_t count, size_t size); /* realloc; what is new is not zeroed */
void mem_free(void *p);
char *mem_strdup(const char *s);
/* MEM_SLAB_BYTES that start at a multiple of it, not zeroed: one huge page where the system has them. The end
 * gives them back to the system at once, whatever lies around them. */
void *mem_slab_new(void);
void mem_slab_free(void *p);

struct mem_block {
    struct mem_block *next;
};
extern _Thread_local struct mem_block *mem_pools[MEM_POOL_MAX / 8 + 1];
/* What one owner holds. On the thread that works for it. */
struct mem_account {
    int64_t bytes;
    int64_t most;     /* law 2; INT64_MAX: no bound */
    uint32_t refused; /* times that it stood in the way: counted by who asks */
};
extern _Thread_local struct mem_account *mem_account; /* NULL when no app is running */
void *mem_pool_refill(size_t class); /* a block of class * 8 bytes when the thread's list is empty */
void mem_pool_free_big(void *p);
void mem_pool_drain(void); /* at a thread's end: hands its free blocks to the other threads */

/* Law 3. take: once, by main, before there are other threads; 0 gives it back. The rest: any thread. */
void mem_ballast_take(size_t bytes);
bool mem_is_short(void);
bool mem_ballast_give(void); /* law 4: a library was refused. False: there is none to give back */
bool mem_ballast_mend(void); /* false: the system still has too little */
#ifdef WEIR_DEBUG
/* For tests: the nth call from now on that goes to the system (from 1), and the `more` behind it, is refused;
 * 0: none is any more. Returns how many calls there were since the last time. */
uint64_t mem_refuse(uint64_t nth, uint64_t more);
#endif

static inline void mem_count(int64_t bytes)
{
    if (mem_account)
        mem_account->bytes += bytes;
}
/* Law 2: would so many more bytes pass it? */
static inline bool mem_is_over(size_t more)
{
    return mem_account && mem_account->bytes + (int64_t)more > mem_account->most;
}

/* Law 2, for work that makes many things of one message or event and began at so many bytes: has it alone
 * taken more than the bound? An app near its bound is not to lose what would fit as soon as it goes on. */
static inline int64_t mem_held(void)
{
    return mem_account ? mem_account->bytes : 0;
}
static inline bool mem_took_over(int64_t began)
{
    return mem_account && mem_account->bytes - began > mem_account->most;
}

#ifdef WEIR_DEBUG
void *mem_pool_alloc(size_t bytes);
void mem_pool_free(void *p, size_t bytes);
#else
/* A block of bytes, not zeroed. bytes > MEM_POOL_MAX comes from the heap. */
static inline void *mem_pool_alloc(size_t bytes)
{
    size_t class = (bytes + 7) / 8;
    mem_count((int64_t)(class * 8));
    if (class > MEM_POOL_MAX / 8)
        return mem_pool_refill(class);
    struct mem_block *b = mem_pools[class];
    if (!b)
        return mem_pool_refill(class);
    mem_pools[class] = b->next;
    return b;
}

/* bytes as given to mem_pool_alloc. */
static inline void mem_pool_free(void *p, size_t bytes)
{
    size_t class = (bytes + 7) / 8;
    mem_count(-(int64_t)(class * 8));
    if (class > MEM_POOL_MAX / 8) {
        mem_pool_free_big(p);
        return;
    }
    struct mem_block *b = p;
    b->next = mem_pools[class];
    mem_pools[class] = b;
}
#endif

/* An arena: bump allocation in blocks; all ends together. */
struct arena_block;
struct arena {
    struct arena_block *block; /* the one being filled; older ones behind it */
    struct arena_block *spare; /* one empty block kept over a reset, or NULL */
    char *at, *end;
    size_t block_bytes;
};
struct arena_mark {
    struct arena_block *block;
    char *at;
};

void arena_init(struct arena *a, size_t block_bytes);
void arena_fini(struct arena *a);
void *arena_grow(struct arena *a, size_t bytes);  /* the slow path of arena_raw */
void *arena_alloc(struct arena *a, size_t bytes); /* zeroed */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
struct arena_mark arena_mark(const struct arena *a);
void arena_reset_slow(struct arena *a, struct arena_mark mark);
/* Frees all since mark; debug builds poison it. No place lies in two blocks, nor does the end of one in another. */
static inline void arena_reset(struct arena *a, struct arena_mark mark)
{
    if (a->at != mark.at)
        arena_reset_slow(a, mark);
}

void arena_open(void *p, size_t bytes); /* WEIR_DEBUG: bytes at p may be touched again */

/* Not zeroed, 8-byte aligned. Never NULL, also for no bytes at all. */
static inline void *arena_raw(struct arena *a, size_t bytes)
{
    size_t room = (bytes + 7) & ~(size_t)7;
    if (a->at == NULL || (size_t)(a->end - a->at) < room || room < bytes)
        return arena_grow(a, bytes);
    char *p = a->at;
    a->at += room;
#ifdef WEIR_DEBUG
    arena_open(p, bytes);
#endif
    return p;
}

#endif
