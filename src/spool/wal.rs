//! The write-ahead log as it lies on disk (SQLite's file format, section 4): is it whole?
//!
//! SQLite reads a log up to the first frame that is not right, and takes all behind for a transaction that
//! was not finished. So a single changed bit would have whole commits forgotten without a word.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of the log's header, and of a frame's.
const HEADERS: (u64, usize) = (32, 24);
/// SQLite's default, which the spool keeps.
pub(super) const PAGE_BYTES: usize = 4096;

/// A frame: which page, and where its content lies in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) page: u32,
    at: u64,
}

/// A log.
#[derive(Debug)]
pub(super) struct Log {
    file: Option<File>,
    /// All frames up to the last commit, right or not.
    pub(super) frames: Vec<Frame>,
    /// The first frame that is not right, when commits end behind it: SQLite forgets it and what follows.
    pub(super) wrong: Option<usize>,
    /// So many commits do. The first of them may be a transaction whose sync was never finished; a second
    /// one was begun when the first was synced.
    pub(super) commits_behind: usize,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn checksum(big: bool, bytes: &[u8], (mut a, mut b): (u32, u32)) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let of = |at: usize| if big { word(pair, at) } else { word(pair, at).swap_bytes() };
        a = a.wrapping_add(of(0)).wrapping_add(b);
        b = b.wrapping_add(of(4)).wrapping_add(a);
    }
    (a, b)
}

impl Frame {
    /// The same frame?
    pub(super) fn is(self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Log {
    /// Looks through a log; none is an empty one.
    pub(super) fn read(path: &Path) -> std::io::Result<Self> {
        let mut log = Self { file: None, frames: Vec::new(), wrong: None, commits_behind: 0 };
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(log),
            file => file?,
        };
        let length = file.metadata()?.len();
        if length > HEADERS.0 {
            log.look(&file, length)?;
        }
        log.file = Some(file);
        Ok(log)
    }

    fn look(&mut self, file: &File, length: u64) -> std::io::Result<()> {
        let size = PAGE_BYTES + HEADERS.1;
        let mut header = [0; HEADERS.0 as usize];
        file.read_exact_at(&mut header, 0)?;
        let big = word(&header, 0) & 1 == 1;
        let mut sum = checksum(big, &header[..24], (0, 0));
        let right = word(&header, 0) | 1 == 0x377F_0683
            && word(&header, 8) as usize == PAGE_BYTES
            && sum == (word(&header, 24), word(&header, 28));
        let count = ((length - HEADERS.0) / size as u64) as usize;
        let place = |frame: usize| HEADERS.0 + (frame * size) as u64;
        let salts = |frame: usize| -> std::io::Result<(u32, u32)> {
            let mut two = [0; 8];
            file.read_exact_at(&mut two, place(frame) + 8)?;
            Ok((word(&two, 0), word(&two, 4)))
        };
        // A log is written from its start again: what lies behind the newest frames has older salts.
        let salt = if right || count == 0 { (word(&header, 16), word(&header, 20)) } else { salts(0)? };
        let mut wrong = (!right).then_some(0);
        let (mut ends, mut commits) = (0, 0);
        let mut frame = vec![0; size];
        for number in 0..count {
            file.read_exact_at(&mut frame, place(number))?;
            if (word(&frame, 8), word(&frame, 12)) != salt {
                // When those of this frame alone are wrong, the log goes on behind it.
                if number + 1 >= count || salts(number + 1)? != salt {
                    break;
                }
                wrong.get_or_insert(number);
            }
            sum = checksum(big, &frame[24..], checksum(big, &frame[..8], sum));
            let said = (word(&frame, 16), word(&frame, 20));
            if sum != said {
                wrong.get_or_insert(number);
                // From what it says the frames behind it can be judged.
                sum = said;
            }
            self.frames.push(Frame { page: word(&frame, 0), at: place(number) + HEADERS.1 as u64 });
            if word(&frame, 4) != 0 {
                ends = number + 1;
                commits += usize::from(wrong.is_some());
            }
        }
        self.frames.truncate(ends);
        self.wrong = wrong.filter(|wrong| *wrong < ends);
        self.commits_behind = commits;
        Ok(())
    }

    /// A frame's page.
    pub(super) fn content(&self, frame: Frame) -> Option<Vec<u8>> {
        let mut page = vec![0; PAGE_BYTES];
        self.file.as_ref()?.read_exact_at(&mut page, frame.at).ok()?;
        Some(page)
    }

    /// For each page the last frame.
    pub(super) fn newest(&self) -> HashMap<u32, Frame> {
        self.frames.iter().map(|frame| (frame.page, *frame)).collect()
    }
}
