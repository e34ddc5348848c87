//! Requests to the Hub: tokens, redirects, repetitions.

use std::time::Duration;

use burnpipe_core::{Error, ErrorKind};
use ureq::config::ConfigBuilder;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body};

use super::refusal::{self, Failure};
use super::tls;
use crate::{HubSettings, Retries};

/// So many redirects are followed for one file.
pub(super) const MOST_REDIRECTS: usize = 10;
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// Without a byte for so long, a connection counts as dead.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// Speaks to one Hub.
pub(crate) struct Client {
    agent: Agent,
    settings: HubSettings,
    retries: Retries,
}

/// An answer, whose body is still to be read.
pub(crate) struct Reply {
    pub(crate) url: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Reply {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// Where this answer sends us, if it does.
    fn redirect(&self) -> Option<String> {
        let location = self.header("location").filter(|_| self.status.is_redirection())?;
        Some(join(&self.url, location))
    }
}

impl Client {
    pub(crate) fn new(settings: &HubSettings, retries: Retries) -> Result<Self, Error> {
        if !settings.endpoint.starts_with("http://") && !settings.endpoint.starts_with("https://") {
            let message =
                format!("the address of the Hub `{}` must start with `https://`", settings.endpoint);
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        let config = agent_config(settings)?
            // A compressed body would have another length than the file.
            .accept_encoding("identity")
            // Redirects are followed here, where the headers on the way are read too.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE));
        // No proxy reaches this very machine.
        let config = if is_this_machine(&settings.endpoint) { config.proxy(None) } else { config };
        Ok(Self { agent: config.build().new_agent(), settings: settings.clone(), retries })
    }

    pub(crate) fn settings(&self) -> &HubSettings {
        &self.settings
    }

    pub(crate) fn retries(&self) -> Retries {
        self.retries
    }

    /// Gets an address and follows its redirects to the end. `on_the_way` sees every answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or a refusal, after the allowed repetitions.
    pub(crate) fn get(
        &self,
        url: &str,
        from_byte: Option<u64>,
        retry_count: u32,
        mut on_the_way: impl FnMut(&Reply, bool),
    ) -> Result<Reply, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.get_patiently(&url, from_byte, retry_count)?;
            on_the_way(&reply, self.is_hub(&reply.url));
            match reply.redirect() {
                Some(next) => url = next,
                None => return Ok(reply),
            }
        }
        Err(Failure::network(format!("`{url}` redirects in circles")))
    }

    /// One address, again and again while the reason of the failure may pass.
    fn get_patiently(&self, url: &str, from_byte: Option<u64>, retry_count: u32) -> Result<Reply, Failure> {
        let mut attempt = 0;
        loop {
            let outcome = self.get_once(url, from_byte);
            let asked_wait = match &outcome {
                Ok(reply) if !is_passing(reply.status) => break outcome,
                Ok(reply) => reply.number("retry-after").map(Duration::from_secs),
                Err(failure) if !failure.is_unreachable() => break outcome,
                Err(_) => None,
            };
            if attempt >= retry_count {
                break outcome;
            }
            self.wait(attempt, asked_wait);
            attempt += 1;
        }
    }

    /// Waits before a repetition: as long as the Hub asked, else longer each time.
    pub(crate) fn wait(&self, attempt: u32, asked: Option<Duration>) {
        let own = self.retries.first_wait.saturating_mul(1 << attempt.min(16));
        std::thread::sleep(asked.unwrap_or(own).min(self.retries.longest_wait));
    }

    fn get_once(&self, url: &str, from_byte: Option<u64>) -> Result<Reply, Failure> {
        let mut request = self.agent.get(url);
        // The token is for the Hub alone, never for the host that a redirect names.
        if let Some(token) = self.settings.token.as_deref().filter(|_| self.is_hub(url)) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(start) = from_byte {
            request = request.header(header::RANGE, format!("bytes={start}-"));
        }
        let response = request.call().map_err(|error| refusal::no_answer(url, &self.settings, error))?;
        let (parts, body) = response.into_parts();
        Ok(Reply { url: url.to_owned(), status: parts.status, headers: parts.headers, body })
    }

    fn is_hub(&self, url: &str) -> bool {
        origin(url).eq_ignore_ascii_case(origin(&self.settings.endpoint))
    }
}

/// What all connections have: how they are encrypted, who is at this end, and that a refusal is an answer.
pub(super) fn agent_config(settings: &HubSettings) -> Result<ConfigBuilder<AgentScope>, Error> {
    let config = Agent::config_builder()
        .tls_config(tls::config(settings.ca_bundle.as_deref())?)
        .user_agent(concat!("burnpipe/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false);
    Ok(config)
}

/// Failures of the moment, as Python's `http_backoff` lists them, and "too many requests".
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |position| position + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |position| after_scheme + position);
    &url[..end]
}

pub(super) fn is_this_machine(url: &str) -> bool {
    let host = origin(url).rsplit("://").next().unwrap_or_default();
    host == "localhost"
        || host.starts_with("localhost:")
        || host.starts_with("127.")
        || host.starts_with("[::1]")
}

/// The address that a `Location` means, seen from the address that answered with it.
fn join(base: &str, location: &str) -> String {
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        let scheme = base.split("//").next().unwrap_or_default();
        format!("{scheme}{location}")
    } else if location.starts_with('/') {
        format!("{}{location}", origin(base))
    } else {
        let path = base.split(['?', '#']).next().unwrap_or_default();
        let folder = path.rfind('/').map_or(path, |position| &path[..=position]);
        format!("{folder}{location}")
    }
}

/// A text as a part of an address.
pub(crate) fn encode(text: &str, keep_slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_kept = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~')
            || (keep_slashes && byte == b'/');
        if is_kept {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_seen_from_where_it_was_given() {
        let base = "https://hub.example:8080/org/name/resolve/main/a.json?x=1/2";
        let cases = [
            ("https://cdn.example/blob", "https://cdn.example/blob"),
            ("//cdn.example/blob", "https://cdn.example/blob"),
            ("/api/cache/a.json?y=//z", "https://hub.example:8080/api/cache/a.json?y=//z"),
            ("b.json", "https://hub.example:8080/org/name/resolve/main/b.json"),
        ];
        for (location, expected) in cases {
            assert_eq!(join(base, location), expected, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://hub.example:8080/a?b"), "https://hub.example:8080");
        assert_eq!(origin("https://hub.example"), "https://hub.example");
        assert!(is_this_machine("http://127.0.0.1:80/x") && is_this_machine("http://localhost"));
        assert!(!is_this_machine("http://localhost.example"));
    }

    #[test]
    fn names_are_encoded_as_python_quotes_them() {
        assert_eq!(encode("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(encode("1_Pooling/con fig#ü.json", true), "1_Pooling/con%20fig%23%C3%BC.json");
    }
}
