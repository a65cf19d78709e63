#!/usr/bin/env bash
# query.sh - weir query: tables, named windows and aggregations of a running agent, asked over its control socket; what is refused and how; clients
# that misbehave; changes that outlive a kill.
. "$(dirname "$0")/lib.bash"

cat >"$dir/room.siddhi" <<'EOA'
@app:name('Room')
define stream P (ts long, v int);
define stream B (v int);
@primaryKey('k') define table T (k string, v int);
define table List (k string, v int);
define table Numbers (n double, b bool, l long, t string);
define window W (k string, v int) length(2);
define window Batch (v int) lengthBatch(2);
define trigger Start at 'start';
define aggregation A from P select sum(v) as total, count() as n aggregate by ts every sec...year;
from Start select 'a' as k, 1 as v insert into T;
from Start select 'b' as k, 22 as v insert into T;
from Start select 0.5 as n, true as b, 5L as l, 'x' as t insert into Numbers;
from Start select 'w1' as k, 1 as v insert into W;
from Start select 'w2' as k, 2 as v insert into W;
from Start select 'w3' as k, 3 as v insert into W;
from Start select 1 as v insert into Batch;
from Start select 1000L as ts, 4 as v insert into P;
from Start select 2000L as ts, 6 as v insert into P;
EOA
cat >"$dir/other.siddhi" <<'EOA'
define table T (k string);
define trigger Start at 'start';
from Start select 'other' as k insert into T;
EOA
socket=$dir/state/control.sock
query() { # APP QUERY: to an agent with its state in $dir/state
    timeout 60 "$WEIR" query --state "$dir/state" "$@"
}
# gives WANTED APP QUERY [OPTION]: just these lines, exit 0, nothing else
gives() {
    local wanted=$1 got rc
    shift
    got=$(query "$@" 2>"$dir/said")
    rc=$?
    [[ $rc == 0 && $got == "$wanted" && ! -s $dir/said ]] && return 0
    printf '    exit code %s, wanted:\n%s\n    got:\n%s\n' "$rc" "$wanted" "$got"
    return 1
}
refuses() { # PATTERN APP QUERY: exit 1, nothing on standard output
    local pattern=$1 rc
    shift
    query "$@" >"$dir/rows" 2>"$dir/said"
    rc=$?
    [[ $rc == 1 && ! -s $dir/rows ]] && grep -qE -- "$pattern" "$dir/said" && return 0
    echo "    exit code $rc, wanted 1 and: $pattern"
    return 1
}
talk() { # CODE
    perl tests/agent/talk.pl "$socket" "$1"
}

# ---- where there is no agent; wrong usage ----
ok query-no-agent refuses "no agent answers at $dir/none/control.sock" --state "$dir/none" Room 'from T'
: >"$dir/file"
ok query-no-socket refuses "no agent answers at $dir/file" --socket "$dir/file" Room 'from T'
echo '{"control.socket": ""}' >"$dir/closed.json"
echo '{}' >"$dir/plain.json"
echo '{"state": 5}' >"$dir/wrong.json"
ok query-config-closed says 1 '"control.socket" is empty' "$WEIR" query -c "$dir/closed.json" Room 'from T'
ok query-config-stateless says 1 'no folder for state' "$WEIR" query -c "$dir/plain.json" Room 'from T'
ok query-config-wrong says 1 "wrong.json:1:11: 'state' must be text" "$WEIR" query -c "$dir/wrong.json" Room 'from T'
ok query-nowhere says 2 'say where the agent is' "$WEIR" query Room 'from T'
ok query-nothing says 2 'name an app' "$WEIR" query
ok query-app-alone says 2 'give a query' "$WEIR" query --state x Room
ok query-unquoted says 2 'is the query in quotes' "$WEIR" query --state x Room from T
ok query-option says 2 'there is no option --jsno' "$WEIR" query --jsno Room 'from T'
ok query-option-value says 2 '--socket needs a value' "$WEIR" query Room 'from T' --socket

# ---- what it answers ----
start_ready --state "$dir/state" "$dir/room.siddhi" "$dir/other.siddhi" || exit 1
a='{"k":"a","v":1}' b='{"k":"b","v":22}'
socket_is_private() { [[ $(stat -c '%F %a' "$socket") == 'socket 600' ]]; }
ok socket-is-private socket_is_private
ok table-all gives "$a"$'\n'"$b" Room 'from T'
ok table-select gives '{"twice":44,"k":"b"}' Room "from T on k == 'b' select v * 2 as twice, k"
ok table-nothing gives '' Room "from T on k == 'zz' select k"
ok table-aggregate gives '{"s":23,"c":2}' Room 'from T select sum(v) as s, count() as c'
ok table-group gives '{"k":"b","s":22}' Room 'from T select k, sum(v) as s group by k having s > 5 order by s limit 1'
ok table-order gives "$b"$'\n'"$a" Room 'from T select k, v order by v desc'
ok table-offset gives "$b" Room 'from T select k, v order by v limit 1 offset 1'
ok types gives '{"n":0.5,"b":true,"l":5,"t":"x","missing":null}' Room 'from Numbers select n, b, l, t, convert(t, "int") as missing'
ok insert gives '' Room 'select """ö "q".""" as k, -5 as v insert into List'
ok inserted gives '{"k":"ö \"q\".","v":-5}' Room 'from List'
ok upsert gives '' Room "select 'c' as k, 3 as v update or insert into T set T.v = v on T.k == k"
ok update gives '' Room "select 'b' as key, 44 as v update T set T.v = v on T.k == key"
ok changed gives "$a"$'\n{"k":"b","v":44}\n{"k":"c","v":3}' Room 'from T select k, v order by k'
ok delete gives '' Room "delete T on T.v > 10"
ok deleted gives "$a"$'\n{"k":"c","v":3}' Room 'from T select k, v order by k'
ok window gives $'{"k":"w2","v":2}\n{"k":"w3","v":3}' Room 'from W select k, v'
ok window-on gives '{"t":3}' Room 'from W on v > 2 select sum(v) as t'
ok window-batch gives '' Room 'from Batch'
ok aggregation gives $'{"total":4}\n{"total":6}' Room "from A within 0L, 10000L per 'sec' select total order by total"
ok aggregation-range gives '{"total":10,"n":2}' Room "from A within '1970-**-** **:**:**' per 'years' select total, n"
ok aggregation-on gives '{"AGG_TIMESTAMP":2000,"total":6}' Room "from A on total > 5 within 0L, 10000L per 'seconds' select AGG_TIMESTAMP, total"
ok aggregation-nothing gives '' Room "from A within 20000L, 30000L per 'sec' select total"
ok app-of-file gives '{"k":"other"}' other 'from T'
ok table-for-people gives $'k  wide\n-  ----\na     1\nc     3' --table Room 'from T select k, v as wide order by k'
ok table-of-nothing gives $'k\n-' --table Room "from T on v > 1000 select k"
query Room "select 'line' as k, 7 as v insert into List" || exit 1
ok table-wide gives $'k        v\n------  --\nö "q".  -5\nline     7' --table Room 'from List'
ok table-of-change gives '' --table Room "delete List on 1 == 1"
ok socket-option gives "$a" --socket "$socket" Room "from T on k == 'a'"
echo "{\"state\": \"$dir/state\"}" >"$dir/config.json"
ok config-option gives "$a" -c "$dir/config.json" Room "from T on k == 'a'"
clock_goes() { # a query's clock is now, though nothing happens in the app
    local first second
    first=$(query Room 'from T select currentTimeMillis() as t limit 1') || return 1
    later() {
        second=$(query Room 'from T select currentTimeMillis() as t limit 1')
        [[ $second > $first ]]
    }
    until_true later
}
ok clock-goes clock_goes
chance() { # each query has its own
    [[ $(query Room 'from T select UUID() as u limit 1') != "$(query Room 'from T select UUID() as u limit 1')" ]]
}
ok chance-is-fresh chance
uuid_is_random() { [[ $(query Room 'from T select UUID() as u limit 1') =~ \"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\" && ! ${BASH_REMATCH[0]} =~ 00000000 ]]; }
ok uuid-is-random uuid_is_random

# ---- what it refuses ----
ok refused-name refuses "^query:1:15: 'nope' is not an attribute of T" Room 'from T select nope'
caret() { grep -qE '^ {18}\^\^\^\^$' "$dir/said"; }
ok refused-caret caret
ok refused-syntax refuses '^query:1:14: expected' Room 'from T select'
ok refused-line refuses '^query:2:8: ' Room $'from T\nselect nope'
ok refused-empty refuses '^query:1:1: ' Room ''
ok refused-store refuses "'X' is neither a table, a window nor an aggregation" Room 'from X'
ok refused-stream refuses "'P' is neither" Room 'from P'
ok refused-delete refuses "'delete' needs 'on'" Room 'delete T'
ok refused-no-table refuses 'W' Room "select 'a' as k, 1 as v insert into W"
ok refused-attributes refuses '^query:1:' Room 'select 1 as z insert into T'
ok refused-per refuses "'weeks'" Room "from A within 0L, 1000L per 'weeks' select total"
ok refused-range refuses "'within': the start 5 is not before the end 1" Room "from A within 5L, 1L per 'sec' select total"
ok refused-app-text refuses '^query:1:' Room 'define stream Q (a int);'
ok unknown-app refuses "no app 'Rom' runs here; did you mean 'Room'" Rom 'from T'
lists_apps() { grep -qE '^apps: (Room, other|other, Room)$' "$dir/said"; }
ok unknown-app-list lists_apps
ok unknown-app-far refuses "no app 'Cellar' runs here" Cellar 'from T'
ok refused-too-long refuses 'the request is longer than 65536 bytes' Room "from T on k == '$(head -c 70000 /dev/zero | tr '\0' x)'"
ok refused-utf8 refuses 'not JSON' Room $'from T on k == \'\xff\''

# ---- clients that misbehave, and several at once ----
lives() { gives "$a" Room "from T on k == 'a'"; }
ok two-clients talk 'my ($a, $b) = (there(), there());
    print $a substr(request("Room", "from T"), 0, 20);
    ask($b, "Room", "from T") =~ /^\{"columns".*\{"row".*\{"done":2\}\n$/s or return 0;
    print $a substr(request("Room", "from T"), 20), "\n";
    answer($a) =~ /\{"done":2\}/'
ok several-requests talk 'my $s = there();
    print $s request("Room", "from T on 1 == 2"), "\n", request("Nobody", "from T"), "\n", request("other", "from T"), "\n";
    answer($s) =~ /"done":0/ && answer($s) =~ /"error":"app".*"apps":\[/ && answer($s) =~ /"k":"other"/'
ok last-words talk 'my $s = there(); print $s request("Room", "from T"), "\n"; shutdown $s, 1; answer($s) =~ /"done":2/ && hangs_up($s)'
for line in 'hello' '' '[]' '{}' '5' '{"app":"Room"}' '{"app":"Room","query":5}' '{"app":"Room","query":"from T","more":1}' \
    '{"app":"Room","app":"Room","query":"from T"}' '{"app":"Room","query":"from T"} x' '{"app":"Room\u0000","query":"from T"}'; do
    ok "garbage-${line:0:24}" talk "my \$s = there(); print \$s <<'END'; answer(\$s) =~ /^\\{\"error\":\"(request|app)\"/ && ask(\$s, 'other', 'from T') =~ /done/
$line
END
"
done
ok random-bytes talk 'my $s = there(); print $s join("", map { chr(int(rand(256))) } 1 .. 5000), "\n"; answer($s) =~ /^\{"error":"request"/'
ok deep-json talk 'my $s = there(); print $s "[" x 60000, "\n"; answer($s) =~ /^\{"error":"request"/'
ok longest-line talk 'my $s = there(); my $q = "from T"; $q .= " " x (65536 - length request("Room", $q)); ask($s, "Room", $q) =~ /"done":2/'
ok too-long-line talk 'my $s = there(); my $q = "from T"; $q .= " " x (65537 - length request("Room", $q));
    ask($s, "Room", $q) =~ /^\{"error":"request".*longer than 65536 bytes/'
ok huge-line talk 'my $s = there(); print $s "x" x 1000 for 1 .. 20000; answer($s) =~ /longer than 65536 bytes/ or $!{ECONNRESET}'
ok hangs-up-half-way talk 'for (1 .. 50) { my $s = there(); print $s "{\"app\":\"Ro"; close $s } 1'
ok hangs-up-unheard talk 'for (1 .. 50) { my $s = there(); print $s request("Room", "from T"), "\n"; close $s } 1'
ok lives-after-them lives
# Eight hold all places and say nothing: they are dropped, and who waits is heard.
ok idle-are-dropped talk 'my @idle = map { there() } 1 .. 8; my $s = there(); ask($s, "Room", "from T") =~ /"done":2/ && hangs_up($idle[0])'
# 20 rows of 60000 bytes are answered; of 300, too many bytes for an answer.
fill='my $s = there(); for (1 .. $rows) { ask($s, "Room", "select str:repeat(\"x\", 60000) as k, $_ as v insert into List") =~ /"done":0/ or return 0 }'
ok big-rows talk "my \$rows = 20; $fill length(ask(\$s, 'Room', 'from List')) > 1200000"
ok slow-reader talk 'my ($slow, $s) = (there(), there()); print $slow request("Room", "from List"), "\n";
    ask($s, "other", "from T") =~ /done/ or return 0; length(answer($slow)) > 1200000'
ok never-reads talk 'my ($slow, $s) = (there(), there()); print $slow request("Room", "from List"), "\n"; $slow->blocking(0);
    while (1) { ask($s, "other", "from T") =~ /done/ or return 0; defined(syswrite $slow, " ") || $!{EAGAIN} or return 1 }'
ok too-big-answer talk "my \$rows = 280; $fill ask(\$s, 'Room', 'from List') =~ /^\\{\"error\":\"size\".*longer than 16777216 bytes/"
ok too-big-part gives '{"v":1}' Room 'from List select v limit 1'
ok lives-after-all lives
ok stops stop_agent
socket_gone() { [[ ! -e $socket ]]; }
ok socket-is-gone socket_gone

# ---- the socket's place ----
start_ready --state "$dir/state" "$dir/other.siddhi" || exit 1
kill_agent
socket_stale() { [[ -S $socket ]]; }
ok killed-leaves-socket socket_stale
ok stale-is-nobody refuses 'no agent answers' other 'from T'
start_ready --state "$dir/state" "$dir/other.siddhi" || exit 1
ok stale-is-replaced gives '{"k":"other"}' other 'from T'
first=$agent agent=
echo "{\"control.socket\": \"$socket\"}" >"$dir/same.json"
start_ready -c "$dir/same.json" "$dir/room.siddhi" || exit 1
ok other-agent-answers logged 'no control socket: .*another agent answers'
ok other-agent-works stop_agent
agent=$first
ok first-agent-stays gives '{"k":"other"}' other 'from T'
ok first-agent-stops stop_agent
echo "{\"control.socket\": \"$dir/file\"}" >"$dir/file.json"
start_ready -c "$dir/file.json" "$dir/other.siddhi" || exit 1
ok socket-is-file logged 'no control socket: .*no socket stands there'
file_stays() { stop_agent && [[ -f $dir/file ]]; }
ok file-stays file_stays
start_ready -c "$dir/closed.json" --state "$dir/state" "$dir/other.siddhi" || exit 1
ok socket-none socket_gone
ok socket-none-stops stop_agent
long=$dir/$(head -c 150 /dev/zero | tr '\0' d)
start_ready --state "$long" "$dir/other.siddhi" || exit 1
ok long-path gives '{"k":"other"}' --state "$long" other 'from T'
long_gone() { stop_agent && [[ ! -e $long/control.sock ]]; }
ok long-path-ends long_gone

# ---- an app that waits ----
cat >"$dir/full.siddhi" <<'EOA'
@app:name('Full')
define trigger Tick at every 5 milliseconds;
define table T (v long);
@sink(type='mqtt', url='tcp://127.0.0.1:1', topic='out', @map(type='json')) define stream Out (v long);
from Tick select triggered_time as v insert into Out;
EOA
echo "{\"state\": \"$dir/state\", \"outbox.messages\": 1, \"shutdown.ms\": 0}" >"$dir/full.json"
start_ready -c "$dir/full.json" "$dir/full.siddhi" || exit 1
full() { refuses 'app Full waits for a sink that is full' Full 'from T'; }
ok held-by-sink until_true full
kill_agent

# ---- durable ----
# Looking into a batch window changes what it lets go later, and ticks take chance: a replay must meet the same queries at the same places.
cat >"$dir/keep.siddhi" <<'EOA'
@app:name('Keep') @app:durable
@primaryKey('k') define table T (k string, u string);
define table Seen (u string, at long);
define window Batch (u string) lengthBatch(3) output all events;
define trigger Tick at every 5 milliseconds;
define function next[javascript] return int { if (typeof n === 'undefined') n = 0; n = n + 1; return n; };
from Tick select UUID() as u insert into Batch;
from Batch select u, eventTimestamp() as at insert all events into Seen;
EOA
start_ready --state "$dir/state" "$dir/keep.siddhi" || exit 1
numbers=0
kept() { # what was answered is there after a kill, and all that came before it
    local i before after seen
    for ((i = 0; i < 5; i++)); do
        query Keep "select 'k$1$i' as k, UUID() as u insert into T" || return 1
        query Keep 'from T select UUID() as u limit 1' >/dev/null || return 1
        query Keep 'from Batch' >/dev/null || return 1
        numbers=$((numbers + 1))
        gives "{\"n\":$numbers}" Keep "from T on T.k == 'k10' select next() as n" || return 1
    done
    seen=$(query Keep 'from Seen') || return 1
    query Keep "update T set T.u = str:concat(T.u, '+') on T.k == 'k${1}3'" && query Keep "delete T on T.k == 'k${1}4'" || return 1
    before=$(query Keep 'from T') || return 1
    kill_agent
    start_ready --state "$dir/state" "$dir/keep.siddhi" || return 1
    after=$(query Keep 'from T')
    if [[ $before != "$after" || $(wc -l <<<"$after") != $((4 * $1)) ]]; then
        printf '%s\n-- became\n%s\n' "$before" "$after"
        return 1
    fi
    query Keep 'from Seen' | head -n "$(wc -l <<<"$seen")" | diff <(echo "$seen") - | head -n 5
    [[ ${PIPESTATUS[2]} == 0 ]]
}
for round in 1 2 3; do
    ok "kept-over-kill-$round" kept "$round"
done
ok refused-leaves-nothing refuses '^query:1:' Keep 'select 1 as z insert into T'
ok durable-stops stop_agent
if [[ $WEIR == *asan* ]]; then
    WEIR_FAULT=store.commit:3:full:1000 start_ready --state "$dir/state" "$dir/keep.siddhi" || exit 1
    stuck() { refuses 'app Keep waits for the disk|the change is made, but not on disk' Keep "select 's' as k, 's' as u insert into T"; }
    ok held-by-disk until_true stuck
    kill_agent
fi
tally
