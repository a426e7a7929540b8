//! What is done on this host: programs, and files that are kept.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::stat::Mode;

use super::*;

fn exec(words: &[&str]) -> StepSpec {
    step(Deed::Exec(
        words.iter().map(|word| template(word)).collect(),
    ))
}

fn shell(script: &str) -> StepSpec {
    exec(&["/bin/sh", "-c", script])
}

async fn bench() -> Bench {
    Bench::without_session("{ site: RESET }").await
}

/// A pipe with a name. What is read of it ends when nobody is left who could write to it.
struct Pipe {
    path: PathBuf,
    reads: tokio::task::JoinHandle<String>,
}

impl Pipe {
    fn in_folder(folder: &Path) -> Self {
        let path = folder.join("pipe");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        let from = path.clone();
        let reads = tokio::task::spawn_blocking(move || std::fs::read_to_string(from).unwrap());
        Self { path, reads }
    }

    /// All that was written, once all writers have ended.
    async fn said(self) -> String {
        within(LONG, self.reads).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_given_its_arguments_and_no_environment() {
    let mut bench = bench().await;
    let program = bench.folder.path().join("reload.sh");
    std::fs::write(&program, "#!/bin/sh\necho \"$1|$2|$#\"\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let reload = exec(&["./reload.sh", "{address}", "a b; $HOME"]);
    let carried = bench.does(&expects(reload, r"(?<host>\S+)\|")).await;
    assert_eq!(
        carried.what,
        "exec \"./reload.sh\" \"127.0.0.1\" \"a b; $HOME\""
    );
    assert_eq!(carried.said.trim(), "127.0.0.1|a b; $HOME|2");
    assert_eq!(good(&carried)["host"], "127.0.0.1");

    let carried = bench.does(&exec(&["env"])).await;
    good(&carried);
    for line in carried.said.lines() {
        let name = line.split('=').next().unwrap();
        assert!(["PATH", "HOME", "LANG", "TZ"].contains(&name), "{line}");
    }
    assert!(carried.said.contains("PATH="));
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_says_why() {
    let mut bench = bench().await;
    let carried = bench
        .does(&shell("echo well; echo no \u{1b}[31mroute >&2; exit 3"))
        .await;
    assert_eq!(
        fault(&carried).to_string(),
        "\"/bin/sh\" failed (exit status: 3): no \\u{1b}[31mroute"
    );
    assert!(
        !carried.is_undone && carried.said.contains("well"),
        "{carried:?}"
    );
    let carried = bench.does(&expects(shell("echo well"), "good")).await;
    assert_eq!(
        fault(&carried).to_string(),
        "\"/bin/sh\" did not print what was expected: well"
    );
    let carried = bench.does(&exec(&["./none.sh"])).await;
    assert!(carried.is_undone, "{carried:?}");
    assert!(
        fault(&carried)
            .to_string()
            .contains("\"./none.sh\" can't be started: ")
    );
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_prints_is_bounded_and_without_secrets() {
    let mut bench = bench().await;
    let much = format!("echo first {SECRET}; yes {ENABLE} | head -c 3000000; echo last");
    let carried = bench.does(&shell(&much)).await;
    good(&carried);
    let said = &carried.said;
    assert!(said.len() <= 64 * 1024, "{}", said.len());
    assert!(said.starts_with("first ********") && said.trim_end().ends_with("last"));
    assert!(said.contains("bytes …"));
    let all = format!("{carried:?}");
    assert!(!all.contains(SECRET) && !all.contains(ENABLE));
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_killed_with_its_children_at_the_deadline() {
    let mut bench = bench().await;
    let pipe = Pipe::in_folder(bench.folder.path());
    let late = bench.folder.path().join("late");
    let script = format!(
        "exec 3>{}; (sleep 60; echo late >&3; touch {}) & echo waits; sleep 60",
        pipe.path.display(),
        late.display()
    );
    let carried = bench.does(&briefly(shell(&script))).await;
    assert_eq!(
        fault(&carried).to_string(),
        "\"/bin/sh\" did not end within 500 ms, and was killed: waits"
    );
    assert!(!carried.is_undone);
    assert_eq!(pipe.said().await, "");
    assert!(!late.exists());
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_leaves_behind_ends_with_it_and_holds_nobody_up() {
    let mut bench = bench().await;
    let pipe = Pipe::in_folder(bench.folder.path());
    let script = format!(
        "exec 3>{}; (sleep 60; echo late >&3) & echo done",
        pipe.path.display()
    );
    let carried = bench.does(&shell(&script)).await;
    good(&carried);
    assert_eq!(carried.said.trim(), "done");
    assert_eq!(pipe.said().await, "");
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_ends_with_a_cancel() {
    let mut bench = bench().await;
    let pipe = Pipe::in_folder(bench.folder.path());
    let ready = bench.folder.path().join("ready");
    nix::unistd::mkfifo(&ready, Mode::S_IRWXU).unwrap();
    let script = format!(
        "exec 3>{}; (sleep 60; echo late >&3) & echo > {}; sleep 60",
        pipe.path.display(),
        ready.display()
    );
    let cancel = bench.cancel.clone();
    let waits = shell(&script);
    let (carried, ()) = tokio::join!(bench.does(&waits), async {
        let opened = tokio::task::spawn_blocking(|| std::fs::read(ready).unwrap());
        opened.await.unwrap();
        cancel.cancel();
    });
    assert_eq!(*fault(&carried), Fault::Cancelled);
    assert!(!carried.is_undone);
    assert_eq!(pipe.said().await, "");
    bench.lab.stop().await;
}

fn get(path: &str, to: &str) -> StepSpec {
    let (path, to) = (template(path), template(to));
    step(Deed::Get { path, to })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_device_is_kept_byte_for_byte_for_this_user_alone() {
    let mut bench = bench().await;
    let carried = bench
        .does(&get("{path}", "backup/{entity}-{run}.bin"))
        .await;
    good(&carried);
    assert_eq!(
        carried.what,
        "get \"/flash/image.bin\" to \"backup/e001-r7.bin\""
    );
    let file = bench.lab.file(DEVICE, "/flash/image.bin").unwrap();
    let digest: String = file
        .sha256()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        carried.said,
        format!("{} bytes, SHA-256 {digest}", file.size())
    );
    let folder = state(&bench).join("backup");
    let kept = folder.join("e001-r7.bin");
    assert!(std::fs::read(&kept).unwrap() == file.bytes());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(&folder)), (0o600, 0o700));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_outside_of_the_folder_nor_of_a_file_that_is_not_there() {
    let mut bench = bench().await;
    for to in ["../out", "a/../../out", "/tmp/out", "a/"] {
        let carried = bench.does(&get("{path}", to)).await;
        assert!(carried.is_undone, "{to}: {carried:?}");
        assert!(
            matches!(fault(&carried), Fault::Local(_)),
            "{to}: {carried:?}"
        );
    }
    bench.values.insert(Placeholder::Entity, "../../e1".into());
    let carried = bench.does(&get("{path}", "backup/{entity}.cfg")).await;
    assert!(carried.is_undone, "{carried:?}");
    let carried = bench.does(&get("/flash/none", "backup/none")).await;
    assert!(
        matches!(fault(&carried), Fault::NoFile { .. }),
        "{carried:?}"
    );
    assert!(!state(&bench).exists() && !bench.folder.path().join("out").exists());
    bench.lab.silence(DEVICE);
    let carried = bench.does(&briefly(get("{path}", "backup/late"))).await;
    let said = fault(&carried).to_string();
    assert!(said.contains("was not done within 500 ms"), "{said}");
    bench.lab.stop().await;
}
