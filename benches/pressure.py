#!/usr/bin/env python3
"""The pool under pressure: entities of unequal speed, pauses, silence, reboots, a peer that dies.

    cargo build --release && benches/pressure.py [--runs 3] [--only SCENARIO]… [--json] [BINARY]

For each scenario it serves practice networks with `subtend lab`, measures what the scenario is
compared with in the same run (a plain `curl`, a run without the laggard, without pauses, with a
fixed depth), then runs `subtend run --json`, and checks its outcome, and that what entities hold is
the image byte for byte (fetched back with curl). It prints each ratio as median (min to max) beside
its bound. Ends with 1 if a bound or a check does not hold. One round takes about five minutes on two
cores. Needs curl and Python 3.9.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import signal
import statistics
import sys
import tempfile
import time

from common import BINARY, KIB, MIB, Bench, Broken, Network, curl, names, rate, run, run_in

# The default of a group; every row about laggards relies on it.
LAGGARD_LIMIT = 2.0
# Of what was wrong; twenty entities often have the same to say. JSON has all of it.
MOST_SHOWN = 8


# ---------------------------------------------------------------- scenarios

Figure = collections.namedtuple("Figure", "what value bound below", defaults=(False,))


class Result:
    """Figures (a value and what it must not pass, or must stay below), what was wrong, and notes."""

    def __init__(self):
        self.figures, self.wrong, self.notes = [], [], []

    def figure(self, what, value, bound, below=False):
        self.figures.append(Figure(what, value, bound, below))

    def took(self, done, what=""):
        """Takes over what was wrong with a run, and what held it up most of the time."""
        self.wrong += [f"{what}: {wrong}" if what else wrong for wrong in done.wrong]
        for group in done.summary["groups"]:
            where = ", ".join(filter(None, [what, group["group"]]))
            self.notes.append(f"bottleneck ({where}): {done.bottleneck(group['group'])}")


SIZE = 64 * MIB
SOURCE_RATE = 8 * MIB
# A tenth of the image, in whole buffers.
TENTH = SIZE // 10 // (128 * KIB) * (128 * KIB)


def fast(bench, shared):
    """20 entities, all faster than the source"""
    network, result = Network(TENTH, 128 * KIB), Result()
    network.server("hq", rate=rate(SOURCE_RATE))
    network.image("image", SIZE)
    network.add("image", names(20), rate=rate(2 * SOURCE_RATE))
    network.group("all", "image", names(20), {"file_server": "hq"})
    with bench.served(network.lab_text()):
        plain = curl(["-o", "/dev/null", network.source_url("hq", "image")])
        done = run_in(bench, network, check=names(4))
    done.expect_delivered(names(20))
    read = done.summary["source_bytes"]
    done.expect(read == SIZE, f"{read} bytes were read from the source, not {SIZE}")
    done.expect_bottleneck("source")
    result.took(done)
    result.figure("time / curl", done.seconds / plain, 1.05)
    result.notes.append(f"{done.seconds:.2f} s, curl {plain:.2f} s")
    return result


def slow(bench, shared):
    """20 entities, all slower than the source"""
    size = SIZE // 2
    network, result = Network(TENTH, 128 * KIB), Result()
    network.server("hq", rate=rate(64 * MIB))
    network.image("image", size)
    network.add("image", names(20), rate=rate(4 * MIB))
    network.group("all", "image", names(20), {"file_server": "hq"})
    with bench.served(network.lab_text()):
        plain = curl(["-T", bench.image("image", size), network.url("e01")])
    done = run(bench, network, check=names(4))
    done.expect_delivered(names(20))
    read = done.summary["source_bytes"]
    done.expect(read == size, f"{read} bytes were read from the source, not {size}")
    done.expect_bottleneck("entity:")
    result.took(done)
    result.figure("time / curl -T", done.seconds / plain, 1.05)
    result.notes.append(f"{done.seconds:.2f} s, curl -T {plain:.2f} s")
    return result


SLOW_RATE = SOURCE_RATE // 6


def laggard_network(laggards="catch-up", others=False, slow_one=True, **group):
    """19 entities as fast as the source and a bit more, and e20."""
    network = Network(TENTH, 128 * KIB, **group.pop("timeouts", {}))
    network.server("hq", rate=rate(SOURCE_RATE))
    network.image("image", SIZE)
    network.add("image", names(19), rate=rate(1.5 * SOURCE_RATE))
    if not others:
        e20 = SLOW_RATE if slow_one else 1.5 * SOURCE_RATE
        network.add("image", ["e20"], served=slow_one, rate=rate(e20))
    members = names(19) if others else names(20)
    network.group("all", "image", members, {"file_server": "hq"}, laggards, **group)
    return network


def without_laggard(bench, shared, result):
    """Seconds that the 19 need by themselves; measured once a round."""
    if "without" not in shared:
        done = run(bench, laggard_network(others=True))
        done.expect_delivered(names(19))
        result.took(done, "without it")
        shared["without"] = done.last_end(names(19))
    return shared["without"]


def own_limit(bench, shared, beside):
    """What `beside` gives, while one plain `curl -T` measures an entity like the slow one, which
    takes next to nothing of this host; seconds of that are measured once a round."""
    if "own" in shared:
        return beside()
    file = bench.image("image", SIZE)
    network = Network(MIB, 64 * KIB)
    network.server("hq")
    network.image("image", SIZE)
    network.add("image", ["e20"], rate=rate(SLOW_RATE))
    with bench.served(network.text()), concurrent.futures.ThreadPoolExecutor(1) as pool:
        plain = pool.submit(curl, ["-T", file, network.url("e20")])
        done = beside()
        shared["own"] = plain.result()
    return done


def catch_up(bench, shared):
    """one entity 6 times slower, catch-up, memory a tenth of the image"""
    result = Result()
    without = without_laggard(bench, shared, result)
    network = laggard_network()
    done = own_limit(bench, shared, lambda: run(bench, network, check=names(2) + ["e20"]))
    done.expect_delivered(names(20))
    result.took(done)
    others, own = done.last_end(names(19)), shared["own"]
    result.figure("the 19, less the limit / without it", (others - LAGGARD_LIMIT) / without, 1.10)
    result.figure("the slow one / curl -T", done.last_end(["e20"]) / own, 1.10)
    result.figure("source bytes / image", done.summary["source_bytes"] / SIZE, 2.0, below=True)
    passes = ", ".join(
        f"pass {one['pass']} from {one['source']} at {one['offset'] / MIB:.1f} MiB ({at:.1f} s)"
        for at, one in done.passes
        if one.get("read") is None
    )
    result.notes.append(
        f"the 19: {others:.2f} s, without it {without:.2f} s; "
        f"the slow one: {done.last_end(['e20']):.2f} s, curl -T {own:.2f} s; {passes}"
    )
    return result


def wait(bench, shared):
    """the slow one again, with `wait`"""
    result, network = Result(), laggard_network("wait")
    done = own_limit(bench, shared, lambda: run(bench, network, check=names(2) + ["e20"]))
    done.expect_delivered(names(20))
    read = done.summary["source_bytes"]
    done.expect(read == SIZE, f"{read} bytes were read from the source, not {SIZE}")
    done.expect_bottleneck("entity:e20")
    result.took(done)
    own = shared["own"]
    first, last = min(done.ended.values()), max(done.ended.values())
    result.figure("time / curl -T to the slow one", done.seconds / own, 1.10)
    # The others have what is in the pool before the slow one has; it needs that much longer.
    head_start = 1 - (TENTH / SLOW_RATE) / own
    result.figure("end together: last / first", last / first, 1.05 / head_start)
    result.notes.append(f"{first:.2f} to {last:.2f} s, curl -T {own:.2f} s")
    return result


def silent(bench, shared):
    """one entity goes silent at 40 %, catch-up, memory a tenth of the image"""
    result = Result()
    without = without_laggard(bench, shared, result)
    timeouts = {"progress": "8s", "reply": "5s", "connect": "3s"}
    network = laggard_network(slow_one=False, retries=0, timeouts=timeouts)
    with bench.served(network.lab_text()), bench.served(network.text(False)) as other:
        stopped = []

        def stop(event):
            for one in event.get("entities", []) if event["event"] == "progress" else []:
                if one["entity"] == "e20" and one["sent"] >= 0.4 * SIZE and not stopped:
                    other.send_signal(signal.SIGSTOP)
                    stopped.append(one["sent"])

        done = run_in(bench, network, stop, check=names(4))
    if not stopped:
        raise Broken("it was delivered before it could be stopped")
    done.expect_delivered(names(19))
    it = done.entities()["e20"]
    text = f"e20: {it['state']}: {it['cause']}"
    done.expect(it["state"] == "failed" and "no progress for 8 s" in (it["cause"] or ""), text)
    result.took(done)
    others = done.last_end(names(19))
    result.figure("the 19, less the limit / without it", (others - LAGGARD_LIMIT) / without, 1.10)
    result.notes.append(
        f"the 19: {others:.2f} s, without it {without:.2f} s; stopped at "
        f"{stopped[0] / MIB:.1f} MiB; {text}, at {done.last_end(['e20']):.1f} s"
    )
    return result


def pauses(bench, shared):
    """every entity pauses 400 ms at times of its own"""
    result, buffer = Result(), 256 * KIB

    def network(pausing, depth):
        network = Network(depth * buffer, buffer)
        network.server("hq", rate=rate(SOURCE_RATE))
        network.image("image", SIZE)
        behaviour = {"rate": rate(4 * SOURCE_RATE)}
        if pausing:
            behaviour |= {"pause": {"every": "16 MiB", "for": "400ms"}, "random_pauses": True}
        network.add("image", names(20), **behaviour)
        network.group("all", "image", names(20), {"file_server": "hq"})
        return network

    without = run(bench, network(False, 48))
    adaptive = run(bench, network(True, 48), check=names(3))
    fixed = run(bench, network(True, 4), check=names(1))
    for done, what in [(without, "without pauses"), (adaptive, "adaptive"), (fixed, "fixed")]:
        done.expect_delivered(names(20))
        result.took(done, what)
        for at, one in done.passes:
            done.expect(one["offset"] == 0, f"a pause made a pass at {one['offset']}")
    result.figure("adaptive / without pauses", adaptive.seconds / without.seconds, 1.15)
    result.figure("adaptive / fixed depth of 4", adaptive.seconds / fixed.seconds, 1.0, below=True)
    result.notes.append(
        f"adaptive {adaptive.seconds:.2f} s, without pauses {without.seconds:.2f} s, "
        f"4 buffers {fixed.seconds:.2f} s"
    )
    result.notes += depth_series(adaptive, ["all"])
    return result


def depth_series(done, groups):
    """The depth over time, twice a second, and each change with its reason."""
    lines = []
    for group in groups:
        series = [event["depth"] for _, event in done.progress if event["group"] == group]
        turns = reversals(series)
        lines.append(f"depth of {group}: {' '.join(map(str, series))}  ({turns} reversals)")
    for at, event in done.depths:
        lines.append(
            f"  {at:5.1f} s {event['group']}: {event['from']} to {event['to']}, {event['reason']}"
        )
    return lines


def reversals(series):
    """How often a series turns from growing to shrinking or back."""
    steps = [later - earlier for earlier, later in zip(series, series[1:]) if later != earlier]
    return sum(one * other < 0 for one, other in zip(steps, steps[1:]))


def two_groups(bench, shared):
    """one of two groups is source-bound, the other jitters"""
    result, buffer = Result(), 128 * KIB
    bound, jitters = names(6), names(8, first=7)

    def network(alone):
        # Half of it does not suffice for one that jitters.
        network = Network(48 * buffer, buffer)
        network.server("thin", rate=rate(4 * MIB))
        network.server("thick", rate=rate(16 * MIB))
        network.image("small", 40 * MIB)
        network.add("small", bound, rate=rate(16 * MIB))
        network.group("bound", "small", bound, {"file_server": "thin"})
        if not alone:
            network.image("large", 160 * MIB)
            pause = {"pause": {"every": "16 MiB", "for": "400ms"}, "random_pauses": True}
            network.add("large", jitters, rate=rate(48 * MIB), **pause)
            network.group("jitters", "large", jitters, {"file_server": "thick"})
        return network

    alone = run(bench, network(True))
    done = run(bench, network(False), check=bound[:2] + jitters[:2])
    for one, all_of_them in [(alone, bound), (done, bound + jitters)]:
        one.expect_delivered(all_of_them)
    alone.expect_bottleneck("source", "bound")
    done.expect_bottleneck("source", "bound")
    result.took(alone, "alone")
    result.took(done)
    # The last figures while both run: after an end, the rest is given to the other.
    until = min(done.last_end(bound), done.last_end(jitters))
    last = {
        event["group"]: event["depth"] * event["buffer_size"]
        for at, event in done.progress
        if at < until
    }
    if set(last) != {"bound", "jitters"}:
        raise Broken("there are no figures of both groups")
    result.figure(
        "share of the source-bound / of the jittering", last["bound"] / last["jitters"], 1, below=True
    )
    times = done.last_end(bound), alone.last_end(bound)
    result.figure("the source-bound one / alone", times[0] / times[1], 1.05)
    result.notes.append(
        f"source-bound {times[0]:.2f} s, alone {times[1]:.2f} s; shares at {until:.1f} s: "
        f"{last['bound'] / MIB:.1f} and {last['jitters'] / MIB:.1f} MiB; "
        f"the jittering one {done.last_end(jitters):.2f} s"
    )
    result.notes += depth_series(done, ["bound", "jitters"])
    return result


def reboots(bench, shared):
    """20 % of the entities reset at a random byte once and come back after 2 s"""
    size, result = SIZE // 2, Result()
    network = Network(TENTH, 128 * KIB)
    network.server("hq", rate=rate(SOURCE_RATE))
    network.image("image", size)
    network.add("image", names(16), rate=rate(2 * SOURCE_RATE))
    # Every round draws other bytes; the note says which.
    rebooting = [f"r{random.randrange(10**6):06}" for _ in range(4)]
    reboot = {"drop_somewhere": True, "drop_times": 1, "down_for": "2s"}
    network.add("image", rebooting, rate=rate(2 * SOURCE_RATE), **reboot)
    everybody = names(16) + rebooting
    network.group("all", "image", everybody, {"file_server": "hq"})
    done = run(bench, network, check=everybody)
    result.figure("entities not delivered", done.expect_delivered(everybody), 0)
    entities = done.entities()
    for name in rebooting:
        attempts = entities[name]["attempts"]
        done.expect(attempts > 1, f"{name} was not reset: {attempts} attempt")
    result.took(done)
    result.notes.append(
        f"all after {done.seconds:.2f} s, the 16 others after {done.last_end(names(16)):.2f} s; "
        f"{', '.join(rebooting)} reset; source bytes {done.summary['source_bytes'] / MIB:.1f} MiB"
    )
    return result


def peer_dies(bench, shared):
    """the peer that is read dies at half"""
    size, result = SIZE // 2, Result()
    network = Network(TENTH, 128 * KIB)
    network.server("hq", rate=rate(SOURCE_RATE))
    network.image("image", size)
    network.add("image", names(10), rate=rate(2 * SOURCE_RATE))
    network.add("image", ["peer"], True, read_rate=rate(SOURCE_RATE), dies_at=str(size // 2))
    network.group("all", "image", names(10), {"peer": "peer"})
    done = run(bench, network, check=names(10))
    result.figure("entities not delivered", done.expect_delivered(names(10)), 0)
    done.expect(
        any("hq" in event["source"] for _, event in done.sources),
        "no pass went on from the file server",
    )
    digest = done.summary["groups"][0]["sha256"]
    done.expect(digest == bench.digest("image", size), f"digest {digest}")
    result.took(done)
    # The inventory has no SHA-256, so the file server proves first that its half is the same.
    result.figure("source bytes / image", done.summary["source_bytes"] / size, 1.60)
    on_from = "; ".join(
        f"on from {event['source']} at {event['offset'] / MIB:.1f} MiB: {event['cause']}"
        for _, event in done.sources
    )
    result.notes.append(f"{done.seconds:.2f} s; {on_from or 'no other source was told'}")
    return result


SCENARIOS = {
    "fast": fast,
    "slow": slow,
    "catch-up": catch_up,
    "wait": wait,
    "silent": silent,
    "pauses": pauses,
    "two-groups": two_groups,
    "reboots": reboots,
    "peer-dies": peer_dies,
}


# ---------------------------------------------------------------- the table


def row(what, values, bound, below):
    median = statistics.median(values)
    holds = median < bound if below else median <= bound
    return {
        "figure": what,
        "median": median,
        "min": min(values),
        "max": max(values),
        "bound": bound,
        "holds": holds,
    }


def summarise(name, results, broken):
    """One scenario: its figures over all rounds, and everything that was wrong in any of them."""
    figures = collections.OrderedDict()
    for result in results:
        for one in result.figures:
            figures.setdefault(one.what, []).append(one)
    rows = []
    for what, all_of_it in figures.items():
        bound = statistics.median(one.bound for one in all_of_it)
        values = [one.value for one in all_of_it]
        rows.append(row(what, values, bound, all_of_it[0].below))
    wrong = broken + [wrong for result in results for wrong in result.wrong]
    return {
        "scenario": name,
        "about": SCENARIOS[name].__doc__,
        "holds": bool(rows) and not wrong and all(row["holds"] for row in rows),
        "figures": rows,
        "wrong": wrong,
        "notes": [result.notes for result in results],
    }


def print_table(table):
    print(f"\n{'scenario':<11} {'figure':<46} {'median':>6} {'(min to max)':<16} {'bound':>6}")
    for scenario in table:
        name = scenario["scenario"]
        for one in scenario["figures"]:
            spread = f"({one['min']:.3f} to {one['max']:.3f})"
            verdict = "ok" if one["holds"] else "FAILED"
            print(
                f"{name:<11} {one['figure']:<46} {one['median']:>6.3f} {spread:<16}"
                f" {one['bound']:>6.2f}  {verdict}"
            )
            name = ""
        checks = "all checks hold" if not scenario["wrong"] else scenario["wrong"][0]
        verdict = "FAILED" if scenario["wrong"] or not scenario["figures"] else "ok"
        print(f"{name:<11} {checks}  {verdict}")
        for wrong in scenario["wrong"][1:MOST_SHOWN]:
            print(f"{'':<11} {wrong}  FAILED")
        if len(scenario["wrong"]) > MOST_SHOWN:
            print(f"{'':<11} and {len(scenario['wrong']) - MOST_SHOWN} more  FAILED")


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Scenarios: "
        + "; ".join(f"{name}: {what.__doc__}" for name, what in SCENARIOS.items()),
    )
    arguments.add_argument("binary", nargs="?", type=pathlib.Path, default=BINARY)
    arguments.add_argument("--runs", type=int, default=3, help="rounds [default: 3]")
    arguments.add_argument(
        "--only",
        action="append",
        choices=SCENARIOS,
        metavar="SCENARIO",
        help="this one; may be given more than once [default: all]",
    )
    arguments.add_argument("--seed", type=int, help="of what is drawn at random; printed at the start")
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = arguments.parse_args()
    binary = options.binary.resolve()
    if not os.access(binary, os.X_OK):
        sys.exit(f"{binary} is not there; build it with `cargo build --release`, or name another")
    options.only = list(dict.fromkeys(options.only or SCENARIOS))
    if options.runs < 1:
        sys.exit("--runs: at least 1")
    # Labs of many entities need many files.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def say(text):
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    seed = random.randrange(10**6) if options.seed is None else options.seed
    random.seed(seed)
    say(f"seed {seed}")
    results = {name: [] for name in options.only}
    broken = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory(prefix="subtend-pressure-") as folder:
        bench = Bench(binary, folder)
        for number in range(1, options.runs + 1):
            # What scenarios of one round compare with in common.
            shared = {}
            for name in options.only:
                say(f"[{number}/{options.runs}] {name}: {SCENARIOS[name].__doc__}")
                begun = time.monotonic()
                try:
                    result = SCENARIOS[name](bench, shared)
                except Broken as why:
                    broken[name].append(f"round {number}: {why}")
                    say(f"  FAILED: {why}")
                    continue
                results[name].append(result)
                for one in result.figures:
                    say(f"  {one.what}: {one.value:.3f} (bound {one.bound:.2f})")
                for note in result.notes:
                    say(f"  {note}")
                for wrong in result.wrong[:MOST_SHOWN]:
                    say(f"  FAILED: {wrong}")
                if len(result.wrong) > MOST_SHOWN:
                    say(f"  FAILED: and {len(result.wrong) - MOST_SHOWN} more")
                say(f"  took {time.monotonic() - begun:.0f} s")
    table = [summarise(name, results[name], broken[name]) for name in options.only]
    if options.json:
        print(json.dumps({"runs": options.runs, "seed": seed, "scenarios": table}, indent=2))
    else:
        print_table(table)
    sys.exit(not all(scenario["holds"] for scenario in table))


if __name__ == "__main__":
    main()
