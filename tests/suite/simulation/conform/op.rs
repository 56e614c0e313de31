//! What can be asked of a transaction, named by places in small sets of spools, phones, texts and rows, so
//! that one and the same thing is asked of the model and of PostgreSQL, whose keys differ; and by chance.

use uuid::Uuid;

use super::super::dice::Dice;

/// Spools; the last one is registered nowhere.
pub const SPOOLS: usize = 4;
/// Phones; the last one has no row at first.
pub const PHONES: usize = 4;
/// Texts in parts.
pub const SETS: usize = 3;
/// Submissions.
pub const SUBMISSIONS: usize = 4;
/// Replies.
pub const REPLIES: usize = 6;

/// A message's row.
pub type Row = (usize, i64);

/// A message to write: sequence, phone, content, outcome, and its reply.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub sequence: i64,
    pub phone: usize,
    pub raw: u8,
    pub outcome: &'static str,
    pub submissions: Vec<usize>,
    pub whole: Option<Row>,
    pub reply: Option<usize>,
}

/// A submission to write, with its revision, if any.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    pub is_new: bool,
    pub which: usize,
    pub answer: i64,
    pub comment: Option<u8>,
    pub at: i64,
    pub sequence: i64,
    pub revisions: i32,
    pub revision: bool,
}

/// A reply to write.
#[derive(Debug, Clone)]
pub struct NewReply {
    pub which: usize,
    pub sequence: i64,
    pub phone: usize,
    pub state: &'static str,
    pub text: u8,
    /// Seconds from now.
    pub expires: i64,
}

/// What a submit came to.
#[derive(Debug, Clone)]
pub struct NewResult {
    pub which: usize,
    pub attempt: i16,
    pub state: &'static str,
    pub text: Option<u8>,
    pub message_id: Option<u8>,
    pub segment: Option<u8>,
    pub due_seconds: i32,
    pub receipt: Option<&'static str>,
}

/// A form of a receipt.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    pub no: i32,
    pub form: u8,
    pub rank: i16,
    pub phone: Option<usize>,
    pub state: Option<&'static str>,
    pub at: i64,
}

/// See the module.
#[derive(Debug, Clone)]
pub enum Op {
    Stored(usize, Vec<i64>),
    CountRedelivered(Vec<(usize, i64, i32)>),
    PointToWhole(Vec<Row>, Row),
    Finish(Row, &'static str, Vec<usize>, Option<usize>),
    PhoneIds(Vec<usize>),
    LockSets(Vec<usize>),
    LockExpired(i32),
    Parts(Vec<usize>),
    DoneParts(Vec<usize>),
    RememberParts(Vec<(usize, i16, u8)>),
    ForgetParts(i32),
    KeepParts(Vec<(usize, i16, Row)>),
    RestartSet(usize),
    RemoveSets(Vec<usize>),
    LockSubmissions(Vec<usize>, Vec<usize>, Vec<usize>),
    NoteSenders(Vec<(usize, bool, i64)>),
    History(Vec<usize>),
    Write(usize, Option<i64>, Vec<NewMessage>, Vec<NewSubmission>, Vec<NewReply>),
    SetAside(Row, u8),
    TakeSetAside(Row),
    ApplyResults(Vec<NewResult>),
    AsSent(Vec<(usize, u8)>),
    ApplyReceipts(Vec<NewReceipt>),
    KeepEarly(Vec<(u8, Option<usize>, i64)>),
    LockEarly,
    RemoveEarly(Vec<u8>),
    /// By phones.
    LockPhones(Vec<usize>),
    /// By a message's row, phone, content, the host's spools, and what others of the batch stand in, and what is
    /// known of the response to it.
    FindElsewhere(Row, usize, u8, Vec<usize>, Vec<usize>, usize),
    /// By phones and observers, each with whether its code was wrong.
    Attempts(Vec<(usize, bool)>, Vec<(i32, bool)>),
    /// Of a phone or an observer: seconds of wrong codes, and until when it was told.
    NoteAttempts(Vec<(bool, usize, Vec<i64>, Option<i64>)>),
}

/// Id of a submission or a reply.
pub fn uuid(kind: u128, which: usize) -> Uuid {
    Uuid::from_u128((kind << 64) | (which as u128 + 1))
}

/// Some of `0..n`, each once, in order.
fn some(dice: &Dice, n: usize) -> Vec<usize> {
    (0..n).filter(|_| dice.once_in(2)).collect()
}

fn maybe<T>(dice: &Dice, value: T) -> Option<T> {
    dice.once_in(2).then_some(value)
}

fn sequence(dice: &Dice) -> i64 {
    1 + dice.below(6) as i64
}

fn row(dice: &Dice) -> Row {
    (dice.below(SPOOLS), sequence(dice))
}

impl Op {
    /// One by chance.
    pub fn any(dice: &Dice) -> Self {
        match dice.below(38) {
            0 => Self::Stored(dice.below(SPOOLS), vec![1, 2, 3, 4]),
            1 => Self::CountRedelivered(vec![(dice.below(SPOOLS), sequence(dice), 1 + dice.below(2) as i32)]),
            2 => {
                let parts: std::collections::BTreeSet<Row> = (0..2).map(|_| row(dice)).collect();
                Self::PointToWhole(parts.into_iter().collect(), row(dice))
            }
            3 => {
                let outcome = *dice.pick(&["accepted", "partial", "set_aside"]);
                Self::Finish(row(dice), outcome, some(dice, SUBMISSIONS), maybe(dice, dice.below(REPLIES)))
            }
            4 => Self::PhoneIds(some(dice, PHONES)),
            5 | 6 => Self::LockSets(some(dice, SETS)),
            7 => Self::LockExpired(50 + 100 * dice.below(3) as i32),
            8 => Self::Parts(some(dice, SETS)),
            9 => Self::DoneParts(some(dice, SETS)),
            10 | 11 => {
                let part = |set| (set, 1 + dice.below(2) as i16, dice.below(2) as u8);
                Self::RememberParts(some(dice, SETS).into_iter().map(part).collect())
            }
            12 => Self::ForgetParts(50 + 100 * dice.below(3) as i32),
            13 | 14 => {
                let part = |set| (set, 1 + dice.below(3) as i16, row(dice));
                Self::KeepParts(some(dice, SETS).into_iter().map(part).collect())
            }
            15 => Self::RestartSet(dice.below(SETS)),
            16 => Self::RemoveSets(some(dice, SETS)),
            17 | 18 => Self::LockSubmissions(some(dice, SUBMISSIONS), some(dice, SETS), some(dice, PHONES)),
            19 => {
                let change = |phone| (phone, dice.once_in(2), dice.below(9) as i64);
                Self::NoteSenders(some(dice, PHONES).into_iter().map(change).collect())
            }
            20 => Self::History(some(dice, SUBMISSIONS)),
            21..=24 => Self::write(dice),
            25 => Self::SetAside(row(dice), dice.below(3) as u8),
            26 => Self::TakeSetAside(row(dice)),
            27 | 28 => Self::ApplyResults(some(dice, REPLIES).into_iter().map(|which| result(dice, which)).collect()),
            29 => Self::AsSent(some(dice, REPLIES).into_iter().map(|which| (which, dice.below(3) as u8)).collect()),
            30 | 31 => Self::ApplyReceipts((0..1 + dice.below(3) as i32).flat_map(|no| receipts(dice, no)).collect()),
            32 => {
                let early = |id| (id as u8, maybe(dice, dice.below(PHONES)), 10 + 100 * dice.below(3) as i64);
                Self::KeepEarly(some(dice, 4).into_iter().map(early).collect())
            }
            33 if dice.once_in(2) => Self::LockEarly,
            33 => Self::RemoveEarly(some(dice, 4).into_iter().map(|id| id as u8).collect()),
            34 => Self::LockPhones(some(dice, PHONES)),
            35 => {
                let taken = if dice.once_in(3) { some(dice, SUBMISSIONS) } else { Vec::new() };
                Self::FindElsewhere(
                    row(dice),
                    dice.below(PHONES),
                    dice.below(3) as u8,
                    some(dice, SPOOLS),
                    taken,
                    dice.below(3),
                )
            }
            36 => Self::Attempts(
                some(dice, PHONES).into_iter().map(|phone| (phone, dice.once_in(2))).collect(),
                some(dice, 3).into_iter().map(|observer| (observer as i32, dice.once_in(2))).collect(),
            ),
            _ => {
                let new = |is_phone, which| {
                    let failed = (0..dice.below(20)).map(|_| dice.below(900) as i64).collect();
                    (is_phone, which, failed, maybe(dice, dice.below(900) as i64))
                };
                let phones = some(dice, PHONES).into_iter().map(|phone| new(true, phone));
                let observers = some(dice, 3).into_iter().map(|observer| new(false, observer));
                Self::NoteAttempts(phones.chain(observers).collect())
            }
        }
    }

    fn write(dice: &Dice) -> Self {
        let messages = (1..=6).filter(|_| dice.once_in(3)).map(|sequence| NewMessage {
            sequence,
            phone: dice.below(PHONES),
            raw: dice.below(3) as u8,
            outcome: dice.pick::<&str>(&["accepted", "corrected", "segment", "unclear"]),
            submissions: some(dice, SUBMISSIONS),
            whole: maybe(dice, row(dice)),
            reply: maybe(dice, dice.below(REPLIES)),
        });
        let submissions = some(dice, SUBMISSIONS).into_iter().map(|which| NewSubmission {
            is_new: dice.once_in(2),
            which,
            answer: dice.below(90) as i64,
            comment: maybe(dice, dice.below(3) as u8),
            at: dice.below(9) as i64,
            sequence: sequence(dice),
            revisions: dice.below(4) as i32,
            revision: dice.once_in(2),
        });
        let replies = some(dice, REPLIES).into_iter().map(|which| NewReply {
            which,
            sequence: sequence(dice),
            phone: dice.below(PHONES - 1),
            state: dice.pick::<&str>(&["leased", "leased", "due", "due", "withheld", "expired"]),
            text: dice.below(3) as u8,
            expires: 50 + 100 * dice.below(4) as i64,
        });
        let through = maybe(dice, dice.below(20) as i64);
        let none = dice.once_in(6);
        Self::Write(
            dice.below(SPOOLS - usize::from(dice.below(8) > 0)),
            through,
            if none { Vec::new() } else { messages.collect() },
            if none { Vec::new() } else { submissions.collect() },
            if none { Vec::new() } else { replies.collect() },
        )
    }
}

fn result(dice: &Dice, which: usize) -> NewResult {
    let state = *dice.pick(&["sent", "sent", "delivered", "undelivered", "refused", "expired", "due", "unknown"]);
    let is_sent = matches!(state, "sent" | "delivered" | "undelivered");
    NewResult {
        which,
        attempt: 1 + dice.below(2) as i16,
        state,
        text: maybe(dice, dice.below(3) as u8),
        message_id: (is_sent && dice.below(5) > 0).then(|| dice.below(4) as u8),
        segment: (is_sent && dice.once_in(3)).then(|| dice.below(4) as u8),
        due_seconds: 100 * dice.below(2) as i32,
        receipt: matches!(state, "delivered" | "undelivered").then_some("DELIVRD"),
    }
}

/// The forms of one receipt: ranks go up.
fn receipts(dice: &Dice, no: i32) -> Vec<NewReceipt> {
    let (phone, at) = (maybe(dice, dice.below(PHONES)), i64::from(no));
    let state = *dice.pick(&[Some("delivered"), Some("undelivered"), None]);
    let first = dice.below(4);
    (0..1 + dice.below(2))
        .map(|rank| NewReceipt { no, form: ((first + rank) % 4) as u8, rank: rank as i16, phone, state, at })
        .collect()
}
