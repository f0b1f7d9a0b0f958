//! Models of the Hugging Face hub, through its cache.
//!
//! - `settings`: the variables of Python's `huggingface_hub`; `cache`: finds files in its cache.
//! - this file: fetches what is not there.

mod cache;
mod settings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use peft_core::near::did_you_mean;

use self::cache::CachedModel;
use self::settings::Settings;
use crate::{Error, Result};

const INDEX: &str = "model.safetensors.index.json";
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "spiece.model"];

/// One model of the hub: the cache and, unless a variable forbids it, the network.
struct Remote {
    id: String,
    cached: CachedModel,
    api: Result<ApiRepo, &'static str>,
}

impl Remote {
    fn new(id: &str, revision: Option<&str>) -> Result<Self> {
        let settings = Settings::from_env().map_err(|reason| Error::Hub(format!("{id}: {reason}")))?;
        let revision = revision.unwrap_or("main");
        let cached = CachedModel::new(&settings.cache, id, revision);
        let api = match settings.offline {
            Some(variable) => Err(variable),
            None => Ok(Self::api(id, revision, settings)?),
        };
        Ok(Self { id: id.to_owned(), cached, api })
    }

    fn api(id: &str, revision: &str, settings: Settings) -> Result<ApiRepo> {
        let mut builder = ApiBuilder::from_cache(Cache::new(settings.cache)).with_token(settings.token);
        if let Some(endpoint) = settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let api = builder.build().map_err(|e| Error::Hub(format!("{id}: {e}")))?;
        Ok(api.repo(Repo::with_revision(id.to_owned(), RepoType::Model, revision.to_owned())))
    }

    /// The file called `file`: from the cache or, if it is not there, from the network.
    fn get(&self, file: &str) -> Result<PathBuf> {
        if let Some(path) = self.cached.get(file) {
            return Ok(path);
        }
        let api = self.api.as_ref().map_err(|variable| {
            self.fail(format!(
                "{file} is not in the cache ({}), and {variable} is set; fetch it once without, or set HF_HOME or HF_HUB_CACHE",
                self.cached.lacks(file)
            ))
        })?;
        // hf-hub expects some headers of an answer and panics without them.
        match catch_unwind(AssertUnwindSafe(|| api.get(file))) {
            Ok(Ok(path)) => Ok(path),
            Ok(Err(error)) => Err(self.fail(format!("{file}: {}", explained(&error.to_string())))),
            Err(_) => Err(self.fail(format!("{file}: the answer is not one of a hub; is HF_ENDPOINT right?"))),
        }
    }

    /// The first of the files that hold tokenizers.
    fn tokenizer(&self) -> Result<PathBuf> {
        let [first, second] = TOKENIZERS.map(|file| self.get(file));
        first.or(second).map_err(|error| match error {
            Error::Hub(reason) => Error::Hub(format!("no {}: {reason}", TOKENIZERS.join(" and no "))),
            other => other,
        })
    }

    /// The name of a model may have been meant as a folder, so an error speaks of both.
    fn fail(&self, reason: String) -> Error {
        Error::Hub(format!("{}: {reason}; nor is there a folder {:?}{}", self.id, self.id, similar(&self.id)))
    }
}

/// The answers of the hub that say what to do.
fn explained(error: &str) -> String {
    let hint = if error.contains("404") {
        " (the hub has no such model, revision or file)"
    } else if error.contains("401") || error.contains("403") {
        " (the hub has no such model, or it is private or gated: set HF_TOKEN)"
    } else {
        ""
    };
    format!("{error}{hint}")
}

/// `, did you mean ..?` with the folder next to the path `name` that has almost its name.
fn similar(name: &str) -> String {
    let path = Path::new(name);
    let parent = peft_files::parent(path);
    let folders = std::fs::read_dir(parent).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let folders: Vec<String> = folders
        .filter_map(|entry| {
            let inside = path.parent().unwrap_or(Path::new("")).join(entry.file_name());
            inside.to_str().map(str::to_owned)
        })
        .collect();
    match did_you_mean(name, folders.iter().map(String::as_str)) {
        hint if hint.is_empty() => hint,
        hint => format!(";{hint}"),
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Fetches `files` of a model; returns the folder of the cache that holds them.
///
/// # Errors
/// [`Error::Hub`] with the model, the file and the reason.
pub(super) fn fetch(id: &str, revision: Option<&str>, files: &[&str]) -> Result<PathBuf> {
    let remote = Remote::new(id, revision)?;
    let mut folder = PathBuf::new();
    for file in files {
        folder = folder_of(&remote.get(file)?);
    }
    Ok(folder)
}

/// Fetches a whole model: configuration, safetensors (in one file or in shards) and tokenizer.
///
/// # Errors
/// [`Error::Hub`] with the model, the file and the reason.
pub(super) fn fetch_model(id: &str, revision: Option<&str>) -> Result<PathBuf> {
    let remote = Remote::new(id, revision)?;
    let folder = folder_of(&remote.get("config.json")?);
    if let Err(single) = remote.get("model.safetensors") {
        // Large models have an index and shards instead; where there is neither, the first error says more.
        let index = remote.get(INDEX).map_err(|_| single)?;
        for shard in shards(&index)? {
            remote.get(&shard)?;
        }
    }
    // Only those who label need a tokenizer: they are told when they open it.
    let _ = remote.tokenizer();
    Ok(folder)
}

/// Fetches the tokenizer of a model; returns its file.
///
/// # Errors
/// [`Error::Hub`] with the model and the reason.
pub(super) fn fetch_tokenizer(id: &str, revision: Option<&str>) -> Result<PathBuf> {
    Remote::new(id, revision)?.tokenizer()
}

/// The distinct files that an index names.
fn shards(index: &Path) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let parsed: Index = peft_files::read_json(index)?;
    let mut files: Vec<String> = parsed.weight_map.into_values().collect();
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{explained, similar};

    #[test]
    fn a_name_that_is_almost_a_folder_says_which() {
        // The tests of a crate run in its folder.
        assert_eq!(similar("src/modle"), "; did you mean \"src/model\"?");
        assert_eq!(similar("srcc"), "; did you mean \"src\"?");
        assert_eq!(similar("google/flan-t5-small"), "");
    }

    #[test]
    fn an_answer_says_what_to_do() {
        assert!(explained("request error: http status: 404").contains("no such model"));
        assert!(explained("request error: http status: 401").contains("HF_TOKEN"));
        assert_eq!(explained("request error: io: timed out"), "request error: io: timed out");
    }
}
