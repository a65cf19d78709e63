"""Apps of other areas with one thing changed: most must be refused, some are still fine. What is compared is which."""
import re

import areas

TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|@?\w+(?:\.\d+)?|[<>=!]=|[^\s\w]")
WORDS = ["nosuch", "deviceId", "level", "5", "2.5", "1.5f", "3L", "true", "'x'", "null", "sum", "count", "avg", "S", "Out1", "as",
         "from", "select", "group", "by", "having", "limit", "-1", "0", "(", ")", "[", "]", ",", ";", "e1", "1 sec", "string", "int",
         "bool", "object", "length", "time", "expired", "every", "and", "not", "is", "in"]

KEYWORDS = set("""define stream window table trigger at from select insert into all current expired events group by having order
limit offset output every first last snapshot as join left right full outer inner unidirectional on partition with begin end of and or
not is null in true false asc desc info name app playback start sec second seconds millisec milliseconds""".split())
NAMES = ["nosuch", "length", "time", "sum", "cast", "coalesce", "string", "int", "long", "double", "bool", "object", "lengthBatch",
         "sort", "session", "batch", "deviceId", "distinctCount", "maximum", "Out1", "eventTimestamp", "createSet", "log"]
VALUES = ["0", "-1", "1", "5L", "1.5f", "2.25", "'x'", "''", "true", "1 sec", "2147483648", "99999999999L", "null", "deviceId",
          "level", "1 + 1", "0 sec", "'deviceId'", "'asc'"]


def errors(g):
    base = g.pick(["select", "windows", "batchwin", "joins", "ratelimit", "namedwin", "partitions", "triggers", "expr"])
    app, steps, _ = areas.AREAS[base](g)
    tokens = list(TOKEN.finditer(app))
    names = [t for t in tokens if re.match(r"[A-Za-z]", t.group()) and t.group().lower() not in KEYWORDS]
    values = [t for t in tokens if re.match(r"['\"\d]", t.group())]
    for _ in range(20):
        t = g.pick(tokens)
        kind = g.pick(["delete", "replace", "name", "name", "name", "name", "value", "value", "double", "swap"])
        if kind == "name":
            t = g.pick(names)
            changed = app[: t.start()] + (g.pick(names).group() if g.chance(0.85) else g.pick(NAMES)) + app[t.end():]
            if changed == app:
                continue
            break
        if kind == "value" and values:
            t = g.pick(values)
            changed = app[: t.start()] + g.pick(VALUES) + app[t.end():]
            break
        if kind == "delete":
            changed = app[: t.start()] + app[t.end():]
        elif kind == "replace":
            same = [x.group() for x in tokens if x.group()[0].isalnum() == t.group()[0].isalnum()]
            changed = app[: t.start()] + g.pick(WORDS if g.chance(0.5) else same) + app[t.end():]
        elif kind == "double":
            changed = app[: t.end()] + " " + t.group() + app[t.end():]
        else:
            other = g.pick(tokens)
            a, b = sorted((t, other), key=lambda x: x.start())
            if a.end() > b.start():
                continue
            changed = app[: a.start()] + b.group() + app[a.end(): b.start()] + a.group() + app[b.end():]
        if changed != app:
            break
    g.tag("base:" + base, "change:" + kind)
    first = steps[0].get("at", steps[0].get("advance")) or steps[0]["batch"][0]["at"]
    return changed, [{"advance": first}], None


AREAS = {"errors": errors}
