#!/usr/bin/env bash
# memory.sh - what weir holds, by the peak of its resident memory: one JSON object a line, exit code 1 when a limit is broken.
#   held     bytes for each event of one long and one double in a window of a million: at most 48
#   bounded  growth over EVENTS (100 million) through a window of 1,000: none but noise
#   keys     a million partition keys, ten events each: at most 512 MB; per event no more than twice what a thousand keys cost
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
weir=${WEIR:-build/weir} events=${EVENTS:-100000000}
inputs=build/bench/data
mkdir -p "$inputs"
[[ -s $inputs/ring.csv ]] || build/bench/inputs "$inputs" || exit 1
[[ -s $inputs/keys-1000000.csv ]] || { build/bench/inputs "$inputs" 1000000 && build/bench/inputs "$inputs" 1000; } || exit 1
if [[ ! -s $inputs/numbers.csv ]]; then
    awk 'BEGIN { print "n,d"; for (i = 0; i < 1000; i++) print i "," i / 4 }' >"$inputs/numbers.csv"
fi
pin=()
command -v taskset >/dev/null && pin=(taskset -c "$(($(nproc) - 1))")
wrong=0

# app, warm-up, events, arguments: the line of weir bench
bench() {
    local app=$1 warmup=$2 count=$3
    shift 3
    "${pin[@]}" "$weir" bench "tests/bench/apps/$app.siddhi" "$@" --warmup "$warmup" --events "$count" || exit 1
}
rss() { sed 's/.*"rss_kb":\([0-9]*\).*/\1/'; }
rate() { sed 's/.*"events_per_cpu_s":\([0-9]*\).*/\1/'; }
limit() { (($1 <= $2)) || wrong=1; }

few=$(bench held 0 1000 --input "S=$inputs/numbers.csv" | rss)
many=$(bench held 1000000 1000000 --input "S=$inputs/numbers.csv" | rss)
bytes=$(((many - few) * 1024 / 1000000))
limit "$bytes" 48
echo "{\"bench\":\"held\",\"bytes_per_event\":$bytes,\"limit\":48}"

few=$(bench bounded 0 $((events / 100)) --input "S=$inputs/ring.csv" --time ts | rss)
many=$(bench bounded 0 "$events" --input "S=$inputs/ring.csv" --time ts | rss)
limit "$((many - few))" 512
echo "{\"bench\":\"bounded\",\"events\":$events,\"rss_kb\":$many,\"rss_kb_after_a_hundredth\":$few,\"limit_kb\":512}"

thousand=$(bench keys 2000000 8000000 --input "S=$inputs/keys-1000.csv" --time ts)
million=$(bench keys 2000000 8000000 --input "S=$inputs/keys-1000000.csv" --time ts)
limit "$(rss <<<"$million")" $((512 * 1024))
limit "$(rate <<<"$thousand")" $((2 * $(rate <<<"$million")))
echo "{\"bench\":\"keys\",\"rss_kb\":$(rss <<<"$million"),\"limit_kb\":$((512 * 1024)),\"events_per_cpu_s\":$(rate <<<"$million"),\"with_a_thousand_keys\":$(rate <<<"$thousand")}"
exit "$wrong"
