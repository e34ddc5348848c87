//! Requests to addresses that are no Hub's.

use std::io::Read;
use std::sync::OnceLock;
use std::time::Duration;

use burnpipe_core::{Error, ErrorKind, Result};
use ureq::http::Response;
use ureq::{Agent, Body, Timeout};

use super::client::{CONNECT, MOST_REDIRECTS, SILENCE, agent_config, is_this_machine};
use crate::{FetchLimits, HubSettings, OpenOptions};

/// So long a body may take, however steadily it comes.
const BODY: Duration = Duration::from_secs(60 * 60);
/// The longest limit: clocks do not reach as far as a caller may ask.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Gets the bytes at an address.
pub(crate) fn fetch(address: &str, limits: &FetchLimits) -> Result<Vec<u8>> {
    let fail = |reason: String| Error::new(ErrorKind::Network, format!("cannot fetch `{address}`: {reason}"));
    let response = get(agent()?, address, limits).map_err(|error| match error {
        ureq::Error::Timeout(limit) => fail(too_late(limit, limits)),
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
    // Limits come out of a reader as errors of no kind.
    body.read_to_end(&mut bytes).map_err(|error| match ureq::Error::from(error) {
        ureq::Error::Timeout(limit) => fail(too_late(limit, limits)),
        other => fail(format!("it broke off after {} bytes", bytes.len())).with_source(other),
    })?;
    if bytes.len() as u64 > limits.bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The agent of all fetches of this process: certificates are read once.
fn agent() -> Result<&'static Agent> {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    if let Some(agent) = AGENT.get() {
        return Ok(agent);
    }
    let config = agent_config(&HubSettings::new(&OpenOptions::default()))?;
    let agent = config.max_redirects(MOST_REDIRECTS as u32).build().new_agent();
    Ok(AGENT.get_or_init(|| agent))
}

fn get(agent: &Agent, address: &str, limits: &FetchLimits) -> Result<Response<Body>, ureq::Error> {
    let (connect, silence) = (wait(limits, CONNECT), wait(limits, SILENCE));
    let config = agent
        .get(address)
        .config()
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence))
        .timeout_recv_body(Some(longest_body(limits)));
    // No proxy reaches this very machine.
    let config = if is_this_machine(address) { config.proxy(None) } else { config };
    config.build().call()
}

/// How long to wait for one thing, where a caller without a wish waits as `default` says.
fn wait(limits: &FetchLimits, default: Duration) -> Duration {
    limits.timeout.unwrap_or(default).min(LONGEST)
}

/// How long a whole body may take: an hour, and not less than a caller waits for its next bytes.
fn longest_body(limits: &FetchLimits) -> Duration {
    BODY.max(wait(limits, SILENCE))
}

fn too_late(limit: Timeout, limits: &FetchLimits) -> String {
    let wait = match limit {
        Timeout::RecvBody => {
            return format!("it is not complete after {} s", longest_body(limits).as_secs_f64());
        }
        Timeout::Resolve | Timeout::Connect => wait(limits, CONNECT),
        _ => wait(limits, SILENCE),
    };
    format!("no answer within {} s; a longer `timeout` may help", wait.as_secs_f64())
}
