//! The review page: what a start will do, before anything is sent.
//!
//! The rulebook works it out, `lines` says it. Passwords are asked for one after another when the start
//! is ordered; each goes to the engine as soon as it is given, and is kept nowhere here.

mod activate;
mod lines;
mod online;
mod plan;
mod sheet;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::activation;
use crate::console::asked::{Answer, Asked, OfReview, Question, Then};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::keymap::Hints;
use crate::console::page::Page;
use crate::console::state::{Request, Screen, Shared};
use crate::model::columns::count;
use crate::model::text::{quoted, shown};
use crate::model::{Extent, Name, SecretSource};
#[cfg(test)]
use crate::plan::said;
use crate::protocol::{Command, Event, GroupSpec, Snapshot};
use crate::terminal::{Palette, Theme};

use online::Online;
use plan::{Password, Start};
use sheet::Sheet;

#[derive(Debug, Default)]
pub(crate) struct View {
    /// What is to be started.
    pub(crate) specs: Vec<GroupSpec>,
    /// Whether entities that have the image get it too.
    pub(crate) force: bool,
    /// What was picked to be upgraded, where no group was made for it.
    sheet: Option<Sheet>,
    /// What of that can't be, in words.
    without: Vec<String>,
    /// Entities that are not to be touched, whatever the groups say.
    left_out: BTreeSet<String>,
    /// It was opened to look at what entities hold, and starts nothing.
    only_looks: bool,
    /// Counts the reviews that were opened, and what was changed in them: one that was read is not its successor.
    pub(crate) edition: u64,
    /// The first line that is shown.
    offset: usize,
    /// What hosts said about it.
    online: Online,
}

impl Screen for View {
    fn update(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        action: Action,
    ) -> Option<Effect> {
        update(self, shared, snapshot, action)
    }

    fn draw(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        theme: &Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        draw(self, shared, snapshot, theme, frame, area);
    }

    fn hear(&mut self, _shared: &mut Shared, event: &Event) {
        online::arrived(self, event);
    }

    fn hints(&self, _shared: &Shared, _snapshot: &Snapshot) -> Hints {
        let mut hints = Hints::default();
        if self.only_looks || self.specs.is_empty() {
            hints.without.extend([Action::Begin, Action::Force]);
        }
        if self.sheet.is_some() {
            hints.first.extend([
                (Action::Begin, "start"),
                (Action::Widen, "widen"),
                (Action::PickImage, "image"),
                (Action::PickSource, "source"),
            ]);
        }
        if !self.online.entities_with_problems().is_empty() {
            hints.first.push((Action::LeaveOut, "leave out"));
        }
        hints
    }

    fn requested(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        request: Request,
    ) -> Option<Effect> {
        match request {
            Request::Review(specs) => open(self, shared, specs),
            Request::Upgrade(picked) => {
                open(self, shared, Vec::new());
                self.sheet = Some(Sheet::new(picked));
                made_anew(self, shared, snapshot);
            }
            Request::Verify(specs) => {
                open(self, shared, specs);
                self.only_looks = true;
                return look(self, shared, snapshot, Question::Verify);
            }
            Request::Secret(credentials) => ask_for(shared, &credentials),
            _ => {}
        }
        None
    }
}

/// Shows what starting these groups would do.
pub(crate) fn open(view: &mut View, shared: &mut Shared, specs: Vec<GroupSpec>) {
    *view = View {
        specs,
        edition: view.edition + 1,
        online: view.online.abandoned(),
        ..View::default()
    };
    shared.page = Page::Review;
}

pub(crate) fn update(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    action: Action,
) -> Option<Effect> {
    match action {
        Action::Begin => return start(view, shared, snapshot, Sure::default()),
        Action::Start if view.only_looks => open(view, shared, view.specs.clone()),
        Action::Start => {
            let begin = shared.key(Page::Review, &Action::Begin);
            shared.say(format!("{begin} starts what is shown here"));
        }
        Action::Widen | Action::PickImage | Action::PickSource | Action::Extent => {
            change(view, shared, snapshot, &action);
        }
        Action::LeaveOut => leave_out(view, shared),
        Action::Probe => return look(view, shared, snapshot, Question::Probe),
        Action::Verify => return look(view, shared, snapshot, Question::Verify),
        Action::Back if view.online.goes_on => return online::stop(shared),
        Action::Back if view.only_looks => shared.page = Page::Watch,
        Action::Back if view.sheet.is_some() => shared.page = Page::Inventory,
        Action::Back => shared.page = Page::Groups,
        Action::Force if view.only_looks => say_no_start(shared),
        Action::Force => {
            view.force = !view.force;
            view.edition += 1;
            shared.say(if view.force {
                "entities that have the image get it again"
            } else {
                "entities that have the image are skipped"
            });
        }
        Action::Password => which_password(view, shared, snapshot),
        action => scroll(view, shared, snapshot, &action),
    }
    None
}

/// What was picked is looked at anew: its groups follow from what was chosen.
fn made_anew(view: &mut View, shared: &mut Shared, snapshot: &Snapshot) {
    let Some(sheet) = &view.sheet else { return };
    let (groups, without) = sheet.groups(shared, snapshot);
    (view.specs, view.without) = (groups, without);
    view.edition += 1;
    view.offset = 0;
    view.online = view.online.abandoned();
}

/// Something else is chosen for what was picked.
fn change(view: &mut View, shared: &mut Shared, snapshot: &Snapshot, action: &Action) {
    let is_extent = *action == Action::Extent;
    let start = is_extent.then(|| current(view, shared, snapshot));
    let Some(sheet) = &mut view.sheet else {
        let groups = shared.key(Page::Review, &Action::Go(Page::Groups));
        shared.say(format!(
            "these are groups as they are: the Groups page ({groups}) changes them"
        ));
        return;
    };
    match action {
        Action::Widen => sheet.widen(),
        Action::PickImage => return sheet.ask_image(shared),
        Action::PickSource => return sheet.ask_source(shared),
        _ => {
            let groups = || start.iter().flat_map(|start| &start.plan.groups);
            let inventory = &shared.site.inventory;
            let can = |type_: &str| activation::can_activate(inventory, type_);
            let mut found = groups().map(|one| can(&one.group.image.type_));
            if let Some(Err(reason)) = found.find(Result::is_err) {
                return shared.complain(reason);
            }
            let now = groups().any(|one| one.group.extent == Extent::Upgrade);
            sheet.turn_extent(now);
        }
    }
    made_anew(view, shared, snapshot);
}

/// Those that the online check found something against are not touched.
fn leave_out(view: &mut View, shared: &mut Shared) {
    let found = view.online.entities_with_problems();
    if found.is_empty() {
        let check = shared.key(Page::Review, &Action::Probe);
        shared.say(format!(
            "the online check ({check}) has found nothing against an entity"
        ));
        return;
    }
    let many = count(found.len(), "entity");
    view.left_out.extend(found);
    view.edition += 1;
    shared.say(format!("{many} left out"));
}

/// A text has no cursor: moving moves what is shown.
fn scroll(view: &mut View, shared: &mut Shared, snapshot: &Snapshot, action: &Action) {
    let rows = shared.page_rows().max(1);
    // Looks don't change how many lines there are, and drawing keeps to the text in any case.
    let theme = Theme {
        palette: Palette::Mono,
        ascii: false,
    };
    let start = current(view, shared, snapshot);
    let len = lines::lines(view, shared, &start, &theme, usize::from(shared.columns)).len();
    let most = len.saturating_sub(rows);
    let offset = view.offset.min(most);
    view.offset = match action {
        Action::Up => offset.saturating_sub(1),
        Action::Down => offset + 1,
        Action::PageUp => offset.saturating_sub(rows - 1),
        Action::PageDown => offset + (rows - 1),
        Action::First => 0,
        Action::Last => most,
        _ => offset,
    }
    .min(most);
}

/// What would be started.
fn specs(view: &View, shared: &Shared) -> Vec<GroupSpec> {
    let inventory = &shared.site.inventory;
    let without = |spec| sheet::without(inventory, spec, &view.left_out);
    view.specs.iter().map(without).collect()
}

fn current(view: &View, shared: &Shared, snapshot: &Snapshot) -> Start {
    let specs = specs(view, shared);
    let mut start = plan::start(&shared.site, snapshot, &specs, view.force);
    // An engine that has nothing to do reports nothing.
    start.now = start.now.max(shared.time.now);
    start
}

/// What stands against a start.
#[cfg(test)]
pub(crate) fn against(view: &View, shared: &Shared, snapshot: &Snapshot) -> Vec<String> {
    said(&current(view, shared, snapshot).plan.blockers)
}

fn say_no_start(shared: &mut Shared) {
    let start = shared.key(Page::Review, &Action::Start);
    shared.say(format!(
        "this only shows what entities hold; {start} reviews a start"
    ));
}

/// What the operator has said besides that it is to be started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sure {
    /// Devices may be made to run another image.
    activate: bool,
    /// For how many entities.
    entities: usize,
}

fn start(view: &mut View, shared: &mut Shared, snapshot: &Snapshot, sure: Sure) -> Option<Effect> {
    if view.specs.is_empty() {
        shared.say("nothing is selected; choose groups on the Groups page");
        return None;
    }
    if view.only_looks {
        say_no_start(shared);
        return None;
    }
    let start = current(view, shared, snapshot);
    if !start.plan.blockers.is_empty() {
        // They stand at the top, where there is room for whole sentences.
        view.offset = 0;
        shared.complain("it can't be started like this: the lines with X say why");
        return None;
    }
    if ask_first(shared, &start.passwords, Then::Start) {
        return None;
    }
    let entities = start.plan.groups.iter().map(|group| group.send.len()).sum();
    let many = shared.settings.many;
    if entities >= many && sure.entities != entities {
        activate::ask_how_many(shared, &start.plan, entities);
        return None;
    }
    if !sure.activate && entities < many && activate::ask(shared, &start.plan) {
        return None;
    }
    let groups = specs(view, shared);
    let force = view.force;
    *view = View {
        edition: view.edition + 1,
        ..View::default()
    };
    shared.request(Request::Expect(groups.clone()));
    shared.page = Page::Watch;
    Some(Effect::Send(vec![Command::Start { groups, force }]))
}

/// Asks hosts about what is shown.
fn look(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    question: Question,
) -> Option<Effect> {
    if view.specs.is_empty() {
        shared.say("nothing is selected; choose groups on the Groups page");
        return None;
    }
    if view.online.goes_on {
        let back = shared.key(Page::Review, &Action::Back);
        shared.say(format!("hosts are being asked; {back} stops that"));
        return None;
    }
    let start = current(view, shared, snapshot);
    if ask_first(shared, &start.passwords, Then::Look(question)) {
        return None;
    }
    online::ask(view, question)
}

/// Asks for the first password that is missing, if one is.
fn ask_first(shared: &mut Shared, passwords: &[Password], then: Then) -> bool {
    let Some(password) = passwords.first() else {
        return false;
    };
    ask(shared, password, passwords.len(), then);
    true
}

fn ask(shared: &mut Shared, password: &Password, left: usize, then: Then) {
    let mut lines = Vec::new();
    if !password.user.is_empty() {
        lines.push(format!("User {}.", quoted(&password.user)));
    }
    if let Some(reason) = &password.missing {
        lines.push(format!("It could not be looked up: {}", shown(reason)));
    }
    if left > 1 {
        lines.push(format!("{left} secrets are needed."));
    }
    let title = match password.secret {
        "passphrase" => "Passphrase of the key of ",
        "token" => "Token of ",
        _ => "Password of ",
    };
    let title = format!("{title}{}", shown(&password.credentials));
    let intent = Asked::Review(OfReview::Password {
        credentials: password.credentials.clone(),
        then,
    });
    (shared.dialogs).push(Dialog::password(title, lines, intent));
}

/// For a group that waits for it: the secret of the first of these.
fn ask_for(shared: &mut Shared, credentials: &[String]) {
    let known = &shared.site.inventory.credentials;
    let found = credentials
        .iter()
        .find_map(|name| known.iter().find(|one| *one.name == **name));
    let Some(found) = found else {
        shared.complain("the inventory has none of these credentials any more");
        return;
    };
    let password = Password::of(found, &shared.site);
    ask(shared, &password, credentials.len(), Then::Nothing);
}

/// Also one that was given before may have been wrong.
fn which_password(view: &mut View, shared: &mut Shared, snapshot: &Snapshot) {
    let start = current(view, shared, snapshot);
    let waiting = |name: &Name| start.passwords.iter().any(|one| one.credentials == *name);
    let rows: Vec<Row> = (shared.site.inventory.credentials.iter())
        .filter(|one| waiting(&one.name) || one.secret == SecretSource::Ask)
        .map(|one| Row {
            label: one.name.to_string(),
            detail: if waiting(&one.name) {
                format!("user {}, not given yet", one.user)
            } else {
                format!("user {}, given", one.user)
            },
            value: one.name.to_string(),
        })
        .collect();
    if rows.is_empty() {
        shared.say("no secret is to be asked for");
        return;
    }
    let intent = Asked::Review(OfReview::Which);
    (shared.dialogs).push(Dialog::list("Whose secret?", rows, intent));
}

pub(crate) fn answered(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    asked: OfReview,
    answer: Answer,
) -> Option<Effect> {
    match (asked, answer) {
        (OfReview::Activate, Answer::Yes) => {
            let sure = Sure {
                activate: true,
                entities: 0,
            };
            start(view, shared, snapshot, sure)
        }
        (OfReview::HowMany { entities }, Answer::Text(typed)) => {
            let typed: Option<usize> = typed.trim().parse().ok();
            if typed != Some(entities) {
                shared.complain(format!("nothing is started: {entities} was to be typed"));
                return None;
            }
            let sure = Sure {
                activate: true,
                entities,
            };
            start(view, shared, snapshot, sure)
        }
        (OfReview::Image, Answer::Chosen(name)) => {
            if let Some(sheet) = &mut view.sheet {
                sheet.choose_image(&shared.site.inventory, &name);
                made_anew(view, shared, snapshot);
            }
            None
        }
        (OfReview::Source, Answer::Chosen(label)) => {
            if let Some(sheet) = &mut view.sheet {
                sheet.choose_source(&label);
                made_anew(view, shared, snapshot);
            }
            None
        }
        (OfReview::Which, Answer::Chosen(name)) => {
            let known = shared.site.inventory.credentials.iter();
            let found = known.into_iter().find(|one| *one.name == *name)?;
            let password = Password::of(found, &shared.site);
            ask(shared, &password, 1, Then::Nothing);
            None
        }
        (OfReview::Password { credentials, then }, Answer::Secret(secret)) => {
            shared.site.to_ask.remove(&credentials);
            shared.site.without_password.remove(&credentials);
            let mut commands = vec![Command::Login {
                credentials: credentials.to_string(),
                secret,
            }];
            let more = match then {
                Then::Nothing => {
                    shared.say(format!("the secret of {} is set", shown(&credentials)));
                    None
                }
                Then::Start => start(view, shared, snapshot, Sure::default()),
                Then::Look(question) => look(view, shared, snapshot, question),
            };
            if let Some(Effect::Send(more)) = more {
                commands.extend(more);
            }
            Some(Effect::Send(commands))
        }
        _ => None,
    }
}

pub(crate) fn draw(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let start = current(view, shared, snapshot);
    let lines = lines::lines(view, shared, &start, theme, usize::from(area.width));
    let rows = usize::from(area.height);
    let offset = view.offset.min(lines.len().saturating_sub(rows));
    let left = lines.len().saturating_sub(offset + rows);
    for (line, row) in lines.into_iter().skip(offset).zip(area.rows()) {
        frame.render_widget(line, row);
    }
    if left > 0
        && let Some(last) = area.rows().next_back()
    {
        let more = Line::styled(format!("{} more lines below ", left + 1), theme.hint());
        frame.render_widget(ratatui::widgets::Clear, last);
        frame.render_widget(more.right_aligned(), last);
    }
}
