#!/usr/bin/env bash
# broker.sh - a broker that is absent at start, killed in the middle and back later; and the end under load.
export WEIR_BACKOFF_FIRST_MS=100 # waits between tries to connect begin so, not with 5 s
. "$(dirname "$0")/lib.bash"
app Filter in out/f 10 >"$dir/filter.siddhi"
# Finds a free port, then leaves it.
start_broker || exit 1
stop_broker

absent_at_start() {
    start_agent "$dir/filter.siddhi"
    until_true logged 'ready: 1 app' && until_true logged 'sink Out: (disconnected|failed)' && ! agent_ended
}
comes() {
    start_broker "$port" && listen 'out/#' && until_true subscribed in || return 1
    publish in '{"k":"a","v":11}' && until_true came '"v":11'
}
killed() {
    stop_listening
    stop_broker
    until_true logged 'source S: disconnected' && ! agent_ended
}
is_back() {
    start_broker "$port" && listen 'out/#' && until_true subscribed in || return 1
    publish in '{"k":"b","v":12}' && until_true came '"v":12'
}
# TERM while messages come: what was taken is worked off and handed over before it ends.
ends_under_load() {
    local i
    for ((i = 0; i < 5000; i++)); do echo "{\"k\":\"load\",\"v\":$((1000 + i))}"; done >"$dir/load"
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in -l <"$dir/load" &
    local pub=$!
    until_true came load 200 && stop_agent || return 1
    wait $pub
    [[ $(tail -n 1 "$dir/log") =~ in\ ([0-9]+),\ rejected\ 0,\ out\ ([0-9]+),\ lost\ 0 ]] || return 1
    local in=${BASH_REMATCH[1]} out=${BASH_REMATCH[2]}
    [[ $in == "$out" ]] && until_true came . "$((out - 2))"
}
ends_without_broker() {
    echo '{"shutdown.ms": 300}' >"$dir/short.json"
    stop_broker
    start_agent -c "$dir/short.json" "$dir/filter.siddhi"
    until_true logged 'ready: 1 app' && until_true logged 'sink Out: (disconnected|failed)' && stop_agent
}
# A broker that lets everybody in and throws him out is left alone longer and longer.
throws_out() {
    reserve_port || return 1
    perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die;
        while ($c = $s->accept) { sysread $c, $b, 999; syswrite $c, "\x20\x02\0\0"; close $c }' "$port" &
    broker=$!
    start_agent "$dir/filter.siddhi"
    until_true logged 'lost.; next try in [5-6][0-9]{2} ms' 2 && stop_agent && stop_broker
}
ok broker-absent-at-start absent_at_start
ok broker-comes comes
ok broker-killed killed
ok broker-is-back is_back
ok agent-ends-under-load ends_under_load
ok agent-ends-without-broker ends_without_broker
ok broker-throws-out throws_out
tally
