#!/usr/bin/env bash
# playback.sh - @app:playback in the running agent: its clock is its events', what goes by the host's time goes on without them.
. "$(dirname "$0")/lib.bash"
state=$dir/state
# A row of (string k, int v) at a time, as the binary map has it: event AT K V, K one letter.
event() {
    # shellcheck disable=SC2059
    printf "\\0\\0\\0\\1$(printf '%016x' "$1" | sed 's/../\\x&/g')\\0\\0\\0\\1$2$(printf '%08x' "$3" | sed 's/../\\x&/g')"
}
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
@source(type='file', dir.uri='file:$dir/times', action.after.process='keep', mode='binary.full', @map(type='binary'))
define stream S (k string, v int);
define trigger B at 'start';
define trigger T at every 20 millisecond;
define trigger C at '* * * * * ?';
@sink(type='log', prefix='app : O') define stream O (k string, t long);
from B select 'start' as k, triggered_time as t insert into O;
from T select 'every' as k, triggered_time as t output last every 3 events insert into O;
from C select 'cron' as k, triggered_time as t insert into O;
APP
triggers_fire() {
    mkdir "$dir/times"
    start_agent "$dir/trigger.siddhi"
    until_true logged 'data=\[every, 0\]' 3 && until_true logged 'data=\[cron, 0\]' 2 && begins_out '0 start, 0' || return 1
}
events_set_their_time() {
    event 5000 a 1 >"$dir/made" && mv "$dir/made" "$dir/times/1.bin"
    until_true logged 'timestamp=5000, data=\[every, 5000\]' 2 && until_true logged 'data=\[cron, 5000\]' && stop_agent
}

# Between 1970 and now: what Siddhi does with them.
cat >"$dir/old.siddhi" <<APP
@app:name('Old') @app:playback
@source(type='file', dir.uri='file:$dir/old', action.after.process='keep', mode='binary.full', @map(type='binary'))
define stream S (k string, v int);
@sink(type='log', prefix='app : O') define stream O (k string, v int, t long);
from S#window.time(2 sec) select k, v, currentTimeMillis() as t insert all events into O;
APP
old_times() {
    mkdir "$dir/old"
    start_agent "$dir/old.siddhi"
    local i=0 at
    for at in 1000 1500 900 5000; do
        i=$((i + 1))
        event $at a $i >"$dir/made" && mv "$dir/made" "$dir/old/$i.bin"
        until_true logged "data=\\[a, $i" || return 1
    done
    until_true is_out '1000 a, 1, 1000' '1500 a, 2, 1500' '900 a, 3, 1500' '5000 a, 1, 5000' '5000 a, 2, 5000' '5000 a, 3, 5000' '5000 a, 4, 5000' && stop_agent
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
    wait "$agent" 2>/dev/null
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
ok events_set_their_time events_set_their_time
ok old_times old_times
ok idle_time idle_time
ok killed clock_survives KILL
ok stopped clock_survives TERM "$stands"
tally
