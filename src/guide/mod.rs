//! The observers' printed guide: a checklist in one language as print-ready HTML. PURE.
//!
//! Invariants: one self-contained file, without scripts, external fonts or images; every message in
//! it was read back by the grammar; every text knows its direction, so that codes and messages run
//! left to right in any language. What a checklist says is escaped.

mod direction;
mod example;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub use direction::Direction;
pub use words::Words;

use std::collections::BTreeSet;

use askama::Template;

use crate::domain::checklist::{Checklist, Translated};

/// Paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A4 upright, for a folder or clipboard.
    A4,
    /// A4 across with four panels a side: printed on both sides and folded, it goes into a pocket.
    Pocket,
    /// A6 pages, for printers that put four on a sheet, or cards.
    A6,
}

impl Size {
    /// Every size.
    pub const ALL: [Self; 3] = [Self::A4, Self::Pocket, Self::A6];

    /// The word in commands and file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A4 => "a4",
            Self::Pocket => "pocket",
            Self::A6 => "a6",
        }
    }
}

/// What the guide says beside the checklist.
#[derive(Debug, Clone)]
pub struct Options {
    /// Paper.
    pub size: Size,
    /// Digits of an observer code.
    pub observer_digits: u8,
    /// The number to text to; without it there is a line to write it on.
    pub number: Option<String>,
    /// A number to call; without it there is a line to write it on.
    pub call: Option<String>,
    /// The election's name.
    pub election: Option<String>,
}

/// Why a guide cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GuideError {
    /// A file of fixed words is not as it should be.
    #[error("words in `{language}`: {message}")]
    Words {
        /// Language.
        language: String,
        /// What is wrong.
        message: String,
    },
    /// The example would not be read as it is meant: the checklist's codes can be taken for one another.
    #[error("the example `{message}` would not be read as it is meant: change codes that can be taken for others")]
    Example {
        /// The message.
        message: String,
    },
    /// The page could not be written.
    #[error("the page can't be made: {0}")]
    Page(#[from] askama::Error),
}

/// Makes a guide.
///
/// # Errors
/// See [`GuideError`].
pub fn render(checklist: &Checklist, words: &Words, options: &Options) -> Result<String, GuideError> {
    // What observers write before their code tells the version, where texts tell it.
    let spelled = Checklist { prefix: checklist.opening(), marked: false, ..checklist.clone() };
    Ok(view::Page::new(&spelled, words, options)?.render()?)
}

/// The languages of a checklist; `en` when it says none.
pub fn languages(checklist: &Checklist) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    each_text(checklist, &mut |text| {
        if let Translated::Many(by) = text {
            out.extend(by.keys().cloned());
        }
    });
    if out.is_empty() {
        out.insert("en".to_owned());
    }
    out
}

/// How many texts of a checklist are not there in a language, and are printed in another.
pub fn untranslated(checklist: &Checklist, language: &str) -> usize {
    let mut count = 0;
    each_text(checklist, &mut |text| {
        if let Translated::Many(by) = text {
            count += usize::from(!by.contains_key(language));
        }
    });
    count
}

fn each_text(checklist: &Checklist, each: &mut dyn FnMut(&Translated)) {
    use crate::domain::checklist::QuestionType;
    each(&checklist.title);
    for question in &checklist.questions {
        each(&question.text);
        if let QuestionType::YesNo { options }
        | QuestionType::Choice { options }
        | QuestionType::MultiChoice { options } = &question.kind
        {
            options.values().for_each(&mut *each);
        }
    }
}
