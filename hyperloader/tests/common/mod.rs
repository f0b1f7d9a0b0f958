//! A tiny run to test the command with: sentences of the quickstart, a tokenizer trained on them, a random T5.
#![allow(dead_code, unused_imports, reason = "each test program uses its part")]

mod trained;

pub(crate) mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use datasets::read::{Dataset, Format, write};
use datasets::tokenizer::{TrainOptions, train_unigram};
use hyperloader::quickstart::templates::Templates;
use hyperloader::tasks::SplitName;

pub(crate) use trained::trained;

/// A folder that holds everything a run needs.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// Two tasks of 60 sentences each and a random T5 of 16 features.
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let root = folder.path();
        let mut lines = Vec::new();
        let mut words = vec!["O".to_owned(), "I".to_owned()];
        let mut tables = String::new();
        let templates = Templates::load().unwrap();
        for task in templates.tasks.iter().take(2) {
            words.extend(task.slot_types().map(str::to_owned));
            tables += &format!("\n[[tasks]]\nname = \"{}\"\n", task.name);
            for (split, n) in [(SplitName::Train, 60), (SplitName::Validation, 8), (SplitName::Test, 12)] {
                let examples = templates.draw(task, split, 1, n).unwrap();
                lines.extend(examples.iter().map(|e| e.tokens.join(" ")));
                let path = root.join(format!("{}.{split}.bio", task.name));
                write(&Dataset::from_examples(examples), &path, Format::Bio).unwrap();
                tables += &format!("{split} = {path:?}\n");
            }
        }
        words.sort();
        words.dedup();
        let tokenizer = train_unigram(&lines, &TrainOptions { vocab_size: 400, keep_words: words }).unwrap();
        tokenizer.save(root.join("tokenizer.json")).unwrap();
        let shape = format!(
            r#"{{"vocab_size": {}, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4}}"#,
            tokenizer.vocab_size()
        );
        std::fs::write(root.join("shape.json"), shape).unwrap();
        let config = format!("{}{tables}", HEAD.replace("ROOT", &root.to_string_lossy()));
        std::fs::write(root.join("config.toml"), config).unwrap();
        Self { folder }
    }

    /// A path within the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command with `arguments`, in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperloader"));
        command.args(arguments).current_dir(self.folder.path()).env("NO_COLOR", "1").env("HF_HUB_OFFLINE", "1");
        command.env("HYPERLOADER_CACHE", self.path("cache"));
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the command, which must succeed; its stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the command, which must fail with `code`; its stderr.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    }
}

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const HEAD: &str = r#"
seed = 7

[model]
name = "config:ROOT/shape.json"
tokenizer = "ROOT/tokenizer.json"

[data]
max_source_length = 48
max_target_length = 48

[[peft]]
peft_type = "LORA"
r = 2
lora_alpha = 4
lora_dropout = 0.1

[[peft]]
peft_type = "BOTTLENECK"
reduction_factor = 4

[generator]
generator = "hypernetwork"
embedding_dim = 6
hidden_dim = 8
conditioning_dim = 5

[train]
max_steps = 24
batch_size = 3
gradient_accumulation_steps = 2
learning_rate = 1e-3
warmup_steps = 3
eval_steps = 8
save_steps = 5
eval_sentences = 4
logging_steps = 1

[eval]
max_length = 24
"#;
