//! What stands on entities under the names that a run uses, after a run that was cut off; and
//! removing what is left over.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::Failure;
use crate::placement::{self, Found, Known};
use crate::transport::{Destination, Transport};

use super::FanOut;

/// Maximum number of entities that are looked at or tidied at one time.
const AT_ONCE: usize = 16;

/// What is asked of one entity.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) destination: Result<Destination, Failure>,
    /// The image that the run was to deliver, where its digest is known.
    pub(crate) known: Option<Known>,
    /// Its file is read although its size may show enough.
    pub(crate) reads: bool,
    /// Leftovers are removed, and an image that was moved aside is put back.
    pub(crate) tidies: bool,
}

/// What came of tidying.
pub(crate) type Tidied = Option<Result<(), Failure>>;
pub(crate) type Answer = Result<(Found, Tidied), Failure>;

/// Asks entities, to which `question` leads from whatever stands for them.
pub(crate) fn ask<T: Transport, I>(
    transport: &Arc<T>,
    cancel: &CancellationToken,
    question: impl Fn(&I) -> &Question + Send + 'static,
) -> FanOut<I, Answer> {
    let transport = transport.clone();
    FanOut::new(AT_ONCE, cancel, move |item| {
        let (transport, question) = (transport.clone(), question(item).clone());
        async move { visit(&*transport, question).await }
    })
}

async fn visit(transport: &dyn Transport, question: Question) -> Answer {
    let destination = question.destination?;
    let mut sink = transport.open_sink(&destination).await?;
    let mut entity = placement::Entity {
        sink: &mut *sink,
        names: &destination.names,
    };
    let looked = async {
        let known = question.known.as_ref();
        let mut found = placement::inspect(&mut entity, known, question.reads).await?;
        let tidied = match question.tidies {
            true => Some(placement::tidy(&mut entity, &mut found).await),
            false => None,
        };
        Ok((found, tidied))
    };
    let looked = looked.await;
    sink.close().await;
    looked
}
