//! Small programs over burnpipe: `cargo run -p burnpipe-examples --example ner`.
