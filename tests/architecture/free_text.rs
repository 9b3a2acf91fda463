//! No personal data stands in the log: it is kept for ever and shown to auditors, and there is no
//! field yet that could be sealed and forgotten. So every text that an event can hold is listed here
//! with the reason why nobody can write about a person in it. Names, mail addresses and remarks
//! have no reason.

use std::collections::BTreeMap;

use crate::assert_none;
use crate::workspace::{Source, files};

/// Every text in a stored shape: where, and why it is none about a person.
const ALLOWED: [(&str, &str); 17] = [
    ("Actor::Process.name", "a name that the engine gives to its own process"),
    ("Metadata.traceparent", "a W3C trace context: hexadecimal numbers, checked at the edge"),
    ("OfferingEvent::Drafted.title", "public catalogue text"),
    ("PaymentEvent::Captured.transaction", "the provider's name for a movement of money"),
    ("PaymentEvent::ConfirmStarted.idempotency_key", "made by the engine"),
    (
        "PaymentEvent::ConfirmStarted.payment_key",
        "the provider's name for an authorisation, without spaces",
    ),
    ("PaymentEvent::Declined.code", "a code of the provider, of letters, digits, _ and -"),
    ("PaymentEvent::RefundRefused.code", "a code of the provider, of letters, digits, _ and -"),
    ("PaymentEvent::RefundRequested.idempotency_key", "made by the engine"),
    ("PaymentEvent::RefundSucceeded.transaction", "the provider's name for a movement of money"),
    ("PaymentEvent::ReviewRequired.transaction", "the provider's name for a movement of money"),
    ("QuoteLine.title", "public catalogue text"),
    ("ReservationEvent::PaymentFailed.code", "a code of the provider, of letters, digits, _ and -"),
    ("ResourceEvent::Registered.display_name", "public catalogue text"),
    ("TimeIntent.local", "a time of day and date, made by the engine"),
    ("TimeIntent.tzdb", "the version of the zone database"),
    ("Zone.name", "a name from the zone database"),
];

/// Types in which anything can be written.
const FREE: [&str; 8] =
    ["String", "str", "char", "Vec<u8>", "[u8]", "Value", "RawValue", "OsString"];

/// What is being read, line by line. The formatter puts each item, variant and field on its own.
#[derive(Default)]
struct Reader {
    /// The enum that an `events!` block declares, or an item that is written as JSON.
    item: Option<String>,
    variant: Option<String>,
    /// The attributes before an item name `Serialize`.
    serialized: bool,
    /// Inside an `events!` block, where nothing has to be derived.
    in_events: bool,
    found: Vec<String>,
}

/// The texts in everything that a source file lets be stored.
fn texts(source: &Source) -> Vec<String> {
    let mut reader = Reader::default();
    for line in source.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")) {
        reader.line(line);
    }
    reader.found
}

impl Reader {
    fn line(&mut self, line: &str) {
        let code = line.trim();
        let indent = line.len().saturating_sub(line.trim_start().len());
        if code.is_empty() || code.starts_with("//") {
            return;
        }
        if code.starts_with("#[") {
            self.serialized |= code.contains("Serialize");
            return;
        }
        if indent == 0 {
            self.in_events = code == "events! {";
            self.variant = None;
        }
        let words: Vec<&str> = code.split(|letter: char| !is_word(letter)).collect();
        let named = words.iter().position(|word| ["struct", "enum", "type"].contains(word));
        if let Some(name) = named.and_then(|at| words.get(at.checked_add(1)?))
            && (indent == 0 || self.in_events)
        {
            let stored = self.serialized || self.in_events || words.contains(&"type");
            self.item = stored.then(|| (*name).to_owned());
            self.serialized = false;
            // A tuple or another name for a type: the whole of it stands on this line.
            let rest = code.split_once(*name).map_or("", |(_, rest)| rest);
            self.judge("0", rest);
            return;
        }
        if indent == 0 {
            (self.item, self.serialized) = (None, false);
            return;
        }
        self.member(code);
    }

    /// A variant or a field.
    fn member(&mut self, code: &str) {
        if let Some(variant) = code.strip_suffix('{') {
            let variant = variant.split("=>").last().unwrap_or_default().trim();
            self.variant = Some(variant.to_owned());
        } else if code.starts_with('}') {
            self.variant = None;
        } else if let Some((field, kind)) = code.split_once(": ") {
            self.judge(field.trim_start_matches("pub "), kind);
        } else if let Some((variant, kinds)) = code.split_once('(') {
            let outer = self.variant.replace(variant.to_owned());
            self.judge("0", kinds);
            self.variant = outer;
        }
    }

    fn judge(&mut self, field: &str, kind: &str) {
        let Some(item) = &self.item else { return };
        if FREE.iter().any(|free| contains_word(kind, free)) {
            let variant = self.variant.as_ref().map(|it| format!("::{it}")).unwrap_or_default();
            self.found.push(format!("{item}{variant}.{field}"));
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(word).unwrap_or_default();
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// Texts without a reason, and reasons without a text.
fn violations(sources: &[Source], allowed: &[(&str, &str)]) -> Vec<String> {
    let allowed: BTreeMap<_, _> = allowed.iter().copied().collect();
    let domain = sources.iter().filter(|source| source.path.starts_with("domain/src/"));
    let found: Vec<String> = domain.flat_map(texts).collect();
    let unlisted = found.iter().filter(|text| !allowed.contains_key(text.as_str()));
    let unlisted = unlisted.map(|text| format!("{text} can hold personal data"));
    let gone = allowed.keys().filter(|text| !found.iter().any(|it| it == **text));
    unlisted.chain(gone.map(|text| format!("{text} is listed and not there"))).collect()
}

#[test]
fn every_text_in_a_stored_shape_has_a_reason() {
    assert_none(&violations(&files(&["rs"]), &ALLOWED));
}

fn planted(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

const DERIVED: &str = "#[derive(Debug, Serialize, Deserialize)]\n#[serde(deny_unknown_fields)]\n";

#[test]
fn each_planted_text_of_an_event_is_found() {
    let found = |text: &str| texts(&planted("domain/src/x.rs", text));
    let events = |field: &str| {
        format!(
            "events! {{\n    /// L.\n    pub enum LampEvent {{\n        /// It was lit.\n        \
             \"lit\" v 1 => Lit {{\n            /// A remark.\n            {field}\n        }},\n    \
             }}\n}}\n"
        )
    };
    assert_eq!(found(&events("remark: String,")), ["LampEvent::Lit.remark"]);
    assert_eq!(found(&events("remarks: Vec<Option<String>>,")), ["LampEvent::Lit.remarks"]);
    assert_eq!(found(&events("remark: Box<str>,")), ["LampEvent::Lit.remark"]);
    assert_eq!(found(&events("remark: serde_json::Value,")), ["LampEvent::Lit.remark"]);
    assert!(found(&events("lamp: LampId,")).is_empty());
}

#[test]
fn each_planted_text_of_another_stored_shape_is_found() {
    let found = |text: &str| texts(&planted("domain/src/x.rs", text));
    let shape = |text: &str| found(&format!("{DERIVED}{text}"));
    assert_eq!(shape("pub struct Note {\n    pub text: String,\n}\n"), ["Note.text"]);
    assert_eq!(shape("pub struct Note(String);\n"), ["Note.0"]);
    assert_eq!(shape("pub enum Note {\n    Said(String),\n}\n"), ["Note::Said.0"]);
    assert_eq!(
        shape("pub enum Note {\n    By {\n        who: String,\n    },\n}\n"),
        ["Note::By.who"]
    );
    assert_eq!(found("pub type Note = String;\n"), ["Note.0"]);
    assert!(found("pub struct Wish {\n    pub text: String,\n}\n").is_empty(), "it is not stored");
}

#[test]
fn a_text_without_a_reason_and_a_reason_without_a_text_are_found() {
    let source = |path: &str| [planted(path, &format!("{DERIVED}pub struct Note(String);\n"))];
    assert_eq!(violations(&source("domain/src/x.rs"), &[]).len(), 1);
    assert!(violations(&source("domain/src/x.rs"), &[("Note.0", "none")]).is_empty());
    assert!(violations(&source("api/src/x.rs"), &[]).is_empty());
    assert_eq!(violations(&[], &[("Note.0", "none")]).len(), 1);
}
