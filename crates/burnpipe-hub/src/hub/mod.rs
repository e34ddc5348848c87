//! Models of the Hub: what is in the cache, and how the rest gets there.

mod client;
mod refusal;
mod snapshot;
mod store;
mod tls;
mod transfer;

pub(crate) use snapshot::Snapshot;
