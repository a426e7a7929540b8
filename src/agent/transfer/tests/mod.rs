//! All lists of up to three sources in which each gives the image, refuses, breaks off, is too slow, or holds
//! another one, with and without a known digest, read by the transfer agent to the end of the last pass.
//!
//! Of file servers, a small model says what must come of it: which bytes, from whom, after how many passes
//! and how much was read. Where peers are among them, the promises are checked.

mod hosts;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::campaign::{Course, SharedTogether, Terms};
use crate::caps::Caps;
use crate::inspect::PeerRegistry;
use crate::model::{
    Entity, FileServer, Group, Image, Limits, Logins, Name, PeerChoice, SourceChoice, testing,
};
use crate::pool::{Budget, BufferPool, Next};
use hosts::{ALL, BLOCK, BREAKS, BRINGS, Hosts, Like, Seen, image};

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The bytes that an entity has, from its last attempt; `None`: it failed.
    delivered: Option<Vec<u8>>,
    passes: u32,
    /// Of all sources, proofs included.
    read: u64,
    opened: Vec<(usize, u64)>,
}

fn group_of(likes: &[Like], peers: u32, is_known: bool) -> Group {
    let image = Arc::new(Image {
        size: None,
        sha256: is_known.then(|| Sha256::digest(image()).into()),
        ..testing::image()
    });
    let source = |number: usize| {
        let name = format!("s{number}");
        let address = testing::address(&name);
        match peers & 1 << number {
            0 => SourceChoice::FileServer(Arc::new(FileServer {
                name: name.into(),
                address,
                ..testing::server()
            })),
            _ => SourceChoice::Peer(PeerChoice::Named(Arc::new(Entity {
                address,
                ..testing::entity(&name, &image.version)
            }))),
        }
    };
    let mut sources = (0..likes.len()).map(source);
    Group {
        image: image.clone(),
        source: sources.next().unwrap(),
        then: sources.collect(),
        limits: Limits {
            retries: 0,
            ..Limits::default()
        },
        ..testing::group("g", vec![Arc::new(testing::entity("e", "1"))])
    }
}

/// As the management agent has it: a pass, and another one while sources have sent another image.
async fn run(likes: &[Like], peers: u32, is_known: bool) -> (Outcome, Result<(), Failure>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let hosts = Arc::new(Hosts {
        likes: likes.to_vec(),
        seen: seen.clone(),
    });
    let group = Arc::new(group_of(likes, peers, is_known));
    let (holders, logins) = (PeerRegistry::default(), Arc::new(Logins::default()));
    let mut outcome = Outcome {
        delivered: None,
        passes: 0,
        read: 0,
        opened: Vec::new(),
    };
    let chosen = Sources::choose(&hosts, &group, &logins, &holders, &[]).await;
    let sources = match chosen {
        Ok(sources) => Arc::new(sources),
        Err(failure) => return (outcome, Err(failure)),
    };
    let meters = GroupMeters::new(&group, &Caps::new(&[]));
    let (reports, _kept) = mpsc::unbounded_channel();
    let digests = Arc::new(Digests::default());
    let mut before = sources.passed_over.clone();
    let result = loop {
        let (candidates, first) = sources.order(outcome.passes > 0, &HashSet::new());
        if candidates.is_empty() {
            break Err(sources.failed(Vec::new(), Step::Select));
        }
        outcome.passes += 1;
        assert!(outcome.passes < 10, "there is no end to it: {likes:?}");
        let left = |number: &usize| {
            let name: Name = format!("s{number}").into();
            let is_peer = peers & 1 << number != 0;
            let peer = is_peer.then_some(&name);
            sources.was_left(&name, peer)
        };
        let not_to_be_opened: Vec<usize> = (0..likes.len()).filter(left).collect();
        let opened = seen.lock().unwrap().opened.len();
        let (pool, writer) = BufferPool::new(&Budget::new(BLOCK as u64 * 4), BLOCK, 2);
        let mut reader = pool.join_at(0).unwrap();
        let agent = TransferAgent {
            transport: hosts.clone(),
            pass: outcome.passes,
            origin: 0,
            state: State::default(),
            proven: sources.proven(),
            before: before.take(),
            sources: sources.clone(),
            digests: digests.clone(),
            meters: meters.clone(),
            counters: Arc::default(),
            reads_from: Arc::default(),
            reporter: Reporter {
                index: 0,
                group: group.clone(),
                reports: reports.clone(),
                course: Arc::new(Mutex::new(Course::new(Terms::of(&group, &[]), 0))),
                mates: crate::agent::report::Mates {
                    together: SharedTogether::default(),
                    started: crate::campaign::Together::default().start(None),
                },
            },
            cancel: CancellationToken::new(),
            broken: CancellationToken::new(),
        };
        let reads = async {
            let mut bytes = Vec::new();
            loop {
                match reader.next().await {
                    Next::Block(block) => bytes.extend_from_slice(&block),
                    Next::End(_) => return Some(bytes),
                    Next::Failed(_) | Next::Abandoned => return None,
                }
            }
        };
        let route = Route::new(candidates, first, group.limits);
        let (end, bytes) = tokio::join!(agent.run(route, writer), reads);
        for (number, _) in &seen.lock().unwrap().opened[opened..] {
            assert!(!not_to_be_opened.contains(number), "s{number} was left");
        }
        match end {
            PassEnd::Whole => {
                outcome.delivered = bytes;
                break Ok(());
            }
            PassEnd::Failed(failure) => match failure.fault {
                Fault::Deceived { name, .. } => before = Some(name),
                _ => break Err(failure),
            },
            PassEnd::Abandoned => unreachable!("it reads to the end"),
        }
    };
    outcome.read = meters.source_bytes.load(Ordering::Relaxed);
    outcome.opened = std::mem::take(&mut seen.lock().unwrap().opened);
    (outcome, result)
}

/// What must come of file servers alone.
fn expected(likes: &[Like], is_known: bool) -> Outcome {
    let mut outcome = Outcome {
        delivered: None,
        passes: 0,
        read: 0,
        opened: Vec::new(),
    };
    let (mut left, mut suspected, mut gone) = (HashSet::new(), HashSet::new(), HashSet::new());
    'passes: loop {
        let mut order: Vec<usize> = (0..likes.len()).filter(|one| !left.contains(one)).collect();
        order.sort_by_key(|one| suspected.contains(one));
        if order.is_empty() {
            return outcome;
        }
        outcome.passes += 1;
        let (mut bytes, mut givers, mut size) = (Vec::new(), Vec::new(), None);
        for one in order {
            let (like, holds) = (likes[one], likes[one].holds());
            let proves = !is_known && !bytes.is_empty();
            let from = if proves { 0 } else { bytes.len() };
            outcome.opened.push((one, from as u64));
            if like == Like::Refuses || gone.contains(&one) {
                continue;
            }
            if *size.get_or_insert(holds.len()) != holds.len() {
                continue;
            }
            // How far it is read from there.
            let end = match like {
                Like::Breaks => BREAKS,
                Like::Slow => (from + BRINGS.min(BLOCK - from % BLOCK)).min(holds.len()),
                _ => holds.len(),
            };
            if proves {
                outcome.read += end.min(bytes.len()).saturating_sub(from) as u64;
            }
            let is_cut = end < holds.len();
            if like == Like::Breaks {
                gone.insert(one);
            }
            if proves && end < bytes.len() {
                continue;
            }
            if proves && holds[..bytes.len()] != bytes {
                left.insert(one);
                continue;
            }
            if end > bytes.len() {
                outcome.read += (end - bytes.len()) as u64;
                givers.push(one);
                bytes.extend_from_slice(&holds[bytes.len()..end]);
            }
            if is_cut {
                continue;
            }
            if !is_known || bytes == image() {
                outcome.delivered = Some(bytes);
                return outcome;
            }
            match givers.split_last() {
                Some((_, [])) if left.len() + 1 == likes.len() => return outcome,
                Some((_, earlier)) if earlier.iter().any(|one| suspected.insert(*one)) => {
                    suspected.extend(earlier);
                }
                _ => left.extend(givers.last()),
            }
            continue 'passes;
        }
        return outcome;
    }
}

fn lists() -> Vec<Vec<Like>> {
    let mut lists: Vec<Vec<Like>> = vec![Vec::new()];
    let mut longest = lists.clone();
    for _ in 0..3 {
        let with = |list: &Vec<Like>| ALL.map(|like| [list.as_slice(), &[like]].concat());
        longest = longest.iter().flat_map(with).collect();
        lists.extend(longest.iter().cloned());
    }
    lists.remove(0);
    lists
}

#[tokio::test]
async fn what_comes_of_file_servers_is_what_the_model_says() {
    let mut count = 0;
    for likes in lists() {
        for is_known in [true, false] {
            let (outcome, result) = run(&likes, 0, is_known).await;
            let what = format!("{likes:?}, known: {is_known}: {result:?}");
            assert_eq!(outcome, expected(&likes, is_known), "{what}");
            check(&likes, 0, is_known, &outcome, result);
            count += 1;
        }
    }
    assert_eq!(count, 2 * (7 + 49 + 343));
}

#[tokio::test]
async fn the_promises_hold_where_peers_are_among_them() {
    for likes in lists() {
        for peers in 1..1 << likes.len() {
            for is_known in [true, false] {
                let (outcome, result) = run(&likes, peers, is_known).await;
                check(&likes, peers, is_known, &outcome, result);
            }
        }
    }
}

fn check(
    likes: &[Like],
    peers: u32,
    is_known: bool,
    outcome: &Outcome,
    result: Result<(), Failure>,
) {
    let what = format!("{likes:?}, peers {peers:b}, known: {is_known}: {result:?}");
    if let Some(bytes) = &outcome.delivered {
        let is_one = |like: &Like| like.holds() == *bytes;
        assert!(likes.iter().any(is_one), "a mixture: {what}");
        assert!(!is_known || *bytes == image(), "another image: {what}");
    }
    if likes.contains(&Like::Good) {
        let is_right = outcome.delivered.is_some();
        assert!(is_right, "one had the image: {what}");
        // Where nothing tells, the first that is whole is taken, as the operator prefers it.
        let is_any_wrong = likes.iter().any(|like| like.is_wrong());
        assert!(is_any_wrong || outcome.delivered == Some(image()), "{what}");
    }
    let Err(failure) = result else {
        return;
    };
    let said = failure.to_string();
    for (number, like) in likes.iter().enumerate() {
        let name = format!("s{number}");
        let after = said.split_once(&format!("{name}: "));
        let after = after.or_else(|| said.split_once(&format!("{name} failed: ")));
        let (_, after) = after.unwrap_or_else(|| panic!("{name} is not named: {what}"));
        let after = after.split("; s").next().unwrap_or_default();
        let after = after.split("; peer:").next().unwrap_or_default();
        // A file server was believed, as it is where the image comes from.
        let believed = ["a file of another size", "not those that were read before"];
        let more = if peers & 1 << number == 0 {
            &[][..]
        } else {
            &believed
        };
        let mut words = like.words().iter().chain(more);
        let is_told = words.any(|word| after.contains(word));
        assert!(is_told, "{name} for another reason: {said}");
    }
}
