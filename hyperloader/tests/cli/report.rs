//! `report`: what it writes, what it refuses, and that nothing is lost then.

use std::fs;

use crate::common::{Bench, trained};

/// Sentences that try to break out of the page.
const HOSTILE: &str = r#"{"words":["</script><script>alert(1)</script>","<img","src=x>","שלום","🎉","\"quoted\"","'a'","&amp;"],"gold":["B-<b>","O","O","B-city","O","O","O","O"],"predicted":["B-<b>","O","O","O","B-city","O","O","O"],"spans":[{"type":"<b>","start":0,"end":1,"score":0.75},{"type":"city","start":4,"end":5,"score":0.5}]}
"#;

/// A trained run in `name`, with `lines` as its predictions for the task home.
fn predicted(bench: &Bench, lines: &str) {
    let folder = bench.path("run/predictions/test");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("home.jsonl"), lines).unwrap();
}

#[test]
fn a_page_has_its_tables_next_to_it_and_loads_nothing() {
    let bench = trained();
    bench.ok(&["eval", "run", "--predictions", "--quiet"]);
    let said = bench.ok(&["report", "run", "--out", "out/report.html"]);
    assert!(
        said.contains("out/report.html: 1 inputs, 2 labelled corpora, 24 sentences; tables in out/report.csv"),
        "{said}"
    );
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    for forbidden in ["http://", "https://", "src=", "@import", "url("] {
        assert!(
            !page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "").contains(forbidden),
            "{forbidden}"
        );
    }
    for part in ["id=\"curves\"", "id=\"errors\"", "id=\"sentences\"", "Reliability", "Confusion of types", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    let csv = fs::read_to_string(bench.path("out/report.csv")).unwrap();
    let markdown = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(csv.starts_with("table,subject,row,column,value,sd\nruns,test,run,home,"), "{csv}");
    assert!(markdown.contains("| run | home | travel | average | steps | trainable | trainable % |"), "{markdown}");
    // The same input gives the same bytes, over the older files.
    bench.ok(&["report", "run", "--out", "out/report.html"]);
    assert!(page == fs::read_to_string(bench.path("out/report.html")).unwrap(), "the page is the same again");
    assert_eq!(bench.ok(&["report", "run", "--out", "-"]), page);
}

#[test]
fn sentences_cannot_break_out_of_the_page() {
    let bench = trained();
    predicted(&bench, HOSTILE);
    bench.ok(&["report", "run", "--out", "report.html"]);
    let page = fs::read_to_string(bench.path("report.html")).unwrap();
    assert_eq!(page.matches("</script>").count(), 2, "those of the data and of the script");
    assert!(!page.contains("<img") && !page.contains("<b>&lt;") && page.contains("\\u003c/script\\u003e"));
    assert!(page.contains("<bdi>&lt;b&gt;</bdi>"), "the type is shown as it is");
    assert!(page.contains("שלום") && page.contains("🎉"));
}

#[test]
fn a_run_without_predictions_is_shown_with_what_to_do() {
    let bench = trained();
    bench.ok(&["report", "run", "--out", "report.html"]);
    let page = fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(page.contains("run has no predictions on test for travel, home"), "{page}");
    assert!(page.contains("hyperloader eval run --split test --predictions"));
    assert!(page.contains("id=\"curves\"") && !page.contains("id=\"sentences\""));
}

#[test]
fn what_is_no_run_and_what_is_not_ours_is_refused() {
    let bench = trained();
    fs::create_dir(bench.path("empty")).unwrap();
    for (input, reason) in [
        ("empty", "neither a config.toml nor a suite.json"),
        ("nowhere", "there is no such folder"),
        ("config.toml", "it is a file"),
    ] {
        let message = bench.fails(2, &["report", "run", input, "--out", "report.html"]);
        assert!(
            message.contains(&format!("{input} is neither a run nor a suite: {reason}")) || message.contains(reason),
            "{message}"
        );
    }
    assert!(bench.fails(2, &["report", "run", "--out", "run/config.toml"]).contains("ends in .html"));
    assert!(bench.fails(2, &["report", "--out", "report.html"]).contains("RUN_OR_SUITE"));
    fs::write(bench.path("notes.md"), "my notes\n").unwrap();
    let message = bench.fails(2, &["report", "run", "--out", "notes.html"]);
    assert!(message.contains("notes.md exists and was not written by a report"), "{message}");
    assert_eq!(fs::read_to_string(bench.path("notes.md")).unwrap(), "my notes\n");
    predicted(&bench, "{\"words\":[\"a\"],\"gold\":[\"O\"]}\n");
    let message = bench.fails(1, &["report", "run", "--out", "report.html"]);
    assert!(message.contains("home.jsonl:1"), "{message}");
    assert!(!bench.path("report.html").exists() && !bench.path("notes.html").exists());
}

#[test]
fn runs_with_other_sentences_under_one_task_name_are_told_apart() {
    let (bench, other) = (trained(), trained());
    predicted(&bench, HOSTILE);
    predicted(&other, &HOSTILE.replace("quoted", "other"));
    let second = other.path("run");
    bench.ok(&["report", "run", second.to_str().unwrap(), "--out", "report.html"]);
    let page = fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(page.contains("scores cannot be compared: home (1), home (2)"));
}

/// The `suite.json` of two systems, two tasks and two seeds.
const SUITE: &str = r#"{"suite":"high-resource","scale":"tiny","version":"0.1.0","tasks":["home","travel"],"backbone":null,
"data":{},"configurations":{},"systems":[{"name":"lora","title":"T5 LoRA","paper":null},{"name":"hyper","title":"HyperLoader","paper":"hyperloader"}],
"fractions":[1.0],"seeds":[1,2],"commands":["hyperloader reproduce --suite high-resource"]}"#;

#[test]
fn a_suite_is_shown_as_far_as_it_is() {
    let bench = trained();
    let write = |path: &str, text: &str| fs::write(bench.path(path), text).unwrap();
    fs::create_dir_all(bench.path("suite/cells/hyper/all/1/seed-1")).unwrap();
    write("suite/suite.json", SUITE);
    bench.ok(&["report", "suite", "--out", "report.html"]);
    let page = fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(
        page.contains("suite is not finished: 0 cells are done. Cells are missing of T5 LoRA, HyperLoader."),
        "{page}"
    );
    assert!(page.contains("Begun, and not shown: hyper&#x2f;all&#x2f;1&#x2f;seed-1."), "{page}");

    for (seed, f1) in [(1, 0.5), (2, 0.7)] {
        let folder = format!("suite/cells/lora/all/1/seed-{seed}");
        fs::create_dir_all(bench.path(&folder)).unwrap();
        write(&format!("{folder}/config.toml"), &fs::read_to_string(bench.path("run/config.toml")).unwrap());
        write(&format!("{folder}/counts.json"), "{}");
        let score = format!(r#"{{"paper":{{"micro_f1":{f1},"precision":0.5,"recall":0.5,"support":9}}}}"#);
        let cell = format!(
            r#"{{"system":"lora","task":null,"fraction":1.0,"seed":{seed},"tasks":["home","travel"],"trainable":100,"total":1000,"steps":9,
"sentences":99,"best_step":9,"final_validation":null,"steps_to_90":null,"seconds":1.0,"scores":{{"home":{score},"travel":{score}}}}}"#
        );
        write(&format!("{folder}/cell.json"), &cell);
    }
    bench.ok(&["report", "suite", "run", "--out", "report.html"]);
    let page = fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(page.contains("suite is not finished: 2 cells are done. Cells are missing of HyperLoader."), "{page}");
    let markdown = fs::read_to_string(bench.path("report.md")).unwrap();
    assert!(
        markdown.contains("| corpus | T5 LoRA | HyperLoader |") && markdown.contains("| home | 60.00 ± 14.14 | – |"),
        "{markdown}"
    );
    assert!(markdown.contains("| average | 60.00 ± 14.14 | – |"), "{markdown}");
    assert!(fs::read_to_string(bench.path("report.csv")).unwrap().contains(",average,T5 LoRA,60,14.14"));
}
