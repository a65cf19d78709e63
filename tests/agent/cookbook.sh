#!/usr/bin/env bash
# cookbook.sh - the example apps of conf/apps: each compiles, is the app of its case, and is listed in the README there.
. "$(dirname "$0")/lib.bash"
export MQTT_URL=tcp://127.0.0.1:1883

compiles() {
    "$WEIR" check "$1" >"$dir/said" 2>&1
}
# The text as it stands in JSON is in the case.
is_its_case() { # APP CASE
    sed -e "s|\${MQTT_URL}|$MQTT_URL|g" -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' "$1" | awk '{ printf "%s\\n", $0 } END { print "" }' >"$dir/text"
    grep -qF -f "$dir/text" "$2"
}
is_listed() {
    grep -qF "[$1]($1.siddhi)" conf/apps/README.md
}

for app in conf/apps/*.siddhi; do
    name=$(basename "$app" .siddhi)
    ok "cookbook-$name-compiles" compiles "$app"
    ok "cookbook-$name-is-its-case" is_its_case "$app" "conf/apps/$name.case.jsonl"
    ok "cookbook-$name-is-listed" is_listed "$name"
done
tally
