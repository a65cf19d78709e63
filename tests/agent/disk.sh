#!/usr/bin/env bash
# disk.sh - a disk that turns read-only, or fails, while the agent runs, and is well again: what is said, what is not acknowledged meanwhile, what goes
# on by itself. tests/crash/baddisk.c, preloaded, is the disk; tests/crash does the same under load.
export WEIR_BACKOFF_FIRST_MS=100
. "$(dirname "$0")/lib.bash"
WEIR=${WEIR_RELEASE:-build/weir} # no sanitizer: it wants to be loaded first itself
BROKER_LOG=debug start_broker || exit 1
disk=$dir/disk
export BADDISK_FOLDER=$disk BADDISK_SWITCH=$dir/switch
mkdir -p "$disk/state" "$disk/in" "$disk/done"
cat >"$dir/count.siddhi" <<'APP'
@app:name('Count') @app:durable
@source(type='mqtt', url='${MQTT_URL}', topic='in', quality.of.service='1', client.id='disk-count', clean.session='false', @map(type='json'))
define stream S (k string, v int);
@sink(type='mqtt', url='${MQTT_URL}', topic='out', quality.of.service='1', @map(type='json'))
define stream Out (k string, n long, t long);
from S select k, count() as n, sum(v) as t insert into Out;
APP
cat >"$dir/files.siddhi" <<APP
@app:name('Files')
@source(type='file', dir.uri='file:$disk/in', mode='line', tailing='false', action.after.process='move', move.after.process='file:$disk/done',
    dir.polling.interval='50', @map(type='json'))
define stream S (k string, v int);
@sink(type='file', file.uri='$disk/out.txt', @map(type='json'))
define stream Out (k string, v int);
from S select k, v insert into Out;
APP
start() {
    local LD_PRELOAD=$PWD/build/crash/baddisk.so
    export LD_PRELOAD
    start_agent --state "$disk/state" "$@"
    export -n LD_PRELOAD
    unset LD_PRELOAD
    until_true logged 'ready:'
}
turns() { # WORD: EROFS, EIO; nothing: well
    printf "%s" "${1:-}" >"$BADDISK_SWITCH"
}
send() { # FROM TO
    local i
    for ((i = $1; i <= $2; i++)); do echo "{\"event\":{\"k\":\"a\",\"v\":$i}}"; done | mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in -l
}
acknowledged() { # how many the agent did
    grep -c 'Received PUBACK from disk-count' "$dir/broker.log"
}
has_acknowledged() {
    [[ $(acknowledged) -ge $1 ]]
}
handed_out() {
    [[ $(grep -c 'Sending PUBLISH to disk-count' "$dir/broker.log") -ge $1 ]]
}
# Nothing is acknowledged while it lasts, the reason is said, and all goes on when it is over.
waits_for_the_disk() { # ERRNO WORDS BEFORE: messages so far
    local before=$3 times acks
    times=$(grep -c 'durable apps go on' "$dir/log")
    until_true has_acknowledged "$before" || return 1
    turns "$1"
    acks=$(acknowledged)
    send $((before + 1)) $((before + 10))
    until_true handed_out $((before + 10)) && until_true logged "$2: durable apps take nothing in" || return 1
    [[ $(acknowledged) == "$acks" ]] && ! came "\"n\":$((before + 1))," || return 1
    kill -0 "$agent" || return 1
    turns
    until_true logged 'durable apps go on' $((times + 1)) && until_true came "\"n\":$((before + 10))," &&
        until_true has_acknowledged $((before + 10))
}
turns_read_only() {
    listen out && start "$dir/count.siddhi" && until_true subscribed in || return 1
    send 1 10
    until_true came '"n":10,"t":55' && waits_for_the_disk EROFS 'Read-only file system' 10
}
fails() {
    waits_for_the_disk EIO 'Input/output error' 20
}
# Killed while it can't write: what it took meanwhile was never acknowledged, so it comes again, and counts once.
killed_meanwhile() {
    turns EROFS
    send 31 40
    until_true logged 'Read-only file system: durable apps take nothing in' 2 || return 1
    kill -9 "$agent"
    wait "$agent" 2>/dev/null
    agent=
    turns
    start "$dir/count.siddhi" && until_true came '"n":40,"t":820' || return 1
    [[ $(sort -u "$dir/got" | wc -l) == 40 ]] && stop_agent
}
# Ended by TERM meanwhile: it ends, in time, with words.
ended_meanwhile() {
    start "$dir/count.siddhi" && until_true subscribed in 3 || return 1
    turns EIO
    send 41 42
    until_true logged 'Input/output error: durable apps take nothing in' || return 1
    kill -TERM "$agent"
    until_true agent_ended || return 1
    wait "$agent"
    agent=
    turns
    start "$dir/count.siddhi" && until_true came '"n":42,"t":903' && stop_agent
}
# An app is changed while it can't write, and the disk is well again before the next try: what the one before had taken in
# counts, and so does what comes then.
change_app() { # FACTOR
    cat >"$dir/new" <<APP
@app:name('Changes') @app:durable
@source(type='mqtt', url='\${MQTT_URL}', topic='in', quality.of.service='1', client.id='disk-changes', clean.session='false', @map(type='json'))
define stream S (k string, v int);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out', quality.of.service='1', @map(type='json'))
define stream Out (k string, n long, f int);
@info(name='counts') from S select k, count() as n insert into Counts;
from Counts select k, n, $1 as f insert into Out;
APP
    mv "$dir/new" "$dir/apps/changes.siddhi"
}
changed_meanwhile() {
    mkdir "$dir/apps" && echo "{\"apps\": \"$dir/apps\"}" >"$dir/weir.json" && change_app 1
    start -c "$dir/weir.json" && until_true subscribed in 5 || return 1
    send 1 5
    until_true came '"n":5,"f":1' || return 1
    turns EROFS
    send 6 25
    until_true logged 'Read-only file system: durable apps take nothing in' || return 1
    read -r -t 4 -u "$never" # tries are two seconds apart by then
    turns
    change_app 2
    until_true logged 'app Changes changed' && until_true came '"n":25,' || return 1
    send 26 30
    until_true came '"n":30,"f":2' && stop_agent
}
in_file() { # NAME V...: a new file in the folder, under its name when it is whole
    local name=$1 v
    shift
    for v; do echo "{\"event\":{\"k\":\"$name\",\"v\":$v}}"; done >"$disk/in/.$name"
    mv "$disk/in/.$name" "$disk/in/$name"
}
out_lines() {
    [[ $(cat "$disk/out.txt" 2>/dev/null | wc -l) == "$1" ]]
}
# A sink of files keeps what it could not write, a source moves what it had read when it can.
files_wait() {
    start "$dir/files.siddhi" || return 1
    in_file a 1 2 3
    until_true out_lines 3 && until_true test -e "$disk/done/a" || return 1
    turns EROFS
    in_file b 4 5
    until_true logged 'sink Out: (disconnected|failed).*Read-only file system' && until_true logged 'moving .*/in/b: Read-only' || return 1
    out_lines 3 && [[ -e $disk/in/b && ! -e $disk/done/b ]] || return 1
    turns
    until_true out_lines 5 && until_true test -e "$disk/done/b" || return 1
    turns EIO
    in_file c 6 7
    until_true logged 'part of a message stays in .*until it can be taken back' && ! out_lines 7 || return 1
    turns
    until_true out_lines 7 && until_true test -e "$disk/done/c" && [[ -z $(ls "$disk/in") ]] && stop_agent || return 1
    [[ $(grep -o '"v":[0-9]*' "$disk/out.txt" | tr -dc '0-9') == 1234567 && $(grep -c '^{.*}$' "$disk/out.txt") == 7 ]]
}
ok disk-turns-read-only turns_read_only
ok disk-fails fails
ok disk-bad-and-killed killed_meanwhile
ok disk-bad-and-ended ended_meanwhile
ok disk-bad-and-changed changed_meanwhile
ok disk-bad-for-files files_wait
tally
