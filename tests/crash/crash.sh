#!/usr/bin/env bash
# crash.sh [KILLS [SEED]] - kills at random moments, then at every named point: see README.md. Without arguments the short form.
. "$(dirname "$0")/../agent/lib.bash"
kills=${1:-${CRASH_KILLS:-24}} seed=${2:-${CRASH_SEED:-$((RANDOM + 1))}}
points=hosted.receive,hosted.received,commit.before,store.commit,store.committed,commit.after,commit.settled,durable.checkpoint,spool.loaded
program=build/crash/crash
echo "seed $seed"

round() { # NAME WEIR KILLS [POINTS]
    local folder=$dir/$1
    mkdir -p "$folder/state"
    # Checkpoints often, so that many kills meet one.
    echo "{\"state\": \"$folder/state\", \"checkpoint.bytes\": 20000, \"shutdown.ms\": 2000}" >"$folder/config.json"
    start_broker || return 1
    "$program" "$2" "$port" "$folder" "$3" "$seed" ${4:+"$4"} >"$folder/out" 2>&1
    local rc=$?
    grep -v ' passed, ' "$folder/out" | sed 's/^/    /'
    if [[ $rc != 0 ]]; then tail -n 5 "$folder/log" | cut -c1-300; fi
    stop_broker
    return $rc
}

ok killed-at-random round random "${WEIR_RELEASE:-build/weir}" "$kills"
[[ -n ${ONLY_RANDOM:-} ]] || ok killed-at-points round points "${WEIR_DEBUG:-build/asan/weir}" "$kills" "$points"
tally
