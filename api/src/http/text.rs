//! Short public texts: names and titles. Stored as they come, within limits that count characters
//! and bytes; no control characters, so that a line stays a line wherever it is shown.

use serde::Deserialize;

const CHARACTERS_MAX: usize = 200;
const BYTES_MAX: usize = 800;

/// A name or a title: 1 to 200 characters, at most 800 bytes, not only white space.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Title(String);

impl TryFrom<String> for Title {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = text.len() <= BYTES_MAX && text.chars().count() <= CHARACTERS_MAX;
        if !fits || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err("a text of 1 to 200 characters without control characters".to_owned());
        }
        Ok(Self(text))
    }
}

impl From<Title> for String {
    fn from(title: Title) -> Self {
        title.0
    }
}

/// A key that a provider of payments gave out: 1 to 200 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderKey(String);

impl TryFrom<String> for ProviderKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > CHARACTERS_MAX || !visible {
            return Err("1 to 200 visible ASCII characters".to_owned());
        }
        Ok(Self(text))
    }
}

impl From<ProviderKey> for String {
    fn from(key: ProviderKey) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_stored_as_it_comes_or_not_at_all() {
        for right in ["요가", "a", " x ", "<script>", "👩‍👩‍👧"] {
            let title = Title::try_from(right.to_owned()).unwrap();
            assert_eq!(String::from(title), right);
        }
        for wrong in ["", "   ", "a\r\nSet-Cookie: b", "\u{0}", &"x".repeat(201)] {
            assert!(Title::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_provider_key_is_visible_ascii() {
        assert!(ProviderKey::try_from("sim_approve_1".to_owned()).is_ok());
        for wrong in ["", "a b", "\u{e9}", &"x".repeat(201)] {
            assert!(ProviderKey::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
