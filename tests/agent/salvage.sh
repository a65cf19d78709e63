#!/usr/bin/env bash
# salvage.sh - one record damaged, of each sort the store has: what is lost is named and counted, all else goes on where it was.
. "$(dirname "$0")/lib.bash"
port=1
state=$dir/state good=$dir/good
export MQTT_URL=tcp://127.0.0.1:1
cat >"$dir/app.siddhi" <<APP
@app:name('One') @app:durable
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v long);
@sink(type='file', file.uri='file:$dir/out.txt', @map(type='json'))
define stream Out (q string, k string, n long, t long);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/waits', @map(type='json'))
define stream Waits (k string, v long);
define window W (k string, v long) length(100);
@primaryKey('k') define table Memory (k string, v long);
@store(type='lmdb') @primaryKey('k') @index('v') define table Stored (k string, v long);
@info(name='totals') from S select 'totals' as q, k, count() as n, sum(v) as t insert into Out;
@info(name='last') from S#window.length(200) select 'last' as q, k, count() as n, sum(v) as t insert into Out;
@info(name='fill') from S select k, v insert into W;
@info(name='named') from W select 'named' as q, k, count() as n, sum(v) as t insert into Out;
@info(name='memory') from S select k, v update or insert into Memory on Memory.k == k;
@info(name='stored') from S select k, v update or insert into Stored on Stored.k == k;
@info(name='fromMemory') from S join Memory on Memory.k == S.k select 'memory' as q, S.k as k, Memory.v as n, S.v as t insert into Out;
@info(name='fromStored') from S[v > 0] join Stored on Stored.k == 'key7' select 'stored' as q, S.k as k, Stored.v as n, S.v as t insert into Out;
@info(name='byIndex') from S[v > 0] join Stored on Stored.v > 0L select 'index' as q, S.k as k, count() as n, sum(Stored.v) as t insert into Index;
@info(name='indexOut') from Index[n % 1L == 0L] select q, k, n, t insert into None;
@info(name='waits') from S[v > 590L] select k, v insert into Waits;
@info(name='keys') partition with (str:concat('part-', k) of S) begin
    from S#window.length(10) select 'keys' as q, k, count() as n, sum(v) as t insert into Out;
end;
APP
lines() { # FROM TO
    local i
    for ((i = $1; i <= $2; i++)); do echo "{\"event\":{\"k\":\"key$((i % 37))\",\"v\":$i}}"; done >>"$dir/in.txt"
}
run_app() {
    start_agent --state "$state" ${config:+-c "$config"} "$dir/app.siddhi" && until_true logged 'ready: 1 app'
}
wrote() { # Q K N T: the row that the sink wrote last for Q and K
    tac "$dir/out.txt" | grep -m1 "\"q\":\"$1\",\"k\":\"$2\"" | grep -q "\"n\":$3,\"t\":$4}"
}
flip() { # FILE OFFSET
    local was
    was=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\x$(printf %x $((was ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
# The place of PATTERN in the store's file, the TIMES-th one: its byte SKIP on is flipped.
harm() { # PATTERN SKIP [TIMES]
    local at
    at=$(LC_ALL=C grep -abobP -- "$1" "$state/data.mdb" | sed -n "${3:-1}p" | cut -d: -f1)
    [[ -n $at ]] || { echo "    $1 is not in the file"; return 1; }
    flip "$state/data.mdb" $((at + $2))
}
fresh() {
    rm -rf "$state"
    mkdir "$state"
    cp "$good/data.mdb" "$state/"
    cp "$good/in.txt" "$good/out.txt" "$dir/"
}
makes_a_state() {
    : >"$dir/in.txt"
    lines 1 600
    run_app && until_true wrote keys key8 10 4335 && until_true wrote totals key8 600 180300 && stop_agent || return 1
    "$WEIR" state compact --state "$state" >/dev/null && mkdir "$good" && cp "$state/data.mdb" "$dir/in.txt" "$dir/out.txt" "$good/"
}
# What is expected of message 601 (key9) when nothing is lost.
expects() { # totals last named keys: n and t of each
    lines 601 601
    until_true wrote totals key9 "$1" "$2" && until_true wrote last key9 "$3" "$4" && until_true wrote named key9 "$5" "$6" &&
        until_true wrote keys key9 "$7" "$8" && wrote memory key9 601 601 && wrote stored key9 "$9" 601
}
whole=(601 180901 200 100300 100 55150 10 4345)
goes_on() { # LOGGED TWICE-LOGGED VALUES
    local want=$1 also=$2
    shift 2
    run_app && logged 'set aside as' || return 1
    logged "$want" && logged "$also" || return 1
    expects "$@" || { tail -n 8 "$dir/out.txt" | sed 's/^/    out: /'; return 1; }
    stop_agent || return 1
    # And once more: it is as any other state now.
    run_app && stop_agent && ! logged 'damaged|quarantine|begins? empty|are lost' && says 0 'every checksum is right' "$WEIR" state inspect --state "$state"
}
nothing_lost() {
    fresh
    run_app && expects "${whole[@]}" 599 && stop_agent
}
part_of_a_query() {
    fresh
    harm 'query totals 0 select' 60 || return 1
    says 1 "DAMAGED: state.*part 'query totals 0 select'" "$WEIR" state inspect --state "$state" || return 1
    goes_on '1 parts are lost and begin empty: query totals \(there is no saved state' 'state: .* good, 1 are lost' 1 601 "${whole[@]:2}" 599
}
piece_of_a_window() {
    fresh
    harm 'Q\x00{7}.\x00{6}\x01[\x00-\xf3]' 60 || return 1
    says 1 'DAMAGED: state.*app One: piece [0-9]* of group [0-9]' "$WEIR" state inspect --state "$state" || return 1
    goes_on 'begin empty: query last' '1 parts' 601 180901 1 601 "${whole[@]:4}" 599
}
# Killed before the first checkpoint: it is mended again, to the same effect.
killed_while_mended() {
    fresh
    harm 'Pquery totals 0 select' 60 || return 1
    WEIR_FAULT=durable.checkpoint:1:kill start_agent --state "$state" "$dir/app.siddhi"
    until_true logged 'begin empty: query totals' || return 1
    # A build without faults goes on: then we are the ones who kill.
    logged 'ready: 1 app' && kill -9 "$agent"
    until_true agent_ended && agent=
    run_app && expects 1 601 "${whole[@]:2}" 599 && stop_agent
}
named_window() {
    fresh
    harm 'Pwindow W window.length' 60 || return 1
    goes_on 'begin empty: window W .*, query named \(it reads a window that begins anew\)' '2 parts' 601 180901 200 100300 1 601 10 4345 599
}
table_in_memory() {
    fresh
    harm 'Ptable Memory' 60 || return 1
    goes_on 'begin empty: table Memory' '1 parts' "${whole[@]}" 599
}
key_of_a_partition() {
    fresh
    harm 'part-key9' 4 || return 1
    goes_on 'begin empty: partition keys' '1 parts' "${whole[@]:0:6}" 1 601 599
}
# The page that begins with the 4096 bytes of the file where PATTERN stands is garbage.
whole_page() {
    fresh
    local at
    at=$(LC_ALL=C grep -abobP 'Pquery totals 0 select' "$state/data.mdb" | head -1 | cut -d: -f1)
    head -c 4096 /dev/zero | tr '\0' 'x' | dd of="$state/data.mdb" bs=4096 seek=$((at / 4096)) conv=notrunc 2>/dev/null
    # What else lies in that page depends on where the file's pages fell: each part is whole or begins empty.
    run_app && logged 'set aside as' && logged 'parts are lost and begin empty: .*query totals' || return 1
    lines 601 601
    until_true wrote totals key9 1 601 && until_true whole_or_empty last 200 100300 && until_true whole_or_empty named 100 55150 &&
        until_true whole_or_empty keys 10 4345 && wrote memory key9 601 601 && wrote stored key9 599 601 || return 1
    stop_agent && run_app && stop_agent && ! logged 'damaged|quarantine|begins? empty|are lost' &&
        says 0 'every checksum is right' "$WEIR" state inspect --state "$state"
}
whole_or_empty() { # Q N T
    wrote "$1" key9 "$2" "$3" || wrote "$1" key9 1 601
}
# A row, a key to it, the next row's number, the table's name.
row_of_a_table() {
    fresh
    harm 'r\x00{7}\x08.{8}' 10 || return 1
    says 1 'DAMAGED: tables.*app One: table Stored \(number 1\), row 8' "$WEIR" state inspect --state "$state" || return 1
    goes_on 'table Stored: 36 rows are there, 1 are lost, 0 keys' 'rows of its stored tables' "${whole[@]}" 599
}
key_of_a_table() {
    fresh
    harm '\x00\x00\x00\x01\x00\x00\x00\x01p' 10 1 || return 1
    says 1 'DAMAGED: tables.*app One: table Stored \(number 1\), a key' "$WEIR" state inspect --state "$state" || return 1
    goes_on 'table Stored: 37 rows are there, 0 are lost, 1 keys' 'set aside' "${whole[@]}" 599
}
next_row_of_a_table() {
    fresh
    harm '\x00\x00\x00\x01\x00\x00\x00\x01n' 14 || return 1
    goes_on 'table Stored: 37 rows are there, 0 are lost, 0 keys' 'set aside' "${whole[@]}" 599
}
journal() {
    fresh
    echo "{\"state\": \"$state\", \"checkpoint.bytes\": 10000000}" >"$dir/config.json"
    start_agent -c "$dir/config.json" "$dir/app.siddhi" && until_true logged 'ready: 1 app' || return 1
    lines 601 601 && until_true wrote keys key9 10 4345 && lines 602 602 && until_true wrote keys key10 10 4355 || return 1
    lines 603 603 && until_true wrote keys key11 10 4365 || return 1
    kill -9 "$agent"
    wait "$agent" 2>/dev/null
    agent=
    "$WEIR" state compact --state "$state" >/dev/null && harm '"v":602' 3 || return 1
    run_app && logged 'records [0-9]* to [0-9]* of the journal are lost' && logged 'records of its journal may be lost' || return 1
    lines 604 604
    until_true wrote totals key12 603 182108 && until_true wrote keys key12 10 4375 && stop_agent || return 1
    # What went out before the kill and was not acknowledged may have come again.
    [[ $(grep '"q":"totals"' "$dir/out.txt" | sort -u | wc -l) == 604 ]]
}
outbox() {
    fresh
    harm '"v":595' 3 || return 1
    goes_on 'sink Waits: messages that waited are lost: of the numbers 1 to 10, 0 are there' 'messages that waited for its sinks may be lost' "${whole[@]}" 599
}
# Marks: they are there twice.
mark() { # PATTERN SKIP [TIMES]
    fresh
    harm "$@" || return 1
    says 1 'DAMAGED: ' "$WEIR" state inspect --state "$state" || return 1
    goes_on 'marks may be lost|records of its checkpoint' 'every part of its state was good' "${whole[@]}" 599 || return 1
    [[ $(grep -c '"q":"totals"' "$dir/out.txt") == 601 ]] && "$WEIR" state inspect --state "$state" | grep -q 'One/Waits mqtt: 11 messages wait'
}
texts() {
    local i
    for i in 1 2 3 4; do mark "@app:name\('One'\)" 12 $i || { echo "    the $i. copy"; return 1; }; done
}
# Killed behind the commit, before the broker knows, and the mark that tells repeats from new messages damaged: each counts once all the same.
repeats() {
    local i
    start_broker && listen 'out/#' || return 1
    rm -rf "$state"
    cat >"$dir/counts.siddhi" <<APP
@app:name('Counts') @app:durable
@source(type='mqtt', url='\${MQTT_URL}', topic='in', client.id='salvage', clean.session='false', quality.of.service='1', @map(type='json'))
define stream S (v long);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/n', quality.of.service='1', @map(type='json'))
define stream Out (v long, n long, t long);
from S select v, count() as n, sum(v) as t insert into Out;
APP
    start_agent --state "$state" "$dir/counts.siddhi" && until_true subscribed in && publish in '{"event":{"v":1}}' && until_true came '"n":1,"t":1}' &&
        stop_agent || return 1
    for i in 2 3 4 5 6 7; do
        "$WEIR" state compact --state "$state" >/dev/null && harm 'c\x00\x00\x00\x01' 20 || return 1
        WEIR_FAULT=commit.after:$((i / 2)):kill start_agent --state "$state" "$dir/counts.siddhi"
        publish in "{\"event\":{\"v\":$i}}"
        until_true agent_ended || return 1
        logged 'set aside as' && ! logged 'cannot be used' || return 1
        rm -rf "$state"/quarantine-*
    done
    start_agent --state "$state" "$dir/counts.siddhi" && publish in '{"event":{"v":8}}'
    until_true came '"v":8,"n":8,"t":36}' && stop_agent
}
repeats_are_known() {
    # It needs a build that can be made to die at a place.
    WEIR_FAULT=commit.before:1:kill "$WEIR" run --state "$dir/dies" "$dir/app.siddhi" >/dev/null 2>&1 &
    agent=$!
    sleepless 3 agent_ended || { kill -9 "$agent"; wait "$agent"; agent=; echo '    not a build with faults: left out'; return 0; }
    repeats
}
sleepless() { # SECONDS COMMAND...
    local wait_s=$1
    shift
    until_true "$@"
}
ok salvage-state makes_a_state
ok salvage-none nothing_lost
ok salvage-part part_of_a_query
ok salvage-killed killed_while_mended
ok salvage-piece piece_of_a_window
ok salvage-named-window named_window
ok salvage-table table_in_memory
ok salvage-partition key_of_a_partition
ok salvage-page whole_page
ok salvage-stored-row row_of_a_table
ok salvage-stored-key key_of_a_table
ok salvage-stored-number next_row_of_a_table
ok salvage-journal journal
ok salvage-outbox outbox
ok salvage-name mark 'aOne' 10
ok salvage-checkpoint mark 'c\x00\x00\x00\x01' 20
ok salvage-sink mark 'mqtt\x00Waits' 12
ok salvage-outbox-mark mark 'o\x00\x00\x00\x02' 12
ok salvage-texts texts
ok salvage-repeats repeats_are_known
tally
