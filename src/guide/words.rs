//! The guide's fixed words, by language. A group adds a language with a file of the same keys.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::GuideError;
use super::direction::Direction;

/// The files that come with the program.
const SHIPPED: &[(&str, &str)] = &[
    ("ar", include_str!("../../config/guide/ar.toml")),
    ("en", include_str!("../../config/guide/en.toml")),
    ("es", include_str!("../../config/guide/es.toml")),
    ("fr", include_str!("../../config/guide/fr.toml")),
    ("pt", include_str!("../../config/guide/pt.toml")),
    ("sw", include_str!("../../config/guide/sw.toml")),
];

/// The fixed words of one language. Each field is a key of `config/guide/<language>.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the files say what each text is for")]
pub struct Words {
    #[serde(skip)]
    pub language: String,
    pub direction: Direction,
    pub guide: String,
    pub send_to: String,
    pub observer_code: String,
    pub station: String,
    pub call: String,
    pub example: String,
    pub part_prefix: String,
    pub part_observer: String,
    pub part_incident: String,
    pub part_serial: String,
    pub part_comment: String,
    pub comment: String,
    pub comment_incident: String,
    pub how: String,
    pub how_incident: String,
    pub range: String,
    pub unknown: String,
    pub clock: String,
    pub day: String,
    pub decimal: String,
    pub several: String,
    pub flag: String,
    pub free: String,
    pub yes: String,
    pub no: String,
    pub optional: String,
    pub check: String,
    pub registered: String,
    pub after: String,
    pub answered: String,
    pub answered_incident: String,
    pub correct: String,
    pub withdraw: String,
    pub help: String,
    pub status: String,
}

impl Words {
    /// Reads a file of words.
    ///
    /// # Errors
    /// [`GuideError::Words`] names what is wrong with it.
    pub fn parse(language: &str, text: &str) -> Result<Self, GuideError> {
        let wrong = |message: String| GuideError::Words { language: language.to_owned(), message };
        let mut words: Self = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        language.clone_into(&mut words.language);
        for (key, text, placeholders) in [
            ("how", &words.how, &["prefix"][..]),
            ("how_incident", &words.how_incident, &["prefix"]),
            ("range", &words.range, &["min", "max"]),
            ("unknown", &words.unknown, &["value"]),
            ("several", &words.several, &["sample"]),
        ] {
            if let Some(missing) = placeholders.iter().find(|p| !text.contains(&format!("{{{p}}}"))) {
                return Err(wrong(format!("`{key}` must have {{{missing}}} in it")));
            }
        }
        Ok(words)
    }

    /// The words that come with the program, by language.
    ///
    /// # Errors
    /// Never for the shipped files; a test keeps that.
    pub fn shipped() -> Result<BTreeMap<String, Self>, GuideError> {
        SHIPPED.iter().map(|(language, text)| Ok(((*language).to_owned(), Self::parse(language, text)?))).collect()
    }
}

/// Fills `{key}` in.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = template.to_owned();
    for (key, value) in values {
        out = out.replace(&format!("{{{key}}}"), value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_language_has_every_text() {
        let all = Words::shipped().unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["ar", "en", "es", "fr", "pt", "sw"]);
        assert_eq!(all["ar"].direction, Direction::Rtl);
    }

    #[test]
    fn a_file_that_lacks_a_text_or_a_placeholder_is_refused_by_name() {
        let file = include_str!("../../config/guide/en.toml");
        let error = Words::parse("xx", &file.replace("check =", "chekc =")).unwrap_err().to_string();
        assert!(error.contains("xx") && error.contains("chekc"), "{error}");
        let error = Words::parse("xx", &file.replace("{sample}", "13")).unwrap_err().to_string();
        assert!(error.contains("`several` must have {sample}"), "{error}");
    }
}
