//! Requests to addresses that are no Hub's.

use std::io::Read;

use burnpipe_core::{Error, ErrorKind, Result};
use ureq::Agent;

use super::client::{CONNECT, MOST_REDIRECTS, SILENCE, is_this_machine};
use super::tls;
use crate::{FetchLimits, HubSettings, OpenOptions};

/// Gets the bytes at an address.
pub(crate) fn fetch(address: &str, limits: &FetchLimits) -> Result<Vec<u8>> {
    let fail = |reason: String| Error::new(ErrorKind::Network, format!("cannot fetch `{address}`: {reason}"));
    let response = agent(address, limits)?.get(address).call().map_err(|error| match error {
        ureq::Error::Timeout(_) => fail(too_late(limits)),
        other => fail("no answer".into()).with_source(other),
    })?;
    let status = response.status();
    if !status.is_success() {
        return Err(fail(format!("the answer is status {}", status.as_u16())));
    }
    let too_large = || fail(format!("it is larger than {} bytes", limits.bytes));
    if response.body().content_length().is_some_and(|length| length > limits.bytes) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more.
    let mut body = response.into_body().into_reader().take(limits.bytes.saturating_add(1));
    body.read_to_end(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => fail(too_late(limits)),
        _ => fail(format!("it broke off after {} bytes", bytes.len())).with_source(error),
    })?;
    if bytes.len() as u64 > limits.bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_late(limits: &FetchLimits) -> String {
    let seconds = limits.timeout.unwrap_or(SILENCE).as_secs_f64();
    format!("no answer within {seconds} s; a longer `timeout` may help")
}

fn agent(address: &str, limits: &FetchLimits) -> Result<Agent> {
    let settings = HubSettings::new(&OpenOptions::default());
    let silence = limits.timeout.unwrap_or(SILENCE);
    let config = Agent::config_builder()
        .tls_config(tls::config(settings.ca_bundle.as_deref())?)
        .user_agent(concat!("burnpipe/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .max_redirects(MOST_REDIRECTS as u32)
        .timeout_connect(Some(limits.timeout.unwrap_or(CONNECT)))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence));
    // No proxy reaches this very machine.
    let config = if is_this_machine(address) { config.proxy(None) } else { config };
    Ok(config.build().new_agent())
}
