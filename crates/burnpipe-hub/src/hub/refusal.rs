//! What a failed request means, and what would help.

use burnpipe_core::{Error, ErrorKind};

use super::client::Reply;
use crate::HubSettings;

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody answered.
    Unreachable,
    /// The model is there, the revision is not.
    NoRevision,
    /// The revision has no such file.
    NoFile,
    /// Any other answer that is not the thing asked for.
    Refused,
}

/// A request that came to nothing, with the error to show for it.
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) error: Error,
}

impl Failure {
    pub(crate) fn is_unreachable(&self) -> bool {
        self.cause == Cause::Unreachable
    }

    pub(crate) fn network(message: impl Into<String>) -> Self {
        Self { cause: Cause::Refused, error: Error::new(ErrorKind::Network, message) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { cause: Cause::Refused, error }
    }
}

/// No answer at all.
pub(crate) fn no_answer(url: &str, settings: &HubSettings, error: ureq::Error) -> Failure {
    let host = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let message = if error.to_string().contains("certificate") {
        format!(
            "the certificate of `{host}` is not trusted; behind a company's proxy, \
             set `SSL_CERT_FILE` to a PEM file with its authority"
        )
    } else {
        format!(
            "no answer from `{host}`; check the connection, `HF_ENDPOINT` (now `{}`) and proxies, \
             or work from the cache with `HF_HUB_OFFLINE=1`",
            settings.endpoint
        )
    };
    Failure { cause: Cause::Unreachable, error: Error::new(ErrorKind::Network, message).with_source(error) }
}

/// What was asked for.
pub(crate) struct Asked<'a> {
    pub(crate) id: &'a str,
    pub(crate) revision: &'a str,
    pub(crate) settings: &'a HubSettings,
}

impl Asked<'_> {
    /// The meaning of an answer that is not the thing itself. The Hub says it in `X-Error-Code`;
    /// mirrors may leave that out.
    pub(crate) fn failure(&self, reply: &Reply) -> Failure {
        let code = reply.header("x-error-code").unwrap_or_default();
        let said = reply.header("x-error-message").unwrap_or_default();
        let status = reply.status.as_u16();
        let (cause, kind, message) = match (code, status) {
            ("RevisionNotFound", _) => (Cause::NoRevision, ErrorKind::MissingFile, self.no_revision()),
            ("EntryNotFound", _) => (Cause::NoFile, ErrorKind::MissingFile, self.no_file(reply)),
            ("GatedRepo", _) => (Cause::Refused, ErrorKind::Network, self.gated()),
            _ if said == "Access to this resource is disabled." => {
                (Cause::Refused, ErrorKind::Network, format!("the Hub has disabled access to `{}`", self.id))
            }
            ("RepoNotFound", _) => (Cause::Refused, ErrorKind::MissingFile, self.no_model()),
            (_, 401) if self.settings.token.is_some() => {
                (Cause::Refused, ErrorKind::Network, self.bad_token())
            }
            (_, 401 | 404) => (Cause::Refused, ErrorKind::MissingFile, self.no_model()),
            (_, 403) => (Cause::Refused, ErrorKind::Network, self.forbidden(said)),
            (_, 429) => (Cause::Refused, ErrorKind::Network, self.too_many()),
            _ => (Cause::Refused, ErrorKind::Network, self.other(reply, said)),
        };
        Failure { cause, error: Error::new(kind, message) }
    }

    fn page(&self) -> String {
        format!("{}/{}", self.settings.endpoint, self.id)
    }

    fn no_revision(&self) -> String {
        let page = self.page();
        format!(
            "model `{}` has no revision `{}`; its branches and tags are at {page}/tree/main",
            self.id, self.revision
        )
    }

    fn no_file(&self, reply: &Reply) -> String {
        format!("model `{}` has no file at `{}`", self.id, reply.url)
    }

    fn no_model(&self) -> String {
        let advice = match &self.settings.token_source {
            None => "if it is private, set `HF_TOKEN` to a token that may read it".to_owned(),
            Some(source) => format!("if it is private, the token from {source} must be one that may read it"),
        };
        let Self { id, settings, .. } = self;
        format!("no folder and no model `{id}` at `{}`; check the spelling, or {advice}", settings.endpoint)
    }

    fn gated(&self) -> String {
        let (id, page) = (self.id, self.page());
        match &self.settings.token_source {
            None => format!(
                "model `{id}` is gated; accept its conditions at {page}, \
                 then set `HF_TOKEN` to a token of that account"
            ),
            Some(source) => format!(
                "model `{id}` is gated, and the account of the token from {source} has no access yet; \
                 ask for it at {page}"
            ),
        }
    }

    fn bad_token(&self) -> String {
        let source = self.settings.token_source.as_deref().unwrap_or("the options");
        format!(
            "the Hub does not accept the token from {source}; make a new one at {}/settings/tokens, \
             or remove it for public models",
            self.settings.endpoint
        )
    }

    fn forbidden(&self, said: &str) -> String {
        let said = if said.is_empty() { String::new() } else { format!(" ({})", said.trim_end_matches('.')) };
        let advice = match &self.settings.token_source {
            None => "set `HF_TOKEN` to a token that may read it".to_owned(),
            Some(source) => format!("the token from {source} may lack the right to read it"),
        };
        format!("the Hub refuses access to `{}`{said}; {advice}", self.id)
    }

    fn too_many(&self) -> String {
        let advice = match &self.settings.token {
            None => "; with an `HF_TOKEN` more requests are allowed",
            Some(_) => "",
        };
        format!(
            "the Hub refuses more requests for now (status 429) while loading `{}`; \
             wait some minutes{advice}",
            self.id
        )
    }

    fn other(&self, reply: &Reply, said: &str) -> String {
        let said = if said.is_empty() { String::new() } else { format!(": {}", said.trim_end_matches('.')) };
        let advice = if reply.status.is_server_error() { "; try again later" } else { "" };
        format!("`{}` answered with status {}{said}{advice}", reply.url, reply.status.as_u16())
    }
}
