//! A scripted server's uploads and downloads.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::control::{Next, Session};
use super::files::File;
use super::script::{Data, FOREVER};
use super::{DataConnection, Shared, Upload, UploadEnd};
use crate::tls::Wire;

/// A client that was given a port must use it within this time.
const ACCEPT: Duration = Duration::from_secs(10);

/// `STOR`
pub(super) async fn store(session: &mut Session, mut path: String) -> io::Result<Next> {
    let shared = Arc::clone(&session.shared);
    let behaviour = &shared.script.behaviour;
    let script = &shared.script.store();
    let offset = std::mem::take(&mut session.state.offset);
    let is_taken = offset == 0 && session.length_of(&path).is_some();
    if behaviour.no_replace && is_taken {
        return session.say("553 file exists").await;
    }
    if behaviour.store_elsewhere && is_taken {
        path.push_str(".1");
    }
    if let Some(line) = script.refuse {
        (shared.files.lock().unwrap()).insert(path, File::default());
        return session.say(line).await;
    }
    let Some(mut data) = begin(session, script.preliminary).await? else {
        return session.say("425 no data connection").await;
    };
    if let Some(line) = refusal(session, &data) {
        drop(data);
        return session.say(line).await;
    }
    let connection = session.state.connection;
    let mut upload = 0;
    shared.log.send_modify(|log| {
        upload = log.uploads.len();
        log.uploads.push(Upload {
            connection,
            path: path.clone(),
            taken: 0,
            end: UploadEnd::Open,
        });
    });
    shared
        .files
        .lock()
        .unwrap()
        .entry(path.clone())
        .or_insert_with(|| File::like(&shared.script.image))
        .truncate(usize::try_from(offset).unwrap());

    let mut at = script
        .at
        .filter(|_| script.times.is_none_or(|times| upload < times));
    let mut taken = 0_u64;
    let mut held_back = false;
    let mut buffer = vec![0; 16 * 1024];
    let end = loop {
        if at == Some(taken) {
            at = None;
            if script.waits {
                let mut goes_on = shared.goes_on.subscribe();
                let _ = goes_on.wait_for(|goes_on| *goes_on).await;
            }
            if let Some(line) = script.reply.filter(|_| script.reply_after.is_none()) {
                session.say(line).await?;
            }
            match script.data {
                Data::GoOn => {}
                Data::LeaveOpen => {
                    session.left_open.push((Some(upload), data));
                    return Ok(next_after(script.close_control));
                }
                Data::Close | Data::Reset => {
                    end_by_server(data, script.data)?;
                    ended(&shared, upload, UploadEnd::ByServer);
                    if let (Some(line), Some(after)) = (script.reply, script.reply_after) {
                        session.wait(after).await?;
                        session.say(line).await?;
                    }
                    return Ok(next_after(script.close_control));
                }
            }
            if script.close_control {
                // Half a connection is enough for the client to see it; the upload goes on.
                session.control.get_mut().shutdown().await?;
            }
        }
        let full = behaviour.disk_full_at == Some(taken);
        if full && data.read(&mut [0]).await.is_ok_and(|count| count > 0) {
            session.say("552 flash is full").await?;
            session.left_open.push((Some(upload), data));
            return Ok(Next::GoOn);
        }
        if behaviour.hang_up_at == Some(taken) {
            // Half a connection is enough for the client to see it; the upload goes on.
            session.control.get_mut().shutdown().await?;
        }
        let ends = [
            at,
            behaviour.disk_full_at,
            behaviour.hang_up_at,
            behaviour.truncate_at,
        ];
        let ahead = ends.into_iter().flatten().filter(|end| *end > taken);
        let most = ahead.fold(buffer.len(), |most, end| {
            usize::try_from(end - taken).map_or(most, |left| left.min(most))
        });
        match data.read(&mut buffer[..most]).await {
            Ok(0) => break UploadEnd::Closed,
            Err(error) => break broken(&error),
            Ok(count) => {
                let is_kept = behaviour.truncate_at.is_none_or(|end| taken < end);
                taken += count as u64;
                let mut bytes = buffer[..count].to_vec();
                if !session.state.binary {
                    bytes = from_network(&bytes, &mut held_back);
                }
                if is_kept && let Some(file) = shared.files.lock().unwrap().get_mut(&path) {
                    file.append(&bytes);
                }
                shared
                    .log
                    .send_modify(|log| log.uploads[upload].taken = taken);
            }
        }
    };
    if held_back && let Some(file) = shared.files.lock().unwrap().get_mut(&path) {
        file.append(b"\r");
    }
    if let Some(file) = shared.files.lock().unwrap().get_mut(&path)
        && let Some(at) = behaviour.corrupt_at
    {
        file.corrupt(usize::try_from(at).unwrap());
    }
    ended(&shared, upload, end);
    drop(data);
    let early = script.reply.is_some() && script.at.is_some_and(|at| at <= taken);
    if early && script.times.is_none_or(|times| upload < times) {
        // The final reply was given in the middle.
        return Ok(next_after(script.close_control));
    }
    if end != UploadEnd::Closed {
        return session.say("426 you broke it").await;
    }
    if let Some(line) = script.keeps_saying {
        return keep_saying(session, line).await;
    }
    if script.drips {
        session.drip("226 ").await?;
    }
    if behaviour.hang_up_at.is_some_and(|at| at <= taken) {
        return Ok(Next::End);
    }
    *shared.stored.lock().unwrap() = Some(Instant::now());
    if behaviour.no_confirm {
        session.wait(FOREVER).await?;
    }
    if let Some(time) = behaviour.confirm_after {
        session.wait(time).await?;
    }
    if behaviour.gone_after_store {
        shared.files.lock().unwrap().remove(&path);
    }
    let said = behaviour.confirm_reply.as_deref();
    session.say(said.unwrap_or(script.confirm)).await
}

/// `RETR`
pub(super) async fn retrieve(session: &mut Session, path: String) -> io::Result<Next> {
    let shared = Arc::clone(&session.shared);
    let script = &shared.script.retrieve();
    let behaviour = &shared.script.behaviour;
    let offset = usize::try_from(std::mem::take(&mut session.state.offset)).unwrap();
    let Some(mut bytes) = session.stored(&path) else {
        return session.say("550 no such file").await;
    };
    let wrong = behaviour
        .corrupt_read_at
        .and_then(|at| usize::try_from(at).ok());
    if let Some(byte) = wrong.and_then(|at| bytes.get_mut(at)) {
        *byte ^= 0x55;
    }
    let number = shared
        .log
        .borrow()
        .connections
        .iter()
        .flat_map(|connection| &connection.commands)
        .filter(|line| super::script::verb_of(line) == "RETR")
        .count();
    let preliminary = script.preliminary.unwrap_or("150 here it comes");
    let preliminary = Some(preliminary).filter(|_| !script.no_preliminary);
    let Some(mut data) = begin(session, preliminary).await? else {
        return session.say("425 no data connection").await;
    };
    if let Some(line) = refusal(session, &data) {
        drop(data);
        return session.say(line).await;
    }
    let stop = script
        .at
        .filter(|_| script.times.is_none_or(|times| number <= times))
        .map(|at| usize::try_from(at).unwrap().min(bytes.len()));
    let part = bytes
        .get(offset..stop.unwrap_or(bytes.len()))
        .unwrap_or_default();
    let mut part = if session.state.binary {
        part.to_vec()
    } else {
        to_network(part)
    };
    if stop.is_none() {
        part.resize(part.len() + script.extra, 0);
    }
    let mut sent = data.write_all(&part).await;
    while script.endless && sent.is_ok() {
        sent = data.write_all(&part).await;
    }
    let Some(_) = stop else {
        let sent = sent.and(end(session, data).await);
        if let Some(line) = script.keeps_saying {
            return keep_saying(session, line).await;
        }
        if script.close_control {
            return Ok(Next::End);
        }
        let reply = if sent.is_ok() {
            "226 sent"
        } else {
            "426 you broke it"
        };
        return session.say(reply).await;
    };
    match script.data {
        Data::LeaveOpen => session.left_open.push((None, data)),
        how => end_by_server(data, how)?,
    }
    match script.reply {
        Some(line) => session.say(line).await,
        None => Ok(Next::GoOn),
    }
}

async fn keep_saying(session: &mut Session, line: &str) -> io::Result<Next> {
    loop {
        session.say(line).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// `MLSD`, `LIST`, `NLST`
pub(super) async fn listing(session: &mut Session, text: &[u8]) -> io::Result<Next> {
    let Some(mut data) = begin(session, Some("150 here it comes")).await? else {
        return session.say("425 no data connection").await;
    };
    if let Some(line) = refusal(session, &data) {
        drop(data);
        return session.say(line).await;
    }
    let sent = data.write_all(text).await;
    let sent = sent.and(end(session, data).await);
    let reply = if sent.is_ok() {
        "226 sent"
    } else {
        "426 you broke it"
    };
    session.say(reply).await
}

fn next_after(close_control: bool) -> Next {
    if close_control { Next::End } else { Next::GoOn }
}

/// Says that a transfer begins, and takes its data connection; in the other order where the script
/// says so.
async fn begin(session: &mut Session, preliminary: Option<&str>) -> io::Result<Option<Wire>> {
    let tls = session.shared.script.tls.as_ref();
    let early = match tls.is_some_and(|tls| tls.shakes_first) {
        true => accept(session).await,
        false => None,
    };
    if let Some(line) = preliminary {
        session.say(line).await?;
    }
    Ok(match early {
        Some(data) => Some(data),
        None => accept(session).await,
    })
}

/// The client's data connection, to the port that was last announced.
async fn accept(session: &mut Session) -> Option<Wire> {
    let (data, peer) = match session.connect_to.take() {
        Some(target) => (TcpStream::connect(target).await.ok()?, target),
        None => {
            let listener = session.listener.take()?;
            let accepted = tokio::time::timeout(ACCEPT, listener.accept()).await;
            accepted.ok()?.ok()?
        }
    };
    let mut data = Wire::Plain(data);
    let shared = Arc::clone(&session.shared);
    if let Some(acceptor) = shared.acceptor.as_ref().filter(|_| session.state.private) {
        data = data.secured(acceptor).await.ok()?;
    }
    let (connection, resumed) = (session.state.connection, data.resumed());
    let version = data.version();
    shared.log.send_modify(|log| {
        log.data.push(DataConnection {
            connection,
            peer,
            resumed,
            version,
        });
    });
    Some(data)
}

/// The reply to a data connection that goes on with no TLS session of before, where one is wanted.
fn refusal(session: &Session, data: &Wire) -> Option<&'static str> {
    let tls = session.shared.script.tls.as_ref()?;
    tls.wants_reuse.filter(|_| data.resumed() == Some(false))
}

/// Ends what was sent, in good order unless the script says otherwise.
async fn end(session: &Session, mut data: Wire) -> io::Result<()> {
    let truncates = (session.shared.script.tls.as_ref()).is_some_and(|tls| tls.truncates);
    data.flush().await?;
    if truncates {
        data.socket().set_nodelay(true)?;
        return Ok(());
    }
    data.shutdown().await?;
    if session.shared.script.retrieve.waits_for_close {
        data.read_to_end(&mut Vec::new()).await?;
    }
    if (session.shared.script.tls.as_ref()).is_some_and(|tls| tls.waits_for_end) {
        // An end without `close_notify` is an error.
        data.read_to_end(&mut Vec::new()).await?;
    }
    Ok(())
}

fn end_by_server(data: Wire, how: Data) -> io::Result<()> {
    if how == Data::Reset {
        socket2::SockRef::from(data.socket()).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

fn broken(error: &io::Error) -> UploadEnd {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => UploadEnd::Truncated,
        _ => UploadEnd::Reset,
    }
}

fn ended(shared: &Shared, upload: usize, end: UploadEnd) {
    shared.log.send_modify(|log| log.uploads[upload].end = end);
}

/// Looks at how a data connection ends that was left open: what is read now is not stored.
pub(super) async fn drain(shared: &Shared, upload: Option<usize>, mut data: Wire) {
    let mut buffer = vec![0; 16 * 1024];
    let end = loop {
        match data.read(&mut buffer).await {
            Ok(0) => break UploadEnd::Closed,
            Ok(_) => {}
            Err(error) => break broken(&error),
        }
    };
    if let Some(upload) = upload {
        ended(shared, upload, end);
    }
}

/// ASCII as a server stores it: CRLF becomes LF. A CR at the end is held back for the next piece.
fn from_network(bytes: &[u8], held_back: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    for byte in bytes {
        if std::mem::take(held_back) && *byte != b'\n' {
            out.push(b'\r');
        }
        if *byte == b'\r' {
            *held_back = true;
        } else {
            out.push(*byte);
        }
    }
    out
}

/// ASCII as it goes over the network: LF becomes CRLF (RFC 959 section 3.1.1.1).
fn to_network(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for byte in bytes {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}
