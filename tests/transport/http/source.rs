//! Reading an image: from its beginning and from the middle, from servers that answer otherwise than asked.

use subtend::model::{Elsewhere, Fault, Login, Step, Timeouts, Tls};
use subtend::transport::Transport;

use super::turns::{Turn, Turns};
use super::*;

const TAG: &str = "ETag: \"one\"\r\n";

#[tokio::test]
async fn a_file_is_read_as_it_is_and_its_tag_is_kept() {
    let bytes = image(300_000);
    let server = Turns::start(vec![Turn::file("200 OK", TAG, &bytes)]).await;
    let remote = other_path(remote_of(&server, patient()), "images/a b.bin");
    let mut source = open(&transport(), &remote, 0).await.unwrap();
    assert_eq!(
        (source.size(), source.modified()),
        (Some(300_000), Some("\"one\""))
    );
    assert!(read_to_end(&mut *source).await.unwrap() == bytes);
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "GET /images/a%20b.bin HTTP/1.1");
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    // Nobody logs in where the inventory names no credentials.
    assert_eq!(asked.header("authorization"), None);
}

/// The one asked first says by what the file can be known again.
#[tokio::test]
async fn the_rest_is_asked_for_if_the_file_is_still_the_same() {
    let bytes = image(1000);
    let range = format!("{TAG}Content-Range: bytes 400-999/1000\r\n");
    let server = Turns::start(vec![
        Turn::file("200 OK", TAG, &bytes),
        Turn::file("206 Partial Content", &range, &bytes[400..]),
    ])
    .await;
    let remote = remote_of(&server, patient());
    let transport = transport();
    drop(open(&transport, &remote, 0).await.unwrap());
    let mut source = open(&transport, &remote, 400).await.unwrap();
    assert_eq!(source.size(), Some(1000));
    assert!(read_to_end(&mut *source).await.unwrap() == bytes[400..]);
    let asked = &server.asked()[1];
    assert_eq!(asked.header("range"), Some("bytes=400-"));
    assert_eq!(asked.header("if-range"), Some("\"one\""));
}

#[tokio::test]
async fn a_weak_tag_is_not_asked_by_and_the_time_is() {
    let headers = "ETag: W/\"x\"\r\nLast-Modified: Tue, 01 Jul 2025 10:00:00 GMT\r\n";
    let part = format!("{headers}Content-Range: bytes 4-7/8\r\n");
    let server = Turns::start(vec![
        Turn::file("200 OK", headers, b"01234567"),
        Turn::file("206 Partial Content", &part, b"4567"),
    ])
    .await;
    let remote = remote_of(&server, patient());
    let transport = transport();
    drop(open(&transport, &remote, 0).await.unwrap());
    let mut source = open(&transport, &remote, 4).await.unwrap();
    assert_eq!(read_to_end(&mut *source).await.unwrap(), b"4567");
    let time = Some("Tue, 01 Jul 2025 10:00:00 GMT");
    assert_eq!(server.asked()[1].header("if-range"), time);
    assert_eq!(source.modified(), time);
}

#[tokio::test]
async fn a_server_that_ignores_the_range_is_read_from_its_beginning() {
    let bytes = image(100_000);
    let server = Turns::start(vec![Turn::file("200 OK", "", &bytes)]).await;
    let read = read(&remote_of(&server, patient()), 70_001).await.unwrap();
    assert!(read == bytes[70_001..]);
}

#[tokio::test]
async fn a_file_that_changed_is_not_gone_on_with() {
    let other = "ETag: \"two\"\r\n";
    let part = format!("{other}Content-Range: bytes 4-7/8\r\n");
    for second in [
        // What If-Range makes of it; and a server that does not know it.
        Turn::file("200 OK", other, b"abcdefgh"),
        Turn::file("206 Partial Content", &part, b"efgh"),
    ] {
        let first = Turn::file("200 OK", TAG, b"01234567");
        let server = Turns::start(vec![first, second]).await;
        let remote = remote_of(&server, patient());
        let transport = transport();
        drop(open(&transport, &remote, 0).await.unwrap());
        let failure = open(&transport, &remote, 4).await.err().unwrap();
        assert!(
            matches!(failure.fault, Fault::SourceChanged { .. }),
            "{failure}"
        );
        assert!(failure.to_string().contains("\"two\""), "{failure}");
    }
}

#[tokio::test]
async fn parts_that_were_not_asked_for_are_refused() {
    for (headers, body) in [
        ("", &b"4567"[..]),
        ("Content-Range: bytes 3-6/8\r\n", b"3456"),
        ("Content-Range: bytes 4-7/8\r\n", b"45"),
        ("Content-Range: bytes 4-9/8\r\n", b"456789"),
        ("Content-Type: multipart/byteranges; boundary=x\r\n", b"--x"),
    ] {
        let turn = Turn::file("206 Partial Content", headers, body);
        let server = Turns::start(vec![turn]).await;
        let failure = read(&remote_of(&server, patient()), 4).await.unwrap_err();
        assert!(
            matches!(failure.fault, Fault::Malformed { .. }),
            "{headers}: {failure}"
        );
    }
}

#[tokio::test]
async fn a_range_behind_the_end_is_the_end_or_another_file() {
    for (total, expected) in [(8, Ok(())), (7, Err(()))] {
        let headers = format!("Content-Range: bytes */{total}\r\n");
        let turn = Turn::file("416 Range Not Satisfiable", &headers, b"");
        let server = Turns::start(vec![turn]).await;
        match (read(&remote_of(&server, patient()), 8).await, expected) {
            (Ok(bytes), Ok(())) => assert!(bytes.is_empty()),
            (Err(failure), Err(())) => {
                assert!(
                    matches!(failure.fault, Fault::SourceChanged { .. }),
                    "{failure}"
                );
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_ends_early_is_never_the_whole_file() {
    let short = |head: &str| [head.as_bytes(), b"0123"].concat();
    for (answer, offset) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", 0),
        (
            "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nContent-Range: bytes 2-5/8\r\n\r\n",
            2,
        ),
    ] {
        let server = Turns::start(vec![Turn::says(short(answer))]).await;
        let failure = read(&remote_of(&server, patient()), offset)
            .await
            .unwrap_err();
        let read = 4 + offset;
        assert_eq!(failure.fault, Fault::ShortImage { read, size: 8 });
        assert_eq!(failure.step, Step::Read);
    }
    // Without a length it is the last chunk that says that it was the last one.
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n";
    let server = Turns::start(vec![Turn::says(*chunked)]).await;
    let failure = read(&remote_of(&server, patient()), 0).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure:?}");
    assert!(failure.is_transient());
    let whole = [&chunked[..], b"0\r\n\r\n"].concat();
    let server = Turns::start(vec![Turn::says(whole)]).await;
    let remote = remote_of(&server, patient());
    let mut source = open(&transport(), &remote, 0).await.unwrap();
    assert_eq!(source.size(), None);
    assert_eq!(read_to_end(&mut *source).await.unwrap(), b"0123");
    // And a connection that is closed says nothing.
    let server = Turns::start(vec![Turn::says(short("HTTP/1.0 200 OK\r\n\r\n"))]).await;
    let failure = read(&remote_of(&server, patient()), 0).await.unwrap_err();
    assert!(
        answered(&failure.fault).0.contains("nor an end"),
        "{failure}"
    );
}

#[tokio::test]
async fn bytes_in_another_form_are_not_the_files() {
    let turn = Turn::file("200 OK", "Content-Encoding: gzip\r\n", b"01234567");
    let server = Turns::start(vec![turn]).await;
    let failure = read(&remote_of(&server, patient()), 0).await.unwrap_err();
    assert!(answered(&failure.fault).0.contains("gzip"), "{failure}");
}

#[tokio::test]
async fn a_source_that_says_no_is_told_by_what_it_says() {
    let told = async |status: &str, headers: &str, body: &str| {
        let turn = Turn::file(status, headers, body.as_bytes());
        let server = Turns::start(vec![turn]).await;
        read(&remote_of(&server, patient()), 0).await.unwrap_err()
    };
    let failure = told("404 Not Found", "", "<h1>no\x1b[31m such file</h1>").await;
    assert!(matches!(failure.fault, Fault::NoFile { .. }));
    let text = failure.to_string();
    assert!(
        text.contains("404 Not Found: no\\u{1b}[31m such file"),
        "{text}"
    );
    let failure = told("401 Unauthorized", "", "").await;
    assert_eq!(
        (failure.step, answered(&failure.fault)),
        (Step::Login, ("401 Unauthorized", false))
    );
    let failure = told("403 Forbidden", "", "").await;
    assert!(matches!(failure.fault, Fault::NotReadable { .. }));
    let failure = told(
        "503 Service Unavailable",
        "Retry-After: 7\r\n",
        &"busy ".repeat(100_000),
    )
    .await;
    let (said, may_pass) = answered(&failure.fault);
    assert!(
        may_pass && said.contains("(Retry-After: 7): busy busy"),
        "{said}"
    );
    assert!(said.len() < 400, "{said}");
}

#[tokio::test]
async fn nothing_is_waited_for_for_ever() {
    let timeouts = |progress, reply| Timeouts {
        progress,
        reply,
        ..patient()
    };
    let silent = Turn::says(*b"").holding();
    let server = Turns::start(vec![silent]).await;
    let timeouts_of_reply = Timeouts {
        connect: SHORT,
        ..timeouts(SOON * 3, SHORT)
    };
    let failure = read(&remote_of(&server, timeouts_of_reply), 0)
        .await
        .unwrap_err();
    assert_eq!(failure, no_reply(Step::Open, "the request"));
    let stalls = Turn::says(*b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n0123").holding();
    let server = Turns::start(vec![stalls]).await;
    let remote = remote_of(&server, timeouts(SHORT, SOON * 3));
    let failure = read(&remote, 0).await.unwrap_err();
    assert_eq!(failure.fault, Fault::Stalled { after: SHORT });
    let full = FullPort::new().await;
    let mut remote = remote_at(
        full.address(),
        Timeouts {
            connect: SHORT,
            ..patient()
        },
    );
    remote.endpoint.address.scheme = subtend::model::Scheme::Http;
    let failure = read(&remote, 0).await.unwrap_err();
    let address = full.address().to_string();
    let after = SHORT;
    assert_eq!(
        failure,
        failed::<()>(Step::Connect, Fault::ConnectTimeout { address, after }).unwrap_err()
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses() {
    let server = Turns::start(Vec::new()).await;
    let remote = remote_of(&server, patient());
    let failure = within(SOON, async {
        loop {
            let failure = read(&remote, 0).await.unwrap_err();
            if matches!(failure.fault, Fault::Refused { .. }) {
                return failure;
            }
        }
    })
    .await;
    assert_eq!(failure.step, Step::Connect);
    assert!(
        failure.to_string().contains("is its HTTP server running"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_size_is_asked_for_without_the_file_where_the_server_lets_it() {
    let head = Turn::says(*b"HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n");
    let server = Turns::start(vec![head]).await;
    let remote = remote_of(&server, patient());
    let size = within(SOON, transport().size_of(&remote)).await;
    assert_eq!(size, Ok(Some(4711)));
    assert_eq!(server.lines(), ["HEAD /flash/image.bin HTTP/1.1"]);
    let no_head = Turn::file("405 Method Not Allowed", "", b"");
    let server = Turns::start(vec![no_head, Turn::file("200 OK", "", b"0123")]).await;
    let size = within(SOON, transport().size_of(&remote_of(&server, patient()))).await;
    assert_eq!(size, Ok(Some(4)));
    let missing = Turn::says(*b"HTTP/1.1 404 Not Found\r\n\r\n");
    let server = Turns::start(vec![missing]).await;
    let missing = within(SOON, transport().size_of(&remote_of(&server, patient()))).await;
    assert!(matches!(missing.unwrap_err().fault, Fault::NoFile { .. }));
}

fn leads(status: &str, to: &str) -> Turn {
    Turn::file(status, &format!("Location: {to}\r\n"), b"gone there")
}

#[tokio::test]
async fn a_redirect_is_followed_to_a_listed_host_without_the_login() {
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let there = Turns::start(vec![Turn::file("200 OK", "", b"01234567")]).await;
        let to = format!("http://{}/other", there.address);
        let home = Turns::start(vec![leads(status, "/moved"), leads(status, &to)]).await;
        let login = Login::with_password("craft", "secret7");
        let mut remote = with_login(remote_of(&home, patient()), login);
        let address = remote_of(&there, patient()).endpoint.address;
        let tls = Tls::default();
        remote.endpoint.http.redirects = [Elsewhere { address, tls }].into();
        assert_eq!(read(&remote, 0).await.unwrap(), b"01234567", "{status}");
        assert_eq!(home.lines()[1], "GET /moved HTTP/1.1");
        let basic = Some("Basic Y3JhZnQ6c2VjcmV0Nw==");
        assert!(
            home.asked()
                .iter()
                .all(|one| one.header("authorization") == basic)
        );
        assert_eq!(there.asked()[0].header("authorization"), None);
    }
}

#[tokio::test]
async fn a_redirect_elsewhere_is_not_followed_and_shows_no_secret() {
    let to = "http://192.0.2.77/a?X-Signature=secret7";
    let server = Turns::start(vec![leads("302 Found", to)]).await;
    let failure = read(&remote_of(&server, patient()), 0).await.unwrap_err();
    let (said, may_pass) = answered(&failure.fault);
    assert!(
        said.contains("302 Found, to http://192.0.2.77:80: no file server"),
        "{said}"
    );
    assert!(!may_pass && !said.contains("secret7"), "{said}");
    let circle = vec![leads("302 Found", "/flash/image.bin"); 6];
    let server = Turns::start(circle).await;
    let failure = read(&remote_of(&server, patient()), 0).await.unwrap_err();
    assert!(
        answered(&failure.fault).0.contains("more than 5 times"),
        "{failure}"
    );
}
