//! How the host itself is doing: memory that is available, and how long processes wait for memory
//! or for a processor. \[0025\]: depth is traded off against the impact on the processor and the
//! lack of memory.
//!
//! Linux reports it under `/proc`; elsewhere no pressure is known. The files are a few lines of the
//! kernel's own figures, so reading them never waits for a disk.

use std::path::Path;
use std::time::{Duration, Instant};

/// The figures change no faster than that.
const PERIOD: Duration = Duration::from_secs(1);

/// Available bytes below which a host has too little memory, or a twentieth of all if that is more;
/// but never before seven eighths are taken, however small the host is.
const LEAST_AVAILABLE: u64 = 64 << 20;
/// Percent of the time in which some process waited for memory, over 10 s.
const MEMORY_STALLS: f64 = 10.0;
/// Percent of the time in which some process waited for a processor, over 10 s.
const CPU_BUSY: f64 = 95.0;
const CPU_CALM: f64 = 80.0;

/// What the kernel says; what it does not say is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Host {
    /// Bytes of memory that can be had without swapping, and of all memory.
    pub(super) available: Option<u64>,
    pub(super) total: Option<u64>,
    /// Percent, averaged over 10 s.
    pub(super) memory_stalls: Option<f64>,
    pub(super) cpu_stalls: Option<f64>,
}

impl Host {
    pub(super) fn lacks_memory(&self) -> bool {
        let few = self.available.is_some_and(|available| {
            let total = self.total.unwrap_or(u64::MAX);
            available < LEAST_AVAILABLE.max(total / 20).min(total / 8)
        });
        few || self.memory_stalls.is_some_and(|part| part > MEMORY_STALLS)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.cpu_stalls.is_some_and(|part| part > CPU_BUSY)
    }

    pub(super) fn is_calm(&self) -> bool {
        self.cpu_stalls.is_none_or(|part| part < CPU_CALM)
    }

    fn read(proc: &Path) -> Self {
        let text = |file: &str| std::fs::read_to_string(proc.join(file)).unwrap_or_default();
        let memory = text("meminfo");
        Self {
            available: meminfo(&memory, "MemAvailable"),
            total: meminfo(&memory, "MemTotal"),
            memory_stalls: some_avg10(&text("pressure/memory")),
            cpu_stalls: some_avg10(&text("pressure/cpu")),
        }
    }
}

/// Looks at the host from time to time.
#[derive(Debug, Default)]
pub(super) struct HostWatch {
    looked: Option<Instant>,
}

impl HostWatch {
    /// A fresh look, at most once a second.
    pub(super) fn sample(&mut self, now: Instant) -> Option<Host> {
        let due = (self.looked).is_none_or(|at| now.saturating_duration_since(at) >= PERIOD);
        if !due {
            return None;
        }
        self.looked = Some(now);
        Some(Host::read(Path::new("/proc")))
    }
}

/// A line like `MemAvailable:   23454692 kB`, in bytes.
fn meminfo(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == key).then_some(value)
    })?;
    let number: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// Of `some avg10=1.44 avg60=0.41 avg300=0.66 total=2757630454`, the first figure.
fn some_avg10(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let figure = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("avg10="))?;
    figure.parse().ok().filter(|part: &f64| part.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       24684092 kB\nMemFree:        22204492 kB\n\
        MemAvailable:   23454692 kB\nHugePages_Total:       0\n";
    const PRESSURE: &str = "some avg10=11.44 avg60=0.41 avg300=0.66 total=2757630454\n\
        full avg10=99.00 avg60=0.00 avg300=0.00 total=0\n";

    #[test]
    fn the_files_of_the_kernel_are_read() {
        assert_eq!(meminfo(MEMINFO, "MemAvailable"), Some(23_454_692 << 10));
        assert_eq!(meminfo(MEMINFO, "MemTotal"), Some(24_684_092 << 10));
        assert_eq!(some_avg10(PRESSURE), Some(11.44));
    }

    #[test]
    fn what_is_not_there_or_not_as_expected_is_not_known() {
        for text in ["", "MemAvailable", "MemAvailable: x kB", "MemAvailable: 5"] {
            assert_eq!(meminfo(text, "MemAvailable"), None, "{text}");
        }
        for text in [
            "",
            "full avg10=9.0",
            "some avg60=1.0",
            "some avg10=x",
            "some avg10=NaN",
        ] {
            assert_eq!(some_avg10(text), None, "{text}");
        }
        let nothing = Host::read(Path::new("/nowhere"));
        assert_eq!(nothing, Host::default());
        assert!(!nothing.lacks_memory() && !nothing.is_busy() && nothing.is_calm());
    }

    #[test]
    fn little_memory_is_little_for_the_size_of_the_host() {
        let host = |available: u64, total: u64| Host {
            available: Some(available << 20),
            total: Some(total << 20),
            ..Host::default()
        };
        assert!(host(63, 1024).lacks_memory());
        assert!(!host(65, 1024).lacks_memory());
        assert!(host(400, 16 << 10).lacks_memory(), "under 5 %");
        assert!(!host(40, 128).lacks_memory(), "a small host has little");
        assert!(host(15, 128).lacks_memory());
    }

    #[test]
    fn stalls_tell_it_too() {
        let stalls = |memory_stalls, cpu_stalls| Host {
            memory_stalls: Some(memory_stalls),
            cpu_stalls: Some(cpu_stalls),
            ..Host::default()
        };
        assert!(stalls(10.1, 0.0).lacks_memory() && !stalls(9.9, 0.0).lacks_memory());
        assert!(stalls(0.0, 95.1).is_busy() && !stalls(0.0, 94.9).is_busy());
        assert!(!stalls(0.0, 85.0).is_calm() && stalls(0.0, 79.0).is_calm());
    }

    #[test]
    fn the_host_is_looked_at_once_a_second() {
        let mut watch = HostWatch::default();
        let start = Instant::now();
        assert!(watch.sample(start).is_some());
        assert!(watch.sample(start + Duration::from_millis(900)).is_none());
        assert!(watch.sample(start + Duration::from_millis(1000)).is_some());
    }
}
