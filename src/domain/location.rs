//! The hierarchy of locations: what an imported file and what was there before make together.
//!
//! Invariant of a [`Tree`]: no cycle, every parent is there, each level stands at one depth.

use std::collections::{BTreeMap, HashMap};

/// Greatest figure of a location.
pub const FIGURE_MAX: i64 = i32::MAX as i64;

/// One location of an imported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationRow {
    /// Line of the file.
    pub line: u64,
    /// Code, unique in the election.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What kind of area it is: region, district, station.
    pub level: String,
    /// Code of the location above it; `None` at the top.
    pub parent: Option<String>,
    /// Registered voters, where known. The outer `None`: the file does not say, keep what is there.
    pub registered_voters: Option<Option<i32>>,
    /// Other numeric columns by name, which rules may refer to; `None` takes one away.
    pub figures: BTreeMap<String, Option<i64>>,
}

/// One location that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationNow {
    /// PostgreSQL's key.
    pub id: i32,
    /// Code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Level.
    pub level: String,
    /// Code of the location above it.
    pub parent: Option<String>,
    /// Registered voters.
    pub registered_voters: Option<i32>,
}

/// A location of the merged hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// PostgreSQL's key, where it has one.
    pub id: Option<i32>,
    /// Code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Level.
    pub level: String,
    /// Place of its parent in [`Tree::nodes`], always before its own.
    pub parent: Option<usize>,
    /// 0 at the top.
    pub depth: i16,
    /// Registered voters.
    pub registered_voters: Option<i32>,
    /// A polling station: it stands at the deepest level.
    pub is_station: bool,
    /// Line of the file that named it.
    pub line: Option<u64>,
}

/// The merged hierarchy, parents before children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The locations.
    pub nodes: Vec<Node>,
}

/// What is wrong with a line of an imported file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct BadLine {
    /// Number of the line; the header is 1.
    pub line: u64,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

/// Depth past which a hierarchy is taken for a mistake.
const DEPTH_MAX: i16 = 16;

/// Merges a file into what is there: a code that is there is changed, others stay. All that is
/// wrong is named, by line.
pub fn merge(now: &[LocationNow], rows: &[LocationRow]) -> Result<Tree, Vec<BadLine>> {
    let mut bad = Vec::new();
    let mut drafts: Vec<Draft<'_>> = now.iter().map(Draft::from_now).collect();
    let mut by_code: HashMap<&str, usize> = drafts.iter().enumerate().map(|(i, d)| (d.code, i)).collect();
    for row in rows {
        match by_code.get(row.code.as_str()).and_then(|&i| drafts.get_mut(i)) {
            Some(draft) => match draft.line {
                Some(first) => bad.push(BadLine {
                    line: row.line,
                    reason: format!("code `{}` stands on line {first} too; codes are unique", row.code),
                }),
                None => draft.change(row),
            },
            None => {
                by_code.insert(&row.code, drafts.len());
                drafts.push(Draft::from_row(row));
            }
        }
    }
    let order = order(&drafts, &by_code, &mut bad);
    let mut levels: BTreeMap<&str, (i16, Option<u64>)> = BTreeMap::new();
    let mut depths: HashMap<i16, &str> = HashMap::new();
    for &(i, depth) in &order {
        let Some(draft) = drafts.get(i) else { continue };
        let (first, at) = *levels.entry(draft.level).or_insert((depth, draft.line));
        if first != depth {
            bad.push(BadLine {
                line: draft.line.or(at).unwrap_or(0),
                reason: format!(
                    "`{}` is a {} at depth {depth}, but another {} stands at depth {first}{}; each level needs one depth",
                    draft.code,
                    draft.level,
                    draft.level,
                    at.map_or(String::new(), |line| format!(" (line {line})"))
                ),
            });
        } else if let Some(other) = depths.insert(depth, draft.level)
            && other != draft.level
        {
            bad.push(BadLine {
                line: draft.line.unwrap_or(0),
                reason: format!(
                    "`{}` is a {} at depth {depth}, where others are a {other}; each depth needs one level",
                    draft.code, draft.level
                ),
            });
            depths.insert(depth, other);
        }
    }
    if !bad.is_empty() {
        bad.sort();
        return Err(bad);
    }
    let deepest = order.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut nodes = Vec::with_capacity(order.len());
    for &(i, depth) in &order {
        let Some(draft) = drafts.get(i) else { continue };
        place.insert(i, nodes.len());
        nodes.push(Node {
            id: draft.id,
            code: draft.code.to_owned(),
            name: draft.name.to_owned(),
            level: draft.level.to_owned(),
            parent: draft.parent.and_then(|p| by_code.get(p)).and_then(|p| place.get(p)).copied(),
            depth,
            registered_voters: draft.registered_voters,
            is_station: depth == deepest,
            line: draft.line,
        });
    }
    Ok(Tree { nodes })
}

#[derive(Debug)]
struct Draft<'a> {
    id: Option<i32>,
    code: &'a str,
    name: &'a str,
    level: &'a str,
    parent: Option<&'a str>,
    registered_voters: Option<i32>,
    line: Option<u64>,
}

impl<'a> Draft<'a> {
    fn from_now(now: &'a LocationNow) -> Self {
        Self {
            id: Some(now.id),
            code: &now.code,
            name: &now.name,
            level: &now.level,
            parent: now.parent.as_deref(),
            registered_voters: now.registered_voters,
            line: None,
        }
    }

    fn from_row(row: &'a LocationRow) -> Self {
        Self {
            id: None,
            code: &row.code,
            name: &row.name,
            level: &row.level,
            parent: row.parent.as_deref(),
            registered_voters: row.registered_voters.flatten(),
            line: Some(row.line),
        }
    }

    fn change(&mut self, row: &'a LocationRow) {
        let kept = self.registered_voters;
        *self = Self { id: self.id, registered_voters: row.registered_voters.unwrap_or(kept), ..Self::from_row(row) };
    }
}

/// Places of the drafts with their depth, parents first. What hangs on nothing is named.
fn order(drafts: &[Draft<'_>], by_code: &HashMap<&str, usize>, bad: &mut Vec<BadLine>) -> Vec<(usize, i16)> {
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    let mut orphans = std::collections::HashSet::new();
    for (i, draft) in drafts.iter().enumerate() {
        match draft.parent.map(|code| (code, by_code.get(code))) {
            None => children.entry(None).or_default().push(i),
            Some((_, Some(&parent))) => children.entry(Some(parent)).or_default().push(i),
            Some((code, None)) => {
                orphans.insert(i);
                bad.push(BadLine {
                    line: draft.line.unwrap_or(0),
                    reason: format!("parent `{code}` is neither in the file nor in the election"),
                });
            }
        }
    }
    let mut order: Vec<(usize, i16)> = Vec::with_capacity(drafts.len());
    let mut reached = vec![false; drafts.len()];
    let mut wave: Vec<usize> = children.get(&None).cloned().unwrap_or_default();
    let mut depth = 0;
    while !wave.is_empty() && depth <= DEPTH_MAX {
        let mut next = Vec::new();
        for i in wave {
            if let Some(seen) = reached.get_mut(i) {
                *seen = true;
            }
            order.push((i, depth));
            next.extend(children.get(&Some(i)).into_iter().flatten());
        }
        wave = next;
        depth += 1;
    }
    // Below an orphan is its parent's fault, not each line's.
    let mut below: Vec<usize> = orphans.into_iter().collect();
    while let Some(i) = below.pop() {
        if let Some(seen) = reached.get_mut(i)
            && !std::mem::replace(seen, true)
        {
            below.extend(children.get(&Some(i)).into_iter().flatten());
        }
    }
    for (draft, _) in drafts.iter().zip(&reached).filter(|(_, reached)| !**reached) {
        bad.push(BadLine {
            line: draft.line.unwrap_or(0),
            reason: format!("`{}` is, over its parents, below itself or more than {DEPTH_MAX} deep", draft.code),
        });
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: u64, code: &str, level: &str, parent: &str) -> LocationRow {
        LocationRow {
            line,
            code: code.to_owned(),
            name: format!("{code} name"),
            level: level.to_owned(),
            parent: (!parent.is_empty()).then(|| parent.to_owned()),
            registered_voters: None,
            figures: BTreeMap::new(),
        }
    }

    fn reasons(rows: &[LocationRow]) -> Vec<String> {
        merge(&[], rows).unwrap_err().into_iter().map(|b| format!("{}: {}", b.line, b.reason)).collect()
    }

    #[test]
    fn children_may_stand_before_their_parents_and_the_deepest_level_are_stations() {
        let tree = merge(&[], &[row(2, "S", "station", "D"), row(3, "D", "district", "R"), row(4, "R", "region", "")])
            .unwrap();
        let codes: Vec<_> = tree.nodes.iter().map(|n| (n.code.as_str(), n.depth, n.is_station, n.parent)).collect();
        assert_eq!(codes, [("R", 0, false, None), ("D", 1, false, Some(0)), ("S", 2, true, Some(1))]);
    }

    #[test]
    fn what_hangs_on_nothing_or_on_itself_or_stands_twice_is_named() {
        let found = reasons(&[
            row(2, "R", "region", ""),
            row(3, "A", "district", "B"),
            row(4, "B", "district", "A"),
            row(5, "C", "district", "X"),
            row(6, "S", "station", "C"),
            row(7, "R", "region", ""),
        ]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("3: `A` is, over its parents, below itself"));
        assert!(found[1].starts_with("4: `B` is"));
        assert!(found[2].starts_with("5: parent `X` is neither"));
        assert!(found[3].starts_with("7: code `R` stands on line 2 too"));
    }

    #[test]
    fn a_level_at_two_depths_and_two_levels_at_one_depth_are_named() {
        let found = reasons(&[row(2, "R", "region", ""), row(3, "D", "district", "R"), row(4, "E", "district", "")]);
        assert!(
            found[0].contains("another district stands at depth 0 (line 4); each level needs one depth"),
            "{found:?}"
        );
        assert!(found[1].starts_with("4: `E` is a district at depth 0, where others are a region"), "{found:?}");
        let found = reasons(&[row(2, "R", "region", ""), row(3, "D", "district", "R"), row(4, "W", "ward", "R")]);
        assert!(found[0].starts_with("4: `W` is a ward at depth 1, where others are a district"), "{found:?}");
    }

    #[test]
    fn what_was_there_stays_and_keeps_its_voters_when_the_file_does_not_say() {
        let now = [LocationNow {
            id: 7,
            code: "R".into(),
            name: "old".into(),
            level: "region".into(),
            parent: None,
            registered_voters: Some(5),
        }];
        let tree = merge(&now, &[row(2, "R", "region", ""), row(3, "D", "district", "R")]).unwrap();
        assert_eq!((tree.nodes[0].id, tree.nodes[0].registered_voters), (Some(7), Some(5)));
        assert_eq!(tree.nodes[0].name, "R name");
        assert_eq!(tree.nodes[1].parent, Some(0));
    }
}
