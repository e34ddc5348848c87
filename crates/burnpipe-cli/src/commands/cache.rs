//! Models on this disk: `download` and `cache`.

use burnpipe::hub::{self, HubSettings};
use burnpipe::{OpenOptions, Result};
use serde_json::json;

use super::lists::{bytes, print};
use crate::arguments::ListFormat;
use crate::render::Table;
use crate::{model, output};

/// Downloads a model and prints its folder.
///
/// # Errors
///
/// When the model cannot be had.
pub(crate) fn download(id: &str, revision: Option<String>) -> Result<()> {
    let options = OpenOptions { revision, ..model::open_options() };
    let folder = hub::download(id, &options)?;
    output::print(&format!("{}\n", folder.display()))
}

/// Lists the models in the cache.
///
/// # Errors
///
/// When the cache cannot be read.
pub(crate) fn cache_list(format: ListFormat) -> Result<()> {
    let options = OpenOptions::default();
    let mut table = Table::new(["model", "size", "revisions", "folder"]).numbers([1]);
    let mut rows = Vec::new();
    for repo in hub::cache::list(&options)? {
        let revisions = repo.revisions.iter().map(|revision| {
            let short: String = revision.commit.chars().take(7).collect();
            if revision.refs.is_empty() { short } else { format!("{short} ({})", revision.refs.join(", ")) }
        });
        let revisions = revisions.collect::<Vec<_>>().join(", ");
        let path = repo.path.display().to_string();
        table.row([repo.id.clone(), bytes(repo.size_bytes), revisions, path.clone()]);
        let revisions: Vec<_> = repo
            .revisions
            .iter()
            .map(|revision| json!({"commit": revision.commit, "refs": revision.refs, "files": revision.file_count}))
            .collect();
        rows.push(
            json!({"model": repo.id, "size_bytes": repo.size_bytes, "revisions": revisions, "path": path}),
        );
    }
    if rows.is_empty() && format == ListFormat::Table {
        let folder = HubSettings::new(&options).cache_dir;
        return output::print(&format!("no models in `{}`\n", folder.display()));
    }
    print(format, table, rows)
}

/// Removes a model from the cache.
///
/// # Errors
///
/// When it is not there or cannot be removed.
pub(crate) fn cache_remove(id: &str) -> Result<()> {
    let freed = hub::cache::remove(id, &OpenOptions::default())?;
    output::print(&format!("removed `{id}`, {} freed\n", bytes(freed)))
}
