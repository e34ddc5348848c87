//! Models of the Hub: what is in the cache, and how the rest gets there. And files from anywhere else.

mod client;
mod fetch;
mod refusal;
mod snapshot;
mod store;
mod tls;
mod transfer;

pub(crate) use fetch::fetch;
pub(crate) use snapshot::Snapshot;
