//! Clients of other makes, as devices have them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::*;
use crate::common::image;
use crate::support::real::client_or_skip;

const LENGTH: usize = 5_000_001;
const BREAK: usize = 3_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Curl,
    /// HTTP/1.0.
    OldCurl,
    Wget,
    Busybox,
    Lftp,
    /// In four parts at once.
    Pget,
}

use Client::*;

impl Client {
    fn program(self) -> Option<PathBuf> {
        client_or_skip(match self {
            Curl | OldCurl => "curl",
            Wget => "wget",
            Busybox => "busybox",
            Lftp | Pget => "lftp",
        })
    }

    /// Whether it says that it has the file. Asked once, without trying again by itself.
    async fn fetches(self, url: &str, to: &Path, goes_on: bool) -> bool {
        let Some(program) = self.program() else {
            return false;
        };
        let mut command = Command::new(program);
        let to = to.to_str().unwrap();
        match self {
            Curl => command.args(["-fsS", "-o", to]),
            OldCurl => command.args(["-0", "-fsS", "-o", to]),
            Wget => command.args(["-nv", "--tries=1", "-O", to]),
            Busybox => command.args(["wget", "-q", "-O", to]),
            Lftp | Pget => {
                let get = match self {
                    Lftp if goes_on => "get -c",
                    Lftp => "get",
                    _ => "pget -n 4",
                };
                let retries = if self == Lftp { 1 } else { 20 };
                command.args([
                    "-c",
                    &format!(
                        "set net:max-retries {retries}; set net:reconnect-interval-base 1; \
                     set net:reconnect-interval-max 1; set xfer:clobber yes; \
                     set pget:min-chunk-size 64k; {get} {url} -o {to}"
                    ),
                ])
            }
        };
        match self {
            Curl | OldCurl if goes_on => command.args(["-C", "-", url]),
            Wget | Busybox if goes_on => command.args(["-c", url]),
            Lftp | Pget => &mut command,
            _ => command.arg(url),
        };
        command.env("HOME", "/nonexistent").env("no_proxy", "*");
        let ran = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let ran = within(LONG, ran).await.unwrap();
        println!("{self:?}: {}", String::from_utf8_lossy(&ran.stderr));
        ran.status.success()
    }
}

fn how(size_unknown: bool, break_at: Option<usize>) -> How {
    How {
        size_unknown,
        break_at,
        one_at_a_time: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_gets_the_image() {
    let (image, dir) = (image(LENGTH), tempfile::tempdir().unwrap());
    for size_unknown in [false, true] {
        for client in [Curl, OldCurl, Wget, Busybox, Lftp] {
            if client.program().is_none() {
                continue;
            }
            let served = Served::start(&image, how(size_unknown, None)).await;
            let to = dir.path().join(format!("{client:?}{size_unknown}"));
            assert!(
                client.fetches(&served.url, &to, false).await,
                "{client:?} {size_unknown}"
            );
            assert!(std::fs::read(&to).unwrap() == image, "{client:?}");
            let seen = served.seen();
            assert!(
                !seen.contains(&Seen::BrokenOff) && !seen.contains(&Seen::Gone),
                "{client:?}: {seen:?}"
            );
            served.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_takes_a_part_for_the_whole() {
    let (image, dir) = (image(LENGTH), tempfile::tempdir().unwrap());
    for size_unknown in [false, true] {
        for client in [Curl, OldCurl, Wget, Busybox, Lftp] {
            if client.program().is_none() {
                continue;
            }
            let served = Served::start(&image, how(size_unknown, Some(BREAK))).await;
            let to = dir.path().join(format!("{client:?}{size_unknown}"));
            let took = client.fetches(&served.url, &to, false).await;
            served.until(Seen::BrokenOff).await;
            // One that asks again by itself may have all of it in the end.
            let whole = std::fs::read(&to).is_ok_and(|bytes| bytes == image);
            assert!(
                !took || client == Lftp && whole,
                "{client:?} {size_unknown}"
            );
            served.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_at_the_byte_where_it_was_broken_off() {
    let (image, dir) = (image(LENGTH), tempfile::tempdir().unwrap());
    for client in [Curl, OldCurl, Wget, Busybox, Lftp] {
        if client.program().is_none() {
            continue;
        }
        let served = Served::start(&image, how(false, None)).await;
        let to = dir.path().join(format!("{client:?}"));
        std::fs::write(&to, &image[..BREAK]).unwrap();
        assert!(client.fetches(&served.url, &to, true).await, "{client:?}");
        assert!(std::fs::read(&to).unwrap() == image, "{client:?}");
        let bytes = |seen: &Seen| matches!(seen, Seen::Wanted(Wanted::Bytes { .. }));
        let asked: Vec<Seen> = served.seen().into_iter().filter(bytes).collect();
        let (from, until) = (BREAK as u64, None);
        assert_eq!(
            asked,
            [Seen::Wanted(Wanted::Bytes { from, until })],
            "{client:?}"
        );
        served.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_parts_at_once_gets_them_one_after_another_or_fails() {
    let (image, dir) = (image(LENGTH), tempfile::tempdir().unwrap());
    if Pget.program().is_none() {
        return;
    }
    for one_at_a_time in [false, true] {
        let how = How {
            one_at_a_time,
            ..How::default()
        };
        let served = Served::start(&image, how).await;
        let to = dir.path().join(format!("{one_at_a_time}"));
        let took = Pget.fetches(&served.url, &to, false).await;
        let whole = std::fs::read(&to).is_ok_and(|bytes| bytes == image);
        println!(
            "one at a time: {one_at_a_time}, whole: {whole}, {:?}",
            served.seen()
        );
        assert_eq!(took, whole);
        assert!(took || one_at_a_time);
        served.end().await;
    }
}
