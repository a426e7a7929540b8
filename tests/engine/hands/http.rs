//! Requests over HTTP: to a device of the lab, and to web servers that lie.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

use subtend::lab::Over;
use subtend::model::procedure::{Body, Method, Request, WebSpec};
use subtend::model::{Address, Scheme, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::*;

fn http(method: Method, path: &str, body: Option<&str>) -> StepSpec {
    let body = body.map(|text| Body::new(text, None).unwrap());
    let path = template(path);
    step(Deed::Http(Box::new(Request { method, path, body })))
}

fn get(path: &str) -> StepSpec {
    http(Method::Get, path, None)
}

fn post(path: &str, body: &str) -> StepSpec {
    http(Method::Post, path, Some(body))
}

/// What a web server does with each request, after it has read it.
#[derive(Clone, Copy)]
enum Does {
    Says(&'static str),
    /// Says this, then other bytes without end.
    Floods(&'static str, &'static str),
    /// Says this, and keeps the connection.
    Waits(&'static str),
    /// Says back what it was sent.
    Echoes,
}

/// A web server that does these things in order, the last one again and again.
struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    /// Bytes that it could send of a flood.
    flooded: Arc<Mutex<u64>>,
    _task: AbortOnDropHandle<()>,
}

impl Web {
    async fn that(does: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let flooded: Arc<Mutex<u64>> = Arc::default();
        let (requests, bytes) = (Arc::clone(&asked), Arc::clone(&flooded));
        let serve = async move {
            let mut number = 0;
            let mut kept = Vec::new();
            loop {
                let Ok((mut client, _)) = listener.accept().await else {
                    return;
                };
                // One that only knocks is no request.
                let Some(request) = received(&mut client).await else {
                    continue;
                };
                requests.lock().unwrap().push(request.clone());
                let does = does[number.min(does.len() - 1)];
                number += 1;
                let _ = match does {
                    Does::Says(text) => client.write_all(text.as_bytes()).await,
                    Does::Waits(text) => {
                        let said = client.write_all(text.as_bytes()).await;
                        kept.push(client);
                        said
                    }
                    Does::Echoes => {
                        let length = request.len();
                        let head = format!("HTTP/1.1 500 No\r\nContent-Length: {length}\r\n\r\n");
                        client.write_all((head + &request).as_bytes()).await
                    }
                    Does::Floods(text, piece) => {
                        let mut said = client.write_all(text.as_bytes()).await;
                        while said.is_ok() {
                            said = client.write_all(piece.as_bytes()).await;
                            *bytes.lock().unwrap() += piece.len() as u64;
                        }
                        said
                    }
                };
            }
        };
        Self {
            address,
            asked,
            flooded,
            _task: AbortOnDropHandle::new(tokio::spawn(serve)),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn received(client: &mut TcpStream) -> Option<String> {
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = client
            .read(&mut buffer)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        all.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&all).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(text);
        }
    }
}

impl Bench {
    /// A device whose web server is at this port, over this scheme.
    async fn with_web(cli: &str, scheme: Scheme, address: Option<SocketAddr>) -> Self {
        let mut bench = Self::without_session(cli).await;
        let address = address
            .or_else(|| bench.lab.command_line(DEVICE, Over::Http))
            .unwrap();
        let procedure = Procedure {
            web: Some(WebSpec {
                scheme,
                port: address.port(),
                credentials: Some("craft".into()),
                tls: Tls::default(),
            }),
            activate: vec![get("/")],
            ..(*bench.target.procedure).clone()
        };
        bench.target.procedure = Arc::new(procedure);
        bench.made_again();
        bench
    }

    fn made_again(&mut self) {
        let (transport, target) = (Arc::clone(&self.transport), self.target.clone());
        self.device = Device::new(transport, target, self.cancel.clone());
    }

    async fn before(web: &Web) -> Self {
        Self::with_web("{ site: RESET }", Scheme::Http, Some(web.address)).await
    }
}

fn shows_version() -> StepSpec {
    let shown = expects(get("/version"), r#""version":"(?<version>[^"]+)""#);
    is(shown, "version", "{version}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_asked_and_restarted_over_http() {
    let cli = format!("{{ http: 0, password: {SECRET}, boot_time: 1500ms }}");
    let mut bench = Bench::with_web(&cli, Scheme::Http, None).await;
    let differs = bench.does(&shows_version()).await;
    assert_eq!(differs.what, "http \"GET /version\"");
    assert!(differs.said.starts_with("200 OK\n{"), "{}", differs.said);
    let said = fault(&differs).to_string();
    assert_eq!(said, "the device says version `1`, and `2` was expected");
    assert!(!differs.is_undone && bench.open_sessions() == 0);

    let refused = bench.does(&post("/cli", "set boot /flash/none.bin")).await;
    let said = fault(&refused).to_string();
    assert_eq!(said, "the server said 400 Bad Request: ERROR: no such file");
    assert_eq!(refused.said, "400 Bad Request\nERROR: no such file\n");
    assert!(!refused.is_undone);
    let unexpected = bench.does(&expects(get("/version"), "Version")).await;
    let said = fault(&unexpected).to_string();
    assert!(
        said.starts_with("the device answered \"GET /version\" with: {"),
        "{said}"
    );

    bench.deliver().await;
    good(
        &bench
            .does(&expects(post("/cli", "set boot {path}"), "OK"))
            .await,
    );
    let restarts = post("/cli", "restart\ny\n");
    good(&bench.does_before_restart(&restarts).await);
    let (down, back) = (LONG, LONG);
    good(&bench.does(&step(Deed::Restart { down, back })).await);
    good(&bench.does(&shows_version()).await);
    let state = bench.lab.machine(DEVICE).unwrap();
    assert_eq!((state.version.as_str(), state.boots), ("2", 1));
    assert_eq!(bench.open_sessions(), 0);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_stay_values_and_the_address_of_the_entity_may_be_the_web_server() {
    let web = Web::that(&[Does::Says("HTTP/1.1 204 No Content\r\n\r\n")]).await;
    let mut bench = Bench::before(&web).await;
    let label = |name: &str| Placeholder::Label(name.into());
    bench.values.insert(label("site"), "nor\"th/1".into());
    bench.values.insert(label("bank"), "2".into());
    let body = r#"{"site": "{label.site}", "bank": {label.bank}, "more": {}}"#;
    let asked = bench.does(&post("/api/{label.site}?f={path}", body)).await;
    assert_eq!(good(&asked).len(), 0);
    assert_eq!(asked.said, "204 No Content");
    assert_eq!(
        asked.what,
        "http \"POST /api/nor%22th%2F1?f=/flash/image.bin\""
    );
    let mut entity = (*bench.target.entity).clone();
    entity.address = Address {
        scheme: Scheme::Http,
        host: "127.0.0.1".into(),
        port: web.address.port(),
    };
    entity.credentials = None;
    let mut procedure = (*bench.target.procedure).clone();
    procedure.web = None;
    bench.target.entity = Arc::new(entity);
    bench.target.procedure = Arc::new(procedure);
    bench.made_again();
    good(&bench.does(&http(Method::Delete, "/api/x", None)).await);
    let asked = web.asked();
    assert!(asked[0].starts_with("POST /api/nor%22th%2F1?f=/flash/image.bin HTTP/1.1\r\n"));
    assert!(
        asked[0].contains("Content-Type: application/json\r\n"),
        "{}",
        asked[0]
    );
    assert!(asked[0].contains("Authorization: Basic "), "{}", asked[0]);
    let body = r#"{"site": "nor\"th/1", "bank": 2, "more": {}}"#;
    assert!(
        asked[0].ends_with(&format!("\r\n\r\n{body}")),
        "{}",
        asked[0]
    );
    assert!(asked[1].starts_with("DELETE /api/x HTTP/1.1\r\n"));
    assert!(!asked[1].contains("Authorization"), "{}", asked[1]);
    // What would lead elsewhere, or is no number, is not sent.
    bench.values.insert(label("site"), "..".into());
    bench.values.insert(label("bank"), "A".into());
    for step in [
        get("/{label.site}/x"),
        post("/x", r#"{"bank": {label.bank}}"#),
        get("/{label.none}"),
    ] {
        let carried = bench.does(&step).await;
        assert!(carried.is_undone, "{carried:?}");
        assert!(matches!(fault(&carried), Fault::Local(_)), "{carried:?}");
    }
    assert_eq!(web.asked().len(), 2);
    bench.lab.stop().await;
}

/// What the cause of a step against a server is, and the step.
async fn lied(does: &'static [Does], step: StepSpec) -> (String, Carried, Web) {
    let web = Web::that(does).await;
    let mut bench = Bench::before(&web).await;
    let carried = bench.does(&step).await;
    assert_eq!(bench.open_sessions(), 0);
    assert!(carried.said.len() <= 64 * 1024);
    bench.lab.stop().await;
    let cause = carried
        .result
        .as_ref()
        .err()
        .map(|failure| failure.fault.to_string());
    assert!(!carried.is_undone || cause.is_none(), "{carried:?}");
    (cause.unwrap_or_default(), carried, web)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_success_is_the_no_of_the_device_in_its_own_words() {
    const PAGE: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 39\r\n\r\n<html><b>flash</b>\x1b[2J is busy</html>\r\n";
    let (cause, carried, _) = lied(&[Does::Says(PAGE)], post("/r", "x")).await;
    assert_eq!(
        cause,
        "the server said 500 Internal Server Error: flash \\u{1b}[2J is busy"
    );
    assert!(carried.said.contains("\\u{1b}") && !carried.said.contains('\u{1b}'));
    assert!(matches!(fault(&carried), Fault::Answer { .. }));

    const MOVED: &str =
        "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.9/login\r\nContent-Length: 0\r\n\r\n";
    let (cause, carried, web) = lied(&[Does::Says(MOVED)], get("/r")).await;
    assert_eq!(cause, "the server said 302 Found, to http://192.0.2.9");
    assert!(matches!(fault(&carried), Fault::Answer { .. }) && web.asked().len() == 1);

    // A refusal is one also where its text never ends.
    const SILENT: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\nwho?";
    let (cause, ..) = lied(&[Does::Waits(SILENT)], briefly(get("/r"))).await;
    assert_eq!(cause, "the server said 401 Unauthorized: who?");

    let (_, carried, web) = lied(&[Does::Echoes], post("/r", "x")).await;
    let all = format!("{carried:?}");
    // `craft:sesame-17` in base64.
    assert!(web.asked()[0].contains("Y3JhZnQ6c2VzYW1lLTE3"));
    assert!(
        all.contains("********") && !all.contains("c2VzYW1lLTE3"),
        "{all}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_too_much_is_not_listened_to_for_ever() {
    static PIECE: [u8; 65536] = [b'x'; 65536];
    let piece = std::str::from_utf8(&PIECE).unwrap();
    let endless = Does::Floods("HTTP/1.1 200 OK\r\n\r\nready ", piece);
    let does: &'static [Does] = Box::leak(Box::new([endless]));
    let (cause, carried, web) = lied(does, expects(get("/"), "^ready x")).await;
    assert_eq!(cause, "");
    assert!(carried.said.ends_with("… the rest was not read"));
    assert!(
        *web.flooded.lock().unwrap() < 32 << 20,
        "only what buffers on the way hold"
    );
    let (cause, ..) = lied(does, expects(get("/"), "done")).await;
    assert!(
        cause.starts_with("the device answered \"GET /\" with: ready xxx"),
        "{cause}"
    );

    let heads = Does::Floods(
        "HTTP/1.1 200 OK\r\n",
        "X-More: and more and more and more\r\n",
    );
    let does: &'static [Does] = Box::leak(Box::new([heads]));
    let (cause, carried, web) = lied(does, get("/")).await;
    assert!(matches!(fault(&carried), Fault::Lost { .. }), "{cause}");
    assert!(*web.flooded.lock().unwrap() < 32 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_too_little_leaves_open_what_was_done() {
    let (cause, ..) = lied(&[Does::Waits("")], briefly(post("/r", "x"))).await;
    assert_eq!(cause, "no reply to \"POST /r\" within 500 ms");
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nwait";
    let does: &'static [Does] = Box::leak(Box::new([Does::Waits(begun)]));
    let (cause, carried, _) = lied(does, briefly(get("/"))).await;
    assert_eq!(cause, "the rest of the answer was not done within 500 ms");
    assert_eq!(carried.said, "200 OK\nwait");
    let does: &'static [Does] = Box::leak(Box::new([Does::Says(begun)]));
    let (cause, carried, _) = lied(does, get("/")).await;
    assert!(matches!(fault(&carried), Fault::Lost { .. }), "{cause}");
    let (cause, carried, _) = lied(&[Does::Says("")], post("/r", "x")).await;
    assert!(matches!(fault(&carried), Fault::Lost { .. }), "{cause}");
    let (cause, carried, _) = lied(&[Does::Says("SSH-2.0-x\r\n")], post("/r", "x")).await;
    assert!(matches!(fault(&carried), Fault::Lost { .. }), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_on_the_way_down_is_none_before_a_restart() {
    for does in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbye"] {
        let does: &'static [Does] = Box::leak(Box::new([Does::Says(does)]));
        let web = Web::that(does).await;
        let mut bench = Bench::before(&web).await;
        good(&bench.does_before_restart(&post("/r", "x")).await);
        // That it has gone is not said by that.
        let (down, back) = (2 * BRIEF, LONG);
        let carried = bench.does(&step(Deed::Restart { down, back })).await;
        assert!(
            matches!(fault(&carried), Fault::StaysUp { .. }),
            "{carried:?}"
        );
        bench.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_question_is_asked_again_where_the_device_is_starting() {
    const STARTING: Does = Does::Says("HTTP/1.1 503 Starting\r\nContent-Length: 0\r\n\r\n");
    const READY: Does = Does::Says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let question = || StepSpec {
        safe: true,
        ..get("/")
    };
    let (cause, _, web) = lied(&[STARTING, STARTING, READY], question()).await;
    assert_eq!((&*cause, web.asked().len()), ("", 3));
    let (cause, _, web) = lied(&[STARTING], briefly(question())).await;
    assert_eq!(cause, "the server said 503 Service Unavailable");
    assert!(web.asked().len() <= 2);
    // Many a device is restarted by a `GET`.
    for order in [post("/r", "x"), get("/reboot")] {
        let (cause, _, web) = lied(&[STARTING, READY], order).await;
        assert_eq!(cause, "the server said 503 Service Unavailable");
        assert_eq!(web.asked().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_connected_has_asked_nothing_and_cancel_is_prompt() {
    let mut bench = Bench::with_web("{ http: 0 }", Scheme::Http, None).await;
    bench.lab.kill(DEVICE).await;
    let carried = bench.does(&briefly(post("/cli", "restart"))).await;
    assert!(carried.is_undone, "{carried:?}");
    assert!(
        matches!(fault(&carried), Fault::Refused { .. }),
        "{carried:?}"
    );
    bench.lab.stop().await;

    let web = Web::that(&[Does::Waits("")]).await;
    let mut bench = Bench::with_web("{ http: 0 }", Scheme::Https, Some(web.address)).await;
    let mut entity = (*bench.target.entity).clone();
    entity.timeouts.reply = BRIEF;
    bench.target.entity = Arc::new(entity);
    bench.made_again();
    // Nobody shakes hands.
    let carried = bench.does(&briefly(post("/cli", "restart"))).await;
    assert!(carried.is_undone, "{carried:?}");
    bench.lab.stop().await;

    let mut bench = Bench::before(&web).await;
    let (cancel, begun) = (bench.cancel.clone(), Instant::now());
    let silent = post("/r", "x");
    let until_asked = async {
        while web.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (carried, ()) = tokio::join!(bench.does(&silent), until_asked);
    assert_eq!(*fault(&carried), Fault::Cancelled);
    assert!(!carried.is_undone && begun.elapsed() < LONG / 4);
    assert_eq!(bench.open_sessions(), 0);
    bench.lab.stop().await;
}
