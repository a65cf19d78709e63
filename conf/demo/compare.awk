# compare.awk EXPECTED GOT: results of each kind and device, in order, must be equal; numbers to a relative 1e-9.
# GOT holds lines of mosquitto_sub -v: "room/DEVICE/KIND {json}".
function number(name,  text) {
    if (!match($0, "\"" name "\":[-0-9.eE+]+"))
        return "missing"
    text = substr($0, RSTART, RLENGTH)
    sub(/.*:/, "", text)
    return text + 0
}
function same(a, b,  n, i, x, y, d) {
    n = split(a, x, " ")
    if (split(b, y, " ") != n)
        return 0
    for (i = 1; i <= n; i++) {
        d = x[i] - y[i]
        if (d < 0)
            d = -d
        if (d > 1e-9 * (x[i] < 0 ? -x[i] : x[i]))
            return 0
    }
    return 1
}
NR == FNR {
    key = $1 " " $2
    text = $0
    sub(/^[^ ]+ [^ ]+ /, "", text)
    expected[key, ++wanted[key]] = text
    keys[key]
    next
}
{
    split($1, part, "/")
    key = part[3] " " part[2]
    if (part[3] == "minute")
        text = sprintf("%.12f %.12f %.12f %d %.0f", number("lowest"), number("highest"), number("average"), number("readings"), number("until"))
    else
        text = sprintf("%.12f %.0f", number("temperature"), number("ts"))
    n = ++came[key]
    keys[key]
    if (n > wanted[key] || !same(expected[key, n], text)) {
        if (++bad <= 5)
            printf "demo: %s, number %d: expected %s, got %s\n", key, n, (n > wanted[key] ? "nothing" : expected[key, n]), text
    }
}
END {
    for (key in keys)
        if (came[key] + 0 != wanted[key] + 0) {
            printf "demo: %s: %d expected, %d came\n", key, wanted[key], came[key]
            bad++
        }
    exit bad > 0
}
