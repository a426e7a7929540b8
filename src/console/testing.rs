//! For tests of the pages: a small site, a snapshot of it at work, keys that are pressed, and the
//! screen as text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::series::{Counts, Sample};
use crate::model::timeline::Mark;
use crate::model::{
    Bottleneck, EntityState, Inventory, Laggards, Series, Standing, Timeline, Verified,
};
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot, GroupSpec, Snapshot};

use super::action::Action;
use super::effect::Effect;
use super::page::Page;
use super::pages::State;
use super::state::Site;
use super::{update, view};
use crate::terminal::{Canvas, Palette, Theme};

/// Two shelves: `shelf1-01`…`08` and `shelf2-01`…`05`, of which `shelf1-08`, `shelf2-01` and
/// `shelf2-02` have the new image; the groups `adsl` (from the server) and `vdsl` (from any peer).
pub(crate) const SITE: &str = r#"
memory: 2 MiB
buffer_size: 64 KiB
credentials:
  craft: { user: craft, password: { ask: true } }
file_servers:
  hq: { url: "ftp://192.0.2.10/images" }
  spare: { url: "ftp://192.0.2.11/images", credentials: craft }
images:
  adsl-2.4:
    file: adsl-2.4.bin
    type: adsl
    version: "2.4"
    size: 8 MiB
    sha256: d74317c91bffc6a038e7499fc0518b02f598512f532d77f7b90fd730083e36ae
  vdsl-3.1: { file: vdsl-3.1.bin, type: vdsl, version: "3.1" }
defaults:
  path: /flash/image.bin
entities:
  - { name: "shelf1-[01-07]", type: adsl, version: "2.3", address: "192.0.2.[21-27]", labels: { site: north } }
  - { name: shelf1-08, type: adsl, version: "2.4", address: 192.0.2.28, labels: { site: north } }
  - { name: "shelf2-[01-02]", type: vdsl, version: "3.1", address: "192.0.2.61:[2301-2302]", path: /ata0/vdsl.bin, labels: { site: south } }
  - { name: "shelf2-[03-05]", type: vdsl, version: "1.8", address: "192.0.2.61:[2303-2305]", path: /ata0/vdsl.bin, labels: { site: south } }
groups:
  adsl:
    select: { type: adsl }
    image: adsl-2.4
    source: { file_server: hq }
  vdsl:
    select: { type: vdsl, version: "1.8" }
    image: vdsl-3.1
    source: { peer: any }
    laggards: wait
    retries: 3
    parallel: 2
"#;

/// What is done on the first shelf, to be put behind [`SITE`].
pub(crate) const PROCEDURE: &str = r#"
types: { adsl: { procedure: card } }
procedures:
  card:
    session: { telnet: 23, credentials: craft }
    activate: [ { send: reload }, { restart: true } ]
    check: [ { send: "show version", expect: 'Version (?<version>\S+)', is: "{version}" } ]
"#;

/// An inventory from its YAML.
pub(crate) fn inventory(yaml: &str) -> Inventory {
    crate::inventory::parse(yaml, Path::new("site.yaml")).unwrap()
}

pub(crate) fn site() -> Site {
    site_of(inventory(SITE))
}

pub(crate) fn site_of(inventory: Inventory) -> Site {
    Site {
        inventory: Arc::new(inventory),
        kept: Vec::new(),
        without_password: BTreeMap::new(),
        to_ask: BTreeSet::new(),
        log_file: None,
        memories: crate::model::Memories::default(),
    }
}

/// The console as it is opened, at 80x24.
pub(crate) fn state() -> State {
    State::new(site())
}

/// A number of entities `n1`, `n2`, … of one type, in no group.
pub(crate) fn large(entities: usize) -> State {
    let yaml = format!(
        "memory: 8 MiB\ndefaults: {{ path: /flash/image.bin }}\nentities:\n  \
         - {{ name: \"n[1-{entities}]\", type: adsl, version: \"1\", address: \"192.0.2.1:[1-{entities}]\" }}\n"
    );
    State::new(site_of(inventory(&yaml)))
}

/// Nothing was started yet.
pub(crate) fn idle() -> Snapshot {
    Snapshot {
        at: Timestamp::UNIX_EPOCH,
        run: "run-1".into(),
        memory: 2 << 20,
        pool_bytes: 0,
        peak_pool_bytes: 0,
        groups: Vec::new(),
        series: Arc::default(),
    }
}

/// The group `adsl` half-way through: an entity in each state that matters.
pub(crate) fn snapshot() -> Snapshot {
    use EntityState as S;
    let mut entities = vec![
        entity("shelf1-01", S::Sending, 5 << 20),
        entity("shelf1-02", S::Delivered, 8 << 20),
        entity("shelf1-03", S::CatchingUp, 2 << 20),
        entity("shelf1-04", S::Confirming, 8 << 20),
        entity("shelf1-05", S::Failed, 3 << 20),
        entity("shelf1-06", S::Retrying, 0),
        entity("shelf1-07", S::Waiting, 0),
        entity("shelf1-08", S::Skipped, 0),
    ];
    entities[1].confirmed = 8 << 20;
    entities[1].verified = Verified::Size;
    entities[2].lag = 12;
    entities[4].step = Some(crate::model::Step::Send);
    entities[4].cause = Some("the server said 552 the flash is full".into());
    entities[4].left = Some("/flash/image.bin.subtend".into());
    entities[5].attempt = 2;
    let mut past = Timeline::default();
    for (at, state, attempt, sent, cause) in [
        (0, S::Waiting, 0, 0, None),
        (1000, S::Connecting, 1, 0, None),
        (1200, S::Sending, 1, 0, None),
        (
            2700,
            S::Retrying,
            1,
            1 << 20,
            Some("send: the connection was reset"),
        ),
        (3000, S::Connecting, 2, 0, None),
        (3100, S::Sending, 2, 0, None),
        (
            4600,
            S::Failed,
            2,
            3 << 20,
            Some("send: the server said 552 the flash is full"),
        ),
    ] {
        let cause = cause.map(str::to_owned);
        past.enter(Mark {
            at,
            state,
            attempt,
            sent,
            cause,
        });
    }
    entities[4].past = Arc::new(past);
    Snapshot {
        pool_bytes: 12 * (64 << 10),
        peak_pool_bytes: 2 << 20,
        groups: vec![Arc::new(group("adsl", entities))],
        ..idle()
    }
}

/// A group of the image `adsl-2.4` that runs.
pub(crate) fn group(name: &str, entities: Vec<EntitySnapshot>) -> GroupSnapshot {
    GroupSnapshot {
        group: name.into(),
        image: "adsl-2.4".into(),
        version: "2.4".into(),
        source: "hq".into(),
        phase: GroupPhase::Transferring,
        laggards: Laggards::CatchUp,
        size: Some(8 << 20),
        sha256: None,
        read: 6 << 20,
        source_bytes: 6 << 20,
        passes: 1,
        rate: 1_500_000.0,
        depth: 32,
        source_reason: None,
        depth_reason: Some("mostly empty: gives 24 buffers back".into()),
        used: 12,
        buffer_size: 64 << 10,
        bottleneck: Bottleneck::None,
        time_left: Some(17.0),
        seconds: 4.0,
        entities,
        series: Arc::default(),
        campaign: None,
    }
}

/// How a pool of 32 buffers of 64 KiB was filled, a second a figure, while 10 entities took what was read.
pub(crate) fn series(used: impl IntoIterator<Item = u64>) -> Series {
    let mut series = Series::default();
    for (second, used) in (0..).zip(used) {
        let standing = Standing::In(EntityState::Sending);
        let sample = Sample {
            read: used << 16,
            delivered: (used << 16) * 10,
            filled: used << 16,
            depth: 32 << 16,
            counts: Counts::of(std::iter::repeat_n(standing, 10)),
        };
        series.push(Duration::from_millis(second * 1000 + 999), &sample);
    }
    series
}

pub(crate) fn entity(name: &str, state: EntityState, sent: u64) -> EntitySnapshot {
    EntitySnapshot {
        runs: None,
        entity: name.into(),
        state,
        step: None,
        cause: None,
        attempt: 1,
        sent,
        confirmed: 0,
        lag: 0,
        rate: 0.0,
        seconds: 4.0,
        staged: true,
        verified: match state {
            EntityState::Delivered => Verified::Digest,
            _ => Verified::None,
        },
        holds: None,
        left: None,
        offline_since: None,
        silent_since: None,
        again_at: None,
        hint: None,
        wave: None,
        past: std::sync::Arc::default(),
    }
}

/// What the groups page says against starting the first of the groups that were made there, with as
/// many of the others.
pub(crate) fn groups_page(site: Site, snapshot: &Snapshot, groups: usize) -> Vec<String> {
    let state = State::new(site);
    state.against_groups(snapshot, groups)
}

/// What the review says against a start.
pub(crate) fn review(
    site: Site,
    snapshot: &Snapshot,
    specs: Vec<GroupSpec>,
    force: bool,
) -> Vec<String> {
    let mut state = State::new(site);
    state.against_start(snapshot, specs, force)
}

/// Presses keys one after another, each with what it means where one is by then, and gives back
/// what the world outside was asked for. Characters stand for themselves; names of other keys stand
/// in angle brackets: `<Enter>`, `<Esc>`, `<Tab>`, `<Up>`, `<PgDn>`, `<Ctrl-U>`, `<Space>`.
pub(crate) fn press(state: &mut State, snapshot: &Snapshot, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let named = rest
            .strip_prefix('<')
            .and_then(|after| after.split_once('>'))
            .filter(|(name, _)| !name.is_empty());
        let event = match named {
            Some((name, after)) => {
                rest = after;
                key(name)
            }
            None => {
                rest = &rest[first.len_utf8()..];
                KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE)
            }
        };
        if let Some(action) = state.shared.keys().action(&event, state.scope()) {
            effects.extend(update::update(state, snapshot, action));
        }
    }
    effects
}

fn key(name: &str) -> KeyEvent {
    if let Some(letter) = name.strip_prefix("Ctrl-") {
        let letter = letter.to_lowercase().chars().next().unwrap();
        return KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    }
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Space" => KeyCode::Char(' '),
        "Insert" => KeyCode::Insert,
        "Backspace" => KeyCode::Backspace,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        _ => panic!("no key is called {name}"),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// Without colours, drawn with Unicode.
pub(crate) const MONO: Theme = Theme {
    palette: Palette::Mono,
    ascii: false,
};

/// Without colours, drawn with ASCII alone.
pub(crate) const ASCII: Theme = Theme {
    palette: Palette::Mono,
    ascii: true,
};

pub(crate) const COLOURS: Theme = Theme {
    palette: Palette::Indexed,
    ascii: false,
};

/// The whole screen as text, lines without trailing blanks. The state is given the size first.
pub(crate) fn screen(
    state: &mut State,
    snapshot: &Snapshot,
    width: u16,
    height: u16,
    theme: Theme,
) -> String {
    let resize = Action::Resize {
        columns: width,
        rows: height,
    };
    update::update(state, snapshot, resize);
    state.shared.time.now = snapshot.at;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| view::draw(state, snapshot, &theme, frame))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let mut out = String::new();
    for y in 0..height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..width {
            // A wide character fills the cell after it too.
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A line of a table without what stands before it, be the cursor on it or not.
pub(crate) fn row(line: &str) -> &str {
    line.trim_start_matches(['▌', '>', ' '])
}

/// A console that watches a run, without a terminal.
pub(crate) struct Watching {
    state: State,
    canvas: Canvas,
}

impl Watching {
    pub(crate) fn new(inventory: Inventory, first: &Snapshot, columns: u16, rows: u16) -> Self {
        Self::on(Page::Watch, inventory, first, columns, rows)
    }

    pub(crate) fn on(
        page: Page,
        inventory: Inventory,
        first: &Snapshot,
        columns: u16,
        rows: u16,
    ) -> Self {
        let mut state = State::new(site_of(inventory));
        update::update(&mut state, first, Action::Resize { columns, rows });
        update::update(&mut state, first, Action::Go(page));
        let canvas = Canvas::new(columns, rows, false);
        Self { state, canvas }
    }

    /// The bytes that bring the terminal from the last picture to this one.
    pub(crate) fn draw(&mut self, snapshot: &Snapshot) -> Vec<u8> {
        self.state.shared.time.now = snapshot.at;
        let state = &self.state;
        (self.canvas).draw(|frame| view::draw(state, snapshot, &COLOURS, frame))
    }
}

mod tests {
    use super::*;

    #[test]
    fn keys_are_pressed_where_one_is_and_the_screen_is_drawn() {
        let (mut state, snapshot) = (state(), snapshot());
        assert_eq!(press(&mut state, &snapshot, "2<Tab><Ctrl-L>").len(), 1);
        assert_eq!(state.shared.page, Page::Review);
        let screen = screen(&mut state, &snapshot, 80, 24, ASCII);
        assert!(screen.contains(" 0 Overview 1 Inventory") && screen.is_ascii());
        assert_eq!(screen.lines().count(), 24);
        assert_eq!(large(5000).shared.site.inventory.entities.len(), 5000);
    }
}
