#!/usr/bin/env bash
# bounds.sh - an app at its share of memory or disk: brokers keep what they have, the status says who holds what, and all of it comes when
# there is room again. Real brokers; nothing is lost.
export WEIR_BACKOFF_FIRST_MS=100
. "$(dirname "$0")/lib.bash"
start_broker || exit 1
socket=$dir/control
echo "{\"memory.bytes\": 8000000, \"control.socket\": \"$socket\"}" >"$dir/two.json"
# Numbers FROM to TO to TOPIC, each with a text of its own, so that a window of them takes memory.
send() { # TOPIC FROM TO [PADDING]
    seq "$2" "$3" | awk -v pad="${4:-}" '{ printf "{\"event\":{\"k\":\"a text of some length that is kept, number %d%s\",\"v\":%d}}\n", $1, pad, $1 }' |
        mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t "$1" -l
}
source() { # TOPIC CLIENT
    echo "@source(type='mqtt', url='\${MQTT_URL}', topic='$1', quality.of.service='1', client.id='$2', clean.session='false', @map(type='json'))"
}
sink() { echo "@sink(type='mqtt', url='\${MQTT_URL}', topic='$1', quality.of.service='1', @map(type='json'))"; }
# NAME LIMITS QUERY: what comes to in/NAME goes to out/NAME, and into QUERY's window or table.
passes() {
    cat <<APP
@app:name('$1') $2
$(source "in/$1" "weir-$1-$$")
define stream S (k string, v long);
$(sink "out/$1")
define stream Out (v long);
define table Kept (k string, v long);
@info(name='pass') from S select v insert into Out;
@info(name='keep') $3
APP
}
window="from S#window.time(2 sec) select k, v insert all events into Mid;"
table="from S select k, v insert into Kept;"
status() { "$WEIR" status --socket "$socket" "$@" 2>&1; }
held() { # APP BY
    status --json "$1" | grep -q "\"app\":\"$1\",\"held\":\"$2\""
}
free() { status --json "$1" | grep -q "\"app\":\"$1\",\"held\":null"; }
# All numbers 1 to N came to out/APP, each once, in order.
all_came() { # APP N
    local n
    n=$(grep -c "^out/$1 " "$dir/got")
    [[ $n -ge $2 ]] && grep "^out/$1 " "$dir/got" | grep -o '[0-9]*}}$' | tr -d '}' | cmp -s - <(seq 1 "$2")
}
ready() { until_true logged 'agent: ready' && until_true logged "$1: source S: connected"; }

# ---- memory: the window is full, the broker keeps the rest, the window lets go, the rest comes ----
waits_and_goes_on() {
    passes W '' "$window" >"$dir/w.siddhi"
    echo "{\"memory.bytes\": 1200000, \"control.socket\": \"$socket\"}" >"$dir/w.json"
    listen 'out/#' || return 1
    start_agent -c "$dir/w.json" "$dir/w.siddhi"
    ready 'app W' || return 1
    send in/W 1 6000 "$(printf '%800s' x)" &
    local sender=$!
    until_true held W memory || return 1
    status --parts W >"$dir/said"
    wait $sender
    grep -q 'query keep window.time' "$dir/said" && logged 'app W: at its limit of memory it takes no input: .*most in query keep window.time about' || return 1
    until_true all_came W 6000 && logged 'app W: there is room again' && until_true free W && stop_agent
}
ok memory-waits-and-goes-on waits_and_goes_on

# ---- partial matches: of the app, and with --parts of the query ----
partials() {
    passes M '' "from every a=S -> b=S[v < 0L] select a.v as x insert into Seen;" >"$dir/m.siddhi"
    start_agent -c "$dir/two.json" "$dir/m.siddhi"
    ready 'app M' || return 1
    send in/M 1 50
    waiting() { status --json M | grep -q '"partials":51,"partials_dropped":0'; }
    until_true waiting || return 1
    status --parts M >"$dir/said"
    grep -Eq 'query keep states .* 51 +0$' "$dir/said" && grep -q 'partials dropped$' "$dir/said" || return 1
    stop_agent && logged 'partial matches dropped 0;'
}
ok status-tells-partial-matches partials

# ---- two apps: one at its share doesn't stop the other; an emptied table lets it go on ----
two_apps() {
    passes A "@app:limits(memory='10%')" "$table" >"$dir/a.siddhi"
    passes B '' "$window" >"$dir/b.siddhi"
    listen 'out/#' || return 1
    start_agent -c "$dir/two.json" "$dir/a.siddhi" "$dir/b.siddhi"
    ready 'app A' && until_true logged 'app B: source S: connected' || return 1
    send in/A 1 5000
    until_true held A memory || return 1
    send in/B 1 2000
    until_true all_came B 2000 || return 1
    held A memory || return 1
    status --parts A >"$dir/said"
    grep -q 'table Kept' "$dir/said" || return 1
    while ! all_came A 5000; do
        "$WEIR" query --socket "$socket" A 'delete Kept on Kept.v > 0l' >"$dir/said" 2>&1 || return 1
        read -r -t 0.05 -u "$never"
        [[ $SECONDS -lt 120 ]] || return 1
    done
    stop_agent
}
ok memory-shares-of-two-apps two_apps

# ---- what becomes of input at the limit is chosen ----
drops() {
    passes D "@app:limits(memory='500 kB', full='drop')" "$table" >"$dir/d.siddhi"
    listen 'out/#' || return 1
    start_agent -c "$dir/two.json" "$dir/d.siddhi"
    ready 'app D' || return 1
    send in/D 1 4000
    acked() { status --json D | grep -q '"messages_in":4000'; }
    until_true acked || return 1
    local dropped came
    dropped=$(status --json D | grep -o '"dropped":[0-9]*' | head -n 1 | cut -d: -f2)
    counted() { came=$(grep -c '^out/D ' "$dir/got"); [[ $((came + dropped)) == 4000 ]]; }
    [[ $dropped -gt 0 ]] && until_true counted && logged 'app D: at its limit of memory it drops its input' && stop_agent &&
        logged "at limits dropped $dropped, stored 0"
}
ok memory-full-drop drops
stores() {
    passes E "@app:limits(memory='500 kB', full='store')" "$table" >"$dir/e.siddhi"
    start_agent -c "$dir/two.json" --state "$dir/state-e" "$dir/e.siddhi"
    ready 'app E' || return 1
    listen 'out/#' || return 1
    send in/E 1 3000
    acked() { status --json E | grep -q '"messages_in":3000'; }
    until_true acked && "$WEIR" query --socket "$socket" E 'delete Kept on Kept.v > 0l' >"$dir/said" 2>&1 || return 1
    "$WEIR" errors list --socket "$socket" >"$dir/said" 2>&1
    grep -q 'the app is at its limit of memory' "$dir/said" || return 1
    again() { "$WEIR" query --socket "$socket" E 'delete Kept on Kept.v > 0l' >/dev/null 2>&1 && "$WEIR" errors replay --socket "$socket" --app E --all >"$dir/said" 2>&1; }
    sorted() { [[ $(grep '^out/E ' "$dir/got" | grep -o '[0-9]*}}$' | tr -d '}' | sort -n | uniq | wc -l) == 3000 ]]; }
    until_true again && until_true sorted && stop_agent
}
ok memory-full-store stores

# ---- one message that could never fit is refused, not waited for ----
too_big() {
    passes F '' "$window" >"$dir/f.siddhi"
    echo "{\"memory.bytes\": 1100000, \"control.socket\": \"$socket\"}" >"$dir/f.json"
    start_agent -c "$dir/f.json" --state "$dir/state-f" "$dir/f.siddhi"
    ready 'app F' && listen 'out/#' || return 1
    awk 'BEGIN { printf "{\"event\":{\"k\":\""; for (i = 0; i < 200000; i++) printf "x"; print "\",\"v\":9}}" }' >"$dir/big"
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/F -f "$dir/big"
    send in/F 1 10
    until_true all_came F 10 || return 1
    "$WEIR" errors list --socket "$socket" >"$dir/said" 2>&1
    grep -q "may need more than the app's share of memory" "$dir/said" && stop_agent
}
ok memory-too-big-a-message too_big

# ---- a message of few bytes can be many wide events, an event many parts: refused or failed before they are there ----
multiplies() {
    local wide
    wide=$(seq -f 'a%g string' -s ', ' 200)
    cat >"$dir/m.siddhi" <<APP
@app:name('M')
@source(type='mqtt', url='\${MQTT_URL}', topic='in/wide', quality.of.service='1', @map(type='json', fail.on.missing.attribute='false'))
define stream Wide ($wide);
@source(type='mqtt', url='\${MQTT_URL}', topic='in/parts', quality.of.service='1', @map(type='json'))
define stream Parts (k string);
$(source in/M "weir-M-$$")
define stream S (k string, v long);
$(sink out/M)
define stream Out (v long);
from S select v insert into Out;
from Wide select count() as v insert into Out;
from Parts#str:tokenize(k, ',') select count() as v insert into Out;
APP
    echo "{\"memory.bytes\": 16000000, \"control.socket\": \"$socket\"}" >"$dir/m.json"
    start_agent -c "$dir/m.json" "$dir/m.siddhi"
    ready 'app M' && listen 'out/#' && until_true logged 'source Wide: connected' && until_true logged 'source Parts: connected' || return 1
    awk 'BEGIN { printf "["; for (i = 0; i < 100000; i++) printf "%s{\"event\":{}}", i ? "," : ""; print "]" }' >"$dir/many"
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/wide -f "$dir/many"
    until_true logged 'source json of .Wide.: rejected: its events need more memory' || return 1
    awk 'BEGIN { printf "{\"event\":{\"k\":\""; for (i = 0; i < 500000; i++) printf "a,"; print "\"}}" }' >"$dir/many"
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/parts -f "$dir/many"
    until_true logged 'stream Parts: an event failed: it needs more memory' || return 1
    # What has room is worked off, in time that is not the square of its length.
    awk 'BEGIN { printf "{\"event\":{\"k\":\""; for (i = 1; i <= 40000; i++) printf "a%d,", i; print "\"}}" }' >"$dir/many"
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/parts -f "$dir/many"
    until_true came '^out/M .*"v":40000' || return 1
    send in/M 50001 50010
    until_true came '^out/M .*"v":50010' && stop_agent
}
ok memory-multiplied multiplies

# ---- an event whose product is too big fails, as @OnError wants it; the app goes on ----
product() {
    cat >"$dir/p.siddhi" <<APP
@app:name('P')
$(source in/P "weir-P-$$")
define stream S (k string, v long);
$(sink out/P)
define stream Out (v long);
@OnError(action='stream') define stream Ask (v long);
define window Rows (v long) length(16000);
from S[v > 0l] select v insert into Rows;
@info(name='product') from Ask as a unidirectional join Rows as r on a.v != r.v select r.v as v insert into Pairs;
from !Ask select -1l as v insert into Out;
from S[v == 0l] select v insert into Ask;
APP
    echo "{\"memory.bytes\": 1200000, \"control.socket\": \"$socket\"}" >"$dir/p.json"
    listen 'out/#' || return 1
    start_agent -c "$dir/p.json" "$dir/p.siddhi"
    ready 'app P' || return 1
    send in/P 1 15000
    settled() { status --json P | grep -q '"messages_in":15000'; }
    until_true settled || return 1
    send in/P 0 0
    until_true came 'out/P .*-1}' && until_true logged 'it needs more memory than' && stop_agent
}
ok memory-product-fails product

# ---- an app that feeds one at its limit waits with it: there is no inbox between them ----
feeds() {
    cat >"$dir/x.siddhi" <<APP
@app:name('X')
$(source in/X "weir-X-$$")
define stream S (k string, v long);
@sink(type='inMemory', topic='between', @map(type='passThrough'))
define stream Out (k string, v long);
from S select k, v insert into Out;
APP
    cat >"$dir/y.siddhi" <<APP
@app:name('Y') @app:limits(memory='500 kB')
@source(type='inMemory', topic='between', @map(type='passThrough'))
define stream S (k string, v long);
$(sink out/Y)
define stream Out (v long);
from S select v insert into Out;
$window
APP
    listen 'out/#' || return 1
    start_agent -c "$dir/two.json" "$dir/x.siddhi" "$dir/y.siddhi"
    ready 'app X' || return 1
    send in/X 1 2000 "$(printf '%800s' x)" &
    local sender=$!
    until_true held X 'an app it feeds' && held Y memory || return 1
    until_true all_came Y 2000 && logged 'app Y: there is room again' && until_true free X && wait $sender && stop_agent
}
ok memory-of-an-app-that-is-fed feeds

# ---- shares that are more than the number ----
refuses_shares() {
    passes A "@app:limits(memory='70%')" "$table" >"$dir/a.siddhi"
    passes B "@app:limits(memory='40%')" "$table" >"$dir/b.siddhi"
    start_agent -c "$dir/two.json" "$dir/a.siddhi" "$dir/b.siddhi"
    until_true logged 'refused: app B wants 3.2 MB of the memory; of 8.0 MB other apps have 5.6 MB: lower a share' && ready 'app A' || return 1
    stop_agent || return 1
    # The configuration goes before the text.
    echo "{\"memory.bytes\": 8000000, \"memory.shares\": {\"B\": \"30%\"}, \"control.socket\": \"$socket\"}" >"$dir/shares.json"
    start_agent -c "$dir/shares.json" "$dir/a.siddhi" "$dir/b.siddhi"
    ready 'app A' && until_true logged 'app B: source S: connected' || return 1
    status --json B | grep -q '"memory_share_bytes":2400000' && stop_agent
}
ok shares-that-are-too-much refuses_shares
wrong_settings() {
    echo '{"memory.shares": {"A": "12 XB"}}' >"$dir/wrong.json"
    says 1 "wrong.json:1:25: the share of 'A' must be an amount or a part of the whole" "$WEIR" run -c "$dir/wrong.json" "$dir/a.siddhi"
}
ok shares-that-are-wrong wrong_settings

# A broker that was away, with a subscriber before the agent finds it: what is published to nobody is gone.
far_side_comes() { # PORT
    kill -STOP "$agent"
    start_broker "$1" && listen 'out/#'
    local rc=$?
    kill -CONT "$agent"
    return $rc
}

# ---- the disk: what waits for a far side that is away fills one app's share; the other goes on ----
disk() {
    stop_broker
    local near=$port
    reserve_port && start_broker "$port" || return 1 # the sources' and B's
    local main=$port
    cat >"$dir/da.siddhi" <<APP
@app:name('DA') @app:durable
$(source in/DA "weir-DA-$$")
define stream S (k string, v long);
@sink(type='mqtt', url='tcp://127.0.0.1:$near', topic='out/DA', quality.of.service='1', @map(type='json'))
define stream Out (v long, k string);
from S select v, k insert into Out;
APP
    passes DB '@app:durable' "$window" >"$dir/db.siddhi"
    echo "{\"state.bytes\": 8000000, \"errors.bytes\": 0, \"state.shares\": {\"DA\": \"400 kB\"}, \"control.socket\": \"$socket\", \"checkpoint.bytes\": 100000}" >"$dir/disk.json"
    listen 'out/#' || return 1
    start_agent -c "$dir/disk.json" --state "$dir/state-d" "$dir/da.siddhi" "$dir/db.siddhi"
    ready 'app DA' && until_true logged 'app DB: source S: connected' || return 1
    send in/DA 1 9000
    until_true held DA disk || return 1
    send in/DB 1 1000
    until_true all_came DB 1000 && held DA disk && logged 'app DA: at its limit of disk it takes no input' || return 1
    # Its far side comes back.
    local main_broker=$broker
    broker=
    far_side_comes "$near" || return 1
    other=$main_broker
    came_once() { [[ $(grep '^out/DA ' "$dir/got" | grep -o '"v":[0-9]*' | sort -u | wc -l) == 9000 ]]; }
    until_true came_once && until_true free DA && logged 'app DA: there is room again' && stop_agent
}
other=
ok disk-shares-of-two-apps disk

# ---- a disk that is really full: what the far side takes is written down with the ballast's room, and that makes room for the rest ----
full_disk() {
    local small=$dir/small
    mkdir -p "$small"
    mount -t tmpfs -o size=5m tmpfs "$small" 2>/dev/null || { echo '    not root: left out'; return 0; }
    full_disk_on "$small"
    local rc=$?
    [[ -z $agent ]] || { kill -9 "$agent" && wait "$agent"; agent=; } 2>/dev/null
    umount "$small"
    return $rc
}
full_disk_on() { # FOLDER
    local near=$((port + 1))
    cat >"$dir/fd.siddhi" <<APP
@app:name('FD') @app:durable
$(source in/FD "weir-FD-$$")
define stream S (k string, v long);
@sink(type='mqtt', url='tcp://127.0.0.1:$near', topic='out/FD', quality.of.service='1', @map(type='json'))
define stream Out (v long, k string);
from S select v, k insert into Out;
APP
    echo "{\"control.socket\": \"$socket\"}" >"$dir/fd.json"
    start_agent -c "$dir/fd.json" --state "$1/state" "$dir/fd.siddhi"
    ready 'app FD' || return 1
    [[ -s $1/state/ballast ]] || return 1
    local main_broker=$broker
    filled_and_drained "$near" "$main_broker" 1 && filled_and_drained "$near" "$main_broker" 2 || return 1
    # With room the ballast is there again.
    mount -o remount,size=8m "$1" && send in/FD 20001 20010 && until_true test -s "$1/state/ballast" || return 1
    { kill -9 "$main_broker" && wait "$main_broker"; } 2>/dev/null
    stop_agent
}
filled_and_drained() { # BROKER_OF_SINK BROKER_OF_SOURCE TIMES
    local near=$1 first=$((($3 - 1) * 10000 + 1)) there=$port
    send in/FD $first $((first + 5999)) "$(printf '%1000s' x)" &
    local sender=$!
    until_true logged 'durable apps take nothing in' "$3" && until_true held FD 'the store' || return 1
    broker=
    far_side_comes "$near" || return 1
    came_all() {
        [[ $(grep '^out/FD ' "$dir/got" | grep -o '"v":[0-9]*' | cut -d : -f 2 | awk -v first=$first '$1 >= first' | sort -u | wc -l) == 6000 ]]
    }
    until_true came_all && logged 'it is written again: durable apps go on' "$3" && until_true free FD || return 1
    wait $sender
    stop_broker
    stop_listening
    broker=$2 port=$there
}
ok disk-really-full full_disk
read_only() {
    local fixed=$dir/fixed
    mkdir -p "$fixed"
    mount -t tmpfs -o size=1m,ro tmpfs "$fixed" 2>/dev/null || { echo '    not root: left out'; return 0; }
    start_agent -c "$dir/fd.json" --state "$fixed/state" "$dir/fd.siddhi"
    until_true logged 'Read-only file system' && until_true agent_ended
    local rc=$?
    agent=
    umount "$fixed"
    return $rc
}
ok disk-read-only-at-the-start read_only
[[ -z $other ]] || { kill -9 "$other" && wait "$other"; } 2>/dev/null
tally
