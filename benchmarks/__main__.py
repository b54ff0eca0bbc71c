"""`python -m benchmarks [--quick] [name …]`: run benchmarks/bench_<name>.py and print a table.

A benchmark yields dicts: "name", "value" (items a second unless "unit" says otherwise), and optionally "target",
"reference" (the plain implementation's value), "bound" (what limits it, in words) and "uses" (bytes of memory, random
numbers and floating-point operations an item, from which the share of this machine's limit follows).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import limits


def share(value: float, uses: Mapping[str, float], machine: Mapping[str, float]) -> tuple[str, float]:
    """The resource used most and the fraction of this machine's rate that is reached."""
    kind = max(uses, key=lambda name: uses[name] / machine[name])
    return kind, value * uses[kind] / machine[kind]


def row(entry: Mapping[str, Any], machine: Mapping[str, float]) -> list[str]:
    """One line of the table."""
    value, unit = float(entry["value"]), entry.get("unit", "1/s")
    target, reference = entry.get("target"), entry.get("reference")
    smaller_is_better = unit in ("s", "ms", "GB", "MB")
    met = "" if target is None else ("yes" if (value <= target) == smaller_is_better or value == target else "NO")
    ratio = "" if reference is None else f"{reference / value if smaller_is_better else value / reference:.1f}x"
    bound = entry.get("bound", "")
    if entry.get("uses"):
        kind, part = share(value, entry["uses"], machine)
        bound = f"{part:.0%} of {kind}; {bound}" if bound else f"{part:.0%} of {kind}"
    return [entry["name"], f"{value:,.4g} {unit}", "" if target is None else f"{target:,.4g}", met, ratio, bound]


def main() -> None:
    """Run and print; the exit status says nothing about targets, which depend on the machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="rooms to measure; default all")
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    options = parser.parse_args()
    found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    unknown = set(options.names) - set(found)
    if unknown:
        parser.error(f"no benchmark {sorted(unknown)}; there are: {', '.join(found)}")
    machine = limits()
    print(f"threads: {os.environ.get('OMP_NUM_THREADS', os.cpu_count())}; this machine: ", end="")
    print(", ".join(f"{name} {value:.3g}/s" for name, value in machine.items()), flush=True)
    header = ["what", "measured", "target", "met", "reference", "bound"]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    entries = []
    for name in options.names or found:
        for entry in importlib.import_module(f"benchmarks.bench_{name}").benchmarks(quick=options.quick):
            entries.append(entry)
            print("| " + " | ".join(row(entry, machine)) + " |", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
