#!/usr/bin/env bash
# files.sh - env: and file: functions of running apps: what they do, what they may not touch, and that a replay of the journal does nothing again.
. "$(dirname "$0")/lib.bash"

state=$dir/state root=$dir/root
mkdir "$dir/apps" "$root" "$dir/outside"
echo kept >"$dir/outside/secret"
write_app() { # NAME ANNOTATION QUERY...
    local name=$1
    {
        echo "@app:name('$1') $2"
        echo "@source(type='mqtt', url='\${MQTT_URL}', topic='$1', quality.of.service='1', @map(type='json'))"
        echo "@OnError(action='stream') define stream S (a string, b string);"
        echo "@sink(type='mqtt', url='\${MQTT_URL}', topic='$1-out', quality.of.service='1', @map(type='csv'))"
        echo "define stream Out (text string);"
        echo "define table T (text string);"
        echo "from !S select str:concat('failed: ', a) as text insert into Out;"
        echo "from Out select text insert into T;"
        shift 2
        printf '%s\n' "$@"
    } >"$dir/apps/$name.siddhi"
}
asks() { # the answers of an app's table, in order
    timeout 60 "$WEIR" query --state "$state" "$1" "from T select text" 2>/dev/null
}
gives() { # WANTED APP: the last row of its table
    asks "$2" >"$dir/said" 2>&1
    tail -n 1 "$dir/said" | grep -qF -- "\"$1\"" && return 0
    printf '    wanted %s, got %s\n' "$1" "$(tail -n 1 "$dir/said")"
    return 1
}
count_of() { # N APP
    [[ $(asks "$2" | wc -l) == "$1" ]]
}
sent=0
# tell APP A B WANTED: one event, and what comes of it
tell() {
    publish "$1" "{\"event\":{\"a\":\"$2\",\"b\":\"$3\"}}" || return 1
    sent=$((sent + 1))
    until_true count_of "$sent" "$1" && gives "$4" "$1"
}
start_broker || exit 1

write_app Env '' "from S select str:concat(env:getSystemProperty(a, b), '/', env:getEnvironmentProperty(a, b)) as text insert into Out;"
write_app Look '' "from S select str:concat(file:isExist(a), ' ', file:isFile(a), ' ', file:isDirectory(a)) as text insert into Out;"
write_app Size '' "from S select str:concat(file:size(a), ' ', file:lastModifiedTime(a, 'yyyy')) as text insert into Out;"
write_app Create '' "from S#file:create(a, b == 'folder') select 'made' as text insert into Out;"
write_app Delete '' "from S#file:delete(a) select 'gone' as text insert into Out;"
write_app Rename '' "from S#file:rename(a, b) select convert(isSuccess, 'string') as text insert into Out;"
write_app Copy '' "from S#file:copy(a, b, '.*\\.csv') select convert(isSuccess, 'string') as text insert into Out;"
write_app Move '' "from S#file:move(a, b, '', true) select convert(isSuccess, 'string') as text insert into Out;"
write_app Search '' "from S#file:search(a, b) select convert(fileNameList, 'string') as text insert into Out;"
write_app Durable '@app:durable' "from S#file:rename(a, b) select str:concat(isSuccess, ' ', file:isExist(a), ' ', env:getSystemProperty('WEIR_TEST_WORD', 'none')) as text insert into Out;"
cat >"$dir/weir.json" <<END
{"apps": "$dir/apps", "state": "$state", "files": "$root", "variables": {"SET_HERE": "by variables"}}
END
export WEIR_TEST_WORD=first
ok starts start_ready -c "$dir/weir.json" || exit 1

ok env-of-environment tell Env WEIR_TEST_WORD none first/first
ok env-of-configuration tell Env SET_HERE none 'by variables/by variables'
ok env-default tell Env NOT_SET_ANYWHERE none none/none

sent=0 # of Look
ok look-at-root tell Look "$root" '' 'true false true'
ok look-at-nothing tell Look "$root/none" '' 'false false false'
ok look-below-nothing tell Look "$root/none/deeper" '' 'false false false'
echo 12345 >"$root/five"
ok look-at-file tell Look "$root/five" '' 'true true false'
ok look-by-uri tell Look "file:$root//five" '' 'true true false'
ok refuse-outside tell Look "$dir/outside/secret" '' "failed: $dir/outside/secret"
ok refuse-like-root tell Look "${root}2/x" '' "failed: ${root}2/x"
ok refuse-dots tell Look "$root/../outside/secret" '' "failed: $root/../outside/secret"
ok refuse-relative tell Look 'root/five' '' 'failed: root/five'
ok refuse-empty tell Look '' '' 'failed: '
ln -s "$dir/outside" "$root/link"
ok refuse-link-on-way tell Look "$root/link/secret" '' "failed: $root/link/secret"
ok link-is-no-file tell Look "$root/link" '' 'true false false'
ok refusal-names-setting logged 'in none of the folders of the setting \\?"files'

sent=0 # of Size
mkdir -p "$root/tree/a/b"
printf 123 >"$root/tree/one.csv"
printf 4567 >"$root/tree/a/two.csv"
printf 8 >"$root/tree/a/b/three.txt"
ln -s "$dir/outside/secret" "$root/tree/a/link.csv"
touch -d 2020-05-05 "$root/five" "$root/tree"
ok size-of-file tell Size "$root/five" '' '6 2020'
ok size-of-folder tell Size "$root/tree" '' '8 2020'
ok size-of-nothing tell Size "$root/none" '' "failed: $root/none"

sent=0 # of Search
ok search-all tell Search "$root/tree" '' "[$root/tree/a/b/three.txt, $root/tree/a/two.csv, $root/tree/one.csv]"
ok search-some tell Search "$root/tree/" 't.*csv' "[$root/tree/a/two.csv]"
ok search-nothing tell Search "$root/none" '' '[]'

sent=0 # of Create
ok create-file tell Create "$root/new/deep/file" file made
ok created-file test -f "$root/new/deep/file" -a ! -s "$root/new/deep/file"
ok create-folder tell Create "$root/new/folder/in" folder made
ok created-folder test -d "$root/new/folder/in"
ok create-again tell Create "$root/five" file made
ok created-nothing-anew grep -q 12345 "$root/five"
ok create-outside tell Create "$dir/outside/made" file "failed: $dir/outside/made"
ok create-behind-link tell Create "$root/link/made" file "failed: $root/link/made"
ok created-nothing-outside test ! -e "$dir/outside/made"

sent=0 # of Copy
ok copy-file tell Copy "$root/tree/one.csv" "$root/copies/of" true
ok copied-file cmp "$root/tree/one.csv" "$root/copies/of/one.csv"
ok copy-folder tell Copy "$root/tree" "$root/copies" true
ok copied-folder cmp "$root/tree/a/two.csv" "$root/copies/tree/a/two.csv"
ok copied-by-name test ! -e "$root/copies/tree/a/b/three.txt"
ok copied-no-link test ! -e "$root/copies/tree/a/link.csv"
ok copy-nothing tell Copy "$root/none" "$root/copies" false
ok copy-outside tell Copy "$root/tree/one.csv" "$dir/outside" "failed: $root/tree/one.csv"
ok copy-leaves-no-half test -z "$(find "$root" -name '*.weir')"

sent=0 # of Move
ok move-folder tell Move "$root/copies/tree" "$root/moved" true
ok moved-file test -f "$root/moved/a/two.csv" -a ! -e "$root/copies/tree/a/two.csv"
ok move-root tell Move "$root" "$root/moved" true

sent=0 # of Rename
ok rename-folder tell Rename "$root/moved" "$root/other/place" true
ok renamed-folder test -d "$root/other/place" -a ! -e "$root/moved"
ok rename-root tell Rename "$root" "$root/other" "failed: $root"
ok rename-nothing tell Rename "$root/none" "$root/other" false

sent=0 # of Delete
mkdir -p "$root/full/of"
touch "$root/full/of/files" "$root/full/file"
ln -s "$dir/outside" "$root/full/link"
ok delete-folder tell Delete "$root/full" '' gone
ok deleted-folder test ! -e "$root/full" -a -e "$dir/outside/secret"
ok delete-nothing tell Delete "$root/full" '' gone
ok delete-outside tell Delete "$dir/outside/secret" '' "failed: $dir/outside/secret"
ok delete-root tell Delete "$root/" '' "failed: $root/"
ok outside-is-whole grep -q kept "$dir/outside/secret"

# What a durable app was answered, a replay of its journal is answered again: nothing is done twice.
sent=0 # of Durable
echo one >"$root/in"
ok durable-does tell Durable "$root/in" "$root/done" 'true false first'
echo two >"$root/in"
kill_agent
export WEIR_TEST_WORD=second
ok restarts start_ready -c "$dir/weir.json"
ok replays logged 'of the journal worked off'
ok replay-answers-again gives 'true false first' Durable
ok replay-does-nothing-again grep -q two "$root/in"
ok replay-left-the-target grep -q one "$root/done"
ok after-replay tell Durable "$root/in" "$root/done" 'true false second'
ok after-replay-done grep -q two "$root/done"
stop_agent

sed -i 's|"files": "[^"]*", ||' "$dir/weir.json"
rm -rf "$state"
ok starts-without-folders start_ready -c "$dir/weir.json"
sent=0 # of Look
ok no-folders tell Look "$root" '' "failed: $root"
ok no-folders-told logged 'the setting \\?"files\\?" names no folder'
stop_agent
tally
