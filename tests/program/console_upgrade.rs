//! What an operator is spared by the console: a start that was typed ahead of its review, hosts that are logged in to unasked, a
//! second start that sends everything again; and the one page from which what is picked is upgraded.

use std::time::{Duration, Instant};

use crate::support::host::Host;
use crate::support::pty::{Pty, ended};
use crate::support::{IMAGE, LONG, PATH, within};

const MIB: u64 = 1 << 20;
const ENTITIES: [&str; 3] = ["e001", "e002", "e003"];

fn received(site: &Host) -> u64 {
    let entities = ENTITIES.iter();
    entities.map(|entity| site.lab.bytes_received(entity)).sum()
}

fn open(site: &Host) -> Pty {
    let mut pty = site.console();
    pty.until("idle");
    pty
}

/// What was typed in one burst, on a slow line, must not begin what nobody has read.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_typed_before_the_review_was_there_start_nothing() {
    let site = Host::new(MIB).await;
    let mut pty = open(&site);
    pty.type_in("2");
    pty.until("+ ready");
    // Nor by way of a command.
    pty.type_in("S:begin\r");
    pty.until("before the question could be read: Enter again goes on");
    pty.type_in("\x1b");
    pty.until("Y starts.");
    pty.type_in("2");
    pty.until("+ ready");
    pty.type_in("SY");
    pty.until("before the question could be read: Y again starts");
    pty.type_in("S");
    pty.until("Y starts what is shown here");
    pty.type_in("\r");
    pty.until("Enter means nothing on page Review");
    assert_eq!(received(&site), 0);
    pty.has_read();
    pty.type_in("Y");
    pty.until("ended: delivered");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
}

/// From the first page, with three keys; then a second start that finds everything there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_picked_is_upgraded_with_three_keys_and_not_a_second_time() {
    let site = Host::new(MIB).await;
    let mut pty = open(&site);
    pty.type_in("U");
    pty.until("1 entity, picked");
    pty.type_in("t");
    pty.until("3 entities: all of type adsl with the same version");
    pty.until("Y starts.");
    pty.has_read();
    pty.type_in("Y");
    pty.until("ended: delivered");
    for entity in ENTITIES {
        let file = site.lab.file(entity, PATH).expect("it has a file");
        assert!(file.same_as_image(IMAGE), "{entity}");
    }
    let first = received(&site);
    assert_eq!(first, 3 * MIB);
    // The pages show the version that is there now, and the review who is asked first.
    pty.type_in("2");
    pty.until("versions  2 (3), 3 will be skipped");
    pty.type_in("1");
    pty.until("e001       adsl    2  ");
    pty.type_in("U");
    pty.until("ask first  1: e001 got it before");
    pty.type_in("tt");
    pty.until("3 of them asked first");
    pty.has_read();
    pty.type_in("Y");
    pty.until("ended: delivered");
    pty.until("3 skipped");
    assert_eq!(received(&site), first, "nothing was sent again");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    // The title was set, and given back.
    let stream = String::from_utf8_lossy(&pty.stream).into_owned();
    for sequence in ["\x1b[22;2t", " - subtend\x1b\\", "\x1b]9;4;", "\x1b[23;2t"] {
        assert!(stream.contains(sequence), "{sequence:?}");
    }
    assert!(
        stream.contains(": all groups have ended\x1b\\"),
        "a call at the end"
    );
}

/// A look at what entities hold starts nothing, whatever is typed.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_what_entities_hold_is_no_armed_review() {
    let site = Host::new(MIB).await;
    let mut pty = open(&site);
    pty.type_in("U");
    pty.until("Y starts.");
    pty.has_read();
    pty.type_in("Y");
    pty.until("ended: delivered");
    let first = received(&site);
    pty.type_in("v");
    pty.until("Nothing is started here");
    pty.until("1 host looked at, all have the image");
    pty.has_read();
    pty.type_in("Y");
    pty.until("this only shows what entities hold");
    pty.type_in("F");
    pty.until("S reviews a start");
    assert_eq!(received(&site), first);
    pty.type_in("\x1b");
    pty.until("1 of 1 groups");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
}

/// Menus are searched, the help runs what is chosen, keys without meaning say so, and a word is no part of an address.
#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_and_nothing_is_swallowed() {
    let site = Host::new(MIB).await;
    let mut pty = open(&site);
    pty.type_in("w");
    pty.until("w means nothing on page Inventory");
    pty.type_in("/adsl 1\r");
    pty.until("3 shown");
    // The address of all of them begins with 127.
    pty.type_in("/\x15adsl 127\r");
    pty.until("no entity matches the filter");
    pty.type_in("\x1b");
    pty.until("3 shown");
    pty.type_in("?");
    pty.until("Help: Inventory");
    pty.type_in("/sort by");
    pty.until("sort by the next column");
    pty.type_in("\r");
    pty.until("Type ");
    pty.type_in(":over");
    pty.until("overview");
    pty.type_in("\r");
    pty.until("Nothing was started yet");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
}

/// Choosing a source shows what is known, and asks nobody before `a` is pressed.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_sources_logs_in_to_nobody_unasked() {
    let site = Host::new(MIB).await;
    let mut pty = open(&site);
    pty.type_in("n");
    pty.until("Name of the new group");
    pty.type_in("\r");
    pty.until("? no image yet");
    pty.type_in("i\r");
    pty.until("? no source yet");
    pty.type_in("o");
    pty.until("a asks the peers");
    pty.has_read();
    assert_eq!(logins(&site), 0, "nobody is logged in to unasked");
    pty.type_in("a");
    pty.until("0 have it, 3 checked");
    assert!(logins(&site) > 0);
    pty.type_in("\x1b");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
}

fn logins(site: &Host) -> u64 {
    ENTITIES
        .iter()
        .map(|entity| site.lab.sessions(entity))
        .sum()
}

/// The sheet, a search, a menu, the help, the commands, the overview: wherever the terminal dies, what runs goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_goes_on_when_the_terminal_dies_wherever_the_operator_is() {
    for (keys, shown) in [
        ("1U", "1 entity, picked"),
        ("/e00", "3 of 3"),
        ("?/dense", "dense view"),
        (":ver", "verify"),
        ("0", "delivered"),
        ("w", "Report of run"),
        ("w\r", "Write the report to"),
    ] {
        let site = Host::new(4 * MIB).await;
        let mut pty = open(&site);
        pty.type_in("Utt");
        pty.until("Y starts.");
        pty.has_read();
        pty.type_in("Y");
        pty.until("1 group runs");
        within(LONG, site.lab.until_received("e001", MIB)).await;
        pty.type_in(keys);
        pty.until(shown);
        let status = ended(pty.vanish());
        assert_eq!(status.signal(), None, "{keys}: {status:?}");
        assert!(received(&site) < 12 * MIB, "{keys}: it had ended before");
        for entity in ENTITIES {
            within(LONG, site.lab.until_received(entity, 4 * MIB)).await;
        }
        let has_it = |entity: &&str| {
            let file = site.lab.file(entity, PATH);
            file.is_some_and(|file| file.same_as_image(IMAGE))
        };
        let began = Instant::now();
        while !ENTITIES.iter().all(has_it) {
            assert!(began.elapsed() < LONG, "{keys}: it did not go on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A click where the screen shows these words.
fn click(pty: &mut Pty, words: &str) {
    let screen = pty.terminal.screen();
    let rows: Vec<String> = screen.rows(0, 80).collect();
    let place = rows.iter().enumerate().find_map(|(row, text)| {
        let before = text.find(words).map(|at| text[..at].chars().count());
        before.map(|column| (column + 1, row + 1))
    });
    let (column, row) = place.unwrap_or_else(|| panic!("{words}: {rows:?}"));
    pty.type_in(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
}

/// Pages and keys can be clicked, a question begins no work by a click that came before it could be read, and what is copied
/// is what is shown.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_can_be_clicked_and_copied() {
    use base64::Engine as _;

    let site = Host::new(MIB).await;
    let mut pty = site.pty(&["-i", &site.file, "--mouse"]);
    pty.until("idle");
    click(&mut pty, "2 Groups");
    pty.until("+ ready");
    click(&mut pty, "S start");
    pty.until("Y starts.");
    click(&mut pty, "Y start  F");
    pty.until("before the question could be read");
    assert_eq!(received(&site), 0);
    pty.has_read();
    click(&mut pty, "Y start  F");
    pty.until("ended: delivered");
    click(&mut pty, "? help");
    pty.until("Help: Watch");
    pty.type_in("\x1b");
    pty.until("ended: delivered");
    pty.type_in("y");
    pty.until("copied 4 lines");
    let stream = String::from_utf8_lossy(&pty.stream).into_owned();
    let (_, copied) = stream.split_once("\x1b]52;c;").expect("it is sent");
    let (copied, _) = copied.split_once("\x1b\\").unwrap();
    let copied = base64::engine::general_purpose::STANDARD.decode(copied);
    let copied = String::from_utf8(copied.unwrap()).unwrap();
    for entity in ENTITIES {
        let line = copied.lines().find(|line| line.starts_with(entity));
        assert!(
            line.is_some_and(|line| line.contains("delivered")),
            "{copied}"
        );
    }
    click(&mut pty, "q quit");
    assert_eq!(pty.end().exit_code(), 0);
}
