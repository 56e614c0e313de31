//! What goes over a link's wire, as it comes.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::socket::Socket;
use crate::role::gateway::speech::{Answer, Request, Traced};

pub(super) async fn run(mut socket: Socket, request: Request, json: bool) -> anyhow::Result<ExitCode> {
    let Request::Trace { seconds, .. } = request else { anyhow::bail!("no trace is asked for") };
    let until = Instant::now() + Duration::from_secs(u64::from(seconds) + 30);
    socket.send(&request).await?;
    loop {
        // A link on which nothing goes by says nothing for as long.
        match timeout_at(until, socket.next()).await?? {
            Some(Answer::Passed(pdu)) => {
                let mut out = std::io::stdout().lock();
                if json {
                    serde_json::to_writer(&mut out, &pdu)?;
                    out.write_all(b"\n")?;
                } else {
                    print(&mut out, &pdu)?;
                }
                out.flush()?;
            }
            Some(answer) => return super::done(answer, || {}),
            None => anyhow::bail!("the gateway stopped"),
        }
    }
}

fn print(out: &mut impl Write, pdu: &Traced) -> std::io::Result<()> {
    if pdu.missed > 0 {
        writeln!(out, "... {} PDUs are not shown: too many at a time", pdu.missed)?;
    }
    let arrow = if pdu.direction == "in" { "<-" } else { "->" };
    let Traced { at, bind, pdu: name, status, sequence, says, hex, .. } = pdu;
    writeln!(out, "{at} {bind} {arrow} {name} status {status:#010x} sequence {sequence} {says}")?;
    // Four bytes a group, sixteen a line.
    for line in hex.as_bytes().chunks(32) {
        let groups: Vec<String> = line.chunks(8).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        writeln!(out, "    {}", groups.join(" "))?;
    }
    Ok(())
}
