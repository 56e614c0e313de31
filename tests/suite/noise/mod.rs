//! Noisy messages with known truth, made from seeds: checklists of our own, answers by chance, and one
//! kind of noise each. What a careful person would read is known by construction.

mod draft;
pub mod forms;
pub mod kinds;
pub mod score;

use std::collections::BTreeMap;

use scrutineer::domain::value::Value;

/// What may be made of a code that was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// A careful person reads it so without doubt.
    Must(Value),
    /// It can be read in more than one way: this, or reported back.
    Either(Value),
    /// There is no usable value: reported back.
    Refuse,
}

/// One report that was meant.
#[derive(Debug, Clone)]
pub struct Meant {
    pub prefix: String,
    pub observer: String,
    pub codes: BTreeMap<String, Expect>,
    pub comment: Option<String>,
}

/// A message with what was meant.
#[derive(Debug, Clone)]
pub struct Message {
    pub kind: &'static str,
    pub text: String,
    /// Bytes at which a segment is missing.
    pub gaps: Vec<usize>,
    pub meant: Vec<Meant>,
}

/// Chance from a seed (xorshift64*).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}
