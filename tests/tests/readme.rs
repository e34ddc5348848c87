//! The support tables of README.md are those of the code.
//!
//! `cargo xtask tables` runs this with `BURNPIPE_WRITE_TABLES` set, and then it writes them.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::Path;

#[test]
fn the_support_tables_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let mut fresh = readme.clone();
    for (name, table) in [("tasks", tasks()), ("architectures", architectures())] {
        let (start, end) = (format!("<!-- table: {name} -->\n"), format!("<!-- end: {name} -->"));
        let from = fresh.find(&start).expect(&start) + start.len();
        let to = fresh.find(&end).expect(&end);
        fresh.replace_range(from..to, &table);
    }
    if std::env::var_os("BURNPIPE_WRITE_TABLES").is_some() {
        fs::write(path, fresh).unwrap();
    } else {
        assert!(readme == fresh, "the tables in README.md are out of date; run `cargo xtask tables`");
    }
}

fn tasks() -> String {
    let mut table =
        String::from("| task | parameters | architectures | default model |\n|---|---|---|---|\n");
    for task in burnpipe::tasks() {
        let names = std::iter::once(&task.id).chain(task.aliases).map(|name| format!("`{name}`"));
        writeln!(
            table,
            "| {} | {} | {} | {}@{} |",
            names.collect::<Vec<_>>().join(", "),
            task.parameters.join(", "),
            burnpipe::supported(task).join(", "),
            task.default_model,
            task.default_revision,
        )
        .unwrap();
    }
    table
}

fn architectures() -> String {
    let mut table = String::from("| `model_type` | heads |\n|---|---|\n");
    for architecture in burnpipe::architectures() {
        writeln!(table, "| `{}` | {} |", architecture.model_type, architecture.heads.names().join(", "))
            .unwrap();
    }
    table
}
