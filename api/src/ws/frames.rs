//! The frames of the protocol `holdfast.v1`: what a client may ask, and what the node says. Each is
//! one JSON object; server-sent events carry the same objects.

use std::fmt;

use holdfast_domain::log::Position;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problems::Code;

/// A token in a message. It is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a client asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Asked {
    /// To be believed: the first message, or a fresh token for the same principal later.
    Auth {
        /// The token.
        token: Token,
    },
    /// To hear of a topic.
    Subscribe {
        /// Which.
        topic: String,
        /// The cursor of the last change heard.
        #[serde(default)]
        from: Option<String>,
        /// Of `events`: only stored names that begin like this.
        #[serde(default, rename = "type")]
        kind: Option<String>,
        /// Of `events`: only this stream.
        #[serde(default)]
        stream: Option<String>,
    },
    /// To hear no more of a topic.
    Unsubscribe {
        /// Which.
        topic: String,
    },
    /// Whether anybody is there.
    Ping {},
}

const OPS: [&str; 4] = ["auth", "subscribe", "unsubscribe", "ping"];

impl Asked {
    /// Reads a message.
    pub fn read(text: &str) -> Result<Self, Code> {
        serde_json::from_str(text).map_err(|_why| match serde_json::from_str::<Value>(text) {
            Err(_not_json) => Code::MalformedJson,
            Ok(value) => match value.get("op").and_then(Value::as_str) {
                Some(op) if OPS.contains(&op) => Code::InvalidBody,
                Some(_) | None => Code::UnknownOp,
            },
        })
    }
}

/// What the node says.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Said<'a> {
    Subscribed {
        topic: &'a str,
        position: Position,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<&'a str>,
    },
    Resync {
        topic: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<&'a str>,
    },
    Error {
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a str>,
    },
    Pong,
    Closing {
        topic: &'a str,
        position: Position,
        cursor: &'a str,
    },
}

/// The words of a change that are the same for everybody who hears it.
#[derive(Debug)]
pub struct Written {
    /// From behind the topic to before the cursor.
    middle: String,
    /// From behind the cursor to the end.
    end: String,
}

impl Written {
    /// What changed, by the event at which position, and what it is now; none when it is gone.
    pub fn new(key: &str, position: Position, data: Option<&RawValue>) -> Self {
        let data = data.map_or("null", RawValue::get);
        Self {
            middle: format!(r#","key":{},"position":{},"cursor":"#, json(&key), json(&position)),
            end: format!(r#","data":{data}}}"#),
        }
    }

    /// How many bytes that is.
    pub const fn size(&self) -> usize {
        self.middle.len().saturating_add(self.end.len())
    }
}

/// Texts and numbers only: writing them cannot fail, and an empty frame would be seen by any test.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Which frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A topic is heard from now on.
    Subscribed,
    /// Something changed.
    Change,
    /// Read again.
    Resync,
    /// Something cannot be done.
    Error,
    /// Somebody is there.
    Pong,
    /// The node stops; here is where to go on.
    Closing,
}

/// One frame as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which.
    pub kind: Kind,
    /// Its JSON.
    pub text: String,
    /// Where to go on after it, when it is the last that is said of that place.
    pub id: Option<String>,
}

impl Frame {
    fn new(kind: Kind, said: &Said<'_>, id: Option<String>) -> Self {
        Self { kind, text: json(said), id }
    }

    /// A topic is heard from now on: everything after `position` will come, and whoever comes back
    /// with the id before anything came misses nothing either.
    pub fn subscribed(topic: &str, position: Position, id: Option<String>) -> Self {
        let cursor = id.clone();
        Self::new(
            Kind::Subscribed,
            &Said::Subscribed { topic, position, cursor: cursor.as_deref() },
            id,
        )
    }

    /// Something changed: in a topic as the client named it, with where to go on after it.
    pub fn change(
        topic: &str,
        cursor: Option<&str>,
        written: &Written,
        id: Option<String>,
    ) -> Self {
        let (topic, cursor) = (json(&topic), json(&cursor));
        let start = r#"{"op":"change","topic":"#;
        let parts = [start, &topic, &written.middle, &cursor, &written.end];
        Self { kind: Kind::Change, text: parts.concat(), id }
    }

    /// Read the topic again: what was missed will not come.
    pub fn resync(topic: &str, id: Option<String>) -> Self {
        let cursor = id.clone();
        Self::new(Kind::Resync, &Said::Resync { topic, cursor: cursor.as_deref() }, id)
    }

    /// Something cannot be done.
    pub fn error(code: Code, topic: Option<&str>) -> Self {
        Self::new(Kind::Error, &Said::Error { code: code.entry().code, topic }, None)
    }

    /// Somebody is there.
    pub fn pong() -> Self {
        Self::new(Kind::Pong, &Said::Pong, None)
    }

    /// The node stops; here is where to go on.
    pub fn closing(topic: &str, position: Position, cursor: &str) -> Self {
        Self::new(Kind::Closing, &Said::Closing { topic, position, cursor }, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_strictly() {
        let read = |text| Asked::read(text).map(|asked| format!("{asked:?}"));
        assert!(read(r#"{"op":"ping"}"#).is_ok());
        let auth = read(r#"{"op":"auth","token":"secret"}"#).unwrap();
        assert!(!auth.contains("secret"));
        assert!(read(r#"{"op":"subscribe","topic":"me","from":"x"}"#).is_ok());
        assert_eq!(read(""), Err(Code::MalformedJson));
        assert_eq!(read("{}{}"), Err(Code::MalformedJson));
        assert_eq!(read("[]"), Err(Code::UnknownOp));
        assert_eq!(read(r#"{"op":"publish"}"#), Err(Code::UnknownOp));
        assert_eq!(read(r#"{"op":"subscribe"}"#), Err(Code::InvalidBody));
        assert_eq!(read(r#"{"op":"ping","x":1}"#), Err(Code::InvalidBody));
        assert_eq!(read(r#"{"op":"subscribe","topic":1}"#), Err(Code::InvalidBody));
    }

    #[test]
    fn frames_look_as_the_contract_says() {
        let data = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        let change = r#"{"op":"change","topic":"me","key":"k","position":7,"cursor":"c","data":"#;
        for (data, shown) in [(Some(data.as_ref()), r#"{"a":1}"#), (None, "null")] {
            let written = Written::new("k", Position(7), data);
            let frame = Frame::change("me", Some("c"), &written, None);
            assert_eq!(frame.text, format!("{change}{shown}}}"));
        }
        let odd = Frame::change("a\"b", None, &Written::new("c\\d", Position(1), None), None);
        let odd: Value = serde_json::from_str(&odd.text).unwrap();
        assert_eq!((&odd["topic"], &odd["key"]), (&"a\"b".into(), &"c\\d".into()));
        assert!(odd["cursor"].is_null());
        for (frame, text) in [
            (
                Frame::subscribed("me", Position(7), None),
                r#"{"op":"subscribed","topic":"me","position":7}"#,
            ),
            (
                Frame::subscribed("me", Position(7), Some("c".to_owned())),
                r#"{"op":"subscribed","topic":"me","position":7,"cursor":"c"}"#,
            ),
            (Frame::resync("me", None), r#"{"op":"resync","topic":"me"}"#),
            (
                Frame::error(Code::Forbidden, Some("me")),
                r#"{"op":"error","code":"forbidden","topic":"me"}"#,
            ),
            (Frame::error(Code::UnknownOp, None), r#"{"op":"error","code":"unknown_op"}"#),
            (Frame::pong(), r#"{"op":"pong"}"#),
        ] {
            assert_eq!(frame.text, text);
        }
    }
}
