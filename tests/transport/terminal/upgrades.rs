//! The ready procedure for routers, carried out through real servers from one version to the next, and back from an
//! image that does not boot.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use subtend::inventory;
use subtend::model::{EntityState, Login, Logins};
use subtend::procedure::{
    Arrived, Device, Hands, Ledger, StepBegins, StepEnded, Target, Verdict, Way, values,
};
use subtend::protocol::EntitySummary;
use subtend::transport::AnyTransport;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::router::{ENABLE, Router};
use crate::support::real::{
    BUSYBOX_TELNETD, DROPBEAR, INETUTILS_TELNETD, Make, OPENSSH, PASSWORD, PYFTPDLIB, RealServer,
    require_or_skip,
};
use crate::support::run::{Run, entity};
use crate::support::{LONG, within};

const FILE: &str = "image-2.bin";

/// An inventory with the router, and the procedure as it is given to operators; `pages`: without the lines that
/// switch paging off; `ftp`: where files come from and go to.
fn site(router: &Router, pages: bool, ftp: [&str; 2]) -> String {
    let [source, flash] = ftp;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/procedures/cisco-ios.yaml");
    let fragment = std::fs::read_to_string(file).unwrap();
    let session = match &router.host_key {
        Some(key) => format!("{{ ssh: 22, host_key: \"{key}\" }}"),
        None => "{ telnet: 23 }".to_owned(),
    };
    let fragment = fragment.replace("{ ssh: 22 }", &session);
    let lines = fragment.lines();
    let lines: Vec<_> = lines
        .filter(|line| !pages || !line.contains("terminal length"))
        .collect();
    format!(
        r#"
memory: 4 MiB
credentials:
  craft: {{ user: craft, password: {{ env: SUBTEND_CRAFT }} }}
  enable: {{ user: enable, password: {{ env: SUBTEND_ENABLE }} }}
defaults: {{ credentials: craft, staging: direct, timeouts: {{ reply: 30s }} }}
file_servers: {{ hq: {{ url: "ftp://{source}/", credentials: craft }} }}
images: {{ new: {{ file: new.bin, type: cisco-ios, version: "2" }} }}
entities:
  - name: r1
    type: cisco-ios
    version: "1"
    address: "ftp://{flash}"
    session: ":{}"
    path: "flash:/{FILE}"
    labels: {{ fallback: "flash:/image-1.bin" }}
groups: {{ all: {{ entities: [r1], image: new, source: {{ file_server: hq }}, activate: now }} }}
{}
"#,
        router.port,
        lines.join("\n")
    )
}

fn logins() -> Logins {
    let mut logins = Logins::default();
    logins.insert("craft".into(), Login::with_password("craft", PASSWORD));
    logins.insert("enable".into(), Login::with_password("enable", ENABLE));
    logins
}

/// Everything that is written down.
#[derive(Debug, Default)]
struct Transcript(Mutex<String>);

impl Transcript {
    fn add(&self, text: &str) {
        let mut all = self.0.lock().unwrap();
        all.push_str(text);
        all.push('\n');
    }
}

#[async_trait]
impl Ledger for Transcript {
    async fn begins(&self, step: StepBegins) {
        self.add(&format!(
            "{} {} {}",
            step.part.word(),
            step.number,
            step.what
        ));
    }

    fn ended(&self, step: StepEnded) {
        self.add(&step.told());
        // With what was found in it.
        self.add(&format!("{:?}", step.result));
    }
}

/// The whole way, with this as the image; and what was written down of it.
async fn upgraded(router: &Router, image: &str, pages: bool) -> (Arrived, String) {
    let read = inventory::parse(
        &site(router, pages, ["127.0.0.1"; 2]),
        Path::new("site.yaml"),
    );
    let inventory = read.unwrap_or_else(|errors| panic!("{errors}"));
    let entity = &inventory.entities[0];
    let procedure = inventory.procedure("cisco-ios").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = Target {
        entity: Arc::clone(entity),
        procedure: Arc::clone(procedure),
        logins: Arc::new(logins()),
        keep: folder.path().to_owned(),
        folder: folder.path().to_owned(),
        sessions: Arc::new(Semaphore::new(1)),
    };
    let (cancel, transcript) = (CancellationToken::new(), Transcript::default());
    let mut device = Device::new(Arc::new(AnyTransport::default()), target, cancel.clone());
    let way = Way {
        entity: &entity.name,
        procedure,
        values: &values(entity, &inventory.images[0], "r7"),
        ledger: &transcript,
        cancel: &cancel,
    };
    let before = within(LONG, way.before(&mut device, &[], |_| Ok(()), |_| {})).await;
    before.unwrap_or_else(|failure| panic!("{failure}: {transcript:?}"));
    router.has(FILE, image);
    let activating = way.activate(&mut device, &[], false, |_| {});
    let arrived = within(LONG, activating).await;
    within(LONG, device.close()).await;
    let written = transcript.0.into_inner().unwrap();
    (arrived, written)
}

/// From version 1 to 2, through pages and with a device that shows what is typed.
async fn is_upgraded(make: &'static dyn Make, asks: bool) {
    let router = Router::start(make, asks);
    router.echoes();
    let (arrived, written) = upgraded(&router, "version 2\n", true).await;
    assert_eq!(arrived.verdict, Verdict::Upgraded, "{arrived:?} {written}");
    assert_eq!(arrived.runs.as_deref(), Some("2"), "{written}");
    assert_eq!(arrived.failures, [], "{written}");
    assert_eq!(router.version(), "2");
    let image = "boot system flash:/image-2.bin";
    let fallback = "boot system flash:/image-1.bin";
    assert_eq!(router.saved(), format!("{image}\n{fallback}\n"));
    // Each once, and the pages were there.
    for line in [image, fallback, "write memory", "reload", "boot"] {
        assert_eq!(router.count(line), 1, "{line}: {written}");
    }
    assert!(router.count("more") >= 4, "{}", router.count("more"));
    assert!(!written.contains("More"), "{written}");
    assert!(
        written.contains("Configuration register is 0xF"),
        "{written}"
    );
    is_without_passwords(&arrived, &written);
    assert!(written.contains("********"), "{written}");
}

/// The new image does not boot, and the router goes on with the old one.
async fn is_rolled_back(make: &'static dyn Make, asks: bool) {
    let router = Router::start(make, asks);
    let (arrived, written) = upgraded(&router, "scrap\n", false).await;
    assert_eq!(
        arrived.verdict,
        Verdict::RolledBack,
        "{arrived:?} {written}"
    );
    assert_eq!(arrived.runs.as_deref(), Some("1"), "{written}");
    let cause = arrived.cause().unwrap();
    let says = "the device says version `1`, and `2` was expected";
    assert!(cause.starts_with("check, step 2 of 2"), "{cause}");
    assert!(cause.contains(says), "{cause}");
    assert_eq!((&*router.version(), router.count("boot")), ("1", 2));
    assert_eq!(router.saved(), "boot system flash:/image-1.bin\n");
    assert_eq!(router.count("boot system flash:/image-2.bin"), 1);
    assert_eq!(router.count("more"), 0);
    is_without_passwords(&arrived, &written);
}

fn is_without_passwords(arrived: &Arrived, written: &str) {
    for text in [&format!("{arrived:?}"), written] {
        assert!(!text.contains(PASSWORD) && !text.contains(ENABLE), "{text}");
    }
}

/// Both, at the same time: most of it is waiting.
async fn goes_both_ways(make: &'static dyn Make, asks: bool) {
    if require_or_skip(make) {
        tokio::join!(is_upgraded(make, asks), is_rolled_back(make, asks));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_openssh() {
    goes_both_ways(&OPENSSH, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_dropbear() {
    goes_both_ways(&DROPBEAR, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_telnetd_of_inetutils() {
    goes_both_ways(&INETUTILS_TELNETD, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_telnetd_of_busybox() {
    goes_both_ways(&BUSYBOX_TELNETD, true).await;
}

/// By the engine: the image comes from a real server for FTP, and goes through another one to the flash of the router.
async fn is_run(image: &str) -> (EntitySummary, Router) {
    let start = || RealServer::start(&PYFTPDLIB);
    let (source, flash) = (start(), start());
    let image = format!("{image}\n{}", "of the maker\n".repeat(20_000));
    source.put("new.bin", image.as_bytes());
    flash.put_folder("flash:");
    let router = Router::with(
        &BUSYBOX_TELNETD,
        true,
        Some(&flash.dir().join("files/flash:")),
    );
    let ftp = [&source, &flash].map(|server| server.address.to_string());
    let text = site(&router, false, [&ftp[0], &ftp[1]]);
    let read = inventory::parse(&text, Path::new("site.yaml"));
    let inventory = read.unwrap_or_else(|errors| panic!("{errors}"));
    let run = Run::with_logins(&inventory, logins());
    run.begin(&["all"]).await;
    let (summary, _) = run.finish_within(2 * LONG).await;
    let size = image.len() as u64;
    assert_eq!(summary.groups[0].source_bytes, size, "{summary:?}");
    assert!(flash.file("flash:/image-2.bin").unwrap() == image.as_bytes());
    (entity(&summary, "r1").clone(), router)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_delivers_the_image_over_ftp_and_has_it_booted_over_telnet() {
    if !require_or_skip(&PYFTPDLIB) || !require_or_skip(&BUSYBOX_TELNETD) {
        return;
    }
    let (good, bad) = tokio::join!(is_run("version 2"), is_run("scrap"));
    let (said, router) = good;
    assert_eq!(said.state, EntityState::Upgraded, "{said:?}");
    assert_eq!(said.runs.as_deref(), Some("2"), "{said:?}");
    assert_eq!((&*router.version(), router.count("reload")), ("2", 1));
    let (said, router) = bad;
    assert_eq!(said.state, EntityState::RolledBack, "{said:?}");
    assert_eq!(said.runs.as_deref(), Some("1"), "{said:?}");
    assert_eq!((&*router.version(), router.count("reload")), ("1", 2));
}
