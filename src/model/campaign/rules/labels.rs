//! What labels have to be there for: `by`, `order`, `together`.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::campaign::Campaign;
use crate::model::columns;
use crate::model::complaint::did_you_mean;
use crate::model::text::quoted;

use super::{BadCampaign, Found, Judged, bad};

impl Campaign {
    pub(super) fn check_by(&self, group: &Judged<'_>, found: &mut Found) {
        let Some(label) = &self.by else { return };
        if self.waves.is_empty() {
            let message =
                "`by` without `waves`: nothing is divided that a label could keep together";
            found.push(bad(
                "by",
                None,
                message,
                "write `waves: [1, 10%, rest]`, or leave `by` out",
            ));
        }
        let values = values(group, label);
        if values.is_empty() {
            found.push(unknown_label("by", None, label, group));
        } else if let [(value, having)] = Vec::from_iter(&values)[..]
            && *having == group.entities.len()
            && *having > 1
            && !self.waves.is_empty()
        {
            let message = format!(
                "all {} have {} {}: they would be one wave",
                columns::count(*having, "entity"),
                quoted(label),
                quoted(value)
            );
            found.push(bad(
                "by",
                None,
                message,
                "name a label in which they differ, or leave `by` out",
            ));
        }
    }

    pub(super) fn check_labels(&self, group: &Judged<'_>, found: &mut Found) {
        for (at, by) in self.order.iter().enumerate() {
            let label = &by.label;
            if self.order[..at].iter().any(|before| before.label == *label) {
                let message = format!(
                    "{} would come before itself: it stands in `order` twice",
                    quoted(label)
                );
                found.push(bad(
                    "order",
                    Some(at),
                    message,
                    "leave it out at the later place",
                ));
            }
            if values(group, label).is_empty() {
                found.push(unknown_label("order", Some(at), label, group));
            }
            for (place, value) in by.values.iter().enumerate() {
                if by.values[..place].contains(value) {
                    let message = format!(
                        "{} of {} would come before itself: it stands there twice",
                        quoted(value),
                        quoted(label)
                    );
                    found.push(bad(
                        "order",
                        Some(at),
                        message,
                        "leave it out at the later place",
                    ));
                }
            }
        }
        let Some(label) = &self.never_together else {
            return;
        };
        let values = values(group, label);
        if values.is_empty() {
            found.push(unknown_label("together", None, label, group));
        } else if values.values().all(|having| *having < 2) {
            let message = format!(
                "no two entities of the group share a value of {}: each of {} is there once",
                quoted(label),
                columns::count(values.len(), "value")
            );
            let help =
                "give those that must not be under way together one value, or leave `together` out";
            found.push(bad("together", None, message, help));
        }
    }
}

/// How many entities have which value of a label.
fn values<'a>(group: &Judged<'a>, label: &str) -> BTreeMap<&'a str, usize> {
    let mut values = BTreeMap::new();
    for value in group
        .entities
        .iter()
        .filter_map(|one| one.labels.get(label))
    {
        *values.entry(value.as_str()).or_default() += 1;
    }
    values
}

fn unknown_label(
    key: &'static str,
    item: Option<usize>,
    label: &str,
    group: &Judged<'_>,
) -> BadCampaign {
    let labels = group.entities.iter().flat_map(|one| one.labels.keys());
    let known: BTreeSet<&str> = labels.map(String::as_str).collect();
    let help = did_you_mean(label, known.iter().copied(), || match known.len() {
        0 => "they have no labels: write `labels: { site: north }` under `entities`".into(),
        _ => {
            let known: Vec<String> = known.iter().map(|label| quoted(label)).collect();
            format!("their labels are {}", known.join(", "))
        }
    });
    let message = format!("no entity of the group has a label {}", quoted(label));
    bad(key, item, message, help)
}
