# What one does with this repository; `just` lists it. Each recipe works by hand too.

_list:
    @just --list

# The practice network and the console.
demo *arguments:
    cargo run --release -- demo {{arguments}}

# The tests of the README.
test *arguments:
    cargo test --locked {{arguments}}

# Format and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy --no-default-features --locked -- -D warnings

# Servers of other makes (FTP, SSH, HTTP, TFTP), to target/servers.
servers:
    .ci/servers

# What comes of each thing with each of them.
matrix:
    cargo test --locked --test matrix

# All histories of a placement with up to three faults.
walk faults="3":
    SUBTEND_FAULTS={{faults}} cargo test --locked --release --config profile.release.package.subtend.opt-level=2 \
        --config profile.release.package.subtend.debug-assertions=true \
        --config profile.release.package.subtend.overflow-checks=true --lib histories -- --nocapture

# Two runs that come in on each other, with two faults: half an hour.
competing:
    cargo test --locked --release --config profile.release.package.subtend.opt-level=2 \
        --config profile.release.package.subtend.debug-assertions=true \
        --config profile.release.package.subtend.overflow-checks=true --lib histories -- --ignored --nocapture

# Killed at random moments, and random networks of failing devices.
chaos moments="50" universes="12" crowd="200":
    SUBTEND_MOMENTS={{moments}} cargo test --locked --test program recovery -- --nocapture
    SUBTEND_UNIVERSES={{universes}} cargo test --locked --test engine universe
    SUBTEND_CROWD={{crowd}} cargo test --locked --test engine faults::many

# What a snapshot and a picture cost, in microseconds and bytes.
drawing:
    cargo test --release --lib -- --ignored --nocapture drawing

# subtend beside other tools.
bench *arguments:
    cargo build --release --locked
    benches/compare.py {{arguments}}

# The documentation of the library.
doc:
    cargo doc --no-deps --locked --open

# Everything that has to hold before a change lands.
ci:
    .ci/run
