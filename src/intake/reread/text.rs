//! The text that is read of a message: what staff put in its place, else what came.

mod unnumbered;

use std::collections::BTreeMap;

use crate::domain::alphabet::DefaultAlphabet;
use crate::handoff::message::Mobile;
use crate::intake::item::user_data;
use crate::intake::reassemble::{self, Whole};
use crate::store::reading::{RawPart, TextRow};
use crate::store::{StoreError, Tx};

/// What `data_coding` 0 may have meant when a text was decoded.
const ALPHABETS: [DefaultAlphabet; 4] =
    [DefaultAlphabet::Gsm7, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii, DefaultAlphabet::Utf8];

/// The text to read, or why there is none to be sure of. `alphabet` decodes the bytes anew.
pub(super) async fn of<T: Tx>(
    tx: &mut T,
    row: &TextRow,
    alphabet: Option<DefaultAlphabet>,
) -> Result<Result<Whole, String>, StoreError> {
    if let Some(instead) = row.instead.as_ref().filter(|_| alphabet.is_none()) {
        return Ok(Ok(Whole { text: instead.clone(), gaps: Vec::new() }));
    }
    let own = mobile(row.esm_class, row.data_coding, &row.raw, row.payload.as_deref());
    let others = tx.other_parts(row.spool_id, row.sequence).await?;
    let numbered = user_data(&own).0.is_some_and(|c| c.total > 1);
    let whole = if numbered {
        put_together(row, own, &others, alphabet)
    } else {
        let parts = others.iter().map(|p| mobile(p.esm_class, p.data_coding, &p.raw, p.payload.as_deref()));
        let stored = row.text.as_deref().unwrap_or_default();
        unnumbered::put_together(
            stored,
            &unnumbered::gaps(row.reading.as_ref()),
            parts.chain([own]).collect(),
            alphabet,
        )
    };
    Ok(whole.ok_or_else(|| {
        "its parts cannot be put together again from what is stored: give it a corrected reading".to_owned()
    }))
}

/// A text of several parts, with the places at which one is missing, which the stored text doesn't say.
fn put_together(row: &TextRow, own: Mobile, others: &[RawPart], alphabet: Option<DefaultAlphabet>) -> Option<Whole> {
    let mut parts: Vec<Mobile> =
        others.iter().map(|p| mobile(p.esm_class, p.data_coding, &p.raw, p.payload.as_deref())).collect();
    parts.push(own);
    let total = user_data(parts.last()?).0?.total;
    let asked = alphabet.is_some();
    let mut tried = alphabet.map_or_else(|| ALPHABETS.to_vec(), |a| vec![a]).into_iter();
    tried.find_map(|alphabet| {
        parts.iter_mut().for_each(|p| p.default_alphabet = alphabet);
        let mut numbered: BTreeMap<i16, &Mobile> = BTreeMap::new();
        for part in &parts {
            let concat = user_data(part).0.filter(|c| c.total == total)?;
            if numbered.insert(i16::from(concat.part), part).is_some() {
                return None;
            }
        }
        let whole = reassemble::join(&numbered, i16::from(total));
        // Unless another alphabet is wished for, it is the one that made the stored text.
        (asked || row.text.as_deref().is_some_and(|t| agree(t, &whole.text))).then_some(whole)
    })
}

/// Is the stored text this one, but for digits that are hidden in it?
fn agree(stored: &str, came: &str) -> bool {
    let mut stored = stored.chars();
    let same = came.chars().all(|c| stored.next().is_some_and(|s| s == c || (s == '*' && c.is_numeric())));
    same && stored.next().is_none()
}

fn mobile(esm_class: i16, data_coding: i16, raw: &[u8], payload: Option<&[u8]>) -> Mobile {
    Mobile {
        esm_class: u8::try_from(esm_class).unwrap_or(0),
        data_coding: u8::try_from(data_coding).unwrap_or(0),
        short_message: raw.to_vec(),
        payload: payload.map(<[u8]>::to_vec),
        ..Mobile::default()
    }
}
