//! What a run came to: rate, processor's time and memory of the processes under load.

use std::fmt;

use scrutineer::smsc::Report;
use serde_json::{Value, json};

/// Processes under load.
#[derive(Debug)]
pub struct Watched {
    pids: Vec<i32>,
    cpu_before: f64,
}

/// Of one run.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Acknowledged `deliver_sm` a second.
    pub rate: f64,
    /// Seconds of the processor for a thousand of them, user and system.
    pub cpu: f64,
    /// Median and 99th percentile from `deliver_sm` to its response, milliseconds.
    pub latency: (f64, f64),
    /// Peak of the resident memory, bytes.
    pub peak: u64,
    /// Resident memory at the end, each shared page divided by those who share it, bytes.
    pub pss: u64,
}

impl Watched {
    /// Counts from now on.
    pub fn new(pids: Vec<i32>) -> Self {
        let cpu_before = pids.iter().map(|&pid| cpu_seconds(pid)).sum();
        Self { pids, cpu_before }
    }

    /// At the end of the load.
    pub fn figures(&self, report: &Report) -> Figures {
        let cpu = self.pids.iter().map(|&pid| cpu_seconds(pid)).sum::<f64>() - self.cpu_before;
        Figures {
            rate: report.acknowledged as f64 / report.seconds,
            cpu: cpu * 1_000.0 / report.acknowledged as f64,
            latency: (report.ack_p50_ms, report.ack_p99_ms),
            peak: self.pids.iter().map(|&pid| kilobytes(pid, "status", "VmHWM:")).sum(),
            pss: self.pids.iter().map(|&pid| kilobytes(pid, "smaps_rollup", "Pss:")).sum(),
        }
    }
}

/// User's and system's time of a process, all its threads.
fn cpu_seconds(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11..=12].iter().map(|text| text.parse::<u64>().unwrap()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// A field in kilobytes of a file under `/proc`, as bytes.
fn kilobytes(pid: i32, file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Figures {
    /// Ours to theirs.
    pub fn beside(&self, theirs: &Self) -> String {
        format!(
            "{:.2} times the rate, {:.2} times the messages a second of processor, {:.2} of the memory (PSS), {:.2} at the peak",
            self.rate / theirs.rate,
            theirs.cpu / self.cpu,
            self.pss as f64 / theirs.pss as f64,
            self.peak as f64 / theirs.peak as f64
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "acknowledged_per_second": self.rate.round(), "cpu_seconds_per_1000": self.cpu,
            "ack_p50_ms": self.latency.0, "ack_p99_ms": self.latency.1,
            "peak_rss_kb": self.peak >> 10, "pss_kb": self.pss >> 10,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>7.0}/s, {:.1} ms of processor a thousand, answered in {:.2} ms (p99 {:.2}), PSS {:.1} MB, peak {:.1} MB",
            self.rate,
            self.cpu * 1_000.0,
            self.latency.0,
            self.latency.1,
            mb(self.pss),
            mb(self.peak)
        )
    }
}
