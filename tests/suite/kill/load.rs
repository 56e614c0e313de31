//! What is texted under fire: each observer reports, corrects it, and reports an incident; one report in
//! ten comes in two segments.

use serde_json::{Value, json};

use crate::support::peer::Delivery;
use crate::support::poll;

/// Texts of one observer.
pub const TEXTS: u32 = 3;

/// Does an observer's report come in two segments?
pub fn is_long(observer: u32) -> bool {
    observer.is_multiple_of(10)
}

/// An observer's text: 0 the report, 1 its correction, 2 an incident.
pub fn text(observer: u32, which: u32) -> String {
    let (aa, ab) = (observer % 997, observer * 7 % 4001);
    match which {
        0 if is_long(observer) => poll::report(
            observer,
            &format!(
                "AA{aa} AB{ab} AC7 @ {}",
                format!("seen by observer {} at the door ", poll::code(observer)).repeat(5).trim_end()
            ),
        ),
        0 => poll::report(observer, &format!("AA{aa} AB{ab} AC7")),
        1 => poll::report(observer, &format!("AA{}", aa + 1)),
        _ => poll::incident(observer, &format!("case of {}", poll::code(observer))),
    }
}

/// What it is delivered as; ids tell observer, text and part.
pub fn deliveries(observer: u32, which: u32) -> Vec<Delivery> {
    let id = u64::from(observer) * 10 + u64::from(which) * 3;
    let (phone, text) = (poll::phone(observer), text(observer, which));
    if which == 0 && is_long(observer) {
        return Delivery::two_segments(id, &phone, &text, observer as u8).to_vec();
    }
    vec![Delivery::text(id, &phone, &text)]
}

/// Observer and text of a delivery's id.
pub fn of_id(id: u64) -> (u32, u32) {
    ((id / 10) as u32, (id % 10 / 3) as u32)
}

/// What an observer's report is to be in the end.
pub fn answers(observer: u32) -> Value {
    json!({"AA": observer % 997 + 1, "AB": observer * 7 % 4001, "AC": 7})
}
