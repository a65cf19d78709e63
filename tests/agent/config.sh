#!/usr/bin/env bash
# config.sh - command line and configuration: what is refused, and in which words.
. "$(dirname "$0")/lib.bash"

same_as_shipped() {
    "$WEIR" run --print-config | diff - conf/weir.json
}
prints_again() {
    "$WEIR" run -c conf/weir.json --print-config | diff - conf/weir.json
}
every_command_helps() {
    local command
    for command in run check explain test replay bench query version; do
        says 0 "^usage: weir $command" "$WEIR" help "$command" || return 1
        says 0 "^usage: weir $command" "$WEIR" "$command" --help || return 1
    done
}

# A secret that comes in by a variable stays out of what is said about the app, and places are those of its file.
hides_variables() {
    cat >"$dir/secret.siddhi" <<'APP'
@source(type='mqtt', url='tcp://${BROKER}:1', topic='a', will.message='${SECRET}', topci='x', @map(type='json'))
define stream A (v double);
APP
    SECRET=hunter2 BROKER=long.name.example.org says 1 'secret.siddhi:1:84: warning: .*topci' "$WEIR" check "$dir/secret.siddhi" &&
        grep -qF '${SECRET}' "$dir/said" && ! grep -q 'hunter2' "$dir/said"
}

# Started without descriptors 0 to 2, as some init scripts do: no log line goes into the first file that is opened.
runs_without_descriptors() {
    cat >"$dir/bare.siddhi" <<'APP'
@app:name('Bare') @app:durable
define trigger T at every 50 millisec;
from T select count() as n insert into O;
APP
    "$WEIR" run --state "$dir/bare" "$dir/bare.siddhi" <&- >&- 2>&- &
    agent=$!
    until_true "$WEIR" status --state "$dir/bare" >/dev/null 2>&1 || return 1
    kill -HUP "$agent"
    stop_agent && ! grep -qaE 'INFO|agent:' "$dir"/bare/* && "$WEIR" state inspect --state "$dir/bare" >/dev/null || return 1
    "$WEIR" version >&- 2>/dev/null # what can't be printed is still told
    [[ $? == 1 ]]
}

printf '{\n  // how many\n  "workrs": 2\n}\n' >"$dir/unknown.json"
printf '{\n  /* two\n     lines */ "workers": "two", "log.level": "loud" }\n' >"$dir/wrong.json"
printf '{ "workers": 2,, }\n' >"$dir/comma.json"
printf '{ "workers": 2 /* \n' >"$dir/comment.json"
head -c 3000 /dev/urandom >"$dir/random.json"

ok config-shipped-is-printed same_as_shipped
ok config-printed-is-read prints_again
ok config-missing says 1 'none.json: No such file' "$WEIR" run -c "$dir/none.json" app.siddhi
ok config-is-folder says 1 "$dir: Is a directory" "$WEIR" run -c "$dir" app.siddhi
ok config-unknown-key says 1 "unknown.json:3:3: there is no setting 'workrs'" "$WEIR" run -c "$dir/unknown.json" app.siddhi
ok config-nearest-key says 1 "did you mean 'workers'" "$WEIR" run -c "$dir/unknown.json" app.siddhi
ok config-wrong-kind says 1 "wrong.json:3:26: 'workers' must be a number" "$WEIR" run -c "$dir/wrong.json" app.siddhi
ok config-all-errors says 1 "wrong.json:3:46: 'log.level' must be one of" "$WEIR" run -c "$dir/wrong.json" app.siddhi
ok config-malformed says 1 'comma.json:1:17: this is not JSON' "$WEIR" run -c "$dir/comma.json" app.siddhi
ok config-open-comment says 1 'comment.json:1:16: this comment never ends' "$WEIR" run -c "$dir/comment.json" app.siddhi
ok config-random-bytes says 1 'random.json:1:[0-9]+: |random.json:[0-9]+:' "$WEIR" run -c "$dir/random.json" app.siddhi
ok run-nothing says 2 'name an app' "$WEIR" run
ok run-unknown-option says 2 'there is no option --stat' "$WEIR" run --stat x
ok run-option-without-value says 2 '-c needs a value' "$WEIR" run -c
ok check-hides-variables hides_variables
ok run-option-with-empty-value says 2 '--state needs a value' "$WEIR" run --state '' app.siddhi
ok run-without-descriptors runs_without_descriptors
ok command-unknown says 2 "there is no command 'rnu'" "$WEIR" rnu
ok command-none says 2 'usage: weir COMMAND' "$WEIR"
ok command-help every_command_helps
ok command-version says 0 '[0-9]+\.[0-9]+' "$WEIR" --version
tally
