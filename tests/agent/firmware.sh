#!/usr/bin/env bash
# firmware.sh - the example device, a broker and an agent: every reading comes through once and in order, over a broker that goes and comes back.
export WEIR_BACKOFF_FIRST_MS=100
. "$(dirname "$0")/lib.bash"
${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -fsanitize=address,undefined -o "$dir/device" firmware-examples/mqtt_reading.c || exit 1
cat >"$dir/app.siddhi" <<'APP'
@app:name('Device')
@source(type='mqtt', url='${MQTT_URL}', topic='sensors/readings', quality.of.service='1', @map(type='json', fail.on.missing.attribute='true'))
define stream S (device string, temperature double, humidity double, ts long);
@sink(type='file', file.uri='${OUT}', @map(type='text', @payload('{{device}} {{temperature}} {{humidity}} {{ts}}')))
define stream Out (device string, temperature double, humidity double, ts long);
from S select * insert into Out;
APP
start_broker || exit 1
export OUT=$dir/readings
start_agent "$dir/app.siddhi"
until_true logged 'source S: connected' && until_true subscribed sensors/readings || exit 1
mkfifo "$dir/sensor"
"$dir/device" 127.0.0.1 "$port" sensors/readings mote-7 <"$dir/sensor" 2>"$dir/device.log" &
device=$!
exec {sensor}>"$dir/sensor"
lines() { [[ -f $OUT && $(wc -l <"$OUT") -ge $1 ]]; }

readings_come() {
    printf '21.5,40.25,1700000000000\n22.5,40.5,1700000001000\n' >&"$sensor"
    until_true lines 2
}
over_a_lost_broker() {
    stop_broker
    until_true logged 'source S: disconnected' || return 1
    start_broker "$port" && until_true subscribed sensors/readings || return 1
    printf '23.5,41,1700000002000\n24.5,41.5,1700000003000\n' >&"$sensor"
    until_true lines 4
}
in_order() {
    cat >"$dir/wanted" <<'ROWS'
mote-7 21.5 40.25 1700000000000
mote-7 22.5 40.5 1700000001000
mote-7 23.5 41.0 1700000002000
mote-7 24.5 41.5 1700000003000
ROWS
    diff "$dir/wanted" <(uniq "$OUT")
}
ok device-readings-come readings_come
ok device-over-a-lost-broker over_a_lost_broker
ok device-all-in-order in_order
ok device-usage says 2 '^usage: mqtt_reading' "$dir/device"
kill "$device"
wait "$device" 2>/dev/null
stop_agent
tally
