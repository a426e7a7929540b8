//! The tables, and how an older file becomes a newer one.
//!
//! Times are microseconds since 1970, UTC. Words (states, steps, outcomes) are those of the JSON
//! lines. A migration is never changed once it was released; the next one is added below it.

/// Each brings a file from the version of its place to the next one.
pub(super) const MIGRATIONS: &[&str] = &[FIRST];
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

const FIRST: &str = "
-- Inventories as they were, each kept once however many runs used it. No secrets.
CREATE TABLE inventories (
    digest TEXT PRIMARY KEY,
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    started INTEGER NOT NULL,
    -- Null while it runs, and for ever when it was cut off.
    ended INTEGER,
    outcome TEXT,
    who TEXT NOT NULL,
    host TEXT NOT NULL,
    ssh_client TEXT,
    pid INTEGER NOT NULL,
    subtend TEXT NOT NULL,
    inventory_file TEXT NOT NULL,
    inventory TEXT NOT NULL REFERENCES inventories (digest),
    -- Against a practice network in the same process, which is gone with it.
    practice INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    peak_pool_bytes INTEGER,
    source_bytes INTEGER,
    delivered_bytes INTEGER,
    -- When a run that was cut off was dealt with.
    settled INTEGER
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (started);

-- A name may come again within a run: the console starts groups as often as it is asked to.
CREATE TABLE groups (
    run TEXT NOT NULL REFERENCES runs (run),
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    started INTEGER NOT NULL,
    image TEXT NOT NULL,
    version TEXT NOT NULL,
    type TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER,
    sha256 TEXT,
    source TEXT NOT NULL,
    -- From which it can be made again.
    spec TEXT NOT NULL,
    force INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;

CREATE TABLE entities (
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    address TEXT NOT NULL,
    path TEXT NOT NULL,
    state TEXT NOT NULL,
    step TEXT,
    cause TEXT,
    attempt INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0,
    verified TEXT,
    source TEXT,
    left_behind TEXT,
    PRIMARY KEY (run, place, name),
    FOREIGN KEY (run, place) REFERENCES groups (run, place)
) WITHOUT ROWID;
CREATE INDEX entities_by_name ON entities (name, changed);

CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    entity TEXT NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    step TEXT,
    cause TEXT,
    attempt INTEGER NOT NULL
);
CREATE INDEX changes_of_entity ON changes (run, place, entity, id);

CREATE TABLE passes (
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    first_byte INTEGER NOT NULL,
    entities TEXT NOT NULL,
    ended INTEGER,
    read INTEGER,
    PRIMARY KEY (run, place, pass)
) WITHOUT ROWID;

-- Depth of a pool, another source in the middle of a pass.
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX notes_of_group ON notes (run, place, id);

-- Written before it is done: `open`, a file is about to be written on an entity, under its staging
-- name or (staged = 0) under its final one; `rename`, the final name is about to be given.
CREATE TABLE touches (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    at INTEGER NOT NULL,
    address TEXT NOT NULL,
    path TEXT NOT NULL,
    what TEXT NOT NULL,
    staged INTEGER NOT NULL
);
CREATE INDEX touches_of_run ON touches (run, address, path, id);
CREATE INDEX touches_by_time ON touches (at);
CREATE INDEX touches_of_file ON touches (address, path, at);
";
