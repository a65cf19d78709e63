#!/usr/bin/env python3
"""Random cases about aggregations: gen_aggregations.py SEED COUNT prints one case a line, without what is expected.

The same seed gives the same cases. Whoever wants expectations runs the cases on a reference engine. Rows whose order hangs on
a hash table get an 'order by' over all columns, or are results of on-demand queries, which are compared in any order.
"""
import json
import random
import sys

UNITS = ["sec", "min", "hour", "day", "month", "year"]
TABLES = ["SECONDS", "MINUTES", "HOURS", "DAYS", "MONTHS", "YEARS"]
WORDS = {
    "sec": ["sec", "second", "seconds", "SECONDS", "Sec"],
    "min": ["min", "minute", "minutes", "MIN"],
    "hour": ["hour", "hours", "h", "Hour"],
    "day": ["day", "days"],
    "month": ["month", "months"],
    "year": ["year", "years", "YEAR"],
}
LENGTH = {"sec": 1000, "min": 60000, "hour": 3600000, "day": 86400000, "month": 30 * 86400000, "year": 365 * 86400000}
BASES = [1496289950000, 1704067195000, 1709164795000, 1699999998500, 1735689599000]
ATTRIBUTES = [("k", "string"), ("z", "string"), ("i", "int"), ("l", "long"), ("f", "float"), ("d", "double"), ("b", "bool")]


def text_of(ms, zone=0):
    """The moment as the language writes it."""
    import datetime

    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms + zone * 60000)
    out = at.strftime("%Y-%m-%d %H:%M:%S")
    if zone:
        out += " %s%02d:%02d" % ("+" if zone > 0 else "-", abs(zone) // 60, abs(zone) % 60)
    return out


class Case:
    def __init__(self, seed, number):
        self.r = random.Random("aggregation/%d/%d" % (seed, number))
        self.name = "aggregations/%d/%d" % (seed, number)
        self.tags = set()
        self.seen = set()

    def chance(self, p):
        return self.r.random() < p

    # ---- the app ----

    def durations(self):
        r = self.r
        if self.chance(0.6):
            a = r.choice([0, 0, 0, 1, 1, 2, 3])
            b = r.randint(a, min(5, a + r.choice([0, 1, 2, 2, 5])))
            self.units = UNITS[a : b + 1]
            if a == b:
                return "every " + UNITS[a] if self.chance(0.5) else "every %s ... %s" % (UNITS[a], UNITS[a])
            return "every %s ... %s" % (r.choice(WORDS[UNITS[a]][:2]), UNITS[b])
        units = r.sample(UNITS, r.randint(1, 4))
        self.units = [u for u in UNITS if u in units]
        self.tags.add("aggregation:list")
        return "every " + ", ".join(units)

    def item(self, number):
        """(expression, name, type)"""
        r = self.r
        name = "c%d" % number
        kind = r.choice(["sum", "sum", "avg", "avg", "min", "max", "count", "count", "distinctCount", "latest", "latest", "expr", "running"])
        numeric = [a for a in self.attributes if a[1] in ("int", "long", "float", "double")]
        if kind in ("sum", "avg", "min", "max") and numeric:
            a, t = r.choice(numeric)
            if kind == "sum":
                t = "long" if t in ("int", "long") else "double"
            if kind == "avg":
                t = "double"
            return "%s(%s)" % (kind, a), name, t
        if kind == "count":
            return r.choice(["count()", "count()", "count(%s)" % r.choice(self.attributes)[0]]), name, "long"
        if kind == "distinctCount":
            return "distinctCount(%s)" % r.choice(self.attributes)[0], name, "long"
        if kind == "running" and self.chance(0.5):
            return r.choice([("sum(i) + 1", name, "long"), ("ifThenElse(count() > 3, 'many', 'few')", name, "string"), ("max(l) * 2", name, "long")])
        if kind == "expr":
            return r.choice(
                [
                    ("i * 2", name, "int"),
                    ("ifThenElse(b, k, z)", name, "string"),
                    ("d > 2.0", name, "bool"),
                    ("l + i", name, "long"),
                    ("coalesce(z, k)", name, "string"),
                    ("'x'", name, "string"),
                ]
            )
        a, t = r.choice(self.attributes)
        if self.chance(0.5) and a not in [n for _, n, _ in self.items] and a not in self.keys:
            return a, a, t
        return a, name, t

    def definition(self):
        r = self.r
        self.attributes = list(ATTRIBUTES)
        self.by = r.choice([None, None, "ts", "ts", "st"])
        columns = self.attributes + [("ts", "long"), ("st", "string")]
        r.shuffle(columns)
        self.columns = columns
        self.keys = r.sample([a for a, _ in self.attributes], r.choice([0, 0, 1, 1, 1, 2, 3]))
        self.items = []
        for key in self.keys:
            if self.chance(0.8):
                t = dict(self.attributes)[key]
                self.items.append((key, key, t) if self.chance(0.8) else (key, "key_" + key, t))
        for n in range(r.choice([1, 1, 2, 3, 4, 6])):
            self.items.append(self.item(n))
        if not self.keys and self.chance(0.02):
            self.items = []
        if self.by and any(e.endswith(")") and n not in self.keys and not e.split("(")[0] in ("sum", "avg", "min", "max", "count", "distinctCount") for e, n, _ in self.items):
            # The value of a function alone is that of the row that came last out of a hash table; beside another value it is that of the newest event.
            self.items.append(("i", "newest", "int"))
        select = ", ".join(e if e == n else "%s as %s" % (e, n) for e, n, _ in self.items) or "*"
        durations = self.durations()
        out = ""
        purge = r.random()
        if purge < 0.2:
            out += "@purge(enable='false') "
        elif purge < 0.35:
            keep = []
            if "sec" in self.units:
                keep.append("sec='%s'" % r.choice(["120 sec", "5 min", "all"]))
            if "min" in self.units and self.chance(0.5):
                keep.append("min='%s'" % r.choice(["120 min", "2 hours", "all"]))
            keep = ", @retentionPeriod(%s)" % ", ".join(keep) if keep else ""
            out += "@purge(enable='true', interval='%s'%s) " % (r.choice(["10 sec", "1 min", "7 sec", "20 min"]), keep)
        out += "define aggregation Ag from S select %s" % select
        if self.keys:
            out += " group by " + ", ".join(self.keys)
            self.tags.add("aggregation:group")
        out += " aggregate "
        if self.by:
            out += "by %s " % self.by
            self.tags.add("aggregation:by")
        return out + durations + ";"

    # ---- reading ----

    def within(self, now):
        """(text, is it a pattern)"""
        r = self.r
        zone = r.choice([0, 0, 0, 330, -300, 60])
        if self.chance(0.4):
            full = text_of(now - r.choice([0, 0, 1000, 60000]), zone)
            stamp, offset = full[:19], full[19:]
            cut = r.choice([4, 4, 7, 7, 10, 13, 16, 19])
            return '"%s%s"' % (stamp[:cut] + "-**-** **:**:**"[cut - 4 :] if cut < 19 else stamp, offset)
        span = r.choice([1000, 5000, 60000, 3600000, 86400000, 40 * 86400000, 800 * 86400000])
        start, end = now - r.randint(0, 2) * span - r.choice([0, 0, 1, 999]), now + r.randint(0, 1) * span + r.choice([1, 1000, 1001])
        if self.chance(0.15):
            start = 0
        if self.chance(0.03):
            start, end = end, start

        def moment(ms):
            return "%dL" % ms if self.chance(0.6) else '"%s"' % text_of(ms, zone)

        return "%s, %s" % (moment(start), moment(end))

    def per(self):
        r = self.r
        unit = r.choice(self.units) if self.chance(0.95) else r.choice(UNITS)
        quote = r.choice("'\"")
        return quote + r.choice(WORDS[unit]) + quote

    def names(self):
        return [("AGG_TIMESTAMP", "long")] + [(n, t) for _, n, t in self.items]

    def condition(self, prefix):
        r = self.r
        if self.chance(0.25):
            a, b = self.condition(prefix), self.condition(prefix)
            return r.choice(["(%s and %s)", "(%s or %s)", "not(%s or %s)", "not(%s and %s)"]) % (a, b)
        n, t = r.choice(self.names())
        if t == "string":
            return "%s%s == '%s'" % (prefix, n, r.choice(["a", "b", "x"]))
        if t == "bool":
            return "%s%s == %s" % (prefix, n, r.choice(["true", "false"]))
        if n == "AGG_TIMESTAMP":
            return "%s%s >= %dL" % (prefix, n, self.now - 5000)
        return "%s%s %s %d" % (prefix, n, r.choice([">", "<", "<=", "!="]), r.randint(0, 6))

    def ondemand(self, now):
        r = self.r
        names = self.names()
        if self.chance(0.15):
            return "from Ag_%s select *" % TABLES[UNITS.index(r.choice(self.units))]
        q = "from Ag "
        if self.chance(0.25):
            q += "on %s " % self.condition(r.choice(["", "Ag."]))
        q += "within %s per %s" % (self.within(now), self.per())
        kind = r.random()
        if kind < 0.15:
            return q
        if kind < 0.6:
            return q + " select *"
        if kind < 0.8:
            chosen = r.sample(names, r.randint(1, len(names)))
            q += " select " + ", ".join(n for n, _ in chosen)
            if self.chance(0.5):
                q += " order by " + ", ".join(n + r.choice(["", "", " desc"]) for n, _ in chosen)
                q += r.choice(["", " limit 2", " limit 3 offset 1"])
            return q
        numbers = [n for n, t in names if t in ("int", "long", "double", "float") and n != "AGG_TIMESTAMP"]
        if not numbers:
            return q + " select count() as n"
        n = r.choice(numbers)
        if self.chance(0.5):
            return q + " select sum(%s) as s, count() as n, max(%s) as m" % (n, n)
        g = r.choice([m for m, _ in names])
        return q + " select %s as g, sum(%s) as s group by %s having s > %d order by g" % (g, n, g, r.randint(-5, 5))

    def join(self, number):
        r = self.r
        names = self.names()
        outer = r.choice(["join", "join", "left outer join", "join"])
        query = "@info(name='q%d') from Q as q %s Ag as a " % (number, outer)
        if self.chance(0.6):
            on = []
            strings = [n for n, t in names if t == "string"]
            if strings and self.chance(0.7):
                on.append("q.name == a.%s" % r.choice(strings))
            else:
                on.append(self.condition("a."))
            query += "on %s " % " and ".join(on)
        if self.chance(0.35):
            query += "within q.start, q.till per q.per "
        elif self.chance(0.3):
            query += "within q.pattern per %s " % self.per()
        else:
            query += "within %s per %s " % (self.within(self.now), self.per())
        chosen = r.sample(names, r.randint(1, len(names)))
        query += "select q.name as name, " + ", ".join("a.%s as o%d" % (n, i) for i, (n, _) in enumerate(chosen))
        query += " order by " + ", ".join("o%d" % i for i in range(len(chosen)))
        return query + " insert %sinto Out%d;" % (r.choice(["", "", "", "all events "]), number)

    # ---- steps ----

    def value(self, name, t):
        r = self.r
        if name not in ("ts", "st") and self.chance(0.08):
            return None
        if t == "string":
            return r.choice(["a", "b", "c", "x", "null", "dev-1"])
        if t == "bool":
            return self.chance(0.5)
        if t in ("int", "long"):
            return r.choice([0, 1, 2, 3, 4, 5, 7, -3, 100])
        return r.choice([0.0, 0.5, 1.25, 2.0, 3.75, -1.5, 10.0])

    def event(self, now):
        r = self.r
        own = now
        if self.chance(0.4):
            own = now + r.choice([-500, -1000, -3000, -61000, -3600000, -86400000, 1000, 20000, -40 * 86400000])
        zone = r.choice([0, 0, 330])
        # Which of two events of one time is the newest would be an accident.
        while own // (1000 if self.by == "st" else 1) in self.seen:
            own += 1000 if self.by == "st" else 1
        self.seen.add(own // (1000 if self.by == "st" else 1))
        row = []
        for name, t in self.columns:
            if name == "ts":
                row.append(None if self.chance(0.01) else own)
            elif name == "st":
                row.append("yesterday" if self.chance(0.01) else text_of(own, zone))
            else:
                row.append(self.value(name, t))
        return row

    def probe(self, now):
        r = self.r
        start, end = now - r.choice([1000, 60000, 86400000, 0]), now + r.choice([1, 1000, 60000])
        per = r.choice(WORDS[r.choice(self.units)]) if self.chance(0.95) else "fortnight"
        pattern = text_of(now)
        pattern = r.choice([pattern[:4] + "-**-** **:**:**", pattern[:10] + " **:**:**", pattern[:16] + ":**", "now"])
        return [r.choice(["a", "b", "x", None]), start, text_of(end), per, pattern]

    def steps(self):
        r = self.r
        scale = r.choice([[0, 100, 500, 1000], [0, 500, 1000, 2500, 20000], [1000, 30000, 61000], [60000, 1000000, 3600000], [1000, 3600000, 86400000]])
        if "sec" not in self.units and self.chance(0.5):
            scale = [s * 60 for s in scale]
        now = self.now
        steps = []
        for _ in range(r.randint(5, 22)):
            now += r.choice(scale)
            kind = r.random()
            if kind < 0.55:
                steps.append({"send": "S", "at": now, "data": self.event(now)})
            elif kind < 0.62:
                batch = [{"at": now, "data": self.event(now)} for _ in range(r.randint(2, 4))]
                steps.append({"send": "S", "batch": batch})
            elif kind < 0.75 and self.joins:
                steps.append({"send": "Q", "at": now, "data": self.probe(now)})
            elif kind < 0.8:
                steps.append({"advance": now})
            else:
                steps.append({"query": self.ondemand(now), "at": now})
        for unit in self.units:
            if len(self.units) < 4 or self.chance(0.5):
                steps.append({"query": 'from Ag within 1000000000000L, 2000000000000L per "%s" select *' % unit, "at": now})
                steps.append({"query": "from Ag_%s select *" % TABLES[UNITS.index(unit)], "at": now})
        return steps

    def make(self):
        r = self.r
        self.now = r.choice(BASES) + r.choice([0, 0, 1, 250, 999])
        app = self.definition()
        stream = "define stream S (%s);" % ", ".join("%s %s" % c for c in self.columns)
        self.joins = r.choice([0, 0, 1, 2])
        playback = self.chance(0.25)
        text = ("@app:playback " if playback else "") + stream
        if self.joins:
            text += "define stream Q (name string, start long, till string, per string, pattern string);"
        text += app
        for n in range(self.joins):
            text += self.join(n + 1)
        mode = "playback" if playback else "live"
        return {"name": self.name, "mode": mode, "tags": sorted(self.tags), "app": text, "steps": self.steps()}


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        print(json.dumps(Case(seed, number).make()))


if __name__ == "__main__":
    main()
