//! A practice network on loopback, for newcomers, tests and benchmarks.
