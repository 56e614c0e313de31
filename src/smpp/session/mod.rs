//! One session: from the bind to the last acknowledgement.
//!
//! One task reads, writes and waits for the spool; nothing in it blocks on anything else. Invariants:
//! a message is acknowledged with ESME_ROK only when the spool says that it is durable; a `submit_sm`
//! is written only when its intent is; both windows are bounded, and past them the socket is not read
//! and the queue not taken from.

mod keepalive;
mod receive;
mod state;
mod submit;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::link::Link;
use super::options::request;
use super::overload::Rung;
use super::pdu::{Bind, Pdu};
use super::{CommandId, CommandStatus, frame};
use crate::handoff::append::{Append, Done};
use crate::limits::{PDU_READ_SECONDS, READ_BYTES, UNBIND_SECONDS, WRITE_BYTES_MAX};

pub use state::End;
use state::{Pending, Phase, Session};

/// The longest that the loop sleeps: timers of seconds are looked at so often.
const TURN: Duration = Duration::from_millis(200);

/// Binds and serves until the session ends; all that it asked of the spool is answered then.
pub async fn run<T: AsyncRead + AsyncWrite>(link: &mut Link, io: T) -> End {
    let (mut reader, mut writer) = tokio::io::split(io);
    let mut session = Session::new(link);
    session.bind();
    let end = session.serve(&mut reader, &mut writer).await;
    session.begin_settling();
    // A last word (unbind_resp, generic_nack) is worth a moment, not more.
    let _ = timeout(Duration::from_secs(1), async {
        writer.write_all_buf(&mut session.out).await?;
        writer.shutdown().await
    })
    .await;
    session.finish().await;
    end
}

/// Writes some of what waits; when nothing does, sees to it that all is out.
async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    out: &mut BytesMut,
    flushed: &mut bool,
    secured: bool,
) -> std::io::Result<()> {
    if out.is_empty() {
        writer.flush().await?;
        *flushed = true;
    } else {
        writer.write_buf(out).await?;
        *flushed = !secured;
    }
    Ok(())
}

impl Session<'_> {
    fn bind(&mut self) {
        let options = &self.link.options;
        let bind = Bind {
            system_id: options.system_id.clone(),
            password: options.password.clone(),
            system_type: options.system_type.clone(),
            interface_version: options.version,
        };
        self.request(&request(options.role, bind));
    }

    async fn serve<R, W>(&mut self, reader: &mut R, writer: &mut W) -> End
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut sleep = std::pin::pin!(sleep_until(Instant::now()));
        // TLS keeps a last record to itself until it is flushed; a socket has nothing to flush.
        let (secured, mut flushed) = (self.link.options.tls.is_some(), true);
        loop {
            self.now = Instant::now();
            self.link.turned();
            self.take_done();
            if let Some(end) = self.take_input() {
                return end;
            }
            self.take_parked();
            self.acknowledge_committed();
            if let Some(end) = self.timers() {
                return end;
            }
            let queue_seen = self.link.queue.version();
            self.take_submits();
            let next_write = self.write_submits();
            self.send_backlog();
            self.meter();

            let wake = next_write.unwrap_or(self.now + TURN).min(self.now + TURN);
            if sleep.deadline() != wake {
                sleep.as_mut().reset(wake);
            }
            let can_read = self.can_read();
            let wants_submits = self.wants_submits();
            let stopping = self.stopping;
            let waits_for_commit = !self.uncommitted.is_empty();
            let waits_for_doubt = !self.parked.is_empty();
            let heard = self.heard;
            let Self { input, out, link, backlog, .. } = self;
            input.reserve(if can_read { READ_BYTES } else { 0 });
            // What waits is written before more is read; all else is looked at in every turn. The order is
            // fixed, so that a simulated run can be repeated.
            tokio::select! {
                biased;
                done = write(writer, out, &mut flushed, secured), if !out.is_empty() || !flushed => {
                    if let Err(error) = done {
                        return End::Io(error);
                    }
                }
                read = reader.read_buf(input), if can_read => match read {
                    Ok(0) => return End::Closed,
                    Ok(_) => self.heard = Instant::now(),
                    Err(error) => return End::Io(error),
                },
                () = link.completions.wait() => {}
                () = link.queue.wait(queue_seen), if wants_submits => {}
                permit = link.spool.reserve(), if !backlog.is_empty() => match permit {
                    Ok(permit) => if let Some(append) = backlog.pop_front() { permit.send(append) },
                    Err(_) => return End::SpoolClosed,
                },
                () = super::link::changed(&mut link.committed), if waits_for_commit => {}
                () = link.doubt.settled(), if waits_for_doubt => {}
                () = link.stop.cancelled(), if !stopping => {}
                () = &mut sleep => {}
            }
            self.break_silence(heard);
        }
    }

    /// Reads go on while both the window and what waits to be written have room.
    fn can_read(&self) -> bool {
        self.has_room() && self.out.len() < WRITE_BYTES_MAX && self.input.len() < 2 * READ_BYTES
            || frame::lacking(&self.input) > 0
    }

    /// Handles the frames that have come, as far as the window has room.
    fn take_input(&mut self) -> Option<End> {
        while self.has_room() && self.out.len() < WRITE_BYTES_MAX {
            match frame::split(&mut self.input) {
                Ok(Some(frame)) => {
                    self.partial_since = None;
                    if let Some(end) = self.take_frame(&frame) {
                        return Some(end);
                    }
                }
                Ok(None) => {
                    if self.input.is_empty() {
                        self.partial_since = None;
                    } else if self.partial_since.is_none() {
                        self.partial_since = Some(self.now);
                    }
                    return None;
                }
                Err(error) => {
                    self.nack(CommandStatus::EsmeRinvcmdlen, error.sequence);
                    return Some(End::BadLength(error));
                }
            }
        }
        // The window is full: what lacks its end may lie in the socket, unread.
        self.partial_since = None;
        None
    }

    /// What the spool has done since.
    fn take_done(&mut self) {
        for done in self.link.completions.take() {
            let (Done::Stored { tag, .. }
            | Done::Intended { tag }
            | Done::Duplicate { tag }
            | Done::Failed { tag }
            | Done::Named { tag }
            | Done::InDoubt { tag, .. }) = done;
            let Some(pending) = self.pending.remove(&tag) else { continue };
            self.intents -= usize::from(matches!(pending, Pending::Intent(_)));
            match (pending, done) {
                (Pending::Received(received), Done::Stored { sequence, .. }) => self.stored(received, sequence),
                (Pending::Received(received), _) => self.not_stored(received),
                (Pending::Intent(submit), Done::Intended { .. }) => self.intended(tag, submit),
                (Pending::Intent(submit), Done::Failed { .. }) => self.link.queue.put_back(submit),
                (Pending::Intent(_), _) => {}
                (Pending::Doubt(key), done) => {
                    if let Done::InDoubt { records, .. } = done {
                        self.link.doubt.add_certain(self.link.index, &records);
                    }
                    if let Some(key) = key {
                        self.link.doubt.release(key);
                    }
                }
            }
        }
    }

    /// Everything that waits for a time.
    fn timers(&mut self) -> Option<End> {
        let timeout = self.link.options.response_timeout;
        if self.partial_since.is_some_and(|at| self.now - at > Duration::from_secs(PDU_READ_SECONDS)) {
            return Some(End::HalfPdu);
        }
        let told = self.link.stop.is_cancelled() || self.link.desk.quits(self.now, self.is_submit_idle());
        if told && !self.stopping {
            self.stopping = true;
            if self.phase == Phase::Binding {
                return Some(End::Stopped);
            }
            self.stop_by = self.now + Duration::from_secs(UNBIND_SECONDS);
        }
        self.look_at_overload();
        self.withheld();
        self.late_responses();
        match self.phase {
            Phase::Binding if self.now - self.begun > timeout => return Some(End::BindTimeout),
            Phase::Binding => {}
            Phase::Bound => {
                if self.stopping && (self.in_flight.is_empty() || self.stop_by < self.now + Duration::from_secs(3)) {
                    self.unbind();
                } else if self.ladder.rung() == Rung::Unbind {
                    self.link.overload = self.ladder.reason();
                    self.unbind();
                }
                return self.keepalive();
            }
            Phase::Unbinding { by, .. } if self.now > by => return Some(self.unbound()),
            Phase::Unbinding { .. } => {}
            Phase::PeerUnbinds { sequence, by } => {
                let idle = self.received + self.refused.len() + self.parked.len() == 0 && self.in_flight.is_empty();
                if idle || self.now > by {
                    self.respond(0, sequence, &Pdu::UnbindResp);
                    return Some(End::PeerUnbound);
                }
            }
        }
        None
    }

    fn unbind(&mut self) {
        let sequence = self.request(&Pdu::Unbind);
        self.phase = Phase::Unbinding { sequence, by: self.now + Duration::from_secs(UNBIND_SECONDS) };
        self.link.states.set(self.link.index.into(), false);
    }

    pub(super) fn unbound(&self) -> End {
        if self.link.overload.is_some() { End::Overloaded } else { End::Stopped }
    }

    pub(super) fn send_backlog(&mut self) {
        while let Some(append) = self.backlog.pop_front() {
            if let Err(error) = self.link.spool.try_send(append) {
                self.backlog.push_front(error.into_inner());
                return;
            }
        }
    }

    pub(super) fn ask(&mut self, append: Append) {
        self.backlog.push_back(append);
    }

    fn meter(&mut self) {
        self.link.meters.receive_window.set(self.received as f64);
        self.link.meters.submit_window.set(self.in_flight.len() as f64);
        let (receiving, submitting) = (self.received, self.in_flight.len());
        // What was answered stands at the front until its time is over.
        let open = self.written.iter().find(|(_, sequence)| self.in_flight.contains_key(sequence));
        let oldest = open.map(|(at, _)| *at).into_iter().chain(self.enquiry.map(|enquiry| enquiry.at)).min();
        self.link.desk.say(|view| (view.receiving, view.submitting, view.oldest) = (receiving, submitting, oldest));
        self.link.meters.oldest.set(oldest.map_or(0.0, |at| (self.now - at).as_secs_f64()));
    }

    /// Takes the frame apart by what it is.
    fn take_frame(&mut self, frame: &frame::Frame) -> Option<End> {
        self.misses = 0;
        self.link.received(&frame.raw);
        match (self.phase, frame.id) {
            (
                Phase::Binding,
                CommandId::BindTransceiverResp
                | CommandId::BindTransmitterResp
                | CommandId::BindReceiverResp
                | CommandId::GenericNack,
            ) if Some(frame.sequence) == self.bind_sequence => {
                return self.bind_response(frame);
            }
            (_, CommandId::DeliverSm | CommandId::DataSm) => self.take_message(frame),
            (_, CommandId::SubmitSmResp) => self.submit_response(frame),
            (_, CommandId::EnquireLink) => self.respond(0, frame.sequence, &Pdu::EnquireLinkResp),
            (_, CommandId::EnquireLinkResp) => self.enquire_link_response(frame.sequence),
            (Phase::Unbinding { sequence, .. }, CommandId::UnbindResp) if sequence == frame.sequence => {
                self.confirm(self.acked);
                return Some(self.unbound());
            }
            (Phase::Unbinding { .. } | Phase::Binding, CommandId::Unbind) => {
                self.respond(0, frame.sequence, &Pdu::UnbindResp);
                return Some(if self.stopping { End::Stopped } else { End::PeerUnbound });
            }
            (_, CommandId::Unbind) => {
                let by = self.now + Duration::from_secs(UNBIND_SECONDS);
                self.phase = Phase::PeerUnbinds { sequence: frame.sequence, by };
                self.link.states.set(self.link.index.into(), false);
            }
            (_, CommandId::GenericNack) => self.nacked(frame),
            (_, CommandId::AlertNotification) => {}
            (_, id) if id.is_response() => {
                tracing::debug!(link = %self.link.options.name, ?id, "a response to nothing that was asked");
            }
            // Requests that an SMSC serves, not an ESME: ESME_RINVBNDSTS, by their own response.
            (_, id) if matches!(u32::from(id), 0x01..=0x04 | 0x07..=0x09 | 0x21 | 0x111..=0x113) => {
                let response = CommandId::from(u32::from(id) | 1 << 31);
                self.respond(CommandStatus::EsmeRinvbndsts.into(), frame.sequence, &Pdu::Other(response));
            }
            // Those that nobody knows.
            _ => self.nack(CommandStatus::EsmeRinvcmdid, frame.sequence),
        }
        None
    }

    fn bind_response(&mut self, frame: &frame::Frame) -> Option<End> {
        if frame.status != 0 || frame.id == CommandId::GenericNack {
            return Some(End::BindRefused(frame.status));
        }
        self.phase = Phase::Bound;
        self.link.bound(frame.body());
        for kept in std::mem::take(&mut self.before_bind) {
            self.take_message(&kept);
        }
        None
    }
}
