//! Looking at entities: which files are there, what they say, and removing what is left over.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::One;
use crate::agent;
use crate::journal::AfterCrash;
use crate::model::{Entity, Failure, Fault, Logins, Staging, units};
use crate::transport::{Remote, Source, Transport};

/// So many entities are read or cleaned at one time.
const AT_ONCE: usize = 16;
/// Bytes of one read.
const BLOCK: usize = 64 << 10;

/// Looks at those that may have a staging file or the image.
pub(super) async fn look<T: Transport>(
    transport: &Arc<T>,
    entities: &mut [One<'_>],
    logins: &Logins,
    doubted: bool,
    readback: bool,
) {
    let mut looked: Vec<&mut One<'_>> = (entities.iter_mut())
        .filter(|one| one.entity.is_some())
        .filter(|one| {
            matches!(
                one.row.after_crash,
                AfterCrash::Staged | AfterCrash::Unknown
            )
        })
        .collect();
    let finals: Vec<Arc<Entity>> = (looked.iter())
        .filter_map(|one| one.entity.clone())
        .collect();
    let stagings: Vec<Arc<Entity>> = (finals.iter())
        .map(|entity| {
            Arc::new(Entity {
                path: entity.path.staging(),
                ..(**entity).clone()
            })
        })
        .collect();
    // One after the other: an entity may serve one session at a time.
    let named = agent::ask(transport, &finals, logins).await;
    let staged = agent::ask(transport, &stagings, logins).await;
    for ((one, named), staged) in looked.iter_mut().zip(&named).zip(&staged) {
        let direct = (one.entity.as_ref()).is_some_and(|one| one.staging == Staging::Direct);
        let verdict = judge(
            one.row.after_crash,
            direct,
            doubted,
            one.group.size,
            named,
            staged,
        );
        one.holds = verdict.holds;
        one.seen = Some(verdict.seen);
        one.is_litter = verdict.is_litter;
    }
    if readback {
        read_back(transport, &mut looked, logins).await;
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    holds: AfterCrash,
    seen: String,
    is_litter: bool,
}

/// What the sizes of the file and of its staging file say, with what the journal says already.
/// `doubted`: the journal does not even say whether anything was done to it.
fn judge(
    before: AfterCrash,
    direct: bool,
    doubted: bool,
    image: Option<u64>,
    named: &Result<Option<u64>, Failure>,
    staged: &Result<Option<u64>, Failure>,
) -> Verdict {
    let verdict = |holds, seen: &str, is_litter| Verdict {
        holds,
        seen: seen.to_owned(),
        is_litter,
    };
    let gone = |answer: &Result<_, Failure>| matches!(answer, Err(failure) if matches!(failure.fault, Fault::NoFile { .. }));
    for answer in [named, staged] {
        if let Err(failure) = answer
            && !gone(answer)
        {
            return verdict(before, &format!("can't be looked at: {failure}"), false);
        }
    }
    if direct {
        let seen = match named {
            Ok(Some(size)) => format!(
                "it was written under its final name, and has {}; --readback tells more",
                units::size(*size)
            ),
            Ok(None) => "it was written under its final name; --readback tells more".into(),
            Err(_) => "its file is not there".into(),
        };
        return verdict(AfterCrash::Unknown, &seen, false);
    }
    let may_be = match (named, image) {
        (Ok(Some(size)), Some(image)) => *size == image,
        (Ok(_), _) => true,
        (Err(_), _) => false,
    };
    match (before, gone(staged), gone(named)) {
        (AfterCrash::Unknown, true, false) if doubted && may_be => verdict(
            AfterCrash::Unknown,
            "its file may be the old one or the image; --readback tells",
            false,
        ),
        (AfterCrash::Unknown, true, false) if may_be => {
            let seen = match (named, image) {
                (Ok(Some(_)), Some(_)) => {
                    "it was renamed: the staging file is gone, and its file has the image's size"
                }
                _ => "it was renamed: the staging file is gone",
            };
            verdict(AfterCrash::Delivered, seen, false)
        }
        (_, true, false) => verdict(
            AfterCrash::Untouched,
            "there is no staging file, and its file is as it was",
            false,
        ),
        (_, true, true) => verdict(AfterCrash::Untouched, "it has neither file", false),
        _ if matches!(staged, Ok(None)) => verdict(
            before,
            "it does not tell whether there is a staging file",
            // Nothing was renamed: whatever is there is of no use.
            before == AfterCrash::Staged,
        ),
        (AfterCrash::Unknown, false, true) => verdict(
            AfterCrash::Staged,
            "the staging file is all that it has, and is kept",
            false,
        ),
        (..) => verdict(AfterCrash::Staged, "there is a staging file", true),
    }
}

/// Those that have, or may have, the image under its final name.
async fn read_back<T: Transport>(transport: &Arc<T>, looked: &mut [&mut One<'_>], logins: &Logins) {
    let mut work = Vec::new();
    for (place, one) in looked.iter().enumerate() {
        let (Some(entity), Some(sha256)) = (&one.entity, &one.group.sha256) else {
            continue;
        };
        if matches!(one.row.after_crash, AfterCrash::Unknown)
            && let Ok(remote) = agent::remote(entity, logins)
        {
            work.push((place, (remote, sha256.clone())));
        }
    }
    let transport = transport.clone();
    let digests = at_once(work, move |(remote, sha256)| {
        let transport = transport.clone();
        async move {
            digest(&*transport, &remote)
                .await
                .map(|found| found == sha256)
        }
    })
    .await;
    for (place, result) in digests {
        let Some(one) = looked.get_mut(place) else {
            continue;
        };
        match result {
            Ok(true) => {
                one.holds = AfterCrash::Delivered;
                one.seen = Some("its file was read back, and is the image".into());
            }
            Ok(false) => {
                let seen = "its file was read back, and is not the image";
                one.seen = Some(seen.into());
                if one.holds == AfterCrash::Delivered {
                    one.holds = AfterCrash::Unknown;
                }
            }
            // What was seen before stands.
            Err(failure) if matches!(failure.fault, Fault::NoFile { .. }) => {}
            Err(failure) => one.seen = Some(format!("can't be read back: {failure}")),
        }
    }
}

async fn digest<T: Transport>(transport: &T, remote: &Remote) -> Result<String, Failure> {
    let mut source = transport.open_source(remote, 0).await?;
    let mut block = vec![0; BLOCK];
    let mut hasher = Sha256::new();
    loop {
        match source.read(&mut block).await? {
            0 => break,
            count => hasher.update(&block[..count]),
        }
    }
    source.close().await;
    Ok(hex::encode(hasher.finalize()))
}

/// Removes staging files that are of no use.
pub(super) async fn clean<T: Transport>(
    transport: &Arc<T>,
    entities: &mut [One<'_>],
    logins: &Logins,
) {
    let mut work = Vec::new();
    for (place, one) in entities.iter().enumerate() {
        if let (true, Some(entity)) = (one.is_litter, &one.entity)
            && let Ok(destination) = agent::destination(entity, logins)
        {
            work.push((place, destination));
        }
    }
    let transport = transport.clone();
    let results = at_once(work, move |destination| {
        let transport = transport.clone();
        async move { transport.discard(&destination).await }
    })
    .await;
    for (place, result) in results {
        let Some(one) = entities.get_mut(place) else {
            continue;
        };
        match result {
            Ok(()) => {
                one.holds = AfterCrash::Untouched;
                one.is_litter = false;
                one.seen = Some("the staging file was removed; its file is as it was".into());
            }
            Err(failure) => {
                one.seen = Some(format!("the staging file can't be removed: {failure}"));
            }
        }
    }
}

/// Does a piece of work for each, some at a time.
async fn at_once<I, O, F>(
    items: Vec<(usize, I)>,
    work: impl Fn(I) -> F,
) -> Vec<(usize, Result<O, Failure>)>
where
    O: Send + 'static,
    F: Future<Output = Result<O, Failure>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut items = items.into_iter();
    let mut done = Vec::new();
    loop {
        while running.len() < AT_ONCE
            && let Some((place, item)) = items.next()
        {
            let future = work(item);
            running.spawn(async move { (place, future.await) });
        }
        match running.join_next().await {
            Some(Ok(result)) => done.push(result),
            Some(Err(error)) => tracing::error!("a look at an entity broke down: {error}"),
            None => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Step;

    #[test]
    fn what_the_sizes_say() {
        let failed = |fault| Err(Failure::new(Step::Prepare, fault));
        let none = || {
            failed(Fault::NoFile {
                reply: "550".into(),
            })
        };
        let down = || {
            failed(Fault::Refused {
                address: "192.0.2.1:21".into(),
            })
        };
        let of = |size| Ok(Some(size));
        use AfterCrash::{Delivered, Staged, Unknown, Untouched};
        for (before, named, staged, after, litter) in [
            (Unknown, of(9), none(), Delivered, false),
            (Unknown, Ok(None), none(), Delivered, false),
            (Unknown, of(5), none(), Untouched, false),
            (Unknown, of(5), of(9), Staged, true),
            // The image may be as large as what it replaces.
            (Unknown, of(9), of(9), Staged, true),
            (Unknown, none(), of(9), Staged, false),
            (Unknown, none(), none(), Untouched, false),
            (Unknown, of(9), Ok(None), Unknown, false),
            (Unknown, down(), none(), Unknown, false),
            (Staged, of(5), of(3), Staged, true),
            (Staged, of(9), none(), Untouched, false),
            // It never had a file.
            (Staged, none(), of(3), Staged, true),
            (Staged, of(5), Ok(None), Staged, true),
            (Staged, of(5), down(), Staged, false),
        ] {
            let verdict = judge(before, false, false, Some(9), &named, &staged);
            assert_eq!(
                (verdict.holds, verdict.is_litter),
                (after, litter),
                "{before} {named:?} {staged:?}"
            );
        }
        for named in [of(9), of(5), none()] {
            let verdict = judge(Unknown, true, false, Some(9), &named, &none());
            assert_eq!((verdict.holds, verdict.is_litter), (Unknown, false));
        }
        // Without the journal's word, a size is no proof.
        let unsure = |image, named| judge(Unknown, false, true, image, &named, &none()).holds;
        assert_eq!(unsure(Some(9), of(9)), Unknown);
        assert_eq!(unsure(Some(9), of(5)), Untouched);
        assert_eq!(unsure(None, of(5)), Unknown);
    }
}
