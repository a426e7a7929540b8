//! Looking at entities: what stands under the names that a run uses, what that is worth, and removing
//! what is left over.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Candidate;
use crate::inspect::leftovers::{self, Question, Tidied};
use crate::journal::{self, AfterCrash, EntityLock, Journal, NotLocked, StagingFile};
use crate::model::{self, Logins, Staging, units};
use crate::placement::{Found, Known, Use};
use crate::transport::{Destination, ImageDigest, Seen, Transport};

/// What is to be done with each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The journal does not even say whether anything was done to an entity.
    pub(super) doubted: bool,
    /// Files are read although their size, or the journal, shows enough.
    pub(super) readback: bool,
    /// Leftovers are removed, and images that were moved aside are put back.
    pub(super) clean: bool,
}

/// Looks at those that may have a staging file or the image, and tidies them. `said`: the number of
/// those that were looked at, and of all.
pub(super) async fn inspect<T: Transport>(
    transport: &Arc<T>,
    entities: &mut [Candidate<'_>],
    logins: &Logins,
    (journal, run): (&Journal, &str),
    wanted: Wanted,
    (cancel, mut said): (&CancellationToken, impl FnMut(usize, usize)),
) {
    let mut work = Vec::new();
    for (at, one) in entities.iter_mut().enumerate() {
        let Some(entity) = &one.entity else {
            continue;
        };
        if !matches!(
            one.row.after_crash,
            AfterCrash::Staged | AfterCrash::Unknown
        ) {
            continue;
        }
        let (address, path) = (&one.row.address, &one.row.path);
        let lock = match wanted.clean.then(|| journal.lock(run, address, path)) {
            None => None,
            Some(Ok(lock)) => Some(lock),
            Some(Err(busy @ NotLocked::Busy { .. })) => {
                one.seen = Some(format!("not looked at: {busy}"));
                continue;
            }
            Some(Err(error @ NotLocked::Io { .. })) => {
                tracing::warn!("{}: other runs are not kept away: {error}", entity.name);
                None
            }
        };
        let question = Question {
            destination: Destination::of(entity, transport.owner(), logins),
            known: known(one),
            // Where the final name may have been changed, a size proves nothing.
            reads: wanted.readback || one.row.after_crash == AfterCrash::Unknown,
            tidies: wanted.clean,
        };
        work.push((at, question, lock));
    }
    let (mut done, all) = (0, work.len());
    let mut asked = leftovers::ask(transport, cancel, |work: &Work| &work.1);
    asked.extend(work);
    // No run writes an entity until its answer is here and its lock is dropped.
    while let Some(((at, question, _lock), answer)) = asked.next().await {
        done += 1;
        said(done, all);
        let Some(one) = entities.get_mut(at) else {
            continue;
        };
        let before = one.row.after_crash;
        match answer.unwrap_or_else(|why| Err(why.into())) {
            Ok((found, tidied)) => {
                let is_direct = (question.destination)
                    .is_ok_and(|destination| destination.staging == Staging::Direct);
                let verdict = judge(before, is_direct, wanted.doubted, &found, tidied);
                if let Err(error) = journal.found(run, &one.row.entity, verdict.found) {
                    let entity = &one.row.entity;
                    tracing::warn!("{entity}: what was found is not recorded: {error}");
                }
                one.holds = verdict.holds;
                one.seen = Some(verdict.seen);
            }
            Err(why) => {
                one.holds = before;
                one.seen = Some(format!("can't be looked at: {why}"));
            }
        }
    }
}

/// The index of an entity, what is asked of it, and what keeps other runs away.
type Work = (usize, Question, Option<EntityLock>);

/// The image that the run was to deliver, where the journal knows its digest.
fn known(one: &Candidate<'_>) -> Option<Known> {
    let mut sha256 = [0; 32];
    hex::decode_to_slice(one.group.sha256.as_deref()?, &mut sha256).ok()?;
    let size = one.group.size?;
    Some(Known {
        image: ImageDigest { size, sha256 },
        may_be_placed: false,
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    holds: AfterCrash,
    seen: String,
    /// What the journal is to know of it.
    found: journal::Found,
}

/// What was found, beside what the journal says. `doubted`: the journal does not even say whether
/// anything was done to it.
fn judge(
    before: AfterCrash,
    is_direct: bool,
    doubted: bool,
    found: &Found,
    tidied: Tidied,
) -> Verdict {
    let set_aside = found.leftovers.iter().any(|one| one.is == Use::OldImage);
    let has_leftover = !found.leftovers.is_empty();
    let kept = found.leftovers.iter().any(|one| one.is == Use::Unclear);
    let size = match found.named {
        Seen::Present { size: Some(size) } => units::size(size).to_string(),
        Seen::Present { size: None } => "a size that it does not tell".into(),
        Seen::Absent | Seen::Unknown => "nothing that it tells of".into(),
    };
    let removed = matches!(tidied, Some(Ok(()))) && !has_leftover;
    let untouched = match has_leftover {
        true => AfterCrash::Staged,
        false => AfterCrash::Untouched,
    };
    let (holds, mut seen) = match (found.holds, found.named) {
        (model::Holds::New, _) => (
            AfterCrash::Delivered,
            "its file was compared with the image, and is the image".to_owned(),
        ),
        (model::Holds::NewStaged, _) => (
            AfterCrash::Staged,
            "nothing has the final name; the whole image stands under its staging name, and the \
             next run puts it in place"
                .to_owned(),
        ),
        (_, Seen::Absent) if set_aside => (
            AfterCrash::Staged,
            "nothing has the final name; its old image stands beside it, and --clean puts it back"
                .to_owned(),
        ),
        (_, Seen::Absent) => (untouched, "nothing has the final name".to_owned()),
        _ if is_direct => (
            AfterCrash::Unknown,
            format!("it was written under its final name, and has {size}; --readback tells more"),
        ),
        (model::Holds::Old, _) => (untouched, "its file is not the image".to_owned()),
        _ if before == AfterCrash::Staged && !doubted => {
            (untouched, "its file is as it was".to_owned())
        }
        _ => (
            AfterCrash::Unknown,
            format!("its file has {size}, and may be the old one or the image; --readback tells"),
        ),
    };
    if has_leftover && found.holds != model::Holds::NewStaged && !set_aside {
        seen.push_str(match kept {
            true => "; there is a staging file, which is kept: it may be the only copy",
            false => "; there is a staging file",
        });
    }
    match tidied {
        Some(Ok(())) if !has_leftover => seen.push_str("; what was left beside it is removed"),
        Some(Err(failure)) => seen.push_str(&format!("; can't be tidied: {failure}")),
        _ => {}
    }
    let found = journal::Found {
        holds: match holds {
            AfterCrash::Delivered => model::Holds::New,
            AfterCrash::Untouched | AfterCrash::Staged if found.named != Seen::Absent => {
                model::Holds::Old
            }
            AfterCrash::Unknown => model::Holds::Unknown,
            _ => found.holds,
        },
        staging: match (has_leftover, removed) {
            (true, _) => StagingFile::There,
            (false, true) => StagingFile::Removed,
            (false, false) => StagingFile::Absent,
        },
    };
    Verdict { holds, seen, found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::staging::File;
    use crate::placement::Leftover;

    fn found(holds: model::Holds, named: Option<u64>, leftovers: &[(File, Use)]) -> Found {
        Found {
            holds,
            named: match named {
                Some(size) => Seen::Present { size: Some(size) },
                None => Seen::Absent,
            },
            proven: holds == model::Holds::New,
            leftovers: (leftovers.iter())
                .map(|(file, is)| Leftover {
                    file: *file,
                    size: Some(9),
                    is: *is,
                })
                .collect(),
        }
    }

    #[test]
    fn what_is_said_is_what_was_seen() {
        use AfterCrash::{Delivered, Staged, Unknown, Untouched};
        use model::Holds as On;
        let litter = [(File::Staging, Use::Litter)];
        let aside = [(File::Aside, Use::OldImage)];
        let staged = [(File::Staging, Use::NewImage)];
        for (before, found, after) in [
            (Unknown, found(On::New, Some(9), &[]), Delivered),
            (Unknown, found(On::New, Some(9), &litter), Delivered),
            // The same size is no proof.
            (Unknown, found(On::Unknown, Some(9), &[]), Unknown),
            (Unknown, found(On::Old, Some(5), &[]), Untouched),
            (Unknown, found(On::Old, Some(5), &litter), Staged),
            (Unknown, found(On::Nothing, None, &aside), Staged),
            (Unknown, found(On::NewStaged, None, &staged), Staged),
            (Unknown, found(On::Nothing, None, &[]), Untouched),
            // The final name was never touched.
            (Staged, found(On::Unknown, Some(9), &[]), Untouched),
            (Staged, found(On::Unknown, Some(9), &litter), Staged),
        ] {
            let verdict = judge(before, false, false, &found, None);
            assert_eq!(verdict.holds, after, "{before} {found:?}");
        }
        let unsure = found(On::Unknown, Some(9), &[]);
        assert_eq!(judge(Unknown, true, false, &unsure, None).holds, Unknown);
        // Without the journal's word nothing is certain that was not compared.
        assert_eq!(judge(Staged, false, true, &unsure, None).holds, Unknown);
    }
}
