//! Devices over telnet that misbehave.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// A device of one connection: it shows `first`, and after each line that it gets the next of `then`. After the
/// last one it hangs up, or stays silent.
async fn device(first: &[u8], then: &[&[u8]], stays: bool) -> (Endpoint, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut endpoint = remote_at(listener.local_addr().unwrap(), patient()).endpoint;
    endpoint.login = Arc::new(Login::with_password("craft", "sesame-17"));
    let first = first.to_vec();
    let then: Vec<Vec<u8>> = then.iter().map(|one| one.to_vec()).collect();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        stream.write_all(&first).await.unwrap();
        for piece in then {
            line(&mut stream, &mut got).await;
            if stream.write_all(&piece).await.is_err() {
                return got;
            }
        }
        if stays {
            let _ = stream.read_to_end(&mut got).await;
        } else {
            line(&mut stream, &mut got).await;
        }
        got
    });
    (endpoint, task)
}

async fn line(stream: &mut TcpStream, got: &mut Vec<u8>) {
    while let Ok(byte) = stream.read_u8().await {
        got.push(byte);
        if byte == b'\r' {
            return;
        }
    }
}

async fn opened(endpoint: &Endpoint) -> Session {
    within(LONG, telnet(endpoint)).await.unwrap()
}

#[tokio::test]
async fn a_silent_device_fails_with_what_it_showed_last() {
    let (endpoint, _device) =
        device(b"R1> ", &[b"show version\r\nreading \x1b[5mflash"], true).await;
    let mut session = opened(&endpoint).await;
    let any = Expectation::default();
    let failure = session.run("show version", any, BRIEF).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "command: no answer to \"show version\" within 300 ms; the device showed: show version reading flash"
    );
    // What comes next may be the rest of it.
    let failure = session.run("reload", any, BRIEF).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}");
}

#[tokio::test]
async fn an_endless_device_is_bounded_and_ends_with_the_deadline() {
    let (endpoint, _device) = device(b"R1> ", &[&b"0123456789abcde\n".repeat(1 << 20)], true).await;
    let mut session = opened(&endpoint).await;
    let failure = session
        .run("show log", Expectation::default(), BRIEF)
        .await
        .unwrap_err();
    assert!(
        matches!(failure.fault, Fault::Unanswered { .. }),
        "{failure}"
    );
    assert!(failure.to_string().len() < 500);
    let much = [&b"0123456789abcde\n".repeat(10_000), b"R1> ".as_slice()].concat();
    let (endpoint, _device) = device(b"R1> ", &[&much], true).await;
    let output = opened(&endpoint)
        .await
        .run("show log", Expectation::default(), LONG)
        .await
        .unwrap();
    assert!(
        output.text.len() <= 65 * 1024 && output.dropped > 90_000,
        "{}",
        output.dropped
    );
}

#[tokio::test]
async fn a_line_that_looks_like_a_question_and_goes_on_is_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = remote_at(listener.local_addr().unwrap(), patient()).endpoint;
    let _device = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"R1> ").await.unwrap();
        line(&mut stream, &mut Vec::new()).await;
        stream.write_all(b"copied (1 of 2)").await.unwrap();
        // It copies.
        tokio::time::sleep(BRIEF).await;
        stream
            .write_all(b"\r\ncopied (2 of 2)\r\nR1> ")
            .await
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let mut session = opened(&endpoint).await;
    let copied = pattern(r"copied \(\d of 2\)");
    let output = session.run("copy", expects(&copied), LONG).await.unwrap();
    assert_eq!(output.text, "copied (1 of 2)\ncopied (2 of 2)");
    assert_eq!(output.ended, Ended::Prompt);
}

#[tokio::test]
async fn a_password_that_is_echoed_is_shown_nowhere() {
    let answers: [&[u8]; 3] = [
        b"craft\r\nPassword: ",
        b"sesame-17\r\nR1> ",
        b"ses\x1b[1mame-17 7\r\nSESAME-17\r\nR1> ",
    ];
    let (endpoint, _device) = device(b"login: ", &answers, true).await;
    let mut session = opened(&endpoint).await;
    let whole = pattern(r"(?<first>\S+) 7");
    let output = session
        .run("show secret", expects(&whole), LONG)
        .await
        .unwrap();
    assert_eq!(output.text, "******** 7\n********");
    assert_eq!(output.groups, [("first".to_owned(), "********".to_owned())]);
}

#[tokio::test]
async fn a_password_that_is_asked_for_again_is_not_sent_again() {
    let answers: [&[u8]; 2] = [b"craft\r\nPassword: ", b"\r\nsesame-17 is wrong\r\nlogin: "];
    let (endpoint, device) = device(b"login: ", &answers, true).await;
    let failure = within(LONG, telnet(&endpoint)).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "login: the server does not let craft in with its password: Password: ******** is wrong login:"
    );
    assert_eq!(device.await.unwrap(), b"craft\r\0sesame-17\r\0");
}

#[tokio::test]
async fn a_device_that_hangs_up_on_a_password_is_not_sent_it_again() {
    let (endpoint, device) = device(b"login: ", &[b"craft\r\nPassword: "], false).await;
    let failure = within(LONG, telnet(&endpoint)).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::LoginRefused { .. }) && !failure.is_transient(),
        "{failure}"
    );
    assert_eq!(device.await.unwrap(), b"craft\r\0sesame-17\r");
}

#[tokio::test]
async fn a_device_without_room_says_so_and_may_have_some_later() {
    let (endpoint, _device) = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = remote_at(listener.local_addr().unwrap(), patient()).endpoint;
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"Too many sessions\r\n").await.unwrap();
        });
        (endpoint, task)
    };
    let failure = within(LONG, telnet(&endpoint)).await.unwrap_err();
    assert!(
        failure.to_string().contains("Too many sessions"),
        "{failure}"
    );
    assert!(failure.is_transient());
}

#[tokio::test]
async fn a_device_that_ends_the_session_in_mid_command_has_answered_so() {
    let (endpoint, _device) = device(b"R1# ", &[b"reload\r\nRebooting"], false).await;
    let mut session = opened(&endpoint).await;
    let expect = pattern("never");
    let running = session.run("reload", expects(&expect), LONG);
    // It hangs up with the next line that it gets, which there is not: so it is aborted.
    _device.abort();
    let output = within(LONG, running).await.unwrap();
    assert_eq!(output.ended, Ended::Closed);
}

#[tokio::test]
async fn a_storm_of_negotiation_is_survived() {
    let storm = [[255, 251, 1], [255, 252, 1], [255, 253, 24]]
        .concat()
        .repeat(50_000);
    let first = [&storm, b"R1> ".as_slice()].concat();
    let (endpoint, _device) = device(&first, &[b"yes\r\nR1> "], true).await;
    let mut session = opened(&endpoint).await;
    let output = session.run("show", Expectation::default(), LONG).await;
    assert!(output.is_ok(), "{output:?}");
}

#[tokio::test]
async fn cancelling_is_prompt() {
    let (endpoint, _device) = device(b"R1> ", &[b""], true).await;
    let (transport, cancel) = (AnyTransport::default(), CancellationToken::new());
    let prompt = pattern("[#>] $");
    let mut session = open(&transport, Way::Telnet, &endpoint, &prompt, &cancel)
        .await
        .unwrap();
    let running = session.run("show", Expectation::default(), LONG * 100);
    let (ran, ()) = tokio::join!(within(LONG, running), async { cancel.cancel() });
    assert!(ran.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_line_that_would_be_two_is_not_sent() {
    let (endpoint, device) = device(b"R1> ", &[], true).await;
    let mut session = opened(&endpoint).await;
    let failure = session
        .run("boot x\rerase", Expectation::default(), LONG)
        .await;
    assert!(matches!(failure.unwrap_err().fault, Fault::Local(_)));
    session.close().await;
    assert_eq!(device.await.unwrap(), b"");
}
