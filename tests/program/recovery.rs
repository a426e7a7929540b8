//! The program is killed (SIGKILL) at moments that it can't choose, and what it says then is compared
//! with what the servers really hold.
//!
//! A few moments by default; `SUBTEND_MOMENTS=50 cargo test --test recovery` for more, and
//! `SUBTEND_SEED` for the ones of an earlier run, which every run prints.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::program::{Program, served};
use crate::support::{IMAGE, PATH, at_rate};
use serde_json::Value;
use subtend::lab::{Behaviour, Lab, Pause};

const KIB: u64 = 1 << 10;
const ENTITIES: usize = 8;
/// Of what a lab's entity has at first.
const OLD: u64 = 4096;

/// Entities that are in different steps at one moment; some that make the last step dangerous.
async fn network() -> (Lab, tempfile::TempDir, String) {
    let slow_to = |latency| Behaviour {
        latency: Some(Duration::from_millis(latency)),
        ..Behaviour::default()
    };
    let behaviours = [
        ("e001", slow_to(20)),
        (
            "e002",
            Behaviour {
                no_overwrite: true,
                ..slow_to(25)
            },
        ),
        (
            "e003",
            Behaviour {
                confirm_after: Some(Duration::from_millis(150)),
                ..Behaviour::default()
            },
        ),
        ("e004", at_rate(3 << 20)),
        (
            "e005",
            Behaviour {
                pause: Some(Pause {
                    every: 128 * KIB,
                    length: Duration::from_millis(30),
                }),
                no_overwrite: true,
                ..slow_to(40)
            },
        ),
        (
            "e006",
            Behaviour {
                disk_full_at: Some(200 * KIB),
                ..Behaviour::default()
            },
        ),
        ("e007", slow_to(60)),
    ];
    served(ENTITIES, 512 * KIB, &behaviours).await
}

/// xorshift64*: good enough to choose moments.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.next() % (limit.as_micros() as u64).max(1))
    }

    /// Of what takes so long. Half of them are early, where most is written down and little time is spent.
    pub(crate) fn moment(&mut self, whole: Duration) -> Duration {
        let early = self.next().is_multiple_of(2);
        self.below(if early { whole / 16 } else { whole })
    }
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Printed, so that the same moments can be had again.
pub(crate) fn seed() -> u64 {
    let seed = number("SUBTEND_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        now.as_micros() as u64 | 1
    });
    println!("SUBTEND_SEED={seed}");
    seed
}

/// What an entity really holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    None,
    Old,
    Image,
    Other,
}

/// What has the final name, what is staged, and what was moved aside.
fn really(lab: &Lab, entity: &str) -> (File, File, File) {
    let file = |path: &str| match lab.file(entity, path) {
        None => File::None,
        Some(file) if file.same_as_image(IMAGE) => File::Image,
        Some(file) if file.size() == OLD => File::Old,
        Some(_) => File::Other,
    };
    // The letter behind `su` tells what a name is for.
    let beside = |role: &str| {
        let paths = lab.files(entity);
        let path = (paths.iter()).find(|path| path.contains(&format!("/su{role}")));
        path.map_or(File::None, |path| file(path))
    };
    (file(PATH), beside("n"), beside("o"))
}

/// What is said of each entity is what the servers hold.
fn compare(lab: &Lab, report: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in report["entities"].as_array().unwrap() {
        let name = one["entity"].as_str().unwrap();
        let holds = one["holds"].as_str().unwrap();
        let (named, staged, aside) = really(lab, name);
        // Never less than before: where nothing has the final name, the old image stands beside it.
        assert!(named != File::None || aside == File::Old, "{name}: {one}");
        let right = match holds {
            "delivered" => (named, staged) == (File::Image, File::None),
            "untouched" => (named, staged, aside) == (File::Old, File::None, File::None),
            "staged" => named == File::Old || (named, aside) == (File::None, File::Old),
            "unknown" => {
                matches!(named, File::Old | File::Image)
                    || (named, aside) == (File::None, File::Old)
            }
            other => panic!("{other}"),
        };
        assert!(
            right,
            "{name} is said to be {holds}, and holds {named:?}, staged {staged:?}, aside {aside:?}: {one}"
        );
        *counts.entry(holds.to_owned()).or_default() += 1;
    }
    counts
}

pub(crate) async fn recover(state: &Path, args: &[&str]) -> (Value, Option<i32>) {
    let args = [&["recover", "--json"], args].concat();
    let (lines, code, said) = Program::keeping(state, &args).end().await;
    let last = lines.last().unwrap_or_else(|| panic!("{args:?}: {said}"));
    (serde_json::from_str(last).unwrap(), code)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_knows_what_every_entity_has() {
    let moments = number("SUBTEND_MOMENTS").unwrap_or(2);
    let mut chance = Chance(seed());

    // How long it takes when nobody kills it.
    let (lab, folder, file) = network().await;
    let began = Instant::now();
    let args = ["run", "all", "--json", "-i", &file];
    let run = Program::keeping(folder.path(), &args).end().await;
    let whole = began.elapsed();
    assert_eq!(run.1, Some(1), "{}", run.2);
    lab.stop().await;

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..moments {
        let (lab, folder, file) = network().await;
        let state = folder.path().join("state");
        let moment = chance.below(whole);
        let args = ["run", "all", "--json", "-i", &file];
        let mut run = Program::keeping(&state, &args);
        tokio::time::sleep(moment).await;
        run.child.kill().await.unwrap();

        let (report, code) = recover(&state, &[]).await;
        if report["run"].is_null() {
            // Before it had begun, or after it had ended.
            assert_eq!(code, Some(0));
            let text = Program::keeping(&state, &["history", "--json"]).end().await;
            let runs: Value = serde_json::from_str(&text.0.concat()).unwrap();
            let delivered = runs["runs"][0]["delivered"].as_u64().unwrap_or(0);
            let really = (1..=ENTITIES)
                .filter(|number| really(&lab, &format!("e{number:03}")).0 == File::Image);
            assert_eq!(delivered, really.count() as u64, "{runs}");
            lab.stop().await;
            continue;
        }
        println!("killed after {moment:?}: {}", report["holds"]);
        assert_eq!(code, Some(1), "e006 never gets it: {report}");
        for (holds, count) in compare(&lab, &report) {
            *seen.entry(holds).or_default() += count;
        }

        // After a look nothing is left open, and nothing lies about.
        let (looked, _) = recover(&state, &["--check", "--clean"]).await;
        let counts = compare(&lab, &looked);
        assert_eq!(counts.get("unknown"), None, "{looked}");
        for one in looked["entities"].as_array().unwrap() {
            let (named, staged, aside) = really(&lab, one["entity"].as_str().unwrap());
            assert_ne!(named, File::None, "{one}");
            assert_eq!(aside, File::None, "{one}");
            // What is kept is the whole image, for the next run to put in place.
            let is_kept = one["holds"] == "staged" && staged == File::Image;
            assert!(staged == File::None || is_kept, "{one}: {staged:?}");
        }

        // And the run is taken up again for those that lack the image, and for no others.
        let before: Vec<u64> = (1..=ENTITIES)
            .map(|number| lab.bytes_received(&format!("e{number:03}")))
            .collect();
        let (summary, code) = recover(&state, &["--resume"]).await;
        assert_eq!(
            (&summary["event"], code),
            (&"summary".into(), Some(1)),
            "{summary}"
        );
        for number in 1..=ENTITIES {
            let name = format!("e{number:03}");
            let wanted = if name == "e006" {
                File::Old
            } else {
                File::Image
            };
            assert_eq!(
                really(&lab, &name),
                (wanted, File::None, File::None),
                "{name}"
            );
            let had_it = looked["entities"][number - 1]["holds"] == "delivered";
            let sent = lab.bytes_received(&name) - before[number - 1];
            assert_eq!(sent == 0, had_it, "{name} got {sent} bytes more");
        }
        let (report, code) = recover(&state, &[]).await;
        assert_eq!((report["run"].is_null(), code), (true, Some(0)));
        lab.stop().await;
    }
    println!("{moments} moments: {seen:?}");
}
