//! Reading from and writing to a remote file; the only place that names suppaftp.
