#!/bin/bash
# The demonstration (`make run`): a real broker, real readings, conf/apps/room-temperature.siddhi, and a check of what comes out
# against an independent calculation (expected.awk over the same file).
#
#   conf/demo/run.sh [WEIR]        the program to show, build/weir if not given
#
# Exit 0: all came as expected. Whatever it started it stops, by process id, also on Ctrl-C.
set -u
cd "$(dirname "$0")/../.." || exit 2
weir=${1:-build/weir}
readings=conf/data/room-readings.csv
app=conf/apps/room-temperature.siddhi
wait_s=30 # the longest to wait for any one thing to happen

PATH=$PATH:/usr/sbin:/sbin
dir=$(mktemp -d) || exit 2
broker= agent= listener=

# Each step runs at most once, so a second signal in the middle does no harm.
finish() {
    for pid in $listener $agent $broker; do
        kill "$pid" 2>/dev/null
    done
    for pid in $listener $agent $broker; do
        wait "$pid" 2>/dev/null
    done
    rm -rf "$dir"
}
trap finish EXIT
trap 'echo; echo "demo: stopped"; exit 130' INT TERM

fail() {
    echo "demo: $*" >&2
    exit 1
}

# Waits for a line like PATTERN on descriptor $1; leaves it in $line. ERROR: a pattern that means that it will never come.
wait_for() { # DESCRIPTOR PATTERN ERROR
    local until=$((SECONDS + wait_s))
    while [ $SECONDS -lt $until ]; do
        IFS= read -r -t $((until - SECONDS)) -u "$1" line || return 1
        [[ $line =~ $2 ]] && return 0
        [[ -n $3 && $line =~ $3 ]] && return 1
    done
    return 1
}

cpu_ns() { # of all threads of process $1
    cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ ns += $1 } END { printf "%.0f\n", ns }'
}

for tool in mosquitto mosquitto_pub mosquitto_sub awk; do
    command -v $tool >/dev/null || fail "$tool is missing (Debian: apt-get install mosquitto mosquitto-clients)"
done
[ -x "$weir" ] || fail "$weir is not built"

# ---- a broker of our own, on a free port of the loopback interface ----
start_broker() {
    port=$((20000 + RANDOM % 10000))
    cat >"$dir/mosquitto.conf" <<CONF
listener $port 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_type subscribe
CONF
    rm -f "$dir/broker.log"
    mkfifo "$dir/broker.log"
    mosquitto -c "$dir/mosquitto.conf" 2>"$dir/broker.log" &
    broker=$!
    exec {broker_log}<"$dir/broker.log"
    wait_for "$broker_log" 'running$' 'Error' && return 0
    kill "$broker" 2>/dev/null
    wait "$broker" 2>/dev/null
    broker=
    return 1
}
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    start_broker && break
done
[ -n "$broker" ] || fail "mosquitto does not start: ${line:-no word from it}"

# ---- whoever wants the results, and weir ----
mkfifo "$dir/results" "$dir/agent.log"
mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -v -t 'room/#' -t 'demo/end' >"$dir/results" &
listener=$!
exec {results}<"$dir/results"
wait_for "$broker_log" ' demo/end$' '' || fail "the listener did not subscribe"

MQTT_URL=tcp://127.0.0.1:$port "$weir" run "$app" 2>"$dir/agent.log" &
agent=$!
exec {agent_log}<"$dir/agent.log"
wait_for "$broker_log" ' sensors/readings$' '' || { timeout 1 cat <&"$agent_log" >&2; fail "weir did not subscribe"; }
echo "demo: mosquitto on 127.0.0.1:$port, weir runs $app"
idle_kb=$(awk '/^VmRSS/ { print $2 }' /proc/$agent/status)
idle_ns=$(cpu_ns $agent)

# ---- the readings, as a gateway would get them; and what must come out ----
awk -f conf/demo/expected.awk "$readings" >"$dir/expected" || fail "expected.awk failed"
want=$(wc -l <"$dir/expected")
count=$(($(wc -l <"$readings") - 1))
awk -F, 'NR > 1 { printf "{\"device\":\"mote-%d\",\"temperature\":%.2f,\"humidity\":%.2f,\"ts\":%.0f}\n", $2, $4, $3, 1262304000000 + $1 * 5000 }' \
    "$readings" | mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t sensors/readings -l || fail "publishing failed"
echo "demo: $count readings published; every 40th average, each 10th minute of mote-1 and all alerts:"

got=0 averages=0 alerts=0 minutes=0
show() { # LINE: "room/mote-1/average {json}"
    local device=${1#room/}
    device=${device%%/*}
    local number=${1#*\"temperature\":}
    number=$(printf %.2f "${number%%[,\}]*}" 2>/dev/null)
    case $1 in
    room/*/average\ *)
        averages=$((averages + 1))
        [ $((averages % 40)) -eq 0 ] && echo "  average  $device  $number"
        ;;
    room/*/alert\ *)
        alerts=$((alerts + 1))
        echo "  ALERT    $device  $number"
        ;;
    room/*/minute\ *)
        minutes=$((minutes + 1))
        [ $((minutes % 40)) -eq 1 ] && echo "  minute   ${1#* }"
        ;;
    esac
    return 0
}
: >"$dir/got"
while [ "$got" -lt "$want" ] && IFS= read -r -t $wait_s -u "$results" line; do
    got=$((got + 1))
    printf '%s\n' "$line" >>"$dir/got"
    show "$line"
done
cpu=$(($(cpu_ns $agent) - idle_ns))
peak_kb=$(awk '/^VmHWM/ { print $2 }' /proc/$agent/status)

# ---- the end: weir hands over what it still has; then nothing but our own last message may come ----
kill -TERM $agent
wait_for "$agent_log" 'stopped: ' '' || fail "weir did not stop"
last_words=$line
wait $agent
code=$?
agent=
[ $code -eq 0 ] || fail "weir ended with $code"
mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t demo/end -m end || fail "the last message could not be published"
while IFS= read -r -t $wait_s -u "$results" line && [ "${line%% *}" != demo/end ]; do
    got=$((got + 1))
    printf '%s\n' "$line" >>"$dir/got"
done

[[ $last_words =~ in\ ([0-9]+),\ rejected\ ([0-9]+),\ out\ ([0-9]+),\ lost\ ([0-9]+) ]] || fail "no counters in: $last_words"
in=${BASH_REMATCH[1]} rejected=${BASH_REMATCH[2]} lost=${BASH_REMATCH[4]}
verdict=0
awk -f conf/demo/compare.awk "$dir/expected" "$dir/got" || verdict=1
[ "$in" = "$count" ] && [ "$rejected" = 0 ] && [ "$lost" = 0 ] || verdict=1
[ $verdict -eq 0 ] && echo "demo: all $want results are those that awk calculates from the same file"
awk -v in_="$in" -v averages="$averages" -v alerts="$alerts" -v minutes="$minutes" -v lost="$lost" -v peak="$peak_kb" -v idle="$idle_kb" \
    -v cpu="$cpu" 'BEGIN { printf "demo: %d readings in, %d averages out, %d alerts, %d minute summaries, %d lost; memory %.1f MB idle, %.1f MB peak; %.1f us of CPU time per reading\n",
        in_, averages, alerts, minutes, lost, idle / 1024, peak / 1024, cpu / 1000 / in_ }'
exit $verdict
