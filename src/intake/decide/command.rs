//! Commands: HELP, STATUS, STOP and START and their words in other languages, alone or with an observer code.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// Bytes of a text that may be a command.
const COMMAND_BYTES_MAX: usize = 60;
/// Letters of the shortest command in ASCII.
const ASCII_WORD_MIN: usize = 4;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// How to report.
    Help,
    /// What is still missing.
    Status,
    /// No more messages to this phone.
    Stop,
    /// Messages again.
    Start,
}

impl Command {
    /// Its English word, upper case, as messages are stored and filtered.
    pub fn word(self) -> &'static str {
        match self {
            Self::Help => "HELP",
            Self::Status => "STATUS",
            Self::Stop => "STOP",
            Self::Start => "START",
        }
    }
}

/// A command as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    pub command: Command,
    /// Language of its word, where that is of one alone.
    pub language: Option<&'static str>,
    /// An observer code after it.
    pub observer: Option<String>,
    /// The word as it was sent, upper case, without accents.
    pub word: String,
}

use Command::{Help, Start, Status, Stop};

/// Words without accents and marks; the language is empty where several have the word.
const WORDS: &[(&str, Command, &str)] = &[
    ("HELP", Help, "en"),
    ("INFO", Help, ""),
    ("AIDE", Help, "fr"),
    ("AJUDA", Help, "pt"),
    ("AYUDA", Help, "es"),
    ("MSAADA", Help, "sw"),
    ("USAIDIZI", Help, "sw"),
    ("SAIDIA", Help, "sw"),
    ("المساعدة", Help, "ar"),
    ("مساعده", Help, "ar"),
    ("مساعدة", Help, "ar"),
    ("STATUS", Status, ""),
    ("STATUT", Status, "fr"),
    ("ETAT", Status, "fr"),
    ("ESTADO", Status, ""),
    ("SITUACAO", Status, "pt"),
    ("HALI", Status, "sw"),
    ("حاله", Status, "ar"),
    ("حالة", Status, "ar"),
    ("الحالة", Status, "ar"),
    ("STOP", Stop, ""),
    ("UNSUBSCRIBE", Stop, "en"),
    ("QUIT", Stop, "en"),
    ("ARRET", Stop, "fr"),
    ("ARRETER", Stop, "fr"),
    ("PARAR", Stop, ""),
    ("PARE", Stop, ""),
    ("CANCELAR", Stop, ""),
    ("SAIR", Stop, "pt"),
    ("SALIR", Stop, "es"),
    ("SITISHA", Stop, "sw"),
    ("الغاء", Stop, "ar"),
    ("BAJA", Stop, "es"),
    ("ALTO", Stop, "es"),
    ("ACHA", Stop, "sw"),
    ("SIMAMA", Stop, "sw"),
    ("KOMESHA", Stop, "sw"),
    ("توقف", Stop, "ar"),
    ("ايقاف", Stop, "ar"),
    ("قف", Stop, "ar"),
    ("START", Start, ""),
    ("UNSTOP", Start, "en"),
    ("REPRENDRE", Start, "fr"),
    ("COMMENCER", Start, "fr"),
    ("INICIAR", Start, ""),
    ("COMECAR", Start, "pt"),
    ("EMPEZAR", Start, "es"),
    ("REANUDAR", Start, "es"),
    ("RETOMAR", Start, "pt"),
    ("DEMARRER", Start, "fr"),
    ("ENDELEA", Start, "sw"),
    ("ALTA", Start, "es"),
    ("ANZA", Start, "sw"),
    ("ابدا", Start, "ar"),
    ("بدء", Start, "ar"),
];

/// The command that a text is: its word, and at most an observer code after it, whatever stands around
/// that is no letter or digit.
pub(super) fn find(raw: &str) -> Option<Called> {
    if raw.len() > COMMAND_BYTES_MAX || begins_otherwise(raw) {
        return None;
    }
    if raw.contains('@') || (raw.is_ascii() && has_words(raw, 3)) {
        return None;
    }
    let mut parts =
        raw.split(|c: char| !c.is_alphanumeric() && canonical_combining_class(c) == 0).filter(|p| !p.is_empty());
    let first = parts.next()?;
    let observer = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some(code), None) if code.bytes().all(|b| b.is_ascii_digit()) => Some(code.to_owned()),
        _ => return None,
    };
    if first.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let word: String =
        first.nfkd().filter(|c| canonical_combining_class(*c) == 0).flat_map(char::to_uppercase).collect();
    let (_, command, language) = WORDS.iter().find(|(known, ..)| *known == word)?;
    Some(Called { command: *command, language: Some(*language).filter(|l| !l.is_empty()), observer, word })
}

/// Is the first word none of a command, by its beginning alone? So are most reports: the digits of an observer
/// code stand straight after a prefix, or the prefix is shorter than any command.
fn begins_otherwise(raw: &str) -> bool {
    let mut rest = raw.bytes().skip_while(|b| b.is_ascii() && !b.is_ascii_alphanumeric()).peekable();
    let mut letters = 0;
    while rest.next_if(u8::is_ascii_alphabetic).is_some() {
        letters += 1;
    }
    match rest.next() {
        Some(b) if b.is_ascii_digit() => true,
        // The word may go on.
        Some(b) if !b.is_ascii() => false,
        _ => letters < ASCII_WORD_MIN,
    }
}

/// Has an ASCII text so many words or numbers?
fn has_words(raw: &str, many: usize) -> bool {
    raw.as_bytes().split(|b| !b.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).nth(many - 1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_in_each_language_whatever_its_case_accents_and_marks() {
        for (text, command, language) in [
            ("help", Help, Some("en")),
            (" Aide! ", Help, Some("fr")),
            ("ÉTAT", Status, Some("fr")),
            ("arrêter", Stop, Some("fr")),
            ("Situação?", Status, Some("pt")),
            ("começar", Start, Some("pt")),
            ("\"STOP\"", Stop, None),
            ("msaada.", Help, Some("sw")),
            ("أبدأ", Start, Some("ar")),
            ("إيقاف", Stop, Some("ar")),
            ("مُساعدة", Help, Some("ar")),
        ] {
            let called = find(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((called.command, called.language, called.observer), (command, language, None), "{text}");
        }
        assert_eq!(find("STATUS 123456").unwrap().observer.as_deref(), Some("123456"));
    }

    #[test]
    fn a_report_or_a_sentence_is_no_command() {
        for text in
            ["", "PS 123456 AA1", "HELP ME", "STOP 123456 AA1", "HELP1", "please stop", "STOP @ x", "...", "123456"]
        {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn each_word_is_written_as_texts_are_compared() {
        for (word, ..) in WORDS {
            let found = find(word).unwrap();
            assert!(!word.is_ascii() || word.len() >= ASCII_WORD_MIN, "{word}");
            assert_eq!(WORDS.iter().find(|(w, c, _)| w == word && *c == found.command).map(|w| w.0), Some(*word));
        }
    }
}
