#!/usr/bin/env python3
"""gen_tables.py SEED COUNT - cases of tables and on-demand queries, as JSON lines without `expect` (compare.py adds it).

Small domains, so that keys meet; every kind of key and index, conditions of every shape the language tells apart, set clauses with and
without the row's own attributes, chunks of several events. Statements that fail inside the reference are wanted too: what is left of
them is part of its behaviour.
"""
import json
import random
import sys

TYPES = {"k": "string", "g": "string", "n": "int", "l": "long", "d": "double", "b": "bool"}
VALUES = {
    "k": ["a", "b", "c", "Aa", "BB", "banana", "apple"], "g": ["x", "y", ""], "n": [0, 1, 2, 3, 5, -1], "l": [0, 1, 2, 4294967296],
    "d": [0.5, 1.0, 2.5, -1.25], "b": [True, False],
}
LITERAL = {"k": lambda v: f"'{v}'", "g": lambda v: f"'{v}'", "n": str, "l": lambda v: f"{v}L", "d": str, "b": lambda v: str(v).lower()}


class Case:
    def __init__(self, seed, number):
        self.r = random.Random(f"{seed}/{number}")
        self.name = f"gen-tables/{seed}/{number}"
        r = self.r
        columns = ["k"] + r.sample(["g", "n", "l", "d", "b"], r.randint(2, 4))
        r.shuffle(columns)
        self.columns = columns
        self.keys, self.indexes = [], []
        roll = r.random()
        if roll < 0.45:
            self.keys = [r.choice(columns)] if r.random() < 0.65 else r.sample(columns, 2)
        if r.random() < 0.4:
            self.indexes = r.sample(columns, r.randint(1, 2))
        self.null_rate = r.choice([0, 0, 0, 0.1])
        self.steps, self.at = [], 1000

    def attributes(self):
        return ", ".join(f"{c} {TYPES[c]}" for c in self.columns)

    def value(self, c):
        return None if self.r.random() < self.null_rate else self.r.choice(VALUES[c])

    def literal(self, c):
        return LITERAL[c](self.r.choice(VALUES[c]))

    def other(self, c, names):
        """Something of the type of c that isn't the row's."""
        r = self.r
        if c in names and r.random() < 0.7:
            return names[c]
        text = self.literal(c)
        if TYPES[c] == "int" and r.random() < 0.06:
            text = r.choice(["1L", "2.0", "1 + 1"])
        return text

    def compare(self, names, column=None):
        r = self.r
        c = column or r.choice(self.columns if r.random() < 0.5 else (self.keys + self.indexes or self.columns))
        if TYPES[c] in ("string", "bool"):
            op = r.choice(["==", "==", "==", "!="])
        else:
            op = r.choice(["==", "==", "==", "!=", "<", "<=", ">", ">="])
        own, other = "T." + c, self.other(c, names)
        if r.random() < 0.15:
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)
            return f"{other} {turned} {own}"
        return f"{own} {op} {other}"

    def outside(self, names):
        """A condition that doesn't look at the row."""
        numbers = [names[c] for c in names if TYPES.get(c) in ("int", "long")]
        if numbers and self.r.random() < 0.8:
            return f"{self.r.choice(numbers)} {self.r.choice(['>', '<=', '!='])} {self.r.choice(['0', '1', '2'])}"
        return self.r.choice(["1 == 1", "2 > 1", "1 > 2"])

    def condition(self, names, depth=2):
        r = self.r
        roll = r.random()
        if len(self.keys) > 1 and roll < 0.35:
            text = " and ".join(f"T.{c} == {self.other(c, names)}" for c in self.keys)
            return text if r.random() < 0.7 else f"({text}) and {self.condition(names, 0)}"
        if len(self.keys) == 1 and roll < 0.3:
            return f"T.{self.keys[0]} == {self.other(self.keys[0], names)}"
        if depth > 0 and roll < 0.5:
            return f"({self.condition(names, depth - 1)} {r.choice(['and', 'or'])} {self.condition(names, depth - 1)})"
        if depth > 0 and roll < 0.55:
            return f"not ({self.condition(names, depth - 1)})"
        if roll < 0.6:
            return self.outside(names)
        if roll < 0.64:
            c = r.choice(self.columns)
            return f"T.{c} is null"
        if roll < 0.68 and "b" in self.columns:
            return "T.b"
        return self.compare(names)

    def expression(self, c, names, own):
        """A new value of column c."""
        r = self.r
        if own and TYPES[c] in ("int", "long", "double") and r.random() < 0.35:
            return f"T.{c} {r.choice(['+', '*', '-'])} {self.literal(c)}"
        if own and r.random() < 0.1:
            same = [x for x in self.columns if TYPES[x] == TYPES[c]]
            return f"T.{r.choice(same)}"
        return self.other(c, names)

    def set_clause(self, names):
        r = self.r
        some = r.sample(self.columns, r.randint(1, len(self.columns)))
        if r.random() < 0.6:
            some = [c for c in some if c not in self.keys] or some
        return "set " + ", ".join(f"T.{c} = {self.expression(c, names, True)}" for c in some)

    def send(self, stream, columns):
        r = self.r
        self.at += r.choice([0, 0, 10, 100, 250])
        if r.random() < 0.15:
            batch = [{"at": self.at, "data": [self.value(c) for c in columns]} for _ in range(r.randint(2, 4))]
            self.steps.append({"send": stream, "batch": batch})
        else:
            self.steps.append({"send": stream, "at": self.at, "data": [self.value(c) for c in columns]})

    def ask(self, text):
        self.steps.append({"query": text, "at": self.at})

    def selected(self):
        """select for a statement without a stream: all columns."""
        return "select " + ", ".join(f"{self.literal(c)} as {c}" for c in self.columns)

    def statement(self):
        r = self.r
        names = {c: c for c in self.columns}
        roll = r.random()
        if roll < 0.2:
            return f"{self.selected()} insert into T"
        if roll < 0.45:
            return f"delete T on {self.condition({})}"
        if roll < 0.7:
            return f"update T {self.set_clause({})} on {self.condition({})}"
        clause = self.set_clause(names) if r.random() < 0.6 else ""
        return f"{self.selected()} update or insert into T {clause} on {self.condition(names)}"

    def find(self):
        r = self.r
        on = f" on {self.condition({})}" if r.random() < 0.6 else ""
        roll = r.random()
        if roll < 0.5:
            select = " select *"
        elif roll < 0.6:
            select = ""
        elif roll < 0.75:
            numbers = [c for c in self.columns if TYPES[c] in ("int", "long", "double")]
            what = [f"{a}({r.choice(numbers)}) as x{i}" for i, a in enumerate(r.sample(["sum", "avg", "min", "max"], 2))] if numbers else []
            select = " select " + ", ".join(what + ["count() as c"])
        elif roll < 0.9:
            by = r.choice(self.columns)
            select = f" select {by}, count() as c group by {by}"
            if r.random() < 0.4:
                select += f" having c > {r.choice([0, 1, 2])}"
        else:
            some = r.sample(self.columns, r.randint(1, len(self.columns)))
            select = " select " + ", ".join(some)
        if select and r.random() < 0.3 and "select *" in select:
            order = r.sample(self.columns, len(self.columns))
            select += " order by " + ", ".join(c + r.choice(["", " desc", " asc"]) for c in order)
            if r.random() < 0.5:
                select += f" limit {r.choice([1, 2, 3])}"
                if r.random() < 0.5:
                    select += f" offset {r.choice([1, 2])}"
        return f"from T{on}{select}"

    def queries(self):
        r = self.r
        all_of = self.columns
        names = {c: c for c in all_of}
        window = r.choice(["", "", "", "#window.length(2)", "#window.lengthBatch(2)"])
        kinds = r.choice(["", "", " for all events", " for expired events"]) if window else ""
        select = "select *"
        some = r.sample(all_of, r.randint(1, len(all_of)))
        texts = ["from S select * insert into T;"]
        for _ in range(r.randint(1, 3)):
            roll = r.random()
            if roll < 0.25:
                texts.append(f"from U{window} {select} update T{kinds} {self.set_clause(names)} on {self.condition(names)};")
            elif roll < 0.35:
                few = {c: c for c in some}
                texts.append(f"from U select {', '.join(some)} update T on {self.condition(few)};")
            elif roll < 0.6:
                clause = self.set_clause(names) if r.random() < 0.6 else ""
                texts.append(f"from U{window} {select} update or insert into T{kinds} {clause} on {self.condition(names)};")
            elif roll < 0.85:
                texts.append(f"from D{window} {select} delete T{kinds} on {self.condition(names)};")
            else:
                texts.append(f"from D[({self.condition(names)}) in T] select * insert into In{len(texts)};")
        if r.random() < 0.5:
            joined = {c: "D." + c for c in all_of}
            kind = r.choice(["join", "left outer join"])
            picked = ", ".join([f"D.{r.choice(all_of)} as own"] + [f"T.{c} as {c}" for c in all_of])
            texts.append(f"from D {kind} T on {self.condition(joined)} select {picked} insert into Out;")
        if r.random() < 0.3:
            texts.append(f"from D[({self.condition(names)}) in T] select * insert into Has;")
        return texts

    def make(self):
        r = self.r
        table = "".join(f"@PrimaryKey({', '.join(repr(c) for c in self.keys)}) " if self.keys else "")
        table += "".join(f"@Index('{c}') " for c in self.indexes)
        app = f"{table}define table T ({self.attributes()});\n"
        app += "".join(f"define stream {s} ({self.attributes()});\n" for s in "SUD")
        app += "\n".join(f"@info(name='q{i}') {text}" for i, text in enumerate(self.queries(), 1))
        for _ in range(r.randint(3, 6)):
            self.send("S", self.columns)
        for _ in range(r.randint(5, 12)):
            roll = r.random()
            if roll < 0.35:
                self.send("S", self.columns)
            elif roll < 0.55:
                self.send("U", self.columns)
            elif roll < 0.7:
                self.send("D", self.columns)
            elif roll < 0.85:
                self.ask(self.statement())
            else:
                self.ask(self.find())
            if r.random() < 0.3:
                self.ask("from T select *")
        self.ask("from T select *")
        self.ask(self.find())
        return {"name": self.name, "mode": "live", "tags": ["table"], "app": app, "steps": self.steps}


def main():
    seed, count = sys.argv[1], int(sys.argv[2])
    for number in range(count):
        print(json.dumps(Case(seed, number).make(), ensure_ascii=False))


if __name__ == "__main__":
    main()
