//! How many people a booking is for, as it comes in: any number is read, so that what is no number
//! of people is refused by the rule about parties, with its own code, whoever asks.

use serde::{Deserialize, Deserializer};

/// A number of people; 0 stands for every number that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartySize(pub u32);

impl Default for PartySize {
    fn default() -> Self {
        Self(1)
    }
}

impl<'de> Deserialize<'de> for PartySize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = number.as_u64().and_then(|count| u32::try_from(count).ok());
        Ok(Self(whole.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_and_only_whole_positive_ones_count() {
        let read = |text: &str| serde_json::from_str::<PartySize>(text).map(|size| size.0);
        assert_eq!(read("3").unwrap(), 3);
        for none in ["0", "-5", "1.5", "4294967296", "1e400"] {
            assert!(matches!(read(none), Ok(0) | Err(_)), "{none}");
        }
        for wrong in ["\"3\"", "null", "true", "[]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
