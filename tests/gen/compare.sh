#!/bin/sh
# compare.sh AREA SEED COUNT [compare.py's options]: makes cases, runs them on the oracle (SIDDHI_ORACLE) and on weir
# (WEIR, or build/weir) in all modes, prints the differences.
set -eu
: "${SIDDHI_ORACLE:?the command that runs a case file on Siddhi}"
here=$(dirname "$0")
area=$1 seed=$2 count=$3
shift 3
work=${TMPDIR:-/tmp}/weir-gen.$$
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
python3 "$here/gen.py" "$area" "$seed" "$count" >"$work/$area-$seed.jsonl"
python3 "$here/compare.py" "$@" "$work/$area-$seed.jsonl"
