//! Devices that a run brought an image to, and that boot it by their own command line: each family that the lab
//! knows, over telnet and SSH.

use std::sync::Arc;

use regex::Regex;
use secrecy::SecretString;
use subtend::lab::{Lab, Over};
use subtend::model::procedure::Way;
use subtend::model::{Address, HostTrust, Login, Outcome, Scheme, Ssh, Timeouts};
use subtend::procedure::session::{self, Ended, Expectation, Output, Session, Typed};
use subtend::transport::{AnyTransport, Endpoint};
use tokio_util::sync::CancellationToken;

use crate::support::run::Run;
use crate::support::{GROUP, LONG, behave, does, lab, network, within};

/// What is typed on a device of one family.
struct Family {
    dialect: &'static str,
    prompt: &'static str,
    enables: bool,
    /// Lines, what their answers must hold, and what is typed at a question.
    boots: &'static [(&'static str, &'static str, &'static str)],
    version: (&'static str, &'static str),
}

const FAMILIES: [Family; 5] = [
    Family {
        dialect: "banks",
        prompt: "> $",
        enables: false,
        boots: &[("set boot image.bin", "OK", ""), ("restart", "", "y")],
        version: ("show version", r"Version (?<version>\S+)"),
    },
    Family {
        dialect: "ios",
        prompt: "[>#] ?$",
        enables: true,
        boots: &[
            ("configure terminal", "", ""),
            ("boot system flash:image.bin", "", ""),
            ("end", "", ""),
            ("write memory", r"\[OK\]", ""),
            ("reload", "", ""),
        ],
        version: ("show version", r"Version (?<version>[^,\s]+)"),
    },
    Family {
        dialect: "junos",
        prompt: "> $",
        enables: false,
        boots: &[
            (
                "request system software add /flash/image.bin no-copy",
                "A reboot is required",
                "",
            ),
            ("request system reboot", "", "yes"),
        ],
        version: ("show version", r"Junos: (?<version>\S+)"),
    },
    Family {
        dialect: "mikrotik",
        prompt: r"\] > $",
        enables: false,
        boots: &[("/system reboot", "", "y")],
        version: ("/system resource print", r"version: (?<version>\S+)"),
    },
    Family {
        dialect: "openwrt",
        prompt: ":~# $",
        enables: false,
        boots: &[("sysupgrade /flash/image.bin", "", "")],
        version: (
            "cat /etc/openwrt_release",
            "DISTRIB_RELEASE='(?<version>[^']+)'",
        ),
    },
];

fn endpoint(lab: &Lab, over: Over) -> Endpoint {
    let address = lab.command_line("e001", over).unwrap();
    let key = lab.served().iter().find_map(|served| served.host_key);
    Endpoint {
        address: Address {
            scheme: Scheme::Sftp,
            host: address.ip().to_string(),
            port: address.port(),
        },
        login: Arc::new(Login::with_password("craft", "sesame")),
        timeouts: Timeouts {
            reply: LONG,
            ..Timeouts::default()
        },
        tls: subtend::model::Tls::default(),
        ssh: Ssh {
            trust: key.map_or(HostTrust::Unset, |key| HostTrust::Key([key].into())),
            legacy: false,
        },
        dialect: subtend::model::Dialect::default(),
        http: subtend::model::Http::default(),
    }
}

async fn open(lab: &Lab, over: Over, family: &Family) -> Session {
    let (endpoint, prompt) = (endpoint(lab, over), Regex::new(family.prompt).unwrap());
    let (transport, cancel) = (AnyTransport::default(), CancellationToken::new());
    let way = match over {
        Over::Telnet => Way::Telnet,
        Over::Ssh => Way::Ssh,
        Over::Http => panic!("no session is opened there"),
    };
    let session = session::open(&transport, way, &endpoint, &prompt, &cancel).await;
    session.unwrap()
}

async fn run(session: &mut Session, line: &str, expect: &str, answer: &str) -> Output {
    let answers = [(
        Regex::new(r"(\[confirm\]|\(y/n\)|\(no\)|\[y/N\]:) ?$").unwrap(),
        Typed::Line(answer.to_owned()),
    )];
    let expect = Regex::new(expect).unwrap();
    let expectation = Expectation {
        expect: Some(&expect),
        answers: &answers,
    };
    let output = session.run(line, expectation, LONG).await;
    output.unwrap_or_else(|failure| panic!("{line}: {failure}"))
}

async fn version(lab: &Lab, over: Over, family: &Family) -> String {
    let mut session = open(lab, over, family).await;
    let (line, expect) = family.version;
    let output = run(&mut session, line, expect, "").await;
    session.close().await;
    output.groups[0].1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_delivered_is_booted_by_the_command_line_of_each_family() {
    for family in &FAMILIES {
        for (over, door) in [(Over::Telnet, "telnet"), (Over::Ssh, "ssh")] {
            let what = (family.dialect, door);
            let (inventory, mut settings) = network(1, 100_000);
            let cli = format!("{{ cli: {{ {door}: 0, dialect: {} }} }}", family.dialect);
            behave(&mut settings, "e001", does(&cli));
            let lab = lab(&inventory, &settings).await;
            assert_eq!(version(&lab, over, family).await, "1", "{what:?}");
            let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
            assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
            // A file in flash is no upgrade.
            assert_eq!(version(&lab, over, family).await, "1", "{what:?}");

            let mut session = open(&lab, over, family).await;
            if family.enables {
                run(&mut session, "enable", "Password: ?$", "").await;
                let expectation = Expectation::default();
                let secret = SecretString::from("any");
                let entered = session.run_secret(&secret, expectation, LONG).await;
                assert_eq!(entered.unwrap().ended, Ended::Prompt);
            }
            let mut last = None;
            for (line, expect, answer) in family.boots {
                last = Some(run(&mut session, line, expect, answer).await.ended);
            }
            assert_eq!(last, Some(Ended::Closed), "{what:?}");
            session.close().await;
            within(LONG, lab.until_booted("e001", 1)).await;
            within(LONG, lab.until_serving("e001")).await;

            assert_eq!(version(&lab, over, family).await, "2", "{what:?}");
            let state = lab.machine("e001").unwrap();
            assert!(state.holds_bootable_image && state.boots == 1, "{state:?}");
            for (command, times) in &state.ran {
                assert_eq!(*times, 1, "{what:?} {command}");
            }
            lab.stop().await;
        }
    }
}
