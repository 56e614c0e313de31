//! Figures as they are stored: JSON, compressed. The same figures always give the same bytes.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::ARCHIVE_FIGURE_BYTES_MAX;
use crate::store::StoreError;

fn unreadable(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(format!("archived figures: {what}: {error}"))
}

/// As it is stored.
pub(super) fn pack(figures: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let json = serde_json::to_vec(figures).map_err(|e| unreadable("can't be written", e))?;
    if json.len() as u64 > ARCHIVE_FIGURE_BYTES_MAX {
        return Err(unreadable("too large", format!("{} bytes", json.len())));
    }
    encoder.write_all(&json).map_err(|e| unreadable("can't be packed", e))?;
    encoder.finish().map_err(|e| unreadable("can't be packed", e))
}

/// The inverse of [`pack`]; what is larger than the bound is refused.
pub(super) fn unpack<T: DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    let mut json = Vec::new();
    let read = ZlibDecoder::new(body).take(ARCHIVE_FIGURE_BYTES_MAX + 1).read_to_end(&mut json);
    read.map_err(|e| unreadable("can't be unpacked", e))?;
    if json.len() as u64 > ARCHIVE_FIGURE_BYTES_MAX {
        return Err(unreadable("too large", "refused"));
    }
    serde_json::from_slice(&json).map_err(|e| unreadable("can't be read", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_as_they_were_and_equal_ones_are_equal_bytes() {
        let figures = vec![("a".to_owned(), 1.5), ("é".to_owned(), -3.0)];
        assert_eq!(unpack::<Vec<(String, f64)>>(&pack(&figures).unwrap()).unwrap(), figures);
        assert_eq!(pack(&figures).unwrap(), pack(&figures.clone()).unwrap());
    }

    #[test]
    fn what_unpacks_to_more_than_the_bound_is_refused() {
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&vec![b' '; ARCHIVE_FIGURE_BYTES_MAX as usize + 10]).unwrap();
        let bomb = bomb.finish().unwrap();
        assert!(bomb.len() < 64 << 10);
        assert!(unpack::<Vec<u8>>(&bomb).is_err());
        assert!(unpack::<Vec<u8>>(b"nonsense").is_err());
    }
}
