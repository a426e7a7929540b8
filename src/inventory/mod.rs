//! YAML as written, to the model: every error at once, each with its line and column.
//!
//! `crate::yaml` reads the YAML itself into nodes that know where they stand; the modules named after the
//! sections of the file walk them and report what is wrong to one list. Nothing stops at
//! the first error except YAML that can't be read at all. The format is described in
//! [`parse`]; `secrets` looks passwords up.

mod able;
mod address;
mod campaign;
mod catalog;
mod credentials;
mod defaults;
mod dialect;
mod entities;
mod groups;
mod http;
mod members;
mod procedures;
mod rates;
mod redact;
pub mod secrets;
mod serve;
mod ssh;
mod taken;
mod tls;
mod values;

use std::ops::Range;
use std::path::Path;

use crate::model::lookup::Lookup;
use crate::model::{BufferPreference, Inventory, units};
use crate::yaml::{self, Kind, error, fields, tree};

pub use crate::yaml::{Errors as InventoryErrors, Problem};

use error::Problems;
use fields::{Fields, Shape};

const KIND: Kind = Kind {
    what: "inventory",
    largest: 16 << 20,
    most_nodes: 1_000_000,
    shorter: "describe entities with ranges; do not nest aliases",
    missing: "name the inventory with `-i FILE` or in SUBTEND_INVENTORY",
    folder: "name the YAML file in it",
};
/// Memory for software download where the file does not say.
const MEMORY: u64 = 8 << 20;
/// Preferred size of a buffer where the file prefers nothing.
const BUFFER_SIZE: u64 = 256 << 10;

/// The whole file. Keys that begin with `x-` are extensions, read by others (`x-lab` by the lab).
const FILE: Shape = Shape {
    extensions: true,
    // A section whose lines are all commented out is an empty one.
    may_be_empty: SECTIONS,
    ..Shape::new(
        "the inventory",
        &[&["memory", "buffers", "buffer_size"], SECTIONS],
    )
};

const SECTIONS: &[&str] = &[
    "credentials",
    "file_servers",
    "images",
    "defaults",
    "types",
    "procedures",
    "entities",
    "groups",
    "serve",
    "rates",
];

/// Reads an inventory file.
///
/// # Errors
/// Everything that is wrong with it, as [`parse`]; or why it can't be read: missing, a folder, not
/// UTF-8, larger than 16 MiB.
pub fn load(path: &Path) -> Result<Inventory, InventoryErrors> {
    parse(&read_text(path)?, path)
}

/// The text of an inventory file.
///
/// # Errors
/// Why it can't be read: missing, a folder, not UTF-8, larger than 16 MiB.
pub fn read_text(path: &Path) -> Result<String, InventoryErrors> {
    yaml::read_text(path, &KIND)
}

/// What of a line of a text that may be anything must not be shown: what may be a secret.
pub(crate) fn may_be_secret(text: &str, start: usize, line: &str) -> Vec<Range<usize>> {
    redact::Redactions::textual().in_line(text, start, line)
}

/// Reads the text of an inventory; `file` is named in errors, and its folder is where relative
/// paths of secrets start.
///
/// ```yaml
/// memory: 8 MiB                 # for software download; default 8 MiB
/// buffer_size: 256 KiB          # or `buffers: 16`; default 256 KiB
/// credentials:
///   craft: { user: craft, password: { env: SUBTEND_CRAFT } }   # or file, command, ask; or no password
///   noc: { user: noc, key: secrets/noc_key, passphrase: { ask: true } }   # of SSH, or `agent: true`
///   web: { token: { env: SUBTEND_WEB } }                       # of HTTP
/// file_servers:
///   hq: { url: ftp://192.0.2.10/images, credentials: craft, timeouts: { connect: 5s } }
/// images:
///   adsl-2.4: { file: adsl-2.4.bin, type: adsl, version: "2.4", size: 8 MiB, sha256: … }
/// defaults:                     # credentials and timeouts are for file servers too
///   { credentials: craft, path: /flash/image.bin, timeouts: { reply: 30s }, verify: best,
///     staging: rename, delete_first: true, labels: { site: north },
///     tls: { ca: certs/lab.pem }, tls_max: 1.2,              # of ftps:// addresses
///     known_hosts: certs/known_hosts, ssh_legacy: true }     # of SSH; or `host_key: "SHA256:…"`
/// types:
///   adsl: { procedure: card, versions: dotted }            # or semver, date, none; default none
/// procedures:
///   card:
///     session: { ssh: 22, credentials: craft, prompt: '[#>] ?$' }   # or `telnet: 23`; keys of SSH as above
///     before: [ { get: /flash/startup.cfg, to: "backup/{entity}-{run}.cfg" }, { site: STAT } ]
///     deliver: push
///     activate:
///       - { send: reload, expect: OK, within: 2m, answers: [ { to: '\?', with: "y" }, { to: 'word:', password: craft } ] }
///       - { exec: [./reload.sh, "{address}"], within: 1m }
///       - { restart: true, down: 2m, back: 15m }
///     check: [ { send: version, expect: '(?<version>\S+)', is: "{version}", safe: true } ]
///     undo: [ { send: "boot {previous}" } ]
/// entities:
///   - { name: "shelf1-[01-20]", type: adsl, version: "2.3", address: "192.0.2.[21-40]:2121",
///       session: "console1:[2001-2020]" }                  # where its command line is; else at its address
/// groups:
///   adsl:
///     select: { type: adsl, name: "shelf1-*", site: [north, east] }
///     entities: [shelf2-01, "shelf2-[05-07]"]
///     image: adsl-2.4
///     source: { file_server: hq }
///     laggards: catch-up        # or wait, drop; default catch-up
///     laggard_limit: 2s         # up to 1h; default 2s
///     retries: 8                # after transient failures, 0 is never; default 8
///     retry_for: 5m             # up to 24h; default 5m
///     parallel: 20
///     activate: now             # or later, window; default later
///     waves: [1, 10%, rest]     # of so many entities each, `rest` last
///     by: shelf                 # equal values of this label in one wave
///     order: [site, { ring: [lab, pilot] }]    # by labels; of `ring` these values first
///     proceed: ask              # after each wave; or auto; default auto
///     stop_after: 2%            # failures, or a number of them
///     start: "2026-12-01T01:00[Europe/Berlin]" # or { at: "2026-12-01 01:00", zone: Europe/Berlin }
///     window: { days: mon-fri, from: "01:00", to: "05:00", zone: Europe/Berlin }
///     takes: 20m                # one entity, where the size and the rate do not say
///     offline: wait 14d         # or { wait: 14d, first: 1m }, fail; default fail
///     together: { never: pair } # equal values of this label never under way at one time
///     downgrade: refuse         # or allow; default refuse
///     from: ">=2.1, <3"         # versions that the image may be put on
///     rate: 8 MiB/s             # to all its entities together; also of an entity and a file server
/// rates:
///   - { label: { site: north }, rate: 2 MiB/s }   # to all that have it, over all groups
/// ```
///
/// Ranges (`[02-20]`, `[1,3,5-7]`) stand in `name`, `address`, `path` and `session` of an entity and are
/// expanded side by side; a value without a range is repeated. Several ranges in one value expand
/// like nested loops, the last one fastest. Zero padding is kept. One entry makes at most
/// [`MOST_EXPANDED`](crate::model::names::MOST_EXPANDED) entities. Anchors, aliases and merge keys (`<<`) work.
///
/// `tls` says whose certificates are accepted where the address is an `ftps://` or an
/// `ftps+implicit://` one: those that an authority of a file signed (`ca`), or one by its SHA-256
/// (`fingerprint`); without it, those that an authority of this host signed.
///
/// `host_key` and `known_hosts` say which keys of a server are accepted where it is spoken to over
/// SSH; without them, those in the user's own file of known hosts. `ssh_legacy` lets old algorithms in.
///
/// A group has the entities that satisfy all keys of `select`, and those that `entities` names.
///
/// # Errors
/// All that is wrong, sorted by position.
pub fn parse(text: &str, file: &Path) -> Result<Inventory, InventoryErrors> {
    let mut problems = Problems::default();
    let Some(root) = tree::parse(text, &KIND, &mut problems) else {
        let hidden = |start, line: &str| may_be_secret(text, start, line);
        return Err(problems.into_errors(file, text, &hidden));
    };
    if root.is_null() {
        problems.report(
            &error::Span::start(),
            "the file is empty",
            "describe `file_servers`, `images`, `entities` and `groups`",
        );
        return Err(problems.into_errors(file, text, &|_, _| Vec::new()));
    }
    let inventory = read(&root, file, &mut problems);
    match inventory {
        Some(inventory) if problems.is_empty() => Ok(inventory),
        _ => {
            let redactions = redact::Redactions::of(&root);
            let hidden = |start, line: &str| redactions.in_line(text, start, line);
            Err(problems.into_errors(file, text, &hidden))
        }
    }
}

fn read(root: &tree::Node, file: &Path, problems: &mut Problems) -> Option<Inventory> {
    let fields = Fields::read(problems, root, &FILE);
    if !fields.are_there() {
        return None;
    }
    let (memory, buffers) = read_memory(problems, &fields);
    let credentials = credentials::read(problems, fields.get("credentials"), file);
    let defaults = defaults::read(problems, fields.get("defaults"), &credentials, file);
    let mut rates = Vec::new();
    let file_servers = catalog::read_file_servers(
        problems,
        fields.get("file_servers"),
        &credentials,
        (&defaults, file),
        &mut rates,
    );
    let images = catalog::read_images(problems, fields.get("images"));
    let known = procedures::Known {
        credentials: &credentials,
        defaults: &defaults,
        file,
    };
    let kinds = procedures::read(
        problems,
        fields.get("types"),
        fields.get("procedures"),
        known,
    );
    let entities = entities::read(
        problems,
        fields.get("entities"),
        (&credentials, &kinds),
        (&defaults, file),
        &mut rates,
    );
    let serve = serve::read(problems, fields.get("serve"));
    let served = (&serve, kinds.types.as_slice());
    if fields.get("serve").is_some() || fields.key_span("serve").is_none() {
        serve::check(problems, root, fields.get("serve"), served, &entities);
    }
    rates::read_labels(problems, fields.get("rates"), &entities, &mut rates);
    procedures::check_entities(problems, &kinds, &entities, &credentials);
    let groups = {
        let lookup = Lookup::of_file(&entities, &images, &file_servers, &kinds.types);
        groups::read(problems, fields.get("groups"), file, &lookup, &kinds)
    };
    Some(Inventory {
        file: file.to_path_buf(),
        memory,
        buffers,
        credentials,
        file_servers,
        images,
        types: kinds.types,
        entities,
        groups,
        serve,
        rates,
    })
}

/// The memory, and what is fixed about the buffers (\[0021\], \[0022\]).
fn read_memory(problems: &mut Problems, fields: &Fields<'_>) -> (u64, BufferPreference) {
    let memory_node = fields.get("memory");
    let memory = memory_node.map_or(Some(MEMORY), |node| values::size(problems, node, "memory"));
    let buffers = fields.get("buffers");
    let buffer_size = fields.get("buffer_size");
    if let (Some(first), Some(second)) = (buffers, buffer_size) {
        let later = if first.span.bytes.start > second.span.bytes.start {
            first
        } else {
            second
        };
        problems.report(
            &later.span,
            "both `buffers` and `buffer_size` are given",
            "keep one: the other follows from the memory",
        );
    }
    let preference = match (buffers, buffer_size) {
        (Some(node), _) => values::count(problems, node, "buffers").map(BufferPreference::Count),
        (None, Some(node)) => {
            values::size(problems, node, "buffer_size").map(BufferPreference::Size)
        }
        (None, None) => Some(BufferPreference::Size(BUFFER_SIZE)),
    };
    let (Some(memory), Some(preference)) = (memory, preference) else {
        return (MEMORY, BufferPreference::Size(BUFFER_SIZE));
    };
    let at = memory_node.or(buffer_size).or(buffers);
    let least = preference.least_memory();
    if let Some(node) = at.filter(|_| memory < least) {
        match preference {
            BufferPreference::Size(size) => problems.report(
                &node.span,
                format!(
                    "{} of memory do not hold two buffers of {}",
                    units::size(memory),
                    units::size(size)
                ),
                format!(
                    "give at least {} of memory, or a `buffer_size` of at most {}",
                    units::size(least),
                    units::size((memory / 2).max(1))
                ),
            ),
            BufferPreference::Count(count) => problems.report(
                &node.span,
                format!(
                    "{} of memory can't be divided into {count} buffers",
                    units::size(memory)
                ),
                format!(
                    "give at least {} of memory, or fewer `buffers`",
                    units::size(least)
                ),
            ),
        }
    }
    (memory, preference)
}
