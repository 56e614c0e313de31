//! PEM files of a link: read with the configuration, so that what is wrong with one is named with its line,
//! and missed only by the process that needs it.

use std::io::Read;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Problem;

/// Bytes of a PEM file: an authority's bundle may have hundreds of certificates.
const PEM_FILE_BYTES_MAX: u64 = 1 << 20;

/// What a PEM file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// At least one certificate.
    Certificates,
    /// A private key.
    Key,
}

/// The bytes of a file, or why there are none. Never printed.
#[derive(Clone, Default)]
pub struct Pem {
    bytes: Vec<u8>,
    unread: Option<Box<Problem>>,
}

impl Pem {
    /// What stands in it; empty where no file is named.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Why it could not be read, if so.
    pub fn problem(&self) -> Option<&Problem> {
        self.unread.as_deref()
    }

    pub(super) fn read(&mut self, file: &Path, holds: Holds, problem: impl FnOnce(String) -> Problem) {
        match read_file(file, holds) {
            Ok(bytes) => *self = Self { bytes, unread: None },
            Err(why) => self.unread = Some(Box::new(problem(why))),
        }
    }
}

fn read_file(file: &Path, holds: Holds) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|f| f.take(PEM_FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("{} can't be read: {e}", file.display()))?;
    if bytes.len() as u64 > PEM_FILE_BYTES_MAX {
        return Err(format!("{} is longer than {PEM_FILE_BYTES_MAX} bytes", file.display()));
    }
    let sound = match holds {
        Holds::Certificates => {
            let mut all = CertificateDer::pem_slice_iter(&bytes).peekable();
            all.peek().is_some() && all.all(|certificate| certificate.is_ok())
        }
        Holds::Key => PrivateKeyDer::from_pem_slice(&bytes).is_ok(),
    };
    let what = if holds == Holds::Key { "private key" } else { "certificate" };
    if sound { Ok(bytes) } else { Err(format!("{} holds no {what} in PEM form", file.display())) }
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.bytes.is_empty() { "(not set)" } else { "••••" })
    }
}
