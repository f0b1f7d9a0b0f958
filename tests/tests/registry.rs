//! A method or generator is registered when its crate is linked: every known name can be read from a configuration.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hyperloader::config::Config;

#[test]
fn every_peft_type_and_generator_is_registered() {
    for name in ["LORA", "BOTTLENECK"] {
        let config = Config::from_toml(&format!("[[peft]]\npeft_type = {name:?}\n")).unwrap();
        assert_eq!(config.peft[0].typetag_name(), name);
    }
    for name in ["static", "hypernetwork"] {
        let config = Config::from_toml(&format!("[generator]\ngenerator = {name:?}\n")).unwrap();
        assert_eq!(config.generator.typetag_name(), name);
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let message = Config::from_toml("[[peft]]\npeft_type = \"LORRA\"\n").unwrap_err().to_string();
    assert!(message.starts_with("config.toml:2: unknown peft_type \"LORRA\""), "{message}");
    assert!(message.contains("BOTTLENECK") && message.contains("LORA"), "{message}");
}
