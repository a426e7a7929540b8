//! The command line: puts the parts together and knows everything.
