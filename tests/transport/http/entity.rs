//! Bringing an image to an entity: what it answers, when, and what is then known.

use subtend::model::{Fault, Holds, Step, Timeouts, Verified};
use subtend::placement::Delivery;
use subtend::transport::{Reply, Transport};

use super::turns::{Body, Turn, Turns};
use super::*;

fn absent() -> Turn {
    Turn::says(*b"HTTP/1.1 404 Not Found\r\n\r\n")
}

fn created() -> Turn {
    Turn::file("201 Created", "", b"")
}

fn field() -> Upload {
    Upload::Field("firmware".into())
}

async fn send_to(destination: &Destination, bytes: &[u8]) -> Result<Verified, Failure> {
    send_with(&transport(), destination, bytes).await
}

#[tokio::test]
async fn a_file_is_put_with_its_length_and_read_back() {
    let bytes = image(400_000);
    let server = Turns::start(vec![absent(), created(), Turn::file("200 OK", "", &bytes)]).await;
    let destination = upload_to(&server, Upload::Put, Some(400_000));
    assert_eq!(send_to(&destination, &bytes).await, Ok(Verified::Readback));
    assert_eq!(
        server.lines(),
        [
            "HEAD /flash/image.bin HTTP/1.1",
            "PUT /flash/image.bin HTTP/1.1",
            "GET /flash/image.bin HTTP/1.1"
        ]
    );
    let put = &server.asked()[1];
    assert_eq!(put.header("content-length"), Some("400000"));
    assert!(put.body == bytes);
}

#[tokio::test]
async fn a_file_of_unknown_length_is_put_in_chunks() {
    let server = Turns::start(vec![
        absent(),
        created().reading(Body::Chunked),
        Turn::file("200 OK", "", b"01234567"),
    ])
    .await;
    let destination = upload_to(&server, Upload::Put, None);
    assert_eq!(
        send_to(&destination, b"01234567").await,
        Ok(Verified::Readback)
    );
    let put = &server.asked()[1];
    assert_eq!(put.header("transfer-encoding"), Some("chunked"));
    assert_eq!(put.body, b"8\r\n01234567\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_form_has_one_file_and_a_length_and_proves_nothing() {
    let bytes = image(100_000);
    let server = Turns::start(vec![Turn::file("200 OK", "", b"stored")]).await;
    let mut destination = upload_to(&server, field(), Some(100_000));
    destination.remote = other_path(destination.remote, "/cgi-bin/up.cgi?slot=1");
    let destination = at_path(destination, "/cgi-bin/up.cgi?slot=1");
    assert_eq!(send_to(&destination, &bytes).await, Ok(Verified::None));
    let asked = server.asked();
    // A program is asked nothing: that might make it do something.
    assert_eq!(server.lines(), ["POST /cgi-bin/up.cgi?slot=1 HTTP/1.1"]);
    let kind = asked[0].header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"firmware\"; filename=\"up.cgi\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let expected = [
        head.as_bytes(),
        &bytes,
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert!(asked[0].body == expected, "{}", asked[0].head);
    let length = expected.len().to_string();
    assert_eq!(asked[0].header("content-length"), Some(&*length));
}

#[tokio::test]
async fn a_form_that_can_not_announce_its_length_is_not_begun() {
    let server = Turns::start(vec![created()]).await;
    let destination = upload_to(&server, field(), None);
    let failure = send_to(&destination, b"0123").await.unwrap_err();
    assert!(failure.to_string().contains("`size`"), "{failure}");
    assert!(server.asked().is_empty());
}

/// A 200 of a page that says what is wrong is no success, where its words are known.
#[tokio::test]
async fn a_form_is_judged_by_the_words_that_are_expected() {
    let judged = async |turns: Vec<Turn>, expect: Option<&str>| {
        let server = Turns::start(turns).await;
        let mut destination = upload_to(&server, field(), Some(4));
        destination.remote.endpoint.http.expect = expect.map(Into::into);
        (send_to(&destination, b"0123").await, server.lines())
    };
    let page = |text: &str| Turn::file("200 OK", "", text.as_bytes());
    let (taken, _) = judged(vec![page("<p>Image stored.</p>")], Some("Image stored")).await;
    assert_eq!(taken, Ok(Verified::None));
    let (refused, _) = judged(vec![page("<b>bad checksum</b>")], Some("Image stored")).await;
    let failure = refused.unwrap_err();
    assert_eq!(failure.step, Step::Confirm);
    let (said, may_pass) = answered(&failure.fault);
    assert!(
        said.contains("`Image stored` is not in its answer: bad checksum"),
        "{said}"
    );
    assert!(!may_pass);
    // Its words behind much else are not looked for.
    let late = format!("{}Image stored", " ".repeat(65 * 1024));
    let (refused, _) = judged(vec![page(&late)], Some("Image stored")).await;
    assert!(
        answered(&refused.unwrap_err().fault)
            .0
            .contains("beginning")
    );
    // Many lead to a page with the result.
    let leads = || Turn::file("303 See Other", "Location: /result\r\n", b"");
    let (taken, lines) = judged(vec![leads(), page("Image stored")], Some("Image stored")).await;
    assert_eq!(taken, Ok(Verified::None));
    assert_eq!(lines[1], "GET /result HTTP/1.1");
    let (unknown, lines) = judged(vec![leads()], None).await;
    assert!(
        answered(&unknown.unwrap_err().fault)
            .0
            .contains("`expect: TEXT`")
    );
    assert_eq!(lines.len(), 1);
}

/// What sending ends with.
async fn refused_while_sending(sink: &mut Delivery) -> Failure {
    within(SOON, async {
        let piece = vec![7; 64 * 1024];
        loop {
            if let Err(failure) = sink.write(&piece).await {
                return failure;
            }
        }
    })
    .await
}

/// It has read a part, answers, and does not read on.
#[tokio::test]
async fn an_answer_in_the_middle_is_the_cause_at_once() {
    for (status, kind) in [
        ("413 Payload Too Large", false),
        ("507 Insufficient Storage", false),
        ("401 Unauthorized", false),
        ("503 Service Unavailable", true),
    ] {
        let refuse = Turn::file(status, "", b"no room")
            .reading(Body::Bytes(1000))
            .holding();
        let server = Turns::start(vec![absent(), refuse]).await;
        let destination = upload_to(&server, Upload::Put, Some(64 << 20));
        let transport = transport();
        let mut sink = open_sink(&transport, &destination).await.unwrap();
        let failure = refused_while_sending(&mut sink).await;
        assert_eq!(
            answered(&failure.fault),
            (&*format!("{status}: no room"), kind)
        );
    }
}

/// It has read a part, answers, and hangs up on what is on its way, so that the reset comes right behind the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_a_reset_is_the_cause() {
    for way in [Upload::Put, field()] {
        for round in 0..50 {
            let refuse = Turn::file("413 Payload Too Large", "", b"no room");
            let refuse = refuse.reading(Body::Bytes(1000));
            let turns = match way {
                Upload::Put => vec![absent(), refuse],
                Upload::Field(_) => vec![refuse],
            };
            let server = Turns::start(turns).await;
            let destination = upload_to(&server, way.clone(), Some(64 << 20));
            let transport = transport();
            let mut sink = open_sink(&transport, &destination).await.unwrap();
            let failure = refused_while_sending(&mut sink).await;
            assert_eq!(
                answered(&failure.fault),
                ("413 Payload Too Large: no room", false),
                "{way:?}, {round}"
            );
        }
    }
}

/// Where nothing was said, what is known is that the connection broke.
#[tokio::test]
async fn a_reset_without_an_answer_is_a_lost_connection() {
    let breaks = Turn::says(*b"").reading(Body::Bytes(1000));
    let server = Turns::start(vec![absent(), breaks]).await;
    let destination = upload_to(&server, Upload::Put, Some(64 << 20));
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let failure = within(SOON, async {
        loop {
            if let Err(failure) = sink.write(&[7; 64 * 1024]).await {
                return failure;
            }
        }
    })
    .await;
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}");
    assert!(failure.is_transient());
}

/// Who may look may not write: the entity was not given a byte that it kept, so none is left.
#[tokio::test]
async fn nothing_is_left_where_nothing_was_taken() {
    let no = || Turn::file("401 Unauthorized", "", b"");
    let old = || Turn::says(*b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n");
    let server = Turns::start(vec![
        old(),
        absent(),
        // Whether it can rename at all, the file, its removal, and what there is then.
        absent(),
        no(),
        no(),
        absent(),
    ])
    .await;
    let destination = Destination {
        staging: Staging::Rename,
        ..upload_to(&server, Upload::Put, Some(8))
    };
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let failure = match write_all(&mut sink, b"01234567").await {
        Ok(()) => within(SOON, sink.finish()).await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(failure.step, Step::Login);
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_eq!(sink.holds(), Holds::Old);
    let staged = |method: &str| format!("{method} {} HTTP/1.1", staging());
    assert_eq!(
        server.lines()[3..],
        [staged("PUT"), staged("DELETE"), staged("HEAD")]
    );
}

/// What a program took can't be looked at, nor removed by hand.
#[tokio::test]
async fn a_form_leaves_nothing_that_could_be_removed() {
    let refuse = Turn::file("401 Unauthorized", "", b"");
    let server = Turns::start(vec![refuse]).await;
    let destination = upload_to(&server, field(), Some(4));
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let failure = match write_all(&mut sink, b"0123").await {
        Ok(()) => within(SOON, sink.finish()).await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(failure.step, Step::Login);
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_eq!(sink.holds(), Holds::Unknown);
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn a_confirmation_before_the_end_is_none() {
    let early = Turn::file("200 OK", "", b"")
        .reading(Body::Bytes(1000))
        .holding();
    let server = Turns::start(vec![absent(), early]).await;
    let destination = upload_to(&server, Upload::Put, Some(64 << 20));
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let failure = within(SOON, async {
        loop {
            if let Err(failure) = sink.write(&[7; 64 * 1024]).await {
                return failure;
            }
        }
    })
    .await;
    assert!(
        matches!(failure.fault, Fault::EarlyConfirmation { .. }),
        "{failure}"
    );
}

/// What is given up is never whole: neither by its length nor by an empty chunk.
#[tokio::test]
async fn what_is_given_up_has_no_end() {
    for size in [Some(64 << 20), None] {
        let waits = Turn::file("200 OK", "", b"").reading(Body::Bytes(64 << 20));
        let server = Turns::start(vec![absent(), waits]).await;
        let destination = upload_to(&server, Upload::Put, size);
        let transport = transport();
        let mut sink = open_sink(&transport, &destination).await.unwrap();
        within(SOON, sink.write(&[7; 100])).await.unwrap();
        drop(sink);
        // Its turn ends when the connection does.
        within(SOON, async {
            while server.asked().len() < 2 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(!server.asked()[1].head.ends_with("0\r\n\r\n"));
    }
}

#[tokio::test]
async fn an_entity_that_takes_nothing_more_stalls() {
    let stalls = Turn::says(*b"").reading(Body::Bytes(1000)).holding();
    let server = Turns::start(vec![absent(), stalls]).await;
    let mut destination = upload_to(&server, Upload::Put, Some(64 << 20));
    destination.remote.endpoint.timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let failure = within(SOON, async {
        loop {
            if let Err(failure) = sink.write(&[7; 64 * 1024]).await {
                return failure;
            }
        }
    })
    .await;
    let expected = Fault::Stalled { after: SHORT };
    assert_eq!((failure.step, failure.fault), (Step::Send, expected));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_waited_for_as_long_as_it_may_take() {
    let silent = Turn::says(*b"").holding();
    let server = Turns::start(vec![absent(), silent]).await;
    let mut destination = upload_to(&server, Upload::Put, Some(8));
    destination.remote.endpoint.timeouts = Timeouts {
        confirm: SHORT,
        ..patient()
    };
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, b"01234567").await.unwrap();
    let failure = within(SOON, sink.finish()).await.unwrap_err();
    assert_eq!(failure.fault, Fault::NotConfirmed { after: SHORT });
    assert_eq!(sink.holds(), Holds::Unknown);
}

/// Not knowing is a failure that says so; nothing is deleted that may be the old image.
#[tokio::test]
async fn a_refused_file_leaves_what_was_there() {
    let old = "ETag: \"old\"\r\nContent-Length: 13\r\n";
    let head = || Turn::says(format!("HTTP/1.1 200 OK\r\n{old}\r\n"));
    let refuse = Turn::file("507 Insufficient Storage", "", b"");
    let server = Turns::start(vec![head(), head(), refuse, head(), head(), head()]).await;
    let destination = upload_to(&server, Upload::Put, Some(8));
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let written = write_all(&mut sink, b"01234567").await;
    let failure = match written {
        Ok(()) => within(SOON, sink.finish()).await.unwrap_err(),
        Err(failure) => failure,
    };
    assert!(!failure.is_transient());
    within(SOON, sink.discard(false)).await.unwrap();
    assert_eq!(sink.holds(), Holds::Old);
    assert!(
        server
            .lines()
            .iter()
            .all(|line| !line.starts_with("DELETE"))
    );
}

#[tokio::test]
async fn an_entity_that_holds_other_bytes_is_not_delivered() {
    let bytes = image(1000);
    let mut other = bytes.clone();
    other[999] ^= 1;
    let server = Turns::start(vec![absent(), created(), Turn::file("200 OK", "", &other)]).await;
    let destination = upload_to(&server, Upload::Put, Some(1000));
    let transport = transport();
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, &bytes).await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    let failure = within(SOON, sink.verify(&digest(&bytes)))
        .await
        .unwrap_err();
    assert!(
        matches!(failure.fault, Fault::WrongDigest { .. }),
        "{failure}"
    );
}

/// An entity that takes files and shows none is proven by nothing.
#[tokio::test]
async fn an_entity_that_shows_no_file_is_delivered_without_proof() {
    let no = || Turn::says(*b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
    let turns = vec![no(), no(), Turn::file("204 No Content", "", b"")];
    let turns = [turns, vec![no(); 20]].concat();
    let server = Turns::start(turns).await;
    let destination = upload_to(&server, Upload::Put, Some(8));
    assert_eq!(send_to(&destination, b"01234567").await, Ok(Verified::None));
}

#[tokio::test]
async fn an_entity_of_webdav_gets_its_file_by_a_rename() {
    let bytes = image(1000);
    let whole = || Turn::file("200 OK", "", &bytes);
    let server = Turns::start(vec![
        // The final name, and the names beside it, which have to be free for sure.
        Turn::says(*b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"),
        absent(),
        // Whether it can rename at all, the file, and the proof of it.
        absent(),
        created(),
        whole(),
        Turn::file("204 No Content", "", b""),
        whole(),
        absent(),
    ])
    .await;
    let destination = Destination {
        staging: Staging::Rename,
        ..upload_to(&server, Upload::Put, Some(1000))
    };
    assert_eq!(send_to(&destination, &bytes).await, Ok(Verified::Readback));
    let asked = server.asked();
    let moved = asked.iter().rfind(|one| one.line().starts_with("MOVE"));
    let moved = moved.unwrap();
    assert_eq!(moved.line(), format!("MOVE {} HTTP/1.1", staging()));
    let to = format!("http://{}{PATH}", server.address);
    assert_eq!(moved.header("destination"), Some(&*to));
    assert_eq!(moved.header("overwrite"), Some("T"));
}

#[tokio::test]
async fn an_entity_that_can_not_rename_is_told_before_anything_is_sent() {
    let server = Turns::start(vec![
        Turn::says(*b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"),
        absent(),
        Turn::file("405 Method Not Allowed", "", b""),
    ])
    .await;
    let destination = Destination {
        staging: Staging::Rename,
        ..upload_to(&server, Upload::Put, Some(8))
    };
    let failure = send_to(&destination, b"01234567").await.unwrap_err();
    assert!(matches!(failure.fault, Fault::NoRename { .. }), "{failure}");
    assert!(server.lines().iter().all(|line| !line.starts_with("PUT")));
}

/// Nothing is known of an entity that was never reached.
#[tokio::test]
async fn an_entity_that_is_not_there_was_not_begun() {
    let server = Turns::start(vec![absent()]).await;
    let destination = upload_to(&server, Upload::Put, Some(8));
    let transport = transport();
    let opened = within(
        SOON,
        Delivery::open(&transport as &dyn Transport, &destination, None),
    );
    let not_opened = opened.await.err().unwrap();
    assert!(
        matches!(not_opened.failure.fault, Fault::Refused { .. }),
        "{not_opened:?}"
    );
    assert_eq!(not_opened.failure.step, Step::Connect);
    assert_eq!(not_opened.holds, Some(Holds::Nothing));
}

/// Requests over two connections have no order: a server may begin one that was given up after it has said that there
/// is no such file.
#[tokio::test]
async fn a_file_that_comes_late_of_an_upload_that_was_given_up_is_removed() {
    let given_up = created().reading(Body::Bytes(1)).holding();
    let gone = Turn::says(*b"HTTP/1.1 204 No Content\r\n\r\n");
    let server = Turns::start(vec![given_up, absent(), absent(), gone]).await;
    let destination = upload_to(&server, Upload::Put, Some(400_000));
    let mut sink = (transport().open_sink(&destination).await).unwrap();
    let path = RemotePath::new("/flash/image.bin").unwrap();
    sink.store(&path).await.unwrap();
    sink.write(b"0").await.unwrap();
    let arrives = async {
        while server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(SOON, arrives).await;
    sink.abort();
    assert_eq!(sink.delete(&path).await, Ok(Reply::Done));
    let deleted = "DELETE /flash/image.bin HTTP/1.1";
    assert_eq!(server.lines()[1..], [deleted; 3]);
}
