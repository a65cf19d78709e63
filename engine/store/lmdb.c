/* lmdb.c - a store in a folder, by LMDB. The only file that sees lmdb.h.
 *
 * Flags are LMDB's safest: data pages are written and synced, then the one page that makes them valid. So a
 * torn or lost write leaves the state before it. Not WRITEMAP (a full disk would be SIGBUS), not NOSYNC or
 * NOMETASYNC (they lose what was promised).
 *
 * One transaction at a time in the process (store.h's lock), and one process (the agent's lock on the
 * folder): so the map may grow at any time, and where the system has no robust mutexes LMDB's own locks can
 * be left out.
 *
 * Size: the map begins small, doubles when a transaction meets its end, and stops at the budget; a batch that
 * relieves may go a tenth beyond. After an error in the last, deciding write LMDB wants the environment
 * opened again: so is_broken. */
#include "engine/base/mem.h"
#include "engine/store/store_in.h"
#include "engine/store/usage.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    MAP_FIRST_BYTES = 8 * 1024 * 1024,
    PAGES_A_SHELF = 2,
    PAGES_A_COMMIT = 4,
    BALLAST_PATH = 4300,
    BALLAST_SCARCE = 256 * 1024, /* with less left on the disk a failed write is a full disk */
};

struct lmdb_store {
    struct store store;
    MDB_env *env;
    MDB_dbi shelves[STORE_SHELVES], top; /* top: what holds the shelves, and the serial */
    uint64_t serial;
    MDB_txn *look;
    char *folder;
    bool begins; /* of a file under its first name: begin_file */
    uint64_t most_bytes, map_bytes, page_bytes;
    uint64_t ballast_bytes;
    bool is_broken, reads_only, has_ballast;
};

static struct lmdb_store *of(struct store *s)
{
    return (struct lmdb_store *)(void *)s;
}

static int fail(const struct lmdb_store *m, int rc, const char *doing, struct err *e)
{
    int code =
        rc == ENOSPC || rc == EDQUOT || rc == MDB_MAP_FULL ? ERR_FULL
        : rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND
            ? ERR_STATE
            : ERR_IO;
    return err_set(e, code, "%s: %s: %s", m->folder, doing,
                   rc == MDB_MAP_FULL ? "the state's budget is used up" : mdb_strerror(rc));
}

/* ---- one record ---- */

/* was: for MDB_NOOVERWRITE, the size of what is there. May be NULL. */
static int put_record(MDB_txn *txn, MDB_dbi dbi, enum store_shelf shelf, MDB_val key, const void *bytes,
                      size_t len, unsigned flags, size_t *was)
{
    MDB_val value = {.mv_size = len + STORE_SUM_BYTES};
    int rc = mdb_put(txn, dbi, &key, &value, flags | MDB_RESERVE);
    if (rc == MDB_KEYEXIST && was)
        *was = value.mv_size;
    if (rc)
        return rc;
    uint64_t sum = store_sum(shelf, key.mv_data, key.mv_size, bytes, len);
    if (len)
        memcpy(value.mv_data, bytes, len);
    memcpy((char *)value.mv_data + len, &sum, sizeof sum);
    return 0;
}

static int lend(enum store_shelf shelf, const MDB_val *key, const MDB_val *value, struct store_item *out)
{
    if (!store_sum_fits(shelf, key->mv_data, key->mv_size, value->mv_data, value->mv_size))
        return ERR_STATE;
    *out = (struct store_item){.key = key->mv_data,
                               .key_len = key->mv_size,
                               .bytes = value->mv_data,
                               .len = value->mv_size - STORE_SUM_BYTES};
    return 0;
}

/* Every transaction that writes begins with this. It costs no page: the one it lies on changes with every
 * shelf. */
static int count_up(struct lmdb_store *m, MDB_txn *txn)
{
    uint64_t serial = m->serial + 1;
    MDB_val key = {.mv_data = STORE_SERIAL, .mv_size = strlen(STORE_SERIAL)},
            value = {.mv_data = &serial, .mv_size = sizeof serial};
    return mdb_put(txn, m->top, &key, &value, 0);
}

/* ---- opening ---- */

static int read_format(struct lmdb_store *m, MDB_txn *txn, bool *is_there, struct err *e)
{
    MDB_val key = {.mv_data = "format", .mv_size = 6}, found;
    struct store_item item = {0};
    uint32_t format = 0;
    int rc = mdb_get(txn, m->shelves[STORE_META], &key, &found);
    *is_there = rc != MDB_NOTFOUND;
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : fail(m, rc, "opening the state", e);
    /* The first format had no checksums. */
    if (found.mv_size == sizeof format)
        memcpy(&format, found.mv_data, sizeof format);
    else if (lend(STORE_META, &key, &found, &item) < 0 || item.len != sizeof format)
        return err_set(e, ERR_STATE, "%s: the mark of the state's format is damaged", m->folder);
    else
        memcpy(&format, item.bytes, sizeof format);
    return format == STORE_FORMAT
               ? 0
               : err_set(e, ERR_STATE, "%s: the state has format %u; this program reads format %d", m->folder,
                         format, STORE_FORMAT);
}

static int read_serial(struct lmdb_store *m, MDB_txn *txn)
{
    MDB_val key = {.mv_data = STORE_SERIAL, .mv_size = strlen(STORE_SERIAL)}, found;
    int rc = mdb_get(txn, m->top, &key, &found);
    m->serial = 0;
    if (rc == 0 && found.mv_size == sizeof m->serial)
        memcpy(&m->serial, found.mv_data, sizeof m->serial);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int shelves_open(struct lmdb_store *m, struct err *e)
{
    MDB_txn *txn;
    uint32_t format = STORE_FORMAT;
    MDB_val key = {.mv_data = "format", .mv_size = 6};
    bool is_there;
    int rc = mdb_txn_begin(m->env, NULL, m->reads_only ? MDB_RDONLY : 0, &txn);
    if (rc)
        return fail(m, rc, "opening the state", e);
    rc = mdb_dbi_open(txn, NULL, 0, &m->top);
    for (int i = 0; i < STORE_SHELVES && rc == 0; i++)
        rc = mdb_dbi_open(txn, store_shelf_name((enum store_shelf)i), m->reads_only ? 0 : MDB_CREATE,
                          &m->shelves[i]);
    if (rc == 0)
        rc = read_serial(m, txn);
    if (rc == 0) {
        int code = read_format(m, txn, &is_there, e);
        if (code < 0) {
            mdb_txn_abort(txn);
            return code;
        }
        if (!is_there && !m->reads_only) {
            rc = put_record(txn, m->shelves[STORE_META], STORE_META, key, &format, sizeof format, 0, NULL);
            rc = rc ? rc : count_up(m, txn);
            m->serial++;
        } else if (!is_there) {
            rc = MDB_INVALID;
        }
    }
    if (rc) {
        mdb_txn_abort(txn);
        return fail(m, rc, "opening the state", e);
    }
    rc = mdb_txn_commit(txn);
    return rc ? fail(m, rc, "opening the state", e) : 0;
}

static int env_open(struct lmdb_store *m, struct err *e);

/* A file that LMDB begins is no database until its first commit is on the disk, and a power cut before that
 * would leave one that can't be opened. So it begins under another name. What an earlier try left there is
 * taken away. */
static int begin_file(struct lmdb_store *m, const char *path, struct err *e)
{
    char folder[4200], begun[4300], lock[4300];
    struct lmdb_store fresh = {.folder = folder};
    snprintf(folder, sizeof folder, "%s/new", m->folder);
    snprintf(begun, sizeof begun, "%s/data.mdb", folder);
    snprintf(lock, sizeof lock, "%s/lock.mdb", folder);
    (void)unlink(begun);
    (void)unlink(lock);
    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return fail(m, errno, "opening the state", e);
    fresh.begins = true;
    int rc = env_open(&fresh, e);
    if (rc < 0)
        return rc;
    mdb_env_close(fresh.env);
    int fd = open(m->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_moved = fd >= 0 && rename(begun, path) == 0 && fsync(fd) == 0;
    rc = is_moved ? 0 : fail(m, errno, "opening the state", e);
    if (fd >= 0)
        close(fd);
    (void)unlink(lock);
    (void)rmdir(folder);
    return rc;
}

static int env_open(struct lmdb_store *m, struct err *e)
{
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", m->folder);
    m->map_bytes = MAP_FIRST_BYTES;
    if (stat(path, &st) != 0 && errno == ENOENT && !m->begins && !m->reads_only) {
        int rc = begin_file(m, path, e);
        if (rc < 0)
            return rc;
    }
    if (stat(path, &st) == 0)
        while (m->map_bytes < (uint64_t)st.st_size)
            m->map_bytes *= 2;
    unsigned flags = MDB_NOTLS | (m->reads_only ? MDB_RDONLY : 0);
    for (int try = 0;; try++) {
        int rc = mdb_env_create(&m->env);
        if (rc)
            return fail(m, rc, "opening the state", e);
        mdb_env_set_maxdbs(m->env, STORE_SHELVES);
        mdb_env_set_mapsize(m->env, m->map_bytes);
        rc = mdb_env_open(m->env, m->folder, flags, 0640);
        if (rc == 0)
            break;
        mdb_env_close(m->env);
        m->env = NULL;
        if ((rc != ENOSYS && rc != EROFS) || try > 0)
            return fail(m, rc, "opening the state", e);
        flags |= MDB_NOLOCK;
    }
    int rc = shelves_open(m, e);
    if (rc < 0) {
        mdb_env_close(m->env);
        m->env = NULL;
    }
    m->is_broken = false;
    return rc;
}

/* ---- what owners take ---- */

static void count_record(struct lmdb_store *m, enum store_shelf shelf, const MDB_val *key, size_t len,
                         int sign)
{
    if (m->store.usage)
        usage_note(m->store.usage, shelf, key->mv_data, key->mv_size, sign * usage_of(key->mv_size, len));
}

static int own_shelf(struct lmdb_store *m, MDB_txn *txn, enum store_shelf shelf)
{
    MDB_cursor *c;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, m->shelves[shelf], &c);
    if (rc)
        return rc;
    for (rc = mdb_cursor_get(c, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(c, &key, &value, MDB_NEXT))
        count_record(m, shelf, &key, value.mv_size, 1);
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int own_all(struct lmdb_store *m, struct err *e)
{
    static const enum store_shelf owned[] = {STORE_JOURNAL, STORE_OUTBOX, STORE_STATE, STORE_TABLES};
    MDB_txn *txn;
    int rc = mdb_txn_begin(m->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return fail(m, rc, "reading the state", e);
    usage_free(m->store.usage);
    m->store.usage = usage_new();
    for (size_t i = 0; i < sizeof owned / sizeof *owned && rc == 0; i++)
        rc = own_shelf(m, txn, owned[i]);
    mdb_txn_abort(txn);
    usage_keep(m->store.usage);
    return rc ? fail(m, rc, "reading the state", e) : 0;
}

/* A database that LMDB gave up is opened again: from its last valid state, which may be the one that it could
 * not tell of, so what its owners take is counted anew. */
static int mend(struct lmdb_store *m, struct err *e)
{
    if (m->env && !m->is_broken)
        return 0;
    if (m->env)
        mdb_env_close(m->env);
    m->env = NULL;
    int rc = env_open(m, e);
    return rc == 0 && m->store.usage ? own_all(m, e) : rc;
}

/* ---- writing ---- */

static int drop_range(struct lmdb_store *m, MDB_txn *txn, MDB_dbi dbi, const struct batch_op *op)
{
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, dbi, &c);
    if (rc)
        return rc;
    for (;;) {
        MDB_val key = {.mv_data = (void *)(uintptr_t)op->key, .mv_size = op->key_len}, value;
        MDB_val to = {.mv_data = (void *)(uintptr_t)op->to, .mv_size = op->to_len};
        rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
        if (rc || mdb_cmp(txn, dbi, &key, &to) >= 0)
            break;
        count_record(m, op->shelf, &key, value.mv_size, -1); /* before the key goes */
        if ((rc = mdb_cursor_del(c, 0)) != 0)
            break;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The journal and the outboxes grow at the end, mostly of the whole shelf too: then pages are filled up
 * instead of split. */
static int put(struct lmdb_store *m, MDB_txn *txn, MDB_dbi dbi, const struct batch_op *op)
{
    MDB_val key = {.mv_data = (void *)(uintptr_t)op->key, .mv_size = op->key_len};
    bool grows = op->shelf == STORE_JOURNAL || op->shelf == STORE_OUTBOX;
    size_t was = 0;
    int rc = MDB_KEYEXIST;
    if (grows)
        rc = put_record(txn, dbi, op->shelf, key, op->bytes, op->len, MDB_APPEND, NULL);
    if (rc == MDB_KEYEXIST && m->store.usage)
        rc = put_record(txn, dbi, op->shelf, key, op->bytes, op->len, MDB_NOOVERWRITE, &was);
    if (rc == MDB_KEYEXIST) {
        rc = put_record(txn, dbi, op->shelf, key, op->bytes, op->len, 0, NULL);
        if (rc == 0 && m->store.usage)
            count_record(m, op->shelf, &key, was, -1);
    }
    if (rc == 0)
        count_record(m, op->shelf, &key, op->len + STORE_SUM_BYTES, 1);
    return rc;
}

static int write_all(struct lmdb_store *m, const struct store_batch *b, uint64_t *pages)
{
    MDB_txn *txn;
    struct batch_op op;
    size_t page = 4096;
    unsigned touched = 0;
    int rc = mdb_txn_begin(m->env, NULL, 0, &txn);
    if (rc)
        return rc;
    *pages = PAGES_A_COMMIT;
    rc = count_up(m, txn);
    for (size_t at = 0; rc == 0 && batch_next(b, &at, &op);) {
        touched |= 1U << op.shelf;
        *pages += op.len > page / 2 ? (op.len + 16 + page - 1) / page : 0;
        rc = op.is_put ? put(m, txn, m->shelves[op.shelf], &op)
                       : drop_range(m, txn, m->shelves[op.shelf], &op);
    }
    for (; touched; touched &= touched - 1)
        *pages += PAGES_A_SHELF;
    *pages *= page;
    if (rc == 0)
        rc = FAULT("store.commit") ? EIO : 0;
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    if (m->store.usage)
        (rc == 0 ? usage_keep : usage_forget)(m->store.usage);
    m->serial += rc == 0;
    if (rc == 0)
        (void)FAULT("store.committed");
    return rc;
}

/* ---- the ballast ---- */

static void ballast_path(const struct lmdb_store *m, char path[BALLAST_PATH])
{
    snprintf(path, BALLAST_PATH, "%s/ballast", m->folder);
}

/* The disk has to give its blocks now, so they are written: a hole would be none. One that can't be made is
 * tried again later. */
static void ballast_make(struct lmdb_store *m)
{
    char path[BALLAST_PATH];
    struct stat st;
    if (!m->ballast_bytes || m->has_ballast || m->reads_only)
        return;
    ballast_path(m, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return;
    bool is_there = fstat(fd, &st) == 0 && (uint64_t)st.st_blocks * 512 >= m->ballast_bytes &&
                    (uint64_t)st.st_size == m->ballast_bytes;
    m->has_ballast =
        is_there || (ftruncate(fd, 0) == 0 && posix_fallocate(fd, 0, (off_t)m->ballast_bytes) == 0);
    close(fd);
    if (!m->has_ballast)
        (void)unlink(path);
}

/* False: there was none. */
static bool ballast_give(struct lmdb_store *m)
{
    char path[BALLAST_PATH];
    ballast_path(m, path);
    if (!m->has_ballast)
        return false;
    m->has_ballast = false;
    return unlink(path) == 0;
}

/* Pages in the file that nothing uses, in bytes. LMDB lists them in database 0, each record a count and numbers. */
static uint64_t free_bytes(struct lmdb_store *m)
{
    MDB_txn *txn;
    MDB_cursor *c;
    MDB_val key, list;
    MDB_stat stat;
    uint64_t pages = 0;
    if (mdb_txn_begin(m->env, NULL, MDB_RDONLY, &txn) != 0)
        return 0;
    if (mdb_env_stat(m->env, &stat) == 0 && mdb_cursor_open(txn, 0, &c) == 0) {
        size_t count;
        while (mdb_cursor_get(c, &key, &list, MDB_NEXT) == 0 && list.mv_size >= sizeof count) {
            memcpy(&count, list.mv_data, sizeof count);
            pages += count;
        }
        mdb_cursor_close(c);
        pages *= stat.ms_psize;
    }
    mdb_txn_abort(txn);
    return pages;
}

/* On a disk without room for the ballast its place is in the file: so many pages stay free, or what was full once
 * could not be relieved when it is full again. */
static bool has_reserve(struct lmdb_store *m, const struct store_batch *b)
{
    if (!m->ballast_bytes || m->has_ballast)
        return true;
    ballast_make(m);
    return m->has_ballast || free_bytes(m) >= m->ballast_bytes + 2 * b->ops.len;
}

/* A short write at the end of the disk is an I/O error to LMDB. */
static bool is_disk_full(const struct lmdb_store *m, int rc)
{
    struct statvfs disk;
    if (rc != EIO)
        return rc == ENOSPC || rc == EDQUOT;
    return statvfs(m->folder, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < BALLAST_SCARCE;
}

/* False: the bound stands in the way. */
static bool grow(struct lmdb_store *m, bool relieves)
{
    uint64_t most = relieves ? m->most_bytes + m->most_bytes / 10 : m->most_bytes;
    uint64_t wanted = m->map_bytes * 2 < most ? m->map_bytes * 2 : most & ~(uint64_t)0xFFFF;
    if (wanted <= m->map_bytes || mdb_env_set_mapsize(m->env, wanted) != 0)
        return false;
    m->map_bytes = wanted;
    return true;
}

/* Pages that a transaction let go may be used by the one after the next: a store at its bound needs a small
 * one in between. */
static bool turn_pages(struct lmdb_store *m)
{
    MDB_txn *txn;
    uint32_t format = STORE_FORMAT;
    MDB_val key = {.mv_data = "format", .mv_size = 6};
    if (!grow(m, true) || mdb_txn_begin(m->env, NULL, 0, &txn) != 0)
        return false;
    if (put_record(txn, m->shelves[STORE_META], STORE_META, key, &format, sizeof format, 0, NULL) != 0 ||
        count_up(m, txn) != 0) {
        mdb_txn_abort(txn);
        return false;
    }
    if (mdb_txn_commit(txn) != 0)
        return false;
    m->serial++;
    return true;
}

static void shrink(struct lmdb_store *m)
{
    uint64_t most = m->most_bytes & ~(uint64_t)0xFFFF;
    if (m->map_bytes > most && mdb_env_set_mapsize(m->env, most) == 0)
        m->map_bytes = most;
}

static int lmdb_apply(struct store *s, const struct store_batch *b, struct err *e)
{
    struct lmdb_store *m = of(s);
    uint64_t pages = 0;
    int rc = mend(m, e);
    if (rc < 0)
        return rc;
    if (!b->relieves && !has_reserve(m, b))
        return fail(m, ENOSPC, "writing the state", e);
    do
        rc = write_all(m, b, &pages);
    while (rc == MDB_MAP_FULL && grow(m, b->relieves));
    if (rc == MDB_MAP_FULL && turn_pages(m)) {
        shrink(m);
        rc = write_all(m, b, &pages);
    }
    if (rc && b->relieves && is_disk_full(m, rc) && ballast_give(m)) {
        m->is_broken = true;
        rc = mend(m, e);
        if (rc < 0)
            return rc;
        rc = write_all(m, b, &pages);
    }
    shrink(m); /* the tenth is for the next one in need */
    if (rc == 0) {
        m->page_bytes += pages;
        return 0;
    }
    if (is_disk_full(m, rc)) {
        m->is_broken |= rc == EIO;
        rc = ENOSPC;
    }
    m->is_broken |= rc == MDB_PANIC || rc == EIO || rc == MDB_BAD_TXN;
    return fail(m, rc, "writing the state", e);
}

/* ---- reading ---- */

static int lmdb_look(struct store *s, struct err *e)
{
    struct lmdb_store *m = of(s);
    int rc = mend(m, e);
    if (rc < 0)
        return rc;
    rc = mdb_txn_begin(m->env, NULL, MDB_RDONLY, &m->look);
    return rc ? fail(m, rc, "reading the state", e) : 0;
}

static void lmdb_look_end(struct store *s)
{
    mdb_txn_abort(of(s)->look);
    of(s)->look = NULL;
}

static int lmdb_get(struct store *s, enum store_shelf shelf, const void *key, size_t key_len,
                    struct store_item *out)
{
    struct lmdb_store *m = of(s);
    MDB_val k = {.mv_data = (void *)(uintptr_t)key, .mv_size = key_len}, v;
    int rc = mdb_get(m->look, m->shelves[shelf], &k, &v);
    if (rc)
        return rc == MDB_NOTFOUND ? ERR_NOT_FOUND : ERR_IO;
    return lend(shelf, &k, &v, out);
}

static int lmdb_next(struct store *s, enum store_shelf shelf, const void *key, size_t key_len, bool above,
                     struct store_item *out)
{
    struct lmdb_store *m = of(s);
    MDB_cursor *c;
    MDB_val k = {.mv_data = (void *)(uintptr_t)key, .mv_size = key_len}, v;
    int rc = mdb_cursor_open(m->look, m->shelves[shelf], &c);
    if (rc == 0) {
        rc = mdb_cursor_get(c, &k, &v, key_len ? MDB_SET_RANGE : MDB_FIRST);
        if (rc == 0 && above && k.mv_size == key_len && memcmp(k.mv_data, key, key_len) == 0)
            rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
        mdb_cursor_close(c);
    }
    if (rc)
        return rc == MDB_NOTFOUND ? ERR_NOT_FOUND : ERR_IO;
    return lend(shelf, &k, &v, out);
}

static uint64_t lmdb_look_number(struct store *s)
{
    return mdb_txn_id(of(s)->look);
}

/* ---- the rest ---- */

static void lmdb_count(struct store *s, struct store_counts *out)
{
    struct lmdb_store *m = of(s);
    MDB_envinfo info;
    MDB_stat stat;
    out->page_bytes = m->page_bytes;
    if (!m->env || mdb_env_info(m->env, &info) != 0 || mdb_env_stat(m->env, &stat) != 0)
        return;
    out->used_bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

static int lmdb_compact(struct store *s, const char *folder, struct err *e)
{
    struct lmdb_store *m = of(s);
    int rc = mend(m, e);
    if (rc < 0)
        return rc;
    rc = mdb_env_copy2(m->env, folder, MDB_CP_COMPACT);
    return rc ? fail(m, rc, "copying the state", e) : 0;
}

static void lmdb_close(struct store *s)
{
    struct lmdb_store *m = of(s);
    if (m->env)
        mdb_env_close(m->env);
    pthread_mutex_destroy(&s->lock);
    mem_free(m->folder);
    mem_free(m);
}

static int lmdb_own(struct store *s, struct err *e)
{
    struct lmdb_store *m = of(s);
    int rc = mend(m, e);
    return rc < 0 ? rc : own_all(m, e);
}

static const struct store_backend backend = {.apply = lmdb_apply,
                                             .look = lmdb_look,
                                             .look_end = lmdb_look_end,
                                             .look_number = lmdb_look_number,
                                             .get = lmdb_get,
                                             .next = lmdb_next,
                                             .count = lmdb_count,
                                             .compact = lmdb_compact,
                                             .own = lmdb_own,
                                             .close = lmdb_close};

int store_lmdb_open(struct store **out, const struct store_options *options, struct err *e)
{
    struct lmdb_store *m = mem_alloc(sizeof *m);
    m->store.backend = &backend;
    m->folder = mem_strdup(options->folder);
    m->most_bytes = options->most_bytes ? options->most_bytes : (uint64_t)1 << 36;
    m->reads_only = options->reads_only;
    m->ballast_bytes = options->ballast_bytes;
    pthread_mutex_init(&m->store.lock, NULL);
    int rc = env_open(m, e);
    if (rc < 0) {
        lmdb_close(&m->store);
        return rc;
    }
    ballast_make(m);
    *out = &m->store;
    return 0;
}
