//! Two JSON documents side by side: as lines of `path  value`, and which of them differ.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// One value that is different.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Different {
    /// Where in the document.
    pub path: String,
    /// What was there; nothing when it was not.
    pub then: Option<String>,
    /// What is there now; nothing when it is not.
    pub now: Option<String>,
}

/// Every leaf of a document under its path.
pub fn leaves(document: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(String::new(), document, &mut found);
    found
}

fn collect(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(below(name), field, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(below(&index.to_string()), item, found);
            }
        }
        Value::String(text) => drop(found.insert(path, text.clone())),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => drop(found.insert(path, value.to_string())),
    }
}

/// What differs, by path.
pub fn between(then: &Value, now: &Value) -> Vec<Different> {
    let (then, mut now) = (leaves(then), leaves(now));
    let mut found = Vec::new();
    for (path, was) in then {
        let is = now.remove(&path);
        if is.as_ref() != Some(&was) {
            found.push(Different { path, then: Some(was), now: is });
        }
    }
    found.extend(now.into_iter().map(|(path, is)| Different { path, then: None, now: Some(is) }));
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_came_and_went_is_told_and_nothing_else() {
        let then = json!({"status": "held", "seats": [1, 2], "same": {"a": true}});
        let now = json!({"status": "cancelled", "seats": [1], "same": {"a": true}, "by": "x"});
        let paths: Vec<_> = between(&then, &now).into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["by", "seats.1", "status"]);
        assert!(between(&now, &now).is_empty());
    }
}
