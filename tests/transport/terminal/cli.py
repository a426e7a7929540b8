# The command line of a device, as its users see it: pages, questions, a mode with a password.
import os
import sys
import termios
import time
import tty


def key():
    old = termios.tcgetattr(0)
    tty.setcbreak(0, termios.TCSANOW)
    pressed = os.read(0, 1)
    termios.tcsetattr(0, termios.TCSANOW, old)
    return pressed


def secret(question):
    old = termios.tcgetattr(0)
    new = termios.tcgetattr(0)
    new[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, new)
    say(question)
    line = sys.stdin.readline().rstrip("\r\n")
    termios.tcsetattr(0, termios.TCSANOW, old)
    say("\n")
    return line


def leave():
    # What stands in a pseudo-terminal when its last program ends is lost with some telnetd.
    time.sleep(0.3)
    sys.exit(1)


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def log():
    for page in range(3):
        for line in range(20):
            say(f"\x1b[1mline\x1b[0m {page * 20 + line}\n")
        if page < 2:
            say("--More--")
            if key() != b" ":
                say("\n")
                return
            say("\r        \r")


if len(sys.argv) > 1:
    say("R1 login: ")
    name = sys.stdin.readline().strip()
    if secret("Password: ") != "sesame" or name != "craft":
        say("Login incorrect\n")
        leave()
say("Welcome\n")
mode = ">"
while True:
    say("R1" + mode + " ")
    line = sys.stdin.readline()
    if not line:
        break
    line = line.strip()
    if line == "show version":
        say("IOS Software, Version 12.4(3)\nuptime is 3 days\n")
    elif line == "show log":
        log()
    elif line == "enable":
        if secret("Password: ") == "latch-4711":
            mode = "#"
        else:
            say("% Bad secrets\n")
    elif line == "reload" and mode == "#":
        say("Proceed with reload? [confirm]")
        answer = sys.stdin.readline().strip()
        if answer != "y":
            continue
        say("Reloading\n")
        leave()
    elif line:
        say("% Unknown command: " + line + "\n")
