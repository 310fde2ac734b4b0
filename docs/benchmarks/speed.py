"""How fast training and encoding are, against the best loop written by hand and against rivals.

In one process, contenders interleaved, several rounds; median ratios with their range::

    python docs/benchmarks/speed.py --quick          # under 3 minutes on 2 idle cores
    python docs/benchmarks/speed.py                  # all of it
    python docs/benchmarks/speed.py --only epoch     # one table, the others stay as they are
    python docs/benchmarks/speed_page.py             # the page and the plot

Results go to speed.json beside this file (``--quick``: speed_quick.json, not to be published).
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from datetime import date
from pathlib import Path
from time import perf_counter

import machine
from cases import digits
from contenders import hand_loop, ours
from markdown_tables import markdown, verdict
from rivals import mlp_regressor, plain_skorch
from sections import SECTIONS

FOLDER = Path(__file__).parent


def main():
    """Run the sections asked for, print them, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="one table; may repeat")
    parser.add_argument("--json", type=Path, help="where the results go")
    args = parser.parse_args()
    path = args.json or FOLDER / ("speed_quick.json" if args.quick else "speed.json")
    results = _earlier(path) if args.only else {}
    results |= {"machine": machine.describe(), "quick": args.quick}
    results.setdefault("sections", {})
    print(machine.sentence(results["machine"]), flush=True)
    if machine.load() > 1:
        print(f"Load average {machine.load()}: something else is running; ranges will be wide.")
    warm_up()
    begin, failed = perf_counter(), False
    for name in args.only or SECTIONS:
        section, error = run_section(name, args.quick)
        failed = failed or error
        results["sections"][name] = section
        print("\n" + markdown(section), flush=True)
        path.write_text(json.dumps(in_order(results), indent=1) + "\n")
    print(f"\n{perf_counter() - begin:.0f} s in all.")
    for section in results["sections"].values():
        for row in section["rows"]:
            if verdict(row) == "MISSED":
                print(f"MISSED: {row['case']}: {row['name']}")
    return int(failed)


def run_section(name, quick):
    """Return the section as it goes into the JSON file, and whether it failed."""
    module, before, begin = SECTIONS[name], machine.load(), perf_counter()
    try:
        rows, failed = list(module.run(quick)), False
    except Exception as error:
        traceback.print_exc()
        rows, failed = [{"case": name, "skipped": f"failed: {error!r}"}], True
    section = {
        "title": module.TITLE,
        "note": module.NOTE,
        "rows": _rounded(rows),
        "seconds": round(perf_counter() - begin, 1),
        "load": [before, machine.load()],
        "date": date.today().isoformat(),
    }
    return section, failed


def warm_up():
    """Let imports and the first optimizer happen before anything is timed."""
    case = digits().tiny()
    for contender in (hand_loop, ours, plain_skorch, mlp_regressor):
        contender(case)


def in_order(results):
    """Keep the order of the tables whatever was run last."""
    done = results["sections"]
    return results | {"sections": {name: done[name] for name in SECTIONS if name in done}}


def _earlier(path):
    return json.loads(path.read_text()) if path.exists() else {}


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
