//! The buffer pool: a synchronous core (ring) under an async face.
