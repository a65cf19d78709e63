#!/usr/bin/env bash
# clock.sh - the computer's clock is set while apps run, and a durable app starts days later: triggers make up nothing and go on, all else fires.
. "$(dirname "$0")/lib.bash"
WEIR=${WEIR_RELEASE:-build/weir} # no sanitizer: it wants to be loaded first itself
port=1
state=$dir/state
export SETCLOCK_FILE=$dir/offset
hour_ms=3600000 day_ms=86400000
set_clock() { # MS: so far from the true one
    echo "$1" >"$dir/offset.new" && mv "$dir/offset.new" "$SETCLOCK_FILE"
}
start() {
    local LD_PRELOAD=$PWD/build/crash/setclock.so
    export LD_PRELOAD
    start_agent "$@"
    export -n LD_PRELOAD
    unset LD_PRELOAD
    until_true logged 'ready:'
}
ticks() { # how often the trigger has fired, as the app counts
    local n
    n=$(sed -nE 's/.*data=\[tick, ([0-9]+)\].*/\1/p' "$dir/log" | tail -n 1)
    echo "${n:-0}"
}
ticks_past() {
    [[ $(ticks) -ge $1 ]]
}
line_of() { # PATTERN: number of the first line like it, and the time of its event in it
    sed -nE "/$1/{s/.*timestamp=([0-9]+), data=.*/\1/p;q}" "$dir/log"
}
later_ms() { # MS PATTERN: the newest such event is at least so much later than the true time
    local at
    at=$(grep -E "$2" "$dir/log" | tail -n 1 | sed -nE 's/.*timestamp=([0-9]+), data=.*/\1/p')
    [[ -n $at && $((at - $(date +%s%3N))) -ge $(($1 - 60000)) ]]
}
# Fires, and no more often than it should: a step is seen within a minute at worst, here at the next firing.
goes_on_after() { # TICKS
    until_true ticks_past $(($1 + 5)) && ! ticks_past $(($1 + 2000))
}
rest='from S#window.timeBatch(1 sec) select v output every 1 sec insert into Empty;
from S#window.time(1 min) select v insert expired events into Gone;
from S select '"'came'"' as k, v as n insert into O;
from Gone select '"'gone'"' as k, v as n insert into O;'
cat >"$dir/live.siddhi" <<APP
@app:name('Live')
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (v long);
define trigger T at every 20 millisecond;
define trigger C at '* * * * * ?';
@sink(type='log', prefix='live : O') define stream O (k string, n long);
from T select 'tick' as k, count() as n insert into O;
from C select 'cron' as k, count() as n insert into O;
$rest
APP
few_crons() {
    local n
    n=$(grep -c 'data=\[cron' "$dir/log")
    [[ $n -lt 60 ]]
}
set_on() { # ten years
    local was entered
    : >"$dir/in.txt"
    set_clock 0
    start "$dir/live.siddhi" && until_true ticks_past 5 || return 1
    echo '{"event":{"v":7}}' >>"$dir/in.txt"
    until_true logged 'data=\[cron' && until_true logged 'data=\[came' || return 1
    entered=$(date +%s%3N)
    was=$(ticks)
    set_clock $((3650 * day_ms))
    goes_on_after "$was" && until_true later_ms $((3650 * day_ms)) 'data=\[cron' && few_crons || return 1
    # what was in the window left it a minute later, and not in ten years
    until_true logged 'data=\[gone, 7\]' && [[ $(($(line_of 'data=.gone, 7.') - entered)) -lt 120000 ]] || return 1
    logged 'the clock was set on by 3153600[0-9][0-9]\.' && [[ $(grep -c 'the clock was set' "$dir/log") == 1 ]]
}
set_back() { # an hour, and again on: first it stands, then it goes
    local was at
    set_clock $((3650 * day_ms - hour_ms))
    was=$(ticks)
    goes_on_after "$was" && until_true logged 'the clock was set back by 3[56][0-9][0-9]\.' || return 1
    at=$(grep 'data=\[tick' "$dir/log" | tail -n 1 | sed -nE 's/.*timestamp=([0-9]+), data=.*/\1/p')
    was=$(ticks)
    until_true ticks_past $((was + 5)) && logged "timestamp=$at, data=\[tick" 5 || return 1
    set_clock $((3650 * day_ms + hour_ms))
    was=$(ticks)
    goes_on_after "$was" && until_true later_ms $((3650 * day_ms + hour_ms)) 'data=\[tick' || return 1
    [[ $(grep -c 'the clock was set' "$dir/log") == 3 ]] && few_crons && stop_agent && logged 'clock steps 3;'
}

# Outputs wait for a broker that is away, so a replay counts them.
cat >"$dir/durable.siddhi" <<APP
@app:name('Durable') @app:durable
@source(type='file', file.uri='file:$dir/again.txt', mode='line', tailing='true', @map(type='json'))
define stream S (v long);
define trigger T at every 20 millisecond;
define trigger C at '* * * * * ?';
@sink(type='mqtt', url='tcp://127.0.0.1:1', topic='out', @map(type='json'))
@sink(type='log', prefix='durable : O') define stream O (k string, n long);
from T select 'tick' as k, count() as n insert into O;
from C select 'cron' as k, count() as n insert into O;
$rest
APP
durable_is_good() {
    ! logged 'gave other outputs|is damaged|lost'
}
days_later() { # SIGNAL DAYS
    local was
    was=$(ticks)
    kill "-$1" "$agent"
    wait "$agent" 2>>"$dir/waits"
    agent=
    set_clock $(($2 * day_ms))
    start --state "$state" "$dir/durable.siddhi" && goes_on_after "$was" && durable_is_good && few_crons || return 1
    logged "its time goes on by [0-9]{5,}\.[0-9] s"
}
begins() {
    set_clock 0
    : >"$dir/again.txt"
    echo '{"event":{"v":8}}' >>"$dir/again.txt"
    start --state "$state" "$dir/durable.siddhi" && until_true ticks_past 5
}
window_left() {
    until_true logged 'data=\[gone, 8\]'
}
# Steps on and back, killed behind each: the journal has them.
killed_behind_steps() {
    local was at offset
    for offset in $((5 * day_ms)) $((5 * day_ms - 600000)) $((5 * day_ms + 60000)); do
        set_clock "$offset"
        was=$(ticks)
        goes_on_after "$was" && until_true logged 'the clock was set' || return 1
        was=$(ticks)
        kill_agent
        start --state "$state" "$dir/durable.siddhi" && goes_on_after "$was" && durable_is_good || return 1
        logged 'records of the journal worked off' || return 1
        [[ $offset != $((5 * day_ms - 600000)) ]] || logged 'app Durable: its time is [0-9]{3}\.[0-9] s ahead' || return 1
    done
    stop_agent
}
# A snapshot a second for ten years: it takes minutes, and others work meanwhile.
cat >"$dir/busy.siddhi" <<APP
@app:name('Busy') @app:durable
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (v long);
@sink(type='log', prefix='busy : O') define stream O (v long, n long);
from S select v output snapshot every 1 sec insert into Many;
from Many select v, count() as n output last every 1000000 events insert into O;
APP
many_years() {
    local was
    set_clock 0
    echo '{"event":{"v":9}}' >"$dir/in.txt"
    start --state "$dir/busy" "$dir/live.siddhi" "$dir/busy.siddhi" && until_true logged 'data=\[came, 9\]' && until_true ticks_past 5 || return 1
    set_clock $((3650 * day_ms))
    was=$(ticks)
    goes_on_after "$was" && "$WEIR" status --state "$dir/busy" --json | grep -q '"clock_steps":1' || return 1
    until_true logged 'busy : O.*\[9, 1000000\]' && stop_agent && ! logged 'busy : O.*\[9, 3[0-9]{8}\]'
}
ok set-on set_on
ok set-back set_back
ok many-years many_years
ok durable-begins begins
ok three-days-later days_later TERM 3
ok window-left window_left
ok killed-and-a-day-later days_later KILL 4
ok killed-behind-steps killed_behind_steps
tally
