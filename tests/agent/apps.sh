#!/usr/bin/env bash
# apps.sh - apps that can't run: a clear message each, with its place; the others go on.
. "$(dirname "$0")/lib.bash"
export MQTT_URL=tcp://127.0.0.1:1

refused() { # PATTERN TEXT: alone on the command line
    printf '%s\n' "$2" >"$dir/bad.siddhi"
    says 1 "bad.siddhi:$1" "$WEIR" run "$dir/bad.siddhi"
}
source_with() {
    echo "@source($1) define stream S (v int); from S select v insert into Out;"
}

ok app-missing-file says 1 'none.siddhi: No such file' "$WEIR" run "$dir/none.siddhi"
ok app-with-error refused '1:47: ' 'define stream S (v int); from S[v > 1] select w insert into Out;'
ok app-syntax-error refused '1:[0-9]+: ' 'define stream (v int);'
ok app-unknown-port refused "1:[0-9]+: .*mqttt" "$(source_with "type='mqttt', @map(type='json')")"
ok app-unknown-port-near refused "1:[0-9]+: .*mqttt" "$(source_with "type='mqttt', @map(type='json')")"
ok app-port-hint grep -q mqtt "$dir/said"
ok app-missing-option refused "1:[0-9]+: .*topic" "$(source_with "type='mqtt', url='tcp://127.0.0.1:1', @map(type='json')")"
ok app-unknown-map refused "1:[0-9]+: .*jsn" "$(source_with "type='mqtt', url='tcp://127.0.0.1:1', topic='t', @map(type='jsn')")"
ok app-wildcard-in-sink refused '1:[0-9]+: .*topic.* [+] or #' \
    "define stream S (v int); @sink(type='mqtt', url='tcp://127.0.0.1:1', topic='a/+/b', @map(type='json')) define stream Out (v int); from S select v insert into Out;"
ok app-missing-variable refused '[0-9]+:[0-9]+: .*NO_SUCH_VARIABLE' "$(source_with "type='mqtt', url='\${NO_SUCH_VARIABLE}', topic='t', @map(type='json')")"

random_bytes() {
    head -c 20000 /dev/urandom >"$dir/bad.siddhi"
    says 1 'bad.siddhi:1:' "$WEIR" run "$dir/bad.siddhi"
}
nul_bytes() {
    printf 'define stream S (v int);\0 from S select v insert into Out;' >"$dir/bad.siddhi"
    says 1 'bad.siddhi:1:' "$WEIR" run "$dir/bad.siddhi"
}
too_big() {
    head -c 5000000 /dev/zero | tr '\0' ' ' >"$dir/bad.siddhi"
    says 1 'bad.siddhi: more than' "$WEIR" run "$dir/bad.siddhi"
}
ok app-random-bytes random_bytes
ok app-nul-bytes nul_bytes
ok app-too-big too_big

others_go_on() {
    start_broker || return 1
    listen 'out/#' || return 1
    echo 'define stream S (v int); from S select w insert into Out;' >"$dir/bad.siddhi"
    app Good in out/good 10 >"$dir/good.siddhi"
    start_agent "$dir/bad.siddhi" "$dir/good.siddhi"
    until_true subscribed in || return 1
    logged 'bad.siddhi: refused' || return 1
    publish in '{"k":"a","v":11}' && until_true came 'out/good .*"k":"a"' && stop_agent
}
ok app-others-go-on others_go_on

name_taken() {
    app Good in out/other 10 >"$dir/twin.siddhi"
    start_agent "$dir/good.siddhi" "$dir/twin.siddhi"
    until_true logged "twin.siddhi: refused: .*good.siddhi already runs an app named 'Good'" && until_true logged 'ready: 1 app' && stop_agent
}
ok app-name-is-taken name_taken

variables_of_configuration() {
    echo "{\"variables\": {\"WHERE\": \"tcp://127.0.0.1:$port\"}}" >"$dir/variables.json"
    app Var in out/var 10 | sed 's/MQTT_URL/WHERE/' >"$dir/var.siddhi"
    : >"$dir/got"
    start_agent -c "$dir/variables.json" "$dir/var.siddhi"
    until_true logged 'sink Out: connected' && until_true logged 'source S: connected' || return 1
    publish in '{"k":"a","v":11}' && until_true came 'out/var' && stop_agent
}
ok app-variables-of-configuration variables_of_configuration

state_folder() {
    start_agent --state "$dir/state/deep" "$dir/good.siddhi"
    until_true logged 'ready: 1 app' || return 1
    says 1 'another weir uses this folder' "$WEIR" run --state "$dir/state/deep" "$dir/good.siddhi" || return 1
    stop_agent && start_agent --state "$dir/state/deep" "$dir/good.siddhi" && until_true logged 'ready: 1 app' && stop_agent
}
ok state-folder-is-locked state_folder
json_log() {
    echo '{"log.format": "json"}' >"$dir/json.json"
    start_agent -c "$dir/json.json" "$dir/bad.siddhi" "$dir/good.siddhi"
    until_true logged '^\{.*ready: 1 app.*\}$' && ! grep -qv '^{' "$dir/log" && stop_agent
}
ok log-as-json json_log
tally
