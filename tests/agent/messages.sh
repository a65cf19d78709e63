#!/usr/bin/env bash
# messages.sh - messages that don't fit: counted, told with the reason at a bounded rate; the stream and other apps go on.
. "$(dirname "$0")/lib.bash"
start_broker && listen 'out/#' || exit 1
app A in/a out/a 10 >"$dir/a.siddhi"
app B in/b out/b 10 >"$dir/b.siddhi"
start_agent "$dir/a.siddhi" "$dir/b.siddhi"
until_true subscribed in/a && until_true subscribed in/b || exit 1

bad=0
after_it_lives() { # the message is $dir/payload; then both apps pass one on
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/a -f "$dir/payload" || return 1
    bad=$((bad + 1))
    publish in/a "{\"k\":\"after\",\"v\":$((100 + bad))}" && until_true came "out/a .*\"v\":$((100 + bad))\\b" || return 1
    publish in/b "{\"k\":\"other\",\"v\":$((100 + bad))}" && until_true came "out/b .*\"v\":$((100 + bad))\\b"
}
bytes() { # FORMAT of printf
    # shellcheck disable=SC2059
    printf "$1" >"$dir/payload"
}
malformed() { bytes '{"k":"x","v":' && after_it_lives && logged 'app A.*rejected'; }
wrong_type() { bytes '{"k":"x","v":"many"}' && after_it_lives; }
empty() { bytes '' && after_it_lives; }
invalid_utf8() { bytes '{"k":"\xff\xfe","v":11}' && after_it_lives; }
nul() { bytes '{"k":"a\0b","v":11}' && after_it_lives; }
deep() { head -c 100000 /dev/zero | tr '\0' '[' >"$dir/payload" && after_it_lives; }
ten_megabytes() {
    { printf '{"k":"'; head -c 10485760 /dev/zero | tr '\0' x; printf '","v":11}'; } >"$dir/payload"
    after_it_lives && logged 'message of 10485775 bytes refused'
}
random_bytes() { head -c 5000 /dev/urandom >"$dir/payload" && after_it_lives; }
bounded_lines() {
    local i before after
    before=$(grep -c rejected "$dir/log")
    for ((i = 0; i < 500; i++)); do echo "{$i"; done | mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/a -l
    bad=$((bad + 500))
    publish in/a '{"k":"end","v":5000}' && until_true came 'out/a .*"v":5000' || return 1
    after=$(grep -c rejected "$dir/log")
    [[ $((after - before)) -le 20 ]]
}
ok message-malformed malformed
ok message-wrong-type wrong_type
ok message-empty empty
ok message-invalid-utf8 invalid_utf8
ok message-nul-byte nul
ok message-deep deep
ok message-10-megabytes ten_megabytes
ok message-random-bytes random_bytes
ok message-lines-are-bounded bounded_lines
ok message-agent-ends stop_agent
# The port told of the 10 MB itself.
counted() { logged "stopped: .*rejected $((bad - 1)), " && logged 'lost 0;'; }
ok message-counted counted
tally
