//! Salted commitments to the fields of a record, made where it is taken.
//!
//! Invariant: the spool's chain is made of these alone, so that it can be checked by somebody who is
//! given the commitment of a field (a phone that was forgotten, say) in place of the field and its salt.

use serde::Serialize;
use sha2::{Digest, Sha256, Sha512};

use super::message::{Body, Mobile};

/// Bytes of a record's salt.
pub const SALT_BYTES: usize = 16;

/// Fields that are committed to one by one: source, destination, content, and all the rest.
pub const FIELDS: usize = 4;

/// A record's salt, and one hash over the commitments of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// From chance; kept with the record.
    pub salt: [u8; SALT_BYTES],
    /// SHA-256 of the [`commitments`], one after the other.
    pub root: [u8; 32],
}

impl Seal {
    /// With a new salt.
    pub fn new(body: &Body) -> Self {
        Self::with(rand::random(), body)
    }

    /// With the salt of a record that is there.
    pub fn with(salt: [u8; SALT_BYTES], body: &Body) -> Self {
        let mut hash = Sha256::new();
        for commitment in commitments(salt, body) {
            hash.update(commitment);
        }
        Self { salt, root: hash.finalize().into() }
    }
}

/// The salts of the fields: SHA-512 of the record's, in four parts. Who knows one knows no other.
pub fn field_salts(salt: [u8; SALT_BYTES]) -> [[u8; 16]; FIELDS] {
    let wide = Sha512::digest(salt);
    let mut salts = [[0; 16]; FIELDS];
    for (salt, part) in salts.iter_mut().zip(wide.chunks_exact(16)) {
        salt.copy_from_slice(part);
    }
    salts
}

/// SHA-256 of salt and value of each field.
pub fn commitments(salt: [u8; SALT_BYTES], body: &Body) -> [[u8; 32]; FIELDS] {
    let (source, destination, content, rest) = fields(body);
    let [a, b, c, d] = field_salts(salt);
    let commit = |salt: [u8; 16], value: &[&[u8]]| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(salt);
        for part in value {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    };
    [commit(a, &[source]), commit(b, &[destination]), commit(c, &content), commit(d, &[&rest])]
}

/// What is neither address nor text.
#[derive(Serialize)]
struct Rest<'a> {
    kind: u8,
    ton_npi: (u8, u8),
    esm_class: u8,
    data_coding: u8,
    default_alphabet: crate::domain::alphabet::DefaultAlphabet,
    has_payload: bool,
    sar: Option<(u16, u8, u8)>,
    receipted: Option<&'a str>,
    state: Option<u8>,
}

/// Source, destination, content (message and payload), and all else.
type Fields<'a> = (&'a [u8], &'a [u8], [&'a [u8]; 2], Vec<u8>);

fn fields(body: &Body) -> Fields<'_> {
    let whole = || (&[][..], &[][..], [&[][..], &[][..]], postcard::to_stdvec(body).unwrap_or_default());
    match body {
        Body::Message(m) => mobile(0, m),
        Body::Receipt(m) => mobile(1, m),
        Body::Undecodable { pdu, error } => (&[], &[], [pdu, &[]], error.as_bytes().to_vec()),
        Body::SubmitResult(_) | Body::Written { .. } | Body::Redelivery { .. } | Body::Corrupt { .. } => whole(),
    }
}

fn mobile(kind: u8, m: &Mobile) -> Fields<'_> {
    let rest = Rest {
        kind,
        ton_npi: (m.source_ton, m.source_npi),
        esm_class: m.esm_class,
        data_coding: m.data_coding,
        default_alphabet: m.default_alphabet,
        has_payload: m.payload.is_some(),
        sar: m.sar,
        receipted: m.receipted_message_id.as_deref(),
        state: m.message_state,
    };
    let content = [m.short_message.as_slice(), m.payload.as_deref().unwrap_or_default()];
    // Writing to memory does not fail.
    (m.source.as_bytes(), m.destination.as_bytes(), content, postcard::to_stdvec(&rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_a_commitment_of_its_own_under_a_salt_of_its_own() {
        let one = Mobile {
            source: "355".into(),
            destination: "355".into(),
            short_message: b"355".into(),
            ..Mobile::default()
        };
        let salt = [7; SALT_BYTES];
        let base = commitments(salt, &Body::Message(one.clone()));
        assert!(base[0] != base[1] && base[1] != base[2], "equal fields do not look equal");
        let changed = |m: Mobile| {
            let now = commitments(salt, &Body::Message(m));
            (0..FIELDS).filter(|i| now.get(*i) != base.get(*i)).collect::<Vec<_>>()
        };
        assert_eq!(changed(Mobile { source: "356".into(), ..one.clone() }), [0]);
        assert_eq!(changed(Mobile { destination: "356".into(), ..one.clone() }), [1]);
        assert_eq!(changed(Mobile { short_message: b"35".into(), ..one.clone() }), [2]);
        assert_eq!(changed(Mobile { payload: Some(Vec::new()), ..one.clone() }), [3]);
        assert_eq!(changed(Mobile { esm_class: 4, ..one.clone() }), [3]);
        assert_ne!(commitments([8; SALT_BYTES], &Body::Message(one.clone())), base, "nor under another salt");
        assert_eq!(Seal::with(salt, &Body::Message(one.clone())), Seal::with(salt, &Body::Message(one)));
    }
}
