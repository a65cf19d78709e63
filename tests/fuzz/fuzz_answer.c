/* fuzz_answer.c - any bytes as a line at the local door: answered, never a crash. A line that is no request
 * goes in as the query of one, so that on-demand queries are reached as well. The app and its worker are
 * real; it begins anew now and then, for queries change it. */
#include "agent/answer.h"
#include "agent/errors.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char text[] =
    "@app:name('A') define stream S (k string, v int, d double);\n"
    "@primaryKey('k') @index('v') define table T (k string, v int, d double);\n"
    "define table L (k string, v int, d double);\n"
    "define window W (k string, v int, d double) length(5) output all events;\n"
    "define trigger Go at 'start';\n"
    "@purge(enable='false') define aggregation G from S select k, sum(v) as v, avg(d) as d group by k\n"
    "    aggregate every sec...year;\n"
    "from Go select 'a' as k, 1 as v, 0.5 as d insert into S;\n"
    "from S insert into T; from S insert into L; from S insert into W; from S select 'b' as k, v, d insert "
    "into L;\n";

static struct config config;
static struct worker worker;
static struct deploy deploy;
static struct errors *errors;
static struct store *store;
static char folder[] = "/tmp/weir-fuzz-XXXXXX", file[64];

static void end(void)
{
    char path[80];
    snprintf(path, sizeof path, "rm -rf %s", folder);
    if (system(path) != 0)
        perror(folder);
}

static void begin(void)
{
    struct err e = {0};
    if (!worker.commit.store) {
        log_set(LOG_ERROR + 1, false);
        if (!mkdtemp(folder))
            abort();
        atexit(end);
        snprintf(file, sizeof file, "%s/A.siddhi", folder);
        FILE *f = fopen(file, "w");
        if (!f || fputs(text, f) < 0 || fclose(f) != 0)
            abort();
        config_init(&config);
        if (store_open(&store, &(struct store_options){.folder = folder}, &e) < 0 ||
            errors_open(&errors, store, 1 << 20, false, &e) < 0 ||
            worker_start(&worker, 0, &config, store, &e) < 0)
            abort();
        worker.errors = errors;
    } else {
        deploy_fini(&deploy);
    }
    deploy_init(&deploy, &config, &worker, 1);
    deploy.errors = errors;
    deploy_name(&deploy, file);
    deploy_look(&deploy);
    if (deploy_running(&deploy) != 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static unsigned runs;
    struct buf line, out;
    if (runs++ % 2000 == 0)
        begin();
    buf_init(&line, SIZE_MAX);
    buf_init(&out, 64 * 1024);
    if (len && *bytes == '{') {
        buf_add(&line, bytes, len);
    } else {
        buf_add_str(&line, "{\"app\":\"A\",\"query\":");
        json_write_string(&line, (const char *)bytes, len);
        buf_add_char(&line, '}');
    }
    answer_line(&deploy, line.bytes, line.len, &out);
    if (!out.len)
        abort(); /* nobody is left without an answer */
    buf_fini(&line);
    buf_fini(&out);
    return 0;
}
