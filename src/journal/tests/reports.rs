//! What reports are made of and nothing else is: how figures went, and what can be done about a failure.

use super::*;
use crate::model::series::{Counts, Sample};
use crate::model::{Series, Standing};

fn series(read: u64) -> Series {
    let mut series = Series::default();
    for second in 0..3 {
        let standing = Standing::In(EntityState::Sending);
        let sample = Sample {
            read,
            delivered: read * 3,
            filled: 4096,
            depth: 8192,
            counts: Counts::of(std::iter::repeat_n(standing, 3)),
        };
        series.push(Duration::from_millis(second * 1000 + 500), &sample);
    }
    series
}

fn went(group: Option<&str>, series: &Series) -> Event {
    Event::Series {
        at: Timestamp::now(),
        group: group.map(Into::into),
        series: Box::new(series.whole()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_figures_went_is_kept_with_the_group_and_the_run_and_the_newest_counts() {
    let (_folder, state_dir) = folder();
    let engine = Engine::start(&state_dir);
    engine.begin();
    engine.say(went(None, &series(1)));
    engine.say(went(Some("adsl"), &series(7)));
    engine.say(went(None, &series(9)));
    engine.say(state("e1", EntityState::Failed));
    engine.say(Event::Advice {
        at: Timestamp::now(),
        group: "adsl".into(),
        entity: "e1".into(),
        advice: "make room on it".into(),
    });
    let shown = engine.end().await;
    assert!(shown.iter().all(Event::is_for_watchers), "{shown:?}");
    let whole = read(&state_dir).run(RUN).unwrap().unwrap();
    assert_eq!(whole.series, Some(series(9)));
    let group = &whole.groups[0];
    assert_eq!(group.series, Some(series(7)));
    let advice = group.entities.iter().map(|one| one.advice.as_deref());
    assert_eq!(
        advice.collect::<Vec<_>>(),
        [Some("make room on it"), None, None]
    );
}

/// A file that somebody else wrote to, or a run of before there were any.
#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_is_not_there_or_can_not_be_read_is_none() {
    let (_folder, state_dir) = folder();
    let engine = Engine::start(&state_dir);
    engine.begin();
    engine.say(went(None, &series(1)));
    engine.end().await;
    let group = || {
        let whole = read(&state_dir).run(RUN).unwrap().unwrap();
        (whole.series, whole.groups[0].series.clone())
    };
    assert_eq!(group(), (Some(series(1)), None));
    let file = Connection::open(state_dir.join("journal.db")).unwrap();
    for content in [
        "",
        "{}",
        // Time goes backwards.
        r#"{"interval":1000,"until":9,"keep":0,"points":[[5,0,0,0,0,[0,0,0,0,0,0]],[2,0,0,0,0,[0,0,0,0,0,0]]]}"#,
        // It follows from another one.
        r#"{"interval":1000,"until":9,"keep":3,"points":[]}"#,
    ] {
        let changed = file.execute("UPDATE series SET content = ?1", [content]);
        assert_eq!(changed, Ok(1));
        assert_eq!(group().0, None, "{content}");
    }
}
