//! Cursors: where a list goes on. Opaque to clients and authenticated, so that nobody can read from
//! where she was not led: bound to the list, the caller, the filter, and the life of the log, because
//! a place in a future that was lost in a restore is a place in nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use holdfast_domain::ids::{Epoch, PrincipalId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use crate::keys::CursorKey;
use crate::problems::Code;

const TAG_BYTES: usize = 16;
const CURSOR_CHARS_MAX: usize = 1_024;

/// Where a cursor is valid.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Which list.
    pub purpose: &'a str,
    /// Whose; `None` for lists that are the same for all.
    pub principal: Option<PrincipalId>,
    /// Everything that narrows the list, in one canonical text.
    pub filter: &'a str,
}

/// Makes and reads cursors.
#[derive(Debug, Clone)]
pub struct Cursors {
    key: CursorKey,
    epoch: Epoch,
}

impl Cursors {
    /// With the node's key, in this life of the log; nodes that share both read each other's
    /// cursors.
    pub const fn new(key: CursorKey, epoch: Epoch) -> Self {
        Self { key, epoch }
    }

    /// Makes a cursor.
    pub fn seal(&self, scope: &Scope<'_>, place: &impl Serialize) -> Result<String, Problem> {
        self.write(scope, &(self.epoch, place))
    }

    /// Reads a cursor.
    pub fn open<T: DeserializeOwned>(&self, scope: &Scope<'_>, text: &str) -> Result<T, Problem> {
        let (epoch, place): (Epoch, T) = self.read(scope, text)?;
        if epoch == self.epoch { Ok(place) } else { Err(Problem::new(Code::BadCursor)) }
    }

    /// Writes a place that says itself in which life of the log it is.
    pub fn write(&self, scope: &Scope<'_>, place: &impl Serialize) -> Result<String, Problem> {
        let mut bytes = serde_json::to_vec(place).map_err(Problem::internal)?;
        let tag = self.tag(scope, &bytes);
        bytes.extend_from_slice(&tag);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads such a place, of whatever life it is.
    pub fn read<T: DeserializeOwned>(&self, scope: &Scope<'_>, text: &str) -> Result<T, Problem> {
        let bad = || Problem::new(Code::BadCursor);
        if text.len() > CURSOR_CHARS_MAX {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_not_base64| bad())?;
        let (place, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or_else(bad)?;
        if !bool::from(self.tag(scope, place).ct_eq(tag)) {
            return Err(bad());
        }
        serde_json::from_slice(place).map_err(|_other_shape| bad())
    }

    fn tag(&self, scope: &Scope<'_>, place: &[u8]) -> [u8; TAG_BYTES] {
        let principal = scope.principal.map(|id| id.to_string()).unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new(self.key.bytes().into());
        for part in [scope.purpose.as_bytes(), principal.as_bytes(), scope.filter.as_bytes(), place]
        {
            // Length prefixes keep ("ab", "c") and ("a", "bc") apart.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors() -> Cursors {
        let data = tempfile::tempdir().unwrap();
        Cursors::new(crate::keys::Keys::open(data.path()).unwrap().cursor, EPOCH)
    }

    const EPOCH: Epoch = Epoch::from_uuid(uuid::Uuid::from_u128(1));

    const SCOPE: Scope<'static> =
        Scope { purpose: "reservations", principal: None, filter: "held" };

    #[test]
    fn a_cursor_opens_where_it_was_made_and_nowhere_else() {
        let cursors = cursors();
        let text = cursors.seal(&SCOPE, &(7, "x")).unwrap();
        assert_eq!(cursors.open::<(u64, String)>(&SCOPE, &text).unwrap(), (7, "x".to_owned()));
        let somebody = "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap();
        for other in [
            Scope { purpose: "payments", ..SCOPE },
            Scope { principal: Some(somebody), ..SCOPE },
            Scope { filter: "hel", ..SCOPE },
        ] {
            let why = cursors.open::<(u64, String)>(&other, &text).unwrap_err();
            assert_eq!(why.code(), Code::BadCursor, "{other:?}");
        }
    }

    #[test]
    fn a_cursor_from_another_life_of_the_log_is_refused() {
        let now = cursors();
        let before = Cursors { epoch: Epoch::from_uuid(uuid::Uuid::from_u128(2)), ..now.clone() };
        let text = before.seal(&SCOPE, &7).unwrap();
        assert_eq!(before.open::<u64>(&SCOPE, &text).unwrap(), 7);
        assert_eq!(now.open::<u64>(&SCOPE, &text).unwrap_err().code(), Code::BadCursor);
    }

    #[test]
    fn an_altered_cursor_is_refused_at_every_byte() {
        let cursors = cursors();
        let text = cursors.seal(&SCOPE, &7).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for index in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[index] ^= 1;
            let altered = URL_SAFE_NO_PAD.encode(altered);
            assert!(cursors.open::<u64>(&SCOPE, &altered).is_err(), "{index}");
        }
        for wrong in ["", "a", "====", text.get(1..).unwrap(), &"A".repeat(2_000)] {
            assert!(cursors.open::<u64>(&SCOPE, wrong).is_err(), "{wrong}");
        }
    }
}
