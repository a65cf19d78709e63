#!/usr/bin/env bash
# drain.sh [COUNT] - a week offline: COUNT (1,000,000) outputs wait in the outbox of a durable app while there is no broker; then one
# comes up. How fast they leave, beside mqtt/bare.c publishing the same lines to the same broker with a subscriber of the same kind. One
# JSON object a line; exit code 1 when an output is lost, repeated or out of order, or weir is slower than 0.7 times the bare loop.
WEIR=${WEIR:-build/weir}
. "$(dirname "${BASH_SOURCE[0]}")/../agent/lib.bash"
count=${1:-1000000} wait_s=300 wrong=0
broker_pin=() agent_pin=()
if command -v taskset >/dev/null && [[ $(nproc) -gt 1 ]]; then
    broker_pin=(taskset -cp 0) agent_pin=(taskset -c 1)
fi

status() { # NUMBER of the app's line
    local line
    line=$("$WEIR" status --socket "$dir/control" --json 2>/dev/null)
    line=${line#*\"$1\":}
    echo "${line%%[,\}]*}"
}
all_wait() { [[ $(status messages_in) == "$count" ]]; }
memory() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$agent/status"; }
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
something_came() { [[ -s $dir/got ]]; }
listener_ended() { ! kill -0 "$listener" 2>/dev/null; }

# Until all COUNT came from the first on: $took_ms
time_arrival() {
    until_true something_came || return 1
    local start_ms
    start_ms=$(now_ms)
    until_true listener_ended || return 1
    took_ms=$(($(now_ms) - start_ms))
    listener=
}
listen_for_all() { # TOPIC
    : >"$dir/got"
    mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -C "$count" -t "$1" >"$dir/got" 2>/dev/null &
    listener=$!
    until_true subscribed "$1"
}

start_broker && stop_broker
cat >"$dir/app.siddhi" <<APP
@app:name('Week') @app:durable
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v long);
@sink(type='mqtt', url='tcp://127.0.0.1:$port', topic='out', quality.of.service='1', buffer.max.size='1 GB', @map(type='json'))
define stream Out (k string, v long);
from S select k, v insert into Out;
APP
awk -v n="$count" 'BEGIN { for (v = 1; v <= n; v++) printf "{\"event\":{\"k\":\"k%d\",\"v\":%d}}\n", v % 8, v }' >"$dir/in.txt"
echo "{\"state\":\"$dir/state\",\"control.socket\":\"$dir/control\",\"state.bytes\":2000000000}" >"$dir/config.json"
mkdir "$dir/state"
"${agent_pin[@]}" "$WEIR" run -c "$dir/config.json" "$dir/app.siddhi" >"$dir/out" 2>"$dir/log" </dev/null &
agent=$!
until_true all_wait || { tail -n 5 "$dir/log" >&2; exit 1; }
disk_kb=$(du -k "$dir/state" | cut -f 1) waiting_kb=$(memory VmRSS) waiting_anonymous_kb=$(memory RssAnon)

start_broker "$port" || exit 1
"${broker_pin[@]}" "$broker" >/dev/null
listen_for_all out
time_arrival || { tail -n 5 "$dir/log" >&2; exit 1; }
weir_ms=$took_ms
grep -o '"v":[0-9]*' "$dir/got" | cut -d : -f 2 | cmp -s - <(seq 1 "$count") || wrong=1
echo "{\"bench\":\"drain\",\"events\":$count,\"seconds\":$((weir_ms / 1000)).$(printf %03d $((weir_ms % 1000))),\"events_per_s\":$((count * 1000 / weir_ms)),\"disk_kb\":$disk_kb,\"rss_kb\":$(memory VmHWM),\"rss_kb_waiting\":$waiting_kb,\"anonymous_kb\":$(memory RssAnon),\"anonymous_kb_waiting\":$waiting_anonymous_kb,\"in_order\":$([[ $wrong == 0 ]] && echo true || echo false)}"
stop_agent || wrong=1

listen_for_all bare
"${agent_pin[@]}" build/bench/bare 127.0.0.1 "$port" bare "$dir/in.txt" &
agent=$!
time_arrival || exit 1
wait "$agent" || wrong=1
agent=
awk -v weir="$weir_ms" -v bare="$took_ms" 'BEGIN { printf "{\"bench\":\"drain-share\",\"bare_seconds\":%.3f,\"share_of_bare\":%.2f,\"limit\":0.7}\n", bare / 1000, bare / weir }'
((weir_ms * 7 <= took_ms * 10)) || wrong=1
exit "$wrong"
