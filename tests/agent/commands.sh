#!/usr/bin/env bash
# commands.sh - check, explain, test, replay, bench, version: what they print, where, and how they exit.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
weir=$PWD/${WEIR:-build/asan/weir}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
passed=0 failed=0

# expect NAME EXIT STDOUT STDERR COMMAND...: the two are patterns; '-' is nothing at all
expect() {
    local name=$1 code=$2 want_out=$3 want_err=$4 good=1
    shift 4
    "$@" >out 2>err </dev/null
    local got=$?
    [[ $got == "$code" ]] || good=0
    local out err
    out=$(<out) err=$(<err)
    if [[ $want_out == - ]]; then [[ -z $out ]] || good=0; else [[ $out == $want_out ]] || good=0; fi
    if [[ $want_err == - ]]; then [[ -z $err ]] || good=0; else [[ $err == $want_err ]] || good=0; fi
    if [[ $good == 1 ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAIL %s: exit code %s, wanted %s\n' "$name" "$got" "$code"
    head -n 5 out err
}

cat >good.siddhi <<'EOA'
define stream S (k string, v double, ts long);
@info(name = 'hot') from S[v > 40.0] select k, v insert into Hot;
from S#window.lengthBatch(2) select avg(v) as a insert into Averages;
EOA
echo 'define stream S (a int); from S[b > 1] select a insert into T;' >bad.siddhi
printf 'k,v,ts\na,50,1000\n"b,c",3.5,2000\nd,,3000\ne,41,4000\n' >in.csv
printf '{"k":"x","v":99,"ts":1500}\n\n{"k":null,"v":1}\n' >in.jsonl

expect check-good 0 - - "$weir" check good.siddhi
expect check-bad 1 - 'bad.siddhi:1:33: *' "$weir" check good.siddhi bad.siddhi
expect check-json 1 '{"file":"bad.siddhi","line":1,"column":33,"severity":"error","message":"*"*}' - "$weir" check --json bad.siddhi
expect check-absent 1 - '*nowhere.siddhi: No such file or directory' "$weir" check nowhere.siddhi
expect check-nothing 2 - 'weir check: name an app*' "$weir" check
expect check-option 2 - 'weir check: there is no option --nope*' "$weir" check --nope
printf 'define stream S (a int);\0' >nul.siddhi
expect check-nul 1 - 'nul.siddhi:1:25: *' "$weir" check nul.siddhi
printf 'define stream S (a int); -- \xff\xfe\n' >utf8.siddhi
expect check-utf8 1 - 'utf8.siddhi:1:*' "$weir" check utf8.siddhi
head -c 5000000 /dev/zero | tr '\0' ' ' >big.siddhi
expect check-big 1 - '*big.siddhi: more than 4194304 bytes' "$weir" check big.siddhi

expect explain 0 '*Hot*' - "$weir" explain good.siddhi
cat >looks.siddhi <<'EOA'
define stream S (k string, v int);
@primaryKey('k') define table T (k string, v int);
define table U (k string, v int);
define window W (k string, v int) length(5) output expired events;
@store(type='lmdb') define aggregation A from S select k, sum(v) as s group by k aggregate every sec;
@sink(type='log', on.error='wait') define stream O (k string);
from S[v > 3 and (T.k == k) in T and (U.k == k) in U] select k, v insert into W;
from W select k, (T.v > 5 in T) as b insert into B;
from S[v == 1] select k insert into O;
EOA
expect explain-looks 0 '*only expired events*kept in the store*lookup in T by primary key (k), lookup in U by scan*select *lookup in T by scan*sink O log *on.error wait*' - \
    "$weir" explain looks.siddhi
expect explain-bad 1 - 'bad.siddhi:1:33: *' "$weir" explain bad.siddhi
expect explain-two 2 - 'weir explain: name one app*' "$weir" explain good.siddhi bad.siddhi

expect version 0 'weir 0.1.0 linux-*' - "$weir" version
expect version-json 0 '{"version":"0.1.0","target":"linux-*","libraries":{*},"features":{*"mqtt"*}}' - "$weir" version --json
expect version-option 2 - 'weir version: there is no option --xml*' "$weir" version --xml
expect help 0 '*weir COMMAND*' - "$weir" --help
expect unknown 2 - "weir: there is no command 'frobnicate'*" "$weir" frobnicate

expect replay 0 '{"stream":"Hot","at":1000,"data":{"k":"a","v":50.0}}
{"stream":"Averages","at":2000,"data":{"a":26.75}}
{"stream":"Hot","at":4000,"data":{"k":"e","v":41.0}}
{"stream":"Averages","at":4000,"data":{"a":41.0}}' - "$weir" replay good.siddhi --input S=in.csv --time ts
expect replay-output 0 '{"stream":"Averages",*' - "$weir" replay good.siddhi --input S=in.csv --output Averages --time ts
expect replay-json 0 '{"stream":"Hot","at":1700000000000,"data":{"k":"x","v":99.0}}
{"stream":"Averages","at":1700000000001,"data":{"a":50.0}}' - "$weir" replay good.siddhi --input S=in.jsonl
"$weir" replay good.siddhi --input S=in.csv --time ts --output S >again.jsonl
expect replay-chained 0 '{"stream":"Hot","at":1000,*{"stream":"Averages","at":4000,*' - "$weir" replay good.siddhi --input S=again.jsonl
expect replay-stream 1 - "*the app has no stream 'X'*" "$weir" replay good.siddhi --input X=in.csv
expect replay-time 1 - "*stream 'S' has no attribute 'when'*" "$weir" replay good.siddhi --input S=in.csv --time when
printf 'k,v,ts\na,warm,1\n' >wrong.csv
expect replay-type 1 - "*wrong.csv: line 2: 'warm' is no double, which 'v' is" "$weir" replay good.siddhi --input S=wrong.csv
printf 'x,y\n1,2\n' >other.csv
printf 'k,v,ts\na,1,1\n\377,1,2\n' >latin.csv
expect replay-no-text 1 - "*latin.csv: line 3: the byte 0xFF is no UTF-8" "$weir" replay good.siddhi --input S=latin.csv
expect replay-header 1 - "*other.csv: line 1: the header names no attribute of 'S'" "$weir" replay good.siddhi --input S=other.csv
printf '{"k":"x"\n' >wrong.jsonl
expect replay-json-wrong 1 - "*wrong.jsonl: line *" "$weir" replay good.siddhi --input S=wrong.jsonl
expect replay-no-input 2 - 'weir replay: name an input*' "$weir" replay good.siddhi
expect replay-bad-app 1 - 'bad.siddhi:1:33: *' "$weir" replay bad.siddhi --input S=in.csv

expect bench 0 '{"bench":"good","events":10,"cpu_s":*,"events_per_cpu_s":*,"rss_kb":*,"output_events":10}' - \
    "$weir" bench good.siddhi --input S=in.csv --warmup 4 --events 10 --time ts
expect bench-number 2 - 'weir bench: --events wants a number*' "$weir" bench good.siddhi --input S=in.csv --events many

cat >cases.jsonl <<'EOA'
{"name":"right","app":"define stream S (v int); from S[v > 1] select v insert into O;","steps":[{"send":"S","at":1,"data":[1]},{"send":"S","at":2,"data":[2]}],"expect":{"error":false,"streams":{"O":[{"at":2,"data":[2]}]}}}
{"name":"wrong","app":"define stream S (v int); from S[v > 1] select v insert into O;","steps":[{"send":"S","at":2,"data":[2]}],"expect":{"error":false,"streams":{"O":[{"at":2,"data":[3]}]}}}
{"name":"refused","app":"define stream S (v int); from T select v insert into O;","steps":[],"expect":{"error":true}}
EOA
expect test 1 'FAIL wrong: streams.O[[]0]: expected {"at":2,"data":[[]3]}, got {"at":2,"data":[[]2]}
2 passed, 1 failed' - "$weir" test cases.jsonl
expect test-show-none 1 '2 passed, 1 failed' - "$weir" test --show 0 cases.jsonl
expect test-restart 1 '*2 passed, 1 failed' - "$weir" test --restart-every 1 cases.jsonl
"$weir" test --record cases.jsonl >recorded.jsonl
expect test-recorded 0 '3 passed, 0 failed' - "$weir" test recorded.jsonl
expect test-malformed 1 '0 passed, 1 failed' 'wrong.jsonl:*' "$weir" test wrong.jsonl
expect test-absent 1 '*0 passed, 1 failed' '*No such file*' "$weir" test nowhere.jsonl
expect test-nothing 2 - 'weir test: name a case file*' "$weir" test
if [[ $("$weir" test --record - <cases.jsonl) == "$(<recorded.jsonl)" ]]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo 'FAIL test-stdin'
fi

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
