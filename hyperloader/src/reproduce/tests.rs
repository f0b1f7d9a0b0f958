//! A whole suite, so small that it takes seconds.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use candle_core::Device;
use datasets::read::{Dataset, Format, write};

use super::*;
use crate::files::FolderLock;
use crate::quickstart::templates::Templates;
use crate::tasks::SplitName;
use crate::train::threads::on_threads;
use crate::train::{Interrupt, Ranks};

/// Two corpora under the paper's names, with sentences of the quickstart.
fn write_data(data: &Path) {
    let templates = Templates::load().unwrap();
    for (corpus, task) in
        corpora().unwrap().iter().filter(|c| ["movie", "restaurant"].contains(&&*c.name)).zip(&templates.tasks)
    {
        for (split, path, n) in [
            (SplitName::Train, &corpus.train, 40),
            (SplitName::Validation, &corpus.validation, 10),
            (SplitName::Test, &corpus.test, 12),
        ] {
            let path = data.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&Dataset::from_examples(templates.draw(task, split, 1, n).unwrap()), &path, Format::Bio).unwrap();
        }
    }
}

const SMALL: &str = r#"
[train]
max_steps = 8
warmup_steps = 2
batch_size = 4
eval_steps = 4
save_steps = 4
eval_sentences = 3
logging_steps = 2
[data]
cache = false
[pretrain]
vocab_size = 300
max_steps = 4
warmup_steps = 1
batch_size = 4
logging_steps = 1
[pretrain.shape]
d_model = 16
d_kv = 4
d_ff = 24
num_layers = 1
num_heads = 4
"#;

fn merge(table: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(own)), toml::Value::Table(value)) => merge(own, value),
            (_, value) => _ = table.insert(key, value),
        }
    }
}

fn plan(root: &Path, out: &str, systems: &[&str], seeds: usize) -> SuitePlan {
    let mut plan = SuitePlan::new(SuiteOptions {
        suite: Suite::HighResource,
        scale: Scale::Tiny,
        seeds: NonZeroUsize::new(seeds).unwrap(),
        data: root.join("data"),
        out: root.join(out),
        tasks: Vec::new(),
        systems: systems.iter().map(|name| (*name).to_owned()).collect(),
        fractions: Vec::new(),
        backbone: None,
    })
    .unwrap();
    merge(&mut plan.settings.config, toml::from_str(SMALL).unwrap());
    plan.settings.test_sentences = 8;
    plan
}

fn options(jobs: usize) -> WorkOptions {
    WorkOptions {
        jobs: NonZeroUsize::new(jobs).unwrap(),
        draws: 50,
        command: "test".to_owned(),
        interrupt: Interrupt::default(),
        ranks: Ranks::default(),
    }
}

/// The files of finished suites that must not depend on when and in which order they were made.
fn files(suite: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![suite.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, name) = (item.path(), item.file_name().into_string().unwrap());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if ["results.csv", "results.md", "counts.json", "adapter_model.safetensors"].contains(&&*name)
                || path.extension().is_some_and(|extension| extension == "jsonl") && name != "metrics.jsonl"
            {
                found.insert(path.strip_prefix(suite).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_suite_is_the_same_in_any_order_and_goes_on_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let systems = ["hyperloader", "hyperdecoder", "lora"];
    let whole = plan(root.path(), "whole", &systems, 1);
    assert_eq!(whole.cells().len(), 4);
    run_suite(&whole, &Device::Cpu, &options(1)).unwrap();
    let expected = files(&whole.options.out);
    // Of four cells: counts and weights in the folder and in two checkpoints at most; predictions of each task of each model; tables.
    assert!(expected.keys().any(|path| path.ends_with("hyperloader/all/1/seed-42/predictions/test/movie.jsonl")));
    assert_eq!(expected.keys().filter(|path| path.ends_with("counts.json")).count(), 4);
    assert!(!whole.options.out.join("claims").exists());

    // Two cells at once, the systems one after another, and a cell whose process was killed before it was scored.
    let parts = plan(root.path(), "parts", &["hyperdecoder", "hyperloader"], 1);
    run_suite(&parts, &Device::Cpu, &options(2)).unwrap();
    let cell = parts.cells()[1].folder(&parts.options.out);
    std::fs::remove_file(cell.join(CELL_FILE)).unwrap();
    let rest = plan(root.path(), "parts", &["lora", "hyperloader", "hyperdecoder"], 1);
    run_suite(&rest, &Device::Cpu, &options(2)).unwrap();
    let found = files(&parts.options.out);
    for (path, bytes) in
        expected.iter().filter(|(path, _)| !path.starts_with("results.md") && !path.starts_with("results.csv"))
    {
        assert!(found.get(path) == Some(bytes), "{} differs", path.display());
    }
    // Nothing is done again.
    let before = std::fs::metadata(cell.join(CELL_FILE)).unwrap().modified().unwrap();
    run_suite(&rest, &Device::Cpu, &options(1)).unwrap();
    assert_eq!(std::fs::metadata(cell.join(CELL_FILE)).unwrap().modified().unwrap(), before);

    let results = tables::SuiteResults::read(&whole.options.out).unwrap();
    let grid = tables::Grid::new(&results, 1., Protocol::Strict);
    assert_eq!(grid.average("lora").unwrap().seeds, 1);
    assert_eq!(grid.counts("hyperloader", "movie").unwrap()[0].len(), 8);
    let [all, each] = ["hyperloader", "lora"].map(|system| {
        results
            .cells
            .iter()
            .filter(|(result, _)| result.cell.system == system)
            .map(|(result, _)| result.steps)
            .sum::<usize>()
    });
    assert_eq!((all, each), (8, 8), "models of one task share the steps");
    let page = std::fs::read_to_string(whole.options.out.join("results.md")).unwrap();
    assert!(page.contains("*HyperLoader: the paper, t5-base, one seed* | *87.45* | *79.65*"), "{page}");
    assert!(page.contains("| T5 LoRA | average |"), "{page}");
}

#[test]
fn other_data_another_scale_and_another_task_are_refused_with_what_differs() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let suite = plan(root.path(), "suite", &["lora"], 1);
    let record = SuiteRecord::of(&suite, "first").unwrap();
    let again = || SuiteRecord::of(&suite, "second").unwrap();
    let joined = record.clone().joined(again(), Path::new("suite")).unwrap();
    assert_eq!(joined.commands, ["first", "second"]);
    let refused = |new: SuiteRecord| record.clone().joined(new, Path::new("suite")).unwrap_err().to_string();
    assert!(refused(SuiteRecord { version: "9".into(), ..again() }).contains("version: 0.1.0 in the folder, 9 now"));
    assert!(refused(SuiteRecord { tasks: vec!["movie".into()], ..again() }).contains("tasks: movie, restaurant"));
    let mut other = suite.clone();
    other.settings.config.insert("train".into(), toml::Table::from_iter([("batch_size".into(), 5.into())]).into());
    assert!(refused(SuiteRecord::of(&other, "x").unwrap()).contains("configuration of lora"));
    std::fs::write(root.path().join("data/mit_movie/engtest.bio"), "O\tword\n\n").unwrap();
    assert!(refused(SuiteRecord::of(&suite, "x").unwrap()).contains("data of movie"));
    // What may be added is added, and nothing of the old is lost.
    let more = SuiteRecord::of(&plan(root.path(), "suite", &["full"], 3), "more").unwrap();
    let joined = record.clone().joined(SuiteRecord { data: record.data.clone(), ..more }, Path::new("suite")).unwrap();
    assert_eq!(joined.seeds, [42, 43, 44]);
    assert_eq!(joined.systems.iter().map(|system| &*system.name).collect::<Vec<_>>(), ["lora", "full"]);
}

#[test]
fn a_cell_that_another_process_holds_is_left_to_it() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let suite = plan(root.path(), "suite", &["hyperformer++"], 1);
    let cell = suite.cells().remove(0);
    let held = suite.options.out.join("claims").join(cell.name().replace('/', "."));
    std::fs::create_dir_all(&held).unwrap();
    let lock = FolderLock::take(&held).unwrap();
    let stop = options(1);
    let interrupt = stop.interrupt.clone();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| run_suite(&suite, &Device::Cpu, &stop));
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert!(!cell.folder(&suite.options.out).exists(), "two processes in one cell");
        interrupt.request();
        assert!(matches!(work.join().unwrap(), Err(crate::Error::Interrupted { .. })));
    });
    drop(lock);
    run_suite(&suite, &Device::Cpu, &options(1)).unwrap();
    assert!(CellResult::is_in(&cell.folder(&suite.options.out)));
}

#[test]
fn a_damaged_cell_is_named_with_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let suite = plan(root.path(), "suite", &["full-multi-task"], 1);
    let cell = suite.cells().remove(0).folder(&suite.options.out);
    std::fs::create_dir_all(&cell).unwrap();
    std::fs::write(cell.join(CELL_FILE), "{\"system\": ").unwrap();
    let message = run_suite(&suite, &Device::Cpu, &options(1)).unwrap_err().to_string();
    assert!(message.contains("cell.json") && message.contains("remove the file"), "{message}");
}

#[test]
fn every_cell_of_every_suite_and_scale_has_a_configuration_and_an_estimate() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let all = [Suite::HighResource, Suite::LowResource, Suite::Ablation, Suite::Init, Suite::Scaling];
    for (suite, cells) in all.into_iter().zip([13, 39, 6, 4, 8]) {
        for scale in [Scale::Tiny, Scale::Small, Scale::Base] {
            let options = plan(root.path(), "suite", &[], 1).options;
            let plan = SuitePlan::new(SuiteOptions { suite, scale, ..options }).unwrap();
            let estimates: Vec<_> = plan.cells().iter().map(|cell| estimate(&plan, cell).unwrap()).collect();
            assert_eq!(estimates.len(), cells, "{suite:?}");
            assert!(estimates.iter().all(|cell| cell.trainable > 0 && cell.seconds > 0. && cell.memory > 1e6));
        }
    }
}

#[test]
fn lora_alone_other_methods_hypernetworks_and_full_models_have_learning_rates_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let suite = plan(root.path(), "suite", &["lora", "unipelt", "hyperloader", "full"], 1);
    let rate = |system: &str| {
        let cell = suite.cells().into_iter().find(|cell| cell.system == system).unwrap();
        suite.config(&cell).unwrap().train.learning_rate
    };
    assert_eq!(["lora", "unipelt", "hyperloader", "full"].map(rate), [3e-2, 3e-3, 2e-3, 2e-3]);
}

#[test]
fn the_suite_on_initialization_validates_often_enough_to_see_when_a_model_learns() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let options = plan(root.path(), "suite", &[], 1).options;
    let evaluates = |suite: Suite| {
        let plan = SuitePlan::new(SuiteOptions { suite, ..options.clone() }).unwrap();
        let train = plan.config(&plan.cells()[0]).unwrap().train;
        train.max_steps.get() / train.eval_steps
    };
    assert_eq!([Suite::Init, Suite::HighResource].map(evaluates), [40, 4]);
}

#[test]
fn figures_of_the_paper_stand_next_to_what_the_paper_has() {
    let papers: Vec<(String, Option<String>)> =
        Suite::Init.entries(&[]).unwrap().into_iter().map(|entry| (entry.system.name, entry.paper)).collect();
    let of = |name: &str| papers.iter().find(|(own, _)| own == name).unwrap().1.clone();
    assert_eq!(of("hyperloader").as_deref(), Some("hyperloader"));
    assert_eq!(of("hyperloader-scaled"), None, "the paper has one initialization");
}

#[test]
fn the_draws_of_a_share_depend_on_task_and_seed_alone() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let mut suite = plan(root.path(), "suite", &["hyperloader", "lora"], 2);
    suite.fractions = vec![0.5];
    let drawn = |cell: &Cell, task: &str| {
        let config = suite.config(cell).unwrap();
        config.corpus(config.task(task).unwrap()).unwrap().read(SplitName::Train).unwrap().0
    };
    let cells = suite.cells();
    let of = |system: &str, seed: u64| cells.iter().find(|cell| cell.system == system && cell.seed == seed).unwrap();
    assert_eq!(drawn(of("hyperloader", 42), "movie"), drawn(of("lora", 42), "movie"));
    assert_ne!(drawn(of("hyperloader", 42), "movie"), drawn(of("hyperloader", 43), "movie"));
    assert_eq!(drawn(of("lora", 42), "movie").len(), 20);
}

#[test]
fn ranks_train_each_cell_together_and_the_first_writes() {
    let root = tempfile::tempdir().unwrap();
    write_data(&root.path().join("data"));
    let done = on_threads(2, |rank| {
        let plan = plan(root.path(), "ranks", &["hyperloader", "lora"], 1);
        let options = WorkOptions { ranks: Ranks::new(rank.clone()), ..options(1) };
        run_suite(&plan, &Device::Cpu, &options).map_err(|error| error.to_string())
    });
    assert_eq!(done, [Ok(()), Ok(())]);
    let plan = plan(root.path(), "ranks", &["hyperloader", "lora"], 1);
    assert!(plan.cells().iter().all(|cell| CellResult::is_in(&cell.folder(&plan.options.out))));
    let checkpoint = plan.cells()[0].folder(&plan.options.out).join("checkpoints/step-8/state.json");
    assert!(std::fs::read_to_string(checkpoint).unwrap().contains("\"ranks\": 2"));
    let several = WorkOptions { jobs: NonZeroUsize::new(2).unwrap(), ..options(1) };
    let refused = on_threads(2, |rank| {
        let several = WorkOptions { ranks: Ranks::new(rank.clone()), ..several.clone() };
        run_suite(&plan, &Device::Cpu, &several).unwrap_err().to_string()
    });
    assert!(refused.iter().all(|message| message.contains("give --jobs 1")), "{refused:?}");
}
