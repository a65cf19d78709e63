#!/usr/bin/env bash
# durable.sh - what survives: a file read once although the agent is killed, outputs that wait for a broker that isn't there, a changed text, what can't be.
export WEIR_BACKOFF_FIRST_MS=100
. "$(dirname "$0")/lib.bash"
start_broker || exit 1
stop_broker
state=$dir/state
cat >"$dir/count.siddhi" <<APP
@app:name('Count') @app:durable
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v long);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/count', dedupe.field='id', @map(type='json'))
define stream Out (k string, n long, t long);
@info(name='totals') from S select k, count() as n, sum(v) as t group by k insert into Out;
APP
lines() { # FROM TO
    local i
    for ((i = $1; i <= $2; i++)); do echo "{\"event\":{\"k\":\"a\",\"v\":$i}}"; done >>"$dir/in.txt"
}
waits() { # MESSAGES: so many are on the disk for the sink
    "$WEIR" state inspect --state "$state" 2>/dev/null | grep -q "Out mqtt: $1 messages wait"
}
needs_a_folder() {
    start_agent "$dir/count.siddhi"
    until_true logged 'no folder for state' && until_true agent_ended && agent=
}
# Killed with the broker away: the journal has the lines.
starts_offline() {
    lines 1 1000
    start_agent --state "$state" "$dir/count.siddhi"
    until_true logged 'sink Out: (disconnected|failed)' || return 1
    until_true waits 1000 || return 1
    kill_agent
    start_agent --state "$state" "$dir/count.siddhi"
    until_true logged 'records of the journal worked off' || return 1
    lines 1001 1500
    until_true waits 1500 || return 1
    kill_agent
}
delivers_later() {
    start_broker "$port" && listen 'out/#' || return 1
    start_agent --state "$state" "$dir/count.siddhi"
    until_true came '"n":1500,"t":1125750' || return 1
    lines 1501 1501
    until_true came '"n":1501,"t":1127251' && stop_agent || return 1
    # Each once, or again under the same key; in order.
    [[ $(sort -u "$dir/got" | wc -l) == 1501 ]] && [[ $(grep -o '/Count/Out/[0-9]*"' "$dir/got" | sort -u | wc -l) == 1501 ]]
}
# Another query beside it: what didn't change goes on.
takes_over_when_changed() {
    sed -i '$a @info(name="last") from S#window.length(5) select k, count() as n, sum(v) as t insert into Last;' "$dir/count.siddhi"
    start_agent --state "$state" "$dir/count.siddhi"
    until_true logged 'keep their state, 1 begin anew|begin anew: query last' || return 1
    lines 1502 1502
    until_true came '"n":1502,"t":1128753' || return 1
    # And while it runs.
    sed 's/length(5)/length(6)/' "$dir/count.siddhi" >"$dir/new" && mv "$dir/new" "$dir/count.siddhi"
    kill -HUP "$agent"
    until_true logged 'app Count changed' || return 1
    lines 1503 1503
    until_true came '"n":1503,"t":1130256' && stop_agent
}
# 'start' fires at each start, also one behind a kill, once; the replay makes it again under its number.
begun() { # TIMES: the file has the count of each start, in order
    [[ $(uniq "$dir/begun.txt" 2>/dev/null | tr '\n' ' ') == "$(seq -s ' ' 1 "$1") " ]]
}
begins_each_time() {
    local i state=$dir/begun
    cat >"$dir/begin.siddhi" <<APP
@app:name('Begin') @app:durable
define trigger T at 'start';
@sink(type='file', file.uri='$dir/begun.txt', @map(type='text', @payload('{{n}}')))
define stream Out (n long);
from T select count() as n insert into Out;
APP
    for i in 1 2 3 4; do
        start_agent --state "$state" "$dir/begin.siddhi"
        until_true begun "$i" || return 1
        if [[ $i == 2 ]]; then
            kill_agent
        else
            stop_agent || return 1
        fi
    done
}
ok durable-begins-each-time begins_each_time
ok durable-needs-a-folder needs_a_folder
ok durable-starts-offline starts_offline
ok durable-delivers-later delivers_later
ok durable-takes-over-when-changed takes_over_when_changed
tally
