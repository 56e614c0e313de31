//! Binds for people: a table, or all of one.

use crate::role::gateway::speech::BindView;

/// A line each.
pub(super) fn table(binds: &[BindView]) {
    let wide = binds.iter().map(|bind| bind.bind.len()).max().unwrap_or_default().max(4);
    println!(
        "{:wide$}  {:11}  {:9}  {:>8}  {:>9}  {:>9}  {:>7}  SMSC",
        "bind", "role", "state", "for", "receiving", "submitting", "trip"
    );
    for bind in binds {
        let trip = bind.round_trip_seconds.map_or("-".to_owned(), |s| format!("{:.0} ms", s * 1_000.0));
        let window = |(used, of): (usize, usize)| format!("{used}/{of}");
        println!(
            "{:wide$}  {:11}  {:9}  {:>8}  {:>9}  {:>9}  {:>7}  {}{}",
            bind.bind,
            bind.role,
            bind.state,
            age(bind.state_seconds),
            window(bind.receiving),
            window(bind.submitting),
            trip,
            bind.address,
            why(bind),
        );
    }
}

/// Why it is not bound, after two spaces.
fn why(bind: &BindView) -> String {
    match &bind.last_end {
        Some(why) if bind.state == "unbound" || bind.state == "binding" => format!("  ({why})"),
        _ => String::new(),
    }
}

/// All of it.
pub(super) fn one(bind: &BindView) {
    println!("{}: {} for {}", bind.bind, bind.state, age(bind.state_seconds));
    println!("  {} of group {} at {}{}", bind.role, bind.group, bind.address, if bind.tls { ", TLS" } else { "" });
    let version =
        bind.peer_version.as_ref().map_or("does not say its version".to_owned(), |v| format!("speaks SMPP {v}"));
    if bind.binds > 0 {
        println!("  bound {} times since it began; the SMSC is `{}` and {version}", bind.binds, bind.peer);
    }
    if let Some(why) = &bind.last_end {
        println!("  last session: {why}");
    }
    println!("  {} of {} messages wait for their acknowledgement", bind.receiving.0, bind.receiving.1);
    println!("  {} of {} submits wait for their response", bind.submitting.0, bind.submitting.1);
    if let Some(seconds) = bind.round_trip_seconds {
        println!("  last response after {:.1} ms", seconds * 1_000.0);
    }
    if let Some(seconds) = bind.oldest_unanswered_seconds {
        println!("  oldest request without a response: {seconds:.1} s");
    }
    if let Some(seconds) = bind.throttled_seconds {
        println!("  the SMSC throttles: nothing is submitted for {seconds:.1} s");
    }
}

fn age(seconds: f64) -> String {
    match seconds as u64 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}
