//! From a well-formed body to a value: what does not fit is pointed to (RFC 6901).

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::http::problem::Problem;
use crate::problems::Code;

const DETAIL_CHARS_MAX: usize = 300;

/// Reads the value, or says where it cannot be read.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|why| {
        let message = why.inner().to_string();
        let (pointer, code) = place(why.path(), &message);
        let said = message.split(" at line ").next().unwrap_or_default();
        let detail: String = said.chars().take(DETAIL_CHARS_MAX).collect();
        Problem::new(Code::InvalidBody).detail(detail).at(pointer, code)
    })
}

/// Serde says what is wrong only in words; the first of them are stable.
fn place(path: &Path, message: &str) -> (String, &'static str) {
    let mut pointer = String::new();
    let mut push = |segment: &str| {
        pointer.push('/');
        pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
    };
    let mut last = None;
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&index.to_string()),
            Segment::Map { key } => {
                last = Some(key.as_str());
                push(key);
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let named = message.split('`').nth(1);
    if message.starts_with("unknown field") {
        if let Some(name) = named.filter(|name| last != Some(*name)) {
            push(name);
        }
        (pointer, "unknown_field")
    } else if message.starts_with("missing field") {
        push(named.unwrap_or_default());
        (pointer, "missing_field")
    } else if message.starts_with("invalid type") {
        (pointer, "invalid_type")
    } else {
        (pointer, "invalid_value")
    }
}

#[cfg(test)]
mod tests {
    use holdfast_domain::ids::OfferingId;
    use holdfast_domain::money::Money;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is of interest")]
    struct Order {
        offering_id: OfferingId,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is of interest")]
    struct Line {
        count: u32,
        price: Option<Money>,
    }

    const ID: &str = "\"offering_id\":\"018f2a10-7c5e-7000-8000-000000000001\"";

    #[test]
    fn a_mistake_is_pointed_to() {
        for (rest, pointer, code) in [
            (",\"status\":\"x\"", "/status", "unknown_field"),
            (",\"a/b~c\":1", "/a~1b~0c", "unknown_field"),
            (",\"lines\":[{\"count\":1},{\"count\":1,\"x\":1}]", "/lines/1/x", "unknown_field"),
            (",\"lines\":[{}]", "/lines/0/count", "missing_field"),
            (",\"lines\":{}", "/lines", "invalid_type"),
            (",\"lines\":[{\"count\":\"1\"}]", "/lines/0/count", "invalid_type"),
            (",\"lines\":[{\"count\":1.0}]", "/lines/0/count", "invalid_type"),
            (",\"lines\":[{\"count\":1e3}]", "/lines/0/count", "invalid_type"),
            (",\"lines\":[{\"count\":true}]", "/lines/0/count", "invalid_type"),
            (",\"lines\":[{\"count\":null}]", "/lines/0/count", "invalid_type"),
            (",\"lines\":[{\"count\":-1}]", "/lines/0/count", "invalid_value"),
            (",\"lines\":[{\"count\":4294967296}]", "/lines/0/count", "invalid_value"),
        ] {
            let problem = read::<Order>(&format!("{{{ID}{rest}}}")).unwrap_err();
            assert_eq!(problem.code(), Code::InvalidBody);
            let found = problem.errors().first().unwrap();
            assert_eq!((found.pointer.as_str(), found.code), (pointer, code), "{rest}");
        }
    }

    #[test]
    fn ids_and_amounts_are_judged_by_the_domain() {
        let problem = read::<Order>("{\"offering_id\":\"x\"}").unwrap_err();
        assert_eq!(problem.errors().first().unwrap().pointer, "/offering_id");
        for price in ["-1", "9007199254740992", "18446744073709551616", "0.1", "\"1\""] {
            let money = format!("{{\"amount\":{price},\"currency\":\"KRW\"}}");
            let text = format!("{{{ID},\"lines\":[{{\"count\":1,\"price\":{money}}}]}}");
            assert_eq!(read::<Order>(&text).unwrap_err().code(), Code::InvalidBody, "{price}");
        }
    }
}
