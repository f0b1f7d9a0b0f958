//! Configurations of older versions of `adapters`, brought to the current meaning.

use serde_json::Value;

/// The first version whose LoRA scales by `alpha / r`. Earlier versions wrote `alpha` and did not use it.
const SCALES_LORA: [u32; 2] = [1, 1];

/// Changes `config` so that it describes what the library computed in the `version` that wrote it.
pub(super) fn update(config: &mut Value, version: Option<&str>) {
    let Some(version) = version else {
        // Before versions were written, "gelu" meant the approximation.
        let renamed = match config.get("non_linearity").and_then(Value::as_str) {
            Some("gelu") => "gelu_new",
            Some("gelu_orig") => "gelu",
            _ => return,
        };
        return set(config, "non_linearity", renamed.into());
    };
    let lora = config.get("architecture").and_then(Value::as_str) == Some("lora");
    let old = version.strip_prefix("adapters.").and_then(numbers).is_some_and(|version| version < SCALES_LORA);
    if let Some(r) = config.get("r").cloned().filter(|_| lora && old) {
        set(config, "alpha", r);
    }
}

fn set(config: &mut Value, key: &str, value: Value) {
    if let Some(fields) = config.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<[u32; 2]> {
    let mut parts = version.split('.').map(str::parse);
    Some([parts.next()?.ok()?, parts.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn updated(mut config: Value, version: Option<&str>) -> Value {
        update(&mut config, version);
        config
    }

    #[test]
    fn lora_did_not_scale_before_1_1() {
        let lora = json!({"architecture": "lora", "r": 4, "alpha": 8});
        let unscaled = json!({"architecture": "lora", "r": 4, "alpha": 4});
        assert_eq!(updated(lora.clone(), Some("adapters.1.0.1")), unscaled);
        assert_eq!(updated(lora.clone(), Some("adapters.0.2.2")), unscaled);
        assert_eq!(updated(lora.clone(), Some("adapters.1.1.0")), lora);
        assert_eq!(updated(lora.clone(), Some("adapters.1.3.0")), lora);
        assert_eq!(updated(json!({"r": 4, "alpha": 8}), Some("adapters.1.0.1")), json!({"r": 4, "alpha": 8}));
    }

    #[test]
    fn gelu_was_the_approximation_before_versions_were_written() {
        assert_eq!(updated(json!({"non_linearity": "gelu"}), None), json!({"non_linearity": "gelu_new"}));
        assert_eq!(updated(json!({"non_linearity": "gelu_orig"}), None), json!({"non_linearity": "gelu"}));
        let now = json!({"non_linearity": "gelu"});
        assert_eq!(updated(now.clone(), Some("adapters.1.3.0")), now);
    }
}
