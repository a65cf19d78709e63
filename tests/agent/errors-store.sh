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
start_broker || exit 1

# A message of k and v comes in; 'strict' fails for a v that is no number; Out goes to the topic that k names.
mkdir "$dir/apps"
write_app() { # NAME DURABLE TYPE_OF_V CONDITION MAY_NOTHING_MISS
    cat >"$dir/$1.new" <<APP
@app:name('$1') $2
@OnError(action='store')
@source(type='mqtt', url='\${MQTT_URL}', topic='$1', quality.of.service='1', @map(type='json', fail.on.missing.attribute='$5'))
define stream S (k string, v $3);
define stream Raw (k string, v $3);
@sink(type='mqtt', url='\${MQTT_URL}', topic='$1-out/{{k}}', on.error='store', quality.of.service='1', @map(type='json'))
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
    write_app "$app" "$durable" int "$fails" true
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
    ok "$app-sink-refused" until_true lists '"id":1,' '"id":2,' '"id":3,' '"id":4,.*"streamName":"Out".*STORE_ON_SINK_ERROR.*"sink":"mqtt",.*"data":\{"k":"#","v":9\}.*"originalPayload":"\{.*","options":\{"topic":"'"$app"'-out/#"\}'

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

    # a part of a message
    until_true subscribed "$app" 2
    publish "$app" '[{"event":{"k":"p1","v":1}},{"event":{"k":"p2"}},{"event":{"k":"p3","v":3}}]'
    ok "$app-part-kept" until_true lists '"id":1,' '"id":2,' '"id":3,' '"id":5,' '"id":6,.*"originalPayload":"\[.*"failedEvents":\[1\]'
    ok "$app-part-went-in" gives $'{"k":"p1"}\n{"k":"p3"}' "$app" "from T on k != 'mem' and k != '#' select k"
    ok "$app-part-again" does 1 '6 stays: .' replay 6
    ok "$app-part-not-twice" gives $'{"k":"p1"}\n{"k":"p3"}' "$app" "from T on k != 'mem' and k != '#' select k"

    # a changed app: v is text now, and nothing fails
    write_app "$app" "$durable" string true false
    until_true logged "app $app changed"
    ok "$app-replay-map" does 0 '^5 replayed' replay 6 5
    ok "$app-replay-part" gives '{"k":"p2","v":null}' "$app" "from T on k != 'b' select k, v"
    ok "$app-other-attributes" does 1 "2 stays: stream 'S' has other attributes now" replay 2
    ok "$app-map-went-in" gives '{"v":"x"}' "$app" "from T on k == 'b' select v"
    write_app "$app" "$durable" int true false
    until_true logged "app $app changed" 2
    listen "$app-out/#" || return 1
    ok "$app-replay-stream" does 0 '^2 replayed' replay 2
    ok "$app-stream-went-in" gives '{"v":7}' "$app" "from T on k == 'bad' select v"
    ok "$app-stream-went-on" until_true came "$app-out/bad .*7"
    kill_agent
    start_ready -c "$dir/config.json" || return 1
    ok "$app-replayed-is-gone" lists '"id":1,' '"id":3,'
    if [[ -n $durable ]]; then
        ok "$app-effect-stays" gives '{"v":7}' "$app" "from T on k == 'bad' select v"
    fi
    ok "$app-discard-none" errors discard --before 2001-01-01
    ok "$app-discard-all" does 0 '^3 discarded' discard --all --app "$app"
    ok "$app-all-gone" lists
    stop_listening
    ok "$app-stops" stop_agent
}
round Plain ''
round Durable '@app:durable'

# ---- the bound ----
bounded() { # drop.oldest|refuse
    local i
    rm -rf "$state"
    rm -f "$dir"/apps/*
    write_app Bound '@app:durable' int true true
    echo "{\"state\": \"$state\", \"apps\": \"$dir/apps\", \"errors.bytes\": 1500, \"errors.full\": \"$1\"}" >"$dir/bound.json"
    start_ready -c "$dir/bound.json" || return 1
    until_true subscribed Bound "$2" || return 1
    for ((i = 1; i <= 20; i++)); do
        publish Bound "{\"event\":{\"k\":\"a\",\"v\":\"text $i\"}}" || return 1
    done
    publish Bound "{\"event\":{\"k\":\"last\",\"v\":1}}"
    went_in() { [[ $(query Bound "from T on k == 'last' select v") == '{"v":1}' ]]; }
    until_true went_in
}
ids() { errors list --json | sed 's/^{"id":\([0-9]*\),.*/\1/' | tr '\n' ' '; }
ends_with() { [[ $(ids) == *" $1 " && $(ids) != 1\ * ]]; }
begins_with() { [[ $(ids) == "1 2 "* && $(ids) != *" 20 " ]]; }
counts() { stop_agent && logged "$1"; }
ok bound-drops bounded drop.oldest 1
ok bound-newest-stay ends_with 20
ok bound-counts counts 'errors stored 20, dropped [1-9][0-9]*, refused 0'
ok bound-refuses bounded refuse 2
ok bound-oldest-stay begins_with
ok bound-says logged 'the error store has no room: dropped'
ok bound-counts-refused counts 'errors stored [1-9][0-9]*, dropped 0, refused [1-9]'
ok discard-before-offline does 0 '^1 discarded' discard --before 2100-01-01
ok discard-before-all lists

# ---- no error store ----
rm -rf "$state"
write_app Bound '' int "$fails" true
start_ready "$dir/apps/Bound.siddhi" || exit 1
ok stateless-warns logged 'it stores errors, and the agent has no error store'
until_true subscribed Bound 3
publish Bound '{"event":{"k":"bad","v":1}}'
ok stateless-logs until_true logged 'stream S: an event failed'
ok stateless-stops stop_agent
echo "{\"state\": \"$state\", \"apps\": \"$dir/apps\", \"errors.bytes\": 0}" >"$dir/none.json"
start_ready -c "$dir/none.json" || exit 1
ok none-says does 1 'this agent has no error store' list
ok none-stops stop_agent
echo "{\"state\": \"$state\", \"apps\": \"$dir/apps\", \"errors.mapping\": \"none\"}" >"$dir/none.json"
start_ready -c "$dir/none.json" || exit 1
until_true subscribed Bound 5
publish Bound 'x'
ok unmapped-not-kept until_true logged "source json of 'S': rejected"
publish Bound '{"event":{"k":"bad","v":1}}'
ok stream-kept until_true lists '"id":1,.*STORE_ON_STREAM'

# ---- what a sink could not hand over before it ended (an app that isn't durable) ----
publish Bound '{"event":{"k":"late","v":1}}'
ok stops-with-rest stop_agent
rm -rf "$state"
echo "{\"state\": \"$state\", \"apps\": \"$dir/apps\", \"shutdown.ms\": 0}" >"$dir/late.json"
write_app Bound '' int true true
sed -i "s/^@sink(type='mqtt', url='[^']*'/@sink(type='mqtt', url='tcp:\/\/127.0.0.1:1'/" "$dir/apps/Bound.siddhi"
start_ready -c "$dir/late.json" || exit 1
until_true subscribed Bound 6
publish Bound '{"event":{"k":"late","v":1}}'
in_table() { [[ $(query Bound 'from T select k') == '{"k":"late"}' ]]; }
until_true in_table
ok late-stops stop_agent
ok late-is-kept lists '"streamName":"Out","cause":"not .*delivered.*"data":\{"k":"late","v":1\}.*"options":\{"topic":"Bound-out/late"\}'

# ---- killed around the commit of a replay, the app being durable: it happened once, or not at all ----
if [[ $WEIR == *asan* ]]; then
    rm -rf "$state"
    echo "{\"state\": \"$state\", \"apps\": \"$dir/apps\"}" >"$dir/config.json"
    write_crash() { # CONDITION; the agent does not run: nobody sees the file in between
        write_app Bound '@app:durable' int "$1" true
        sed -i "s/topic='Bound', q/client.id='bound', clean.session='false', topic='Bound', q/" "$dir/apps/Bound.siddhi"
    }
    write_crash "$fails"
    start_ready -c "$dir/config.json" || exit 1
    until_true subscribed Bound 7
    publish Bound '{"event":{"k":"bad","v":5}}'
    ok crash-kept until_true lists '"id":1,'
    stop_agent
    write_crash true
    start_ready -c "$dir/config.json" || exit 1
    stop_agent
    cp -r "$state" "$dir/saved"
    ready_or_ended() { logged 'ready:' || agent_ended; }
    back() { # to the state that was saved, with a fault on the way
        rm -rf "$state"
        cp -r "$dir/saved" "$state"
        WEIR_FAULT=$1 start_agent -c "$dir/config.json"
        until_true ready_or_ended
    }
    after_kill() { # WANTED_LEFT WANTED_DONE; "": any
        local left done
        until_true agent_ended || return 1
        wait "$agent" 2>/dev/null
        agent=
        start_ready -c "$dir/config.json" || return 1
        left=$(errors list --json | wc -l)
        done=$(query Bound "from T on k == 'bad' select v" | wc -l)
        [[ $((left + done)) == 1 && ${1:-$left} == "$left" ]]
    }
    # The app's start has a commit of its own, with nothing for the store.
    for point in commit.before:2 store.commit:1 store.committed:1 commit.after:2 commit.settled:2; do
        back "$point:kill"
        errors replay 1 >/dev/null 2>&1
        wanted=0
        [[ $point == commit.before* || $point == store.commit:* ]] && wanted=1
        ok "crash-replay-$point" after_kill "$wanted"
        kill_agent
    done
    # A message that its sink can never send: one entry, wherever the end comes.
    refused_once() { errors list --json >"$dir/said" && [[ $(grep -c "\"k\":\"#$point$n\"" "$dir/said") == 1 ]]; }
    for point in commit.before store.committed commit.after; do
        for n in 2 3 4; do
            back "$point:$n:kill"
            publish Bound '{"event":{"k":"#'"$point$n"'","v":1}}'
            killed_or_listed() { agent_ended || refused_once; }
            until_true killed_or_listed
            kill_agent 2>/dev/null
            start_ready -c "$dir/config.json" || exit 1
            ok "crash-refused-$point-$n" until_true refused_once
            kill_agent
        done
    done
fi
tally
