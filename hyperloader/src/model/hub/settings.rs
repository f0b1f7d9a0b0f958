//! The variables that Python's `huggingface_hub` reads.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Values that mean yes, in any case; every other value means no.
const TRUE: [&str; 4] = ["1", "ON", "YES", "TRUE"];

/// What the environment says of the hub.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The folder that holds the models.
    pub(super) cache: PathBuf,
    /// The address of another hub.
    pub(super) endpoint: Option<String>,
    /// Who asks.
    pub(super) token: Option<String>,
    /// The variable that forbids the network.
    pub(super) offline: Option<&'static str>,
}

/// A process's variables and its user's home folder.
struct Environment<F> {
    variable: F,
    home: Option<PathBuf>,
}

impl Settings {
    /// The settings of this process.
    ///
    /// # Errors
    /// What to do if there is no folder for the cache.
    pub(super) fn from_env() -> Result<Self, String> {
        Environment { variable: |name: &str| std::env::var_os(name), home: dirs::home_dir() }.settings()
    }
}

impl<F: Fn(&str) -> Option<OsString>> Environment<F> {
    fn settings(&self) -> Result<Settings, String> {
        let home = self.path("HF_HOME").or_else(|| {
            let cache = self.path("XDG_CACHE_HOME").or_else(|| Some(self.home.clone()?.join(".cache")))?;
            Some(cache.join("huggingface"))
        });
        let cache = self.path("HF_HUB_CACHE").or_else(|| self.path("HUGGINGFACE_HUB_CACHE"));
        let cache = cache.or_else(|| Some(home.as_ref()?.join("hub")));
        Ok(Settings {
            cache: cache.ok_or("there is no home folder for the cache of the hub: set HF_HOME to a folder")?,
            endpoint: self.text("HF_ENDPOINT").map(|address| address.trim_end_matches('/').to_owned()),
            token: self.token(home),
            offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
                .into_iter()
                .find(|name| self.text(name).is_some())
                .filter(|name| self.is_true(name)),
        })
    }

    fn token(&self, home: Option<PathBuf>) -> Option<String> {
        if self.is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return None;
        }
        let clean =
            |text: String| Some(text.replace(['\r', '\n'], "").trim().to_owned()).filter(|text| !text.is_empty());
        let given = self.text("HF_TOKEN").or_else(|| self.text("HUGGING_FACE_HUB_TOKEN")).and_then(clean);
        given.or_else(|| {
            let file = self.path("HF_TOKEN_PATH").or_else(|| Some(home?.join("token")))?;
            std::fs::read_to_string(file).ok().and_then(clean)
        })
    }

    /// A variable that is set and not empty.
    fn value(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| TRUE.iter().any(|word| value.eq_ignore_ascii_case(word)))
    }

    /// A folder, in which a leading `~` and variables are replaced.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.value(name)?;
        Some(match value.to_str() {
            Some(text) => self.with_home(&self.with_variables(text)),
            None => PathBuf::from(value),
        })
    }

    fn with_home(&self, text: &str) -> PathBuf {
        let rest = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (rest, &self.home) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        }
    }

    /// `$NAME` and `${NAME}` replaced by their values; a variable that is not set stays as it is written.
    fn with_variables(&self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let braced = part.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(part.len());
            let (name, rest) = braced.unwrap_or_else(|| part.split_at(end));
            match (self.variable)(name).as_deref().and_then(OsStr::to_str).filter(|_| !name.is_empty()) {
                Some(value) => expanded.extend([value, rest]),
                None => expanded.extend(["$", part]),
            }
        }
        expanded
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;

    fn settings_at(home: Option<&str>, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Environment { variable, home: home.map(PathBuf::from) }.settings()
    }

    fn settings(variables: &[(&str, &str)]) -> Settings {
        settings_at(Some("/home/me"), variables).unwrap()
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "/home/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HF_HUB_CACHE", "/new"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/new"),
            (&[("HF_HOME", "")], "/home/me/.cache/huggingface/hub"),
            (&[("HF_HOME", "~/models")], "/home/me/models/hub"),
            (&[("HF_HUB_CACHE", "$ROOT/a-${ROOT}$NONE$"), ("ROOT", "/r")], "/r/a-/r$NONE$"),
        ];
        for (variables, expected) in cases {
            assert_eq!(settings(variables).cache, Path::new(expected), "{variables:?}");
        }
    }

    #[test]
    fn without_a_home_a_folder_must_be_named() {
        assert!(settings_at(None, &[]).unwrap_err().contains("set HF_HOME"));
        for name in ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"] {
            assert!(settings_at(None, &[(name, "/x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_network_is_forbidden_by_the_words_that_python_knows() {
        for word in ["1", "on", "YES", "True"] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", word)]).offline, Some("HF_HUB_OFFLINE"));
            assert_eq!(settings(&[("TRANSFORMERS_OFFLINE", word)]).offline, Some("TRANSFORMERS_OFFLINE"));
        }
        for word in ["0", "False", "no", "2", "off", ""] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", word)]).offline, None, "{word:?}");
        }
        assert_eq!(settings(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).offline, None);
        assert_eq!(
            settings(&[("HF_HUB_OFFLINE", ""), ("TRANSFORMERS_OFFLINE", "1")]).offline,
            Some("TRANSFORMERS_OFFLINE")
        );
    }

    #[test]
    fn a_token_comes_from_a_variable_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "from-file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        let token = |more: &[(&str, &str)]| settings(&[&[("HF_HOME", home)], more].concat()).token;
        assert_eq!(token(&[]).as_deref(), Some("from-file"));
        assert_eq!(token(&[("HF_TOKEN", " given\n")]).as_deref(), Some("given"));
        assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "old")]).as_deref(), Some("old"));
        assert_eq!(token(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes")]), None);
        assert_eq!(token(&[("HF_TOKEN_PATH", "/none/token")]), None);
        assert_eq!(
            settings(&[("HF_ENDPOINT", "https://mirror.example/")]).endpoint.as_deref(),
            Some("https://mirror.example")
        );
    }
}
