//! Which stretch of a text was taken for what.

/// A stretch of the text as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Byte where it begins.
    pub from: usize,
    /// Byte where it ends.
    pub to: usize,
    /// What it was taken for.
    pub part: Part,
}

/// What a stretch was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Prefix, observer code, mark of an incident, serial.
    Header,
    /// A code with its value, recorded or refused: place of its question in the checklist.
    Code(u16),
    /// A code that the checklist lacks.
    UnknownCode,
    /// Codes that can be read in more than one way.
    Unclear,
    /// Not understood, asked back or noted.
    Leftover,
    /// After `@`.
    Comment,
}
