#!/usr/bin/env bash
# crash.sh [KILLS [SEED]] - kills at random moments, then at every named point: see README.md. Without arguments the short form.
. "$(dirname "$0")/../agent/lib.bash"
kills=${1:-${CRASH_KILLS:-9}} seed=${2:-${CRASH_SEED:-$((RANDOM + 1))}}
points=hosted.receive,hosted.received,commit.before,store.commit,store.committed,commit.after,commit.settled,durable.checkpoint,spool.loaded
program=build/crash/crash
export CRASH_RATE=${CRASH_RATE:-400}
echo "seed $seed"

round() { # NAME WEIR KILLS [POINTS]
    local folder=$dir/$1
    mkdir -p "$folder/state"
    # Checkpoints often, so that many kills meet one.
    echo "{\"state\": \"$folder/state\", \"checkpoint.bytes\": ${checkpoint_bytes:-20000}, \"shutdown.ms\": 2000}" >"$folder/config.json"
    start_broker || return 1
    "$program" "$2" "$port" "$folder" "$3" "$seed" ${4:+"$4"} >"$folder/out" 2>&1
    local rc=$?
    grep -v ' passed, ' "$folder/out" | sed 's/^/    /'
    if [[ $rc != 0 ]]; then tail -n 5 "$folder/log" | cut -c1-300; fi
    stop_broker
    return $rc
}

ok killed-at-random round random "${WEIR_RELEASE:-build/weir}" "$kills"
ok killed-at-points round points "${WEIR_DEBUG:-build/asan/weir}" "$kills" "$points"

# A power cut: of what was written since the last sync some is lost, some is torn.
cut_off() {
    POWERCUT_LIBRARY=$PWD/build/crash/powercut.so round cut "${WEIR_RELEASE:-build/weir}" "$kills"
}
ok power-is-cut cut_off

# The file is damaged behind each kill: what is lost is named, the rest goes on, and no key ever stands for two messages.
damaged() {
    CRASH_DAMAGE=1 round damage "${WEIR_DEBUG:-build/asan/weir}" "$kills" || return 1
    ! grep -q 'AddressSanitizer\|runtime error' "$dir/damage/log" && grep -q 'set aside as' "$dir/damage/log"
}
ok file-is-damaged damaged

# The store refuses, as a full or failing disk does, and takes again: nothing is lost, and nobody has to start anything.
fails() { # NAME FAULT TIMES
    WEIR_FAULT=$2 CRASH_UNTIL="$3:durable apps go on" round "$1" "${WEIR_DEBUG:-build/asan/weir}" 0 || return 1
    grep -q 'durable apps take nothing in' "$dir/$1/log"
}
ok disk-is-full-for-a-while fails full 'store.apply:30:full:6' 1
ok disk-fails-now-and-then fails io 'store.commit:25:io:1,store.commit:40:io:4,store.commit:70:io:2' 3

# The file system turns read-only, or the medium fails, in the middle of whatever is being written, and is well again: baddisk.c.
turns() { # NAME ERRNO WORDS
    local folder=$dir/$1
    mkdir -p "$folder/state"
    export BADDISK_LIBRARY=$PWD/build/crash/baddisk.so BADDISK_FOLDER=$folder/state BADDISK_SWITCH=$folder/disk
    (
        said() { [[ $(grep -cs "$1" "$folder/log") -ge $2 ]]; }
        until_true said 'ready: 2 apps' 1
        for i in 1 2 3 4; do
            read -r -t "0.$((RANDOM % 5))$((RANDOM % 10))" -u "$never"
            echo "$2" >"$folder/disk"
            until_true said 'durable apps take nothing in' "$i" || break
            rm -f "$folder/disk"
            until_true said 'durable apps go on' "$i" || break
        done
        rm -f "$folder/disk"
    ) &
    local switch=$! rc
    CRASH_UNTIL='4:durable apps go on' round "$1" "${WEIR_RELEASE:-build/weir}" 0
    rc=$?
    wait $switch
    unset BADDISK_LIBRARY BADDISK_FOLDER BADDISK_SWITCH
    grep -q "$3.*durable apps take nothing in" "$folder/log" || rc=1
    return $rc
}
ok disk-turns-read-only turns readonly EROFS 'Read-only file system'
ok disk-has-errors turns medium EIO 'Input/output error'
ok disk-says-full turns said ENOSPC 'No space left on device'

# A real full disk: a small file system in memory, filled up by somebody else, then emptied.
fills_up() {
    local small=$dir/small
    mkdir -p "$small" "$dir/real"
    mount -t tmpfs -o size=10m tmpfs "$small" 2>/dev/null || { echo '    not root: left out'; return 0; }
    mkdir -p "$small/state"
    ln -s "$small/state" "$dir/real/state"
    (
        said() { grep -qs "$1" "$dir/real/log"; }
        until_true said 'connected'
        head -c 16000000 /dev/zero >"$small/others" 2>/dev/null
        until_true said 'durable apps take nothing in'
        rm -f "$small/others"
    ) &
    local filler=$!
    # The journal only grows: no free pages in the file.
    checkpoint_bytes=50000000 CRASH_RATE=1500 CRASH_UNTIL='1:durable apps go on' round real "${WEIR_RELEASE:-build/weir}" 0
    local rc=$?
    wait $filler
    grep -qE 'No space left|Input.output error' "$dir/real/log" && grep -q 'durable apps go on' "$dir/real/log" || rc=1
    umount "$small"
    return $rc
}
ok disk-fills-up fills_up
tally
