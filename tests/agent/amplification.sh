#!/usr/bin/env bash
# amplification.sh - what a byte of message costs on the disk, journal and state together, with a commit for each turn of 256 messages: at
# most 4 bytes for every kind of state (tests/bench/durable/). The release program: the other one cuts state small for its tests.
WEIR=${WEIR_RELEASE:-build/weir}
. "$(dirname "$0")/lib.bash"
messages=150000 socket=$dir/control
awk -v n=$messages 'BEGIN { for (i = 0; i < n; i++) printf "{\"event\":{\"k\":\"d%d\",\"at\":%.0f,\"v\":%d.5}}\n", i % 16, 1700000000000 + i, i % 100 }' >"$dir/in.txt"
bytes=$(stat -c %s "$dir/in.txt")
port=9

came() { "$WEIR" status --socket "$socket" --json "$1" 2>/dev/null | grep -q "\"messages_in\":$messages"; }
costs_at_most() { # APP TIMES_100
    local name written
    name=$(grep -o "@app:name('[A-Za-z]*" "tests/bench/durable/$1.siddhi")
    name=${name##*\'}
    sed "s|^@source.*|@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))|" \
        "tests/bench/durable/$1.siddhi" >"$dir/app.siddhi"
    echo "{\"state\": \"$dir/state-$1\", \"control.socket\": \"$socket\", \"commit.events\": 256}" >"$dir/config.json"
    start_agent -c "$dir/config.json" "$dir/app.siddhi"
    until_true came "$name" || return 1
    written=$(awk '/^wchar/ { print $2 }' "/proc/$agent/io")
    stop_agent || return 1
    [[ $((written * 100 / bytes)) -le $2 ]] && return 0
    echo "    $written bytes written for $bytes of messages"
    return 1
}
ok amplification-filter costs_at_most filter 200
for app in window groups table texttable partition unique session sort frequent; do
    ok "amplification-$app" costs_at_most "$app" 350
done
tally
