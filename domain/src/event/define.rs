//! How an aggregate declares its events: one macro, so that a name, a version, a shape and its
//! meaning stand in one place, and the catalogue and the golden files can be checked against it.

/// What is known of one stored event without having one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The stored name after the category.
    pub name: &'static str,
    /// The version written today.
    pub schema: u32,
    /// Older versions that are still read.
    pub upcast_from: &'static [u32],
    /// Its meaning.
    pub meaning: &'static str,
    /// Its fields, with theirs.
    pub fields: &'static [(&'static str, &'static str)],
}

/// Why a stored payload was not read.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable<E> {
    /// No event of this name and version is known to this build.
    Unknown,
    /// The payload does not have the promised shape.
    Malformed(E),
}

/// Declares an aggregate's events.
///
/// ```text
/// events! {
///     /// What happens to a lamp.
///     pub enum LampEvent {
///         /// It was switched on.
///         "switched_on" v2 from [1 => SwitchedOnV1] => SwitchedOn {
///             /// How bright, in percent.
///             percent: u8,
///         },
///     }
/// }
/// ```
/// A type after `from` reads the older shape and is `Into` the enum: that is the upcaster.
macro_rules! events {
    (
        $(#[doc = $enum_doc:expr])*
        pub enum $enum:ident {
            $(
                $(#[doc = $doc:expr])*
                $name:literal v $schema:literal $(from [$($old:literal => $old_type:ty),* $(,)?])? => $variant:ident {
                    $(
                        $(#[doc = $field_doc:expr])*
                        $(#[serde($($field_serde:tt)*)])*
                        $field:ident: $type:ty,
                    )*
                },
            )*
        }
    ) => {
        $(#[doc = $enum_doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(untagged)]
        pub enum $enum {
            $(
                $(#[doc = $doc])*
                $variant {
                    $(
                        $(#[doc = $field_doc])*
                        $(#[serde($($field_serde)*)])*
                        $field: $type,
                    )*
                },
            )*
        }

        impl $enum {
            /// Every event of this aggregate.
            pub const DEFINITIONS: &'static [$crate::event::Definition] = &[
                $($crate::event::Definition {
                    name: $name,
                    schema: $schema,
                    upcast_from: &[$($($old),*)?],
                    meaning: concat!($($doc, "\n"),*),
                    fields: &[$((stringify!($field), concat!($($field_doc, "\n"),*)),)*],
                },)*
            ];

            /// The stored name and the version written today.
            pub const fn kind(&self) -> (&'static str, u32) {
                match self {
                    $(Self::$variant { .. } => ($name, $schema),)*
                }
            }

            /// Writes the fields.
            pub fn serialize_payload<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }

            /// Reads the fields of any version that was ever stored.
            pub fn deserialize_payload<'de, D: serde::Deserializer<'de>>(
                name: &str,
                schema: u32,
                payload: D,
            ) -> Result<Self, $crate::event::Unreadable<D::Error>> {
                match (name, schema) {
                    $(
                        ($name, $schema) => {
                            #[derive(serde::Deserialize)]
                            #[serde(deny_unknown_fields)]
                            struct Payload {
                                $($(#[serde($($field_serde)*)])* $field: $type,)*
                            }
                            <Payload as serde::Deserialize>::deserialize(payload)
                                .map(|Payload { $($field),* }| Self::$variant { $($field),* })
                                .map_err($crate::event::Unreadable::Malformed)
                        }
                        $($(
                            ($name, $old) => {
                                <$old_type as serde::Deserialize>::deserialize(payload)
                                    .map(Into::into)
                                    .map_err($crate::event::Unreadable::Malformed)
                            }
                        )*)?
                    )*
                    (_, _) => Err($crate::event::Unreadable::Unknown),
                }
            }
        }
    };
}

pub(crate) use events;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares what aggregates export")]
mod tests {
    use super::Unreadable;

    events! {
        /// What happens to a lamp.
        pub enum LampEvent {
            /// It was switched on.
            "switched_on" v 3 from [1 => SwitchedOnV1, 2 => SwitchedOnV2] => SwitchedOn {
                /// How bright, in thousandths.
                permille: u32,
            },
            /// It was switched off.
            "switched_off" v 1 => SwitchedOff {},
        }
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SwitchedOnV1 {}

    impl From<SwitchedOnV1> for LampEvent {
        fn from(SwitchedOnV1 {}: SwitchedOnV1) -> Self {
            Self::SwitchedOn { permille: 1_000 }
        }
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SwitchedOnV2 {
        percent: u8,
    }

    impl From<SwitchedOnV2> for LampEvent {
        fn from(old: SwitchedOnV2) -> Self {
            Self::SwitchedOn { permille: u32::from(old.percent) * 10 }
        }
    }

    fn read(
        name: &str,
        schema: u32,
        text: &str,
    ) -> Result<LampEvent, Unreadable<serde_json::Error>> {
        LampEvent::deserialize_payload(name, schema, &mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn every_older_shape_is_read_in_todays() {
        for (schema, text, permille) in
            [(1, "{}", 1_000), (2, r#"{"percent":40}"#, 400), (3, r#"{"permille":41}"#, 41)]
        {
            let event = read("switched_on", schema, text).unwrap();
            assert_eq!(event, LampEvent::SwitchedOn { permille });
            assert_eq!(event.kind(), ("switched_on", 3), "written in today's version");
        }
        assert_eq!(LampEvent::DEFINITIONS[0].upcast_from, [1, 2]);
        let written = LampEvent::SwitchedOn { permille: 41 };
        let text = written.serialize_payload(serde_json::value::Serializer).unwrap();
        assert_eq!(text, serde_json::json!({"permille": 41}));
    }

    #[test]
    fn a_shape_under_the_wrong_version_is_malformed_and_a_later_version_unknown() {
        for (schema, text) in [(1, r#"{"percent":40}"#), (2, r#"{"permille":1}"#), (3, "{}")] {
            let answer = read("switched_on", schema, text);
            assert!(matches!(answer, Err(Unreadable::Malformed(_))), "{answer:?}");
        }
        for (name, schema) in [("switched_on", 4), ("switched_off", 2), ("broken", 1)] {
            let answer = read(name, schema, "{}");
            assert!(matches!(answer, Err(Unreadable::Unknown)), "{answer:?}");
        }
    }
}
