//! A campaign as it stands in an inventory, and what of it is said in a word.

use super::super::complaint::Complaint;
use super::super::procedure::Extent;
use super::super::text::quoted;
use super::super::units;
use super::{Campaign, Downgrade, Offline, OrderBy, Proceed, start};

impl OrderBy {
    /// From `site`, or with values that come first, `site: lab, pilot`.
    ///
    /// # Errors
    /// No label, or a value that is empty.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        let (label, values) = match text.split_once(':') {
            Some((label, values)) => (label, values.split(',').collect()),
            None => (text, Vec::new()),
        };
        let part = |part: &str| {
            let part = part.trim();
            let is_one = !part.is_empty() && !part.chars().any(char::is_control);
            is_one.then(|| part.to_owned()).ok_or_else(|| {
                let message = format!("{} is no label with values", quoted(text));
                Complaint::new(
                    message,
                    "write `LABEL`, or `LABEL:VALUE,VALUE` with those that come first",
                )
            })
        };
        Ok(Self {
            label: part(label)?,
            values: values.into_iter().map(part).collect::<Result<_, _>>()?,
        })
    }
}

/// In double quotes, escaped as YAML 1.2 section 5.7 has it; JSON's escapes are among those.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

impl Campaign {
    /// What differs from the default, as keys of a group and their values in YAML. What the window is for stands in
    /// `activate`, beside how far the group goes.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let mut keys = Vec::new();
        let mut write = |key, value: Option<String>| keys.extend(value.map(|value| (key, value)));
        if !self.waves.is_empty() {
            write(
                "waves",
                Some(list(self.waves.iter().map(ToString::to_string))),
            );
        }
        write("by", self.by.as_deref().map(scalar));
        if !self.order.is_empty() {
            let order = self.order.iter().map(|by| match by.values.as_slice() {
                [] => scalar(&by.label),
                values => {
                    let values = list(values.iter().map(|value| scalar(value)));
                    format!("{{ {}: {values} }}", scalar(&by.label))
                }
            });
            write("order", Some(list(order)));
        }
        let proceed = (self.proceed != Proceed::default()).then(|| self.proceed.word().into());
        write("proceed", proceed);
        write("stop_after", self.stop_after.map(|stop| stop.to_string()));
        write(
            "start",
            self.start.as_ref().map(|at| scalar(&start::written(at))),
        );
        let window = self.window.as_ref().map(|window| {
            let (from, to) = (window.from.to_string(), window.to.to_string());
            format!(
                "{{ days: {}, from: {}, to: {}, zone: {} }}",
                scalar(&window.days.to_string()),
                scalar(&from),
                scalar(&to),
                scalar(&window.zone)
            )
        });
        write("window", window);
        write("takes", self.takes.map(units::written));
        let offline = match self.offline {
            Offline::Fail => None,
            Offline::Wait { at_most, first } => {
                let [at_most, first] = [at_most, first].map(units::written_days);
                Some(format!("{{ wait: {at_most}, first: {first} }}"))
            }
        };
        write("offline", offline);
        let together = self.never_together.as_deref().map(scalar);
        write(
            "together",
            together.map(|label| format!("{{ never: {label} }}")),
        );
        let downgrade =
            (self.downgrade != Downgrade::default()).then(|| self.downgrade.word().into());
        write("downgrade", downgrade);
        write("from", self.from.as_deref().map(scalar));
        keys
    }

    /// The word of `activate` for a group that goes so far.
    pub fn activate_word(&self, extent: Extent) -> &'static str {
        match self.window_is_for_activation && extent.activates() {
            true => "window",
            false => extent.word(),
        }
    }
}
