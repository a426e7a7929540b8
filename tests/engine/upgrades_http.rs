//! Devices that get their image over FTP and are made to run it over their web interface alone.

use std::fmt::Write;

use subtend::lab::Lab;
use subtend::model::{EntityState, Outcome};

use crate::support::run::{Run, entity};
use crate::support::upgrades::{assert_sound, logins, serve};

const ASKED: &str =
    r#"{ http: /version, expect: '"version":"(?<version>[^"]+)"', safe: true, within: 20s"#;

/// As many devices, of which these lines say what they do besides.
async fn web(devices: usize, behaviour: &str) -> Lab {
    let mut text = String::new();
    let restarts = r#"      - { http: "POST /cli", body: "restart\ny\n", within: 20s }
      - { restart: true, down: 20s, back: 60s }"#;
    write!(
        text,
        r#"
memory: 4 MiB
buffer_size: 64 KiB
credentials: {{ craft: {{ user: craft, password: {{ command: [echo, sesame] }} }} }}
defaults: {{ credentials: craft, path: /flash/image.bin, timeouts: {{ reply: 30s }} }}
file_servers: {{ hq: {{ url: "ftp://127.0.0.1/" }} }}
images: {{ web-2: {{ file: web-2.bin, type: web, version: "2" }} }}
types: {{ web: {{ procedure: over-http }} }}
procedures:
  over-http:
    session: {{ http: 80 }}
    before: [ {ASKED}, is: "{{previous}}" }} ]
    activate:
      - {{ http: "POST /cli", body: "set boot {{path}}", expect: OK }}
{restarts}
    check: [ {ASKED}, is: "{{version}}" }} ]
    undo:
      - {{ http: "POST /cli", body: boot bank 1, expect: OK }}
{restarts}
entities:
  - {{ name: "w[1-{devices}]", type: web, version: "1", address: "127.0.1.[1-{devices}]" }}
groups: {{ web: {{ select: {{ type: web }}, image: web-2, source: {{ file_server: hq }}, activate: now }} }}
x-lab:
  images: {{ web-2: {{ size: 200000 B }} }}
  entities:
    "w*": {{ cli: {{ http: 0, password: sesame, boot_time: 1500ms }} }}
{behaviour}"#
    )
    .unwrap();
    serve(&text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_upgraded_over_http_alone_and_those_that_do_not_boot_it_are_put_back() {
    let bad = "    w2: { cli: { boot_fails: true } }\n    w3: { cli: { error_on: set boot } }\n";
    let lab = web(4, bad).await;
    let run = Run::with_logins(lab.inventory(), logins());
    run.begin(&["web"]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Partial, "{summary:#?}");
    for name in ["w1", "w4"] {
        let said = entity(&summary, name);
        assert_eq!(said.state, EntityState::Upgraded, "{said:?}");
        assert_eq!(said.runs.as_deref(), Some("2"));
        let state = lab.machine(name).unwrap();
        assert_eq!((&*state.version, state.boots), ("2", 1), "{name}");
    }
    let said = entity(&summary, "w2");
    assert_eq!(said.state, EntityState::RolledBack, "{said:?}");
    let cause = said.cause.as_deref().unwrap();
    assert!(
        cause.contains("check, step 1 of 1 (http \"GET /version\"): "),
        "{cause}"
    );
    assert_eq!(lab.machine("w2").unwrap().boots, 2);
    let said = entity(&summary, "w3");
    assert_eq!(said.state, EntityState::RolledBack, "{said:?}");
    let cause = said.cause.as_deref().unwrap();
    assert!(
        cause.starts_with(
            "activate, step 1 of 3 (http \"POST /cli\"): the server said 400 Bad Request"
        ),
        "{cause}"
    );
    assert_sound(&lab);
    lab.stop().await;
}
