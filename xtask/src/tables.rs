//! The support tables of README.md, from the tables of the code.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::root;

/// Replaces the tables in README.md.
pub(crate) fn write() -> Result<()> {
    Ok(fs::write(root().join("README.md"), with_tables()?)?)
}

/// Fails when README.md's tables are not those of the code.
pub(crate) fn check() -> Result<()> {
    let fresh = fs::read_to_string(root().join("README.md"))? == with_tables()?;
    ensure!(fresh, "the tables in README.md are out of date; run `cargo xtask tables`");
    println!("the tables in README.md are those of the code");
    Ok(())
}

fn with_tables() -> Result<String> {
    let mut readme = fs::read_to_string(root().join("README.md"))?;
    for (name, table) in [("tasks", tasks()?), ("architectures", architectures()?)] {
        let (start, end) = (format!("<!-- table: {name} -->\n"), format!("<!-- end: {name} -->"));
        let from = readme.find(&start).with_context(|| format!("README.md has no `{start}`"))? + start.len();
        let to = readme.find(&end).with_context(|| format!("README.md has no `{end}`"))?;
        readme.replace_range(from..to, &table);
    }
    Ok(readme)
}

fn tasks() -> Result<String> {
    let mut table =
        String::from("| task | parameters | architectures | default model |\n|---|---|---|---|\n");
    for task in burnpipe::tasks() {
        let names: Vec<String> =
            std::iter::once(&task.id).chain(task.aliases).map(|name| format!("`{name}`")).collect();
        writeln!(
            table,
            "| {} | {} | {} | {}@{} |",
            names.join(", "),
            task.parameters.join(", "),
            burnpipe::supported(task).join(", "),
            task.default_model,
            task.default_revision,
        )?;
    }
    Ok(table)
}

fn architectures() -> Result<String> {
    let mut table = String::from("| `model_type` | heads |\n|---|---|\n");
    for architecture in burnpipe::architectures() {
        writeln!(table, "| `{}` | {} |", architecture.model_type, architecture.heads.names().join(", "))?;
    }
    Ok(table)
}
