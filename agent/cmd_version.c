/* cmd_version.c - weir version: what this program is and what it was made with. */
#include "agent/cmd.h"
#include "agent/version.h"
#include "engine/expr/regex.h"
#include "engine/expr/script.h"
#include "ports/library.h"
#include "ports/map.h"
#include "ports/port.h"
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif

#if defined(__x86_64__)
#define TARGET "x86_64"
#elif defined(__aarch64__)
#define TARGET "aarch64"
#elif defined(__arm__) && defined(__ARM_PCS_VFP)
#define TARGET "armhf"
#elif defined(__arm__)
#define TARGET "armel"
#else
#define TARGET "unknown"
#endif

static const char *libc_name(void)
{
#if defined(__GLIBC__)
    return "glibc";
#else
    return "musl";
#endif
}

static const char *libc_version(void)
{
#if defined(__GLIBC__)
    return gnu_get_libc_version();
#elif defined(MUSL_VERSION)
    return MUSL_VERSION;
#else
    return ""; /* musl itself doesn't tell */
#endif
}

static void print_ports(bool source)
{
    bool is_first = true;
    for (const struct port_type *const *t = port_types; *t; t++) {
        if (source ? !(*t)->can_source : !(*t)->can_sink)
            continue;
        printf("%s\"%s\"", is_first ? "" : ",", (*t)->name);
        is_first = false;
    }
}

static void print_maps(void)
{
    static const char *const names[] = {"json", "csv", "text", "xml", "binary", "passThrough", "keyvalue"};
    bool is_first = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!map_type_find(names[i]))
            continue;
        printf("%s\"%s\"", is_first ? "" : ",", names[i]);
        is_first = false;
    }
}

static void print_json(void)
{
    printf("{\"version\":\"" VERSION "\",\"target\":\"linux-" TARGET "\",\"libraries\":{\"%s\":\"%s\","
           "\"mosquitto\":\"%s\",\"cjson\":\"%s\",\"pcre2\":\"%s\"",
           libc_name(), libc_version(), mqtt_library_version(), cJSON_Version(), regex_library_version());
    if (script_library_version())
        printf(",\"duktape\":\"%s\"", script_library_version());
    printf("},\"features\":{\"scripts\":[%s],\"sources\":[",
           script_library_version() ? "\"javascript\"" : "");
    print_ports(true);
    printf("],\"sinks\":[");
    print_ports(false);
    printf("],\"maps\":[");
    print_maps();
    printf("]}}\n");
}

int cmd_version(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--json") != 0))
        return cmd_usage("version", "there is no option %s", argv[argc - 1]);
    if (argc == 2) {
        print_json();
        return CMD_OK;
    }
    printf("weir " VERSION " linux-" TARGET "\n%s %s, mosquitto %s, cjson %s, pcre2 %s", libc_name(),
           libc_version(), mqtt_library_version(), cJSON_Version(), regex_library_version());
    if (script_library_version())
        printf(", duktape %s", script_library_version());
    putchar('\n');
    return CMD_OK;
}
