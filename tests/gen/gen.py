#!/usr/bin/env python3
"""gen.py AREA SEED COUNT: prints COUNT cases of an area as JSON lines, without `expect`. Same arguments, same cases."""
import json
import sys

import areas
import errors
import extensions
import fast
import mappers
import mix
from basics import Gen

AREAS = {**areas.AREAS, **errors.AREAS, **extensions.AREAS, **fast.AREAS, **mappers.AREAS, **mix.AREAS}


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in AREAS:
        sys.exit(f"{__doc__}\nareas: {' '.join(sorted(AREAS))}")
    area, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for number in range(count):
        g = Gen(f"{area}/{seed}/{number}")
        app, steps, more = AREAS[area](g)
        case = {
            "name": f"{area}/{seed}/{number}",
            "mode": "playback" if "@app:playback" in app else "live",
            "tags": sorted(g.tags),
            "app": app,
            "steps": steps,
            **(more or {}),
        }
        print(json.dumps(case, ensure_ascii=False))


if __name__ == "__main__":
    main()
