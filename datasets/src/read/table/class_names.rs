//! The names of classes that Hugging Face `datasets` puts into its Parquet files.

use serde_json::Value;

/// The key of its metadata in a Parquet file.
pub(super) const KEY: &str = "huggingface";

/// The names of a column's classes in order; `None` if the metadata have none.
pub(super) fn of(metadata: &str, column: &str) -> Option<Vec<String>> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    names(metadata.get("info")?.get("features")?.get(column)?)
}

/// The names in a feature: a `ClassLabel`, or a list of them in any of its notations.
fn names(feature: &Value) -> Option<Vec<String>> {
    match feature {
        Value::Object(fields) => match fields.get("names") {
            Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
            _ => names(fields.get("feature")?),
        },
        Value::Array(items) => names(items.first()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn every_notation_of_a_list_is_known() {
        let label = r#"{"names": ["O", "B-x"], "_type": "ClassLabel"}"#;
        for feature in [
            label.to_owned(),
            format!(r#"{{"feature": {label}, "_type": "Sequence"}}"#),
            format!(r#"{{"feature": {label}, "length": -1, "_type": "List"}}"#),
            format!("[{label}]"),
        ] {
            let metadata = format!(r#"{{"info": {{"features": {{"ner_tags": {feature}}}}}}}"#);
            assert_eq!(of(&metadata, "ner_tags"), Some(vec!["O".to_owned(), "B-x".to_owned()]), "{feature}");
            assert_eq!(of(&metadata, "tokens"), None);
        }
        let plain = r#"{"info": {"features": {"tags": {"feature": {"dtype": "int64", "_type": "Value"}}}}}"#;
        assert_eq!(of(plain, "tags"), None);
    }
}
