//! The tables, and how an older file becomes a newer one.
//!
//! Times are microseconds since 1970, UTC. Words (states, steps, outcomes) are those of the JSON
//! lines. A migration is never changed once it was released; the next one is added below it.

/// Each brings a file from the version of its place to the next one.
pub(super) const MIGRATIONS: &[&str] = &[FIRST, ORDER_AND_HOLDS, STEPS, PARKED, FOR_REPORTS];
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

const STEPS: &str = "
-- Steps of procedures, each written before it is carried out.
CREATE TABLE steps (
    seq INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    entity TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- before, activate, check, undo.
    part TEXT NOT NULL,
    -- From 0.
    number INTEGER NOT NULL,
    what TEXT NOT NULL,
    -- Null while nobody knows: then it may have been carried out.
    ended INTEGER,
    outcome TEXT,
    said TEXT
);
CREATE INDEX steps_of_entity ON steps (run, place, entity, seq);
CREATE INDEX steps_by_name ON steps (entity, seq);
-- The version that it said last that it runs.
ALTER TABLE entities ADD COLUMN runs TEXT;
";

const PARKED: &str = "
-- The number from which on what was cancelled is to be taken up again: its engine was asked to end, and not to give up.
ALTER TABLE runs ADD COLUMN parked INTEGER;
-- Begun by an engine that goes on with what it finds.
ALTER TABLE runs ADD COLUMN resident INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notes ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
";

const FOR_REPORTS: &str = "
-- How figures went over a group, and with place 0 over its run, as JSON: up to when it was written last.
CREATE TABLE series (
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    at INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (run, place)
);
-- What can be done about the failure that it has ended with.
ALTER TABLE entities ADD COLUMN advice TEXT;
";

const ORDER_AND_HOLDS: &str = "
-- The last number that was given out. Every record of every run takes the next one as it is
-- written, so numbers say what came before what, whatever the clocks said.
CREATE TABLE counter (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
);

ALTER TABLE runs ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
-- Of the last change of its state.
ALTER TABLE entities ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE touches ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
-- The group that it was done for.
ALTER TABLE touches ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
-- What the entity holds, as far as its agent knew; null in states that are not final.
ALTER TABLE entities ADD COLUMN holds TEXT;
ALTER TABLE changes ADD COLUMN holds TEXT;

-- What was found on an entity after a run, or done there: the newest one counts.
CREATE TABLE found (
    seq INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    entity TEXT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    holds TEXT NOT NULL,
    -- Of the staging file: absent, there, removed, unknown.
    staging TEXT NOT NULL
);
CREATE INDEX found_of_entity ON found (run, place, entity, seq);

DROP INDEX runs_by_time;
DROP INDEX entities_by_name;
DROP INDEX touches_of_run;
DROP INDEX touches_by_time;
DROP INDEX touches_of_file;
CREATE INDEX runs_in_order ON runs (seq);
CREATE INDEX entities_by_name ON entities (name);
CREATE INDEX entities_by_file ON entities (run, address, path);
CREATE INDEX touches_of_run ON touches (run, place, address, path, seq);
CREATE INDEX touches_of_file ON touches (address, path, seq);

-- Until now a touch was its group's by time, within a run.
UPDATE touches SET place = ifnull(
    (SELECT max(g.place) FROM entities e JOIN groups g USING (run, place)
     WHERE e.run = touches.run AND e.address = touches.address AND e.path = touches.path
         AND g.started <= touches.at), 0);

-- The numbers of what was written before there were any. Changes of state were numbered already, in
-- the order in which they were written, over all runs; clocks are asked within a run alone.
CREATE TEMP TABLE ordering AS
    SELECT 'run' AS kind, r.run AS run, 0 AS place, '' AS name, 0 AS id, 0 AS rank,
        ifnull((SELECT min(c.id) FROM changes c WHERE c.run = r.run), 0) AS anchor,
        r.started AS tie
    FROM runs r
  UNION ALL
    SELECT 'group', g.run, g.place, '', 0, 1,
        ifnull((SELECT min(c.id) FROM changes c WHERE c.run = g.run AND c.place = g.place), 0),
        g.place
    FROM groups g
  UNION ALL
    SELECT 'entity', e.run, e.place, e.name, 0, 2,
        ifnull((SELECT max(c.id) FROM changes c
                WHERE c.run = e.run AND c.place = e.place AND c.entity = e.name), 0),
        e.number
    FROM entities e
  UNION ALL
    SELECT 'touch', t.run, t.place, '', t.id, 3,
        ifnull((SELECT max(c.id) FROM entities e JOIN changes c
                    ON c.run = e.run AND c.place = e.place AND c.entity = e.name
                WHERE e.run = t.run AND e.address = t.address AND e.path = t.path
                    AND e.place = t.place AND c.at <= t.at),
            ifnull((SELECT min(c.id) FROM changes c WHERE c.run = t.run), 0)),
        t.id
    FROM touches t;
CREATE TEMP TABLE numbers AS
    SELECT kind, run, place, name, id, row_number() OVER (ORDER BY anchor, rank, tie) AS seq
    FROM ordering;
CREATE INDEX temp.numbers_of ON numbers (kind, run, place, name, id);
UPDATE runs SET seq = (SELECT n.seq FROM numbers n WHERE n.kind = 'run' AND n.run = runs.run);
UPDATE groups SET seq = (SELECT n.seq FROM numbers n
    WHERE n.kind = 'group' AND n.run = groups.run AND n.place = groups.place);
UPDATE entities SET seq = (SELECT n.seq FROM numbers n
    WHERE n.kind = 'entity' AND n.run = entities.run AND n.place = entities.place
        AND n.name = entities.name);
UPDATE touches SET seq = (SELECT n.seq FROM numbers n
    WHERE n.kind = 'touch' AND n.run = touches.run AND n.place = touches.place
        AND n.name = '' AND n.id = touches.id);
INSERT INTO counter (one, value) SELECT 1, ifnull(max(seq), 0) FROM numbers;
DROP TABLE temp.numbers;
DROP TABLE temp.ordering;
";
