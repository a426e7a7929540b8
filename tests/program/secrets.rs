//! No password in anything that a run leaves, with every log level on, whichever way the password
//! comes and whatever servers say about it.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::pty::Pty;
use crate::support::scripted::{Action, Log, Reply, Script, ScriptedServer};
use crate::support::{LONG, within};
use tempfile::TempDir;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");
const PASSWORD: &str = "Zx9~harbour~Kq7";
/// What is looked for: no password that was cut or escaped slips through either.
const CORE: &str = "harbour";
/// A second one, in a variable, which the first one's command must not see.
const OTHER: &str = "Wv3~lantern~Jd5";
const OTHER_CORE: &str = "lantern";
const VARIABLE: &str = "SUBTEND_TEST_OTHER";
const PATH: &str = "/flash/image.bin";
/// Every level of everything.
const LOUD: [(&str, &str); 3] = [
    ("RUST_LOG", "trace"),
    ("SUBTEND_LOG", "trace,suppaftp=trace,log=trace"),
    ("RUST_BACKTRACE", "full"),
];

/// Servers that tell whoever listens what password they were given.
struct Servers {
    /// The file server, then an entity each.
    all: Vec<(&'static str, ScriptedServer)>,
}

impl Servers {
    async fn start() -> Self {
        let told = |text: &str| text.replace("{}", PASSWORD);
        let pass = |text: &str| {
            let reply = Reply::raw(told(text));
            Script::default().on("PASS", reply)
        };
        let on = |verb: &str, text: &str| Script::default().on(verb, Reply::line(&told(text)));
        let scripts = [
            ("hq", pass("230 welcome, you said {}\r\n")),
            ("good", pass("230-your password\r\n230 is {}\r\n")),
            ("refuses", pass("530 not craft with {}, nor PASS {}\r\n")),
            ("lines", pass("530-no\r\n530-{}\r\n530 \x1b[31m{}\r\n")),
            ("closes", closes()),
            ("asks", pass("332 what of {}?\r\n")),
            ("odd", pass("what is {}?\r\n")),
            ("unknown", pass("999 {}\r\n")),
            ("later", on("STOR", "553 craft:{} may not write")),
            ("type", on("TYPE", "504 not with {}")),
            (
                "passive",
                on("PASV", "227 {}").on("EPSV", Reply::line(&told("229 {}"))),
            ),
            (
                "rename",
                on("RNTO", "553 {}").on("MKD", Reply::line(&told("550 {}"))),
            ),
            ("size", on("SIZE", "213 {}")),
        ];
        let mut all = Vec::new();
        for (name, script) in scripts {
            all.push((name, ScriptedServer::start(script).await));
        }
        all[0].1.put("/image.bin", vec![0x5a; 200_000]);
        Self { all }
    }

    fn log(&self, name: &str) -> Log {
        let found = self.all.iter().find(|(one, _)| *one == name);
        found.unwrap().1.log()
    }

    /// The test is worth something only if each of them really was given the password.
    fn assert_told(&self) {
        for (name, server) in &self.all {
            let log = server.log();
            let said = format!("PASS {PASSWORD}");
            assert!(log.commands().contains(&said.as_str()), "{name}: {log:?}");
        }
    }

    fn inventory(&self, password: &str) -> String {
        let (_, hq) = &self.all[0];
        let mut text = format!(
            "memory: 1 MiB\n\
             credentials:\n  craft: {{ user: craft, password: {password} }}\n  \
               other: {{ user: other, password: {{ env: {VARIABLE} }} }}\n\
             file_servers: {{ hq: {{ url: 'ftp://{}/', credentials: craft }} }}\n\
             images: {{ new: {{ file: image.bin, type: adsl, version: '2' }} }}\n\
             defaults: {{ credentials: craft, timeouts: {{ reply: 5s }} }}\n\
             entities:\n",
            hq.address()
        );
        for (name, server) in &self.all[1..] {
            let address = server.address();
            writeln!(
                text,
                "  - {{ name: {name}, type: adsl, version: '1', address: '{address}', path: {PATH} }}"
            )
            .unwrap();
        }
        text.push_str(
            "groups: { all: { select: { type: adsl }, image: new, source: { file_server: hq } } }\n",
        );
        text
    }

    async fn stop(self) {
        for (_, server) in self.all {
            server.stop().await;
        }
    }
}

/// Full until the failure is reported, and with room when it is tried again.
fn closes() -> Script {
    Script::default().handle(|line, state| match line.starts_with("PASS") {
        true if state.connection < 12 => {
            Action::Reply(Reply::line(&format!("421 {PASSWORD} is not welcome")))
        }
        _ => Action::Default,
    })
}

/// The operator's folder. What is secret in it lies in `private`; the rest is looked through.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        fs::create_dir_all(site.path("private")).unwrap();
        fs::create_dir_all(site.path("work")).unwrap();
        fs::write(site.path("private/craft"), PASSWORD).unwrap();
        let only_ours = fs::Permissions::from_mode(0o600);
        fs::set_permissions(site.path("private/craft"), only_ours).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_inventory(&self, text: &str) {
        fs::write(self.path("work/site.yaml"), text).unwrap();
    }

    /// A program that prints the password, and leaves what could be seen of it and its parent.
    fn command(&self) -> String {
        let script = self.path("private/give");
        let work = self.path("work");
        let text = format!(
            "tr '\\0' '\\n' </proc/$$/environ >{0}/child-environ\n\
             tr '\\0' ' ' </proc/$$/cmdline >{0}/child-cmdline\n\
             tr '\\0' ' ' </proc/$PPID/cmdline >{0}/own-cmdline\n\
             cat {1}\n",
            work.display(),
            self.path("private/craft").display()
        );
        fs::write(&script, text).unwrap();
        format!("{{ command: [sh, '{}'] }}", script.display())
    }

    /// Runs the program in `work`, under the widest umask, with every log level on.
    async fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command
            .args(["-c", "umask 0; exec \"$0\" \"$@\"", PROGRAM, "run", "--all"])
            .args(["-i", "site.yaml", "--state-dir", "state"])
            .args(args)
            .current_dir(self.path("work"))
            .env_remove("SUBTEND_INVENTORY")
            .env(VARIABLE, OTHER)
            .envs(LOUD)
            .kill_on_drop(true);
        within(LONG, command.output()).await.unwrap()
    }

    /// Reports of the newest run, in every format.
    async fn reports(&self) -> Vec<Vec<u8>> {
        let mut reports = Vec::new();
        for format in ["--html", "--junit", "--csv", "--text"] {
            let mut command = Command::new(PROGRAM);
            command
                .args(["export", format, "--state-dir", "state"])
                .current_dir(self.path("work"))
                .kill_on_drop(true);
            let output = within(LONG, command.output()).await.unwrap();
            assert_eq!(output.status.code(), Some(0), "{format}");
            reports.push(output.stdout);
        }
        reports
    }

    /// Neither what was printed nor any file holds a password, and nobody else may read those that
    /// the program made.
    fn assert_silent(&self, printed: &[&[u8]]) {
        for bytes in printed {
            assert_without("what was printed", bytes);
        }
        for file in walk(&self.path("work")) {
            assert_without(
                &file.display().to_string(),
                file.as_os_str().as_encoded_bytes(),
            );
            // The engine's socket has nothing in it; its mode is looked at below.
            if file.is_file() {
                assert_without(&file.display().to_string(), &fs::read(&file).unwrap());
            }
        }
        self.assert_private();
    }

    fn assert_private(&self) {
        let state = self.path("work/state");
        if !state.exists() {
            return;
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        for file in walk(&state) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
            assert_eq!(mode(file.parent().unwrap()), 0o700, "{}", file.display());
        }
    }
}

/// All files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path()),
            false => vec![entry.path()],
        })
        .collect()
}

fn assert_without(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for core in [CORE, OTHER_CORE] {
        let numbers: Vec<String> = core.bytes().map(|byte| byte.to_string()).collect();
        let plain = core.to_owned();
        for form in [
            plain,
            core.to_uppercase(),
            hex::encode(core),
            numbers.join(", "),
        ] {
            if let Some(at) = text.find(&form) {
                let before: String = text[..at].chars().rev().take(200).collect();
                let before: String = before.chars().rev().collect();
                panic!("{place} holds a password: {before:?}, {form:?}");
            }
        }
    }
}

/// A file of a process.
fn of_process(process: &str, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_tells_no_password_however_loud_its_log_and_its_servers() {
    let servers = Servers::start().await;
    let site = Site::new();
    let file = "{ file: ../private/craft }".to_owned();
    for (password, args) in [
        (file.clone(), &[][..]),
        (file, &["-vvv", "--json"]),
        (site.command(), &["-vvv"]),
        (site.command(), &["--json"]),
    ] {
        site.write_inventory(&servers.inventory(&password));
        let output = site.run(args).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{told}\n{said}");
        // It was not silent: the log and what servers say are there, without the password.
        assert!(said.contains("TRACE") || said.contains("DEBUG"), "{said}");
        assert!(
            told.contains("530 not craft with ********, nor PASS ********"),
            "{told}"
        );
        assert!(told.contains("553 craft:******** may not write"), "{told}");
        let reports = site.reports().await;
        for report in &reports {
            let told = String::from_utf8_lossy(report);
            assert!(told.contains("553 craft:******** may not write"), "{told}");
        }
        let printed = [&output.stdout, &output.stderr].into_iter().chain(&reports);
        site.assert_silent(&printed.map(Vec::as_slice).collect::<Vec<_>>());
    }
    // The children had an environment, but for what was another password in it.
    let environ = fs::read_to_string(site.path("work/child-environ")).unwrap();
    assert!(environ.contains("SUBTEND_LOG=trace"), "{environ}");
    assert!(!environ.contains(VARIABLE), "{environ}");
    let cmdline = fs::read_to_string(site.path("work/child-cmdline")).unwrap();
    assert!(cmdline.contains("private/give"), "{cmdline}");
    servers.assert_told();
    assert!(servers.log("good").count("STOR") > 0);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_typed_for_a_run_is_nowhere() {
    let servers = Servers::start().await;
    let site = Site::new();
    site.write_inventory(&servers.inventory("{ ask: true }"));
    let inventory = site.path("work/site.yaml");
    let state = site.path("work/state");
    let args = [
        "run",
        "--all",
        "-vvv",
        "-i",
        inventory.to_str().unwrap(),
        "--state-dir",
        state.to_str().unwrap(),
    ];
    let mut pty = Pty::start(PROGRAM, &args, &LOUD);
    pty.until("Password of craft");
    #[cfg(target_os = "linux")]
    {
        let process = pty.process();
        let limits = of_process(&process, "limits");
        let core = limits.lines().find(|line| line.starts_with("Max core"));
        let words: Vec<&str> = core.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{limits}");
        let status = of_process(&process, "status");
        assert!(status.contains("Umask:\t0077"), "{status}");
    }
    pty.type_in(PASSWORD);
    pty.type_in("\r");
    assert_eq!(pty.end().exit_code(), 1);
    let drawn = String::from_utf8_lossy(&pty.stream).into_owned();
    assert!(drawn.contains("********"), "{drawn}");
    site.assert_silent(&[&pty.stream]);
    servers.assert_told();
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_keeps_no_password_either() {
    let servers = Servers::start().await;
    let site = Site::new();
    let text = servers.inventory("{ ask: true }");
    let (without_groups, _) = text.split_once("groups:").unwrap();
    site.write_inventory(without_groups);
    let inventory = site.path("work/site.yaml");
    let state = site.path("work/state");
    let args = [
        "-vvv",
        "-i",
        inventory.to_str().unwrap(),
        "--state-dir",
        state.to_str().unwrap(),
    ];
    let mut variables = LOUD.to_vec();
    variables.push((VARIABLE, OTHER));
    let mut pty = Pty::start(PROGRAM, &args, &variables);
    pty.until("idle");
    // A group that is kept, so that there is a file of them.
    pty.type_in("an");
    pty.until("Name of the new group");
    pty.type_in("\x15mine\r");
    pty.until("mine, made here");
    pty.type_in("i");
    pty.until("Image of mine");
    pty.type_in("\r");
    pty.until("? no source yet");
    pty.type_in("o");
    pty.until("Source of mine");
    pty.type_in("\r");
    pty.until("+ ready");
    pty.type_in("S");
    pty.until("Y asks for passwords and starts");
    pty.has_read();
    pty.type_in("Y");
    pty.until("assword of craft");
    // Deleted, and typed again.
    pty.type_in(&format!("{PASSWORD}\x15{PASSWORD}\r"));
    pty.until("ended: ");
    // The log page shows what it has, as far as there is room for it.
    pty.type_in("5");
    pty.settle(std::time::Duration::from_millis(300));
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 1);
    let files = walk(&state);
    let log = files.iter().find(|file| file.ends_with("subtend.log"));
    let log = fs::read_to_string(log.unwrap()).unwrap();
    assert!(log.contains("TRACE") && log.contains("********"), "{log}");
    let kept = state.join("groups");
    assert!(
        files.iter().any(|file| file.starts_with(&kept)),
        "{files:?}"
    );
    site.assert_silent(&[&pty.stream]);
    servers.assert_told();
    servers.stop().await;
}
