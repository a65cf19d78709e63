#!/usr/bin/env bash
# state.sh - a damaged state: found, named, set aside; what is good in it goes on, and nothing is wrong in silence. SEED=N repeats a run.
. "$(dirname "$0")/lib.bash"
port=1
RANDOM=${SEED:=$((RANDOM + 1))}
echo "seed $SEED"
state=$dir/state good=$dir/good
for name in One Two; do
    cat >"$dir/$name.siddhi" <<APP
@app:name('$name') @app:durable
@source(type='file', file.uri='file:$dir/in.txt', mode='line', tailing='true', @map(type='json'))
define stream S (k string, v long);
@sink(type='mqtt', url='\${MQTT_URL}', topic='out/$name', @map(type='json'))
define stream Out (k string, n long, t long);
@info(name='totals') from S select k, count() as n, sum(v) as t group by k insert into Out;
@info(name='last') from S#window.length(200) select k, max(v) as m insert into Last;
APP
done
run_apps() {
    start_agent --state "$state" "$dir/One.siddhi" "$dir/Two.siddhi" && until_true logged 'ready: 2 apps'
}
fresh() { # the good state again
    rm -rf "$state"
    mkdir "$state"
    cp "$good/data.mdb" "$state/data.mdb"
}
flip() { # FILE OFFSET: the byte there becomes another
    local was
    was=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\x$(printf %x $((was ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
worked_off() {
    "$WEIR" state inspect --state "$state" >"$dir/seen" 2>&1 && [[ $(grep -c 'Out mqtt: 600 messages wait' "$dir/seen") == 2 ]]
}
makes_a_state() {
    local i
    for ((i = 1; i <= 600; i++)); do echo "{\"event\":{\"k\":\"key$((i % 37))\",\"v\":$i}}"; done >"$dir/in.txt"
    run_apps && until_true worked_off || return 1
    grep -q 'an agent uses it' "$dir/seen" && stop_agent && mkdir "$good" && cp "$state/data.mdb" "$good/"
}
inspects() {
    fresh
    says 0 'every page and every checksum is right' "$WEIR" state inspect --state "$state" || return 1
    grep -q 'app One (number 1): checkpoint at ' "$dir/said" && grep -q 'query totals 0 select' "$dir/said" || return 1
    says 0 '"damageCount":0,"damages":\[\]' "$WEIR" state inspect --state "$state" --json || return 1
    says 1 'No such file' "$WEIR" state inspect --state "$dir/nowhere"
}
compacts() {
    local before
    before=$("$WEIR" state inspect --state "$state" --json | sed 's/.*"shelves"/"shelves"/; s/"oldestAgeMs":[0-9]*//g')
    says 0 'bytes before' "$WEIR" state compact --state "$state" || return 1
    [[ $("$WEIR" state inspect --state "$state" --json | sed 's/.*"shelves"/"shelves"/; s/"oldestAgeMs":[0-9]*//g') == "$before" ]] && goes_on 'number 601'
}
# Who may read it is as before, and what root does beside an agent of another user keeps nothing from him.
compacts_for_its_owner() {
    chmod 600 "$state/data.mdb"
    "$WEIR" state compact --state "$state" >/dev/null && [[ $(stat -c %a "$state/data.mdb") == 600 ]] || return 1
    chmod 640 "$state/data.mdb"
    [[ $UID == 0 ]] || return 0
    cp -r "$state" "$dir/owned" && rm -f "$dir/owned"/lock* && chown -R 65534:65534 "$dir/owned" || return 1
    "$WEIR" state compact --state "$dir/owned" >/dev/null && "$WEIR" errors list --state "$dir/owned" >/dev/null || return 1
    [[ -z $(find "$dir/owned" ! -uid 65534) && -e $dir/owned/lock && -e $dir/owned/lock.mdb ]]
}
# The apps run, and go on where they were: nothing of the file comes again.
goes_on() {
    run_apps && stop_agent || return 1
    ! logged 'quarantine' && [[ $("$WEIR" state inspect --state "$state" | grep -c 'next number 601,') == 2 ]]
}
refuses_beside_an_agent() {
    fresh
    run_apps || return 1
    says 1 'an(other)? (agent|weir) uses' "$WEIR" state compact --state "$state" || return 1
    says 1 'stop it first' "$WEIR" state salvage --state "$state" --out "$dir/out1" && stop_agent
}
# What can't be used at all is set aside as it is, and both apps begin anew.
set_aside_whole() { # WORDS
    cp "$state/data.mdb" "$dir/harmed"
    says 1 "$1" "$WEIR" state inspect --state "$state" || return 1
    run_apps && stop_agent || return 1
    logged "$1" && logged 'set aside as .*/quarantine-1/data.mdb' && cmp "$dir/harmed" "$state/quarantine-1/data.mdb" &&
        grep -q "$1" "$state/quarantine-1/report.txt" && "$WEIR" state inspect --state "$state" >"$dir/said" || return 1
    # Numbers of messages that nobody knows any more are not given out again.
    [[ $(grep -c 'next number [0-9]\{16\}' "$dir/said") == 2 ]]
}
garbage() {
    fresh
    head -c 100000 /dev/urandom >"$state/data.mdb"
    set_aside_whole 'not a state'
}
empty() {
    fresh
    : >"$state/data.mdb"
    set_aside_whole 'the file is empty'
}
# The mark of the format as another program would have written it: the record is "format", its bytes behind it.
another_version() {
    local at
    fresh
    "$WEIR" state compact --state "$state" >/dev/null || return 1
    at=$(grep -abo 'format' "$state/data.mdb" | head -1 | cut -d: -f1)
    # Without a checksum, as the first format had it: four bytes, value 1.
    printf '\x04' | dd of="$state/data.mdb" bs=1 seek=$((at - 8)) conv=notrunc 2>/dev/null
    printf '\x01' | dd of="$state/data.mdb" bs=1 seek=$((at + 6)) conv=notrunc 2>/dev/null
    set_aside_whole 'the state has format 1; this program reads format'
}
# Harmed anyhow: it runs, it stops, it says so unless nothing was hit; the harmed file is kept.
survives() {
    local code
    cp "$state/data.mdb" "$dir/harmed"
    timeout 60 "$WEIR" state inspect --state "$state" >"$dir/said" 2>&1
    code=$?
    [[ $code == 0 || $code == 1 ]] || return 1
    if [[ $code == 0 ]]; then
        goes_on
        return
    fi
    grep -qE 'DAMAGED: |weir state: ' "$dir/said" || return 1
    run_apps && stop_agent || return 1
    logged 'set aside as .*quarantine-1' && cmp "$dir/harmed" "$state/quarantine-1/data.mdb" &&
        "$WEIR" state inspect --state "$state" >"$dir/said"
}
cut_off() {
    local size i
    size=$(stat -c %s "$good/data.mdb")
    for i in 100 4096 8192 $((size / 2)) $((size - 4096)) $((RANDOM * 7 % size)); do
        fresh
        truncate -s "$i" "$state/data.mdb"
        survives || { echo "    cut off at $i"; return 1; }
    done
}
flipped() {
    local size i at
    size=$(stat -c %s "$good/data.mdb")
    for i in 1 2 3 4 5 6 7 8; do
        fresh
        at=$(((RANDOM * 32768 + RANDOM) % size))
        [[ $i -gt 2 ]] || at=$((RANDOM % 8192 / 40))
        flip "$state/data.mdb" "$at"
        survives || { echo "    byte $at"; return 1; }
    done
}
# One part of one app: that part begins empty and the log says so, all else goes on.
one_part() {
    local at
    fresh
    "$WEIR" state compact --state "$state" >/dev/null || return 1
    at=$(grep -abo 'query totals 0 select' "$state/data.mdb" | head -1 | cut -d: -f1)
    flip "$state/data.mdb" $((at + 60))
    says 1 "DAMAGED: state.*app (One|Two): part 'query totals 0 select'" "$WEIR" state inspect --state "$state" || return 1
    cp -r "$state" "$dir/damaged"
    run_apps && until_true logged 'app (One|Two): 1 parts are lost and begin empty: query totals' && stop_agent || return 1
    [[ $(grep -c 'its state was damaged: records of its checkpoint may be lost' "$dir/log") == 1 ]] && logged 'weir state salvage' || return 1
    "$WEIR" state inspect --state "$state" >"$dir/said" && [[ $(grep -c 'Out mqtt: 600 messages wait' "$dir/said") == 2 ]]
}
salvages() {
    says 0 'records copied to .*; 1 are lost' "$WEIR" state salvage --state "$dir/damaged" --out "$dir/saved" || return 1
    grep -q 'state: [0-9]* records are good, 1 are lost' "$dir/said" && grep -qE 'app (One|Two): records of its checkpoint may be lost; it goes on' "$dir/said" || return 1
    says 0 'NOT WHOLE: records of its checkpoint' "$WEIR" state inspect --state "$dir/saved" || return 1
    says 1 'there is a state already' "$WEIR" state salvage --state "$dir/damaged" --out "$dir/saved" || return 1
    says 1 'it is damaged' "$WEIR" state compact --state "$dir/damaged"
}
ok state-is-made makes_a_state
ok state-inspect inspects
ok state-compact compacts
ok state-compact-for-its-owner compacts_for_its_owner
ok state-beside-an-agent refuses_beside_an_agent
ok state-garbage garbage
ok state-empty empty
ok state-of-another-version another_version
ok state-cut-off cut_off
ok state-flipped flipped
ok state-one-part one_part
ok state-salvage salvages
tally
