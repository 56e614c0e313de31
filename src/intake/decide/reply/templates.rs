//! Templates of replies by language, read and checked once.

mod longest;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::length::{Length, spelled};
use crate::domain::checklist::placeholders;
pub use longest::Longest;

/// Templates that come with the program, by language.
const BUILT_IN: [(&str, &str); 6] = [
    ("en", include_str!("../../../../config/replies/en.toml")),
    ("fr", include_str!("../../../../config/replies/fr.toml")),
    ("pt", include_str!("../../../../config/replies/pt.toml")),
    ("es", include_str!("../../../../config/replies/es.toml")),
    ("ar", include_str!("../../../../config/replies/ar.toml")),
    ("sw", include_str!("../../../../config/replies/sw.toml")),
];

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Report,
    Answers,
    Prefix,
    Observer,
    Text,
    Form,
    Count,
    List,
    Code,
    Reason,
    Value,
    Min,
    Max,
}

impl Slot {
    const ALL: [Self; 13] = [
        Self::Report,
        Self::Answers,
        Self::Prefix,
        Self::Observer,
        Self::Text,
        Self::Form,
        Self::Count,
        Self::List,
        Self::Code,
        Self::Reason,
        Self::Value,
        Self::Min,
        Self::Max,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Answers => "answers",
            Self::Prefix => "prefix",
            Self::Observer => "observer",
            Self::Text => "text",
            Self::Form => "form",
            Self::Count => "count",
            Self::List => "list",
            Self::Code => "code",
            Self::Reason => "reason",
            Self::Value => "value",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

macro_rules! templates {
    ($($key:ident $name:literal [$($slot:ident),*];)*) => {
        /// A template.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Key { $($key,)* }

        /// Every template with the placeholders that it may have, in the order of [`Key`].
        const TEMPLATES: &[(Key, &str, &[Slot])] = &[$((Key::$key, $name, &[$(Slot::$slot),*]),)*];
    };
}

templates! {
    Accepted "accepted" [Report, Answers];
    Incident "incident" [Report, Answers];
    Comment "comment" [Report];
    Partial "partial" [Report, Answers];
    Corrected "corrected" [Report, Answers];
    Duplicate "duplicate" [Report];
    Unclear "unclear" [Report];
    Empty "empty" [];
    UnknownObserver "unknown_observer" [Prefix, Observer];
    NoObserver "no_observer" [Prefix];
    UnknownChecklist "unknown_checklist" [Text];
    Closed "closed" [Prefix];
    Draft "draft" [Prefix];
    Paused "paused" [Prefix];
    Outdated "outdated" [Prefix, Form];
    Unverified "unverified" [Report];
    Held "held" [Report];
    NoCode "no_code" [Report];
    WrongCode "wrong_code" [Report];
    Locked "locked" [Report, Count];
    SetAside "set_aside" [];
    Help "help" [];
    Status "status" [];
    StatusList "status_list" [List];
    StatusComplete "status_complete" [Prefix];
    StatusMissing "status_missing" [Prefix, List];
    StatusNothing "status_nothing" [Prefix];
    Stop "stop" [];
    Start "start" [];
    AnswersOne "answers_one" [];
    AnswersMany "answers_many" [Count];
    Wrong "wrong" [List];
    Missing "missing" [List];
    Leftover "leftover" [Text];
    Check "check" [Text];
    Uncalled "uncalled" [List];
    Item "item" [Code, Reason];
    Separator "separator" [];
    More "more" [Count];
    ReasonRange "reason_range" [Value, Min, Max];
    ReasonOption "reason_option" [Value];
    ReasonUnknown "reason_unknown" [];
    ReasonEmpty "reason_empty" [];
    ReasonUnclear "reason_unclear" [Value];
    ReasonCut "reason_cut" [Value];
    ReasonRule "reason_rule" [Value];
}

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepliesError {
    /// Not TOML, or not texts.
    #[error("replies/{language}.toml: {message}")]
    File {
        /// Language.
        language: String,
        /// What is wrong.
        message: String,
    },
    /// No such template.
    #[error("replies/{language}.toml: unknown key `{key}`; the keys are {}", names())]
    Key {
        /// Language.
        language: String,
        /// The key.
        key: String,
    },
    /// A placeholder that the template cannot have.
    #[error("replies/{language}.toml, `{key}`: unknown placeholder {{{placeholder}}}; it may have {known}")]
    Placeholder {
        /// Language.
        language: String,
        /// The key.
        key: String,
        /// The placeholder.
        placeholder: String,
        /// Those that are known.
        known: String,
    },
    /// A template without text.
    #[error("replies/{language}.toml, `{key}` is empty: leave it out for the built-in text")]
    Empty {
        /// Language.
        language: String,
        /// The key.
        key: String,
    },
}

fn names() -> String {
    TEMPLATES.iter().map(|t| t.1).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Slot(Slot),
}

impl Piece {
    fn write(&self, out: &mut String, values: &[(Slot, Filled<'_>)]) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Slot(slot) => match values.iter().find(|(s, _)| s == slot) {
                Some((_, Filled::Text(text))) => out.push_str(text),
                Some((_, Filled::Said((from, to)))) => out.extend_from_within(*from..*to),
                None => {}
            },
        }
    }
}

/// Where words stand in a string.
pub(super) type Place = (usize, usize);

/// What a slot is filled with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filled<'a> {
    Text(&'a str),
    /// Words that stand further to the front of the string which the template is written to.
    Said(Place),
}

/// One language's templates, each there.
#[derive(Debug, Clone)]
pub(super) struct Set {
    templates: Vec<Vec<Piece>>,
    /// What stands between the items of a list.
    pub separator: String,
    /// Its length.
    pub separator_length: Length,
    /// Length of `more` without its count, and how often that stands in it.
    more: (Length, usize),
}

impl Set {
    fn pieces(&self, key: Key) -> &[Piece] {
        self.templates.get(key as usize).map_or(&[], Vec::as_slice)
    }

    /// Fills a template at the end of `out`.
    pub(super) fn fill(&self, out: &mut String, key: Key, values: &[(Slot, Filled<'_>)]) {
        for piece in self.pieces(key) {
            piece.write(out, values);
        }
    }

    /// A template filled.
    pub(super) fn text(&self, key: Key, values: &[(Slot, Filled<'_>)]) -> String {
        let mut out = String::with_capacity(64);
        self.fill(&mut out, key, values);
        out
    }

    /// Writes what stands before and after a slot, the others filled, at the end of `out`; where it stands.
    pub(super) fn around(
        &self,
        out: &mut String,
        key: Key,
        around: Slot,
        values: &[(Slot, Filled<'_>)],
    ) -> (Place, Place) {
        let from = out.len();
        let mut split = None;
        for piece in self.pieces(key) {
            match piece {
                Piece::Slot(slot) if *slot == around => split = split.or(Some(out.len())),
                piece => piece.write(out, values),
            }
        }
        let split = split.unwrap_or(out.len());
        ((from, split), (split, out.len()))
    }

    /// Length of `more` with this count.
    pub(super) fn more_length(&self, count: usize) -> Length {
        let digits = count.checked_ilog10().map_or(1, |n| n as usize + 1);
        self.more.0.and(Length::SPACE.times(digits * self.more.1))
    }
}

/// Templates by language.
#[derive(Debug, Clone)]
pub struct Replies {
    by_language: BTreeMap<String, Arc<Set>>,
    english: Arc<Set>,
}

type Texts = BTreeMap<&'static str, String>;

impl Replies {
    /// The templates that come with the program, with those of a deployment over them: language and TOML.
    /// A template that a language lacks is taken from English.
    ///
    /// # Errors
    /// The first file with an unknown key or placeholder, or that is no TOML of texts.
    pub fn new(overrides: &[(String, String)]) -> Result<Self, RepliesError> {
        let mut texts: BTreeMap<String, Texts> = BTreeMap::new();
        for (language, text) in BUILT_IN {
            add(texts.entry(language.to_owned()).or_default(), language, text)?;
        }
        for (language, text) in overrides {
            add(texts.entry(language.clone()).or_default(), language, text)?;
        }
        let english = texts.get("en").cloned().unwrap_or_default();
        let by_language: BTreeMap<String, Arc<Set>> =
            texts.into_iter().map(|(language, own)| (language, Arc::new(ready(&own, &english)))).collect();
        let english = by_language.get("en").cloned().unwrap_or_else(|| Arc::new(ready(&english, &Texts::new())));
        Ok(Self { by_language, english })
    }

    /// The templates that come with the program.
    pub fn built_in() -> Self {
        Self::new(&[]).unwrap_or_else(|_| {
            let english = Arc::new(ready(&Texts::new(), &Texts::new()));
            Self { by_language: BTreeMap::new(), english }
        })
    }

    /// Languages that there are templates for.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.by_language.keys().map(String::as_str)
    }

    /// Templates of a language; of `pt` for `pt-br`, else of English.
    pub(super) fn set(&self, language: &str) -> &Set {
        let found = self.by_language.get(language).or_else(|| {
            let base = language.split(['-', '_']).next().unwrap_or_default();
            self.by_language.get(base)
        });
        found.unwrap_or(&self.english)
    }
}

/// Adds one file's templates, checked.
fn add(texts: &mut Texts, language: &str, file: &str) -> Result<(), RepliesError> {
    let broken = |message: String| RepliesError::File { language: language.to_owned(), message };
    let table: BTreeMap<String, String> = toml::from_str(file).map_err(|e| broken(e.to_string()))?;
    for (key, template) in table {
        let Some((_, name, known)) = TEMPLATES.iter().find(|(_, name, _)| *name == key) else {
            return Err(RepliesError::Key { language: language.to_owned(), key });
        };
        if template.trim().is_empty() {
            return Err(RepliesError::Empty { language: language.to_owned(), key });
        }
        for placeholder in placeholders(&template) {
            if !known.iter().any(|slot| slot.name() == placeholder) {
                let known: Vec<&str> = known.iter().map(|s| s.name()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let placeholder = placeholder.to_owned();
                return Err(RepliesError::Placeholder { language: language.to_owned(), key, placeholder, known });
            }
        }
        texts.insert(name, template);
    }
    Ok(())
}

fn ready(own: &Texts, english: &Texts) -> Set {
    let read = |name: &str| pieces(&spelled(own.get(name).or_else(|| english.get(name)).map_or("", String::as_str)));
    let mut set = Set {
        templates: TEMPLATES.iter().map(|(_, name, _)| read(name)).collect(),
        separator: String::new(),
        separator_length: Length::default(),
        more: (Length::default(), 0),
    };
    set.separator = set.text(Key::Separator, &[]);
    set.separator_length = Length::of(&set.separator);
    let counts = set.pieces(Key::More).iter().filter(|p| **p == Piece::Slot(Slot::Count)).count();
    set.more = (Length::of(&set.text(Key::More, &[])), counts);
    set
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            out.push(Piece::Text(before.into()));
        }
        let Some((name, after)) = after.split_once('}') else { break };
        out.extend(Slot::ALL.into_iter().find(|s| s.name() == name).map(Piece::Slot));
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest.into()));
    }
    out
}
