//! The command line over HTTP, as devices have it whose pages send commands: `POST /cli` with a command, and behind it
//! what is typed at its questions, each on a line; `GET /version` is JSON.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;

use super::dialect::Mode;
use super::shell::Step;
use super::terminal::Terminal;
use super::{busy, let_in, shell};
use crate::lab::server::Server;

/// Bytes of a request, and of what is shown: a command that shows more is never answered.
const MOST: usize = 64 * 1024;

type Answer = (StatusCode, &'static str, String);

/// One connection, until either side closes it.
pub(super) async fn session(server: &Arc<Server>, client: &mut TcpStream) -> io::Result<Step> {
    let restarts = AtomicBool::new(false);
    let service = service_fn(|request| async {
        let (status, kind, text) = answered(server, request, &restarts).await;
        let mut response = Response::new(text);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if status == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Basic realm=\"subtend lab\"");
            headers.insert(WWW_AUTHENTICATE, ask);
        }
        if restarts.load(Ordering::Relaxed) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok::<_, Infallible>(response)
    });
    let spoken = http1::Builder::new()
        .serve_connection(TokioIo::new(client), service)
        .await;
    match restarts.load(Ordering::Relaxed) {
        // A client that leaves at once keeps no device from it.
        true => Ok(Step::Restart),
        false => spoken.map(|()| Step::Leave).map_err(io::Error::other),
    }
}

async fn answered(
    server: &Arc<Server>,
    request: Request<Incoming>,
    restarts: &AtomicBool,
) -> Answer {
    let plain = |status, text: &str| (status, "text/plain", text.to_owned());
    let (head, mut body) = request.into_parts();
    let given = head.headers.get(AUTHORIZATION);
    let given = given.and_then(|given| login(given.to_str().ok()?));
    let (user, password) = given.unwrap_or_default();
    let Some(unit) = server.unit.as_ref() else {
        return plain(StatusCode::NOT_FOUND, "no machine\n");
    };
    if !let_in(server, &user, Some(&password)) {
        return plain(StatusCode::UNAUTHORIZED, "not logged in\n");
    }
    let open = unit.open(server.behaviour.cli.max_sessions);
    if open.is_none() {
        let dialect = super::dialect::of(server.behaviour.cli.dialect);
        return plain(StatusCode::SERVICE_UNAVAILABLE, busy(server, dialect));
    }
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/version") => {
            let state = unit.state();
            let said = serde_json::json!({ "version": state.version, "bank": state.bank + 1 });
            (StatusCode::OK, "application/json", format!("{said}\n"))
        }
        (&Method::POST, "/cli") => {
            let Some(typed) = received(&mut body).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "too long\n");
            };
            let (step, shown) = carried_out(server, user, &typed).await;
            if step == Step::Restart {
                restarts.store(true, Ordering::Relaxed);
            }
            let failed = step == Step::On { failed: true };
            let status = if failed {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            plain(status, &shown)
        }
        _ => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// User and password (RFC 7617).
fn login(given: &str) -> Option<(String, String)> {
    let pair = given.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(pair.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

async fn received(body: &mut Incoming) -> Option<String> {
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        all.extend_from_slice(&frame.ok()?.into_data().unwrap_or_default());
        if all.len() > MOST {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&all).into_owned())
}

/// Carries a command out, with what is typed behind it; and what was shown.
async fn carried_out(server: &Arc<Server>, user: String, typed: &str) -> (Step, String) {
    let Some(unit) = server.unit.as_ref() else {
        return (Step::Leave, String::new());
    };
    let dialect = super::dialect::of(server.behaviour.cli.dialect);
    let (command, rest) = typed.split_once('\n').unwrap_or((typed, ""));
    // What is asked beyond that is waited for.
    let (keys, mut typing) = duplex(MOST);
    let (screen, mut shown) = duplex(MOST);
    if typing.write_all(rest.as_bytes()).await.is_err() {
        return (Step::Leave, String::new());
    }
    let terminal = Terminal::plain(Box::new(keys), Box::new(screen), false, false);
    let mut shell = shell(server, unit, dialect, terminal, user);
    shell.page = 0;
    shell.mode = Mode::Privileged;
    let step = match shell.carry_out_and_say(command.trim_end()).await {
        Ok(step) => step,
        Err(_) => pending().await,
    };
    drop(shell);
    let mut text = String::new();
    // All of it is there already.
    let _ = shown.read_to_string(&mut text).await;
    (step, text.replace("\r\n", "\n"))
}
