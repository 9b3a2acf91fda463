//! The node's own keys, made at the first start and kept in the data folder, readable by their owner
//! only: one RSA key that signs tokens, one secret that authenticates cursors. What a token says is
//! [`crate::auth`]'s business.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};

const SIGNING_FILE: &str = "token-signing.pem";
const CURSOR_FILE: &str = "cursor.key";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system says no.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: String,
        /// What it said.
        cause: io::Error,
    },
    /// Others than the owner can read it.
    #[error("{0}: others than its owner can read this key; make a new one, or chmod 600 it")]
    Exposed(String),
    /// The contents are no key.
    #[error("{path}: {why}")]
    NotAKey {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    key_id: String,
    encoding: EncodingKey,
    public: Jwk,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Its name: the SHA-256 thumbprint of the public key (RFC 7638).
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The private half, for signing.
    pub const fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    /// The public half, as it is published.
    pub fn public_set(&self) -> JwkSet {
        JwkSet { keys: vec![self.public.clone()] }
    }

    fn from_pem(pem: &str) -> Result<Self, jsonwebtoken::errors::Error> {
        let encoding = EncodingKey::from_rsa_pem(pem.as_bytes())?;
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::RS256)?;
        let key_id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(key_id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { key_id, encoding, public })
    }
}

/// Authenticates cursors.
#[derive(Clone)]
pub struct CursorKey([u8; 64]);

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey")
    }
}

impl CursorKey {
    /// The secret.
    pub const fn bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// Every key of the node.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs tokens.
    pub signing: SigningKey,
    /// Authenticates cursors.
    pub cursor: CursorKey,
}

impl Keys {
    /// Whether a data folder has a key that signs tokens.
    pub fn is_made(data: &Path) -> bool {
        data.join("keys").join(SIGNING_FILE).exists()
    }

    /// Reads the keys of a data folder, making those that are not there.
    pub fn open(data: &Path) -> Result<Self, KeyError> {
        let folder = data.join("keys");
        make_folder(&folder)?;
        let path = folder.join(SIGNING_FILE);
        let not_a_key = |path: &Path, why: String| KeyError::NotAKey { path: shown(path), why };
        let pem = read_or_make(&path, new_signing_pem)?;
        let signing =
            SigningKey::from_pem(&pem).map_err(|why| not_a_key(&path, why.to_string()))?;
        let path = folder.join(CURSOR_FILE);
        let text = read_or_make(&path, new_secret)?;
        let secret = URL_SAFE_NO_PAD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok())
            .ok_or_else(|| not_a_key(&path, "not 64 bytes in base64url".to_owned()))?;
        Ok(Self { signing, cursor: CursorKey(secret) })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = shown(path);
    move |cause| KeyError::File { path, cause }
}

fn make_folder(folder: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))
}

fn new_signing_pem() -> Result<String, String> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|why| why.to_string())?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|why| why.to_string())?;
    let text = STANDARD.encode(der.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index.rem_euclid(64) == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    Ok(pem)
}

fn new_secret() -> Result<String, String> {
    let mut secret = [0; 64];
    aws_lc_rs::rand::fill(&mut secret).map_err(|why| why.to_string())?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

/// Two nodes that start at once in one folder end with the same key: the file appears whole, under
/// its name, or not at all, and the first one stays.
fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<String, String>,
) -> Result<String, KeyError> {
    if !path.try_exists().map_err(failed(path))? {
        let contents = make().map_err(|why| KeyError::NotAKey { path: shown(path), why })?;
        let draft = draft_name(path)?;
        write_private(&draft, &contents).map_err(failed(&draft))?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(failed(&draft))?;
        match linked {
            Ok(()) => {}
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(failed(path)(why)),
        }
    }
    refuse_exposed(path)?;
    fs::read_to_string(path).map_err(failed(path))
}

fn draft_name(path: &Path) -> Result<PathBuf, KeyError> {
    let unique = new_secret().map_err(|why| KeyError::NotAKey { path: shown(path), why })?;
    Ok(path.with_extension(format!("{unique}.draft")))
}

fn write_private(path: &Path, contents: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents.as_bytes())?;
    file.sync_all()
}

fn refuse_exposed(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(failed(path))?.permissions().mode();
    // The bits of group and others are the lowest six.
    if mode.trailing_zeros() >= 6 { Ok(()) } else { Err(KeyError::Exposed(shown(path))) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_and_for_their_owner_only() {
        let data = tempfile::tempdir().unwrap();
        let first = Keys::open(data.path()).unwrap();
        let second = Keys::open(data.path()).unwrap();
        assert_eq!(first.signing.key_id(), second.signing.key_id());
        assert_eq!(first.cursor.bytes(), second.cursor.bytes());
        let folder = data.path().join("keys");
        let names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "no draft stays: {names:?}");
        for name in [SIGNING_FILE, CURSOR_FILE] {
            let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let data = tempfile::tempdir().unwrap();
        drop(Keys::open(data.path()).unwrap());
        let path = data.path().join("keys").join(CURSOR_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keys::open(data.path()), Err(KeyError::Exposed(_))));
    }

    #[test]
    fn the_private_half_is_not_shown() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::open(data.path()).unwrap();
        let published = serde_json::to_value(keys.signing.public_set()).unwrap();
        let names: Vec<_> = published["keys"][0].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
        assert!(!format!("{keys:?}").contains("PRIVATE"));
    }
}
