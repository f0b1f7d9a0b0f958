//! The configuration: TOML or JSON, and `--set`. What is accepted is the same after writing and reading it.
#![no_main]

use hyperloader::config::Config;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::scratch;

libfuzzer_sys::fuzz_target!(|input: (bool, &str, Vec<&str>)| {
    let (json, text, overrides) = input;
    let overrides: Vec<String> = overrides.into_iter().map(str::to_owned).collect();
    let folder = scratch::folder();
    let name = if json { "run.json" } else { "run.toml" };
    scratch::put(&folder, name, text.as_bytes());
    let bytes = text.len() + overrides.iter().map(String::len).sum::<usize>();
    match bounded(bytes, || Config::load(folder.path().join(name), &overrides)) {
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(name) || message.contains("--set"), "{message}");
        }
        Ok(config) => {
            // TOML has no seeds beyond 2^63 - 1.
            let Ok(text) = config.to_toml() else { return };
            let again = Config::from_toml(&text).expect("what was written can be read");
            assert_eq!(again.to_toml().expect("it was written before"), text);
        }
    }
});
