#!/usr/bin/env bash
# run.sh WEIR [--accept] [FILE...] - rejected text pins its messages: place, sentence, caret, hint. A file is an app, a line `----`, and
# what `weir check app.siddhi` says about it, to the letter. --accept writes what it says now: read the difference before you commit it.
set -uo pipefail
weir=$(realpath -e "${1:?path of weir}") || exit 2
shift
accept=
[[ ${1:-} == --accept ]] && { accept=1; shift; }
cd "$(dirname "$0")" || exit 2
here=$PWD
(($# > 0)) || set -- *.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
for file in "$@"; do
    cd "$here" || exit 2
    [[ -f $file ]] || continue
    sed '/^----$/,$d' "$file" >"$work/app.siddhi"
    sed '1,/^----$/d' "$file" >"$work/expected"
    (cd "$work" && "$weir" check app.siddhi >stdout 2>got)
    code=$?
    if [[ -n $accept ]]; then
        { cat "$work/app.siddhi"; echo ----; cat "$work/got"; } >"$work/new"
        cmp -s "$work/new" "$file" || { cp "$work/new" "$file"; echo "accepted $file"; }
        continue
    fi
    # Warnings alone refuse nothing, but for those that say so.
    want=0
    grep '^app.siddhi:' "$work/expected" | grep -qv ': warning: ' && want=1
    grep -q "^hint: the app can't be started" "$work/expected" && want=1
    if [[ $code != "$want" ]]; then
        echo "FAIL $file: exit code $code, not $want"
        failed=$((failed + 1))
    elif ! diff -u "$work/expected" "$work/got" >"$work/difference"; then
        echo "FAIL $file"
        tail -n +3 "$work/difference"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
