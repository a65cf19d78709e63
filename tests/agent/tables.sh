#!/usr/bin/env bash
# tables.sh - tables of @store(type='lmdb'): they survive kill -9 with and without @app:durable, a changed text; another definition is refused.
. "$(dirname "$0")/lib.bash"
state=$dir/state
app() { # NAME DURABLE
    cat <<APP
@app:name('$1') $2
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v long);
@source(type='file', file.uri='file:$dir/ask.txt', mode='line', tailing='true', @map(type='json'))
define stream Ask (k string);
@store(type='lmdb') @primaryKey('k') @index('v') define table Latest (k string, v long);
@store(type='lmdb') define table Every (k string, v long);
@sink(type='log', prefix='FOUND', @map(type='json')) define stream Found (k string, v long);
@sink(type='log', prefix='COUNTED', @map(type='json')) define stream Counted (n long, last long);
from S update or insert into Latest on Latest.k == k;
from S insert into Every;
from Ask join Latest on Ask.k == Latest.k select Latest.k as k, Latest.v as v insert into Found;
from Ask join Every on Every.v > 0L select Ask.k as k, Every.v as v insert into Rows;
from Rows#window.batch() select count() as n, max(v) as last insert into Counted;
APP
}
lines() { # FROM TO
    local i
    for ((i = $1; i <= $2; i++)); do echo "{\"event\":{\"k\":\"key $((i % 700))\",\"v\":$i}}"; done >>"$dir/in.txt"
}
ask() {
    echo "{\"event\":{\"k\":\"$1\"}}" >>"$dir/ask.txt"
}
# found KEY VALUE [COUNT LAST]: asks until the answer is this.
answered() {
    ask "$1"
    read -r -t 0.1 -u "$never"
    logged "FOUND.*\"$1\",\"v\":$2\\b" && { [[ $# == 2 ]] || logged "COUNTED.*\"n\":$3,\"last\":$4\\b"; }
}
found() {
    until_true answered "$@"
}
fresh_files() {
    : >"$dir/in.txt"
    : >"$dir/ask.txt"
}
needs_a_folder() {
    app Plain '' >"$dir/plain.siddhi"
    fresh_files
    start_agent "$dir/plain.siddhi"
    until_true logged '@store needs a folder' && until_true agent_ended && agent=
}
# What a turn did is written at its end.
survives_a_kill() {
    lines 1 1000
    start_agent --state "$state" "$dir/plain.siddhi"
    # The turn of the second answer came behind the writing of the first one's.
    found 'key 300' 1000 1000 1000 && found 'key 298' 998 || return 1
    kill_agent
    fresh_files
    start_agent --state "$state" "$dir/plain.siddhi"
    found 'key 299' 999 1000 1000 && stop_agent
}
# A statement that was answered is on the disk.
keeps_what_a_query_wrote() {
    fresh_files
    start_agent --state "$state" "$dir/plain.siddhi"
    until_true logged 'ready: ' || return 1
    timeout 20 "$WEIR" query --state "$state" Plain "select 'asked' as k, 5L as v insert into Latest" || return 1
    kill_agent
    start_agent --state "$state" "$dir/plain.siddhi"
    until_true logged 'ready: ' || return 1
    says 0 '"?n"?: ?701' "$WEIR" query --state "$state" Plain "from Latest select count() as n" || return 1
    found asked 5 && stop_agent && says 0 "tables +[0-9]+ rows and keys, [0-9]+ bytes" "$WEIR" state inspect "$state"
}
# The journal makes the same changes again, and each is there once.
counts_once_when_durable() {
    app Counter '@app:durable' >"$dir/counter.siddhi"
    fresh_files
    lines 1 1500
    start_agent --state "$state" "$dir/counter.siddhi"
    found 'key 100' 1500 && found 'key 99' 1499 || return 1
    kill_agent
    lines 1501 2000
    start_agent --state "$state" "$dir/counter.siddhi"
    until_true logged 'records of the journal worked off' && found 'key 599' 1999 || return 1
    kill_agent
    start_agent --state "$state" "$dir/counter.siddhi"
    found 'key 600' 2000 2000 2000 && stop_agent || return 1
    # What the journal had is in the store now.
    start_agent --state "$state" "$dir/counter.siddhi"
    found 'key 599' 1999 2000 2000 && stop_agent
}
stays_when_the_text_changes() {
    sed -i '$a from S#window.length(5) select k, v insert into Last;' "$dir/counter.siddhi"
    start_agent --state "$state" "$dir/counter.siddhi"
    found 'key 598' 1998 2000 2000 || return 1
    sed 's/length(5)/length(6)/' "$dir/counter.siddhi" >"$dir/new" && mv "$dir/new" "$dir/counter.siddhi"
    kill -HUP "$agent"
    until_true logged 'app Counter changed' || return 1
    lines 2001 2001
    found 'key 601' 2001 2001 2001 && stop_agent
}
# One step back is the app's text and state; its tables stay as they are, and it says so.
stays_when_the_app_goes_back() {
    says 0 'its tables in the store stay as they are now: .*Latest' "$WEIR" upgrade --rollback Counter --state "$state" --to "$dir/counter.siddhi" ||
        return 1
    grep -q 'length(5)' "$dir/counter.siddhi" && start_agent --state "$state" "$dir/counter.siddhi" && until_true logged 'ready' && stop_agent
}
refuses_another_definition() {
    sed "s/@primaryKey('k') @index('v')/@primaryKey('k')/" "$dir/plain.siddhi" >"$dir/new" && mv "$dir/new" "$dir/plain.siddhi"
    start_agent --state "$state" "$dir/plain.siddhi"
    until_true logged "table 'Latest' is in the store as" && until_true agent_ended && agent=
}
# Buckets that were open in memory are made again from the finer ones on disk.
aggregates_go_on() {
    cat >"$dir/sums.siddhi" <<APP
@app:name('Sums')
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v long);
@source(type='file', file.uri='file:$dir/ask.txt', mode='line', tailing='true', @map(type='json'))
define stream Ask (k string);
@store(type='lmdb') define aggregation Sums from S select k, sum(v) as t group by k aggregate every sec ... year;
@sink(type='log', prefix='SUM', @map(type='json')) define stream Out (k string, t long);
from Ask join Sums on Ask.k == Sums.k within 0L, 9000000000000L per "years" select Sums.k as k, Sums.t as t insert into Out;
APP
    fresh_files
    echo '{"event":{"k":"a","v":5}}' >"$dir/in.txt"
    start_agent --state "$state" "$dir/sums.siddhi"
    until_true summed 5 && until_true second_is_written || return 1
    kill_agent
    fresh_files
    start_agent --state "$state" "$dir/sums.siddhi"
    until_true summed 5 || return 1
    echo '{"event":{"k":"a","v":7}}' >>"$dir/in.txt"
    until_true summed 12 && stop_agent
}
# The second of the first event is over, and its row is in the store.
second_is_written() {
    "$WEIR" state inspect --state "$state" 2>/dev/null | grep -qi '[1-9][0-9]*  rows of Sums_SECONDS'
}
summed() {
    ask a
    read -r -t 0.1 -u "$never"
    logged "SUM.*\"a\",\"t\":$1\\b"
}
ok tables-need-a-folder needs_a_folder
ok tables-survive-a-kill survives_a_kill
ok tables-keep-what-a-query-wrote keeps_what_a_query_wrote
ok tables-count-once-when-durable counts_once_when_durable
ok tables-stay-when-the-text-changes stays_when_the_text_changes
ok tables-stay-when-the-app-goes-back stays_when_the_app_goes_back
ok tables-aggregates-go-on aggregates_go_on
ok tables-refuse-another-definition refuses_another_definition
tally
