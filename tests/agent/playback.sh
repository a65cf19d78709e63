#!/usr/bin/env bash
# playback.sh - @app:playback in the running agent: its clock is its events', what goes by the host's time goes on without them.
. "$(dirname "$0")/lib.bash"
port=1
state=$dir/state
outs() { # what O was told: "AT values", a line each
    sed -nE 's/.*app : O : Event\{timestamp=([0-9]+), data=\[(.*)\], isExpired=false\}.*/\1 \2/p' "$dir/log"
}
is_out() { # exactly these lines
    [[ $(outs) == "$(printf '%s\n' "$@")" ]]
}
begins_out() {
    [[ $(outs | head -n $#) == "$(printf '%s\n' "$@")" ]]
}

cat >"$dir/trigger.siddhi" <<APP
@app:name('Trigger') @app:playback
@source(type='inMemory', topic='old', @map(type='passThrough')) define stream S (k string, v int);
define trigger B at 'start';
define trigger T at every 20 millisecond;
define trigger C at '* * * * * ?';
@sink(type='log', prefix='app : O') define stream O (k string, v int, t long);
from B select 'start' as k, 0 as v, triggered_time as t insert into O;
from T select 'every' as k, 0 as v, triggered_time as t output last every 3 events insert into O;
from C select 'cron' as k, 0 as v, triggered_time as t insert into O;
from S#window.time(2 sec) select k, v, currentTimeMillis() as t insert all events into O;
APP
# What is sent in 1970: an event at 0, and another at 3000, when the first leaves the window.
cat >"$dir/old.siddhi" <<APP
@app:name('Old') @app:playback(idle.time='200 millisecond', increment='1 sec')
@source(type='file', file.uri='file:$dir/old.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v int);
@sink(type='inMemory', topic='old', @map(type='passThrough')) define stream P (k string, v int);
from S#window.time(2500 millisecond) select k, v insert all events into P;
APP
triggers_fire() {
    : >"$dir/old.txt"
    start_agent "$dir/trigger.siddhi" "$dir/old.siddhi"
    until_true logged 'data=\[every, 0, 0\]' 3 && until_true logged 'data=\[cron, 0, 0\]' 2 && begins_out '0 start, 0, 0'
}
times_of_long_ago() {
    echo '{"event":{"k":"a","v":1}}' >>"$dir/old.txt"
    until_true logged 'data=\[a, 1, 3000\]' 2 && [[ $(outs | grep a,) == $'0 a, 1, 0\n3000 a, 1, 3000\n3000 a, 1, 3000' ]] || return 1
    until_true logged 'timestamp=3000, data=\[every, 0, 3000\]' 2 && until_true logged 'data=\[cron, 0, 3000\]' && stop_agent
}

# Nobody sends: idle.time moves the clock, from the first event on.
cat >"$dir/idle.siddhi" <<APP
@app:name('Idle') @app:playback(idle.time='50 millisecond', increment='1 sec')
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v int);
@sink(type='log', prefix='app : O') define stream O (k string, v int, t long);
from S#window.time(2500 millisecond) select k, v, currentTimeMillis() as t insert all events into O;
APP
idle_time() {
    : >"$dir/in.txt"
    start_agent "$dir/idle.siddhi"
    until_true logged 'ready: 1 app' && ! logged 'data=' || return 1
    echo '{"event":{"k":"a","v":1}}' >>"$dir/in.txt"
    until_true is_out '0 a, 1, 0' '3000 a, 1, 3000' || return 1
    "$WEIR" explain "$dir/idle.siddhi" | grep -q 'after 50 ms without an event the clock goes on by 1000 ms' && stop_agent
}

# Of a durable app the clock goes on where it stood, and a replay gives the same.
cat >"$dir/durable.siddhi" <<APP
@app:name('Durable') @app:durable @app:playback(idle.time='20 millisecond', increment='1 sec')
@source(type='file', file.uri='file:$dir/again.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v int);
define trigger T at every 100 millisecond;
define table Last (v int, t long);
@sink(type='log', prefix='app : O') define stream O (k string, v int, t long);
from S#window.time(1 day) select k, v, currentTimeMillis() as t insert all events into O;
from T select 'tick' as k, 0 as v, triggered_time as t insert into O;
APP
latest() {
    outs | sed -n 's/ .*//p' | sort -n | tail -n 1
}
is_past() { # MS
    local at
    at=$(latest)
    [[ ${at:-0} -ge $1 ]]
}
clock_survives() { # SIGNAL
    local was first
    echo '{"event":{"k":"a","v":1}}' >>"$dir/again.txt"
    start_agent --state "$state" "$dir/durable.siddhi"
    until_true logged 'data=\[a, 1' && until_true is_past $((${2:-0} + 20000)) || return 1
    was=$(latest)
    kill "-$1" "$agent"
    wait "$agent" 2>>"$dir/waits"
    agent=
    start_agent --state "$state" "$dir/durable.siddhi"
    until_true logged 'data=\[tick' 3 || return 1
    first=$(outs | head -n 1 | sed 's/ .*//')
    # what a killed agent had not committed is lost: a part of a second, a hundred beats at most
    [[ $first -ge $((was - 100000)) && $first -ge $((was / 2)) && -z $(outs | sed 's/ .*//' | sort -nc 2>&1) ]] || return 1
    ! logged 'gave other outputs|is damaged' && until_true is_past $((was + 5000)) && kill -TERM "$agent" && wait "$agent"
    agent=
    stands=$was
}

ok triggers_fire triggers_fire
ok times_of_long_ago times_of_long_ago
ok idle_time idle_time
ok killed clock_survives KILL
ok stopped clock_survives TERM "$stands"
tally
