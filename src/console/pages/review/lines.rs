//! The review as lines of text.

use std::collections::BTreeMap;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, plain, span};
use crate::model::columns::count;
use crate::model::{
    Entity, Extent, Group, Name, PeerChoice, SourceChoice, VerifyMode, names, units,
};
use crate::plan::{Finding, Plan, PlannedGroup, schedule};
use crate::protocol::inspect::Weight;
use crate::terminal::{Theme, Tone};

use super::View;
use super::activate;
use super::online;
use super::plan::Start;

/// The width of the words at the left.
const LABEL: usize = 11;

pub(super) fn lines<'a>(
    view: &View,
    shared: &Shared,
    start: &Start,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'a>> {
    let mut page = Writer {
        theme: *theme,
        width,
        lines: Vec::new(),
    };
    if view.specs.is_empty() {
        page.text("Nothing is to be started.", theme.title());
        page.blank();
        for reason in &view.without {
            page.hanging("X ", reason, theme.tone(Tone::Bad));
        }
        let text = format!(
            "{} on the Inventory page upgrades what is marked there; on the Groups page {} takes the groups that are \
             selected with {}, or the one under the cursor. This page then says what a start will do, before anything is sent.",
            shared.key(Page::Inventory, &Action::Upgrade),
            shared.key(Page::Groups, &Action::Start),
            shared.key(Page::Groups, &Action::Mark)
        );
        page.text(&text, Style::new());
        return page.lines;
    }
    head(&mut page, shared, view, start);
    found(&mut page, shared, view);
    for group in &start.plan.groups {
        page.blank();
        describe(&mut page, (shared, view), &start.plan, group);
        campaign(&mut page, start, group);
    }
    passwords(&mut page, start);
    page.lines
}

fn head(page: &mut Writer<'_>, shared: &Shared, view: &View, start: &Start) {
    let theme = page.theme;
    let plan = &start.plan;
    let key = |action| shared.key(Page::Review, &action);
    let begin = key(Action::Begin);
    let skip: usize = plan.groups.iter().map(|group| group.skip.len()).sum();
    let groups = count(view.specs.len(), "group");
    let asked: usize = (plan.groups.iter())
        .map(|group| has_it(shared, view, group).len())
        .sum();
    let mut text = match view.only_looks {
        true => {
            format!(
                "{groups}: what the entities hold. Nothing is started here; {} reviews a start.",
                key(Action::Start)
            )
        }
        false => format!("{groups}: {}", activate::deeds(plan)),
    };
    if asked > 0 && !view.only_looks {
        text += &format!(", {asked} of them asked first whether they have it");
    }
    if skip > 0 && !view.only_looks {
        text += &format!(", {skip} skipped");
    }
    let what_next = match (plan.blockers.is_empty(), start.passwords.is_empty()) {
        _ if view.only_looks => String::new(),
        (true, true) => format!(". {begin} starts."),
        (true, false) => format!(". {begin} asks for passwords and starts."),
        (false, _) => ". It can't be started like this.".into(),
    };
    page.text(&(text + &what_next), theme.title());
    if view.force {
        page.text(
            &format!(
                "! forced: entities that have the image already get it again ({}: skip them)",
                key(Action::Force)
            ),
            theme.tone(Tone::Look),
        );
    }
    for reason in &view.without {
        page.hanging("! ", reason, theme.tone(Tone::Look));
    }
    if !view.left_out.is_empty() {
        let names: Vec<&str> = view.left_out.iter().map(String::as_str).collect();
        let text = format!(
            "left out, as the online check found something: {}",
            joined(&names)
        );
        page.hanging("! ", &text, theme.tone(Tone::Look));
    }
    for blocker in &plan.blockers {
        page.hanging("X ", &blocker.to_string(), theme.tone(Tone::Bad));
    }
    let memory = units::size(plan.memory);
    let share = match (plan.running, plan.groups.len()) {
        (0, 1) => format!("{memory}, all of it for this group"),
        (0, many) => format!("{memory}, shared by {many} groups"),
        (running, new) => format!(
            "{memory}, shared by {}, {running} of which {} already",
            count(running + new, "group"),
            if running == 1 { "runs" } else { "run" },
        ),
    };
    if let Some(sheet) = &view.sheet {
        page.entry("who", &sheet.who(shared));
    }
    page.entry("memory", &share);
}

/// Problems first, so that they are seen without scrolling.
fn found(page: &mut Writer<'_>, shared: &Shared, view: &View) {
    let back = shared.key(Page::Review, &Action::Back);
    let Some((title, rows)) = view.online.lines(&back) else {
        return;
    };
    let theme = page.theme;
    page.blank();
    page.text(&title, theme.title());
    for row in rows {
        let style = match row.weight {
            Weight::Problem => theme.tone(Tone::Bad),
            Weight::Note => theme.tone(Tone::Look),
            Weight::Fine => Style::new(),
        };
        page.hanging(online::sign(row.weight), &row.text, style);
    }
}

/// Those of a group that got the image before: they are asked for it, and skipped where they have it still.
fn has_it<'p>(shared: &Shared, view: &View, planned: &'p PlannedGroup) -> Vec<&'p str> {
    let group = &planned.group;
    if view.force || group.extent == Extent::Activate {
        return Vec::new();
    }
    let has_it = |one: &&std::sync::Arc<Entity>| shared.presence.has(one, group);
    let names = planned.send.iter().filter(has_it);
    names.map(|entity| &*entity.name).collect()
}

fn describe(
    page: &mut Writer<'_>,
    (shared, view): (&Shared, &View),
    plan: &Plan,
    planned: &PlannedGroup,
) {
    let theme = page.theme;
    let group = &planned.group;
    let name = plain(&group.name, &theme);
    page.lines.push(Line::from(vec![span(
        cut(&format!("Group {name}"), page.width, &theme),
        theme.title(),
    )]));
    let image = &group.image;
    let mut text = format!(
        "{}, version {}, file {}",
        image.name, image.version, image.file
    );
    if let Some(size) = image.size {
        text += &format!(", {}", units::size(size));
    }
    text += if image.sha256.is_some() {
        ", SHA-256 checked"
    } else {
        ", no SHA-256 to check"
    };
    page.entry("image", &text);
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for entity in &planned.send {
        let version = shared.presence.version(entity);
        *versions.entry(version.into_owned()).or_default() += 1;
    }
    let versions: Vec<String> = (versions.iter())
        .map(|(from, many)| format!("{from} -> {}: {}", image.version, count(*many, "entity")))
        .collect();
    if !versions.is_empty() {
        page.entry("versions", &versions.join(", "));
    }
    if group.extent == Extent::Activate {
        page.entry(
            "source",
            "none: nothing is sent to those that hold the image",
        );
        send_to(page, plan, planned);
        skipped(page, shared, planned);
    } else {
        delivery(page, (shared, view), plan, planned);
    }
    if let Some(procedure) = &group.procedure {
        page.entry("procedure", &procedure.in_words());
        page.entry("activate", &activate::in_words(planned).unwrap_or_default());
    }
}

/// How it is gone through, and what is to be known before.
fn campaign(page: &mut Writer<'_>, start: &Start, planned: &PlannedGroup) {
    let theme = page.theme;
    let schedule = schedule(planned, start.now);
    for row in schedule.in_words() {
        page.entry(&row.label, &row.text);
    }
    let name = &planned.group.name;
    let of_group =
        |one: &&Finding| matches!(one, Finding::NotCompared { group, .. } if group == name);
    for note in (start.plan.findings.iter().filter(of_group)).chain(&schedule.notes) {
        page.hanging("  ! ", &note.to_string(), theme.tone(Tone::Look));
    }
}

/// How the image gets there.
fn delivery(
    page: &mut Writer<'_>,
    (shared, view): (&Shared, &View),
    plan: &Plan,
    planned: &PlannedGroup,
) {
    let theme = page.theme;
    let group = &planned.group;
    page.entry("source", &sources(shared, plan, planned));
    send_to(page, plan, planned);
    let has_it = has_it(shared, view, planned);
    if !has_it.is_empty() {
        let text = format!(
            "{}: {} got it before: each is asked, and skipped where it has it still ({} sends all the same)",
            has_it.len(),
            joined(&has_it),
            shared.key(Page::Review, &Action::Force)
        );
        page.entry("ask first", &text);
    }
    if !planned.send.is_empty() {
        let send = planned.send.iter().map(|entity| &**entity);
        page.entry("verify", &VerifyMode::of_all_in_words(send));
    }
    let served = (plan.findings.iter())
        .find(|one| matches!(one, Finding::Served { group: of, .. } if *of == group.name));
    if let Some(served) = served {
        page.entry("serve", &served.to_string());
    }
    let legacy = (plan.findings.iter())
        .find(|one| matches!(one, Finding::LegacySsh { group: of, .. } if *of == group.name));
    if let Some(legacy) = legacy {
        page.hanging("  ! ", &legacy.to_string(), theme.tone(Tone::Look));
    }
    skipped(page, shared, planned);
    if let Some(pool) = &planned.pool {
        page.entry(
            "pool",
            &format!(
                "{} of {}, {} in all",
                count(pool.layout.buffers, "buffer"),
                units::size(pool.layout.buffer_size as u64),
                units::size(pool.layout.bytes())
            ),
        );
    }
    let policy = group.policy();
    let (laggards, parallel) = (policy.laggards_in_words(), policy.parallel_in_words());
    page.entry("laggards", &format!("{laggards}; {parallel}"));
    page.entry("retries", &policy.limits.retries_in_words());
}

fn send_to(page: &mut Writer<'_>, plan: &Plan, planned: &PlannedGroup) {
    let group = &planned.group;
    let label = match group.extent {
        Extent::Activate => "on",
        Extent::Deliver | Extent::Upgrade => "send to",
    };
    let send: Vec<&str> = planned.send.iter().map(|entity| &*entity.name).collect();
    let nothing = (plan.findings.iter())
        .find(|one| matches!(one, Finding::NothingToSend { group: of } if *of == group.name));
    match nothing {
        Some(nothing) => page.entry(label, &nothing.to_string()),
        None => page.entry(label, &format!("{}: {}", send.len(), joined(&send))),
    }
}

fn skipped(page: &mut Writer<'_>, shared: &Shared, planned: &PlannedGroup) {
    if planned.skip.is_empty() {
        return;
    }
    let force = shared.key(Page::Review, &Action::Force);
    let all_the_same = match planned.group.extent {
        Extent::Activate => format!("{force} does it"),
        Extent::Deliver | Extent::Upgrade => format!("{force} sends"),
    };
    let skip: Vec<&str> = planned.skip.iter().map(|entity| &*entity.name).collect();
    page.entry(
        "skip",
        &format!(
            "{}: {} (the inventory says version {}; {all_the_same} all the same)",
            skip.len(),
            joined(&skip),
            planned.group.image.version
        ),
    );
}

/// The order of preference.
fn sources(shared: &Shared, plan: &Plan, planned: &PlannedGroup) -> String {
    let group = &planned.group;
    let sources = group.sources().map(|one| source(shared, group, one));
    let mut text = sources.collect::<Vec<_>>().join("; then ");
    for finding in &plan.findings {
        if matches!(finding, Finding::PeersLeftOut { group: of, .. } if *of == group.name) {
            text += &format!("; {finding}");
        }
    }
    text
}

fn source(shared: &Shared, group: &Group, source: &SourceChoice) -> String {
    match source {
        SourceChoice::FileServer(server) => {
            let path = server.path_of(&group.image);
            let path = path.map_or_else(|_| group.image.file.clone(), |path| path.to_string());
            format!("file server {} ({}), {path}", server.name, server.address)
        }
        SourceChoice::File(path) => format!("file {path} of this host"),
        SourceChoice::Peer(PeerChoice::Named(peer)) => {
            let seen = checked(shared, &group.image.name, &peer.name);
            format!("peer {} ({}), {}{seen}", peer.name, peer.address, peer.path)
        }
        SourceChoice::Peer(PeerChoice::Any(peers)) => {
            let names: Vec<&str> = peers.iter().map(|peer| &*peer.name).collect();
            let checks = shared.answers.peers.get(&group.image.name);
            let holds = checks.map(|checks| checks.iter().filter(|one| one.has_it).count());
            let seen = match holds {
                Some(number) => format!("; checked, {number} can be read"),
                None => String::new(),
            };
            format!(
                "any peer that has it, of {}: {}{seen}",
                names.len(),
                joined(&names)
            )
        }
    }
}

fn checked(shared: &Shared, image: &Name, peer: &str) -> &'static str {
    let checks = shared.answers.peers.get(image);
    let check = checks.and_then(|checks| checks.iter().find(|one| *one.entity == *peer));
    match check {
        Some(one) if one.has_it => "; checked, has it",
        Some(_) => "; checked, does NOT have it",
        None => "",
    }
}

fn passwords(page: &mut Writer<'_>, start: &Start) {
    let theme = page.theme;
    let findings = start.plan.findings.iter();
    let mut clear_text = findings
        .filter(|finding| {
            matches!(
                finding,
                Finding::ClearText { .. } | Finding::ClearSession { .. } | Finding::ClearWeb { .. }
            )
        })
        .peekable();
    if start.passwords.is_empty() && clear_text.peek().is_none() {
        return;
    }
    page.blank();
    page.text("Passwords", theme.title());
    for password in &start.passwords {
        let why = match &password.missing {
            Some(reason) => format!("not found ({reason}), so it is asked for at the start"),
            None => "asked for at the start, never shown or written".into(),
        };
        let text = format!("{} (user {}): {why}", password.credentials, password.user);
        page.hanging("? ", &text, theme.tone(Tone::Look));
    }
    for finding in clear_text {
        page.hanging("! ", &finding.to_string(), theme.tone(Tone::Look));
    }
}

fn joined(names: &[&str]) -> String {
    names::compress(names).join(", ")
}

struct Writer<'a> {
    theme: Theme,
    width: usize,
    lines: Vec<Line<'a>>,
}

impl Writer<'_> {
    fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    fn text(&mut self, text: &str, style: Style) {
        self.hanging("", text, style);
    }

    /// A text with a sign before it, wrapped beside the sign.
    fn hanging(&mut self, sign: &'static str, text: &str, style: Style) {
        let room = self.width.saturating_sub(sign.len());
        let wrapped = wrapped(text, room, &self.theme);
        for (at, text) in wrapped.into_iter().enumerate() {
            let sign = if at == 0 {
                sign.to_owned()
            } else {
                " ".repeat(sign.len())
            };
            self.lines.push(Line::styled(sign + &text, style));
        }
    }

    fn entry(&mut self, label: &str, text: &str) {
        let room = self.width.saturating_sub(LABEL + 2);
        let hint = self.theme.hint();
        let wrapped = wrapped(text, room, &self.theme);
        for (at, text) in wrapped.into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.lines.push(Line::from(vec![
                span(format!("  {label:<LABEL$}"), hint),
                Span::raw(text),
            ]));
        }
    }
}

/// Lists of names may be longer than one foreign text may be: they are cut into words first.
fn wrapped(text: &str, room: usize, theme: &Theme) -> Vec<String> {
    let words: Vec<String> = (text.split_whitespace())
        .map(|word| plain(word, theme))
        .collect();
    let text = words.join(" ");
    // Already escaped word by word.
    crate::model::columns::wrap(&text, 0, room.max(8))
}
