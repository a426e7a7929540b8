#!/usr/bin/env python3
"""How well the time left is foreseen.

    cargo build --release && benches/time_left.py [scenario ...]

Runs of about half a minute each, in which something else sets the pace. After a tenth of the run each estimate that
`subtend run --json` reports is compared with the time that it really took from there to the last entity's end. Printed are
the median error, the lowest estimate as a part of the truth, and how often nothing was known. Ends with 1 where a median is
over 15 %, or an estimate below a third of the truth.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile

from common import BINARY, KIB, MIB, Bench, Broken, Network, names, run

MEDIAN, LOWEST = 0.15, 1 / 3
# The part of a run after which estimates count, and the seconds before its end until which they do: what lies in the buffers
# of a connection has been sent, and arrives a second or two later.
FROM, LAST = 0.1, 3
SIZE = 8 * MIB


def network(rate, server=None, odd=None, group=None, timeouts=None):
    """Eight entities which take this many bytes a second; the last one behaves in its own way."""
    made = Network(2 * MIB, 64 * KIB, **(timeouts or {}))
    made.server("hq", **({"rate": f"{server} B/s"} if server else {}))
    made.image("image", SIZE)
    all_names = names(8)
    made.add("image", all_names[:-1], rate=f"{rate} B/s")
    made.add("image", all_names[-1:], **{"rate": f"{rate} B/s", **(odd or {})})
    made.group("all", "image", all_names, {"file_server": "hq"}, **(group or {}))
    return made


SCENARIOS = {
    "source": lambda: network(4 * MIB, server=300 * KIB),
    "entities": lambda: network(300 * KIB),
    "laggard": lambda: network(600 * KIB, odd={"rate": f"{260 * KIB} B/s"}),
    "silent": lambda: network(
        300 * KIB,
        odd={"silent_at": str(2 * MIB)},
        timeouts={"progress": "10s"},
        group={"retries": 0},
    ),
    "retry": lambda: network(400 * KIB, odd={"drop_at": str(4 * MIB), "drop_times": 1}),
    "cap": lambda: network(4 * MIB, group={"rate": f"{2 * MIB} B/s"}),
    "waves": lambda: network(600 * KIB, group={"waves": [2, "rest"]}),
}


def measure(bench, made):
    done = run(bench, made)
    end = max(done.ended.values())
    begin = min(at for at, _ in done.progress)
    looked, unknown, errors, lowest = 0, 0, [], float("inf")
    for at, event in done.progress:
        if not begin + FROM * (end - begin) <= at <= end - LAST:
            continue
        looked += 1
        left, truth = event["time_left"], end - at
        if left is None:
            unknown += 1
            continue
        errors.append(abs(left - truth) / truth)
        lowest = min(lowest, left / truth)
    if not looked:
        raise Broken("nothing was reported while it ran")
    median = statistics.median(errors) if errors else None
    return end - begin, median, lowest, unknown / looked


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--binary", type=pathlib.Path, default=BINARY)
    arguments.add_argument("scenario", nargs="*")
    given = arguments.parse_args()
    holds = True
    print("| what sets the pace | took | median error | lowest estimate | not known |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given.binary, folder)
        for name in given.scenario or SCENARIOS:
            took, median, lowest, unknown = measure(bench, SCENARIOS[name]())
            right = median is not None and median <= MEDIAN and lowest >= LOWEST
            holds &= right
            median = "-" if median is None else f"{median:.0%}"
            print(
                f"| {name} | {took:.0f} s | {median} | {lowest:.2f} of the truth | {unknown:.0%} |"
                f"{'' if right else ' too far off'}",
                flush=True,
            )
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
