#!/usr/bin/env bash
# upgrade.sh - a changed app keeps the state of what didn't change, says so before and after, and can go back one step.
export WEIR_BACKOFF_FIRST_MS=100
. "$(dirname "$0")/lib.bash"
start_broker || exit 1
state=$dir/state app=$dir/count.siddhi
text() { # LENGTH [MORE]
    cat <<APP
@app:name('Count') @app:durable
@source(type='mqtt', url='\${MQTT_URL}', topic='in', quality.of.service='1', @map(type='json'))
define stream S (k string, v long);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/totals', quality.of.service='1', @map(type='json'))
define stream Out (k string, n long, t long);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/last', quality.of.service='1', @map(type='json'))
define stream Last (n long, t long);
@info(name='totals') from S select k, count() as n, sum(v) as t group by k insert into Out;
@info(name='last') from S#window.length($1) select count() as n, sum(v) as t insert into Last;
${2:-}
APP
}
send() { publish in "{\"event\":{\"k\":\"a\",\"v\":$1}}"; }
run_app() {
    start_agent --state "$state" "$app" && until_true logged 'ready: 1 apps' && until_true subscribed in "${1:-1}"
}
starts() {
    text 5 >"$app"
    run_app && listen 'out/#' && send 1 && send 2 && send 3 && until_true came 'totals .*"n":3,"t":6' && until_true came 'last .*"n":3,"t":6'
}
# Beside the agent: nothing is changed.
tells_before() {
    text 6 "@info(name='more') from S#window.length(3) select sum(v) as t insert into More;" >"$dir/new.siddhi"
    says 0 'kept: 1$|kept: [0-9]+' "$WEIR" upgrade --dry-run --state "$state" "$dir/new.siddhi" || return 1
    grep -q 'an agent uses it' "$dir/said" && grep -q '^  query totals 0 select$' "$dir/said" || return 1
    grep -q '^  query last 0 window.length (changed)$' "$dir/said" && grep -q '^  query more 0 window.length (new)$' "$dir/said" || return 1
    grep -q 'outbox Out mqtt: kept' "$dir/said" && send 4 && until_true came 'totals .*"n":4,"t":10'
}
refuses_what_is_wrong() {
    text w >"$dir/wrong.siddhi"
    says 1 'refused; the app from before would go on' "$WEIR" upgrade --dry-run --state "$state" "$dir/wrong.siddhi" || return 1
    cp "$dir/wrong.siddhi" "$app"
    kill -HUP "$agent"
    until_true logged 'refused; the app from before goes on' && send 5 && until_true came 'totals .*"n":5,"t":15'
}
changes_while_it_runs() {
    cp "$dir/new.siddhi" "$app"
    kill -HUP "$agent"
    until_true logged 'app Count changed' || return 1
    logged 'app Count: changes: .* keep their state: .*query totals 0 select.* begin anew: .*query last 0 window.length \(changed\).*query more' || return 1
    logged 'app Count: changed: ' && logged 'weir upgrade --rollback' || return 1
    : >"$dir/got"
    send 6
    until_true came 'totals .*"n":6,"t":21' && until_true came 'last .*"n":1,"t":6'
}
# After a kill the changed one goes on, and a part that nobody has any more is dropped.
changes_while_it_is_down() {
    stop_agent || return 1
    text 7 >"$dir/next.siddhi"
    says 0 '^  query more 0 window.length$' "$WEIR" upgrade --dry-run --state "$state" "$dir/next.siddhi" || return 1
    grep -q 'dropped: [1-9]' "$dir/said" || return 1
    says 0 'the text is the one the state is of' "$WEIR" upgrade --dry-run --state "$state" "$app" || return 1
    run_app 2 && send 7 && until_true came 'totals .*"n":7,"t":28'
}
goes_back() {
    says 1 'stop it first' "$WEIR" upgrade --rollback Count --state "$state" --to "$app" || return 1
    stop_agent || return 1
    says 1 "has nothing of an app 'Other'" "$WEIR" upgrade --rollback Other --state "$state" || return 1
    says 0 'kept for a rollback of Count' "$WEIR" state inspect --state "$state" || return 1
    says 0 'has again the state of before' "$WEIR" upgrade --rollback Count --state "$state" --to "$app" || return 1
    diff <(text 5) "$app" || return 1
    says 1 'nothing is kept' "$WEIR" upgrade --rollback Count --state "$state" --to "$app" || return 1
    : >"$dir/got"
    # As of the change: five messages, the window of five is full.
    run_app 3 && send 10 || return 1
    until_true came 'totals .*"n":6,"t":25' && until_true came 'last .*"n":5,"t":24' && ! logged 'other outputs|ERROR app' && stop_agent
}
# What is saved can't be read: refused with words, and the state stays.
refuses_a_damaged_state() {
    local at
    "$WEIR" state compact --state "$state" >/dev/null || return 1
    at=$(grep -abo 'query totals 0 select' "$state/data.mdb" | head -1 | cut -d: -f1)
    printf '\xff\xfe' | dd of="$state/data.mdb" bs=1 seek=$((at + 30)) conv=notrunc 2>/dev/null
    cp "$state/data.mdb" "$dir/before"
    says 1 'it is damaged' "$WEIR" upgrade --dry-run --state "$state" "$app" || return 1
    says 1 'it is damaged' "$WEIR" upgrade --rollback Count --state "$state" && cmp "$dir/before" "$state/data.mdb"
}
ok upgrade-starts starts
ok upgrade-dry-run tells_before
ok upgrade-refused refuses_what_is_wrong
ok upgrade-hot changes_while_it_runs
ok upgrade-cold changes_while_it_is_down
ok upgrade-rollback goes_back
ok upgrade-damaged refuses_a_damaged_state
tally
