#!/usr/bin/env bash
# errors-store.sh - the error store: what comes in by a map, a stream and a sink; list, replay, discard; over a kill, at its bound, without an agent.
. "$(dirname "$0")/lib.bash"

state=$dir/state
errors() { # VERB ARGUMENT...
    timeout 60 "$WEIR" errors "$1" --state "$state" "${@:2}"
}
# lists PATTERN... : just so many entries, each like its pattern (--json)
lists() {
    local n=0 pattern
    errors list --json >"$dir/said" 2>&1 || return 1
    for pattern; do
        n=$((n + 1))
        sed -n "${n}p" "$dir/said" | grep -qE -- "$pattern" || return 1
    done
    [[ $(wc -l <"$dir/said") == "$n" ]]
}
does() { # CODE PATTERN VERB ARGUMENT...
    local code=$1 pattern=$2 verb=$3
    shift 3
    says "$code" "$pattern" "$WEIR" errors "$verb" --state "$state" "$@"
}
query() {
    timeout 60 "$WEIR" query --state "$state" "$@"
}
gives() { # WANTED APP QUERY
    local got
    got=$(query "$2" "$3" 2>&1)
    [[ $got == "$1" ]] && return 0
    printf '    wanted %s, got %s\n' "$1" "$got"
    return 1
}
start_ready() {
    start_agent "$@" && until_true logged 'ready:'
}
kill_agent() {
    kill -9 "$agent"
    wait "$agent" 2>/dev/null
    agent=
}
start_broker || exit 1

# A message of k and v comes in; 'strict' fails for a v that is no number; Out goes to the topic that k names.
mkdir "$dir/apps"
write_app() { # NAME DURABLE TYPE_OF_V CONDITION
    cat >"$dir/$1.new" <<APP
@app:name('$1') $2
@OnError(action='store')
@source(type='mqtt', url='\${MQTT_URL}', topic='$1', quality.of.service='1', @map(type='json'))
define stream S (k string, v $3);
define stream Raw (k string, v $3);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/{{k}}', on.error='store', quality.of.service='1', @map(type='json'))
define stream Out (k string, v $3);
@OnError(action='store') @sink(type='inMemory', topic='$1-{{k}}', on.error='store', @map(type='json'))
define stream Mem (k string, v $3);
define table T (k string, v $3);
define table Before (k string);
define table Trap (v int);
from S select k insert into Before;
from S[k != 'bad' or $4] select k, v insert into T;
from S[k == 'mem'] select k, v insert into Mem;
from S[k != 'mem'] select k, v insert into Out;
APP
    mv "$dir/$1.new" "$dir/apps/$1.siddhi"
}
fails="cast(k, 'int') > 0"
echo "{\"state\": \"$state\", \"apps\": \"$dir/apps\", \"retire.ms\": 2000}" >"$dir/config.json"

ok usage-nothing says 2 'say list, replay or discard' "$WEIR" errors
ok usage-numbers says 2 'replay wants numbers' "$WEIR" errors replay --state x
ok usage-both says 2 'discard wants numbers' "$WEIR" errors discard 1 --all --state x
ok usage-place says 2 'say where the agent is' "$WEIR" errors list
ok usage-time says 2 "'soon' is no time" "$WEIR" errors discard --before soon --state x
ok usage-number says 2 "'x1' is no number" "$WEIR" errors discard x1 --state x
ok nothing-there does 1 'holds no state' list

round() { # NAME DURABLE
    local app=$1 durable=$2
    rm -rf "$state"
    rm -f "$dir"/apps/*
    write_app "$app" "$durable" int "$fails"
    start_ready -c "$dir/config.json" || return 1
    until_true subscribed "$app" 1
    ok "$app-empty" lists

    # a map
    publish "$app" '{"event":{"k":"a","v":"text"}}'
    ok "$app-map-kept" until_true lists '"siddhiAppName":"'"$app"'","streamName":"S","cause":".*","errorOccurrence":"BEFORE_SOURCE_MAPPING","errorType":"MAPPING","source":"mqtt","eventType":"PAYLOAD_STRING","originalPayload":"\{\\"event\\".*"properties":\{"topic":"'"$app"'"'
    ok "$app-list-table" does 0 "^ *1  20.*Z  $app +S +BEFORE_SOURCE_MAPPING" list
    ok "$app-list-of-app" does 0 '"id":1,' list --json --app "$app"
    nothing_of_other() { [[ -z $(errors list --json --app Other) ]]; }
    ok "$app-list-of-other" nothing_of_other
    ok "$app-fails-again" does 1 '^weir errors: 1 stays: .' replay 1
    ok "$app-stays" lists '"id":1,'
    ok "$app-not-there" does 1 '77 is not there' replay 77

    # a stream: what stands before the failing query has worked, what stands behind has not
    publish "$app" '{"event":{"k":"bad","v":7}}'
    ok "$app-stream-kept" until_true lists '"id":1,' '"id":2,.*"streamName":"S","cause":".*","errorOccurrence":"STORE_ON_STREAM_ERROR".*"eventType":"EVENT","events":\[\{"timestamp":[0-9]+,"data":\{"k":"bad","v":7\}\}\]'
    ok "$app-stream-before" gives '{"k":"bad"}' "$app" 'from Before'
    ok "$app-stream-again" does 1 '2 stays: ' replay 2
    ok "$app-stream-twice" gives '{"n":2}' "$app" 'from Before select count() as n'

    # sinks: nobody at a topic; a topic that can never be published
    publish "$app" '{"event":{"k":"mem","v":8}}'
    ok "$app-sink-kept" until_true lists '"id":1,' '"id":2,' '"id":3,.*"streamName":"Mem","cause":"nobody subscribes.*STORE_ON_SINK_ERROR","errorType":"TRANSPORT","sink":"inMemory",.*"data":\{"k":"mem","v":8\}.*"originalPayload":"\{'
    ok "$app-sink-again" does 1 '3 stays: nobody subscribes' replay 3
    publish "$app" '{"event":{"k":"#","v":9}}'
    ok "$app-sink-refused" until_true lists '"id":1,' '"id":2,' '"id":3,' '"id":4,.*"streamName":"Out".*STORE_ON_SINK_ERROR.*"sink":"mqtt",.*"data":\{"k":"#","v":9\}.*"originalPayload":"\{.*","options":\{"topic":"out/#"\}'

    # over a kill
    kill_agent
    ok "$app-offline-list" lists '"id":1,' '"id":2,' '"id":3,' '"id":4,'
    ok "$app-offline-replay" does 1 'a replay needs it' replay 1
    ok "$app-offline-discard" does 0 '^4 discarded' discard 4
    ok "$app-offline-discarded" lists '"id":1,' '"id":2,' '"id":3,'
    start_ready -c "$dir/config.json" || return 1
    ok "$app-kept-over-kill" lists '"id":1,' '"id":2,' '"id":3,'
    publish "$app" '{"event":{"k":"b","v":"x"}}'
    ok "$app-number-is-new" until_true lists '"id":1,' '"id":2,' '"id":3,' '"id":5,'

    # a changed app: v is text now, and nothing fails
    until_true subscribed "$app" 2
    write_app "$app" "$durable" string "true"
    until_true logged "app $app changed"
    ok "$app-replay-map" does 0 '^5 replayed' replay 5
    ok "$app-other-attributes" does 1 "2 stays: stream 'S' has other attributes now" replay 2
    ok "$app-map-went-in" gives '{"v":"x"}' "$app" "from T on k == 'b' select v"
    write_app "$app" "$durable" int "true"
    until_true logged "app $app changed" 2
    listen "out/#" || return 1
    ok "$app-replay-stream" does 0 '^2 replayed' replay 2
    ok "$app-stream-went-in" gives '{"v":7}' "$app" "from T on k == 'bad' select v"
    ok "$app-stream-went-on" until_true came 'out/bad .*7'
    kill_agent
    start_ready -c "$dir/config.json" || return 1
    ok "$app-replayed-is-gone" lists '"id":1,' '"id":3,'
    if [[ -n $durable ]]; then
        ok "$app-effect-stays" gives '{"v":7}' "$app" "from T on k == 'bad' select v"
    fi
    ok "$app-discard-none" does 0 "^$" discard --before 2001-01-01
    ok "$app-discard-all" does 0 '^3 discarded' discard --all --app "$app"
    ok "$app-all-gone" lists
    stop_listening
    ok "$app-stops" stop_agent
}
round Plain ''
round Durable '@app:durable'
tally
