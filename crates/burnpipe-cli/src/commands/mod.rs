//! Every command but `run`.

mod bench;
mod cache;
mod chat;
mod doctor;
mod lists;

pub(crate) use bench::bench;
pub(crate) use cache::{cache_list, cache_remove, download};
pub(crate) use chat::chat;
pub(crate) use doctor::doctor;
pub(crate) use lists::{devices, models, tasks};
