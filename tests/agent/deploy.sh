#!/usr/bin/env bash
# deploy.sh - the folder of apps: add, change, break, mend and remove them while another runs.
. "$(dirname "$0")/lib.bash"
mkdir "$dir/apps"
echo "{\"apps\": \"$dir/apps\", \"workers\": 2}" >"$dir/weir.json"

start_broker && listen 'out/#' || exit 1
app Stays in/stays out/stays 10 >"$dir/apps/stays.siddhi"
start_agent -c "$dir/weir.json"

lives() { # NAME VALUE: passes on VALUE
    : >"$dir/got"
    publish "in/$1" "{\"k\":\"x\",\"v\":$2}" && until_true came "out/$1 .*\"v\":$2\\b"
}
starts() {
    until_true logged 'app Stays runs' && until_true subscribed in/stays && lives stays 11
}
adds() {
    app Guest in/guest out/guest 10 >"$dir/apps/guest.siddhi"
    until_true logged 'app Guest runs' && until_true subscribed in/guest && lives guest 11 && lives stays 12
}
changes() {
    app Guest in/guest out/guest 100 >"$dir/new" && mv "$dir/new" "$dir/apps/guest.siddhi"
    until_true logged 'app Guest changed' || return 1
    publish in/guest '{"k":"small","v":50}' && lives guest 101 && ! came small && lives stays 13
}
breaks() {
    app Guest in/guest out/guest 'w' >"$dir/apps/guest.siddhi"
    until_true logged 'guest.siddhi: refused; the app from before goes on' || return 1
    logged 'guest.siddhi:6:12: ' || return 1
    lives guest 102 && lives stays 14
}
mends() {
    app Guest in/guest out/guest 7 >"$dir/apps/guest.siddhi"
    until_true logged 'app Guest changed' 2 && lives guest 8
}
# While it is changed again and again, nothing that comes is lost or doubled: ports that stay the same are taken over.
changes_under_load() {
    local i n=400
    : >"$dir/got"
    for ((i = 0; i < n; i++)); do echo "{\"k\":\"load-$i\",\"v\":$((1000 + i))}"; done >"$dir/load"
    mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 -t in/guest -l <"$dir/load" &
    local pub=$!
    for i in 1 2 3 4 5 6; do
        app Guest in/guest out/guest "$i" >"$dir/new" && mv "$dir/new" "$dir/apps/guest.siddhi"
        until_true logged 'app Guest changed' $((2 + i)) || return 1
    done
    wait $pub
    until_true came load- $n && [[ $(grep -oE 'load-[0-9]+' "$dir/got" | sort -u | wc -l) == "$n" ]] && ! came load- $((n + 1))
}
# What is no regular file is refused, and nothing waits for it.
refuses_pipes() {
    mkfifo "$dir/apps/pipe.siddhi" && mkdir "$dir/apps/folder.siddhi" && app Late in/late out/late 1 >"$dir/apps/late.siddhi"
    until_true logged 'app Late runs' && logged 'pipe.siddhi: this is no regular file' && logged 'folder.siddhi: ' || return 1
    rm -r "$dir"/apps/{pipe,folder,late}.siddhi
    until_true logged 'app Late removed' && lives stays 18
}
# The whole folder is exchanged for another: and the new one is watched.
folder_replaced() {
    mkdir "$dir/next" && cp "$dir/apps/stays.siddhi" "$dir/next" && app Second in/second out/second 1 >"$dir/next/second.siddhi"
    mv "$dir/apps" "$dir/before" && mv "$dir/next" "$dir/apps"
    until_true logged 'app Second runs' && until_true subscribed in/second && lives second 2 && lives stays 19 || return 1
    app Third in/third out/third 1 >"$dir/apps/third.siddhi"
    until_true logged 'app Third runs' || return 1
    rm "$dir"/apps/{second,third}.siddhi
    until_true logged 'app Third removed'
}
removes() {
    rm "$dir/apps/guest.siddhi"
    until_true logged 'app Guest removed' && lives stays 15
}
# A renamed file's app goes on, an app whose name another file frees begins, and so does one whose variable comes.
renames() {
    mv "$dir/apps/stays.siddhi" "$dir/apps/renamed.siddhi"
    until_true logged 'renamed.siddhi: renamed from ' && lives stays 21 || return 1
    echo 'define stream S (v int);' >"$dir/apps/nameless.siddhi"
    until_true logged 'app nameless runs' && mv "$dir/apps/nameless.siddhi" "$dir/apps/other.siddhi"
    until_true logged 'app other runs' && logged 'app nameless removed' || return 1
    app Stays in/stays out/stays 10 >"$dir/apps/another.siddhi"
    until_true logged "another.siddhi: refused: .*renamed.siddhi already runs an app named 'Stays'" || return 1
    rm "$dir/apps/renamed.siddhi"
    until_true logged 'another.siddhi: app Stays runs' && until_true subscribed in/stays 2 && lives stays 22 || return 1
    cp "$dir/apps/another.siddhi" "$dir/apps/stays.siddhi" && rm "$dir/apps/another.siddhi"
    until_true logged '/stays.siddhi: app Stays runs' 2 && until_true subscribed in/stays 3 && lives stays 23
}
tries_again() {
    echo '@app:name("Later") define stream S (v int); from S[v > ${LATER}] select v insert into O;' >"$dir/apps/later.siddhi"
    until_true logged 'no value for ..LATER' || return 1
    echo "{\"apps\": \"$dir/apps\", \"workers\": 2, \"variables\": {\"LATER\": \"5\"}}" >"$dir/weir.json"
    kill -HUP "$agent"
    until_true logged 'app Later runs' && lives stays 24
}
hup_reads_again() {
    mv "$dir/apps" "$dir/linked" && ln -s linked "$dir/apps" && mkdir "$dir/other" && cp "$dir/linked/stays.siddhi" "$dir/other"
    ln -s other "$dir/link" && mv -T "$dir/link" "$dir/apps"
    kill -HUP "$agent"
    until_true logged 'reading the configuration' && lives stays 16 || return 1
    app Fourth in/fourth out/fourth 1 >"$dir/other/fourth.siddhi"
    until_true logged 'app Fourth runs'
}
# What only a start takes is told by name, each time, and what an app takes when it comes is taken.
hup_tells_what_waits() {
    echo "{\"apps\": \"$dir/apps\", \"workers\": 3, \"retire.ms\": 5, \"commit.events\": 7, \"log.level\": \"debug\"}" >"$dir/weir.json"
    kill -HUP "$agent"
    until_true logged 'next start only: workers, retire.ms, commit.events$' || return 1
    kill -HUP "$agent"
    until_true logged 'next start only: workers, retire.ms, commit.events$' 2 && lives stays 20
}
bad_hup_changes_nothing() {
    echo '{"apsp": ""}' >"$dir/weir.json"
    kill -HUP "$agent"
    until_true logged 'the configuration stays as it was' && lives stays 17
}
ok deploy-starts starts
ok deploy-adds adds
ok deploy-changes changes
ok deploy-broken-change-keeps-the-old breaks
ok deploy-mends mends
ok deploy-changes-under-load changes_under_load
ok deploy-removes removes
ok deploy-refuses-what-is-no-file refuses_pipes
ok deploy-folder-replaced folder_replaced
ok deploy-renames renames
ok reload-tries-again tries_again
ok reload hup_reads_again
ok reload-tells-what-waits hup_tells_what_waits
ok reload-refused bad_hup_changes_nothing
ok deploy-stops stop_agent
tally
