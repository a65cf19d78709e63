#!/usr/bin/env bash
# mqtt.sh - MQTT in, filter, MQTT out: weir beside the floor (mqtt/floor.c), both fed by mqtt/mqttload.c, which is the broker itself and
# counts what comes out. One JSON object a line: messages per CPU-second unthrottled, latency at a fixed rate, each at QoS 0 and 1, and
# weir's share of the floor. QOS, COUNT, RATE, RATE_S, RUNS and WEIR change what is run; with DURABLE=1 weir acknowledges what is on
# disk and sends what is on disk. Exit 1 when a message was lost.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
weir=${WEIR:-build/weir} count=${COUNT:-400000} rate=${RATE:-2000} rate_s=${RATE_S:-10} runs=${RUNS:-3}
work=$(mktemp -d)
pids=()
stop_all() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT TERM
load_pin=() agent_pin=()
if command -v taskset >/dev/null && [[ $(nproc) -gt 1 ]]; then
    load_pin=(taskset -c 0) agent_pin=(taskset -c 1)
fi
ticks=$(getconf CLK_TCK)
wrong=0

free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    echo "mqtt.sh: no free port" >&2
    exit 1
}

cpu_ticks() { # pid: user and system time of all its threads
    local fields
    fields=$(<"/proc/$1/stat")
    fields=${fields##*) }
    # shellcheck disable=SC2086
    set -- $fields
    echo $((${12} + ${13}))
}

number() { # key of a JSON line
    local value=${2#*\"$1\":}
    echo "${value%%[,\}]*}"
}

wait_for() { # file word: at most 10 s
    for _ in {1..200}; do
        grep -q "$2" "$1" 2>/dev/null && return 0
        sleep 0.05
    done
    echo "mqtt.sh: no '$2' within 10 s" >&2
    return 1
}

# agent qos messages rate idle_s -> one line of the load generator in $report, CPU seconds in $cpu_s, memory in $rss_kb
measure() {
    local agent=$1 qos=$2 messages=$3 at_rate=$4
    local port dir=$work/$agent.$qos.$RANDOM
    port=$(free_port)
    mkdir -p "$dir"
    mkfifo "$dir/commands"
    "${load_pin[@]}" build/bench/mqttload direct "$port" in out "$qos" <"$dir/commands" >"$dir/load" 2>"$dir/load.err" &
    local load=$!
    exec 4>"$dir/commands"
    wait_for "$dir/load" ready || return 1
    if [[ $agent == floor ]]; then
        "${agent_pin[@]}" build/bench/floor 127.0.0.1 "$port" in out "$qos" >"$dir/agent" 2>&1 4>&- &
    else
        cat >"$dir/bench.siddhi" <<EOA
@app:name('bench')
@source(type='mqtt', url='tcp://127.0.0.1:$port', topic='in', quality.of.service='$qos', @map(type='json'))
define stream S (k string, v double, p int, ts long);
@sink(type='mqtt', url='tcp://127.0.0.1:$port', topic='out', quality.of.service='$qos',
      @map(type='json', @payload("""{"k":"{{k}}","v":{{v}},"p":{{p}},"ts":{{ts}}}""")))
define stream Out (k string, v double, p int, ts long);
from S[v > 50.0] select k, v, p, ts insert into Out;
EOA
        local durable=()
        if [[ -n ${DURABLE:-} ]]; then
            mkdir "$dir/state"
            echo "{\"durable\":\"yes\",\"state\":\"$dir/state\",\"control.socket\":\"$dir/control\"}" >"$dir/config.json"
            durable=(-c "$dir/config.json")
        fi
        "${agent_pin[@]}" "$weir" run "${durable[@]}" "$dir/bench.siddhi" >"$dir/agent" 2>&1 4>&- &
    fi
    local pid=$!
    pids=("$load" "$pid")
    if ! wait_for "$dir/load" subscribed; then
        cat "$dir/agent" "$dir/load.err" >&2
        return 1
    fi
    if [[ $agent == weir ]]; then # its source and its sink
        wait_for "$dir/agent" 'sink Out: connected' || return 1
    fi
    local before after
    before=$(cpu_ticks "$pid")
    echo "$messages $at_rate 3" >&4
    for _ in {1..2400}; do
        grep -q '"what"' "$dir/load" && break
        sleep 0.05
    done
    after=$(cpu_ticks "$pid")
    rss_kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
    report=$(grep '"what"' "$dir/load")
    cpu_s=$(awk -v t="$((after - before))" -v hz="$ticks" 'BEGIN { printf "%.2f", t / hz }')
    kill "$pid" 2>/dev/null
    exec 4>&-
    kill "$load" 2>/dev/null
    wait "$pid" "$load" 2>/dev/null
    pids=()
    [[ -n $report ]]
}

line() { # name agent qos messages
    local lost=$(($(number expect "$report") - $(number uniq "$report")))
    [[ $lost == 0 || $2 == floor ]] || wrong=1
    awk -v name="$1" -v durable="${DURABLE:+-durable}" -v agent="$2" -v qos="$3" -v n="$4" -v cpu="$cpu_s" -v rss="$rss_kb" -v lost="$lost" \
        -v out="$(number uniq "$report")" -v p50="$(number p50 "$report")" -v p99="$(number p99 "$report")" 'BEGIN {
        printf "{\"bench\":\"%s%s\",\"agent\":\"%s\",\"qos\":%d,\"events\":%d,\"cpu_s\":%.2f,\"events_per_cpu_s\":%.0f,\"rss_kb\":%d,",
            name, durable, agent, qos, n, cpu, (cpu > 0 ? n / cpu : 0), rss
        printf "\"output_events\":%d,\"lost\":%d,\"p50_us\":%d,\"p99_us\":%d}\n", out, lost, p50, p99 }'
}

for qos in ${QOS:-0 1}; do
    best_share=0
    for ((run = 0; run < runs; run++)); do
        measure floor "$qos" "$count" 0 || exit 1
        floor_cpu=$cpu_s
        line mqtt floor "$qos" "$count"
        measure weir "$qos" "$count" 0 || exit 1
        line mqtt weir "$qos" "$count"
        best_share=$(awk -v b="$best_share" -v f="$floor_cpu" -v w="$cpu_s" 'BEGIN { s = w > 0 ? f / w : 0; print (s > b ? s : b) }')
    done
    measure floor "$qos" $((rate * rate_s)) "$rate" || exit 1
    floor_p99=$(number p99 "$report")
    line mqtt-paced floor "$qos" $((rate * rate_s))
    measure weir "$qos" $((rate * rate_s)) "$rate" || exit 1
    line mqtt-paced weir "$qos" $((rate * rate_s))
    awk -v q="$qos" -v s="$best_share" -v f="$floor_p99" -v w="$(number p99 "$report")" -v durable="${DURABLE:+-durable}" \
        'BEGIN { printf "{\"bench\":\"mqtt%s-share\",\"qos\":%d,\"share_of_floor\":%.2f,\"p99_above_floor_us\":%d}\n", durable, q, s, w - f }'
done
exit "$wrong"
