//! Requests to the byte.

use super::*;
use crate::common::image;

const LENGTH: usize = 200_001;

fn bytes(from: u64, until: Option<u64>) -> Seen {
    Seen::Wanted(Wanted::Bytes { from, until })
}

#[tokio::test]
async fn a_part_is_given_as_it_is_asked_for() {
    let image = image(LENGTH);
    let served = Served::start(&image, How::default()).await;
    let tag = format!("\"{}\"", served.path.split('/').nth(1).unwrap());
    let end = LENGTH - 1;
    for (header, status, part) in [
        ("".to_owned(), "200", 0..LENGTH),
        ("Range: bytes=5-".into(), "206", 5..LENGTH),
        ("Range: bytes=5-9".into(), "206", 5..10),
        (format!("Range: bytes=5-{LENGTH}"), "206", 5..LENGTH),
        ("Range: bytes=-7".into(), "206", LENGTH - 7..LENGTH),
        (format!("Range: bytes={end}-"), "206", end..LENGTH),
        ("Range: bytes=0-1,5-6".into(), "200", 0..LENGTH),
        ("Range: rows=0-1".into(), "200", 0..LENGTH),
        (
            format!("Range: bytes=5-\r\nIf-Range: {tag}"),
            "206",
            5..LENGTH,
        ),
        (
            "Range: bytes=5-\r\nIf-Range: \"other\"".into(),
            "200",
            0..LENGTH,
        ),
        (format!("If-Match: {tag}"), "200", 0..LENGTH),
    ] {
        let request = format!("GET PATH?v=1 HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n");
        // Without a header, that was one line end too many.
        let request = request.replace("\r\n\r\n\r\n", "\r\n\r\n");
        let (head, body) = served.ask(&request).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status}")),
            "{header}: {head}"
        );
        assert!(body == image[part.clone()], "{header}: {}", body.len());
        let length = format!("\r\ncontent-length: {}\r\n", part.len());
        let range = format!(
            "\r\ncontent-range: bytes {}-{}/{LENGTH}\r\n",
            part.start,
            part.end - 1
        );
        assert!(head.contains(&length), "{head}");
        assert_eq!(head.contains(&range), status == "206", "{head}");
        assert!(head.contains("\r\naccept-ranges: bytes\r\n"), "{head}");
        assert!(head.contains(&format!("\r\netag: {tag}\r\n")), "{head}");
        assert!(
            head.contains("\r\ncontent-type: application/octet-stream\r\n"),
            "{head}"
        );
    }
    let asked = served.seen();
    assert!(
        asked.contains(&bytes(5, Some(10))) && asked.contains(&bytes(5, None)),
        "{asked:?}"
    );
    served.end().await;
}

#[tokio::test]
async fn what_can_not_be_given_is_refused_in_words() {
    let served = Served::start(&image(LENGTH), How::default()).await;
    for (request, status, header, words) in [
        (
            "GET PATH HTTP/1.1\r\nRange: bytes=200001-\r\n\r\n",
            "416",
            "content-range: bytes */200001",
            "has 200001 bytes",
        ),
        (
            "GET PATH HTTP/1.1\r\nRange: bytes=-0\r\n\r\n",
            "416",
            "content-range: bytes */200001",
            "has 200001 bytes",
        ),
        (
            "GET /x/\u{1b}[31m/image.bin HTTP/1.1\r\n\r\n",
            "400",
            "",
            "",
        ),
        (
            "GET /../../etc/passwd HTTP/1.1\r\n\r\n",
            "404",
            "",
            "nothing of this name",
        ),
        (
            "GET PATH%00 HTTP/1.0\r\n\r\n",
            "404",
            "",
            "nothing of this name",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "404", "", "nothing of this name"),
        (
            "PUT PATH HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "405",
            "allow: get, head",
            "only read",
        ),
        (
            "POST PATH HTTP/1.1\r\nContent-Length: 999999999\r\n\r\nabc",
            "405",
            "allow: get, head",
            "",
        ),
        (
            "DELETE PATH HTTP/1.1\r\n\r\n",
            "405",
            "allow: get, head",
            "only read",
        ),
        (
            "OPTIONS * HTTP/1.1\r\n\r\n",
            "405",
            "allow: get, head",
            "only read",
        ),
        (
            "GET PATH HTTP/1.1\r\nIf-Match: \"x\"\r\n\r\n",
            "412",
            "",
            "another image",
        ),
    ] {
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        let asked = request.replace("PATH", &served.path);
        socket.write_all(asked.as_bytes()).await.unwrap();
        // What the server goes on waiting for, where a body was announced.
        socket.shutdown().await.unwrap();
        let mut answer = String::new();
        let read = within(LONG, socket.read_to_string(&mut answer)).await;
        read.unwrap();
        let answer = answer.to_lowercase();
        let status = format!(
            "http/1.{} {status} ",
            u8::from(!request.contains("HTTP/1.0"))
        );
        assert!(answer.starts_with(&status), "{request}: {answer}");
        assert!(
            answer.contains(header) && answer.contains(words),
            "{request}: {answer}"
        );
    }
    let asked = served.seen();
    let sizes = [Seen::Wanted(Wanted::Size), Seen::Wanted(Wanted::Size)];
    assert_eq!(asked, sizes, "no byte of it was asked for");
    served.end().await;
}

#[tokio::test]
async fn the_size_alone_and_other_ways_to_name_the_file() {
    let image = image(LENGTH);
    let served = Served::start(&image, How::default()).await;
    let (head, body) = served
        .ask("HEAD PATH HTTP/1.1\r\nHost: a\r\nRange: bytes=5-\r\n\r\n")
        .await;
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-length: 200001\r\n"),
        "{head}"
    );
    assert!(body.is_empty());
    let (head, body) = served.ask("HEAD / HTTP/1.1\r\n\r\n").await;
    assert!(
        head.starts_with("http/1.1 404") && body.is_empty(),
        "{head}"
    );
    for target in [
        "http://any.example:1PATH".to_owned(),
        served.path.replace("image.bin", "%69mage%2ebin"),
    ] {
        let (head, body) = served.ask(&format!("GET {target} HTTP/1.1\r\n\r\n")).await;
        assert!(
            head.starts_with("http/1.1 200") && body == image,
            "{target}: {head}"
        );
    }
    served.end().await;
}

#[tokio::test]
async fn an_image_of_unknown_size_comes_in_chunks_or_up_to_the_end_of_the_connection() {
    let image = image(LENGTH);
    let how = How {
        size_unknown: true,
        ..How::default()
    };
    let served = Served::start(&image, how).await;
    let (head, body) = served
        .ask("GET PATH HTTP/1.0\r\nRange: bytes=5-\r\n\r\n")
        .await;
    assert!(head.starts_with("http/1.0 200"), "{head}");
    assert!(
        !head.contains("content-length") && !head.contains("chunked"),
        "{head}"
    );
    assert!(body == image, "a part of it can't be described");
    let (head, body) = served.ask("GET PATH HTTP/1.1\r\n\r\n").await;
    assert!(
        head.contains("transfer-encoding: chunked") && !head.contains("content-length"),
        "{head}"
    );
    assert!(body.ends_with(b"0\r\n\r\n"));
    let (head, _) = served.ask("HEAD PATH HTTP/1.1\r\n\r\n").await;
    assert!(
        head.starts_with("http/1.1 200") && !head.contains("content-length"),
        "{head}"
    );
    served.end().await;
}

#[tokio::test]
async fn a_refusal_of_the_agent_is_passed_on_in_its_words() {
    let desk = desk().await;
    let mut offered = offered(&desk);
    let address = desk.address(Over::Http).unwrap();
    let request = format!("GET /{} HTTP/1.1\r\n\r\n", offered.name());
    for (refusal, status, part) in [
        (Some(Refusal::Busy), "503", "retry-after: 2\r\n"),
        (
            Some(Refusal::NotNow("hq is down\u{1b}[2J".into())),
            "503",
            "hq is down\\u{1b}[2j",
        ),
        (
            Some(Refusal::BeyondEnd { size: 7 }),
            "416",
            "content-range: bytes */7\r\n",
        ),
        (None, "503", "not offered any more"),
    ] {
        let answering = async {
            let Some(Visit::Asked(asked)) = offered.visit().await else {
                panic!("nothing was asked");
            };
            assert_eq!(
                (asked.over, asked.by.ip()),
                (Over::Http, [127, 0, 0, 1].into())
            );
            if let Some(refusal) = refusal.clone() {
                asked.answer.send(Err(refusal)).unwrap();
            }
        };
        let (_, (head, body)) = tokio::join!(answering, ask(address, &request));
        let answer = head + &String::from_utf8(body).unwrap().to_lowercase();
        assert!(
            answer.starts_with(&format!("http/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains(part), "{answer}");
        assert!(answer.contains("content-type: text/plain"), "{answer}");
    }
    desk.close().await;
}
