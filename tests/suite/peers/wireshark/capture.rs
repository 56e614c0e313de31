//! A capture of PDUs, and what `tshark` reads in it.

use std::path::Path;
use std::process::Command;

/// A capture of raw IPv4: one TCP stream to port 2775, a packet a PDU (several where one is too long).
pub(super) fn write(path: &Path, frames: &[Vec<u8>]) {
    let mut out = Vec::new();
    // Magic, version 2.4, zone, accuracy, snap length, link type 101: an IP header comes first.
    for word in [0xA1B2_C3D4, 0x0002_0004, 0, 0, 0x4_0000, 101u32] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    let mut sequence = 1u32;
    for (second, frame) in (0u32..).zip(frames) {
        let length = u32::try_from(40 + frame.len()).unwrap();
        for word in [second, 0, length, length] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&[0x45, 0]);
        out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        // Identification, flags, time to live, TCP, no checksum, from and to.
        out.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]);
        out.extend_from_slice(&40_000u16.to_be_bytes());
        out.extend_from_slice(&2_775u16.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&1u32.to_be_bytes());
        // Header of five words, PSH and ACK, window, no checksum.
        out.extend_from_slice(&[0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
        out.extend_from_slice(frame);
        sequence += u32::try_from(frame.len()).unwrap();
    }
    std::fs::write(path, out).unwrap();
}

fn tshark(capture: &Path, args: &[&str]) -> String {
    let output =
        Command::new("tshark").args(["-d", "tcp.port==2775,smpp", "-r"]).arg(capture).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is marked as malformed, cut short, lost, or against the protocol.
pub(super) fn marked(capture: &Path) -> String {
    tshark(
        capture,
        &["-Y", "_ws.malformed || _ws.short || tcp.analysis.lost_segment || _ws.expert.severity >= 0x600000"],
    )
}

/// One PDU as tshark reads it.
#[derive(Debug)]
pub(super) struct Row {
    /// `command_id`.
    pub(super) id: u32,
    /// `command_status`.
    pub(super) status: u32,
    /// `data_coding`.
    pub(super) coding: Option<u32>,
    /// Does `esm_class` say that a header comes first?
    pub(super) udh: bool,
    /// `short_message`, as hex.
    pub(super) message: String,
    /// Bytes of `message_payload`.
    pub(super) payload: usize,
    /// Reference, total, part.
    pub(super) sar: Option<(u32, u32, u32)>,
    /// `interface_version` of a bind.
    pub(super) version: Option<u32>,
    /// Is a relative `validity_period` there? Where it is empty, tshark reads 0.
    pub(super) validity: bool,
    /// Is a receipt asked for?
    pub(super) receipt: bool,
}

const FIELDS: [&str; 12] = [
    "smpp.command_id",
    "smpp.command_status",
    "smpp.data_coding",
    "smpp.esm.submit.features",
    "smpp.message",
    "smpp.message_payload",
    "smpp.sar_msg_ref_num",
    "smpp.sar_total_segments",
    "smpp.sar_segment_seqnum",
    "smpp.interface_version",
    "smpp.validity_period_r",
    "smpp.regdel.receipt",
];

impl Row {
    fn read(line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), FIELDS.len(), "{line}");
        let number = |at: usize| {
            let text: &str = fields[at];
            let hex = text.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16));
            hex.unwrap_or_else(|| text.parse()).ok()
        };
        Self {
            id: number(0).unwrap_or_else(|| panic!("no PDU: {line}")),
            status: number(1).unwrap_or_default(),
            coding: number(2),
            udh: number(3) == Some(1),
            message: fields[4].replace(':', ""),
            payload: fields[5].replace(':', "").len() / 2,
            sar: number(6).zip(number(7)).zip(number(8)).map(|((reference, total), part)| (reference, total, part)),
            version: number(9),
            validity: fields[10].parse::<f64>().is_ok_and(|seconds| seconds > 0.0),
            receipt: number(11) == Some(1),
        }
    }

    /// A `submit_sm` of this `data_coding`.
    pub(super) fn is_submit(&self, coding: u32) -> bool {
        self.id == 4 && self.coding == Some(coding)
    }
}

/// All PDUs of a capture.
pub(super) fn rows(capture: &Path) -> Vec<Row> {
    let mut args = vec!["-T", "fields"];
    FIELDS.iter().for_each(|field| args.extend(["-e", field]));
    tshark(capture, &args).lines().map(Row::read).collect()
}
