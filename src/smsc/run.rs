//! The SMSC on a socket: accepts a gateway, reads and writes in bulk, keeps time.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::limits::SMSC_OUT_BYTES_MAX;
use crate::smpp;

use super::dialog::{Dialog, Flow};
use super::{Options, Outgoing, Report};

/// How often the progress is told.
const TICK: Duration = Duration::from_millis(200);
/// How long our own unbind may take.
const UNBIND_WAIT: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 << 10;

/// Why a run could not be.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nobody bound.
    #[error("no gateway bound within {0:?}: is it running, with a link to this address, system id and password?")]
    NoBind(Duration),
    /// Somebody tried, with a wrong name or password.
    #[error("{0} binds came, all with a wrong system id or password")]
    WrongPassword(u64),
    /// The listener broke.
    #[error("the listening socket broke: {0}")]
    Listen(#[from] std::io::Error),
}

/// Plays the texts of `source` to the gateway that binds, until all is answered, the wait is over or
/// `stop` is cancelled. `tick` is shown the account a few times a second (latencies left out).
pub async fn run(
    listener: TcpListener,
    options: Options,
    source: impl Iterator<Item = Outgoing>,
    stop: CancellationToken,
    mut tick: impl FnMut(&Report),
) -> Result<Report, RunError> {
    let begun = Instant::now();
    let bind_wait = options.bind_wait;
    let mut dialog = Dialog::new(options, source);
    let mut session: Option<Session> = None;
    let mut unbound_since = Instant::now();
    let mut ticked = Instant::now();
    loop {
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            tick(&dialog.ledger.counts);
        }
        if let Some(open) = &mut session {
            unbound_since = if dialog.is_bound() { Instant::now() } else { unbound_since };
            match open.turn(&mut dialog, begun) {
                Flow::Go => {}
                Flow::Close | Flow::Cut => {
                    dialog.session_ended(us(begun));
                    session = None;
                    unbound_since = Instant::now();
                }
            }
        }
        if stop.is_cancelled() || dialog.finished(us(begun)) {
            break;
        }
        if !dialog.is_bound() && unbound_since.elapsed() > bind_wait {
            break;
        }
        let wait = Duration::from_micros(dialog.next_due(us(begun)).saturating_sub(us(begun))).min(TICK);
        let nap = tokio::time::sleep(if dialog.is_bound() { wait } else { TICK });
        tokio::select! {
            () = stop.cancelled() => {}
            () = nap => {}
            () = ready(session.as_ref()), if session.is_some() => {}
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                // A gateway that connects anew has given the old connection up.
                if session.is_some() {
                    dialog.session_ended(us(begun));
                }
                session = Some(Session::new(stream));
            }
        }
    }
    if let Some(mut open) = session {
        dialog.unbind(&mut open.out);
        let deadline = Instant::now() + UNBIND_WAIT;
        while dialog.is_bound() && open.turn(&mut dialog, begun) == Flow::Go && Instant::now() < deadline {
            let _ = tokio::time::timeout(TICK, ready(Some(&open))).await;
        }
    }
    let report = dialog.report();
    if report.binds == 0 && !stop.is_cancelled() {
        return Err(if report.binds_refused > 0 {
            RunError::WrongPassword(report.binds_refused)
        } else {
            RunError::NoBind(bind_wait)
        });
    }
    Ok(report)
}

fn us(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn ready(session: Option<&Session>) {
    if let Some(open) = session {
        let interest = if open.out.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        // An error shows itself at the next read.
        let _ = open.stream.ready(interest).await;
    }
}

/// One connection.
struct Session {
    stream: TcpStream,
    read: BytesMut,
    out: BytesMut,
}

impl Session {
    fn new(stream: TcpStream) -> Self {
        // Without it, small writes would wait for the peer's acknowledgement.
        let _ = stream.set_nodelay(true);
        Self { stream, read: BytesMut::with_capacity(READ_BYTES), out: BytesMut::new() }
    }

    /// Reads what there is, answers it, delivers what is due, writes as much as goes.
    fn turn<S: Iterator<Item = Outgoing>>(&mut self, dialog: &mut Dialog<S>, begun: Instant) -> Flow {
        let mut flow = Flow::Go;
        // A peer that does not read gets nothing more to answer.
        while flow == Flow::Go && self.out.len() < 4 * SMSC_OUT_BYTES_MAX {
            self.read.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.read) {
                Ok(0) => return Flow::Cut,
                Ok(_) => flow = self.frames(dialog, us(begun)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return Flow::Cut,
            }
        }
        if flow == Flow::Go {
            flow = dialog.fill(us(begun), &mut self.out);
        }
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(n) => self.out.advance(n),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return Flow::Cut,
            }
        }
        flow
    }

    fn frames<S: Iterator<Item = Outgoing>>(&mut self, dialog: &mut Dialog<S>, now: u64) -> Flow {
        loop {
            match smpp::split(&mut self.read) {
                Ok(Some(frame)) => match dialog.frame(&frame, now, &mut self.out) {
                    Flow::Go => {}
                    end => return end,
                },
                Ok(None) => return Flow::Go,
                Err(bad) => {
                    smpp::encode_nack(&mut self.out, smpp::CommandStatus::EsmeRinvcmdlen, bad.sequence);
                    return Flow::Close;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
