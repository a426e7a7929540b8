//! Five jobs of every day, in the console, with as few keys and pages as they take: a key that is added to one of them is noticed.

use crate::support::host::Host;
use crate::support::program::written;
use crate::support::pty::Pty;
use crate::support::{IMAGE, PATH, behave, lab, network, takes_at};
use subtend::lab::Behaviour;

const MIB: u64 = 1 << 20;

/// A console, and what was done in it so far.
struct Work {
    pty: Pty,
    keys: usize,
    /// The pages that were seen, each time that another one was.
    pages: Vec<String>,
}

/// The title of the page that the screen shows.
fn page(pty: &Pty) -> String {
    let screen = pty.terminal.screen();
    // The selected one alone is reversed.
    let cells = (0..80).filter_map(|column| screen.cell(0, column));
    let title: String = cells
        .filter(|cell| cell.inverse())
        .map(|cell| cell.contents())
        .collect();
    title.trim().to_owned()
}

impl Work {
    fn new(site: &Host) -> Self {
        let mut pty = site.console();
        pty.until("idle");
        Self {
            pages: vec![page(&pty)],
            pty,
            keys: 0,
        }
    }

    /// These keys, one after another as a person types them, until the screen shows this.
    fn press(&mut self, keys: &str, shows: &str) {
        for key in keys.chars() {
            self.pty.type_in(&key.to_string());
            self.keys += 1;
            self.pty.settle(std::time::Duration::from_millis(80));
            self.see();
        }
        self.pty.until(shows);
        self.see();
        // What it shows is read before the next key.
        self.pty.has_read();
    }

    fn see(&mut self) {
        let page = page(&self.pty);
        if self.pages.last() != Some(&page) {
            self.pages.push(page);
        }
    }

    /// What the job took; the next one begins here.
    fn done(&mut self, job: &str) -> usize {
        println!(
            "{job}: {} keys, pages: {}",
            self.keys,
            self.pages.join(", ")
        );
        self.pages = vec![page(&self.pty)];
        std::mem::take(&mut self.keys)
    }
}

/// One that has no room, one whose first connection breaks off, one that is checked by its size alone.
async fn site() -> Host {
    let (mut inventory, mut settings) = network(6, MIB);
    inventory.memory = MIB;
    behave(&mut settings, "*", takes_at(4 * MIB));
    let full = Behaviour {
        disk_full_at: Some(MIB / 2),
        ..takes_at(4 * MIB)
    };
    behave(&mut settings, "e002", full);
    let breaks = Behaviour {
        drop_at: Some(MIB / 4),
        drop_times: Some(1),
        ..takes_at(4 * MIB)
    };
    behave(&mut settings, "e003", breaks);
    let lab = lab(&inventory, &settings).await;
    let (folder, file) = written(lab.inventory());
    let site = Host::of((lab, folder, file));
    site.edit("name: e004,", "name: e004, verify: size,");
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_every_day_take_a_few_keys_each() {
    let site = site().await;
    let mut work = Work::new(&site);
    work.press("Ut", "6 entities: all of type adsl with the same version");
    work.press("Y", "ended: partial");
    let first = work.done("upgrade all of a type and version from the file server");
    for entity in ["e001", "e004", "e005", "e006"] {
        let file = site.lab.file(entity, PATH).expect("it has a file");
        assert!(file.same_as_image(IMAGE), "{entity}");
    }

    work.press("r", "Try again as");
    work.press("\r", "ended: delivered");
    let failed = work.done("again what failed for a reason that may pass");
    assert!(site.lab.file("e003", PATH).unwrap().same_as_image(IMAGE));

    work.press("h", "of 2 groups");
    work.press("v", "e[003-006]: has it (readback)");
    let proven = work.done("read back what is proven by its size alone");

    work.press("2", "all");
    work.press("S", "5 of them asked first");
    work.press("Y", "ended: partial");
    let rest = work.done("the rest of a partial group");

    work.press("H", "partial");
    work.press("\r", "e002");
    let why = work.done("why e002 failed in an earlier run");
    assert!(
        work.pty.shows("552"),
        "{}",
        work.pty.terminal.screen().contents()
    );
    assert_eq!((first, failed, proven, rest, why), (3, 2, 2, 3, 2));
    work.pty.type_in("q");
    work.pty.until("idle");
}

/// On the practice network one line says what to press next, until it is left.
#[test]
fn the_demo_says_what_to_press_next() {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_subtend");
    let mut pty = Pty::start(program, &["demo", "--state-dir", dir], &[]);
    pty.until("1 of 5: / finds devices");
    pty.type_in("/adsl 2.3\r");
    pty.until("2 of 5: U on page 1");
    pty.type_in("U");
    pty.until("3 of 5: Y starts");
    pty.type_in("Z");
    pty.settle(std::time::Duration::from_millis(500));
    assert!(!pty.shows("of 5:"), "it is left");
    pty.type_in("q");
    assert!(pty.end().success());
}
