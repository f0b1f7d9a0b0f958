//! Where the values of parameters come from: the backend of a `VarBuilder`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use peft_core::rng::{Stream, stream_of};
use peft_core::{ParamStore, check_elements, initial};
use peft_files::MappedTensors;
use peft_kernels as ops;

use super::files;
use super::table::TableFile;
use super::trainable::Trainable;
use crate::config::T5Config;
use crate::error::{Error, Result};

/// Other names under which a checkpoint may hold the shared embedding table.
const SHARED: &str = "shared.weight";
const SHARED_ALIASES: [&str; 2] = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];

/// A source of the backbone's parameters, with exact Hugging Face names.
///
/// A parameter that trains becomes a variable of a [`ParamStore`]; every other one is a plain tensor that the gradient
/// graph never sees. Other tensors of a checkpoint are ignored, because pretrained checkpoints hold duplicates.
///
/// ```
/// use candle_core::{DType, Device};
/// use peft_t5::{T5, Trainable, Weights, preset};
/// use peft_core::ParamStore;
///
/// let mut config = preset("t5-small").ok_or("no such preset")?;
/// (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 16, 1, 1);
/// let store = ParamStore::new(0, &Device::Cpu);
/// let weights = Weights::random(0).trainable(Trainable::Norms, &store);
/// let t5 = T5::new(&config, weights.var_builder(DType::F32, &Device::Cpu))?;
/// assert_eq!(store.vars().len(), 2 + 1 + 3 + 1); // two sub-layers and the end; three sub-layers and the end
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Weights {
    source: Source,
    /// Whether the embedding table stays where it is.
    leaves_table: bool,
    variables: Option<(Trainable, ParamStore)>,
}

/// A folder with its mapped files, and what was copied out of them beforehand.
struct Folder {
    path: PathBuf,
    files: Arc<MappedTensors>,
    ahead: BTreeMap<String, Tensor>,
}

enum Source {
    Folder(Folder),
    Tensors(BTreeMap<String, Tensor>),
    Random(u64),
    ShapesOnly,
}

impl Weights {
    /// The parameters in `model.safetensors`, or in the files of `model.safetensors.index.json`, of a folder.
    ///
    /// # Errors
    /// [`Error::Config`] if the folder has neither; [`Error::File`] if they cannot be read.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let (path, files) = (folder.to_path_buf(), Arc::new(files::open(folder)?));
        Ok(Self::from(Source::Folder(Folder { path, files, ahead: BTreeMap::new() })))
    }

    /// The mapped files, where the parameters are in a folder.
    pub(super) fn files(&self) -> Option<&Arc<MappedTensors>> {
        self.folder().map(|folder| &folder.files)
    }

    fn folder(&self) -> Option<&Folder> {
        match &self.source {
            Source::Folder(folder) => Some(folder),
            Source::Tensors(_) | Source::Random(_) | Source::ShapesOnly => None,
        }
    }

    /// Whether the parameter called `name` is loaded from `files`: one of several copies of the embedding table is enough.
    pub(super) fn loads(&self, files: &MappedTensors, name: &str) -> bool {
        let is_alias = SHARED_ALIASES.contains(&name);
        let is_left = self.leaves_table && (is_alias || name == SHARED);
        !(is_left || is_alias && files.has(SHARED))
    }

    /// Takes in what was loaded ahead from the folder.
    pub(super) fn put(&mut self, loaded: BTreeMap<String, Tensor>) {
        if let Source::Folder(folder) = &mut self.source {
            folder.ahead = loaded;
        }
    }

    /// Leaves the embedding table of a model `config` in its file, for [`T5::with_table`](crate::T5::with_table). This needs
    /// weights from a folder and the CPU as `device`; otherwise nothing is left and the table is `None`.
    ///
    /// # Errors
    /// [`Error::File`] if the file does not hold it as it should.
    pub fn leave_table(mut self, config: &T5Config, device: &Device) -> Result<(Self, Option<TableFile>)> {
        let (Some(Folder { path, files, .. }), Device::Cpu) = (self.folder(), device) else {
            return Ok((self, None));
        };
        let mut names = std::iter::once(SHARED).chain(SHARED_ALIASES);
        let Some(name) = names.find(|name| files.has(name)) else { return Ok((self, None)) };
        let shape = [config.vocab_size, config.d_model];
        let table = TableFile::new(path.clone(), Arc::clone(files), name, shape)?;
        self.leaves_table = true;
        Ok((self, Some(table)))
    }

    /// The parameters in `tensors`, by name.
    pub fn from_tensors(tensors: BTreeMap<String, Tensor>) -> Self {
        Self::from(Source::Tensors(tensors))
    }

    /// T5's own random initial values; each depends on `seed` and on the parameter's name alone.
    pub fn random(seed: u64) -> Self {
        Self::from(Source::Random(seed))
    }

    /// Zeros of the right shapes that take no memory: enough to ask a model of any size for its sites and its parameters.
    pub fn shapes_only() -> Self {
        Self::from(Source::ShapesOnly)
    }

    /// Makes the parameters that `which` covers variables of `store`.
    ///
    /// If the store was given values beforehand ([`ParamStore::from_tensors`]), those come before the ones here.
    pub fn trainable(self, which: Trainable, store: &ParamStore) -> Self {
        Self { variables: Some((which, store.clone())), ..self }
    }

    /// The builder to hand to [`T5::new`](crate::T5::new). Frozen parameters take the type `dtype`; variables
    /// stay in the type of their store and are cast where they are used.
    ///
    /// On a GPU, a parameter of a folder goes from its mapped file to the device by itself, and is converted there, once: the device holds
    /// the model in `dtype` and, for a moment, one tensor in the type of the file; the host holds nothing but pages of the file that the
    /// system may take back.
    pub fn var_builder(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }

    /// The value of one parameter, in its own type.
    fn value(&self, name: &str, shape: &Shape, init: Init, device: &Device) -> Result<Tensor> {
        let value = match &self.source {
            Source::Random(seed) => {
                check_elements(name, shape.dims())?;
                return Ok(initial(Stream::new(*seed, stream_of(name)), shape, init, device)?);
            }
            Source::ShapesOnly => return Ok(Tensor::zeros((), DType::F32, device)?.broadcast_as(shape)?),
            Source::Folder(..) | Source::Tensors(_) => self.stored(name, device)?,
        };
        self.check_shape(name, shape, value.dims())?;
        Ok(value)
    }

    fn check_shape(&self, name: &str, expected: &Shape, found: &[usize]) -> Result<()> {
        if expected.dims() == found {
            return Ok(());
        }
        let (key, expected, found) = (name.to_owned(), expected.dims().to_vec(), found.to_vec());
        Err(self.refuse(peft_core::Error::ShapeMismatch { key, expected, found }))
    }

    /// The tensor called `name`, or one that is the same by another name.
    fn stored(&self, name: &str, device: &Device) -> Result<Tensor> {
        let aliases: &[&str] = if name == SHARED { &SHARED_ALIASES } else { &[] };
        let names = || std::iter::once(name).chain(aliases.iter().copied());
        let found = match &self.source {
            Source::Folder(Folder { files, ahead, .. }) => {
                match names().find_map(|n| ahead.get(n).filter(|t| t.dtype() != DType::U8)) {
                    Some(tensor) => Some(tensor.to_device(device)?),
                    None => names().find(|n| files.has(n)).map(|n| files::load_on(files, n, device)).transpose()?,
                }
            }
            Source::Tensors(tensors) => {
                names().find_map(|n| tensors.get(n)).map(|t| t.to_device(device)).transpose()?
            }
            Source::Random(_) | Source::ShapesOnly => None,
        };
        found.ok_or_else(|| self.refuse(peft_core::Error::MissingKeys { keys: vec![name.to_owned()] }))
    }

    /// `error` with the folder that it is about.
    fn refuse(&self, error: peft_core::Error) -> Error {
        match self.folder() {
            Some(folder) => Error::malformed(&folder.path, error.to_string()),
            None => error.into(),
        }
    }

    /// One linear map in eight bits.
    fn int8(&self, name: &str, shape: &Shape, init: Init, device: &Device) -> Result<Tensor> {
        let ahead = self.folder().and_then(|folder| folder.ahead.get(name));
        let Some(ahead) = ahead.filter(|ahead| ahead.dtype() == DType::U8 && !self.is_variable(name)) else {
            return Ok(ops::quantize(&self.parameter(name, shape, init, device)?.detach())?);
        };
        self.check_shape(name, shape, &<[usize; 2]>::from(ops::quantized_dims(ahead)?))?;
        Ok(ahead.clone())
    }

    fn is_variable(&self, name: &str) -> bool {
        self.variables.as_ref().is_some_and(|(which, _)| which.covers(name))
    }

    fn parameter(&self, name: &str, shape: &Shape, init: Init, device: &Device) -> Result<Tensor> {
        match &self.variables {
            Some((which, store)) if which.covers(name) => {
                let value = || self.value(name, shape, init, device).map_err(|e| candle_core::Error::wrap(e).into());
                Ok(store.get_or_insert_with(name, shape, value)?)
            }
            _ => self.value(name, shape, init, device),
        }
    }
}

/// Whether a parameter is the weight of a linear map inside a block.
pub(crate) fn is_linear_map(name: &str) -> bool {
    let module = name.strip_suffix(".weight").and_then(|path| path.rsplit('.').next());
    name.contains(".block.") && matches!(module, Some("q" | "k" | "v" | "o" | "wi" | "wi_0" | "wi_1" | "wo"))
}

impl From<Source> for Weights {
    fn from(source: Source) -> Self {
        Self { source, leaves_table: false, variables: None }
    }
}

impl SimpleBackend for Weights {
    fn get(&self, s: Shape, name: &str, h: Init, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        if dtype == DType::U8 {
            return self.int8(name, &s, h, dev).map_err(candle_core::Error::wrap);
        }
        // Gradients pass through a cast to the variable. Without a cast this is the variable itself.
        self.parameter(name, &s, h, dev).map_err(candle_core::Error::wrap)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        self.stored(name, dev).map_err(candle_core::Error::wrap)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        match &self.source {
            Source::Folder(folder) => folder.files.has(name),
            Source::Tensors(tensors) => tensors.contains_key(name),
            Source::Random(_) | Source::ShapesOnly => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::{tiny, tiny_gated};
    use crate::{T5, save_backbone};

    const CPU: &Device = &Device::Cpu;

    fn build(weights: Weights) -> Result<T5> {
        T5::new(&tiny(), weights.var_builder(DType::F32, CPU))
    }

    fn values(t5: &T5) -> BTreeMap<String, Vec<f32>> {
        t5.tensors().unwrap().into_iter().map(|(n, t)| (n, t.flatten_all().unwrap().to_vec1().unwrap())).collect()
    }

    #[test]
    fn what_is_saved_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        for config in [tiny(), tiny_gated()] {
            let t5 = T5::new(&config, Weights::random(3).var_builder(DType::F32, CPU)).unwrap();
            save_backbone(&t5, folder.path()).unwrap();
            let config_again = crate::T5Config::read(folder.path().join("config.json")).unwrap();
            assert_eq!(config_again, config);
            let vb = Weights::open(folder.path()).unwrap().var_builder(DType::F32, CPU);
            assert_eq!(values(&T5::new(&config_again, vb).unwrap()), values(&t5));
        }
    }

    #[test]
    fn what_is_loaded_ahead_is_what_is_loaded_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        for dtype in [DType::F32, DType::BF16] {
            let mut tensors: std::collections::HashMap<String, Tensor> = build(Weights::random(3))
                .unwrap()
                .tensors()
                .unwrap()
                .into_iter()
                .map(|(n, t)| (n, t.to_dtype(dtype).unwrap()))
                .collect();
            for name in SHARED_ALIASES {
                let table = tensors["shared.weight"].clone();
                tensors.insert(name.to_owned(), table);
            }
            candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
            let open = || Weights::open(folder.path()).unwrap();
            let one_by_one = values(&build(open()).unwrap());
            assert_eq!(values(&build(open().prefetch(DType::F32, CPU).finish().unwrap()).unwrap()), one_by_one);
            assert_eq!(one_by_one.len(), 47);
        }
    }

    #[test]
    fn sharded_checkpoints_open_like_whole_ones() {
        let folder = tempfile::tempdir().unwrap();
        let t5 = build(Weights::random(3)).unwrap();
        let mut map = BTreeMap::new();
        for (i, (name, tensor)) in t5.tensors().unwrap().into_iter().enumerate() {
            let file = format!("model-{:05}-of-00002.safetensors", i % 2);
            map.entry(file).or_insert_with(std::collections::HashMap::new).insert(name, tensor);
        }
        let weight_map: BTreeMap<_, _> = map.iter().flat_map(|(file, t)| t.keys().map(move |n| (n, file))).collect();
        let index = serde_json::json!({ "metadata": {}, "weight_map": weight_map });
        std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        for (file, tensors) in &map {
            candle_core::safetensors::save(tensors, folder.path().join(file)).unwrap();
        }
        assert_eq!(values(&build(Weights::open(folder.path()).unwrap()).unwrap()), values(&t5));
    }

    #[test]
    fn random_values_depend_on_seed_and_name() {
        let (a, b) = (values(&build(Weights::random(1)).unwrap()), values(&build(Weights::random(2)).unwrap()));
        assert_eq!(a, values(&build(Weights::random(1)).unwrap()));
        assert_ne!(a["shared.weight"], b["shared.weight"]);
        assert_ne!(
            a["encoder.block.0.layer.0.SelfAttention.k.weight"],
            a["encoder.block.0.layer.0.SelfAttention.v.weight"]
        );
        assert!(a["encoder.final_layer_norm.weight"].iter().all(|w| *w == 1.));
    }

    #[test]
    fn trainable_parameters_are_variables_and_no_other_is() {
        for (which, expected) in [(Trainable::None, 0), (Trainable::Norms, 2 * 2 + 1 + 2 * 3 + 1), (Trainable::All, 47)]
        {
            let store = ParamStore::new(0, CPU);
            let t5 = build(Weights::random(1).trainable(which, &store)).unwrap();
            assert_eq!(store.vars().len(), expected, "{which:?}");
            assert!(store.vars().iter().all(|(name, _)| which.covers(name)), "{which:?}");
            assert_eq!(values(&t5), values(&build(Weights::random(1)).unwrap()), "{which:?}: the same values");
        }
    }

    #[test]
    fn missing_and_misshapen_parameters_are_named() {
        let mut tensors = build(Weights::random(1)).unwrap().tensors().unwrap();
        let name = "decoder.block.1.layer.2.DenseReluDense.wo.weight";
        let wo = tensors.insert(name.to_owned(), Tensor::zeros((3, 4), DType::F32, CPU).unwrap()).unwrap();
        let error = build(Weights::from_tensors(tensors.clone())).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: expected shape {:?}, found [3, 4]", wo.dims())), "{error}");
        tensors.remove(name);
        let error = build(Weights::from_tensors(tensors)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("missing weights: {name}")), "{error}");
    }

    #[test]
    fn the_embedding_may_come_under_a_stacks_name_and_duplicates_are_ignored() {
        let t5 = build(Weights::random(1)).unwrap();
        let mut tensors = t5.tensors().unwrap();
        tensors.insert("decoder.embed_tokens.weight".into(), tensors["shared.weight"].clone());
        tensors.insert("lm_head.weight".into(), tensors["shared.weight"].clone());
        assert_eq!(values(&build(Weights::from_tensors(tensors.clone())).unwrap()), values(&t5));
        tensors.remove("shared.weight");
        assert_eq!(values(&build(Weights::from_tensors(tensors)).unwrap()), values(&t5));
    }

    #[test]
    fn a_cross_attention_bias_is_asked_for_and_never_guessed() {
        let name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
        let with = tiny().with_cross_attention_bias(true);
        let t5 = T5::new(&with, Weights::random(1).var_builder(DType::F32, CPU)).unwrap();
        assert!(t5.tensors().unwrap().contains_key(name));
        let again = build(Weights::from_tensors(t5.tensors().unwrap())).unwrap();
        assert!(!again.tensors().unwrap().contains_key(name));
        let without = build(Weights::random(1)).unwrap().tensors().unwrap();
        let error =
            T5::new(&with, Weights::from_tensors(without).var_builder(DType::F32, CPU)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("cross_attention_bias"), "{error}");
    }
}
