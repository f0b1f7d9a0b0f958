//! Models of the Hugging Face hub, through its cache.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use crate::{Error, Result};

const INDEX: &str = "model.safetensors.index.json";
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "spiece.model"];

/// One model of the hub: the cache, and the network unless `HF_HUB_OFFLINE` is set.
struct Remote {
    id: String,
    cache: CacheRepo,
    api: Option<ApiRepo>,
}

impl Remote {
    /// Reads `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE`.
    fn new(id: &str, revision: Option<&str>) -> Result<Self> {
        // hf-hub panics without a folder for its cache.
        if std::env::var_os("HF_HOME").is_none() && dirs::home_dir().is_none() {
            return Err(Error::Hub(format!("{id}: no home folder for the cache of the hub; set HF_HOME")));
        }
        let revision = revision.unwrap_or("main").to_owned();
        let repo = Repo::with_revision(id.to_owned(), RepoType::Model, revision);
        let offline = std::env::var("HF_HUB_OFFLINE").is_ok_and(|v| !matches!(v.as_str(), "" | "0" | "false"));
        let api = if offline {
            None
        } else {
            let mut builder = ApiBuilder::from_env();
            if let Ok(token) = std::env::var("HF_TOKEN") {
                builder = builder.with_token(Some(token));
            }
            let api = builder.build().map_err(|e| Error::Hub(format!("{id}: {e}")))?;
            Some(api.repo(repo.clone()))
        };
        Ok(Self { id: id.to_owned(), cache: Cache::from_env().repo(repo), api })
    }

    fn get(&self, file: &str) -> Result<PathBuf> {
        if let Some(path) = self.cache.get(file) {
            return Ok(path);
        }
        match &self.api {
            Some(api) => api.get(file).map_err(|e| Error::Hub(format!("{}: {file}: {e}", self.id))),
            None => Err(Error::Hub(format!(
                "{}: {file} is not in the cache, and HF_HUB_OFFLINE is set; fetch it once without, or name a folder",
                self.id
            ))),
        }
    }
}

impl Remote {
    /// The first of the files that hold tokenizers.
    fn tokenizer(&self) -> Result<PathBuf> {
        let found = TOKENIZERS.iter().find_map(|file| self.get(file).ok());
        found.ok_or_else(|| Error::Hub(format!("{}: has neither {}", self.id, TOKENIZERS.join(" nor "))))
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
    let text = std::fs::read_to_string(index).map_err(|e| Error::io(index, e))?;
    let parsed: Index = serde_json::from_str(&text).map_err(|e| Error::malformed(index, e.to_string()))?;
    let mut files: Vec<String> = parsed.weight_map.into_values().collect();
    files.sort_unstable();
    files.dedup();
    Ok(files)
}
