//! Benchmarks: `cargo bench -p burnpipe-benches`. Numbers and how they were taken: README.md beside.
