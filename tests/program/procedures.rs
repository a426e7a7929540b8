//! Procedures of an inventory on devices of the lab: tried on one of them, and before a run on all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use crate::support::program::Program;
use crate::support::pty::Pty;
use crate::support::{LONG, within};
use serde_json::Value;
use subtend::inventory;
use subtend::journal::EntityLock;
use subtend::lab::{Lab, LabOptions, LabSettings};
use subtend::model::{HostTrust, Inventory};
use tempfile::TempDir;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");
const PASSWORD: &str = "Zx9~harbour~Kq7";
/// Typed in the middle of a step.
const ENABLE: &str = "Wv3~harbour~Jd5";
/// What is looked for: no password that was cut or escaped slips through either.
const CORE: &str = "harbour";
const PATH: &str = "/flash/image.bin";

/// Cards that boot their images, over telnet and SSH, and some whose procedures are wrong.
fn text(at: impl Fn(&str) -> [String; 2], host_key: &str) -> String {
    let entity = |name: &str, type_: &str| {
        let [address, session] = at(name);
        format!(
            "  - {{ name: {name}, type: {type_}, version: \"1\", address: \"{address}\", session: \"{session}\" }}\n"
        )
    };
    let entities = [
        ("c1", "card"),
        ("c2", "card"),
        ("s1", "shell"),
        ("c3", "pattern"),
        ("c4", "prompt"),
        ("i1", "asks"),
        ("w1", "web"),
    ];
    let entities: String = (entities.iter())
        .map(|(name, type_)| entity(name, type_))
        .collect();
    format!(
        r#"
memory: 4 MiB
buffer_size: 64 KiB
credentials:
  craft: {{ user: craft, password: {{ file: secret }} }}
  enable: {{ user: enable, password: {{ file: enable }} }}
defaults: {{ credentials: craft, path: {PATH}, timeouts: {{ reply: 3s }} }}
file_servers: {{ hq: {{ url: "ftp://{hq}/" }} }}
images:
  card-2: {{ file: card-2.bin, type: card, version: "2" }}
  shell-2: {{ file: shell-2.bin, type: shell, version: "2" }}
  pattern-2: {{ file: pattern-2.bin, type: pattern, version: "2" }}
  prompt-2: {{ file: prompt-2.bin, type: prompt, version: "2" }}
  web-2: {{ file: web-2.bin, type: web, version: "2" }}
types:
  card: {{ procedure: over-telnet }}
  shell: {{ procedure: over-ssh }}
  pattern: {{ procedure: wrong-pattern }}
  prompt: {{ procedure: wrong-prompt }}
  asks: {{ procedure: asks-for-another }}
  web: {{ procedure: over-http }}
procedures:
  over-telnet: &banks
    session: {{ telnet: 23, prompt: '> $' }}
    before:
      - {{ send: show version, expect: 'Version (?<version>\S+)', is: "{{previous}}", safe: true, within: 20s }}
      - {{ send: show banks, within: 20s }}
    activate:
      - {{ send: "set boot {{path}}", expect: OK, within: 20s }}
      - {{ send: restart, within: 20s, answers: [ {{ to: '\(y/n\) $', with: y }} ] }}
      - {{ restart: true, down: 20s, back: 60s }}
    check:
      - {{ send: show version, expect: 'Version (?<version>\S+)', is: "{{version}}", within: 20s, safe: true }}
    undo:
      - {{ send: boot bank 1, expect: OK, within: 20s }}
  over-ssh:
    <<: *banks
    session: {{ ssh: 22, prompt: '> $'{host_key} }}
  wrong-pattern:
    <<: *banks
    before:
      - {{ send: show banks, safe: true, within: 20s }}
      - {{ send: show version, expect: 'Release (?<version>\S+)', safe: true, within: 20s }}
  wrong-prompt:
    <<: *banks
    session: {{ telnet: 23, prompt: 'card# $' }}
  asks-for-another:
    session: {{ telnet: 23, prompt: '[>#] ?$' }}
    before:
      - {{ send: enable, answers: [ {{ to: 'Password: ?$', password: enable }} ], safe: true, within: 20s }}
      - {{ send: show version, expect: 'Version (?<version>[^,\s]+)', safe: true, within: 20s }}
  over-http:
    session: {{ http: 80 }}
    before: [ {{ http: /version, expect: '"version":"(?<version>[^"]+)"', safe: true, within: 20s }} ]
    activate:
      - {{ http: "POST /cli", body: "set boot {{path}}", expect: OK, within: 20s }}
      - {{ http: "POST /cli", body: "restart\ny\n", within: 20s }}
      - {{ restart: true, down: 20s, back: 60s }}
    check:
      - {{ http: /version, expect: '"version":"(?<version>[^"]+)"', is: "{{version}}", safe: true, within: 20s }}
entities:
{entities}
groups:
  cards: {{ entities: [c1, c2], image: card-2, source: {{ file_server: hq }} }}
  shells: {{ entities: [s1], image: shell-2, source: {{ file_server: hq }}, activate: now }}
  patterns: {{ entities: [c3], image: pattern-2, source: {{ file_server: hq }}, activate: now }}
  prompts: {{ entities: [c4], image: prompt-2, source: {{ file_server: hq }}, activate: now }}
  webs: {{ entities: [w1], image: web-2, source: {{ file_server: hq }}, activate: now }}
x-lab:
  images: {{ card-2: {{ size: 200 KB }}, shell-2: {{ size: 200 KB }}, pattern-2: {{ size: 1 KB }}, prompt-2: {{ size: 1 KB }}, web-2: {{ size: 1 KB }} }}
  entities:
    "c*": {{ cli: {{ telnet: 0, dialect: banks, password: {PASSWORD}, echo_password: true }} }}
    "i*": {{ cli: {{ telnet: 0, dialect: ios, password: {PASSWORD}, enable_password: {ENABLE}, echo_password: true }} }}
    "s*": {{ cli: {{ ssh: 0, dialect: banks, password: {PASSWORD} }} }}
    "w*": {{ cli: {{ http: 0, dialect: banks, password: {PASSWORD} }} }}
"#,
        hq = at("hq")[0],
    )
}

/// The lab, and an inventory as an operator would have written it.
struct Site {
    lab: Lab,
    folder: TempDir,
    file: String,
}

impl Site {
    /// `change`: what the devices do besides, of the text of the lab.
    async fn start(change: impl Fn(String) -> String) -> Self {
        // Ports of their own, since an address belongs to one entity; the lab takes free ones.
        let at = |name: &str| {
            let number = name.bytes().map(u16::from).sum::<u16>();
            [format!("127.0.0.1:{}", 2000 + number), ":2323".to_owned()]
        };
        let once = text(at, "");
        let once = change(once);
        let settings = LabSettings::from_inventory_text(&once).unwrap();
        let inventory = inventory::parse(&once, Path::new("site.yaml"));
        let mut inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
        for entity in &mut inventory.entities {
            Arc::make_mut(entity).address.port = 0;
        }
        for server in &mut inventory.file_servers {
            Arc::make_mut(server).address.port = 0;
        }
        let options = LabOptions {
            take_free_ports: true,
        };
        let lab = Lab::start(&inventory, &settings, options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.yaml");
        fs::write(&path, as_served(lab.inventory())).unwrap();
        let file = path.to_str().unwrap().to_owned();
        let site = Self { lab, folder, file };
        site.password("secret", PASSWORD);
        site.password("enable", ENABLE);
        site
    }

    fn password(&self, file: &str, password: &str) {
        let file = self.folder.path().join(file);
        fs::write(&file, password).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn state(&self) -> String {
        let state = self.folder.path().join("state");
        state.to_str().unwrap().to_owned()
    }

    /// With every level of the log; no password is in anything that it says.
    async fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let state = self.state();
        let run = Command::new(PROGRAM)
            .args(args)
            .args(["-i", &self.file, "--state-dir", &state])
            .env("SUBTEND_LOG", "trace")
            .env_remove("SUBTEND_INVENTORY")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let Output {
            status,
            stdout,
            stderr,
        } = within(LONG, run).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (said, errors) = (text(stdout), text(stderr));
        for text in [&said, &errors] {
            assert!(!text.contains(CORE), "{text}");
        }
        (status.code(), said, errors)
    }

    async fn tries(&self, type_: &str, on: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let args = ["try-procedure", type_, "--on", on];
        self.run(&[&args, more].concat()).await
    }

    fn assert_untouched(&self, name: &str) {
        let machine = self.lab.machine(name).unwrap();
        let is_as_it_was = (&*machine.version, machine.boots) == ("1", 0) && machine.ran.is_empty();
        assert!(is_as_it_was, "{name}: {machine:?}");
    }
}

fn as_served(inventory: &Inventory) -> String {
    let session = inventory.procedure("shell").unwrap().session.as_ref();
    let HostTrust::Key(keys) = &session.unwrap().ssh.trust else {
        panic!("the lab has no key");
    };
    let key = format!(", host_key: \"{}\"", keys[0]);
    let at = |name: &str| match inventory.entity(name) {
        Some(entity) => {
            let session = entity.session.as_ref().unwrap();
            let session = format!("{}:{}", session.host, session.port.unwrap());
            [entity.address.to_string(), session]
        }
        None => {
            let server = &inventory.file_servers[0];
            [server.address.to_string(), String::new()]
        }
    };
    text(at, &key)
}

fn as_it_is(text: String) -> String {
    text
}

/// On the words of a text, wherever its lines end.
fn assert_says(said: &str, words: &[&str]) {
    let said_in_words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(
            said_in_words.contains(words),
            "{words:?} is not in:\n{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_that_is_right_is_shown_step_by_step_and_changes_nothing() {
    let site = Site::start(as_it_is).await;
    for (type_, on, login) in [
        ("card", "c1", "login over telnet to 127.0.0.1:"),
        ("shell", "s1", "login over ssh to 127.0.0.1:"),
    ] {
        let (code, said, errors) = site.tries(type_, on, &[]).await;
        assert_eq!(code, Some(0), "{said}{errors}");
        let words = [
            login,
            "Left out, since not marked `safe: true`: `before` 2",
            "before, step 1 of 2: send \"show version\" | Version 1 | Running from bank 1 passed in",
            "; version `1`",
            "check, step 1 of 1: send \"show version\"",
            "says 1; after the upgrade it has to say 2",
            &format!("Passed: 2 steps; {on} says that it runs 1. Nothing was changed."),
        ];
        assert_says(&said, &words);
        assert!(
            said.lines().all(|line| line.chars().count() <= 80),
            "{said}"
        );
        site.assert_untouched(on);
    }
    let (code, said, _) = site.tries("card", "c1", &["--until", "before"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("Passed: 1 step;") && !said.contains("check, step"),
        "{said}"
    );
    site.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_procedure_goes_wrong_is_seen_with_what_came_back() {
    let site = Site::start(as_it_is).await;
    let (code, said, errors) = site.tries("pattern", "c3", &[]).await;
    assert_eq!(code, Some(1), "{said}{errors}");
    let words = [
        "before, step 1 of 2: send \"show banks\"",
        "before, step 2 of 2: send \"show version\" | Version 1 | Running from bank 1 FAILED after",
        r"expected was: Release (?<version>\S+)",
        "Failed: before, step 2 of 2 (send \"show version\"): the device answered",
    ];
    assert_says(&said, &words);
    assert!(
        !said.contains("check, step"),
        "what follows is not begun: {said}"
    );

    let (code, said, _) = site.tries("prompt", "c4", &[]).await;
    assert_eq!(code, Some(1), "{said}");
    let words = [
        "FAILED after",
        "no answer to the login within 3 s; the device showed: ",
        "c4> the prompt that was waited for: card# $",
    ];
    assert_says(&said, &words);

    let (code, said, _) = site.tries("pattern", "c3", &["--json"]).await;
    assert_eq!(code, Some(1), "{said}");
    let lines: Vec<Value> = (said.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["trial", "login", "step", "step", "tried"]);
    let step = &lines[3];
    assert_eq!(
        (&step["part"], &step["step"], &step["passed"]),
        (&"before".into(), &2.into(), &false.into())
    );
    assert!(
        step["said"].as_str().unwrap().starts_with("Version 1"),
        "{step}"
    );
    assert_eq!(lines[4]["outcome"], "failed");
    for name in ["c3", "c4"] {
        site.assert_untouched(name);
    }
    site.lab.stop().await;
}

/// The devices over telnet show what is typed as a password.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_the_cause_and_is_shown_nowhere() {
    let site = Site::start(as_it_is).await;
    let wrong = "Qq4~harbour~wrong";
    site.password("secret", wrong);
    for (type_, on) in [("card", "c1"), ("shell", "s1")] {
        let (code, said, errors) = site.tries(type_, on, &[]).await;
        assert_eq!(code, Some(1), "{said}{errors}");
        assert_says(&said, &["FAILED after", "does not let craft in with"]);
        assert!(!said.contains("step 1"), "{said}");
    }
    // A right one that the device shows is no part of what came back either.
    site.password("secret", PASSWORD);
    let (code, said, _) = site.tries("card", "c1", &["--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    // Nor is one that is typed in the middle of a step.
    let (code, said, errors) = site.tries("asks", "i1", &[]).await;
    assert_eq!(code, Some(0), "{said}{errors}");
    assert_says(
        &said,
        &[
            "before, step 1 of 2: send \"enable\"",
            "***",
            "i1 says that it runs 1",
        ],
    );
    site.password("enable", wrong);
    let (_, said, _) = site.tries("asks", "i1", &[]).await;
    assert_says(&said, &["| Password: ******** | % Access denied"]);
    site.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_tried_is_refused_before_anything_is_connected_to() {
    let site = Site::start(as_it_is).await;
    for (type_, on, more, words) in [
        (
            "shell",
            "c1",
            &[][..],
            "`c1` is of type `card`, not `shell`",
        ),
        ("card", "c9", &[], "there is no entity `c9`"),
        ("card", "c1", &["--image", "shell-2"], "is for type `shell`"),
        ("card", "c1", &["--until", "activate"], "`--yes` says so"),
    ] {
        let (code, said, errors) = site.tries(type_, on, more).await;
        assert_eq!((code, &*said), (Some(2), ""), "{errors}");
        assert!(errors.contains(words), "{errors}");
    }
    assert_eq!(site.lab.sessions("c1"), 0);
    site.assert_untouched("c1");
    // One that a run has is left to it.
    let address = site
        .lab
        .inventory()
        .entity("c1")
        .unwrap()
        .address
        .to_string();
    let state = site.state();
    let lock = EntityLock::acquire(Path::new(&state), &address, PATH, Some("r1")).unwrap();
    let (code, said, errors) = site.tries("card", "c1", &[]).await;
    assert_eq!((code, &*said), (Some(1), ""), "{errors}");
    assert!(
        errors.contains("run r1 of ") && errors.contains("has this entity"),
        "{errors}"
    );
    drop(lock);
    let (code, ..) = site.tries("card", "c1", &[]).await;
    assert_eq!(code, Some(0));
    site.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_carried_out_where_that_is_said() {
    // The image that is in place on one of them does not boot.
    let fails = "    \"c2\": { cli: { boot_fails: true } }\n";
    let site = Site::start(|text| text + fails).await;
    let (code, said, errors) = site
        .run(&["run", "cards", "shells", "--activate", "later"])
        .await;
    assert_eq!(code, Some(0), "{said}{errors}");
    site.assert_untouched("c1");

    let everything = ["--until", "activate", "--yes"];
    let (code, said, errors) = site.tries("card", "c1", &everything).await;
    assert_eq!(code, Some(0), "{said}{errors}");
    let words = [
        "before, step 2 of 2: send \"show banks\"",
        "activate, step 1 of 3: send \"set boot /flash/image.bin\" | OK passed in",
        "activate, step 3 of 3: restart: down within 20 s",
        "check, step 1 of 1: send \"show version\" | Version 2",
        "Upgraded: 6 steps; c1 says that it runs 2.",
    ];
    assert_says(&said, &words);
    let machine = site.lab.machine("c1").unwrap();
    assert_eq!((&*machine.version, machine.boots), ("2", 1));

    let (code, said, errors) = site.tries("card", "c2", &everything).await;
    assert_eq!(code, Some(1), "{said}{errors}");
    let words = [
        "check, step 1 of 1: send \"show version\" | Version 1",
        "FAILED after",
        "undo, step 1 of 1: send \"boot bank 1\" | OK passed in",
        "Rolled back: check, step 1 of 1",
    ];
    assert_says(&said, &words);
    assert_eq!(site.lab.machine("c2").unwrap().version, "1");

    over_a_question(&site).await;
    site.lab.stop().await;
}

/// The entity's name is the only answer that lets it be changed.
async fn over_a_question(site: &Site) {
    let state = site.state();
    let args = |answer: &'static str| {
        let (file, state) = (site.file.clone(), state.clone());
        tokio::task::spawn_blocking(move || {
            let args = [
                "try-procedure",
                "shell",
                "--on",
                "s1",
                "--until",
                "activate",
            ];
            let more = ["-i", &file, "--state-dir", &state];
            let mut pty = Pty::start(PROGRAM, &[&args[..], &more[..]].concat(), &[]);
            pty.until("Type s1 to go on:");
            pty.type_in(answer);
            let status = pty.end();
            (
                status.exit_code(),
                String::from_utf8_lossy(&pty.stream).into_owned(),
            )
        })
    };
    for (answer, code) in [("yes\r", 2), ("\x03", 130)] {
        let (ended, said) = within(LONG, args(answer)).await.unwrap();
        assert_eq!(ended, code, "{said}");
        site.assert_untouched("s1");
    }
    let (ended, said) = within(LONG, args("s1\r")).await.unwrap();
    assert_eq!(ended, 0, "{said}");
    assert_eq!(site.lab.machine("s1").unwrap().version, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_gives_the_step_up_that_is_under_way() {
    let silent = "    \"c1\": { cli: { silent_on: show version } }\n";
    let site = Site::start(|text| text + silent).await;
    let state = tempfile::tempdir().unwrap();
    let args = ["try-procedure", "card", "--on", "c1", "-i", &site.file];
    let mut program = Program::keeping(state.path(), &args);
    let began = std::time::Instant::now();
    program
        .until(|line| line.contains("before, step 1 of 2"))
        .await;
    program.signal("INT");
    let (lines, code, errors) = program.end().await;
    let said = lines.join("\n");
    assert_eq!(code, Some(130), "{said}{errors}");
    assert!(said.contains("Cancelled: before, step 1 of 2"), "{said}");
    // The step would have waited for as long as this.
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
    site.assert_untouched("c1");
    site.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_logs_in_to_command_lines_and_tries_what_changes_nothing() {
    let other = "    \"c2\": { cli: { password: another } }\n";
    let site = Site::start(|text| text + other).await;
    let (code, said, errors) = site.run(&["check", "--online"]).await;
    assert_eq!(code, Some(1), "{said}{errors}");
    let online = said.split_once("Online: ").unwrap().1;
    let words = [
        "ok c1: can be written",
        "; command line: logged in, runs 1",
        "X c4: command line: login: no answer to the login within 3 s; the device showed:",
        "X c3: command line: before, step 2 of 2 (send \"show version\"): the device answered",
        // Its group does not activate; what comes before the image is asked all the same.
        "X c2: command line: login: the server does not let craft in",
    ];
    assert_says(online, &words);
    for name in ["c1", "c2", "s1", "c4", "c3", "w1"] {
        site.assert_untouched(name);
    }
    let (code, said, errors) = site.run(&["check", "--online", "shells", "--json"]).await;
    assert_eq!(code, Some(0), "{said}{errors}");
    let json: Value = serde_json::from_str(&said).unwrap();
    let checks = json["online"]["checks"].as_array().unwrap();
    let s1 = checks.iter().find(|check| check["host"] == "s1").unwrap();
    let procedure = serde_json::json!({ "logged_in": true, "steps": 2, "runs": "1" });
    assert_eq!(s1["procedure"], procedure);
    site.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_over_http_is_tried_and_checked_as_any_other() {
    let site = Site::start(as_it_is).await;
    let (code, said, errors) = site.tries("web", "w1", &[]).await;
    assert_eq!(code, Some(0), "{said}{errors}");
    let words = [
        "over http, port 80, passwords in CLEAR TEXT",
        "before, step 1 of 1: http \"GET /version\" | 200 OK | {\"bank\":1,\"version\":\"1\"}",
        "says 1; after the upgrade it has to say 2",
        "Passed: 2 steps; w1 says that it runs 1. Nothing was changed.",
    ];
    assert_says(&said, &words);
    let (code, said, errors) = site.run(&["check", "--online", "webs"]).await;
    assert_eq!(code, Some(0), "{said}{errors}");
    assert_says(&said, &["passwords in CLEAR TEXT", "; procedure: runs 1"]);
    site.assert_untouched("w1");
    site.password("secret", "Qq4~harbour~wrong");
    let (code, said, errors) = site.tries("web", "w1", &["--until", "before"]).await;
    assert_eq!(code, Some(1), "{said}{errors}");
    assert_says(&said, &["the server said 401 Unauthorized: not logged in"]);
    site.lab.stop().await;
}
