#!/usr/bin/env bash
# run.sh UNIT_PROGRAM... - every test there is, as many runners at once as there are processors. Each runner's last line is
# `N passed, N failed` (`, N skipped` may follow); they are summed in ours. A runner that dies or says nothing has failed once.
# ONLY=PATTERN runs those whose name matches. Logs stay in build/test/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
logs=build/test
rm -rf "$logs"
mkdir -p "$logs"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export LC_ALL=C.UTF-8 TZ=UTC
jobs=$(nproc 2>/dev/null || echo 1)
limit_s=280

names=() commands=()
add() { # name command
    [[ -z ${ONLY:-} || $1 == $ONLY ]] || return 0
    names+=("$1")
    commands+=("$2")
}

mapfile -t ours < <(find tests/cases conf -name '*.jsonl' -not -path 'tests/cases/siddhi/*' 2>/dev/null | sort)
siddhi='tests/cases/siddhi/*.jsonl'
# The long ones first.
add cases-asan "build/asan/weir test $siddhi ${ours[*]}"
for script in tests/agent/*.sh; do
    [[ -x $script ]] && add "agent-$(basename "$script" .sh)" "$script"
done
[[ -x build/crash/crash ]] && add crash tests/crash/crash.sh
add cases "build/weir test $siddhi ${ours[*]}"
add cases-restart "build/weir test --restart-every 1 $siddhi ${ours[*]}"
add errors "tests/errors/run.sh build/asan/weir"
for unit in "$@"; do
    add "unit-$(basename "$unit")" "$unit"
done

passed=0 failed=0 skipped=0
tell() { # index: what the runner said
    local log=$logs/${names[$1]} rc
    rc=$(cat "$log.rc" 2>/dev/null || echo '?')
    local last
    last=$(tail -n 1 "$log" 2>/dev/null)
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ && ( $rc == 0 || ( $rc == 1 && ${BASH_REMATCH[2]} != 0 ) ) ]]; then
        local p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[4]:-0}
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        if [[ $f != 0 ]]; then
            head -n -1 "$log" | grep -v '^skipped ' | tail -n 60
        fi
        printf '%-28s %s (%s s)\n' "${names[$1]}" "$last" "$(cat "$log.s")"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        printf '%-28s died: exit code %s\n' "${names[$1]}" "$rc"
    fi
}

run() { # index
    local log=$logs/${names[$1]} start=$SECONDS
    # Word splitting and wildcards of the command are wanted.
    # shellcheck disable=SC2086
    timeout -k 5 "$limit_s" ${commands[$1]} >"$log" 2>&1 </dev/null
    echo $? >"$log.rc"
    echo $((SECONDS - start)) >"$log.s"
}

running=0 told=0
for i in "${!names[@]}"; do
    if [[ $running -ge $jobs ]]; then
        wait -n
        running=$((running - 1))
    fi
    run "$i" &
    running=$((running + 1))
done
wait
for i in "${!names[@]}"; do
    tell "$i"
    told=$((told + 1))
done
if [[ $told == 0 ]]; then
    echo "run.sh: no test is named so" >&2
    failed=1
fi
if [[ $skipped != 0 ]]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[[ $failed == 0 ]]
