//! What holds for any bytes of an SMSC, on the kept corpora of the fuzz targets `pdu` and `session` (each
//! input is one that a fuzzer found to go a way of its own), and for any valid PDU: it survives being written
//! and read, by us and by a codec that others wrote.

mod oracle;
mod valid;

use std::cell::RefCell;
use std::collections::BTreeSet;

use bytes::BytesMut;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use scrutineer::smpp::{CommandId, Frame, Pdu};
use scrutineer::{handoff, limits, smpp, vitals, world};

use super::support::{source, torture};
use valid::Valid;

#[path = "../fuzz/pdu.rs"]
mod pdu;
#[path = "../fuzz/session.rs"]
mod session;

/// Each input in the long form, each so-manyth in the short one.
fn replay(target: &str, least: usize, each: usize, hold: fn(&[u8])) {
    let dir = source::root().join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files.iter().step_by(torture::rounds(each, 1)) {
        let input = std::fs::read(file).unwrap();
        if let Err(panic) = std::panic::catch_unwind(|| hold(&input)) {
            eprintln!("the input is {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
    assert!(files.len() >= least, "{} inputs in {}", files.len(), dir.display());
}

#[test]
fn every_kept_pdu_of_the_fuzzer_is_read_the_same_in_any_cut_and_settles() {
    replay("pdu", 300, 1, pdu::hold);
}

#[test]
fn every_kept_script_of_the_fuzzer_leaves_the_link_sound() {
    replay("session", 500, 6, session::hold);
}

/// As many cases as the form of the test has, by its seed.
fn for_any<S: Strategy>(strategy: &S, hold: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = u32::try_from(torture::rounds(400, 100_000)).unwrap();
    let rng_seed = RngSeed::Fixed(torture::seed());
    let mut runner = TestRunner::new(Config { cases, rng_seed, failure_persistence: None, ..Config::default() });
    match runner.run(strategy, hold) {
        Ok(()) => {}
        Err(TestError::Fail(why, of)) => panic!("{why}\n{of:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// The frames of a stream that comes in pieces of these lengths, over and over.
fn frames(stream: &[u8], cuts: &[usize]) -> Vec<Frame> {
    let (mut buffer, mut found, mut rest) = (BytesMut::new(), Vec::new(), stream);
    for cut in cuts.iter().cycle() {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = after;
        while let Some(frame) = smpp::split(&mut buffer).unwrap() {
            found.push(frame);
        }
        if rest.is_empty() {
            break;
        }
    }
    assert!(buffer.is_empty(), "{} bytes are left", buffer.len());
    found
}

/// What is read of a stream in these cuts is what was meant.
fn read_the_same(stream: &[u8], cuts: &[usize], meant: &[Valid]) -> Result<(), TestCaseError> {
    let frames = frames(stream, cuts);
    prop_assert_eq!(frames.len(), meant.len());
    for (frame, valid) in frames.iter().zip(meant) {
        prop_assert_eq!((frame.status, frame.sequence), (valid.status, valid.sequence));
        prop_assert_eq!(&smpp::decode(frame).unwrap(), &valid.pdu);
    }
    Ok(())
}

/// Several PDUs behind each other, and how they are cut: byte by byte, or in greater pieces.
fn streams(address_max: usize) -> impl Strategy<Value = (Vec<Valid>, Vec<usize>)> {
    let cuts =
        prop_oneof![proptest::collection::vec(1usize..8, 1..10), proptest::collection::vec(1usize..5_000, 1..10)];
    (proptest::collection::vec(valid::valid(address_max), 1..5), cuts)
}

#[test]
fn any_valid_pdu_that_another_codec_writes_is_read_as_it_was_meant_in_any_cut() {
    let kinds = RefCell::new(BTreeSet::new());
    for_any(&streams(20), |(pdus, cuts)| {
        let mut stream = Vec::new();
        for valid in &pdus {
            let bytes = oracle::encode(valid, false);
            let read = oracle::again(&bytes);
            prop_assert_eq!(read.as_ref(), Ok(&bytes), "it is valid in their eyes too");
            stream.extend_from_slice(&bytes);
            kinds.borrow_mut().insert(valid::kind(&valid.pdu));
        }
        read_the_same(&stream, &cuts, &pdus)
    });
    assert_eq!(kinds.borrow().len(), valid::KINDS, "{kinds:?}");
}

#[test]
fn any_valid_pdu_that_we_write_is_read_by_us_and_byte_by_byte_the_same_as_another_codec_writes_it() {
    let kinds = RefCell::new(BTreeSet::new());
    for_any(&streams(20), |(mut pdus, cuts)| {
        let mut stream = BytesMut::new();
        for valid in &mut pdus {
            let begin = stream.len();
            smpp::encode(&mut stream, valid.status, valid.sequence, &valid.pdu);
            let bytes = &stream[begin..];
            // A refused bind is answered by its header alone.
            let refused = valid.status != 0 && refuse(&mut valid.pdu);
            if refused {
                prop_assert_eq!(bytes.len(), 16);
            } else {
                prop_assert_eq!(bytes, &oracle::encode(valid, true)[..]);
            }
            let read = oracle::again(bytes);
            prop_assert_eq!(read.as_deref(), Ok(bytes), "they read it, and write the same");
            kinds.borrow_mut().insert(valid::kind(&valid.pdu));
        }
        read_the_same(&stream, &cuts, &pdus)
    });
    assert_eq!(kinds.borrow().len(), valid::KINDS, "{kinds:?}");
}

/// Takes its body from a bind response.
fn refuse(pdu: &mut Pdu) -> bool {
    match pdu {
        Pdu::BindTransceiverResp(id) | Pdu::BindReceiverResp(id) | Pdu::BindTransmitterResp(id) => {
            id.clear();
            true
        }
        _ => false,
    }
}

#[test]
fn addresses_of_data_sm_may_be_as_long_as_the_specification_allows() {
    // 64 characters, where rusmpp takes 20.
    for_any(&streams(64), |(pdus, cuts)| {
        let pdus: Vec<Valid> = pdus.into_iter().filter(|valid| matches!(valid.pdu, Pdu::DataSm(_))).collect();
        let mut stream = BytesMut::new();
        for valid in &pdus {
            smpp::encode(&mut stream, valid.status, valid.sequence, &valid.pdu);
        }
        for frame in frames(&stream, &cuts) {
            prop_assert_eq!(frame.id, CommandId::DataSm);
        }
        read_the_same(&stream, &cuts, &pdus)
    });
}
