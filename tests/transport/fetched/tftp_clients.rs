//! TFTP with curl, tftp-hpa, atftp and busybox.

use super::relay::relay;
use super::tftp::{Served, serve};
use super::*;

/// A client, its program, and its arguments for an address, a port and a name.
struct Make {
    name: &'static str,
    program: &'static str,
    arguments: fn(&str, &str, &str) -> Vec<String>,
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn curl(more: &[&str], host: &str, port: &str, name: &str) -> Vec<String> {
    let url = format!("tftp://{host}:{port}/{name}");
    let all = ["-sS", "--max-time", "100", "-o", "got"];
    words(&[&all, more, &[&url]].concat())
}

fn atftp(options: &[&str], host: &str, port: &str, name: &str) -> Vec<String> {
    let mut all = vec!["--get", "--remote-file", name, "--local-file", "got"];
    for option in options {
        all.extend(["--option", option]);
    }
    all.extend([host, port]);
    words(&all)
}

const ATFTP_WINDOWS: Make = Make {
    name: "atftp with windows",
    program: "atftp",
    arguments: |host, port, name| atftp(&["blksize 1428", "windowsize 16"], host, port, name),
};

const ATFTP_SMALL: Make = Make {
    name: "atftp with windows of 512 bytes",
    program: "atftp",
    arguments: |host, port, name| atftp(&["windowsize 16"], host, port, name),
};

const TFTP_HPA: Make = Make {
    name: "tftp-hpa",
    program: "tftp",
    arguments: |host, port, name| words(&["-m", "binary", host, port, "-c", "get", name, "got"]),
};

const MAKES: [Make; 8] = [
    Make {
        name: "curl",
        program: "curl",
        arguments: |host, port, name| curl(&["--tftp-blksize", "1428"], host, port, name),
    },
    Make {
        name: "curl without options",
        program: "curl",
        arguments: |host, port, name| curl(&["--tftp-no-options"], host, port, name),
    },
    TFTP_HPA,
    Make {
        name: "atftp",
        program: "atftp",
        arguments: |host, port, name| atftp(&[], host, port, name),
    },
    ATFTP_SMALL,
    ATFTP_WINDOWS,
    Make {
        name: "busybox",
        program: "busybox",
        arguments: |host, port, name| words(&["tftp", "-g", "-r", name, "-l", "got", host, port]),
    },
    Make {
        name: "busybox with large blocks",
        program: "busybox",
        arguments: |host, port, name| {
            words(&[
                "tftp", "-g", "-b", "1428", "-r", name, "-l", "got", host, port,
            ])
        },
    },
];

/// Whether it says that it has the file, its words, and what it has.
async fn fetch(
    make: &Make,
    at: SocketAddr,
    served: &Served,
) -> Option<(bool, String, Option<Vec<u8>>)> {
    let client = Client::of(make.program)?;
    let (host, port) = (at.ip().to_string(), at.port().to_string());
    let arguments = (make.arguments)(&host, &port, &served.name);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    served.agent.idle().await;
    let (good, said) = client.run(&arguments).await;
    // It says so in words alone.
    let good = good && !said.contains("Error code") && !said.contains("timed out");
    Some((good, said, client.got()))
}

/// `false`: the client is not installed here.
async fn fetches(make: &Make, at: SocketAddr, served: &Served) -> bool {
    let Some((good, said, got)) = fetch(make, at, served).await else {
        return false;
    };
    assert!(good, "{}: {said}", make.name);
    let got = got.unwrap_or_default();
    let length = served.agent.image.len();
    assert!(
        got == served.agent.image,
        "{}: {} of {length} bytes",
        make.name,
        got.len()
    );
    true
}

/// A file that fills its blocks ends with an empty one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_all_lengths_are_fetched_as_they_are() {
    for length in [1, 511, 512, 513, 1428 * 16, 2_000_000] {
        let served = serve(Agent::of(image(length))).await;
        let mut fetched = 0;
        for make in &MAKES {
            fetched += usize::from(fetches(make, served.address, &served).await);
        }
        served.agent.idle().await;
        assert_eq!(served.agent.sent(), fetched);
    }
}

/// Numbers begin again three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_more_blocks_than_numbers_are_fetched_as_they_are() {
    let served = serve(Agent::of(image(100 << 20))).await;
    for make in [&TFTP_HPA, &ATFTP_SMALL] {
        fetches(make, served.address, &served).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_fetched_as_they_are_although_one_packet_in_a_hundred_is_lost() {
    for make in [&MAKES[0], &TFTP_HPA, &ATFTP_WINDOWS] {
        // Each has one of its own: where the last acknowledgement is lost, the one before is still being served.
        let mut served = serve(Agent::of(image(1_000_000))).await;
        let at = relay(served.address, &mut served.tasks).await;
        fetches(make, at, &served).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_takes_what_broke_off_for_whole() {
    // At the end of a block too.
    for at in [100_000, 1428 * 32, 512 * 64] {
        let mut agent = Agent::of(image(300_000));
        agent.breaks_at = Some(at);
        let served = serve(agent).await;
        for make in &MAKES {
            let Some((good, said, _)) = fetch(make, served.address, &served).await else {
                continue;
            };
            assert!(!good, "{}: {said}", make.name);
        }
        assert_eq!(served.agent.sent(), 0);
    }
}
