//! Nothing lost, nothing recorded twice: the real gateway, worker, web and PostgreSQL, each killed again
//! and again (SIGKILL), one or several at once, in the middle of the load: against an SMSC that we did
//! not write, and against the simulated one, which also leaves responses out and drops connections.
//!
//! What is asserted stands in [`law`]. `SCRUTINEER_SEED` repeats a run's kills.

mod law;
mod load;
mod npm;
mod range;
mod simulated;

use self::law::Replies;
use self::range::Range;
use super::support::torture;

/// The figures of a run.
fn told(range: &Range<'_>, smsc: &str, texts: u32, replies: &Replies) {
    for (who, times, middle, longest) in range.told() {
        println!("{who}: killed {times} times; worked again after {middle:.1} s, at most {longest:.1} s");
    }
    let (mut middle, mut longest) = (Vec::new(), 0.0_f64);
    for (_, _, one, most) in range.told() {
        middle.push(one);
        longest = longest.max(most);
    }
    middle.sort_by(f64::total_cmp);
    torture::figure(
        &format!("SIGKILL of gateway, worker, web, PostgreSQL, one or several at once ({smsc})"),
        &format!(
            "{} kills in {texts} texts: each stored once; of {} replies {} were sent again as their outcome was unknown, \
             {} came twice, {} were given up after two unknown attempts | works again after {:.1} s, at most {longest:.1} s | nothing",
            range.kills,
            replies.all,
            replies.again,
            replies.doubled,
            replies.given_up,
            middle.get(middle.len() / 2).copied().unwrap_or_default(),
        ),
    );
}
