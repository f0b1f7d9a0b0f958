//! One golden folder, and the model that it describes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors};
use peft_core::{Condition, ParamStore, Tasks};
use peft_core::{PeftModel, PeftParts};
use peft_t5::Weights;
use peft_t5::{T5, T5Batch};

use super::{Description, committed, folders_with, names, require};

/// How many golden folders are committed.
pub const COMMITTED: usize = 18;

/// The folders to test: those of `$PEFT_GOLDENS`; otherwise the committed ones, and those of `../shared/goldens` if that folder
/// exists.
///
/// # Panics
/// If there are none in `$PEFT_GOLDENS`, or fewer than are committed: a parity test without goldens shows nothing.
pub fn folders() -> Vec<PathBuf> {
    const FILE: &str = "golden.json";
    if let Some(root) = std::env::var_os("PEFT_GOLDENS") {
        let found = folders_with(Path::new(&root), FILE);
        assert!(!found.is_empty(), "PEFT_GOLDENS is {}, which has no golden folders", root.display());
        return found;
    }
    let mut found = folders_with(&committed(""), FILE);
    assert!(found.len() >= COMMITTED, "{} golden folders, but {COMMITTED} are committed", found.len());
    if let Some(shared) = require("goldens") {
        found.extend(folders_with(&shared, FILE));
    }
    found
}

/// A golden folder.
#[derive(Debug)]
pub struct Golden {
    /// The last part of its path.
    pub name: String,
    /// `golden.json`.
    pub description: Description,
    path: PathBuf,
    io: BTreeMap<String, Tensor>,
}

impl Golden {
    /// Reads `golden.json` and the inputs.
    ///
    /// # Panics
    /// If a file is missing or malformed.
    pub fn open(path: &Path) -> Self {
        let text = std::fs::read_to_string(path.join("golden.json")).expect("golden.json");
        Self {
            name: path.file_name().expect("a folder's name").to_string_lossy().into_owned(),
            description: serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: golden.json: {e}", path.display())),
            io: load(&path.join("io.safetensors")),
            path: path.to_path_buf(),
        }
    }

    /// The model with the golden weights, and its trainable variables.
    ///
    /// # Panics
    /// If the model cannot be built, or leaves a golden weight unused.
    pub fn model(&self) -> (PeftModel<T5>, ParamStore) {
        let peft = &self.description.peft;
        let trainable: Vec<String> =
            self.description.trainable_names.iter().map(|own| names::ours(own, &self.description)).collect();
        let (variables, frozen) = self.weights("weights").into_iter().partition(|(name, _)| trainable.contains(name));
        let store = ParamStore::from_tensors(variables, &Device::Cpu);
        let tasks = Tasks::new(peft.tasks.iter().map(String::as_str));
        let (methods, generator) = (peft.methods(), peft.generator());
        let config = self.description.backbone.config();
        let parts = PeftParts { methods, generator, tasks };
        let backbone =
            Weights::from_tensors(frozen).trainable(peft.trainable(), &store).var_builder(DType::F32, &Device::Cpu);
        let t5 = T5::new(&config, backbone).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let model =
            PeftModel::new(t5, parts, &store, store.var_builder()).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        store.check_all_used().unwrap_or_else(|e| panic!("{}: {e}", self.name));
        (model, store)
    }

    /// The tensors of `<stem>.safetensors` under our names, or nothing if there is no such file.
    pub fn find_weights(&self, stem: &str) -> Option<BTreeMap<String, Tensor>> {
        let path = self.path.join(format!("{stem}.safetensors"));
        path.is_file().then(|| self.weights(stem))
    }

    /// Every weight, under our names.
    pub fn all_weights(&self) -> BTreeMap<String, Tensor> {
        self.weights("weights")
    }

    /// The path of a file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn weights(&self, stem: &str) -> BTreeMap<String, Tensor> {
        let tensors = load(&self.path.join(format!("{stem}.safetensors")));
        let rename = |(own, tensor): (String, Tensor)| {
            let name = names::ours(&own, &self.description);
            let tensor = self.reshape(&name, tensor);
            (name, tensor)
        };
        tensors.into_iter().map(rename).collect()
    }

    /// A head's bias has the shape of the weight that it is added to; the reference keeps it flat.
    fn reshape(&self, name: &str, tensor: Tensor) -> Tensor {
        let head = name.split_once(".heads.").and_then(|(_, head)| head.strip_suffix(".bias"));
        let Some(shape) = head.and_then(|head| head.rsplit('.').next()) else {
            return tensor;
        };
        let dims: Vec<usize> = shape.split('x').map(|n| n.parse().expect("a shape")).collect();
        tensor.reshape(dims).expect("as many elements")
    }

    /// What the hypernetwork generates in decoder layer 1, as (task, site path, weight name, value).
    pub fn generated(&self) -> Vec<(String, String, String, Tensor)> {
        let mut all = Vec::new();
        for task in &self.description.peft.tasks {
            let path = self.path.join(format!("generated_dec1_{task}.safetensors"));
            for (key, value) in path.is_file().then(|| load(&path)).into_iter().flatten() {
                if !key.starts_with("condition.") {
                    let (site, weight) = names::generated(&key, &self.description);
                    all.push((task.clone(), site, weight, value));
                }
            }
        }
        all
    }

    /// Batch number `n`.
    ///
    /// # Panics
    /// If it is missing.
    pub fn batch(&self, n: usize) -> T5Batch {
        let get = |part: &str| {
            let tensor = &self.io[&format!("batch{n}.{part}")];
            tensor.to_dtype(DType::U32).expect("token ids")
        };
        let labels = get("labels");
        let counted =
            labels.ne(self.description.backbone.pad).and_then(|t| t.to_dtype(DType::U32)?.sum_all()?.to_scalar());
        let label_tokens = counted.map(|n: u32| n as usize).expect("a count");
        T5Batch { source: get("ids"), mask: get("mask"), labels, label_tokens }
    }

    /// A result of batch 0 for `task`, such as `logits`.
    pub fn result(&self, task: &str, what: &str) -> &Tensor {
        &self.io[&format!("batch0.task_{task}.{what}")]
    }

    /// A result of batch 0 for `task` in `golden.json`, such as `greedy`.
    pub fn value(&self, task: &str, what: &str) -> &serde_json::Value {
        &self.description.results[&format!("batch0.task_{task}.{what}")]
    }

    /// The tasks that batch 0 has results for, with the condition of each.
    pub fn tasks(&self) -> Vec<(&str, Condition)> {
        let tasks = self.description.peft.tasks.iter().enumerate();
        let count = if self.description.peft.is_conditional() { usize::MAX } else { 1 };
        tasks.take(count).map(|(number, task)| (task.as_str(), Condition::Task(number))).collect()
    }

    /// The condition of `task`.
    ///
    /// # Panics
    /// If there is no such task.
    pub fn condition(&self, task: &str) -> Condition {
        let number = self.description.peft.tasks.iter().position(|t| t == task);
        Condition::Task(number.expect("a known task"))
    }
}

fn load(path: &Path) -> BTreeMap<String, Tensor> {
    let tensors = safetensors::load(path, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    tensors.into_iter().collect()
}
