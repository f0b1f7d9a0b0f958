//! JSON objects.

use serde_json::Value;

/// The object `fields` with the fields of the object `more`, which win.
pub(super) fn with(mut fields: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    fields
}
