//! The agents of one group (\[0016\], \[0017\]): a transfer agent, a download agent an entity, and
//! the management agent over them.
//!
//! They know a [`Transport`](crate::transport::Transport), a pool and a `Reporter`, never the
//! manager: what happens to them goes out as `Report`s, what is asked of them comes in as a
//! cancellation token and as a depth to keep.

mod devices;
mod digests;
mod download;
mod fetch;
mod gathering;
mod laggards;
mod management;
mod members;
mod offline;
mod pace;
mod passes;
mod presumed_installed;
mod report;
mod retry;
mod route;
pub(crate) mod spans;
mod subscription;
mod sums;
mod transfer;
mod trust;

pub(crate) use management::{Assignment, ManagementAgent};
pub(crate) use offline::OFFLINE_BEFORE;
pub(crate) use presumed_installed::PresumedInstalled;
pub(crate) use report::{
    GroupMeters, Mates, PassCounters, PassMeter, Report, ReportKind, Reporter, SharedCourse, lock,
    report_changes,
};

use crate::model::Failure;
use crate::pool;
use crate::transport::ImageDigest;

/// The pool of a pass: it ends with the image's digest, or with why the source failed.
type Pool = pool::BufferPool<ImageDigest, Failure>;
type Reader = pool::Reader<ImageDigest, Failure>;
type Writer = pool::Writer<ImageDigest, Failure>;
