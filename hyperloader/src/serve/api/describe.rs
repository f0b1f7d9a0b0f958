//! What the description of the routes says about this server alone: its tasks, its limits, its tokens.

use serde_json::{Map, Value, json};

use crate::serve::app::App;

/// A word with a character that is not blank, for every dialect of regular expressions. The blanks are those of Unicode.
const NOT_BLANK: &str = "[^\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

/// Completes `document`, which the types of requests and answers gave.
pub(super) fn describe(document: &mut Value, app: &App) {
    any_of(document);
    let limits = &app.options.limits;
    let words = json!({"pattern": NOT_BLANK});
    let texts = json!({"maxItems": limits.texts});
    let (task, model) = (one_of(tasks(app), true), one_of(models(app), true));
    let own_task = one_of(tasks(app), has_default(app));
    let patches = [
        ("/components/schemas/OneOrMany/anyOf/1", &texts),
        ("/components/schemas/OneOrManyLists/anyOf/0/items", &words),
        ("/components/schemas/OneOrManyLists/anyOf/1", &texts),
        ("/components/schemas/OneOrManyLists/anyOf/1/items/items", &words),
        ("/components/schemas/LabelRequest", &one_input()),
        ("/components/schemas/LabelRequest/properties/model", &model),
        ("/components/schemas/LabelRequest/properties/task", &own_task),
        ("/components/schemas/LabelRequest/properties/n_best", &json!({"maximum": limits.n_best})),
        ("/components/schemas/Parameters/properties/task", &task),
        ("/paths/~1/post/parameters/0/schema", &one_of(tasks(app), false)),
    ];
    for (place, patch) in patches {
        extend(document, place, patch);
    }
    if !has_default(app) {
        extend(document, "/components/schemas/LabelRequest", &json!({"required": ["task"]}));
    }
    if let Some(task) = tasks(app).first() {
        examples(document, task);
    }
    if app.options.token.is_some() {
        let told = [
            ("~1", "post"),
            ("~1v1~1label", "post"),
            ("~1v1~1tasks", "get"),
            ("~1metrics", "get"),
            ("~1openapi.json", "get"),
        ];
        protect(document, "client", &told);
    }
    if app.options.admin_token.is_some() {
        protect(document, "admin", &[("~1v1~1models", "post"), ("~1v1~1models~1{name}", "delete")]);
    }
}

/// An empty list is a list of texts and a list of lists: a value may fit several alternatives.
fn any_of(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            if let Some(alternatives) = fields.remove("oneOf") {
                fields.insert("anyOf".to_owned(), alternatives);
            }
            fields.values_mut().for_each(any_of);
        }
        Value::Array(items) => items.iter_mut().for_each(any_of),
        _ => {}
    }
}

/// Requests to try, for a task that is there.
fn examples(document: &mut Value, task: &str) {
    let text = "book a flight to Oslo";
    let label = json!({"task": task, "text": text});
    let hugging_face = json!({"inputs": text, "parameters": {"task": task}});
    for (path, example) in [("~1v1~1label", label), ("~1", hugging_face)] {
        let place = format!("/paths/{path}/post/requestBody/content/application~1json");
        extend(document, &place, &json!({"example": example}));
    }
    extend(document, "/components/schemas/LabelRequest/properties/task", &json!({"example": task}));
}

/// Either `text` or `words` is given, the other one is not.
fn one_input() -> Value {
    json!({"oneOf": [
        {"required": ["text"], "properties": {"text": {"type": ["string", "array"]}, "words": {"type": "null"}}},
        {"required": ["words"], "properties": {"words": {"type": "array"}, "text": {"type": "null"}}},
    ]})
}

/// One of `names`, or nothing if it may be left out. While no name is known, any is allowed.
fn one_of(names: Vec<String>, may_be_left_out: bool) -> Value {
    if names.is_empty() {
        return json!({});
    }
    let nothing = may_be_left_out.then_some(Value::Null);
    json!({"enum": names.into_iter().map(Value::from).chain(nothing).collect::<Vec<_>>()})
}

fn models(app: &App) -> Vec<String> {
    app.models.all().iter().map(|model| model.name().to_owned()).collect()
}

fn tasks(app: &App) -> Vec<String> {
    let mut tasks: Vec<String> = app.models.tasks().into_iter().map(|task| task.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    tasks
}

/// Whether a request may leave its task out.
fn has_default(app: &App) -> bool {
    app.options.default_task.is_some() || app.models.tasks().len() == 1
}

/// Says that `operations` want the token `name`.
fn protect(document: &mut Value, name: &str, operations: &[(&str, &str)]) {
    extend(document, "/components", &json!({"securitySchemes": {name: {"type": "http", "scheme": "bearer"}}}));
    for (path, method) in operations {
        extend(document, &format!("/paths/{path}/{method}"), &json!({"security": [{name: []}]}));
    }
}

/// Adds the fields of `patch` to the object at `place`, and to the objects that it has already.
fn extend(document: &mut Value, place: &str, patch: &Value) {
    if let (Some(Value::Object(own)), Value::Object(new)) = (document.pointer_mut(place), patch) {
        merge(own, new);
    }
}

fn merge(own: &mut Map<String, Value>, new: &Map<String, Value>) {
    for (name, value) in new {
        match (own.get_mut(name), value) {
            (Some(Value::Object(own)), Value::Object(new)) => merge(own, new),
            _ => drop(own.insert(name.clone(), value.clone())),
        }
    }
}
