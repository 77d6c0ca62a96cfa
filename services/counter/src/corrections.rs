//! Who may correct headcounts: Ed25519 keys, by the name of the person who holds the secret one.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mineseal_engine::OrderedCorrection;
use mineseal_schemas::Correction;

use crate::error::CounterError;

/// Folder of the public keys inside the data folder.
pub const CORRECTION_KEYS_FOLDER: &str = "correction-keys";

/// Ending of a file that holds a public key, in Base64. Its name is the person's.
const PUBLIC: &str = "pub";

/// Bytes of a public key.
const PUBLIC_BYTES: usize = 32;

/// The public keys of those who may correct headcounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorrectionKeys {
    by_name: BTreeMap<String, Vec<u8>>,
}

impl CorrectionKeys {
    /// Reads the files `NAME.pub` of a folder. One that does not exist holds no keys.
    ///
    /// # Errors
    /// [`CounterError::Key`] for a file that cannot be read or is no key.
    pub fn read(folder: &Path) -> Result<Self, CounterError> {
        let failed = |path: &Path, reason: String| CounterError::Key {
            path: path.to_owned(),
            reason,
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(folder, error.to_string())),
        };
        let mut keys = Self::default();
        for entry in entries {
            let path = entry.map_err(|error| failed(folder, error.to_string()))?.path();
            if path.extension().is_none_or(|extension| extension != PUBLIC) {
                continue;
            }
            let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
                return Err(failed(&path, "its name is not UTF-8".to_owned()));
            };
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error.to_string()))?;
            let bytes = STANDARD
                .decode(text.trim())
                .map_err(|error| failed(&path, format!("not Base64: {error}")))?;
            if bytes.len() != PUBLIC_BYTES {
                let reason = format!("{} bytes instead of {PUBLIC_BYTES}", bytes.len());
                return Err(failed(&path, reason));
            }
            keys.by_name.insert(name.to_owned(), bytes);
        }
        Ok(keys)
    }

    /// With one more key.
    #[must_use]
    pub fn with(mut self, name: &str, public: &[u8]) -> Self {
        self.by_name.insert(name.to_owned(), public.to_owned());
        self
    }

    /// The order, with the reason to refuse it if its signature is not that of the person whom it names. One that was
    /// decided already is not checked again: keys change, decisions do not.
    pub(crate) fn check(&self, correction: Correction) -> OrderedCorrection {
        let refused = match (&correction.outcome, self.by_name.get(&correction.by)) {
            (Some(_), _) => None,
            (None, None) => Some(format!("no key of {} is known", correction.by)),
            (None, Some(public)) => UnparsedPublicKey::new(&ED25519, public)
                .verify(&correction.signed_bytes(), &correction.signature)
                .err()
                .map(|_| format!("its signature is not that of {}", correction.by)),
        };
        OrderedCorrection { correction, refused }
    }
}

/// A secret key.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new one, and the text that keeps it: PKCS #8 in Base64.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> io::Result<(Self, String)> {
        let pair = Ed25519KeyPair::generate().map_err(|_| io::Error::other("no key can be made"))?;
        let kept = pair
            .to_pkcs8()
            .map_err(|_| io::Error::other("the key cannot be written"))?;
        let text = STANDARD.encode(kept.as_ref());
        Ok((Self(pair), text))
    }

    /// Reads the text that keeps a key.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|error| invalid(format!("the key is not Base64: {error}")))?;
        let pair =
            Ed25519KeyPair::from_pkcs8(&bytes).map_err(|_| invalid("it is no Ed25519 key".to_owned()))?;
        Ok(Self(pair))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// The public half as a file `NAME.pub` holds it.
    #[must_use]
    pub fn public_text(&self) -> String {
        STANDARD.encode(self.public())
    }

    /// Signs the order.
    pub fn sign(&self, correction: &mut Correction) {
        correction.signature = self.0.sign(&correction.signed_bytes()).as_ref().to_vec();
    }
}
