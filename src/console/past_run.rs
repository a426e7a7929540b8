//! A past run, as the journal has it and the history page shows it.

/// One past run, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    pub run: String,
    /// In the time of this place.
    pub began: String,
    /// An outcome, `running`, or `cut off`.
    pub outcome: String,
    pub delivered: usize,
    /// Of those: nobody has looked at their content.
    pub unproven: usize,
    pub skipped: usize,
    pub failed: usize,
    pub groups: Vec<String>,
    /// Who started it, and what there is to say beside the figures.
    pub about: String,
}
