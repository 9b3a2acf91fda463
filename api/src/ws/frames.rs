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
    },
    Change {
        topic: &'a str,
        key: &'a str,
        position: Position,
        cursor: Option<&'a str>,
        data: Option<&'a RawValue>,
    },
    Resync {
        topic: &'a str,
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

/// A change, ready to be written.
#[derive(Debug)]
pub struct Pushed<'a> {
    /// Of which topic, as the client named it.
    pub topic: &'a str,
    /// What changed.
    pub key: &'a str,
    /// The position of its event.
    pub position: Position,
    /// Where to go on after it.
    pub cursor: Option<&'a str>,
    /// What it is now.
    pub data: Option<&'a RawValue>,
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
        // Texts and numbers only: this cannot fail, and an empty frame would be seen by any test.
        Self { kind, text: serde_json::to_string(said).unwrap_or_default(), id }
    }

    /// A topic is heard from now on: everything after `position` will come.
    pub fn subscribed(topic: &str, position: Position, id: Option<String>) -> Self {
        Self::new(Kind::Subscribed, &Said::Subscribed { topic, position }, id)
    }

    /// Something changed.
    pub fn change(pushed: &Pushed<'_>, id: Option<String>) -> Self {
        let Pushed { topic, key, position, cursor, data } = *pushed;
        Self::new(Kind::Change, &Said::Change { topic, key, position, cursor, data }, id)
    }

    /// Read the topic again: what was missed will not come.
    pub fn resync(topic: &str, id: Option<String>) -> Self {
        Self::new(Kind::Resync, &Said::Resync { topic }, id)
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
        let (position, cursor) = (Position(7), Some("c"));
        let mut pushed =
            Pushed { topic: "me", key: "k", position, cursor, data: Some(data.as_ref()) };
        let change = r#"{"op":"change","topic":"me","key":"k","position":7,"cursor":"c","data":"#;
        assert_eq!(Frame::change(&pushed, None).text, format!(r#"{change}{{"a":1}}}}"#));
        pushed.data = None;
        assert_eq!(Frame::change(&pushed, None).text, format!("{change}null}}"));
        for (frame, text) in [
            (
                Frame::subscribed("me", Position(7), None),
                r#"{"op":"subscribed","topic":"me","position":7}"#,
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
