//! The variables of `huggingface_hub`, read by a closure so that tests need no process environment.

use std::path::{Path, PathBuf};

use crate::OpenOptions;

/// The address of the Hub where nobody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// The variables that Python's `requests` reads, and the one of OpenSSL.
const CA_BUNDLES: [&str; 3] = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"];

/// Where the Hub and its cache are: [`OpenOptions`] filled up from the environment.
#[derive(Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// The folder of the cache, which holds `models--org--name`.
    pub cache_dir: PathBuf,
    /// The address of the Hub, without a slash at its end.
    pub endpoint: String,
    /// Whether no connection may be opened.
    pub offline: bool,
    /// The access token, if any.
    pub token: Option<String>,
    /// Where the token came from, for messages: `HF_TOKEN`, a file, the options.
    pub token_source: Option<String>,
    /// A PEM file of the authorities to trust instead of Mozilla's, as `REQUESTS_CA_BUNDLE`,
    /// `CURL_CA_BUNDLE` or `SSL_CERT_FILE` says.
    pub ca_bundle: Option<PathBuf>,
}

impl std::fmt::Debug for HubSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HubSettings")
            .field("cache_dir", &self.cache_dir)
            .field("endpoint", &self.endpoint)
            .field("offline", &self.offline)
            .field("token_source", &self.token_source)
            .field("ca_bundle", &self.ca_bundle)
            .finish_non_exhaustive()
    }
}

impl HubSettings {
    /// The settings of this process: the options first, then its environment.
    pub fn new(options: &OpenOptions) -> Self {
        Self::from_lookup(options, std::env::home_dir(), |name| std::env::var(name).ok())
    }

    /// The settings when `lookup` is the environment and `home` the user's folder.
    ///
    /// ```
    /// use burnpipe_hub::{HubSettings, OpenOptions};
    ///
    /// let lookup = |name: &str| (name == "HF_HOME").then(|| "/data/hf".to_owned());
    /// let settings = HubSettings::from_lookup(&OpenOptions::default(), None, lookup);
    /// assert_eq!(settings.cache_dir, std::path::Path::new("/data/hf/hub"));
    /// assert_eq!(settings.endpoint, "https://huggingface.co");
    /// ```
    pub fn from_lookup(
        options: &OpenOptions,
        home: Option<PathBuf>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let environment = Environment { home, lookup };
        let hf_home = environment.hf_home();
        let (token, token_source) = match &options.token {
            Some(token) => (clean(token), Some("the options".to_owned())),
            None => environment.token(&hf_home).unzip(),
        };
        let endpoint = options.endpoint.clone().or_else(|| environment.get("HF_ENDPOINT"));
        Self {
            cache_dir: options.cache_dir.clone().unwrap_or_else(|| environment.cache_dir(&hf_home)),
            endpoint: endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT).trim_end_matches('/').to_owned(),
            offline: options.offline.unwrap_or_else(|| environment.offline()),
            token_source: token.as_ref().and(token_source),
            token,
            ca_bundle: CA_BUNDLES.iter().find_map(|name| environment.path(name)),
        }
    }
}

struct Environment<L> {
    home: Option<PathBuf>,
    lookup: L,
}

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    /// A variable; one that is set to nothing counts as not set.
    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn hf_home(&self) -> PathBuf {
        self.path("HF_HOME").unwrap_or_else(|| {
            let cache = self.get("XDG_CACHE_HOME").map(|folder| self.expand(&folder));
            cache.unwrap_or_else(|| self.home().join(".cache")).join("huggingface")
        })
    }

    /// transformers' own (deprecated) names win over the Hub's, as they do in its `utils/hub.py`.
    fn cache_dir(&self, hf_home: &Path) -> PathBuf {
        const NAMES: [&str; 5] = [
            "TRANSFORMERS_CACHE",
            "PYTORCH_TRANSFORMERS_CACHE",
            "PYTORCH_PRETRAINED_BERT_CACHE",
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
        ];
        NAMES.iter().find_map(|name| self.path(name)).unwrap_or_else(|| hf_home.join("hub"))
    }

    fn token(&self, hf_home: &Path) -> Option<(String, String)> {
        let named = |name: &str| Some((clean(&self.get(name)?)?, format!("`{name}`")));
        let in_file = || {
            let path = self.path("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
            let token = clean(&std::fs::read_to_string(&path).ok()?)?;
            Some((token, format!("`{}`", path.display())))
        };
        // Python's way to send no token to public models although one is there.
        if self.is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return None;
        }
        named("HF_TOKEN").or_else(|| named("HUGGING_FACE_HUB_TOKEN")).or_else(in_file)
    }

    fn offline(&self) -> bool {
        match self.get("HF_HUB_OFFLINE") {
            Some(_) => self.is_true("HF_HUB_OFFLINE"),
            None => self.is_true("TRANSFORMERS_OFFLINE"),
        }
    }

    fn is_true(&self, name: &str) -> bool {
        let value = self.get(name).unwrap_or_default().to_ascii_uppercase();
        matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE")
    }

    fn home(&self) -> PathBuf {
        self.home.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|value| self.expand(&value))
    }

    /// `~/…`, `$NAME` and `${NAME}`, as `os.path.expanduser` and `expandvars` do.
    fn expand(&self, text: &str) -> PathBuf {
        let text = self.expand_variables(text);
        match text.strip_prefix('~') {
            Some("") => self.home(),
            Some(rest) if rest.starts_with(['/', '\\']) => {
                self.home().join(rest.trim_start_matches(['/', '\\']))
            }
            _ => PathBuf::from(text),
        }
    }

    fn expand_variables(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, tail) = variable_name(after);
            match self.get(name) {
                Some(value) => {
                    expanded.push_str(&value);
                    rest = tail;
                }
                // An unknown variable stays as it is written.
                None => {
                    expanded.push('$');
                    rest = after;
                }
            }
        }
        expanded + rest
    }
}

/// The name at the start of what follows a `$`, and what comes after it.
fn variable_name(after: &str) -> (&str, &str) {
    if let Some((name, tail)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (name, tail);
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    after.split_at(after.find(|character| !is_part(character)).unwrap_or(after.len()))
}

/// A token without the line ends that editors and shells add; an empty one is none.
fn clean(token: &str) -> Option<String> {
    let token = token.replace(['\r', '\n'], "");
    let token = token.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> HubSettings {
        settings_with(&OpenOptions::default(), variables)
    }

    fn settings_with(options: &OpenOptions, variables: &[(&str, &str)]) -> HubSettings {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        HubSettings::from_lookup(options, Some("/home/ada".into()), lookup)
    }

    #[test]
    fn the_cache_is_where_python_looks() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "/home/ada/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/h/hub"),
            (&[("HF_HOME", "~/h")], "/home/ada/h/hub"),
            (&[("HF_HOME", "")], "/home/ada/.cache/huggingface/hub"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/c"),
            (&[("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/c")], "/c"),
            (&[("TRANSFORMERS_CACHE", "/t"), ("HF_HUB_CACHE", "/c")], "/t"),
            (&[("HF_HUB_CACHE", "$ROOM/c/${ROOM}"), ("ROOM", "r")], "r/c/r"),
            (&[("HF_HUB_CACHE", "/a$NOBODY/b")], "/a$NOBODY/b"),
        ];
        for (variables, expected) in cases {
            assert_eq!(settings(variables).cache_dir, Path::new(expected), "{variables:?}");
        }
    }

    #[test]
    fn offline_follows_python_words() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], false),
            (&[("HF_HUB_OFFLINE", "1")], true),
            (&[("HF_HUB_OFFLINE", "yes")], true),
            (&[("HF_HUB_OFFLINE", "0")], false),
            (&[("TRANSFORMERS_OFFLINE", "true")], true),
            (&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")], false),
        ];
        for (variables, expected) in cases {
            assert_eq!(settings(variables).offline, *expected, "{variables:?}");
        }
        let options = OpenOptions { offline: Some(false), ..OpenOptions::default() };
        assert!(!settings_with(&options, &[("HF_HUB_OFFLINE", "1")]).offline);
    }

    #[test]
    fn the_endpoint_has_no_slash_at_its_end() {
        assert_eq!(settings(&[]).endpoint, DEFAULT_ENDPOINT);
        assert_eq!(settings(&[("HF_ENDPOINT", "http://mirror:8080/hf/")]).endpoint, "http://mirror:8080/hf");
    }

    #[test]
    fn a_token_comes_from_the_options_then_the_variable_then_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let home = folder.path().to_str().unwrap();

        let from_file = settings(&[("HF_HOME", home)]);
        assert_eq!(from_file.token.as_deref(), Some("hf_file"));
        assert!(from_file.token_source.unwrap().contains("token"));

        let from_path = settings(&[("HF_TOKEN_PATH", &format!("{home}/token"))]);
        assert_eq!(from_path.token.as_deref(), Some("hf_file"));

        let from_variable = settings(&[("HF_HOME", home), ("HF_TOKEN", " hf_variable ")]);
        assert_eq!(from_variable.token.as_deref(), Some("hf_variable"));
        assert_eq!(from_variable.token_source.as_deref(), Some("`HF_TOKEN`"));

        let options = OpenOptions { token: Some("hf_options".into()), ..OpenOptions::default() };
        let from_options = settings_with(&options, &[("HF_TOKEN", "hf_variable")]);
        assert_eq!(from_options.token.as_deref(), Some("hf_options"));

        assert_eq!(settings(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
    }

    #[test]
    fn a_token_is_never_printed() {
        let options = OpenOptions { token: Some("hf_secret".into()), ..OpenOptions::default() };
        assert!(!format!("{options:?}").contains("hf_secret"));
        assert!(!format!("{:?}", settings_with(&options, &[])).contains("hf_secret"));
    }
}
