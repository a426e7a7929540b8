//! Steps of procedures: each is on the disk before its agent goes on, and what of them is open after runs that ended
//! in one way or another.

use super::*;
use crate::model::procedure::Part;
use crate::model::{Extent, Holds};
use crate::procedure::{AllOpenSteps, Ledger as _, PastStep, StepBegins, StepEnd, StepEnded};

fn step(part: Part, number: usize, end: Option<StepEnd>) -> PastStep {
    PastStep { part, number, end }
}

fn begins(step: PastStep) -> StepBegins {
    StepBegins {
        at: Timestamp::now(),
        entity: "e1".into(),
        part: step.part,
        number: step.number,
        what: "send \"reload\"".into(),
    }
}

fn ended(step: PastStep, end: StepEnd) -> StepEnded {
    StepEnded {
        at: Timestamp::now(),
        entity: "e1".into(),
        part: step.part,
        number: step.number,
        end,
        took: Duration::from_secs(1),
        said: "OK".into(),
        result: Ok(Default::default()),
    }
}

/// A run in which `e1` came to a state by these steps.
fn run(state_dir: &Path, name: &str, steps: &[PastStep], became: EntityState) {
    write(state_dir, name, beginning(name), steps, became);
}

/// The same, with a beginning of its own.
fn write(
    state_dir: &Path,
    name: &str,
    beginning: Vec<Event>,
    steps: &[PastStep],
    became: EntityState,
) {
    let mut writer = Writer::open(state_dir, name.into(), inventory(), false).unwrap();
    for event in beginning {
        writer.add(Record::Event(event));
    }
    for step in steps {
        writer.add(Record::StepBegins(begins(*step)));
        if let Some(end) = step.end {
            writer.add(Record::StepEnded(ended(*step, end)));
        }
    }
    writer.add(Record::Event(state("e1", became)));
    assert!(matches!(writer.write_now(), Written::All));
}

/// What is open of `e1`.
fn open(state_dir: &Path) -> Vec<PastStep> {
    let journal = Journal::open(state_dir).unwrap().unwrap();
    let open = AllOpenSteps::new(journal.open_steps().unwrap());
    open.of(&testing::entity("e1", "1"), &testing::image())
}

#[tokio::test]
async fn a_step_is_on_the_disk_before_its_agent_goes_on() {
    let dir = TempDir::new().unwrap();
    let engine = Engine::start(dir.path());
    engine.begin();
    let first = step(Part::Activate, 0, None);
    engine.gate.begins(begins(first)).await;
    assert_eq!(open(dir.path()), [first]);
    engine.gate.ended(ended(first, StepEnd::Done));
    let second = step(Part::Activate, 1, None);
    // What has ended comes before what begins next.
    engine.gate.begins(begins(second)).await;
    let done = step(Part::Activate, 0, Some(StepEnd::Done));
    assert_eq!(open(dir.path()), [done, second]);
    engine.kill(dir.path());
}

#[test]
fn steps_stay_open_until_the_device_has_said_what_it_runs() {
    let boot = step(Part::Activate, 0, Some(StepEnd::Done));
    let reload = step(Part::Activate, 1, None);
    for (became, stays) in [
        (EntityState::Activating, true),
        (EntityState::Restarting, true),
        (EntityState::Checking, true),
        (EntityState::Cancelled, true),
        // A step in doubt is in doubt, whatever was said of the entity.
        (EntityState::Failed, true),
        (EntityState::Delivered, true),
        (EntityState::Upgraded, false),
        (EntityState::RolledBack, false),
        (EntityState::Skipped, false),
    ] {
        let dir = TempDir::new().unwrap();
        run(dir.path(), "r1", &[boot, reload], became);
        let expected = [boot, reload].into_iter().filter(|_| stays);
        assert_eq!(open(dir.path()), expected.collect::<Vec<_>>(), "{became}");
    }
}

#[test]
fn a_failure_without_doubt_leaves_nothing_open() {
    let refused = [
        step(Part::Activate, 0, Some(StepEnd::Done)),
        step(Part::Activate, 1, Some(StepEnd::Refused)),
    ];
    let dir = TempDir::new().unwrap();
    run(dir.path(), "r1", &refused, EntityState::Failed);
    assert_eq!(open(dir.path()), []);
    let unanswered = [step(Part::Activate, 0, Some(StepEnd::Unanswered))];
    run(dir.path(), "r2", &unanswered, EntityState::Failed);
    assert_eq!(open(dir.path()), unanswered);
}

#[test]
fn runs_that_take_it_up_add_to_what_is_open_and_the_last_word_closes_all() {
    let dir = TempDir::new().unwrap();
    let boot = step(Part::Activate, 0, None);
    let undo = step(Part::Undo, 0, Some(StepEnd::Done));
    run(dir.path(), "r1", &[boot], EntityState::Activating);
    run(dir.path(), "r2", &[undo], EntityState::Activating);
    assert_eq!(open(dir.path()), [boot, undo]);
    run(dir.path(), "r3", &[], EntityState::RolledBack);
    assert_eq!(open(dir.path()), []);
}

#[test]
fn steps_before_the_image_are_open_in_a_run_that_was_cut_off_and_in_no_other() {
    let before = step(Part::Before, 0, Some(StepEnd::Done));
    for (became, stays) in [
        (EntityState::Sending, true),
        (EntityState::Delivered, false),
        (EntityState::Failed, false),
        (EntityState::Cancelled, false),
    ] {
        let dir = TempDir::new().unwrap();
        run(dir.path(), "r1", &[before], became);
        assert_eq!(open(dir.path()).is_empty(), !stays, "{became}");
        // A later run that needed none of them has closed it too.
        run(dir.path(), "r2", &[], EntityState::Delivered);
        assert_eq!(open(dir.path()), [], "{became}");
    }
}

/// What was about to get its name when its run was cut off, and is found to have it, was delivered: it can be made to
/// run.
#[test]
fn an_image_that_was_found_in_place_after_a_crash_was_delivered() {
    let dir = TempDir::new().unwrap();
    run(dir.path(), RUN, &[], EntityState::Verifying);
    let journal = Journal::open(dir.path()).unwrap().unwrap();
    assert!(!journal.delivered().unwrap().contains_key("e1"));
    let found = |holds| Found {
        holds,
        staging: StagingFile::Absent,
    };
    journal.found(RUN, "e1", found(Holds::New)).unwrap();
    assert_eq!(journal.delivered().unwrap()["e1"].run, RUN);
    journal.found(RUN, "e1", found(Holds::Old)).unwrap();
    assert!(!journal.delivered().unwrap().contains_key("e1"));
}

/// A run that only makes an entity run its image reads none, so it knows neither its size nor its digest. Killed, it
/// is taken up again by another that has to prove that the image is there still.
#[test]
fn what_was_delivered_is_known_after_runs_that_copied_nothing() {
    let dir = TempDir::new().unwrap();
    let mut writer = Writer::open(dir.path(), "r1".into(), inventory(), false).unwrap();
    for event in beginning("r1") {
        writer.add(Record::Event(event));
    }
    writer.add(Record::Event(stored("e1")));
    writer.add(Record::Event(state("e1", EntityState::Activating)));
    assert!(matches!(writer.write_now(), Written::All));
    let known = || {
        let journal = Journal::open(dir.path()).unwrap().unwrap();
        journal.delivered().unwrap().remove("e1").unwrap()
    };
    let delivered = known();
    assert_eq!((delivered.run.as_str(), delivered.size), ("r1", Some(4096)));
    for (run_after, became) in [
        ("r2", EntityState::Activating),
        ("r3", EntityState::Restarting),
        ("r4", EntityState::Upgraded),
        ("r5", EntityState::RolledBack),
    ] {
        run(dir.path(), run_after, &[], became);
        assert_eq!(known(), delivered, "{became}");
    }
}

#[test]
fn of_an_image_that_no_run_delivered_no_size_is_made_up() {
    let dir = TempDir::new().unwrap();
    run(dir.path(), RUN, &[], EntityState::Activating);
    let journal = Journal::open(dir.path()).unwrap().unwrap();
    assert_eq!(journal.delivered().unwrap()["e1"].size, None);
}

/// The first run was cut off before it knew that its image was in place; the second, which took it up, has made the
/// entity run it. The first has nothing left to do there.
#[test]
fn what_a_later_run_made_of_it_is_not_taken_up_again() {
    let dir = TempDir::new().unwrap();
    let mut upgrades = beginning("r1");
    for event in &mut upgrades {
        if let Event::Group { spec, .. } = event
            && let GroupSpec::Made(made) = &mut **spec
        {
            made.policy.extent = Extent::Upgrade;
        }
    }
    write(dir.path(), "r1", upgrades, &[], EntityState::Verifying);
    let journal = || Journal::open(dir.path()).unwrap().unwrap();
    let after_crash = || {
        let whole = journal().run("r1").unwrap().unwrap();
        whole.groups[0].entities[0].after_crash
    };
    let found = Found {
        holds: Holds::New,
        staging: StagingFile::Absent,
    };
    journal().found("r1", "e1", found).unwrap();
    assert_eq!(after_crash(), AfterCrash::Activating);
    run(
        dir.path(),
        "r2",
        &[step(Part::Activate, 0, Some(StepEnd::Done))],
        EntityState::Upgraded,
    );
    assert_eq!(after_crash(), AfterCrash::Later);
}
