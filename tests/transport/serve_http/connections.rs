//! How a connection is held and how it ends.

use std::future::poll_fn;
use std::task::Poll;

use super::*;
use crate::common::image;
use subtend::transport::serve::Giver;

/// More than any socket holds.
const MUCH: usize = 64 << 20;

/// A request, when its answer begins: the device's end, and that of its agent.
async fn begun(
    desk: &Desk,
    offered: &mut Offered,
    version: &str,
    size: Option<u64>,
) -> (TcpStream, Giver) {
    let mut device = TcpStream::connect(desk.address(Over::Http).unwrap())
        .await
        .unwrap();
    let request = format!("GET /{} {version}\r\n\r\n", offered.name());
    device.write_all(request.as_bytes()).await.unwrap();
    let Some(Visit::Asked(asked)) = within(LONG, offered.visit()).await else {
        panic!("nothing was asked");
    };
    let (giver, pieces) = pieces();
    let pieces = Some(pieces);
    asked.answer.send(Ok(Answer { size, pieces })).unwrap();
    (device, giver)
}

async fn rest(device: &mut TcpStream) -> std::io::Result<usize> {
    within(LONG, device.read_to_end(&mut Vec::new())).await
}

fn is_reset<T: std::fmt::Debug>(read: std::io::Result<T>) -> bool {
    read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

#[tokio::test]
async fn what_is_broken_off_is_never_taken_for_whole() {
    let desk = desk().await;
    let mut offered = offered(&desk);
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        for size in [None, Some(100), Some(3)] {
            let (mut device, giver) = begun(&desk, &mut offered, version, size).await;
            giver.give(Bytes::from_static(b"abc")).await.unwrap();
            giver.ready().await.unwrap();
            drop(giver);
            assert!(is_reset(rest(&mut device).await), "{version} {size:?}");
        }
    }
    // More or less than is announced.
    for piece in [&b"ab"[..], b"abcd"] {
        let (mut device, giver) = begun(&desk, &mut offered, "HTTP/1.0", Some(3)).await;
        giver.give(Bytes::from_static(piece)).await.unwrap();
        assert_eq!(within(LONG, giver.end()).await, Err(Gone));
        assert!(is_reset(rest(&mut device).await));
    }
    desk.close().await;
}

#[tokio::test]
async fn a_device_that_takes_nothing_is_broken_off_when_its_agent_gives_up() {
    let desk = desk().await;
    let mut offered = offered(&desk);
    let (mut device, giver) = begun(&desk, &mut offered, "HTTP/1.1", None).await;
    giver.give(vec![7; MUCH].into()).await.unwrap();
    giver.give(Bytes::from_static(b"b")).await.unwrap();
    let mut ready = Box::pin(giver.ready());
    let is_ready = poll_fn(|cx| Poll::Ready(ready.as_mut().poll(cx).is_ready())).await;
    assert!(!is_ready, "no more than one piece waits");
    drop(ready);
    drop(giver);
    assert!(is_reset(rest(&mut device).await));
    desk.close().await;
}

#[tokio::test]
async fn nothing_is_sent_before_the_device_has_room_for_it() {
    let desk = desk().await;
    let mut offered = offered(&desk);
    let (device, giver) = begun(&desk, &mut offered, "HTTP/1.1", Some(MUCH as u64)).await;
    giver.give(vec![7; MUCH].into()).await.unwrap();
    let gone = async {
        device.readable().await.unwrap();
        drop(device);
    };
    let (ended, ()) = within(LONG, async { tokio::join!(giver.end(), gone) }).await;
    assert_eq!(ended, Err(Gone));
    desk.close().await;
}

#[tokio::test]
async fn an_agent_learns_of_a_device_that_leaves_while_it_waits() {
    let desk = desk().await;
    let mut offered = offered(&desk);
    let mut device = TcpStream::connect(desk.address(Over::Http).unwrap())
        .await
        .unwrap();
    let request = format!("GET /{} HTTP/1.1\r\n\r\n", offered.name());
    device.write_all(request.as_bytes()).await.unwrap();
    let Some(Visit::Asked(mut asked)) = within(LONG, offered.visit()).await else {
        panic!("nothing was asked");
    };
    drop(device);
    within(LONG, asked.answer.closed()).await;
    let (device, giver) = begun(&desk, &mut offered, "HTTP/1.1", None).await;
    drop(device);
    within(LONG, giver.gone()).await;
    desk.close().await;
}

#[tokio::test]
async fn closing_ends_what_is_under_way_and_frees_the_port() {
    for closes in [true, false] {
        let desk = desk().await;
        let mut offered = offered(&desk);
        let at = desk.address(Over::Http).unwrap();
        let (mut device, giver) = begun(&desk, &mut offered, "HTTP/1.0", None).await;
        giver.give(Bytes::from_static(b"abc")).await.unwrap();
        giver.ready().await.unwrap();
        let mut silent = TcpStream::connect(at).await.unwrap();
        if closes {
            within(LONG, desk.close()).await;
            std::net::TcpListener::bind(at).unwrap();
        } else {
            drop(desk);
        }
        within(LONG, giver.gone()).await;
        assert!(is_reset(rest(&mut device).await));
        assert!(rest(&mut silent).await.is_err(), "it was closed");
    }
}

#[tokio::test]
async fn endless_heads_are_refused() {
    let served = Served::start(&image(10), How::default()).await;
    let mut device = TcpStream::connect(served.address).await.unwrap();
    device.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (mut reads, mut writes) = device.split();
    let writing = async {
        while writes
            .write_all(b"X-More: and more of it\r\n")
            .await
            .is_ok()
        {}
    };
    let mut answer = [0; 12];
    let reading = async { reads.read_exact(&mut answer).await.unwrap() };
    tokio::select! {
        _ = within(LONG, reading) => {}
        () = writing => panic!("it was cut off without a word"),
    }
    assert_eq!(&answer, b"HTTP/1.1 431");
    served.end().await;
}
