//! All histories of one entity: every answer that a device can give, at every point, up to a number
//! of faults, over an attempt, its retry, a run after it, a recovery, and a run from another host at
//! the same time. None is sampled.
//!
//! A phase (an attempt, a recovery) is walked from every state that the phases before it can leave;
//! states that are equal are walked once, and their histories counted. `SUBTEND_FAULTS` sets the
//! number of faults; where nothing is said it is 2, beside a run from another host 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod choices;
mod world;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use choices::Choices;
use world::{
    End, FILES, FINAL, Files, GOOD, Kind, Model, Naming, Rules, Shared, What, World, digest_of,
    slots,
};

use super::{Delivery, Entity, Known, Opened, discard, inspect, tidy};
use crate::model::staging::{AUTO, File, Names};
use crate::model::{
    Address, Failure, Fault, Holds, Login, RemotePath, Scheme, Staging, Step, Timeouts, Tls,
    Verified, VerifyMode,
};
use crate::transport::{Destination, Endpoint, Remote, Transport};

/// What an operator has set.
#[derive(Debug, Clone, Copy)]
struct Settings {
    verify: VerifyMode,
    staging: Staging,
    delete_first: bool,
    /// The image's digest is in the inventory.
    known: bool,
    pattern: &'static str,
}

const USUAL: Settings = Settings {
    verify: VerifyMode::Best,
    staging: Staging::Rename,
    delete_first: false,
    known: false,
    pattern: AUTO,
};

/// What one walk is about: an entity of a kind, and what the operator has set.
struct Case {
    kind: Kind,
    settings: Settings,
    /// Of the two runs that write. Made once: digests are in their names.
    destinations: [Destination; 2],
    slots: Arc<[(String, u8)]>,
}

impl Case {
    fn new(kind: Kind, settings: Settings) -> Self {
        let destinations = OWNERS.map(|owner| destination(&settings, owner));
        let mut paths = Vec::new();
        for destination in &destinations {
            let names = &destination.names;
            paths.extend(FILES.map(|file| names.of(file).to_string()));
            paths.push(format!("{}.1", names.of(File::Staging)));
            paths.push(format!("{}.1", names.of(File::Spare)));
        }
        Self {
            kind,
            settings,
            destinations,
            slots: slots(kind, &paths),
        }
    }

    /// Where one of them writes, by its index.
    fn destination(&self, me: usize) -> &Destination {
        &self.destinations[me]
    }

    /// Where the old image goes meanwhile.
    fn aside(&self, me: usize) -> &str {
        self.destination(me).names.of(File::Aside).as_str()
    }
}

const OWNERS: [&str; 2] = ["one", "other"];

fn destination(settings: &Settings, owner: &str) -> Destination {
    let path = RemotePath::new(FINAL).unwrap();
    Destination {
        names: Names::new(&path, settings.pattern, owner).unwrap(),
        remote: Remote {
            endpoint: Endpoint {
                address: Address {
                    scheme: Scheme::Ftp,
                    host: "entity".into(),
                    port: 21,
                },
                login: Arc::new(Login::anonymous()),
                timeouts: Timeouts::default(),
                tls: Tls::default(),
                ssh: crate::model::Ssh::default(),
                dialect: crate::model::Dialect::default(),
                http: crate::model::Http::default(),
            },
            path,
        },
        verify: settings.verify,
        staging: settings.staging,
        delete_first: settings.delete_first,
        size: None,
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    result: Result<Verified, Failure>,
    holds: Holds,
    confirmed: bool,
    left: Vec<String>,
}

/// One attempt, as a download agent makes it.
async fn attempt(model: &Model, case: &Case, known: Option<Known>) -> Ended {
    let image = digest_of(model.image);
    let opened = Delivery::open(model, case.destination(model.me), known.as_ref()).await;
    let (mut delivery, opened) = match opened {
        Ok(opened) => opened,
        Err(not_opened) => {
            return Ended {
                result: Err(not_opened.failure),
                holds: not_opened.holds.unwrap_or(Holds::Unknown),
                confirmed: false,
                left: Vec::new(),
            };
        }
    };
    let sent = match opened {
        Opened::Placed(verified) => {
            return Ended {
                result: Ok(verified),
                holds: delivery.holds(),
                confirmed: true,
                left: Vec::new(),
            };
        }
        Opened::Staged => Ok(()),
        Opened::Writing => {
            async {
                delivery.write(b"image").await?;
                delivery.finish().await?;
                delivery.verify(&image).await.map(|_| ())
            }
            .await
        }
    };
    let result = match sent {
        Ok(()) => delivery.commit(&image).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = &result {
        let _ = delivery.discard(failure.is_transient()).await;
    }
    Ended {
        result,
        holds: delivery.holds(),
        confirmed: delivery.is_confirmed(),
        left: delivery.left().iter().map(ToString::to_string).collect(),
    }
}

/// Looks, puts back what was set aside, and removes litter, as `recover --clean` does.
async fn recover(model: &Model, case: &Case) -> Result<Holds, Failure> {
    let destination = case.destination(model.me);
    let mut sink = model.open_sink(destination).await?;
    let mut entity = Entity {
        sink: &mut *sink,
        names: &destination.names,
    };
    let known = case.settings.known.then(|| Known {
        image: digest_of(What::New),
        may_be_placed: false,
    });
    let mut found = inspect(&mut entity, known.as_ref(), true).await?;
    let holds = found.holds;
    tidy(&mut entity, &mut found).await?;
    Ok(holds)
}

/// What a phase leaves for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    disk: Files,
    rules: Rules,
    faults: usize,
    /// The last attempt failed in a way that is tried again, and had the file confirmed.
    again: Option<bool>,
    lied: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Attempt,
    /// Of the same run, where the last attempt can be tried again.
    Retry,
    /// A run of the same image, in a new process.
    Run,
    /// A run of another image.
    NewerRun,
    Recover,
    /// Two hosts at the same time, and the number of changes of turn.
    Compete(usize),
    /// Without any fault: the entity has its image in the end.
    InTheEnd,
}

/// Runs one phase of one history. `Err`: what was broken, and the story.
fn run(
    case: &Case,
    phase: Phase,
    from: &State,
    choices: Choices,
    tells: bool,
) -> (Choices, Result<State, String>) {
    let (faults, turns) = (choices.faults, choices.turns);
    let mut rules = from.rules;
    rules.direct = case.settings.staging == Staging::Direct;
    rules.delete_first = case.settings.delete_first;
    let shared = Shared::new(World {
        kind: case.kind,
        slots: case.slots.clone(),
        disk: from.disk.clone(),
        choices: choices.again(faults, turns),
        ended: None,
        turn: 0,
        competes: matches!(phase, Phase::Compete(_)),
        broken: None,
        log: tells.then(Vec::new),
        lied: from.lied,
        rules,
    });
    let before = {
        let world = shared.lock();
        (world.named(), world.at(case.aside(0)).is_some())
    };
    let model = |me: usize, image| Model {
        shared: shared.clone(),
        owner: OWNERS[me],
        me,
        image,
    };
    let may_be_placed = from.again.unwrap_or(false) && phase == Phase::Retry;
    let known = (case.settings.known || phase == Phase::Retry).then(|| Known {
        image: digest_of(What::New),
        may_be_placed,
    });
    let context = &mut Context::from_waker(Waker::noop());
    let mut again = None;
    match phase {
        Phase::Compete(_) => {
            let (one, other) = (model(0, What::New), model(1, What::Newer));
            let (mut first, mut second) = (
                pin!(attempt(&one, case, known)),
                pin!(attempt(&other, case, None)),
            );
            let (mut done, mut stuck) = ([false, false], 0);
            while stuck < 3 && done != [true, true] {
                stuck += 1;
                for me in 0..2 {
                    if done[me] || shared.lock().turn != me {
                        continue;
                    }
                    let polled = match me {
                        0 => first.as_mut().poll(context),
                        _ => second.as_mut().poll(context),
                    };
                    let killed = shared.lock().ended.take().is_some();
                    if let Poll::Ready(ended) = polled {
                        let image = [What::New, What::Newer][me];
                        check_ended(&shared, case, &ended, me, image, before, true);
                        (done[me], stuck) = (true, 0);
                    } else if killed {
                        (done[me], stuck) = (true, 0);
                    } else {
                        stuck = 0;
                    }
                    if done[me] {
                        shared.lock().turn = 1 - me;
                    }
                }
            }
        }
        Phase::Recover => {
            let model = model(0, What::New);
            let result = {
                let mut recovering = pin!(recover(&model, case));
                recovering.as_mut().poll(context)
            };
            if let Poll::Ready(Ok(Holds::New)) = result {
                let named = shared.lock().named();
                if named != Some(What::New) {
                    shared.lock().broken = Some(format!("said to hold the image: {named:?}"));
                }
            }
        }
        _ => {
            let image = match phase {
                Phase::NewerRun => What::Newer,
                _ => What::New,
            };
            let known = known.filter(|_| image == What::New);
            let model = model(0, image);
            let polled = {
                let mut attempting = pin!(attempt(&model, case, known));
                attempting.as_mut().poll(context)
            };
            let end = shared.lock().ended.take();
            match (polled, end) {
                (Poll::Ready(ended), _) => {
                    check_ended(&shared, case, &ended, 0, image, before, false);
                    if let Err(failure) = &ended.result {
                        again = failure.is_transient().then_some(ended.confirmed);
                    }
                    if phase == Phase::InTheEnd {
                        check_in_the_end(&shared, &ended);
                    }
                }
                (Poll::Pending, Some(End::Cancelled)) => {
                    let mut discarding = pin!(discard(&model, case.destination(0)));
                    let _ = discarding.as_mut().poll(context);
                    shared.lock().ended = None;
                }
                _ => {}
            }
        }
    }
    let world = shared.clone();
    drop(shared);
    let world = world.into_world();
    let choices = world.choices.clone();
    if let Some(broken) = world.broken {
        let story = world.log.unwrap_or_default().join("\n  ");
        let files = &world.disk.files;
        return (
            choices,
            Err(format!("{broken}\n  {story}\n  in the end: {files:?}")),
        );
    }
    let mut disk = world.disk;
    // Only the order of changes matters.
    let mut times: Vec<u32> = disk.files.values().map(|data| data.modified).collect();
    times.sort_unstable();
    for data in disk.files.values_mut() {
        data.modified = times
            .iter()
            .position(|time| *time == data.modified)
            .unwrap() as u32;
    }
    disk.clock = times.len() as u32;
    let state = State {
        disk,
        rules: world.rules,
        faults: world.choices.faults,
        again,
        lied: world.lied,
    };
    (choices, Ok(state))
}

/// What an attempt says when it ends is true.
fn check_ended(
    shared: &Shared,
    case: &Case,
    ended: &Ended,
    me: usize,
    image: What,
    (before, had_aside): (Option<What>, bool),
    competed: bool,
) {
    let mut world = shared.lock();
    let named = world.named();
    let mut wrong = None;
    match (&ended.result, ended.holds) {
        (Ok(verified), _) if verified.is_proof() && named != Some(image) && !competed => {
            wrong = Some(format!("delivered by {verified}, and it holds {named:?}"));
        }
        (Ok(_), holds) if holds != Holds::New => {
            wrong = Some(format!("delivered, and said to hold {holds}"));
        }
        (Ok(Verified::Size), _) if named.is_none() && !competed => {
            wrong = Some("delivered by size, and nothing is there".into());
        }
        (Err(_), Holds::New) if named != Some(image) && !competed => {
            wrong = Some(format!("said to hold the image: {named:?}"));
        }
        (Err(_), Holds::Old)
            if !competed
                && !world.lied
                && named != before
                // What was set aside by an earlier run was put back.
                && (before.is_some() || !named.is_some_and(What::is_whole)) =>
        {
            wrong = Some(format!(
                "said to hold the old image: {named:?}, before {before:?}"
            ));
        }
        // Where all names are one place, what is staged has the final name too.
        (Err(_), Holds::Nothing | Holds::NewStaged)
            if named.is_some()
                && !competed
                && !world.lied
                && world.kind.naming != Naming::OneSlot =>
        {
            wrong = Some(format!("said to hold {}: {named:?}", ended.holds));
        }
        (Err(_), Holds::NewStaged) => {
            let is_there = world.disk.files.values().any(|data| data.what == image);
            if is_there && case.settings.verify == VerifyMode::Best {
                world.rules.only_copy = true;
            } else if !world.lied
                && !competed
                && !world.rules.weak
                && case.settings.verify == VerifyMode::Best
            {
                wrong = Some("said to be staged, and is not there".into());
            }
        }
        _ => {}
    }
    // What this attempt has moved aside; a run that was cut off may have left another one.
    let aside = case.aside(me);
    if ended.result.is_ok()
        && !had_aside
        && !competed
        && !world.lied
        && world.at(aside).is_some()
        && world.at(aside) != world.at(FINAL)
        && !ended.left.iter().any(|left| left == aside)
    {
        wrong = Some("the old image stays beside the new one, and nothing is said of it".into());
    }
    if named.is_some() {
        world.rules.only_copy = false;
    }
    if let Some(wrong) = wrong {
        world.broken.get_or_insert(format!("{wrong} ({ended:?})"));
    }
}

/// A device that can be upgraded is, once nothing goes wrong any more; one that can't is named.
fn check_in_the_end(shared: &Shared, ended: &Ended) {
    let mut world = shared.lock();
    let kind = world.kind;
    let can = kind.renames
        && !kind.keeps_name
        && kind.deletes
        && (kind.sizes || kind.times)
        && kind.naming != Naming::OneSlot;
    let fault = ended.result.as_ref().err().map(|failure| &failure.fault);
    let by_hand = match fault {
        Some(Fault::TwoCopies) => true,
        // Nothing is there to tell the names apart by.
        Some(Fault::NamesAlike) => world.named().is_none() || !kind.times,
        // Nothing shows that it is not the file that stood there before.
        Some(Fault::NotProven { .. }) => !kind.reads && !kind.times,
        _ => false,
    };
    if can && !by_hand && ended.result.is_err() {
        world
            .broken
            .get_or_insert(format!("nothing goes wrong, and it fails: {ended:?}"));
    }
}

/// Walks all histories of these phases; their number.
fn walk(case: &Case, phases: &[Phase], faults: usize) -> u64 {
    let kind = case.kind;
    let mut first = World {
        kind,
        slots: case.slots.clone(),
        disk: Files::default(),
        choices: Choices::default(),
        ended: None,
        turn: 0,
        competes: false,
        broken: None,
        log: None,
        lied: false,
        rules: Rules::default(),
    };
    if kind.has_old {
        first.put(FINAL, What::Old);
        first.rules.had = Some(What::Old);
    }
    let first = State {
        disk: first.disk,
        rules: first.rules,
        faults,
        again: None,
        lied: false,
    };
    let mut states = HashMap::from([(first, 1_u64)]);
    for phase in phases {
        let mut after: HashMap<State, u64> = HashMap::new();
        for (state, ways) in states {
            if *phase == Phase::Retry && state.again.is_none() {
                *after.entry(state).or_default() += ways;
                continue;
            }
            let faults = match phase {
                Phase::InTheEnd => 0,
                _ => state.faults,
            };
            let turns = match phase {
                Phase::Compete(turns) => *turns,
                _ => 0,
            };
            let mut choices = Some(Choices::default().again(faults, turns));
            while let Some(now) = choices {
                let (taken, result) = run(case, *phase, &state, now, false);
                match result {
                    Ok(next) => *after.entry(next).or_default() += ways,
                    Err(_) => {
                        let again = taken.again(faults, turns);
                        let (_, story) = run(case, *phase, &state, again, true);
                        panic!(
                            "{}, {:?}, {phase:?} from {state:?}:\n{}",
                            kind.name,
                            case.settings,
                            story.unwrap_err()
                        );
                    }
                }
                choices = taken.next(faults, turns);
            }
        }
        states = after;
    }
    states.values().sum()
}

fn faults() -> usize {
    std::env::var("SUBTEND_FAULTS").map_or(2, |text| text.parse().unwrap())
}

fn kinds() -> Vec<Kind> {
    let mut kinds = vec![GOOD];
    let kind = |name, change: fn(&mut Kind)| {
        let mut kind = Kind { name, ..GOOD };
        change(&mut kind);
        kind
    };
    kinds.push(kind("without an image", |kind| kind.has_old = false));
    kinds.push(kind("an old image of the same size", |kind| {
        kind.same_size = true
    }));
    kinds.push(kind("renames onto nothing", |kind| kind.overwrites = false));
    kinds.push(kind("renames onto nothing, same size", |kind| {
        (kind.overwrites, kind.same_size) = (false, true);
    }));
    kinds.push(kind("keeps its final name", |kind| kind.keeps_name = true));
    kinds.push(kind("keeps its final name, tells no sizes", |kind| {
        (kind.keeps_name, kind.sizes) = (true, false);
    }));
    kinds.push(kind("without rename", |kind| kind.renames = false));
    kinds.push(kind("without delete", |kind| kind.deletes = false));
    kinds.push(kind("without delete, renames onto nothing", |kind| {
        (kind.deletes, kind.overwrites) = (false, false);
    }));
    kinds.push(kind("tells no sizes", |kind| kind.sizes = false));
    kinds.push(kind("tells no sizes nor times", |kind| {
        (kind.sizes, kind.times) = (false, false);
    }));
    kinds.push(kind("tells no times, same size", |kind| {
        (kind.times, kind.same_size) = (false, true);
    }));
    kinds.push(kind("can't be read", |kind| kind.reads = false));
    kinds.push(kind("can't be read, same size, no times", |kind| {
        (kind.reads, kind.same_size, kind.times) = (false, true, false);
    }));
    kinds.push(kind("uploads aside", |kind| kind.uploads_aside = true));
    kinds.push(kind("forgets", |kind| kind.forgets = true));
    kinds.push(kind("cuts to 8.3", |kind| kind.naming = Naming::EightThree));
    kinds.push(kind("cuts to 12", |kind| kind.naming = Naming::Cut(12)));
    kinds.push(kind("folds", |kind| kind.naming = Naming::Fold));
    kinds.push(kind("one slot", |kind| kind.naming = Naming::OneSlot));
    kinds.push(kind("one slot, without an image", |kind| {
        (kind.naming, kind.has_old) = (Naming::OneSlot, false);
    }));
    kinds
}

fn settings() -> Vec<Settings> {
    vec![
        USUAL,
        Settings {
            known: true,
            ..USUAL
        },
        Settings {
            delete_first: true,
            ..USUAL
        },
        Settings {
            delete_first: true,
            known: true,
            ..USUAL
        },
        Settings {
            verify: VerifyMode::Size,
            ..USUAL
        },
        Settings {
            staging: Staging::Direct,
            ..USUAL
        },
        // Cut to twelve characters, and to 8.3, it is the final name.
        Settings {
            pattern: "{name}.subtend",
            ..USUAL
        },
    ]
}

/// With and without a digest in the inventory.
const USUAL_ALONE: usize = 2;
const ALL: usize = usize::MAX;
/// The telling kinds alone, with the usual settings: where there are too many histories for others.
const TELLING_ALONE: usize = 1;

/// Each kind with the usual settings, and each of the telling kinds with up to `most` settings.
fn walk_all(phases: &[Phase], faults: usize, most: usize) {
    let competes = matches!(phases, [Phase::Compete(_), ..]);
    // A name that the operator gives to all hosts is no name of their own.
    let is_own = |settings: &Settings| !competes || settings.pattern == AUTO;
    let telling = [
        "good",
        "without an image",
        "an old image of the same size",
        "renames onto nothing",
        "can't be read",
        "cuts to 8.3",
        "one slot",
    ];
    let mut work = Vec::new();
    for kind in kinds() {
        let most = match telling.contains(&kind.name) {
            true => most,
            false if most == TELLING_ALONE => 0,
            false => most.min(USUAL_ALONE),
        };
        let settings = settings().into_iter().filter(is_own).take(most);
        work.extend(settings.map(|settings| Case::new(kind, settings)));
    }
    let next = AtomicUsize::new(0);
    let all = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let histories = walk(case, phases, faults);
                    all.fetch_add(histories, Ordering::Relaxed);
                }
            });
        }
    });
    let all = all.into_inner();
    println!("{all} histories of {phases:?} with up to {faults} faults: all keep the promises");
}

#[test]
fn an_attempt_its_retry_and_a_run_after_it_keep_the_promises() {
    use Phase::{Attempt, InTheEnd, Retry, Run};
    walk_all(&[Attempt, Retry, Run, InTheEnd, InTheEnd], faults(), ALL);
}

#[test]
fn a_recovery_and_a_run_of_another_image_keep_the_promises() {
    use Phase::{Attempt, InTheEnd, NewerRun, Recover};
    walk_all(
        &[Attempt, Recover, NewerRun, InTheEnd, InTheEnd],
        faults(),
        ALL,
    );
}

/// Each host has staging names of its own, and finds out what stands under the final name.
#[test]
fn a_run_from_another_host_at_the_same_time_keeps_the_promises() {
    use Phase::{Compete, InTheEnd};
    // The other run comes in anywhere, and this one again.
    let most = match faults() {
        0..=2 => TELLING_ALONE,
        _ => USUAL_ALONE,
    };
    walk_all(&[Compete(2), InTheEnd], 1, most);
    // The other run comes in anywhere, and goes on to its end: there are many, so not with every
    // setting.
    match faults() {
        few @ 0..=2 => walk_all(&[Compete(1), InTheEnd], few.min(1), USUAL_ALONE),
        more => {
            walk_all(&[Compete(1), InTheEnd], more - 1, ALL);
            walk_all(&[Compete(1), InTheEnd], more, TELLING_ALONE);
        }
    }
}

#[test]
#[ignore = "takes half an hour of two processors; `just competing`"]
fn two_runs_that_come_in_on_each_other_keep_the_promises_with_two_faults() {
    use Phase::{Compete, InTheEnd};
    walk_all(&[Compete(2), InTheEnd], 2, ALL);
    walk_all(&[Compete(1), InTheEnd], 3, USUAL_ALONE);
}

#[test]
fn the_names_of_the_walk_are_those_of_deliveries() {
    let names = destination(&USUAL, "one").names;
    let shown: Vec<String> = FILES.map(|file| names.of(file).to_string()).into();
    assert_eq!(shown[0], FINAL);
    assert!(
        shown[1..].iter().all(|name| name.ends_with(".tmp")),
        "{shown:?}"
    );
    let _ = Step::Send;
}
