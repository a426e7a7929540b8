//! YAML as written, to the model: every error at once, each with its line and column.
