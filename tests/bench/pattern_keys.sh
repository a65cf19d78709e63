#!/usr/bin/env bash
# pattern_keys.sh - what a partial match costs beside many others: 'every a -> b[k == a.k] within' with 1,000 and with 100,000 of them alive, each with
# a key of its own. The input is the same but for how long the b of a key lets itself be waited for. One JSON object a line, then the ratio;
# exit 1 when 100,000 cost more than twice as much an event as 1,000, or an output is missing. WEIR, EVENTS, RUNS change what is run.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
weir=${WEIR:-build/weir} events=${EVENTS:-3000000} runs=${RUNS:-3}
inputs=build/bench/data keys=262144
mkdir -p "$inputs"

# Row i of A has key i, row i of B the key of the A that came $1 rows before.
write() {
    awk -v keys="$keys" -v behind="$1" 'BEGIN {
        print "k,v"
        for (i = 0; i < keys; i++) printf "k%d,%d\n", (i + keys - behind) % keys, i % 97
    }' >"$2"
}
write 0 "$inputs/keys-a.csv"

best() {
    local alive=$1 best=0 line rate shown=''
    write "$alive" "$inputs/keys-b.csv"
    for ((run = 0; run < runs; run++)); do
        line=$("$weir" bench tests/bench/apps/pattern-keys.siddhi --input "A=$inputs/keys-a.csv" --input "B=$inputs/keys-b.csv" \
            --warmup 400000 --events "$events") || exit 1
        rate=${line#*\"events_per_cpu_s\":}
        rate=${rate%%[,.]*}
        ((rate > best)) && best=$rate shown=$line
    done
    [[ $shown == *"\"output_events\":$((events / 2))}"* ]] || { echo "pattern_keys: outputs are missing: $shown" >&2; exit 1; }
    echo "${shown/\"pattern-keys\"/\"pattern-keys-$alive\"}"
}
few=$(best 1000) || exit 1
many=$(best 100000) || exit 1
printf '%s\n%s\n' "$few" "$many"
printf '%s\n%s\n' "$few" "$many" | awk -F'"events_per_cpu_s":' '
    { split($2, part, ","); rate[NR] = part[1] }
    END { printf "{\"bench\":\"pattern-keys\",\"cost_100000_to_1000\":%.2f}\n", rate[1] / rate[2]; exit rate[1] > 2 * rate[2] }'
