# lib.bash - what the tests of the agent share: a broker, an agent, waiting with a bound, the tally. Sourced, first thing.
#
# The program is WEIR, else build/asan/weir if that was built, else build/weir. Everything started here is stopped by its process id.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
if [[ -z ${WEIR:-} ]]; then
    WEIR=build/weir
    [[ -x build/asan/weir ]] && WEIR=build/asan/weir
fi
PATH=$PATH:/usr/sbin:/sbin
wait_s=${WAIT_S:-30}
dir=$(mktemp -d)
broker= port= agent= listener=
tests_passed=0 tests_failed=0

# Nothing that hangs survives a test.
stop_all() {
    local pid
    for pid in $listener $agent $broker; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    [[ -n ${KEEP:-} ]] || rm -rf "$dir"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# ok NAME COMMAND...: the command is the test.
ok() {
    local name=$1
    shift
    if "$@"; then
        tests_passed=$((tests_passed + 1))
        echo "ok $name"
    else
        tests_failed=$((tests_failed + 1))
        echo "FAILED $name"
        [[ -s $dir/log ]] && tail -n 15 "$dir/log" | cut -c1-300 | sed 's/^/    /'
        [[ -s $dir/said ]] && tail -n 8 "$dir/said" | cut -c1-300 | sed 's/^/    said: /'
    fi
}

tally() {
    echo "$tests_passed passed, $tests_failed failed"
    [[ $tests_failed == 0 ]]
}

# until_true COMMAND...: again and again until it succeeds, for at most wait_s.
exec {never}<> <(:)
until_true() {
    local until=$((SECONDS + wait_s))
    until "$@"; do
        [[ $SECONDS -lt $until ]] || return 1
        read -r -t 0.02 -u "$never"
    done
    return 0
}

logged() { # PATTERN [TIMES]
    local n
    n=$(grep -cE -- "$1" "$dir/log" 2>/dev/null)
    [[ ${n:-0} -ge ${2:-1} ]]
}

# says CODE PATTERN COMMAND...: ends with CODE and prints a line like PATTERN, on either output.
says() {
    local code=$1 pattern=$2 got
    shift 2
    timeout 20 "$@" >"$dir/said" 2>&1 </dev/null
    got=$?
    [[ $got == "$code" ]] && grep -qaE -- "$pattern" "$dir/said" && return 0
    echo "    exit code $got, wanted $code with: $pattern"
    return 1
}

# ---- a broker on a free port; with a port given, on that one ----
broker_runs() {
    grep -q 'running$' "$dir/broker.log" && return 0
    ! kill -0 "$broker" 2>/dev/null
}

# A port that no other suite of ours takes while this one runs, not even between two brokers on it.
reserve_port() {
    local folder=${TMPDIR:-/tmp}/weir-ports-$UID try
    mkdir -p "$folder"
    for ((try = 0; try < 200; try++)); do
        port=$((20000 + RANDOM % 10000))
        exec {port_lock}>"$folder/$port"
        flock -n "$port_lock" && ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
        exec {port_lock}>&-
    done
    return 1
}

start_broker() { # [PORT]; BROKER_LOG: one more kind of lines in its log
    local try
    for try in 1 2 3 4 5 6 7 8; do
        if [[ -n ${1:-} ]]; then
            port=$1
        elif [[ -z ${port_lock:-} || $try != 1 ]]; then
            reserve_port || break
        fi
        cat >"$dir/mosquitto.conf" <<CONF
listener $port 127.0.0.1
allow_anonymous true
max_queued_messages 0
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_type subscribe
${BROKER_LOG:+log_type $BROKER_LOG}
CONF
        : >"$dir/broker.log" # now, not by the broker's process some time later: broker_runs reads it
        mosquitto -c "$dir/mosquitto.conf" 2>>"$dir/broker.log" &
        broker=$!
        until_true broker_runs
        kill -0 "$broker" 2>/dev/null && return 0
        wait "$broker"
    done
    echo "    mosquitto does not start"
    broker=
    return 1
}

stop_broker() {
    kill -9 "$broker"
    wait "$broker" 2>/dev/null
    broker=
}

subscribed() { # TOPIC [TIMES]: somebody did
    awk -v topic="$1" -v wanted="${2:-1}" '$NF == topic && NF == 4 { n++ } END { exit n + 0 < wanted }' "$dir/broker.log"
}

publish() { # TOPIC TEXT
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t "$1" -m "$2"
}

# What comes to TOPIC goes to $dir/got, a line each.
listen() { # TOPIC
    : >"$dir/got"
    [[ -z $listener ]] || stop_listening
    mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -v -t "$1" >>"$dir/got" 2>/dev/null &
    listener=$!
    until_true subscribed "$1"
}

stop_listening() {
    kill "$listener" 2>/dev/null
    wait "$listener" 2>/dev/null
    listener=
}

came() { # PATTERN [TIMES]
    local n
    n=$(grep -cE -- "$1" "$dir/got")
    [[ $n -ge ${2:-1} ]]
}

# ---- the agent ----
start_agent() { # ARGUMENTS of weir run
    export MQTT_URL=tcp://127.0.0.1:$port
    if [[ -n $agent ]]; then # left by a test that failed
        kill -9 "$agent"
        wait "$agent" 2>/dev/null
    fi
    : >"$dir/log"
    "$WEIR" run "$@" >"$dir/out" 2>"$dir/log" </dev/null &
    agent=$!
}

start_ready() { # ARGUMENTS of weir run
    start_agent "$@" && until_true logged 'ready:'
}

kill_agent() {
    kill -9 "$agent"
    wait "$agent" 2>/dev/null
    agent=
}

agent_ended() {
    ! kill -0 "$agent" 2>/dev/null
}

# TERM, and it ends with 0.
stop_agent() {
    kill -TERM "$agent"
    until_true agent_ended || return 1
    wait "$agent"
    local code=$?
    agent=
    [[ $code == 0 ]]
}

# A filter between two topics, the shortest app that shows that it lives: app NAME IN OUT LIMIT
app() {
    cat <<APP
@app:name('$1')
@source(type='mqtt', url='\${MQTT_URL}', topic='$2', quality.of.service='1', @map(type='json'))
define stream S (k string, v int);
@sink(type='mqtt', url='\${MQTT_URL}', topic='$3', quality.of.service='1', @map(type='json'))
define stream Out (k string, v int);
from S[v > $4] select k, v insert into Out;
APP
}
