//! The files of a model, wherever they are.

use std::borrow::Cow;

use crate::Result;

/// The files of one checkpoint, by their name inside it.
///
/// A folder, a repository of the Hub and a model carried inside a program all look like this, so
/// that tokenizers and processors need not know where their files come from.
pub trait ModelFiles: Send + Sync {
    /// What the user called this model: an id or a folder. Used in messages.
    fn model_name(&self) -> &str;

    /// The bytes of a file, or `None` when the checkpoint has no such file.
    ///
    /// # Errors
    ///
    /// When the file should be there and cannot be read or downloaded.
    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>>;

    /// The names of the files in one of its folders, without the folder and in order, as far as they are
    /// known without asking anybody.
    ///
    /// A model that only has files it is asked for by name need not say more than nothing, as here.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let _ = folder;
        Ok(Vec::new())
    }
}
