//! What the pages are called, and their order: names alone, for the keys and for going from one to another.

/// The pages in the order of their digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Page {
    Overview,
    Inventory,
    Groups,
    Review,
    Watch,
    Log,
    /// Without a digit.
    History,
}

impl Page {
    /// Also those without a digit.
    pub(crate) const EVERY: [Self; 7] = [
        Self::Overview,
        Self::Inventory,
        Self::Groups,
        Self::Review,
        Self::Watch,
        Self::Log,
        Self::History,
    ];

    /// By their digits, from 0.
    pub(crate) const ALL: [Self; 6] = [
        Self::Overview,
        Self::Inventory,
        Self::Groups,
        Self::Review,
        Self::Watch,
        Self::Log,
    ];

    /// The one that a console opens on: work that runs already is there to be watched.
    pub(crate) fn first(is_busy: bool) -> Self {
        if is_busy {
            Self::Watch
        } else {
            Self::Inventory
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Inventory => "Inventory",
            Self::Groups => "Groups",
            Self::Review => "Review",
            Self::Watch => "Watch",
            Self::Log => "Log",
            Self::History => "History",
        }
    }

    pub(crate) fn next(self, by: isize) -> Self {
        let count = Self::ALL.len() as isize;
        // From one without a digit, as from the last one.
        let here = (self as isize).min(count - 1);
        let place = (here + by).rem_euclid(count);
        Self::ALL[place as usize]
    }
}
