//! `http` steps, and where they go.

use super::{ENTITIES, PROCEDURE, SITE, card, read, told};
use crate::model::procedure::{Deed, Method, Request, Way};
use crate::model::{Scheme, Trust};

/// The procedure with these steps and this session in place of its own.
fn with(session: &str, steps: &[&str]) -> String {
    let (before, after) = PROCEDURE.split_once("      - { site:").unwrap();
    let steps: String = steps
        .iter()
        .map(|step| format!("      - {step}\n"))
        .collect();
    let text = format!("{before}{steps}      - {{ site:{after}");
    text.replace("{ ssh: 2222, credentials: craft }", session)
}

const BOTH: &str = "{ ssh: 2222, http: 8080, credentials: craft }";

#[test]
fn a_request_is_read_with_its_method_and_body() {
    let steps = [
        "{ http: /api/version, safe: true, expect: '\"v\": *\"(?<v>[^\"]+)\"', is: \"{version}\" }",
        "{ http: \"POST /api/reboot?slot={label.bank}\", body: '{\"file\": \"{path}\"}', within: 9s }",
        "{ http: \"PUT /x\", body: \"a=1\", content_type: application/x-www-form-urlencoded }",
        "{ http: \"DELETE /x\" }",
    ];
    let inventory = read(&[SITE, &with(BOTH, &steps), ENTITIES]);
    let procedure = card(&inventory);
    let requests = procedure
        .activate
        .iter()
        .filter_map(|step| match &step.deed {
            Deed::Http(request) => Some((&**request, step)),
            _ => None,
        });
    let requests: Vec<(&Request, _)> = requests.collect();
    let methods: Vec<Method> = requests.iter().map(|(request, _)| request.method).collect();
    assert_eq!(
        methods,
        [Method::Get, Method::Post, Method::Put, Method::Delete]
    );
    let body = |number: usize| {
        let body = requests[number].0.body.as_ref();
        body.map(|body| (body.text.as_str(), body.content_type.as_str()))
    };
    assert_eq!(body(0), None);
    assert_eq!(
        body(1),
        Some(("{\"file\": \"{path}\"}", "application/json"))
    );
    assert_eq!(body(2), Some(("a=1", "application/x-www-form-urlencoded")));
    assert_eq!(requests[1].0.path.as_str(), "/api/reboot?slot={label.bank}");
    let (first, second) = (requests[0].1, requests[1].1);
    assert!(first.safe && first.expect.is_some() && !second.safe);
    assert_eq!((first.within.as_secs(), second.within.as_secs()), (30, 9));
    let web = procedure.web.as_ref().unwrap();
    assert_eq!((web.scheme, web.port), (Scheme::Http, 8080));
    assert_eq!(web.credentials.as_deref(), Some("craft"));
    let line = procedure.session.as_ref().unwrap();
    assert_eq!((line.way, line.port), (Way::Ssh, 2222));
    assert!(
        procedure
            .in_words()
            .contains("over http, port 8080, passwords in CLEAR TEXT")
    );
    assert_eq!(procedure.is_clear_text(), Some(true));
}

#[test]
fn a_web_server_is_that_of_the_session_or_the_address() {
    let pin = "AB".repeat(32);
    let only = format!("{{ https: 443, tls: {{ fingerprint: \"{pin}\" }}, credentials: web }}");
    let line = "    check: [ { http: /v, expect: '(?<version>.+)', is: \"{version}\" } ]\n";
    let text = format!(
        "types: {{ adsl: {{ procedure: card }} }}\nprocedures:\n  card:\n    session: {only}\n    \
         activate: [ {{ http: \"POST /reload\" }}, {{ restart: true }} ]\n{line}"
    );
    let inventory = read(&[SITE, &text, ENTITIES]);
    let procedure = card(&inventory);
    assert_eq!(procedure.session, None);
    let web = procedure.web.as_ref().unwrap();
    assert_eq!((web.scheme, web.port), (Scheme::Https, 443));
    assert!(matches!(web.tls.trust, Trust::Pinned(_)));
    assert_eq!(procedure.is_clear_text(), Some(false));

    let none = text.replace(&format!("    session: {only}\n"), "");
    let by_http = ENTITIES.replace("address: \"192", "upload: put, address: \"http://192");
    let inventory = read(&[SITE, &none, &by_http]);
    assert_eq!(card(&inventory).web, None);
    let said = told(&[SITE, &none, ENTITIES]);
    assert!(
        said.iter().all(|one| one.contains(
            "where `http` goes is not known: `s1-1` and `s1-2` can only be reached over FTP"
        )),
        "{said:#?}"
    );
    // Without credentials of its own the session takes those of the entities, which must be fit for it.
    let own = text.replace(", credentials: web", "");
    read(&[SITE, &own, ENTITIES]);
    let by_agent = ENTITIES
        .replace("\"192.0.2.[21-22]\"", "\"sftp://192.0.2.[21-22]\"")
        .replace("credentials: craft", "credentials: noc");
    let said = told(&[SITE, &own, &by_agent]);
    assert!(
        said.len() == 1 && said[0].contains("`agent`, and a web server does not take that"),
        "{said:#?}"
    );
    let sends = text.replace("{ restart: true }", "{ send: reload }");
    let said = told(&[SITE, &sends, ENTITIES]);
    assert!(
        said.len() == 1 && said[0].contains("`session` names no command line"),
        "{said:#?}"
    );
}

#[test]
fn a_request_that_can_not_be_is_refused_with_what_to_write() {
    for (step, why) in [
        (
            "{ http: api/reload }",
            "`api/reload` does not begin with `/`",
        ),
        (
            "{ http: \"http://192.0.2.1/x\" }",
            "does not begin with `/`",
        ),
        ("{ http: \"POST\" }", "`POST` does not begin with `/`"),
        ("{ http: \"POST api\" }", "`api` does not begin with `/`"),
        ("{ http: \"post /api\" }", "did you mean `POST`?"),
        ("{ http: \"BREW /api\" }", "unknown method `BREW`"),
        ("{ http: \"HEAD /api\" }", "unknown method `HEAD`"),
        ("{ http: \"/a/../b\" }", "has `.` or `..` in it"),
        ("{ http: \"/a/%2e%2E/b\" }", "has `.` or `..` in it"),
        ("{ http: \"/a#b\" }", "has a `#`"),
        ("{ http: \"/a\\nb\" }", "control character"),
        ("{ http: \"/{pth}\" }", "did you mean `path`?"),
        ("{ http: \"\" }", "`http` is empty"),
        ("{ http: [/a] }", "`http` must be text"),
        ("{ http: /a, body: x }", "`body` beside `GET`"),
        ("{ http: \"GET /a\", body: x }", "`body` beside `GET`"),
        (
            "{ http: \"POST /a\", body: { bank: 2 } }",
            "`body` must be text, and this is a mapping",
        ),
        (
            "{ http: \"POST /a\", body: '{\"a\": \"{pth}\"}' }",
            "did you mean `path`?",
        ),
        (
            "{ http: \"POST /a\", body: \"a\\u0007\" }",
            "`body` holds a control character",
        ),
        (
            "{ http: \"POST /a\", body: \"{a: 1}\", content_type: application/json }",
            "`body` is not JSON",
        ),
        (
            "{ http: \"POST /a\", body: x, content_type: json }",
            "`json` is not a content type",
        ),
        (
            "{ http: \"POST /a\", body: x, content_type: \"a/b\\r\\nX: y\" }",
            "control character",
        ),
        (
            "{ http: \"POST /a\", content_type: text/xml }",
            "`content_type` without `body`",
        ),
        (
            "{ http: /a, answers: [] }",
            "`answers` means nothing beside `http`",
        ),
        ("{ http: /a, send: b }", "both `send` and `http`"),
        ("{ send: a, body: b }", "`body` means nothing beside `send`"),
        ("{ http: /a, is: x }", "`is` without `expect`"),
        (
            "{ http: \"/{label.shelf}\" }",
            "`{label.shelf}` has no value for `s1-1` and `s1-2`",
        ),
        (
            "{ http: \"POST /a\", body: '{\"a\": \"{label.shelf}\"}' }",
            "`{label.shelf}` has no value",
        ),
    ] {
        let said = told(&[SITE, &with(BOTH, &[step]), ENTITIES]);
        assert!(
            said.len() == 1 && said[0].contains(why),
            "{step}: {said:#?}"
        );
        assert!(said[0].starts_with("25:"), "{step}: {said:#?}");
    }
    for (session, why) in [
        (
            "{ ssh: 22, http: 0, credentials: craft }",
            "`0` is not the port of a web server",
        ),
        (
            "{ ssh: 22, http: 80, https: 443, credentials: craft }",
            "both `http` and `https`",
        ),
        (
            "{ ssh: 22, http: 80, tls: { ca: x }, credentials: craft }",
            "`tls` stands beside `http`",
        ),
        (
            "{ ssh: 22, http: 80, credentials: noc }",
            "a web server does not take that",
        ),
        (
            "{ ssh: 22, htps: 443, credentials: craft }",
            "did you mean `https`?",
        ),
        (
            "{ ssh: 22, credentials: craft }",
            "where `http` goes is not known",
        ),
    ] {
        let said = told(&[SITE, &with(session, &["{ http: /a }"]), ENTITIES]);
        assert!(
            said.len() == 1 && said[0].contains(why),
            "{session}: {said:#?}"
        );
    }
    let said = told(&[SITE, &with("{ http: 80, prompt: '> $' }", &[]), ENTITIES]).join("\n");
    assert!(
        said.contains("`prompt` stands in a session without a command line"),
        "{said}"
    );
    let said = told(&[
        SITE,
        &with("{ ssh: 22, tls: { ca: x }, credentials: craft }", &[]),
        ENTITIES,
    ]);
    assert!(
        said.len() == 1 && said[0].contains("`tls` stands in a session without `https`"),
        "{said:#?}"
    );
}
