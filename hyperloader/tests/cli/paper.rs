//! The configurations of the paper's systems, and the number of parameters that each trains.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyperloader::config::Config;
use hyperloader::model::{Inventory, ParamCount, shape_of};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configs/paper"))
}

/// What a file counts, with the shape of t5-base in place of its weights.
fn count(name: &str) -> ParamCount {
    let config = Config::load(folder().join(name), &["model.name=config:t5-base".to_owned()]).unwrap();
    let shape = shape_of(&config.model).unwrap();
    Inventory::of(&shape, config.parts().unwrap(), config.model.trainable).unwrap().total()
}

/// The files.
fn files() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = entries.filter(|name| name.ends_with(".toml")).collect();
    files.sort();
    files
}

/// The table of the README: the paper's figure and ours, by file.
fn table() -> BTreeMap<String, (String, String)> {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| [`")?.split('|').map(str::trim).collect();
        let name = cells.first()?.split('`').next()?;
        Some((name.to_owned(), ((*cells.get(1)?).to_owned(), (*cells.get(2)?).to_owned())))
    };
    text.lines().filter_map(row).collect()
}

fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let pieces: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    pieces.join(",")
}

#[test]
fn every_system_trains_as_many_parameters_as_the_table_and_its_file_say() {
    let table = table();
    assert_eq!(table.keys().cloned().collect::<Vec<_>>(), files());
    for (name, (_, ours)) in &table {
        let found = grouped(count(name).trainable);
        assert_eq!(&found, ours, "{name}");
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(head.contains(&found), "{name} does not say {found}");
    }
}

#[test]
fn the_figures_of_the_authors_logs_are_met_exactly() {
    let exact: Vec<_> = table()
        .into_iter()
        .filter(|(_, (paper, _))| paper.len() >= "5,210,992".len() && !paper.contains('M'))
        .collect();
    assert_eq!(exact.len(), 6);
    for (name, (paper, ours)) in exact {
        assert_eq!(paper, ours, "{name}");
    }
}

#[test]
fn what_the_table_says_of_other_readings_of_the_paper_is_so() {
    let with = |name: &str, settings: &[&str]| {
        let settings: Vec<String> =
            ["model.name=config:t5-base"].iter().chain(settings).map(|set| (*set).to_owned()).collect();
        let config = Config::load(folder().join(name), &settings).unwrap();
        let shape = shape_of(&config.model).unwrap();
        Inventory::of(&shape, config.parts().unwrap(), config.model.trainable).unwrap().total().trainable
    };
    assert_eq!(with("lora-hypernetwork.toml", &["generator.task_embedding_dim=64"]), 1_689_152);
    assert_eq!(with("adapters.toml", &["peft.0.ln_after=false"]), 3_578_112);
    assert_eq!(with("adapters.toml", &["model.trainable=norms"]), 3_699_456);
    // The adapters that the Hyperdecoders' code makes for the decoder and does not use.
    let unused = 12 * (2 * 768 * 64 + 64 + 768);
    assert_eq!((unused, count("hyperdecoder.toml").total + unused), (1_189_632, 239_352_760));
    // Either reading of "4 LoRA hypernetworks".
    let by_map = [
        r#"generator.heads=[["self.q", "cross.q"], ["self.v", "cross.v"]]"#,
        r#"generator.positions=["ffn", "self", ["self.q", "self.v"], ["cross.q", "cross.v"]]"#,
    ];
    assert_eq!(with("hyperloader-4-heads.toml", &by_map), 8_356_976);
}

#[test]
fn systems_that_are_compared_differ_only_in_what_their_names_say() {
    let read = |name: &str| Config::load(folder().join(name), &[]).unwrap();
    let paper = read("hyperloader.toml");
    for name in files() {
        let config = read(&name);
        let names = |config: &Config| config.tasks.iter().map(|task| task.name.clone()).collect::<Vec<_>>();
        assert_eq!((names(&config), config.seed, &config.data), (names(&paper), paper.seed, &paper.data), "{name}");
        assert_eq!(config.tasks[5].tag_map.len(), 5, "{name}: mTOD");
        assert_eq!(config.eval, paper.eval, "{name}");
        assert!(config.model.cross_attention_bias, "{name}");
    }
    let sentences = |name: &str| {
        let train = read(name).train;
        train.max_steps.get() * train.batch_size.get() * train.gradient_accumulation_steps.get()
    };
    for name in
        ["hyperloader.toml", "hyperloader-text.toml", "hyperformer++-equal-sentences.toml", "full-multi-task.toml"]
    {
        assert_eq!(sentences(name), 8_388_608, "{name}");
    }
    assert_eq!(sentences("hyperformer++.toml"), 8_388_608 / 4);
}
