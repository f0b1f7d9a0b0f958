//! One shard of `predict`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use candle_core::Device;
use clap::ValueEnum;
use peft_files::{FileEntry, MANIFEST, Manifest};
use serde::{Deserialize, Serialize};

use super::super::args::PredictArgs;
use super::super::output::written;
use super::part::Part;
use super::{answer, answers, input_format};
use crate::files::write_whole;
use crate::run::RunDir;
use crate::session::{Session, of_labelling, of_samples};
use crate::shards::{Job, Shard, ShardFolder, checksum};
use crate::{Error, Result};

/// The record of a finished shard.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finished {
    /// The file with its answers.
    file: String,
    /// The CRC-32C of the bytes of the input that it was made of.
    input_crc32c: String,
    /// The number of its texts.
    texts: usize,
    /// Length and checksums of the file.
    entry: FileEntry,
}

/// Labels `shard` of the input into a file of the folder at `root`, unless that is done already, and says what there is.
pub(super) fn label(
    args: &PredictArgs,
    shard: Shard,
    root: &Path,
    session: &Session,
    out: &mut dyn Write,
) -> Result<()> {
    let part = Part::of(args, shard)?;
    let input_crc32c = checksum(&args.input, &part.bytes())?;
    let folder = ShardFolder::open(root, job(args, shard, session)?)?;
    let path = |name: &str| folder.root().join(name);
    let finished: Option<Finished> = folder.record(shard.index())?;
    match finished.filter(|finished| has_length(&path(&finished.file), finished.entry.bytes)) {
        Some(finished) if finished.input_crc32c == input_crc32c => {
            let path = path(&finished.file);
            written(writeln!(out, "{}: {} texts, finished before", path.display(), finished.texts))?;
        }
        Some(finished) => {
            return Err(Error::Config(format!(
                "{}: the text of shard {shard} has changed since {} was written; put it back, or name another --out",
                args.input.display(),
                path(&finished.file).display()
            )));
        }
        None => {
            let file = format!("{}.{}", shard.file_stem(), args.format.ending());
            let path = path(&file);
            let mut answers = answers(args, session)?;
            let source = part.source()?;
            write_whole(&path, |file| answer(args, source, &mut answers, file, &path))?;
            let entry = FileEntry { crc32c_blocks: None, ..FileEntry::of_file(&path)? };
            folder.finish(shard, &Finished { file, input_crc32c, texts: answers.texts(), entry })?;
            written(writeln!(out, "{}: {} texts", path.display(), answers.texts()))?;
        }
    }
    close(&folder, out)
}

/// Whether the file at `path` is there with this length: it has its name only once it is whole.
fn has_length(path: &Path, bytes: u64) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.len() == bytes)
}

/// Writes the manifest if all shards are there. The last process writes it; of two that are last, each writes the same.
fn close(folder: &ShardFolder, out: &mut dyn Write) -> Result<()> {
    let (missing, count) = (folder.missing()?.len(), folder.job().shards());
    if missing > 0 {
        return written(writeln!(out, "{}: {missing} of {count} shards are not finished", folder.root().display()));
    }
    let all = folder.records::<Finished>()?.into_iter();
    Manifest { version: 1, files: all.map(|finished| (finished.file, finished.entry)).collect() }
        .write(folder.root())?;
    written(writeln!(out, "{}: all {count} shards are finished", folder.root().join(MANIFEST).display()))
}

/// What all shards have in common.
fn job(args: &PredictArgs, shard: Shard, session: &Session) -> Result<Job> {
    let mut settings = BTreeMap::from([
        ("--task".to_owned(), args.task.clone()),
        ("--format".to_owned(), name(args.format)),
        ("--input-format".to_owned(), name(input_format(args))),
        ("--split-sentences".to_owned(), args.split_sentences.to_string()),
        ("--decoding".to_owned(), name(session.config.eval.decoding)),
        ("--dtype".to_owned(), name(session.config.model.dtype)),
        ("--device".to_owned(), kind(&session.device).to_owned()),
    ]);
    let optional = [
        ("--column", args.column.clone()),
        ("--n-best", args.n_best.map(|n| n.to_string())),
        ("--threshold", args.threshold.map(|score| score.to_string())),
        ("--tf32", candle_core::cuda::gemm_reduced_precision_f32().then(|| "true".to_owned())),
    ];
    settings.extend(optional.into_iter().filter_map(|(option, value)| Some((option.to_owned(), value?))));
    let mut content = of_labelling(session, &RunDir::new(&args.run), &[&args.task])?;
    content.insert("the input".to_owned(), of_samples(&args.input)?);
    Ok(Job::new(shard.count(), settings, content))
}

/// The kind of `device`. Shards may be labelled on several GPUs of one kind, which have numbers.
fn kind(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

/// The value as it is given on the command line.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
