#!/usr/bin/env python3
"""Records the console on its practice network as a picture that plays: assets/demo.svg.

    cargo build --release && assets/record.py [--binary FILE] [--output FILE]

tmux is the terminal: keys go in, and what it shows is looked at four times a second. Rows that are alike are written once,
and a picture is shown until the next one that differs. Nothing in it is from elsewhere, and it stands still for whoever
wants no motion.
"""

import argparse
import html
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
BINARY = FOLDER.parent / "target" / "release" / "subtend"
COLUMNS, ROWS = 80, 24
WIDE, HIGH, EDGE = 8.4, 18, 10
INTERVAL = 0.25
# What is pressed, and the seconds that are looked at after it. Words are typed letter by letter.
SCRIPT = [
    (None, 2.5),
    ("/", 0.6),
    ("adsl 2.3", 0.6),
    ("Enter", 1.5),
    ("U", 3.5),
    ("Y", 4),
    ("Down", 0.4),
    ("Down", 2.5),
    ("e", 2.5),
    ("0", 4),
    ("4", 1),
    ("m", 2),
    ("r", 3.5),
    ("Escape", 6),
]
NAMED = {"Enter", "Escape", "Down", "Up", "Tab"}
FOREGROUND, BACKGROUND = "#d0d0d0", "#121212"
SIXTEEN = [
    "#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#d0d0d0",
    "#666666", "#f14c4c", "#23d18b", "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff",
]  # fmt: skip


def colour(number):
    if number < 16:
        return SIXTEEN[number]
    if number < 232:
        steps, number = [0, 95, 135, 175, 215, 255], number - 16
        parts = steps[number // 36], steps[number // 6 % 6], steps[number % 6]
    else:
        parts = (8 + 10 * (number - 232),) * 3
    return "#" + "".join(f"{part:02x}" for part in parts)


class Pen:
    """How the next characters look."""

    def __init__(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.under = self.reverse = False

    def take(self, codes):
        codes = [int(code or 0) for code in codes.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 2, 4, 7):
                setattr(self, {1: "bold", 2: "dim", 4: "under", 7: "reverse"}[code], True)
            elif code == 22:
                self.bold = self.dim = False
            elif code in (24, 27):
                setattr(self, {24: "under", 27: "reverse"}[code], False)
            elif code in (38, 48) and codes[:1] == [5]:
                setattr(self, "fg" if code == 38 else "bg", colour(codes[1]))
                codes = codes[2:]
            elif code in (39, 49):
                setattr(self, "fg" if code == 39 else "bg", None)
            elif 30 <= code % 60 <= 37 and code < 100:
                self.fg = SIXTEEN[code - 30]
            elif 40 <= code <= 47:
                self.bg = SIXTEEN[code - 40]
            elif 90 <= code <= 97:
                self.fg = SIXTEEN[code - 82]

    def style(self):
        fg, bg = self.fg or FOREGROUND, self.bg
        if self.reverse:
            fg, bg = bg or BACKGROUND, fg
        return fg, bg, self.bold, self.dim, self.under


def row(line):
    """A row of cells as a part of a picture, at the top left."""
    pen, column, boxes, texts = Pen(), 0, [], []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if codes:
            pen.take(codes[1])
            continue
        if not part:
            continue
        fg, bg, bold, dim, under = pen.style()
        x, width = column * WIDE, len(part) * WIDE
        column += len(part)
        if bg:
            boxes.append(f'<rect x="{x:.1f}" width="{width:.1f}" height="{HIGH}" fill="{bg}"/>')
        more = "" if fg == FOREGROUND else f' fill="{fg}"'
        more += ' font-weight="bold"' if bold else ""
        more += ' opacity=".6"' if dim else ""
        more += ' text-decoration="underline"' if under else ""
        # Words have their places and widths, whatever font there is.
        for words in re.finditer(r"\S+( \S+)*", part):
            place = f'x="{x + words.start() * WIDE:.1f}" y="13.5"'
            width = f'textLength="{len(words[0]) * WIDE:.1f}" lengthAdjust="spacingAndGlyphs"'
            texts.append(f"<text {place} {width}{more}>{html.escape(words[0], quote=False)}</text>")
    return "".join(boxes + texts)


class Terminal:
    def __init__(self, command, folder):
        self.tmux = ["tmux", "-L", f"record-{os.getpid()}", "-f", "/dev/null"]
        start = ["new-session", "-d", "-s", "r", "-x", str(COLUMNS), "-y", str(ROWS)]
        variables = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        variables.pop("TMUX", None)
        subprocess.run(
            [*self.tmux, *start, "env", "TERM=xterm-256color", *command],
            check=True,
            cwd=folder,
            env=variables,
        )

    def press(self, key):
        subprocess.run([*self.tmux, "send-keys", "-t", "r", *key], check=True)

    def seen(self):
        show = [*self.tmux, "capture-pane", "-e", "-p", "-t", "r"]
        lines = subprocess.run(show, check=True, capture_output=True, text=True).stdout.split("\n")
        return tuple(lines[:ROWS])

    def end(self):
        subprocess.run([*self.tmux, "kill-server"], check=False)


def record(terminal):
    """Pictures, each with the seconds at which it came."""
    pictures, begun = [], time.monotonic()

    def look(seconds):
        until = time.monotonic() + seconds
        while True:
            seen = terminal.seen()
            if not pictures or pictures[-1][1] != seen:
                pictures.append((time.monotonic() - begun, seen))
            if time.monotonic() >= until:
                return
            time.sleep(INTERVAL)

    for key, seconds in SCRIPT:
        if key is None:
            pass
        elif key in NAMED:
            terminal.press([key])
        else:
            for letter in key:
                terminal.press(["-l", letter])
                look(0.1)
        look(seconds)
    return pictures, time.monotonic() - begun


def drawn(pictures, length):
    rows, frames = {}, []
    for _, lines in pictures:
        uses = []
        for at, line in enumerate(lines):
            if not line.strip():
                continue
            number = rows.setdefault(line, len(rows))
            uses.append(f'<use href="#r{number}" y="{at * HIGH}"/>')
        frames.append("".join(uses))
    width, height = COLUMNS * WIDE + 2 * EDGE, ROWS * HIGH + 2 * EDGE
    defined = "".join(f'<g id="r{number}">{row(line)}</g>' for line, number in rows.items())
    strip = "".join(
        f'<g transform="translate({at * width:.0f})">{frame}</g>' for at, frame in enumerate(frames)
    )
    keys = "".join(
        f"{100 * came / length:.2f}%{{transform:translateX({-at * width:.0f}px)}}"
        for at, (came, _) in enumerate(pictures)
    )
    last = -(len(frames) - 1) * width
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" \
width="{width:.0f}" height="{height:.0f}" role="img" font-size="14" fill="{FOREGROUND}" \
font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace">
<title>subtend on its practice network: devices are picked, reviewed, upgraded and watched</title>
<style>@keyframes play{{{keys}100%{{transform:translateX({last:.0f}px)}}}}\
.strip{{animation:play {length:.1f}s steps(1,end) infinite}}\
@media (prefers-reduced-motion:reduce){{.strip{{animation:none;transform:translateX({last:.0f}px)}}}}</style>
<defs>{defined}</defs>
<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>
<svg x="{EDGE}" y="{EDGE}" width="{COLUMNS * WIDE:.0f}" height="{ROWS * HIGH}"><g class="strip">{strip}</g></svg>
</svg>
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--binary", type=pathlib.Path, default=BINARY)
    arguments.add_argument("--output", type=pathlib.Path, default=FOLDER / "demo.svg")
    given = arguments.parse_args()
    if not shutil.which("tmux"):
        raise SystemExit("tmux is not here, and is what shows the console while it is recorded")
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder) / "practice"
        site.mkdir()
        command = [str(given.binary.resolve()), "demo", "--state-dir", f"{folder}/state"]
        terminal = Terminal(command, site)
        try:
            pictures, length = record(terminal)
        finally:
            terminal.end()
    given.output.write_text(drawn(pictures, length))
    size = given.output.stat().st_size
    print(f"{given.output}: {len(pictures)} pictures in {length:.0f} s, {size // 1024} KiB")


if __name__ == "__main__":
    main()
