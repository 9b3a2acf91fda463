//! The checking pass over a body: one JSON object, each key once per object, at most
//! [`DEPTH_MAX`] levels. Serde would let the last of two equal keys win, silently. What the
//! document means is not looked at.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::http::problem::Problem;
use crate::problems::Code;

/// Levels of arrays and objects.
pub const DEPTH_MAX: usize = 32;

/// Answers the text of a body that is well formed.
pub fn check(bytes: &[u8]) -> Result<&str, Problem> {
    let malformed = |why: &str| Problem::new(Code::MalformedJson).detail(why.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_why| malformed("The body is not UTF-8."))?;
    if text.starts_with('\u{feff}') {
        return Err(malformed("The body starts with a byte order mark."));
    }
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        return Err(malformed("The body is not a JSON object."));
    }
    let found = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked =
        Walk { depth: 0, found: &found }.deserialize(&mut reader).and_then(|()| reader.end());
    match (walked, found.get()) {
        (Ok(()), _) => Ok(text),
        (Err(_), Some(code)) => Err(Problem::new(code)),
        (Err(why), None) if why.to_string().starts_with("number out of range") => {
            // It is JSON, but no number that anything here could mean.
            Err(Problem::new(Code::InvalidBody).at("", "invalid_value"))
        }
        (Err(why), None) => {
            let place = format!("Not JSON at line {}, column {}.", why.line(), why.column());
            Err(malformed(&place))
        }
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    depth: usize,
    found: &'a Cell<Option<Code>>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > DEPTH_MAX {
            self.found.set(Some(Code::TooDeep));
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !seen.insert(key) {
                self.found.set(Some(Code::DuplicateKey));
                return Err(A::Error::custom("duplicate key"));
            }
            entries.next_value_seed(inside)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8]) -> Option<Code> {
        check(bytes).err().map(|problem| problem.code())
    }

    #[test]
    fn one_object_is_read_and_nothing_else() {
        assert_eq!(code(b" {\"a\": [1, {\"a\": null}], \"b\": \"\\u00e9\"}\n"), None);
        let malformed: &[&[u8]] = &[
            b"",
            b" ",
            b"{",
            b"{\"a\":1,}",
            b"{}{}",
            b"{} x",
            b"\xef\xbb\xbf{}",
            b"{\0\"\0a\0",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\0\"}",
            b"{\"a\":NaN}",
            b"{/*a*/}",
            b"{'a':1}",
            b"null",
            b"[]",
            b"\"x\"",
            b"1",
        ];
        for wrong in malformed {
            assert_eq!(code(wrong), Some(Code::MalformedJson), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn depth_is_bounded_without_using_up_the_stack() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels)).into_bytes()
        };
        assert_eq!(code(&nested(DEPTH_MAX - 1)), None);
        for levels in [DEPTH_MAX, 64, 100_000] {
            assert_eq!(code(&nested(levels)), Some(Code::TooDeep), "{levels}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert_eq!(code(b"{\"a\":1,\"a\":1}"), Some(Code::DuplicateKey));
        assert_eq!(code(b"{\"b\":[{\"a\":1,\"\\u0061\":2}]}"), Some(Code::DuplicateKey));
    }

    #[test]
    fn a_number_beyond_all_numbers_is_json_without_meaning() {
        assert_eq!(code(b"{\"a\":1e400}"), Some(Code::InvalidBody));
    }
}
