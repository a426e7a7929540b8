#!/usr/bin/env python3
"""Caps: how near what is measured comes to them, and what they cost.

    cargo build --release && benches/rates.py [--entities 1000] [--rounds 3] [accuracy] [cost]

`accuracy` holds a file server, a group, an entity and a label to a rate, each in a run of its own, and prints how far the
mean over ten seconds is off. `cost` compares the processor time of `subtend run` (its lab is another process) with and
without caps, in turn, for as many bytes in as much time: where entities take 128 KiB/s each, with caps on everything that
are never reached; and where caps hold each entity to 64 KiB/s, its own or its part of the group's, beside entities that
take no more. Ends with 1 where a bound does not hold.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from common import BINARY, KIB, MIB, Bench, Broken, Network, names, run

# Parts of the rate that the mean over ten seconds may be off, and of the processor time that caps may add.
OFF, COST = 0.03, 1.1
SECONDS = 10


class Capped(Network):
    """A network in which caps are, by what they are on."""

    def __init__(self, *arguments, caps=(), north=0):
        super().__init__(*arguments)
        self.caps, self.north = dict(caps), north

    def text(self, of_this_lab=True):
        inventory = json.loads(super().text(of_this_lab))
        for at, entity in enumerate(inventory["entities"]):
            entity["labels"] = {"site": "north" if at < self.north else "south"}
            rate = self.caps.get("entities", self.caps.get(entity["name"]))
            if rate:
                entity["rate"] = f"{rate} B/s"
        for name, server in inventory["file_servers"].items():
            if name in self.caps:
                server["rate"] = f"{self.caps[name]} B/s"
        for name, group in inventory["groups"].items():
            if "group" in self.caps:
                group["rate"] = f"{self.caps['group']} B/s"
        if "north" in self.caps:
            inventory["rates"] = [
                {"label": {"site": "north"}, "rate": f"{self.caps['north']} B/s"}
            ]
        return json.dumps(inventory, indent=1) + "\n"


def network(entities, size, takes, caps, north=0):
    made = Capped(8 * MIB, 64 * KIB, caps=caps, north=north)
    made.server("hq")
    made.image("image", size)
    behaviour = {"rate": f"{takes} B/s"} if takes else {}
    made.add("image", names(entities), **behaviour)
    made.group("all", "image", names(entities), {"file_server": "hq"})
    return made


# ---------------------------------------------------------------- accuracy


def at(event):
    return datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()


def measured(done, of):
    """Bytes a second over ten seconds from about one second after the first byte on."""
    points = []
    for _, event in done.progress:
        sent = {one["entity"]: one["sent"] for one in event["entities"]}
        count = event["read"] if of is None else sum(sent.get(name, 0) for name in of)
        if count:
            points.append((at(event), count))
    begin = next(point for point in points if point[0] >= points[0][0] + 1)
    end = next((point for point in points if point[0] >= begin[0] + SECONDS), None)
    if end is None:
        raise Broken(f"too short: {points[-1][0] - begin[0]:.1f} s")
    return (end[1] - begin[1]) / (end[0] - begin[0])


def accuracy(bench):
    print("| cap on | rate | measured over 10 s | off | bottleneck |")
    print("| --- | --- | --- | --- | --- |")
    holds = True
    for what, cap, rate, of, north in [
        ("file server", "hq", 4 * MIB, None, 0),
        ("group", "group", 16 * MIB, names(8), 0),
        ("entity", "e03", 2 * MIB, ["e03"], 0),
        ("label", "north", 4 * MIB, names(3), 3),
    ]:
        share = {"file server": rate, "group": rate / 8, "entity": rate, "label": rate / 3}[what]
        size = int(share * (SECONDS + 3.5)) // MIB * MIB
        done = run(bench, network(8, size, None, {cap: rate}, north))
        done.expect_delivered(names(8))
        mean = measured(done, of)
        off = mean / rate - 1
        right = abs(off) <= OFF and not done.wrong
        holds &= right
        wrong = "".join(f" {text}" for text in done.wrong)
        print(
            f"| {what} | {rate / MIB:.0f} MiB/s | {mean / MIB:.3f} MiB/s | {off:+.2%} |"
            f" {done.bottleneck()} |{'' if right else ' too far off' + wrong}",
            flush=True,
        )
    return holds


# ---------------------------------------------------------------- cost


def processor_time(bench, made):
    """Seconds of the processor that one run takes, and of the clock."""
    with bench.served(made.lab_text()):
        file = bench.write(made.text())
        command = [bench.binary, "run", "--all", "--json", "-i", file]
        command += ["--state-dir", bench.folder / "state"]
        with open(file.with_suffix(".jsonl"), "w") as out:
            process = subprocess.Popen(command, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Broken(f"subtend run ended with {process.returncode}")
    last = pathlib.Path(out.name).read_text().splitlines()[-1]
    return usage.ru_utime + usage.ru_stime, json.loads(last)["seconds"]


def cost(bench, entities, rounds):
    slack = {"entities": 2 * MIB, "group": 8 << 30, "north": 8 << 30, "hq": 4 << 30}
    slow, fast = 64 * KIB, 128 * KIB
    size = MIB
    ways = {
        "128 KiB/s, no caps": (fast, {}),
        "128 KiB/s, caps that are never reached": (fast, slack),
        "64 KiB/s, no caps": (slow, {}),
        "held by the group's cap": (4 * MIB, {**slack, "group": entities * slow}),
        "held by a cap for each": (4 * MIB, {**slack, "entities": slow}),
    }
    taken = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (takes, caps) in ways.items():
            made = network(entities, size, takes, caps, north=entities // 2)
            taken[way].append(processor_time(bench, made))
    print(f"\n{entities} entities, {size / MIB:.0f} MiB each; {rounds} rounds\n")
    print("| way | processor s | wall s | beside without |")
    print("| --- | --- | --- | --- |")
    holds, base = True, 0
    for way, times in taken.items():
        processor = statistics.median(one for one, _ in times)
        if way.endswith("no caps"):
            base = processor
        ratio = processor / base
        holds &= ratio <= COST
        print(f"| {way} | {processor:.2f} | {statistics.median(wall for _, wall in times):.1f} | {ratio:.3f} |")
    return holds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=["accuracy", "cost", []], default=[])
    parser.add_argument("--entities", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)
    arguments = parser.parse_args()
    what = arguments.what or ["accuracy", "cost"]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.binary, folder)
        holds = True
        if "accuracy" in what:
            holds &= accuracy(bench)
        if "cost" in what:
            holds &= cost(bench, arguments.entities, arguments.rounds)
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
