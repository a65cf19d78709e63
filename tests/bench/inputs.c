/* inputs.c - writes the benchmarks' input as CSV into a folder (README.md tells what it is).
 *
 *     inputs FOLDER           ring.csv, ring1000.csv, even.csv, odd.csv, names.csv
 *     inputs FOLDER KEYS      keys-KEYS.csv: a million rows in which the keys take turns, in an order that
 *                             looks like chance */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { RING = 65536, ROUND = 1000000 };
static const int64_t FIRST_MS = 1700000000000;

static uint64_t state;

/* A linear congruential generator's upper 31 bits. */
static uint64_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static FILE *begin(const char *folder, const char *name, const char *header)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        exit(1);
    }
    fprintf(file, "%s\n", header);
    return file;
}

/* Row i of the ring; files may be the same one twice, or NULL. */
static void write_ring(unsigned keys, FILE *all, FILE *even, FILE *odd)
{
    state = 42;
    for (int i = 0; i < RING; i++) {
        unsigned key = (unsigned)(draw() % keys), cents = (unsigned)(draw() % 10000);
        FILE *files[] = {all, i % 2 ? odd : even};
        for (int k = 0; k < 2; k++)
            if (files[k])
                fprintf(files[k], "k%u,%u.%02u,%d,%" PRId64 "\n", key, cents / 100, cents % 100, i,
                        FIRST_MS + i);
    }
}

static int write_keys(const char *folder, unsigned keys)
{
    char name[64];
    snprintf(name, sizeof name, "keys-%u.csv", keys);
    FILE *file = begin(folder, name, "k,v,ts");
    state = 42;
    for (unsigned i = 0; i < ROUND; i++) {
        /* a prime: every key comes */
        unsigned key = (unsigned)((uint64_t)i * 7368787 % keys), cents = (unsigned)(draw() % 10000);
        fprintf(file, "k%u,%u.%02u,%" PRId64 "\n", key, cents / 100, cents % 100, FIRST_MS + i);
    }
    return ferror(file) | fclose(file);
}

int main(int argc, char **argv)
{
    static const char header[] = "k,v,p,ts";
    if (argc == 3)
        return write_keys(argv[1], (unsigned)strtoul(argv[2], NULL, 10)) != 0;
    if (argc != 2) {
        fprintf(stderr, "usage: inputs FOLDER [KEYS]\n");
        return 2;
    }
    FILE *ring = begin(argv[1], "ring.csv", header), *even = begin(argv[1], "even.csv", header);
    FILE *odd = begin(argv[1], "odd.csv", header), *wide = begin(argv[1], "ring1000.csv", header);
    FILE *names = begin(argv[1], "names.csv", "k,name");
    write_ring(100, ring, even, odd);
    write_ring(1000, wide, NULL, NULL);
    for (int i = 0; i < 1000; i++)
        fprintf(names, "k%d,name-k%d\n", i, i);
    FILE *files[] = {ring, even, odd, wide, names};
    int rc = 0;
    for (int i = 0; i < 5; i++)
        rc |= ferror(files[i]) | fclose(files[i]);
    return rc != 0;
}
