#!/usr/bin/env bash
# flood.sh - what strangers send, or a broker that is not there, can't fill the log.
. "$(dirname "$0")/lib.bash"
export WEIR_BACKOFF_FIRST_MS=10

# Topics from events, and none of them is one.
cat >"$dir/bad.siddhi" <<'APP'
@app:name('Bad')
@source(type='mqtt', url='${MQTT_URL}', topic='bad/in', quality.of.service='1', @map(type='json'))
define stream S (k string, v int);
@sink(type='mqtt', url='${MQTT_URL}', topic='{{k}}', quality.of.service='1', @map(type='json'))
define stream Out (k string, v int);
from S select k, v insert into Out;
APP

is_dry() { # MESSAGES: so many were taken in
    "$WEIR" status --json --state "$dir/state" 2>/dev/null | grep -q "\"messages_in\":$1[,}]"
}
bad_topics() {
    yes '{"event":{"k":"a+b","v":1}}' | head -3000 | mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t bad/in -l || return 1
    until_true is_dry 3000 && logged 'mqtt: Bad/Out mqtt: message refused' && [[ $(wc -l <"$dir/log") -lt 40 ]]
}
bad_payloads() {
    yes 'no json' | head -3000 | mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t bad/in -l || return 1
    until_true is_dry 6000 && logged 'source json of .S.: rejected' && [[ $(wc -l <"$dir/log") -lt 60 ]]
}
# The connection tells each try, the ports on it that they lost it and that they have it again.
broker_away() {
    : >"$dir/log"
    stop_broker
    until_true logged 'next try in' 12 || return 1
    # Twice: when it was lost, and when the first try failed.
    [[ $(grep -c 'source S: disconnected' "$dir/log") -le 2 && $(grep -c 'sink Out: disconnected' "$dir/log") -le 2 ]] || return 1
    start_broker "$port" && until_true logged 'source S: connected' && until_true logged 'sink Out: connected'
}

start_broker && start_ready --state "$dir/state" "$dir/bad.siddhi" && until_true subscribed bad/in || exit 1
ok flood-of-bad-topics bad_topics
ok flood-of-bad-payloads bad_payloads
ok flood-without-broker broker_away
ok flood-agent-stops stop_agent
tally
