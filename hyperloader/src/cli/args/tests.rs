#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("hyperloader").chain(line.split_whitespace()))
}

/// Every command and sub-command with its path.
fn commands() -> Vec<(String, clap::Command)> {
    fn add(path: &str, command: &clap::Command, all: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            add(&format!("{path} {}", sub.get_name()), sub, all);
        }
        all.push((path.to_owned(), command.clone()));
    }
    let mut all = Vec::new();
    let mut root = Cli::command();
    root.build();
    add("hyperloader", &root, &mut all);
    all
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_examples_and_they_parse() {
    let all = commands();
    assert_eq!(all.len(), 22 + usize::from(cfg!(feature = "serve")));
    for (path, command) in all {
        let help = command.get_after_help().unwrap_or_else(|| panic!("{path} has no example")).to_string();
        let calls: Vec<&str> =
            help.split("hyperloader ").skip(1).filter_map(|call| call.split(['\n', '>', '|']).next()).collect();
        assert!(!calls.is_empty(), "{path} has no example");
        for call in calls {
            let call = call.replace('\'', "");
            assert!(parse(&call).is_ok(), "{path}: {call}");
        }
    }
}

#[test]
fn help_is_success_and_a_wrong_call_is_2() {
    assert_eq!(parse("train --help").unwrap_err().exit_code(), 0);
    assert_eq!(parse("--version").unwrap_err().exit_code(), 0);
    for wrong in ["", "trian", "train", "data", "eval", "params --config c --dtype f16", "data sample p"] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
}

#[test]
fn a_misspelled_verb_or_value_gets_a_suggestion() {
    assert!(parse("trian").unwrap_err().to_string().contains("'train'"));
    assert!(parse("data inspect p --format jsnol").unwrap_err().to_string().contains("'jsonl'"));
}

#[test]
fn global_flags_may_come_anywhere() {
    for line in ["--threads 2 -q train --config c", "train --config c -q --threads 2"] {
        let cli = parse(line).unwrap();
        assert_eq!((cli.global.threads.map(usize::from), cli.global.quiet), (Some(2), true));
    }
    assert!(parse("man -v").unwrap().global.verbose);
    assert_eq!(parse("man -q -v").unwrap_err().kind(), ErrorKind::ArgumentConflict);
    assert!(parse("man --threads 0").is_err());
}

#[test]
fn eval_takes_several_tasks_and_predict_reads_stdin_by_itself() {
    let Verb::Eval(eval) = parse("eval runs/a --task x --task y").unwrap().verb else { panic!("not eval") };
    let score = eval.score.unwrap();
    assert_eq!((score.split, score.tasks.join(" ").as_str()), (SplitName::Test, "x y"));
    let Verb::Eval(eval) = parse("eval merge runs/a --split dev").unwrap().verb else { panic!("not eval") };
    assert!(matches!(eval.verb, Some(EvalVerb::Merge(merge)) if merge.split == SplitName::Validation));
    assert!(parse("eval runs/a --split dev").is_ok(), "another name of validation");
    let Verb::Predict(predict) = parse("predict runs/a --task x").unwrap().verb else { panic!("not predict") };
    assert_eq!(predict.input, Path::new("-"));
}

#[test]
fn a_sample_is_a_share_or_a_number() {
    assert!(parse("data sample p --fraction 0.1").is_ok() && parse("data sample p -n 3").is_ok());
    for wrong in ["data sample p --fraction 0.1 -n 3", "data sample p -n 0", "data sample p -n 1 --out x"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
