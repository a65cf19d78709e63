#!/usr/bin/env bash
# bench.sh [NAME...] - weir bench on the queries of apps/: one JSON object a line. Each query's outputs are known exactly; "expected_outputs"
# stands beside where they differ, and the exit code is 1. WEIR, EVENTS, WARMUP change what is run; RUNS=N takes the best of N.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
weir=${WEIR:-build/weir} warmup=${WARMUP:-2000000} events=${EVENTS:-5000000} runs=${RUNS:-1}
inputs=build/bench/data
mkdir -p "$inputs"
[[ -s $inputs/names.csv ]] || build/bench/inputs "$inputs" || exit 1
pin=()
command -v taskset >/dev/null && pin=(taskset -c "$(($(nproc) - 1))")
wrong=0

# query, outputs for 2 M events of warm-up and 5 M measured, arguments
bench() {
    local name=$1 outputs=$2
    shift 2
    [[ ${#only[@]} == 0 || " ${only[*]} " == *" $name "* ]] || return 0
    local best='' best_rate=0
    for ((run = 0; run < runs; run++)); do
        local line
        if ! line=$("${pin[@]}" "$weir" bench "tests/bench/apps/$name.siddhi" "$@" \
            --warmup "$warmup" --events "$events" --time ts 2>"$inputs/$name.err"); then
            printf '{"bench":"%s","error":"%s"}\n' "$name" "$(head -n 1 "$inputs/$name.err" | tr -d '\\"')"
            # What isn't built yet is no failure of the bench.
            grep -q 'not implemented' "$inputs/$name.err" || wrong=1
            return 0
        fi
        local rate=${line#*\"events_per_cpu_s\":}
        rate=${rate%%,*}
        ((${rate%.*} > best_rate)) && best=$line best_rate=${rate%.*}
    done
    if [[ $warmup == 2000000 && $events == 5000000 && $best != *"\"output_events\":$outputs}"* ]]; then
        best="${best%\}},\"expected_outputs\":$outputs}"
        wrong=1
    fi
    echo "$best"
}

only=("$@")
ring=(--input "S=$inputs/ring.csv")
bench filter 2506836 "${ring[@]}"
bench length-avg 5000000 "${ring[@]}"
bench lengthBatch 499960 "${ring[@]}"
bench externalTime 5000000 "${ring[@]}"
bench join 5036526 --input "S1=$inputs/even.csv" --input "S2=$inputs/odd.csv"
bench pattern 184566 "${ring[@]}"
bench partition 5000000 --input "S=$inputs/ring1000.csv"
bench aggregate 0 "${ring[@]}"
bench table-join 5000000 --preload "L=$inputs/names.csv" --input "S=$inputs/ring1000.csv"
exit "$wrong"
