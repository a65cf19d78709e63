#!/usr/bin/env bash
# tidy.sh FILE... - what the house demands of its files: layout, include arrows, banned calls, sizes, clang-tidy. CLANG_TIDY=0 leaves
# the slow last one out. Exit 1 when anything is wrong.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
wrong=0
say() {
    echo "$*"
    wrong=1
}
(($# > 0)) || { echo 'tidy.sh: no file' >&2; exit 2; }

# ---- layout
clang-format --dry-run --Werror "$@" 2>&1 | head -n 40
[[ ${PIPESTATUS[0]} == 0 ]] || say 'layout: run clang-format -i'

# ---- include arrows: room, then the rooms it may look into
allowed() {
    case $1 in
    agent) echo agent ports engine.h store base data expr ;;
    ports) echo ports engine.h base data lang ;;
    base) echo base ;;
    lang) echo lang data base ;;
    data) echo data base ;;
    expr) echo expr data lang base ;;
    window) echo window expr data lang base run.op ;;
    plan) echo plan engine.h window expr data lang base run.op run ;;
    run) echo run engine.h plan window expr data lang base store ;;
    store) echo store base ;;
    engine.h) echo base data expr lang ;;
    esac
}
room_of() { # path
    case $1 in
    agent/*) echo agent ;;
    ports/*) echo ports ;;
    engine/engine.h) echo engine.h ;;
    engine/*/*) cut -d/ -f2 <<<"$1" ;;
    esac
}
for file in "$@"; do
    room=$(room_of "$file")
    may=" $(allowed "$room") "
    while IFS=: read -r line path; do
        target=$(room_of "$path")
        [[ $path == engine/run/op.h && $may == *' run.op '* ]] && continue
        [[ $room == "$target" || $may == *" $target "* ]] || say "$file:$line: $room may not include $path"
    done < <(sed -n 's/^#include "\([^"]*\)".*/\1/;t p;b;:p;=;p' "$file" | paste -d: - -)
done

# ---- libraries: each seen by one file
for header in mosquitto.h nats.h coap lmdb.h duktape.h; do
    count=$(grep -lE "#include <$header" "$@" | wc -l)
    ((count <= 1)) || say "$header is included by $count files: $(grep -lE "#include <$header" "$@" | tr '\n' ' ')"
done

# ---- banned calls. A name behind one of [A-Za-z0-9_.>] is another function's
banned() { # pattern, file that may
    grep -nE "(^|[^A-Za-z0-9_.>])($1)\(" "${files[@]}" | grep -vE "^($2):" | grep -vE ':[0-9]+: *(\*|//|/\*)'
}
files=("$@")
nowhere='-'
while read -r pattern where; do
    found=$(banned "$pattern" "$where")
    [[ -z $found ]] || say "$found"$'\n'"  banned: $pattern"
done <<EOB
strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|strncpy|alloca $nowhere
malloc|calloc|realloc|strdup|strndup engine/base/mem.c
clock_gettime|gettimeofday|time|clock agent/clock.c
exit|_exit agent/main.c
EOB

# ---- sizes
for file in "$@"; do
    lines=$(wc -l <"$file")
    ((lines <= 1000)) || say "$file: $lines lines: there is a second noun in it"
done

# ---- headers compile alone
for file in "$@"; do
    [[ $file == *.h ]] || continue
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -I. -fsyntax-only -x c "$file" 2>&1 | head -n 5
    [[ ${PIPESTATUS[0]} == 0 ]] || say "$file doesn't compile alone"
done

# ---- clang-tidy
if [[ ${CLANG_TIDY:-1} != 0 ]]; then
    sources=()
    for file in "$@"; do [[ $file == *.c ]] && sources+=("$file"); done
    # One at a time: with several the analyzer confuses them. What is looked for stands in .clang-tidy.
    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I FILE \
        sh -c 'clang-tidy --quiet FILE -- -std=c11 -D_GNU_SOURCE -I. 2>/dev/null' || wrong=1
fi
[[ $wrong == 0 ]] && echo tidy
exit $wrong
