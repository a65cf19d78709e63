# What room-temperature.siddhi must put out for the readings in room-readings.csv, calculated without weir: a line for each result,
# "KIND DEVICE NUMBER...".
#
# average: mean of each three readings of a device. alert: an average above 30. minute: lowest, highest, mean and number of the
# readings of a device in each whole minute from the first reading on; the last minute stays open and does not come out.
BEGIN { FS = "," }
NR == 1 { next }
{
    device = "mote-" $2
    temperature = $4 + 0
    ts = 1262304000000 + $1 * 5000
    if (!start)
        start = ts
    minute = int((ts - start) / 60000)
    if (minute != open)
        flush()
    open = minute

    sum[device] += temperature
    if (++count[device] % 3 == 0) {
        mean = sum[device] / 3
        printf "average %s %.12f %.0f\n", device, mean, ts
        if (mean > 30)
            printf "alert %s %.12f %.0f\n", device, mean, ts
        sum[device] = 0
    }
    if (!(device in readings))
        order[++devices] = device
    if (!(device in readings) || temperature < lowest[device])
        lowest[device] = temperature
    if (!(device in readings) || temperature > highest[device])
        highest[device] = temperature
    total[device] += temperature
    readings[device]++
    until[device] = ts
}
function flush(i, d) {
    for (i = 1; i <= devices; i++) {
        d = order[i]
        printf "minute %s %.12f %.12f %.12f %d %.0f\n", d, lowest[d], highest[d], total[d] / readings[d], readings[d], until[d]
        delete readings[d]
        total[d] = 0
    }
    devices = 0
}
